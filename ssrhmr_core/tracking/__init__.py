# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers over time: takes, roles, calibration, and clean-up of sensor readings."""
