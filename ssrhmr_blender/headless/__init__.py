# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking without a window: many takes, many characters, one command."""
