# SPDX-License-Identifier: GPL-3.0-or-later
"""Vectors and rotations: the one home of their algebra.

``arrays`` and ``rotations`` take batches, as NumPy arrays or torch tensors; ``scalar`` takes single
values as plain floats.
"""
