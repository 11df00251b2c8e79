# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned model, its weights, and the baseline without a network."""
