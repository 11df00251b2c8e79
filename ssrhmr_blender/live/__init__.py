"""Live capture: trackers stream in, the character moves, takes are recorded."""
