# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that are stored in the scene."""
