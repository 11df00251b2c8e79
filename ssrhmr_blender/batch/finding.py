# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding takes: actions that animate the trackers, and collections of six trackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import bpy

from ..animation.assignment import assignment_of, curves_in, slots_of
from ..properties.tracker import TRACKER_LABELS, TRACKERS
from ..trackers.sampling import Key, key_of

_NUMBER_TO_SHOW = 3
"""Trackers that a collection must hold to be shown as an incomplete take."""


@dataclass(frozen=True)
class ActionPart:
    """One object of a take.

    Attributes:
        owner: the object.
        action: that moves it in this take; None if nothing has to be assigned.
        slot: identifier of the action's slot.
    """

    owner: Key
    action: Key | None = None
    slot: str = ""


@dataclass
class FoundTake:
    """A take.

    Attributes:
        name: of the take.
        trackers: six objects, or none where they are those of the setup.
        parts: what is assigned to what for it.
        problem: why it cannot be baked, empty if it can.
    """

    name: str
    trackers: list[Key] = field(default_factory=list)
    parts: list[ActionPart] = field(default_factory=list)
    problem: str = ""


def find_in_actions(
    trackers: Sequence[bpy.types.Object], character: bpy.types.Object | None
) -> list[FoundTake]:
    """Group the file's actions into takes of the trackers.

    An action with a slot for each tracker is a take. Actions for one object each are put together
    by what is left of their names without the tracker's. Trackers that follow something else, such
    as the bones of an imported performer, take its actions.

    Args:
        trackers: six objects in the order of the trackers.
        character: whose own actions are no takes.
    """
    chains = [[obj for obj in _chain(tracker) if obj != character] for tracker in trackers]
    roles = dict(zip(trackers, TRACKERS, strict=True))
    movers = list(dict.fromkeys(obj for chain in chains for obj in chain))
    takes: dict[str, dict[bpy.types.Object, ActionPart]] = {}
    for mover in movers:
        for name, part in _candidates(mover, roles.get(mover), character, len(movers) == 1):
            takes.setdefault(name, {}).setdefault(mover, part)
    now = {mover: at for mover in movers if (at := _current(mover))}
    if now and not any(parts == now for parts in takes.values()):
        names = {part.action[0] for part in now.values() if part.action}
        label = names.pop() if len(names) == 1 else "Assigned Now"
        takes.setdefault(label, now)

    found = []
    for name, parts in sorted(takes.items()):
        missing = [
            TRACKER_LABELS[roles[tracker]]
            for tracker, chain in zip(trackers, chains, strict=True)
            if not any(mover in parts for mover in chain)
        ]
        problem = f"no action for {', '.join(missing)}: give its object one" if missing else ""
        found.append(FoundTake(name, [], list(parts.values()), problem))
    return found


def find_in_collections(scene: bpy.types.Scene) -> list[FoundTake]:
    """Return a take for each collection that holds six objects with names of trackers."""
    from ssrhmr_core.tracking.roles import assign

    found: dict[tuple[Key, ...], FoundTake] = {}
    for collection in scene.collection.children_recursive:
        objects = {obj.name: obj for obj in collection.all_objects if obj.type != "ARMATURE"}
        sure, unsure = assign(objects)
        if unsure or len(sure) < _NUMBER_TO_SHOW:
            continue
        missing = [TRACKER_LABELS[role] for role in TRACKERS if role not in sure]
        keys = [key_of(objects[sure[role]]) for role in TRACKERS if role in sure]
        problem = (
            f"no object named like {', '.join(missing)}: rename the one that follows it"
            if missing
            else ""
        )
        # A collection around another one holds the same six: the inner one gives the name.
        found[tuple(keys)] = FoundTake(collection.name, keys, [], problem)
    return list(found.values())


def _chain(tracker: bpy.types.Object) -> list[bpy.types.Object]:
    """The tracker and all that it follows, as far as it can be animated by actions."""
    found: list[bpy.types.Object] = []
    waiting = [tracker]
    while waiting:
        obj = waiting.pop(0)
        if obj is None or obj in found:
            continue
        found.append(obj)
        waiting.append(obj.parent)
        waiting += [
            constraint.target
            for constraint in obj.constraints
            if not constraint.mute and getattr(constraint, "target", None)
        ]
    moved = [obj for obj in found if obj.animation_data and obj.animation_data.action]
    # A tracker that nothing moves now may have been freed of its action.
    return moved or [tracker]


def _current(mover: bpy.types.Object) -> ActionPart | None:
    now = assignment_of(mover)
    return ActionPart(now.owner, now.action, now.slot) if now.action else None


def _candidates(
    mover: bpy.types.Object, role: str | None, character: bpy.types.Object | None, alone: bool
) -> list[tuple[str, ActionPart]]:
    """Names of takes, and what moves ``mover`` in them."""
    found = []
    for action in bpy.data.actions:
        slots = slots_of(action)
        for slot, called in slots:
            if character is not None and called == character.name:
                continue
            rest = _rest(action.name, mover.name, role)
            if len(slots) > 1:
                fits = called == mover.name
                name = action.name
            else:
                by_slot = called == mover.name
                fits = rest is not None or by_slot or _poses(action, slot, mover)
                name = action.name if alone or rest is None else rest
            if fits:
                key = (action.name, action.library.filepath if action.library else None)
                found.append((name or "Take", ActionPart(key_of(mover), key, slot)))
    return found


def _rest(action: str, owner: str, role: str | None) -> str | None:
    """What an action's name says besides whose it is; None if it does not say that."""
    from ssrhmr_core.tracking.roles import role_from_name, strip_role

    place = action.lower().find(owner.lower())
    if place >= 0:
        left, right = action[:place], action[place + len(owner) :]
        return f"{left.strip(' _-|.:')} {right.strip(' _-|:')}".strip()
    if role is not None and role_from_name(action) == role:
        return strip_role(action)
    return None


def _poses(action: bpy.types.Action, slot: str, mover: bpy.types.Object) -> bool:
    """Whether an action is about the bones that an armature has."""
    if not mover.pose:
        return False
    paths = {curve.data_path for curve in curves_in(action, slot)}
    bones = [path.split('"')[1] for path in paths if path.startswith('pose.bones["')]
    return bool(bones) and all(bone in mover.pose.bones for bone in bones)
