# SPDX-License-Identifier: GPL-3.0-or-later
"""How each tracker sits on its joint."""
