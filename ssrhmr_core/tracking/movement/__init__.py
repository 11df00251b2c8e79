# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration from a movement: what is most probable of mounts, bones and poses."""
