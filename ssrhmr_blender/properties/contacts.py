# SPDX-License-Identifier: GPL-3.0-or-later
"""When parts of the body rest on the floor: how it is detected, and the ranges themselves."""

from __future__ import annotations

import bpy

PARTS = {
    "left_foot": ("Left Foot", "The whole left sole"),
    "left_toes": ("Left Toes", "The ball of the left foot, while its heel is up"),
    "right_foot": ("Right Foot", "The whole right sole"),
    "right_toes": ("Right Toes", "The ball of the right foot, while its heel is up"),
    "left_hand": ("Left Hand", "The left hand"),
    "right_hand": ("Right Hand", "The right hand"),
    "hips": ("Hips", "The hips, such as of a person who sits on the floor"),
}
"""Label and description by the names in ssrhmr_core.tracking.contacts.PARTS; a test compares them.
"""


class SSRHMR_Contact(bpy.types.PropertyGroup):
    """A range of frames in which a part of the body rests."""

    part: bpy.props.EnumProperty(
        name="Part",
        description="Part of the body that rests",
        items=[(part, label, text) for part, (label, text) in PARTS.items()],
    )
    frame_start: bpy.props.IntProperty(name="Start", description="First frame of the contact")
    frame_end: bpy.props.IntProperty(name="End", description="Last frame of the contact")


class SSRHMR_Contacts(bpy.types.PropertyGroup):
    """Contacts of a setup."""

    source: bpy.props.EnumProperty(
        name="Contacts",
        description="Where a bake takes contacts with the floor from",
        items=(
            ("AUTO", "Automatic", "Every bake finds them from the movement of the feet"),
            ("LIST", "From List", "The list below counts as it is"),
        ),
    )
    entries: bpy.props.CollectionProperty(type=SSRHMR_Contact, name="Ranges")
    active: bpy.props.IntProperty(name="Contact", description="Selected contact")
    sensitivity: bpy.props.FloatProperty(
        name="Sensitivity",
        description="Factor of the speed below which a foot counts as standing: higher finds more"
        " contacts, lower fewer",
        default=1.0,
        min=0.1,
        soft_max=3.0,
        max=10.0,
    )
    gap: bpy.props.FloatProperty(
        name="Largest Gap",
        description="Contacts of one part that are no farther apart than this become one",
        default=0.0,
        min=0.0,
        soft_max=0.5,
        max=5.0,
        subtype="TIME_ABSOLUTE",
    )
    release: bpy.props.FloatProperty(
        name="Release",
        description="Time in which a planted part comes to rest and comes loose again",
        default=0.13,
        min=0.0,
        soft_max=0.5,
        max=5.0,
        subtype="TIME_ABSOLUTE",
    )
    whole_body: bpy.props.BoolProperty(
        name="Hands and Hips",
        description="Also find hands and hips that rest near the height of the standing feet, and"
        " plant them",
    )
    above_floor: bpy.props.BoolProperty(
        name="Above Floor",
        description="Turn arms and legs about their ends where elbows and knees would sink below"
        " the lowest place of feet, hands, hips and head in the take",
        default=True,
    )


CLASSES = (SSRHMR_Contact, SSRHMR_Contacts)
