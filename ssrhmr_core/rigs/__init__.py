# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters' rigs: which bone is which joint, and how twist bones share rotations."""
