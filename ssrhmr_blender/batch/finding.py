# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding takes: actions that animate the trackers, and collections of trackers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import bpy

from ..animation.assignment import assignment_of, curves_in
from ..common.compat import object_slots
from ..common.data_blocks import DataBlockKey, key_of
from ..properties.tracker import ALL_TRACKERS, TRACKER_LABELS, TRACKERS

_NUMBER_TO_SHOW = 3
"""Number of trackers from which on a collection is listed as an incomplete take."""


@dataclass(frozen=True)
class ActionPart:
    """One object of a take.

    Attributes:
        owner: Key of the object.
        action: Key of the action that moves it in this take; None if none has to be assigned.
        slot: Identifier of the action's slot.
    """

    owner: DataBlockKey
    action: DataBlockKey | None = None
    slot: str = ""


@dataclass
class TakeCandidate:
    """A take that may be baked.

    Attributes:
        name: Name of the take.
        trackers: Keys of objects by role, or none where they are those of the setup.
        parts: Actions to assign, and the objects to assign them to.
        problem: Why it cannot be baked, empty if it can.
    """

    name: str
    trackers: dict[str, DataBlockKey] = field(default_factory=dict)
    parts: list[ActionPart] = field(default_factory=list)
    problem: str = ""


def find_in_actions(
    trackers: Mapping[str, bpy.types.Object], character: bpy.types.Object | None
) -> list[TakeCandidate]:
    """Group the file's actions into takes of the trackers.

    An action with a slot for each tracker is a take. Actions for one object each are grouped by
    their names without the tracker's. Trackers that follow something else, such as the bones of an
    imported performer, take its actions.

    Args:
        trackers: Objects by role.
        character: Character whose own actions are not takes.
    """
    chains = {
        role: [obj for obj in _followed(tracker) if obj != character]
        for role, tracker in trackers.items()
    }
    roles = {tracker: role for role, tracker in trackers.items()}
    movers = list(dict.fromkeys(obj for chain in chains.values() for obj in chain))
    takes: dict[str, dict[bpy.types.Object, ActionPart]] = {}
    for mover in movers:
        for name, part in _find_parts(mover, roles.get(mover), character, len(movers) == 1):
            takes.setdefault(name, {}).setdefault(mover, part)
    assigned = {mover: now for mover in movers if (now := _assigned_part(mover))}
    if assigned and not any(parts == assigned for parts in takes.values()):
        names = {part.action[0] for part in assigned.values() if part.action}
        label = names.pop() if len(names) == 1 else "Assigned Now"
        takes.setdefault(label, assigned)

    candidates = []
    for name, parts in sorted(takes.items()):
        missing = [
            TRACKER_LABELS[role]
            for role, chain in chains.items()
            if not any(mover in parts for mover in chain)
        ]
        problem = f"no action for {', '.join(missing)}: give its object one" if missing else ""
        candidates.append(TakeCandidate(name=name, parts=list(parts.values()), problem=problem))
    return candidates


def find_in_collections(scene: bpy.types.Scene, needed: Collection[str]) -> list[TakeCandidate]:
    """Return a take for each collection that holds objects with names of trackers.

    Args:
        scene: Scene of the collections.
        needed: Roles that a take must have, those that were calibrated.
    """
    from ssrhmr_core.tracking.roles import assign

    takes: dict[tuple[DataBlockKey, ...], TakeCandidate] = {}
    for collection in scene.collection.children_recursive:
        objects = {obj.name: obj for obj in collection.all_objects if obj.type != "ARMATURE"}
        sure, unsure = assign(objects)
        number = sum(role in sure for role in TRACKERS)
        if unsure or number < min(_NUMBER_TO_SHOW, len(needed)):
            continue
        missing = [TRACKER_LABELS[role] for role in needed if role not in sure]
        keys = {role: key_of(objects[sure[role]]) for role in ALL_TRACKERS if role in sure}
        problem = (
            f"no object named like {', '.join(missing)}: rename the one that follows it"
            if missing
            else ""
        )
        # A collection around another one holds the same ones: the inner one gives the name.
        takes[tuple(keys.values())] = TakeCandidate(
            name=collection.name, trackers=keys, problem=problem
        )
    return list(takes.values())


def _followed(tracker: bpy.types.Object) -> list[bpy.types.Object]:
    """Return the tracker and all that it follows, as far as actions animate it."""
    chain: list[bpy.types.Object] = []
    waiting = [tracker]
    while waiting:
        obj = waiting.pop(0)
        if obj in chain:
            continue
        chain.append(obj)
        targets = [
            getattr(constraint, "target", None)
            for constraint in obj.constraints
            if not constraint.mute
        ]
        waiting += [each for each in (obj.parent, *targets) if each is not None]
    animated = [obj for obj in chain if obj.animation_data and obj.animation_data.action]
    # A tracker that nothing animates now may have lost its action.
    return animated or [tracker]


def _assigned_part(mover: bpy.types.Object) -> ActionPart | None:
    assigned = assignment_of(mover)
    if assigned.action is None:
        return None
    return ActionPart(assigned.owner, assigned.action, assigned.slot)


def _find_parts(
    mover: bpy.types.Object, role: str | None, character: bpy.types.Object | None, alone: bool
) -> Iterator[tuple[str, ActionPart]]:
    """Yield the takes in which an object moves: their names, and what moves it.

    Args:
        mover: The object.
        role: Its tracker, None if it only carries trackers.
        character: Character whose own actions are not takes.
        alone: Whether no other object moves the trackers.
    """
    for action in bpy.data.actions:
        slots = object_slots(action)
        for slot, owner in slots:
            if character is not None and owner == character.name:
                continue
            name = action.name
            fits = owner == mover.name
            if len(slots) == 1:
                rest = _strip_owner(name, mover.name, role)
                fits = fits or rest is not None or _poses(action, slot, mover)
                name = name if alone or rest is None else rest
            if fits:
                yield name or "Take", ActionPart(key_of(mover), key_of(action), slot)


def _strip_owner(action: str, owner: str, role: str | None) -> str | None:
    """Return the rest of an action's name without its owner's; None if it does not name them."""
    from ssrhmr_core.tracking.roles import role_from_name, strip_role

    begin = action.lower().find(owner.lower())
    if begin >= 0:
        left, right = action[:begin], action[begin + len(owner) :]
        return f"{left.strip(' _-|.:')} {right.strip(' _-|:')}".strip()
    if role is not None and role_from_name(action) == role:
        return strip_role(action)
    return None


def _poses(action: bpy.types.Action, slot: str, mover: bpy.types.Object) -> bool:
    """Return whether an action animates bones, and the object has all of them."""
    if not mover.pose:
        return False
    paths = {curve.data_path for curve in curves_in(action, slot)}
    bones = [path.split('"')[1] for path in paths if path.startswith('pose.bones["')]
    return bool(bones) and all(bone in mover.pose.bones for bone in bones)
