"""Linear algebra and rotations: batches for NumPy and torch, single values as plain floats."""
