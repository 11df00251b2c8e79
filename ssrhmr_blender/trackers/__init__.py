"""Tracker objects: sampling them, creating them, and the setup's calibration."""
