# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps bones from following their keys, said before anything is keyed."""

from __future__ import annotations

import re
from collections.abc import Iterable

import bpy

_DRIVEN = re.compile(r'pose\.bones\["(.+)"\]\.(?:location|rotation_\w+)$')


def obstacles(armature: bpy.types.Object, bones: Iterable[str], root: str) -> list[str]:
    """Look for constraints, limits, drivers, locks and NLA, and whether poses are shown at all.

    Args:
        armature: an armature object.
        bones: names of the bones that would be keyed.
        root: the one among them that would be moved too.

    Returns:
        A sentence for each kind that was found.
    """
    poses = [armature.pose.bones[name] for name in bones if name in armature.pose.bones]
    limited, held, locked = [], [], []
    for pose in poses:
        active = [c for c in pose.constraints if not c.mute and c.influence > 0.0]
        limits = [c for c in active if c.type.startswith("LIMIT_")]
        if limits:
            limited.append(pose.name)
        if len(active) > len(limits):
            held.append(pose.name)
        moved = pose.name == root and any(pose.lock_location)
        if any(pose.lock_rotation) or moved:
            locked.append(pose.name)
    data = armature.animation_data
    paths = [_DRIVEN.match(curve.data_path) for curve in data.drivers] if data else []
    driven = {match[1] for match in paths if match}
    found = []
    if armature.data.pose_position == "REST":
        found.append(
            f"'{armature.name}' shows its rest position: switch to Pose Position (armature"
            " properties) to see it move"
        )
    if held:
        found.append(f"constraints act on {_some(held)}: mute them if they do not follow the keys")
    if limited:
        found.append(
            f"limits hold {_some(limited)} back: mute these constraints for the full range"
        )
    if driven := [pose.name for pose in poses if pose.name in driven]:
        found.append(
            f"drivers move {_some(driven)}: their keys have no effect until the drivers are removed"
        )
    if locked:
        found.append(
            f"locked channels of {_some(locked)} are keyed all the same: unlock them to edit them"
        )
    if data and any(not track.mute for track in data.nla_tracks):
        found.append("NLA tracks are combined with the new action: mute them to see it alone")
    return found


def _some(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:3]) + f" and {len(names) - 3} more" * (
        len(names) > 3
    )
