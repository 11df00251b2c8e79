"""Armatures: their rest pose in the core's terms, and keys from the core's motion.

``armature`` and ``actions`` and ``keys`` talk to Blender; ``axes``, ``body``, ``pose`` and
``channels`` take and give arrays only.
"""
