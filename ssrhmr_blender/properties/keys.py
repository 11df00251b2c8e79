# SPDX-License-Identifier: GPL-3.0-or-later
"""How a bake's keys are written: all of them or few, as an action or as a layer."""

from __future__ import annotations

import bpy


class SSRHMR_Keys(bpy.types.PropertyGroup):
    """Settings of the keys of a bake."""

    result: bpy.props.EnumProperty(
        name="Result",
        description="What becomes of the animation that the character has",
        items=(
            ("ACTION", "New Action", "The new action takes the place of the former one"),
            (
                "LAYER",
                "NLA Layer",
                "The former action becomes an NLA strip, and the bake a strip above it, which"
                " counts within its own range only. Nothing is merged",
            ),
        ),
    )
    blend: bpy.props.IntProperty(
        name="Blend",
        description="Frames over which the new strip fades in and out",
        default=5,
        min=0,
        soft_max=50,
    )
    reduce: bpy.props.BoolProperty(
        name="Reduce Keys",
        description="Keep only the keys that the pose needs, with handles for editing, instead of a"
        " key on every frame",
    )
    joint_error: bpy.props.FloatProperty(
        name="Joints (mm)",
        description="Distance in millimetres by which joints and the ends of bones may move",
        default=1.0,
        min=0.01,
        soft_max=20.0,
        max=1000.0,
        precision=2,
    )
    end_error: bpy.props.FloatProperty(
        name="Limb Ends (mm)",
        description="Distance in millimetres by which head, hands and feet may move",
        default=1.0,
        min=0.01,
        soft_max=20.0,
        max=1000.0,
        precision=2,
    )
    contact_error: bpy.props.FloatProperty(
        name="Contacts (mm)",
        description="Distance in millimetres by which hands and feet may move while they rest on"
        " the floor",
        default=1.0,
        min=0.01,
        soft_max=20.0,
        max=1000.0,
        precision=2,
    )
    angle_error: bpy.props.FloatProperty(
        name="Rotation (°)",
        description="Angle in degrees by which bones may rotate",
        default=0.5,
        min=0.01,
        soft_max=5.0,
        max=90.0,
        precision=2,
    )


CLASSES = (SSRHMR_Keys,)
