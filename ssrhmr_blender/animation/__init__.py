# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's actions: reading, writing and assigning them, in every supported version."""
