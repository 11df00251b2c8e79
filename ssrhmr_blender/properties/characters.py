# SPDX-License-Identifier: GPL-3.0-or-later
"""Several characters in one scene, each with its own setup.

``scene.ssrhmr`` is a plain Python property that returns the setup of the active entry of a list.
Nothing is copied when another entry is chosen, so undo, saving, linking and copies of scenes treat
the setups like any other settings. A scene without a list has one setup, ``base``, which the first
entry of a list represents.

Characters share the scene's source of live trackers, unless one has a source of its own: that of
another performer. ``scene.ssrhmr_source`` returns the settings of the active character's source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import bpy

from ..common.typed import add_scene_property, remove_scene_property, scene_property
from .live import SSRHMR_Live
from .setup import SSRHMR_Setup
from .values import pointers, read_values, write_values

SHARED_SOURCE = 0
"""Number of the source that all characters without their own share."""


def _number_source(entry: SSRHMR_Character, _context: bpy.types.Context) -> None:
    """Give the entry's source a number that no other one of its scene has."""
    scene: Any = entry.id_data
    entries = characters_of(scene).entries
    others = {other.source_number for other in entries if other != entry}
    if entry.own_source and (not entry.source_number or entry.source_number in others):
        entry.source_number = max(others, default=SHARED_SOURCE) + 1


class SSRHMR_Character(bpy.types.PropertyGroup):
    """An entry of the list of characters."""

    name: bpy.props.StringProperty(name="Name", description="Name of this setup")
    is_base: bpy.props.BoolProperty(name="Base", options={"HIDDEN"})
    setup: bpy.props.PointerProperty(type=SSRHMR_Setup, name="Setup")
    own_source: bpy.props.BoolProperty(
        name="Own Performer",
        description="This character has a performer of its own, with another protocol, port or"
        " sender, captured side by side with that of the other characters",
        update=_number_source,
    )
    source_number: bpy.props.IntProperty(name="Number of the Source", options={"HIDDEN"})
    live: bpy.props.PointerProperty(type=SSRHMR_Live, name="Own Performer")


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


def active_entry(scene: bpy.types.Scene) -> SSRHMR_Character | None:
    """Return the active entry, None if there is no list."""
    characters = characters_of(scene)
    entries = characters.entries
    return entries[min(characters.active, len(entries) - 1)] if entries else None


def active_setup(scene: bpy.types.Scene) -> SSRHMR_Setup:
    """Return the setup of the active entry."""
    characters, entry = characters_of(scene), active_entry(scene)
    return setup_in(characters, entry) if entry else characters.base


def active_source_number(scene: bpy.types.Scene) -> int:
    """Return the number of the active entry's source."""
    entry = active_entry(scene)
    return entry.source_number if entry and entry.own_source else SHARED_SOURCE


def active_source(scene: bpy.types.Scene) -> SSRHMR_Live:
    """Return the settings of the active entry's source."""
    shared: SSRHMR_Live = scene_property(scene, "ssrhmr_live")
    return find_source(scene, active_source_number(scene)) or shared


def find_source(scene: bpy.types.Scene, number: int) -> SSRHMR_Live | None:
    """Return the settings of a source, None if no character has it any more."""
    if number == SHARED_SOURCE:
        shared: SSRHMR_Live = scene_property(scene, "ssrhmr_live")
        return shared
    entry = _entry_with_source(scene, number)
    return entry.live if entry else None


def find_setup_of_source(
    scene: bpy.types.Scene, number: int, is_shown: Callable[[SSRHMR_Setup], bool]
) -> SSRHMR_Setup | None:
    """Return the setup that a source animates: the active one if it shares the source.

    Args:
        scene: The scene.
        number: The number of the source.
        is_shown: Returns whether the source's performance is shown on a setup's character; tells
            those apart that share it.
    """
    if number != SHARED_SOURCE:
        entry = _entry_with_source(scene, number)
        return setup_in(characters_of(scene), entry) if entry else None
    if active_source_number(scene) == SHARED_SOURCE:
        return active_setup(scene)
    characters = characters_of(scene)
    sharing = (setup_in(characters, e) for e in characters.entries if not e.own_source)
    return next((setup for setup in sharing if is_shown(setup)), None)


def activate(scene: bpy.types.Scene, setup: SSRHMR_Setup) -> None:
    """Make a setup of the scene the active one."""
    characters_of(scene).active = list(all_setups(scene)).index(setup)


def _entry_with_source(scene: bpy.types.Scene, number: int) -> SSRHMR_Character | None:
    entries = characters_of(scene).entries
    return next((e for e in entries if e.own_source and e.source_number == number), None)


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
    """Give scenes their list, ``scene.ssrhmr`` and ``scene.ssrhmr_source``."""
    characters = bpy.props.PointerProperty(type=SSRHMR_Characters)
    add_scene_property("ssrhmr_characters", characters)
    add_scene_property("ssrhmr", property(active_setup, doc="The active character's setup"))
    source = property(active_source, doc="Live trackers of the active character's performer")
    add_scene_property("ssrhmr_source", source)


def unregister() -> None:
    """Remove them."""
    remove_scene_property("ssrhmr_source")
    remove_scene_property("ssrhmr")
    remove_scene_property("ssrhmr_characters")


CLASSES = (SSRHMR_Character, SSRHMR_Characters)
