# SPDX-License-Identifier: GPL-3.0-or-later
"""The body: its skeleton, motion, rest pose, and interpolation over time."""
