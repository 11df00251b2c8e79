# SPDX-License-Identifier: GPL-3.0-or-later
"""Several characters in one scene, each with its own setup.

``scene.ssrhmr`` is a plain Python property that returns the setup of the active entry of a list.
Nothing is copied when another entry is chosen, so undo, saving, linking and copies of scenes treat
the setups like any other settings. A scene without a list has one setup, ``base``, which the first
entry of a list represents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from ..common.typed import add_scene_property, remove_scene_property, scene_property
from .setup import SSRHMR_Setup
from .values import pointers, read_values, write_values


class SSRHMR_Character(bpy.types.PropertyGroup):
    """An entry of the list of characters."""

    name: bpy.props.StringProperty(name="Name", description="Name of this setup")
    is_base: bpy.props.BoolProperty(name="Base", options={"HIDDEN"})
    setup: bpy.props.PointerProperty(type=SSRHMR_Setup, name="Setup")


class SSRHMR_Characters(bpy.types.PropertyGroup):
    """The setups of a scene."""

    base: bpy.props.PointerProperty(type=SSRHMR_Setup, name="Setup")
    entries: bpy.props.CollectionProperty(type=SSRHMR_Character, name="Characters")
    active: bpy.props.IntProperty(
        name="Active Character", description="Character whose settings the panels show", min=0
    )


def characters_of(scene: bpy.types.Scene) -> SSRHMR_Characters:
    """Return the scene's list, typed."""
    characters: SSRHMR_Characters = scene_property(scene, "ssrhmr_characters")
    return characters


def setup_in(characters: SSRHMR_Characters, entry: SSRHMR_Character) -> SSRHMR_Setup:
    """Return the setup that an entry represents."""
    return characters.base if entry.is_base else entry.setup


def active_setup(scene: bpy.types.Scene) -> SSRHMR_Setup:
    """Return the setup of the active entry."""
    characters = characters_of(scene)
    entries = characters.entries
    if not entries:
        return characters.base
    return setup_in(characters, entries[min(characters.active, len(entries) - 1)])


def all_setups(scene: bpy.types.Scene) -> Iterator[SSRHMR_Setup]:
    """Yield every setup of a scene, in the order of the list."""
    characters = characters_of(scene)
    if not characters.entries:
        yield characters.base
    for entry in characters.entries:
        yield setup_in(characters, entry)


def find_setup(scene: bpy.types.Scene, armature: bpy.types.Object) -> int:
    """Return the number of the setup that animates an armature, or -1."""
    matches = (
        number for number, setup in enumerate(all_setups(scene)) if setup.armature == armature
    )
    return next(matches, -1)


def add_setup(scene: bpy.types.Scene, name: str = "") -> SSRHMR_Setup:
    """Append a setup with default settings and make it active.

    References to other setups of the scene become invalid.
    """
    characters = characters_of(scene)
    if not characters.entries:
        first = characters.entries.add()
        first.is_base = True
        armature = characters.base.armature
        first.name = armature.name if armature else "Character"
    taken = {entry.name for entry in characters.entries}
    entry = characters.entries.add()
    entry.name = _unused_name(name or "Character", taken)
    characters.active = len(characters.entries) - 1
    return entry.setup


def duplicate_setup(scene: bpy.types.Scene) -> SSRHMR_Setup:
    """Append a copy of the active setup and make it active."""
    values: dict[str, Any] = read_values(active_setup(scene))
    characters = characters_of(scene)
    name = characters.entries[characters.active].name if characters.entries else ""
    armature = values["armature"]
    copy = add_setup(scene, name or (armature.name if armature else ""))
    write_values(copy, values)
    return copy


def remove_setup(scene: bpy.types.Scene) -> None:
    """Remove the active setup from the list, or reset it if there is no list."""
    characters = characters_of(scene)
    entries = characters.entries
    number = min(characters.active, len(entries) - 1)
    if not entries or entries[number].is_base:
        characters.property_unset("base")
    if entries:
        entries.remove(number)
        characters.active = max(0, min(number, len(entries) - 1))


def release_deleted() -> list[str]:
    """Clear pointers to deleted objects, so that no setup keeps those in the file.

    Blender keeps an object that anything points to. An object counts as deleted if it is in no
    collection of the file at all; a character in another scene, or in a collection that is not
    shown, stays chosen.

    Returns:
        Names of the objects.
    """
    linked = {obj for collection in bpy.data.collections for obj in collection.objects}
    linked |= {obj for scene in bpy.data.scenes for obj in scene.collection.objects}
    released: list[str] = []
    for scene in bpy.data.scenes:
        if scene.library is not None:
            continue
        for setup in all_setups(scene):
            for group, name in pointers(setup):
                obj = getattr(group, name)
                if isinstance(obj, bpy.types.Object) and obj not in linked:
                    released.append(obj.name)
                    setattr(group, name, None)
    return released


def _unused_name(name: str, taken: set[str]) -> str:
    number = 2
    unused = name
    while unused in taken:
        unused, number = f"{name} {number}", number + 1
    return unused


def register() -> None:
    """Give scenes their list, and ``scene.ssrhmr``."""
    characters = bpy.props.PointerProperty(type=SSRHMR_Characters)
    add_scene_property("ssrhmr_characters", characters)
    add_scene_property("ssrhmr", property(active_setup, doc="The active character's setup"))


def unregister() -> None:
    """Remove both."""
    remove_scene_property("ssrhmr")
    remove_scene_property("ssrhmr_characters")


CLASSES = (SSRHMR_Character, SSRHMR_Characters)
