# SPDX-License-Identifier: GPL-3.0-or-later
"""Several characters in one scene, each with its own setup.

``scene.ssrhmr`` is a plain Python property that returns the setup of the active entry of a list.
Nothing is copied when another entry is chosen, so undo, saving, linking and copies of scenes treat
the setups as they treat any other settings. A scene without a list has one setup, ``base``; the
first entry of a list stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .settings import SSRHMR_Setup
from .values import read_values, reset_invalid, write_values

_OLD, _NEW = "ssrhmr", "ssrhmr_characters"


class SSRHMR_Character(bpy.types.PropertyGroup):
    """An entry of the list of characters."""

    name: bpy.props.StringProperty(name="Name", description="What to call this setup")
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
    return scene.ssrhmr_characters


def setup_in(characters: SSRHMR_Characters, entry: SSRHMR_Character) -> SSRHMR_Setup:
    """Return the setup that an entry stands for."""
    return characters.base if entry.is_base else entry.setup


def active_setup(scene: bpy.types.Scene) -> SSRHMR_Setup:
    """Return the setup of the active entry."""
    characters = characters_of(scene)
    entries = characters.entries
    if not entries:
        return characters.base
    return setup_in(characters, entries[min(characters.active, len(entries) - 1)])


def all_setups(scene: bpy.types.Scene) -> Iterator[SSRHMR_Setup]:
    """Every setup of a scene, in the order of the list."""
    characters = characters_of(scene)
    if not characters.entries:
        yield characters.base
    for entry in characters.entries:
        yield setup_in(characters, entry)


def find(scene: bpy.types.Scene, armature: bpy.types.Object) -> int:
    """Return the number of the setup that animates an armature, or -1."""
    found = (number for number, setup in enumerate(all_setups(scene)) if setup.armature == armature)
    return next(found, -1)


def add(scene: bpy.types.Scene, name: str = "") -> SSRHMR_Setup:
    """Append a setup with default settings and make it active.

    References to other setups of the scene are not valid after it.
    """
    characters = characters_of(scene)
    if not characters.entries:
        first = characters.entries.add()
        first.is_base = True
        armature = characters.base.armature
        first.name = armature.name if armature else "Character"
    entry = characters.entries.add()
    taken = {other.name for other in characters.entries}
    entry.name = _free(name or "Character", taken)
    characters.active = len(characters.entries) - 1
    return entry.setup


def duplicate(scene: bpy.types.Scene) -> SSRHMR_Setup:
    """Append a copy of the active setup and make it active."""
    values: dict[str, Any] = read_values(active_setup(scene))
    characters = characters_of(scene)
    name = characters.entries[characters.active].name if characters.entries else ""
    armature = values["armature"]
    made = add(scene, name or (armature.name if armature else ""))
    write_values(made, values)
    return made


def remove(scene: bpy.types.Scene) -> None:
    """Take the active setup off the list, or reset it where there is no list."""
    characters = characters_of(scene)
    entries = characters.entries
    number = min(characters.active, len(entries) - 1)
    if not entries or entries[number].is_base:
        characters.property_unset("base")
    if entries:
        entries.remove(number)
        characters.active = max(0, min(number, len(entries) - 1))


def release_deleted() -> list[str]:
    """Let go of objects that were deleted, so that no setup keeps them in the file.

    Blender keeps an object that anything points to. An object is taken for deleted if it is in no
    collection of the file at all; a character in another scene, or in a collection that is not
    shown, stays chosen.

    Returns:
        Names of the objects.
    """
    held = {obj for collection in bpy.data.collections for obj in collection.objects}
    held |= {obj for scene in bpy.data.scenes for obj in scene.collection.objects}
    gone: list[str] = []
    for scene in bpy.data.scenes:
        if scene.library is not None:
            continue
        for setup in all_setups(scene):
            for prop in setup.bl_rna.properties:
                if prop.type != "POINTER" or prop.fixed_type.identifier != "Object":
                    continue
                obj = getattr(setup, prop.identifier)
                if obj is not None and obj not in held:
                    gone.append(obj.name)
                    setattr(setup, prop.identifier, None)
    return gone


@persistent
def _before_save(*_: object) -> None:
    release_deleted()


@persistent
def _after_load(*_: object) -> None:
    migrate_single_setup()
    reset_unknown_values()


def migrate_single_setup() -> None:
    """Move the one setup of files that know no list to where it belongs now."""
    for scene in bpy.data.scenes:
        # Since 5.0 what add-ons declare is kept apart from users' own properties.
        own = getattr(scene, "bl_system_properties_get", None)
        values: Any = own() if own else scene
        if values is None or _OLD not in values or scene.library is not None:
            continue
        if not characters_of(scene).entries:
            if _NEW not in values:
                values[_NEW] = {}
            values[_NEW].pop("base", None)
            values[_NEW]["base"] = values[_OLD]
        del values[_OLD]


def reset_unknown_values() -> None:
    """Set what another version saved, and this one does not know, to the default; say so."""
    for scene in bpy.data.scenes:
        if scene.library is not None:
            continue
        reset: list[str] = []
        for prop in scene.bl_rna.properties:
            if prop.identifier.startswith("ssrhmr_"):
                reset += reset_invalid(getattr(scene, prop.identifier))
        if reset:
            names = ", ".join(dict.fromkeys(reset))
            said = f"Set to the default, for another version of the add-on saved them: {names}"
            active_setup(scene).message = said


def _free(name: str, taken: set[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free


def register() -> None:
    """Give scenes their list, and ``scene.ssrhmr``."""
    bpy.types.Scene.ssrhmr_characters = bpy.props.PointerProperty(type=SSRHMR_Characters)
    bpy.types.Scene.ssrhmr = property(active_setup, doc="The active character's setup")
    bpy.app.handlers.save_pre.append(_before_save)
    bpy.app.handlers.load_post.append(_after_load)
    # While Blender starts, data cannot be reached yet; a file is loaded right after.
    if not isinstance(bpy.data, bpy.types.BlendData):
        return
    _after_load()


def unregister() -> None:
    """Take both back."""
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_pre.remove(_before_save)
    del bpy.types.Scene.ssrhmr
    del bpy.types.Scene.ssrhmr_characters


CLASSES = (SSRHMR_Character, SSRHMR_Characters)
