"""Characters' rigs: which bone is which joint, and how twist bones share rotations."""
