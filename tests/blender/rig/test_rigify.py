# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig that Blender's own Rigify generates: what is baked are its controls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import ActionWriter, curves_of
from ssrhmr_blender.rig.preview import Preview
from ssrhmr_blender.rig.reading import read_character
from ssrhmr_core import Motion
from tests.blender.bake.test_bake import core_result, degrees_between, skeleton_of_setup
from tests.blender.conftest import TO_BLENDER, enable, joint_worlds, snapshot
from tests.blender.rig.conftest import calibrate


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a generated human: generating takes half a minute, so once for all tests."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    enable("rigify")
    bpy.ops.object.armature_human_metarig_add()
    assert bpy.ops.pose.rigify_generate() == {"FINISHED"}
    path = tmp_path_factory.mktemp("rigify") / "rig.blend"
    bpy.data.libraries.write(str(path), {bpy.data.objects["rig"]})
    return path


@pytest.fixture
def rig(generated: Path, performance: Motion) -> Iterator[bpy.types.Object]:
    """The generated rig, calibrated for a performer."""
    with bpy.data.libraries.load(str(generated)) as (source, target):
        target.objects = [name for name in source.objects if name == "rig"]
    armature = target.objects[0]
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    calibrate(armature, performance)
    yield armature


def expected() -> Motion:
    setup = bpy.context.scene.ssrhmr
    roles = ("pelvis", "head", "left_hand", "right_hand", "left_foot", "right_foot")
    trackers = {role: getattr(setup, role) for role in roles}
    return core_result(skeleton_of_setup(), trackers, np.arange(1, setup.frame_end + 1))


def misses(
    armature: bpy.types.Object, motion: Motion, frames: np.ndarray, but: tuple[str, ...] = ()
) -> tuple[float, float]:
    """Greatest distance in mm and angle in degrees of a rig from the core's joints.

    Distances are those of deform bones, angles those of the bones that they follow: Rigify takes
    twist out of deform bones near shoulders and hips by itself. In the middle of the spine nothing
    else points along it, so there only the direction of the deform bone counts.
    """
    slots = bpy.context.scene.ssrhmr.bones
    deform = [slot.bone for slot in slots]
    character = read_character(armature, tuple(deform))
    positions, _ = joint_worlds(armature, frames)
    away = np.linalg.norm(positions - (motion.positions() @ TO_BLENDER.T)[frames - 1], axis=-1)
    middle = [deform.index(f"DEF-spine.00{number}") for number in (1, 2)]
    turning = [n if j in middle else n.replace("DEF-", "ORG-") for j, n in enumerate(deform)]
    for slot, name in zip(slots, turning, strict=True):
        slot["bone"] = name  # without forgetting the calibration
    _, rotations = joint_worlds(armature, frames)
    for slot, name in zip(slots, deform, strict=True):
        slot["bone"] = name
    since = TO_BLENDER @ character.rest.from_canonical(motion.matrices()[frames - 1].astype(float))
    rest = [armature.data.bones[name].matrix_local.to_3x3() for name in turning]
    wanted = since @ TO_BLENDER.T @ np.array(rest)
    cosine = 0.5 * (np.einsum("fjab,fjab->fj", rotations, wanted) - 1.0)
    off = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).max(0)
    off[middle] = degrees_between(rotations[..., 1], wanted[..., 1]).max(0)[middle]
    counted = [not name.startswith(but or "-") for name in turning]
    return 1000.0 * float(away.max()), float(off[counted].max())


def test_deform_bones_end_where_the_core_says(rig: bpy.types.Object) -> None:
    setup = bpy.context.scene.ssrhmr
    assert setup.family == "Rigify deform bones" and all(slot.bone for slot in setup.bones)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert setup.obstacles == ""
    keyed = {curve.data_path.split('"')[1] for curve in curves_of(rig)}
    assert {"torso", "spine_fk.003", "upper_arm_fk.L", "foot_fk.R", "shoulder.L"} <= keyed
    assert not any(name.startswith(("DEF-", "ORG-", "MCH-")) for name in keyed)
    away, off = misses(rig, expected(), np.arange(1, setup.frame_end + 1, 13))
    print(f"\nRigify FK: {away:.4f} mm, {off:.4f} degrees from the core")
    assert away < 1.0 and off < 0.5
    # A second bake goes over the first one's switches.
    first = rig.animation_data.action
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert rig.animation_data.action != first
    away, off = misses(rig, expected(), np.array([90]))
    assert away < 1.0 and off < 0.5


