"""The body: its skeleton, motion, rest pose, and interpolation over time."""
