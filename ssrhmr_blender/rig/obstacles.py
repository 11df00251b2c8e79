# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps bones from following their keys, said before anything is keyed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import curves_of
from ..common.typed import armature_of, pose_of
from .controls import find_controls, find_problems

if TYPE_CHECKING:
    from ..properties.setup import SSRHMR_Setup

_DRIVEN = re.compile(r'pose\.bones\["(.+)"\]\.(?:location|rotation_\w+)$')

_SCALED = 1e-3
CONSTRAINED = "constraints act on"
"""How the sentence about constraints begins, which a bake that is right makes void."""


def find_obstacles(armature: bpy.types.Object, bones: Iterable[str], root: str) -> list[str]:
    """Look for constraints, limits, drivers, locks and NLA, and whether poses are shown at all.

    Args:
        armature: Armature object.
        bones: Names of the bones that would be keyed.
        root: The one among them that would be moved too.

    Returns:
        A sentence for each kind of obstacle.
    """
    pose = pose_of(armature).bones
    poses = [pose[name] for name in bones if name in pose]
    limited, constrained, locked = _find_held(poses, root)
    driven = find_driven(armature)
    driven_names = [pose.name for pose in poses if pose.name in driven]
    scaled = _find_scaled(armature, poses)
    data = armature.animation_data
    obstacles = []
    if armature_of(armature).pose_position == "REST":
        obstacles.append(
            f"'{armature.name}' shows its rest position: switch to Pose Position (armature"
            " properties) to see it move"
        )
    if constrained:
        obstacles.append(
            f"{CONSTRAINED} {list_some(constrained)}: mute them if they do not follow the keys"
        )
    if limited:
        obstacles.append(
            f"limits hold {list_some(limited)} back: mute these constraints for the full range"
        )
    if driven_names:
        obstacles.append(
            f"drivers move {list_some(driven_names)}: their keys have no effect until the drivers"
            " are removed"
        )
    if scaled:
        obstacles.append(
            f"{list_some(scaled)} {'are' if scaled[1:] else 'is'} scaled in the pose or by keys:"
            " the bake keys scale 1, so scale the armature object instead"
        )
    if locked:
        obstacles.append(
            f"locked channels of {list_some(locked)} are keyed all the same: unlock them to edit"
            " them"
        )
    solo = next((track.name for track in data.nla_tracks if track.is_solo), None) if data else None
    if solo is not None:
        obstacles.append(
            f"NLA track '{solo}' is soloed, so nothing else moves the character: click its star to"
            " see the new action"
        )
    elif data and any(not track.mute for track in data.nla_tracks):
        obstacles.append("NLA tracks are combined with the new action: mute them to see it alone")
    return obstacles


def _find_held(
    poses: Iterable[bpy.types.PoseBone], root: str
) -> tuple[list[str], list[str], list[str]]:
    """Return the names of bones with limits, with other constraints, and with locked channels."""
    limited, constrained, locked = [], [], []
    for pose in poses:
        active = [c for c in pose.constraints if _is_active(c)]
        limits = [c for c in active if c.type.startswith("LIMIT_")]
        if limits:
            limited.append(pose.name)
        if len(active) > len(limits):
            constrained.append(pose.name)
        if any(pose.lock_rotation) or (pose.name == root and any(pose.lock_location)):
            locked.append(pose.name)
    return limited, constrained, locked


def _find_scaled(armature: bpy.types.Object, poses: Iterable[bpy.types.PoseBone]) -> list[str]:
    """Return the names of bones that their pose or the keys of their action scale."""
    paths = {
        curve.data_path
        for curve in curves_of(armature)
        if curve.data_path.endswith(".scale")
        and any(abs(key.co[1] - 1.0) > _SCALED for key in curve.keyframe_points)
    }
    return [
        pose.name
        for pose in poses
        if any(abs(value - 1.0) > _SCALED for value in pose.scale[:])
        or f"{pose.path_from_id()}.scale" in paths
    ]


def active_constraints(
    armature: bpy.types.Object, bones: Iterable[str]
) -> list[tuple[bpy.types.PoseBone, bpy.types.Constraint]]:
    """Return the constraints that act on bones now, each with its bone."""
    pose = pose_of(armature).bones
    poses = [pose[name] for name in bones if name in pose]
    return [(each, c) for each in poses for c in each.constraints if _is_active(c)]


def keyed_bones(setup: SSRHMR_Setup, armature: bpy.types.Object) -> list[str]:
    """Return the names of the bones that a bake would key for joints, the moved one first."""
    bones = [slot.bone for slot in setup.bones]
    controls = find_controls(armature, tuple(bones))
    return list(controls.keyed) if controls else [bone for bone in bones if bone]


def store_obstacles(setup: SSRHMR_Setup, armature: bpy.types.Object) -> None:
    """Store what the panels say about the bones that would be keyed."""
    bones = keyed_bones(setup, armature)
    problems = find_problems(armature, tuple(slot.bone for slot in setup.bones)) if bones else []
    obstacles = find_obstacles(armature, bones, bones[0]) if bones else []
    setup.obstacles = "\n".join([*problems, *obstacles])
    setup.has_constraints = bool(active_constraints(armature, bones))


def _is_active(constraint: bpy.types.Constraint) -> bool:
    return not constraint.mute and constraint.influence > 0.0


def find_driven(armature: bpy.types.Object) -> set[str]:
    """Return the names of bones whose location or rotation has a driver."""
    data = armature.animation_data
    paths = [_DRIVEN.match(curve.data_path) for curve in data.drivers] if data else []
    return {match[1] for match in paths if match}


def is_shown_moving(armature: bpy.types.Object) -> bool:
    """Return whether the character shows its action: not its rest pose, nor a soloed NLA track."""
    data = armature.animation_data
    soloed = data is not None and any(track.is_solo for track in data.nla_tracks)
    return armature_of(armature).pose_position == "POSE" and not soloed


def list_some(names: list[str]) -> str:
    """Return the first names in quotes, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"'{name}'" for name in names[:3]) + more
