# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of takes, kept in the scene."""

from __future__ import annotations

import bpy

from ..common.typed import add_scene_property, remove_scene_property, scene_property

_PROPERTY = "ssrhmr_batch"
"""Name of the scene's property."""


class SSRHMR_TakePart(bpy.types.PropertyGroup):
    """An object of a take and its action, by name so that the take keeps neither alive."""

    name: bpy.props.StringProperty(name="Object")
    library: bpy.props.StringProperty(name="Library of the Object")
    action: bpy.props.StringProperty(name="Action")
    action_library: bpy.props.StringProperty(name="Library of the Action")
    slot: bpy.props.StringProperty(name="Slot")
    role: bpy.props.StringProperty(name="Tracker")


class SSRHMR_Take(bpy.types.PropertyGroup):
    """A take to bake."""

    name: bpy.props.StringProperty(name="Take", description="Name of the take and of its action")
    use: bpy.props.BoolProperty(name="Bake", description="Bake this take", default=True)
    trackers: bpy.props.CollectionProperty(type=SSRHMR_TakePart, name="Trackers")
    parts: bpy.props.CollectionProperty(type=SSRHMR_TakePart, name="Actions")
    state: bpy.props.EnumProperty(
        name="State",
        items=(
            ("WAITING", "Waiting", "Not baked yet"),
            ("DONE", "Done", "Baked"),
            ("SKIPPED", "Skipped", "Could not be baked"),
        ),
    )
    problem: bpy.props.StringProperty(name="Problem")
    result: bpy.props.StringProperty(name="Result")
    baked: bpy.props.StringProperty(name="Baked Action")


class SSRHMR_Batch(bpy.types.PropertyGroup):
    """Takes of a scene and how to bake them."""

    source: bpy.props.EnumProperty(
        name="Takes From",
        description="Where the takes are",
        items=(
            ("ACTIONS", "Actions", "Actions that animate the setup's trackers"),
            (
                "COLLECTIONS",
                "Collections",
                "Collections that hold the trackers of a take each, with names that say which is"
                " which",
            ),
        ),
    )
    takes: bpy.props.CollectionProperty(type=SSRHMR_Take, name="Takes")
    active: bpy.props.IntProperty(name="Take", description="Take of the list")
    span: bpy.props.EnumProperty(
        name="Range",
        description="Frames to bake of each take",
        items=(
            ("TAKE", "Whole Take", "From the first key of a take to its last"),
            ("SETUP", "As Single Bake", "The range that the Bake panel shows, for every take"),
        ),
    )
    strips: bpy.props.EnumProperty(
        name="NLA",
        description="Where to put the new actions besides the file's list of actions",
        items=(
            ("NONE", "Actions Only", "No NLA strips"),
            (
                "STASH",
                "A Track Each",
                "Each on a muted NLA track of its own, as exporters to game engines expect it",
            ),
            ("SEQUENCE", "In Sequence", "One after the other on one NLA track"),
        ),
    )


def batch_of(scene: bpy.types.Scene) -> SSRHMR_Batch:
    """Return the scene's batch."""
    batch: SSRHMR_Batch = scene_property(scene, _PROPERTY)
    return batch


def register() -> None:
    """Give scenes their batch."""
    add_scene_property(_PROPERTY, bpy.props.PointerProperty(type=SSRHMR_Batch))


def unregister() -> None:
    """Remove the batch from scenes."""
    remove_scene_property(_PROPERTY)


CLASSES = (SSRHMR_TakePart, SSRHMR_Take, SSRHMR_Batch)
