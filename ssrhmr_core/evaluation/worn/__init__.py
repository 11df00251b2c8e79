# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole sessions: trackers mounted as people mount them, calibrated, then reconstructed."""
