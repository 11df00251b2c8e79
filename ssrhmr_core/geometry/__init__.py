# SPDX-License-Identifier: GPL-3.0-or-later
"""Linear algebra and rotations: batches for NumPy and torch, single values as plain floats."""
