"""Blender's actions: reading, writing and assigning them, in every supported version."""
