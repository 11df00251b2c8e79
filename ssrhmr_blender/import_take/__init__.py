"""Recorded takes: from files to animated trackers."""
