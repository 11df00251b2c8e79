# SPDX-License-Identifier: GPL-3.0-or-later
"""What carries a character through the room."""

from __future__ import annotations

import bpy


class SSRHMR_RootMotion(bpy.types.PropertyGroup):
    """Settings of the root motion of a bake."""

    target: bpy.props.EnumProperty(
        name="Root Motion",
        description="What carries the character through the room",
        items=(
            ("HIPS", "Hips", "The hips' bone carries all movement"),
            (
                "BONE",
                "Root Bone",
                "A bone above the hips follows them on the floor, as game engines expect; the hips"
                " carry the rest",
            ),
            ("OBJECT", "Object", "The armature object follows the hips on the floor"),
            ("IN_PLACE", "In Place", "The character stays on its spot"),
        ),
    )
    bone: bpy.props.StringProperty(
        name="Root Bone",
        description="Bone that follows the hips on the floor; the topmost one above the hips if"
        " empty",
    )
    heading: bpy.props.BoolProperty(
        name="Heading",
        description="The root also turns as the hips do about the vertical axis; in place, the"
        " character keeps facing one way",
        default=True,
    )
    smoothing: bpy.props.FloatProperty(
        name="Smoothing",
        description="Standard deviation of the Gaussian filter that smooths the root's path,"
        " without delay; 0 follows every sway of the hips. The pose in the room stays the same",
        default=0.25,
        min=0.0,
        soft_max=2.0,
        max=10.0,
        subtype="TIME_ABSOLUTE",
    )


CLASSES = (SSRHMR_RootMotion,)