def test_a_rig_that_was_posed_before(rig: bpy.types.Object) -> None:
    """Controls that stood elsewhere, other switches, and a root with keys that goes on moving."""
    setup, bones = bpy.context.scene.ssrhmr, rig.pose.bones
    for name in ("torso", "chest", "hips", "neck", "head", "spine_fk.002", "upper_arm_fk.L"):
        bones[name].rotation_mode = "XYZ"
        bones[name].rotation_euler, bones[name].location = (0.3, 0.2, -0.4), (0.05, 0.1, -0.02)
    bones["torso"]["head_follow"], bones["torso"]["neck_follow"] = 0.0, 0.0
    for frame, place in ((1, 0.0), (60, 0.5)):
        bones["root"].location, bones["root"].rotation_euler = (place, 0.0, 0.1), (0.0, place, 0.2)
        bones["root"].keyframe_insert("location", frame=frame)
        bones["root"].keyframe_insert("rotation_euler", frame=frame)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    away, off = misses(rig, expected(), np.arange(1, setup.frame_end + 1, 13))
    assert away < 1.0 and off < 0.5
    bpy.context.scene.frame_set(60)
    assert bones["root"].location.x == pytest.approx(0.5)


def test_detection_is_quick(rig: bpy.types.Object) -> None:
    """A generated rig has hundreds of bones, which take 30 ms; ten times that is a mistake."""
    # Of the processor: others may use it too.
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        assert bpy.ops.ssrhmr.detect_bones() == {"FINISHED"}
        seconds.append(time.process_time() - begin)
    print(f"\n{len(rig.data.bones)} bones detected in {1000.0 * min(seconds):.0f} ms")
    assert min(seconds) < 0.4 * len(rig.data.bones) / 700.0


def test_switches_are_keyed_only_if_wanted(rig: bpy.types.Object) -> None:
    setup = bpy.context.scene.ssrhmr
    setup.key_switches, setup.frame_end = False, 60
    arm = rig.pose.bones["upper_arm_parent.L"]
    assert arm["IK_FK"] == 0.0
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert arm["IK_FK"] == 1.0
    assert not any("IK_FK" in curve.data_path for curve in curves_of(rig))
    away, off = misses(rig, expected(), np.array([60]))
    assert away < 1.0 and off < 0.5


@pytest.mark.parametrize("ik_controls", [False, True])
@pytest.mark.parametrize("key_switches", [False, True])
def test_a_bake_that_breaks_puts_switches_back(
    rig: bpy.types.Object, monkeypatch: pytest.MonkeyPatch, key_switches: bool, ik_controls: bool
) -> None:
    def switches() -> dict[tuple[str, str], object]:
        known = ("IK_FK", "IK_parent", "pole_parent", "pole_vector", "neck_follow", "head_follow")
        return {
            (b.name, name): b[name]
            for b in rig.pose.bones
            for name in known
            if b.get(name) is not None
        }

    def broken(*_: object) -> None:
        assert key_switches or switches() != values
        raise ValueError("broken")

    setup = bpy.context.scene.ssrhmr
    setup.key_switches, setup.ik_controls, setup.frame_end = key_switches, ik_controls, 5
    before, values = snapshot(), switches()
    monkeypatch.setattr(ActionWriter, "assign", broken)
    with pytest.raises(RuntimeError, match="broken"):
        bpy.ops.ssrhmr.bake()
    assert snapshot() == before and switches() == values
    monkeypatch.undo()
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}


def test_the_pose_stays_when_switched_to_ik(rig: bpy.types.Object) -> None:
    setup = bpy.context.scene.ssrhmr
    setup.ik_controls = True
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    frames, motion = np.arange(1, setup.frame_end + 1, 13), expected()
    fk = misses(rig, motion, frames)
    switches = [curve for curve in curves_of(rig) if "IK_FK" in curve.data_path]
    assert len(switches) == 4
    for curve in switches:
        curve.keyframe_points[0].co.y = 0.0
    # Blender's IK bends limbs like hinges, so that upper arms and thighs turn about themselves.
    hinged = tuple(f"ORG-{part}" for part in ("upper_arm", "forearm", "thigh", "shin"))
    ik = misses(rig, motion, frames, hinged)
    print(f"\nRigify FK: {fk[0]:.4f} mm, {fk[1]:.4f} degrees; IK: {ik[0]:.4f} mm, {ik[1]:.4f}")
    assert fk[0] < 1.0 and fk[1] < 0.5
    assert ik[0] < 1.0 and ik[1] < 0.5


def test_live_shows_what_a_bake_keys_and_puts_all_back(rig: bpy.types.Object) -> None:
    setup = bpy.context.scene.ssrhmr
    motion = expected()
    before = snapshot()
    character = read_character(rig, tuple(slot.bone for slot in setup.bones))
    preview = Preview(rig, character)
    preview.show(motion.rotations[99], motion.root[99])
    bpy.context.view_layer.update()
    deform = ("DEF-hand.L", "DEF-foot.R", "DEF-spine.006", "DEF-spine")
    shown = {bone: np.array(rig.pose.bones[bone].matrix) for bone in deform}
    preview.restore()
    assert snapshot() == before
    assert rig.pose.bones["upper_arm_parent.L"]["IK_FK"] == 0.0
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    bpy.context.scene.frame_set(100)
    for bone, matrix in shown.items():
        np.testing.assert_allclose(np.array(rig.pose.bones[bone].matrix), matrix, atol=1e-3)
