# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded takes: from files to animated trackers."""
