"""Trackers over time: takes, roles, calibration, and clean-up of what sensors report."""
