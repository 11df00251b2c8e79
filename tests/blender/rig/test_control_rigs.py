# SPDX-License-Identifier: GPL-3.0-or-later
"""Control rigs by described schemes: what is baked are their controls, FK and IK."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_blender.rig import control_schemes
from ssrhmr_blender.rig.controls import find_controls, recognize
from ssrhmr_core import Motion, Skeleton, Take
from ssrhmr_core.body.skeleton import JOINTS
from tests.blender.bake.test_bake import core_result, skeleton_of_setup
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, make_trackers
from tests.blender.rig.conftest import calibrate
from tests.blender.rig.control_rig import AUTO_RIG_PRO, CLOUDRIG, Names, make_control_rig
from tests.blender.skins import add_boxes

BUNDLED = Path(control_schemes.__file__).with_name(control_schemes.FOLDER)
FAMILIES = {"CloudRig": CLOUDRIG, "Auto-Rig Pro": AUTO_RIG_PRO}


def calibrated(skeleton: Skeleton, names: Names, performance: Motion) -> bpy.types.Object:
    """Return a control rig that is calibrated for a performer."""
    armature = make_control_rig(skeleton, names)
    calibrate(armature, performance)
    return armature


def deform_bones(names: Names) -> dict[str, str]:
    """Return the bone that deforms each part, by joint."""
    bones = {}
    for joint in JOINTS:
        side, _, part = joint.partition("_")
        name = names.deform.get(part if side in ("left", "right") else joint)
        if name:
            bones[joint] = name.replace("$", names.marks[side == "right"])
    return bones


def misses(armature: bpy.types.Object, names: Names) -> dict[str, float]:
    """Return by how many millimetres the deforming bones miss the core's joints, by joint."""
    setup = bpy.context.scene.ssrhmr
    roles = ("pelvis", "head", "left_hand", "right_hand", "left_foot", "right_foot")
    trackers = {role: getattr(setup, role) for role in roles}
    frames = np.arange(1, setup.frame_end + 1)
    motion = core_result(skeleton_of_setup(), trackers, frames)
    shown = frames[::13]
    chosen = [slot.bone for slot in setup.bones]
    deform = deform_bones(names)
    for joint, slot in zip(JOINTS, setup.bones, strict=True):
        slot["bone"] = deform.get(joint, slot.bone)  # without forgetting the calibration
    positions, _ = joint_worlds(armature, shown)
    for slot, bone in zip(setup.bones, chosen, strict=True):
        slot["bone"] = bone
    away = np.linalg.norm(positions - (motion.positions() @ TO_BLENDER.T)[shown - 1], axis=-1)
    greatest = 1000.0 * np.nan_to_num(away).max(0)
    return {joint: float(greatest[JOINTS.index(joint)]) for joint in deform}


def keyed_bones(armature: bpy.types.Object) -> set[str]:
    """Return the bones that an action keys."""
    return {curve.data_path.split('"')[1] for curve in curves_of(armature)}


def switch_to_ik(armature: bpy.types.Object, names: Names) -> None:
    """Switch all limbs to IK in the action."""
    properties = tuple(f'["{name.replace("@", s)}"]' for _, name in names.switch for s in SIDES)
    switches = [curve for curve in curves_of(armature) if curve.data_path.endswith(properties)]
    assert len(switches) == 4
    for curve in switches:
        curve.keyframe_points[0].co.y = 1.0 - names.fk_value


SIDES = ("left", "right")


@pytest.mark.parametrize("family", FAMILIES)
def test_controls_are_keyed_and_the_body_follows(
    family: str, skeleton: Skeleton, performance: Motion
) -> None:
    names = FAMILIES[family]
    armature = calibrated(skeleton, names, performance)
    setup = bpy.context.scene.ssrhmr
    assert [scheme.name for scheme in recognize(armature)] == [family]
    before = misses(armature, names)
    assert max(before.values()) > 100.0  # it shows its rest pose
    bones = {bone: armature.data.bones[bone].head_local for bone in deform_bones(names).values()}
    add_boxes(armature, bones, 0.03)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    controls = {name.replace("$", mark) for name in names.fk.values() for mark in names.marks}
    assert controls <= keyed_bones(armature)
    assert not keyed_bones(armature) & {*deform_bones(names).values()}
    after = misses(armature, names)
    print(f"\n{family} FK: {max(after.values()):.4f} mm")
    assert max(after.values()) < 1.0, after
    assert not {"follow", "stays", "stretched"} & {*setup.notes.split()}, setup.notes
    # A second bake goes over the first one's keys and switches.
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert max(misses(armature, names).values()) < 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_the_pose_stays_when_limbs_are_switched_to_ik(
    family: str, skeleton: Skeleton, performance: Motion
) -> None:
    names = FAMILIES[family]
    armature = calibrated(skeleton, names, performance)
    setup = bpy.context.scene.ssrhmr
    setup.ik_controls = True
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert max(misses(armature, names).values()) < 1.0
    switch_to_ik(armature, names)
    after = misses(armature, names)
    print(f"\n{family} IK: {max(after.values()):.4f} mm")
    assert max(after.values()) < 1.0, after


def test_spaces_that_a_scheme_leaves_out_are_measured(
    schemes_folder: Path, skeleton: Skeleton, performance: Motion
) -> None:
    """Helper bones follow others, which the user's scheme does not say."""
    scheme = json.loads((BUNDLED / "cloudrig.json").read_text(encoding="utf-8"))
    scheme["name"], scheme["spaces"] = "Mine", {}
    (schemes_folder / "mine.json").write_text(json.dumps(scheme), encoding="utf-8")
    armature = calibrated(skeleton, CLOUDRIG, performance)
    setup = bpy.context.scene.ssrhmr
    controls = find_controls(armature, tuple(slot.bone for slot in setup.bones))
    assert controls is not None and controls.family == "Mine" and not controls.parents
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    after = misses(armature, CLOUDRIG)
    print(f"\nwithout spaces: {max(after.values()):.4f} mm")
    assert max(after.values()) < 1.0, after
    assert "follow" not in setup.notes


def test_a_missing_control_is_reported(skeleton: Skeleton, performance: Motion) -> None:
    armature = make_control_rig(skeleton, AUTO_RIG_PRO)
    armature.data.bones["c_forearm_fk.r"].name = "elbow control.r"
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    expected = (
        "this looks like a control rig of Auto-Rig Pro, but it has no control 'c_forearm_fk.r'"
    )
    assert expected in setup.obstacles
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, 5
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert expected in setup.notes


def test_a_scheme_with_spaces_in_a_circle_is_passed_over(
    schemes_folder: Path, skeleton: Skeleton, performance: Motion
) -> None:
    scheme = json.loads((BUNDLED / "cloudrig.json").read_text(encoding="utf-8"))
    scheme["spaces"] = {"FK-Spine": "FK-Head"}
    (schemes_folder / "circle.json").write_text(json.dumps(scheme), encoding="utf-8")
    armature = make_control_rig(skeleton, CLOUDRIG)
    choose(armature, make_trackers(Take.from_motion(performance)))
    # The scheme that comes with the add-on still fits.
    controls = find_controls(armature, tuple(s.bone for s in bpy.context.scene.ssrhmr.bones))
    assert controls is not None and controls.parents["FK-Shoulder.L"] == "FK-Chest"
