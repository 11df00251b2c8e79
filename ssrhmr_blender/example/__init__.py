# SPDX-License-Identifier: GPL-3.0-or-later
"""A character and six trackers to try everything on."""
