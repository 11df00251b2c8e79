"""Choosing a character, its bones and its trackers."""
