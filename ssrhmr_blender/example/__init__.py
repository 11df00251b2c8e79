"""A character and six trackers to try everything on."""
