# SPDX-License-Identifier: GPL-3.0-or-later
"""The optional trackers: how they are worn, what they say, and whether to believe it."""
