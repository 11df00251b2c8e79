# SPDX-License-Identifier: GPL-3.0-or-later
"""From one kind of rig onto another: a real clip, empties that follow its bones, and a bake.

The table is printed with ``pytest -s``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from ssrhmr_blender.animation.actions import ActionWriter
from ssrhmr_blender.baking.keys import write_bone_keys
from ssrhmr_blender.rig.bones import read_bones
from ssrhmr_blender.rig.posing import pose_bones
from ssrhmr_blender.rig.reading import read_character
from ssrhmr_core import Motion, Reconstructor, Skeleton, Take
from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS
from ssrhmr_core.formats import load_motion
from tests.blender.bake.test_bake import degrees_between, directions
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, with_t_pose
from tests.blender.rig.test_families import build
from tests.core.example_rigs import RIGS

KINDS = sorted(RIGS)
_FRAMES = 240
_TABLE: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print all rows together at the end."""
    _TABLE.clear()
    yield
    if _TABLE:
        print(f"\n{'from':36} {'onto':36} limbs  the core's own, degrees (means)")
        print("\n".join(_TABLE))


@pytest.fixture(scope="module")
def core_errors() -> dict[str, float]:
    """The core's own error of a performance, which is the same for all."""
    return {}


def perform(armature: bpy.types.Object, motion: Motion) -> None:
    """Key a motion on a rig as it is."""
    bones = tuple(slot.bone for slot in bpy.context.scene.ssrhmr.bones)
    character = read_character(armature, bones)
    writer = ActionWriter("Performance", armature)
    frames = np.arange(1, len(motion) + 1)
    worlds = np.broadcast_to(np.eye(4), (len(motion), 4, 4))
    for channels in pose_bones(motion, character, read_bones(armature, character), worlds):
        write_bone_keys(writer, channels, frames)
    writer.assign(armature)


def follow(armature: bpy.types.Object) -> dict[str, bpy.types.Object]:
    """Empties on the heads of the tracked bones of a rig, with axes of their own."""
    random = np.random.default_rng(3)
    made = {}
    for role, joint in zip(TRACKERS, TRACKER_JOINTS, strict=True):
        holder = bpy.data.objects.new(f"holder {role}", None)
        empty = bpy.data.objects.new(f"Tracker {role}", None)
        for obj in (holder, empty):
            bpy.context.scene.collection.objects.link(obj)
        constraint = holder.constraints.new("COPY_TRANSFORMS")
        constraint.target = armature
        constraint.subtarget = bpy.context.scene.ssrhmr.bones[joint].bone
        empty.parent, empty.rotation_mode = holder, "QUATERNION"
        empty.rotation_quaternion = Quaternion(random.standard_normal(4).tolist()).normalized()
        made[role] = empty
    return made


@pytest.mark.parametrize(("source", "target"), [*zip(KINDS, [*KINDS[9:], *KINDS[:9]], strict=True)])
def test_limbs_point_where_the_source_s_do(
    corpus: Path, core_errors: dict[str, float], source: str, target: str
) -> None:
    clip = load_motion(corpus / "cmu_mb/05/05_01.bvh.xz")
    motion = with_t_pose(clip.at(clip.times[0] + np.arange(_FRAMES) / 60.0))
    performer = build(*RIGS[source], motion.skeleton, source)
    setup = bpy.context.scene.ssrhmr
    setup.armature = performer
    bpy.ops.ssrhmr.detect_bones()
    perform(performer, motion)
    frames = np.arange(41, len(motion) + 1, 5)
    positions, _ = joint_worlds(performer, frames)
    truth = directions(positions)
    wanted = directions((motion.positions() @ TO_BLENDER.T)[frames - 1])
    assert np.nanmax(degrees_between(truth, wanted)) < 0.1

    other = Skeleton(motion.skeleton.offsets * 1.1, motion.skeleton.present)
    character = build(*RIGS[target], other, target)
    trackers = follow(performer)
    choose(character, trackers)
    setup.calibration_frame, setup.proportions = 20, "FIT"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.frame_start, setup.frame_end = 1, len(motion)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    positions, _ = joint_worlds(character, frames)
    off = float(np.nanmean(degrees_between(directions(positions), truth)))
    if "own" not in core_errors:
        own = Reconstructor(motion.skeleton).clip(Take.from_motion(motion))
        found = directions((own.positions() @ TO_BLENDER.T)[frames - 1])
        core_errors["own"] = float(degrees_between(found, wanted).mean())
    row = f"{source:36} {target:36} {off:5.2f}  {core_errors['own']:5.2f}"
    _TABLE.append(row)
    assert off < core_errors["own"] + 3.0, row
