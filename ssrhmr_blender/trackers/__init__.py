# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracker objects: sampling them, creating them, and the setup's calibration."""
