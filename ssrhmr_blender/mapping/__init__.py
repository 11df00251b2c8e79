# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a character, its bones and its trackers."""
