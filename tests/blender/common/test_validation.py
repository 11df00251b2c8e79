# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong input: a clear message, and nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.animation.actions import curves_of
from ssrhmr_blender.common.typed import action_of, scene_of
from ssrhmr_blender.common.validation import check_character
from ssrhmr_blender.properties.setup import SSRHMR_Setup
from ssrhmr_core import Motion, Take
from ssrhmr_core.model.weights import default_weights
from tests.blender.conftest import choose, make_armature, make_trackers, snapshot
from tests.mixamo_names import mixamo_name


@pytest.fixture
def ready(performance: Motion) -> SSRHMR_Setup:
    """A scene in which baking would work."""
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    bpy.ops.ssrhmr.calibrate()
    setup.frame_start, setup.frame_end = 1, 60
    bpy.context.scene.frame_set(11)
    return setup


def refused(operator: Callable[[], set[str]], message: str) -> None:
    """The operator fails with a message that fits, and leaves everything as it was."""
    before = snapshot()
    with pytest.raises(RuntimeError, match=message):
        operator()
    assert snapshot() == before
    assert bpy.context.scene.ssrhmr.message


def no_armature(setup: SSRHMR_Setup) -> None:
    setup.armature = None


def missing_anchor(setup: SSRHMR_Setup) -> None:
    setup.pelvis = setup.head = None


def duplicate_tracker(setup: SSRHMR_Setup) -> None:
    setup.left_hand = setup.right_hand


def no_bones(setup: SSRHMR_Setup) -> None:
    setup.bones.clear()


def missing_bone(setup: SSRHMR_Setup) -> None:
    next(slot for slot in setup.bones if slot.name == "left_elbow").bone = ""


def edit_mode(setup: SSRHMR_Setup) -> None:
    bpy.context.view_layer.objects.active = setup.armature
    bpy.ops.object.mode_set(mode="EDIT")


def other_scene(setup: SSRHMR_Setup) -> None:
    bpy.context.scene.collection.objects.unlink(setup.armature)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_armature, "choose an armature"),
        (missing_anchor, "Neither a Pelvis nor a Head tracker is chosen"),
        (duplicate_tracker, "'Tracker right_hand' is chosen for both Left Hand and Right Hand"),
        (no_bones, "press Detect Bones"),
        (missing_bone, "No bone for Left Elbow"),
        (edit_mode, "'Hero' is in edit mode"),
        (other_scene, "'Hero' is not in this scene"),
    ],
)
def test_setup_that_is_not_ready(
    ready: SSRHMR_Setup, spoil: Callable[[SSRHMR_Setup], None], message: str
) -> None:
    spoil(ready)
    refused(bpy.ops.ssrhmr.calibrate, message)
    refused(bpy.ops.ssrhmr.bake, message)
    if bpy.context.object and bpy.context.object.mode == "EDIT":
        bpy.ops.object.mode_set(mode="OBJECT")


def test_a_bone_chosen_twice(ready: SSRHMR_Setup) -> None:
    ready.bones[2].bone = ready.bones[1].bone
    refused(bpy.ops.ssrhmr.calibrate, "chosen for both left_hip and left_knee")


def test_a_bone_that_was_renamed(ready: SSRHMR_Setup) -> None:
    ready.armature.data.bones[mixamo_name("head")].name = "Kopf"
    refused(bpy.ops.ssrhmr.bake, "no bone 'mixamorig:Head': press Detect Bones again")


def test_a_change_of_trackers_asks_for_a_new_calibration(ready: SSRHMR_Setup) -> None:
    ready.left_foot, ready.right_foot = ready.right_foot, ready.left_foot
    refused(bpy.ops.ssrhmr.bake, "Not calibrated yet")
    bpy.ops.ssrhmr.calibrate()
    assert any("swapped" in warning.name for warning in ready.warnings)


def test_a_tracker_without_animation(ready: SSRHMR_Setup) -> None:
    ready.head.animation_data_clear()
    refused(bpy.ops.ssrhmr.bake, "Head tracker 'Tracker head' has no animation")


def test_an_empty_range(ready: SSRHMR_Setup) -> None:
    ready.frame_start, ready.frame_end = 50, 40
    refused(bpy.ops.ssrhmr.bake, "choose another range")
    ready.range = "PREVIEW"
    refused(bpy.ops.ssrhmr.bake, "no preview range")


def test_ranges(ready: SSRHMR_Setup) -> None:
    from ssrhmr_blender.baking.plan import frame_range

    scene = scene_of(bpy.context)
    ready.range = "TRACKERS"
    assert frame_range(scene, ready) == (1, 130)
    scene.frame_start, scene.frame_end = 5, 25
    ready.range = "SCENE"
    assert frame_range(scene, ready) == (5, 25)
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 7, 9
    ready.range = "PREVIEW"
    assert frame_range(scene, ready) == (7, 9)


def test_a_key_that_is_not_a_number(ready: SSRHMR_Setup) -> None:
    curve = next(iter(curves_of(bpy.data.objects["Tracker right_hand"])))
    curve.keyframe_points[32].co[1] = float("nan")
    refused(bpy.ops.ssrhmr.bake, "'Tracker right_hand' is not a number at frame 33")


def test_a_tracker_without_size(ready: SSRHMR_Setup) -> None:
    ready.head.scale = (0.0, 1.0, 1.0)
    refused(bpy.ops.ssrhmr.bake, "'Tracker head' has no size at frame 1")


def test_uneven_and_mirrored_scale(ready: SSRHMR_Setup) -> None:
    ready.armature.scale = (1.0, 1.0, 1.2)
    refused(bpy.ops.ssrhmr.bake, "same scale along all axes")
    ready.armature.scale = (-1.0, 1.0, 1.0)
    refused(bpy.ops.ssrhmr.bake, "mirrored")


def test_hips_that_cannot_move(ready: SSRHMR_Setup) -> None:
    bpy.context.view_layer.objects.active = ready.armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = ready.armature.data.edit_bones
    root = bones.new("Root")
    root.head, root.tail = (0.0, 0.0, -0.5), bones[mixamo_name("hips")].head
    bones[mixamo_name("hips")].parent, bones[mixamo_name("hips")].use_connect = root, True
    bpy.ops.object.mode_set(mode="OBJECT")
    refused(bpy.ops.ssrhmr.bake, "connected to 'Root' and cannot move")


def test_a_damaged_calibration(ready: SSRHMR_Setup) -> None:
    ready.calibration = ready.calibration[: len(ready.calibration) // 2]
    refused(bpy.ops.ssrhmr.bake, "calibrate again")


def test_damaged_and_foreign_weights(
    ready: SSRHMR_Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "ssrhmr.npz"
    data = default_weights().read_bytes()
    damaged.write_bytes(data[: len(data) // 2])
    monkeypatch.setattr("ssrhmr_core.model.weights.default_weights", lambda: damaged)
    refused(bpy.ops.ssrhmr.bake, "damaged")
    with np.load(default_weights()) as stored:
        arrays = dict(stored)
    arrays["header"] = np.array('{"format": 99}')
    np.savez(damaged, **arrays)
    refused(bpy.ops.ssrhmr.bake, "format 99.*same version")


def test_nla_tweak_mode(ready: SSRHMR_Setup) -> None:
    armature = ready.armature
    armature.keyframe_insert("location", frame=1)
    data = armature.animation_data
    strip = data.nla_tracks.new().strips.new("strip", 1, action_of(check_character(ready)))
    data.action = None
    strip.select = True
    data.nla_tracks[0].select = True
    data.use_tweak_mode = True
    refused(bpy.ops.ssrhmr.bake, "tweak mode")


def link(path: Path, names: list[str]) -> dict[str, bpy.types.Object]:
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.objects = names
    for obj in wanted.objects:
        bpy.context.scene.collection.objects.link(obj)
    return {obj.name: obj for obj in wanted.objects}


def test_linked_character_and_linked_trackers(ready: SSRHMR_Setup, tmp_path: Path) -> None:
    library = tmp_path / "library.blend"
    names = ["Hero", *(f"Tracker {role}" for role in ("pelvis", "head", "left_hand"))]
    bpy.ops.wm.save_as_mainfile(filepath=str(library), copy=True)
    trackers = {role: getattr(ready, role) for role in ("right_hand", "left_foot", "right_foot")}
    for name in names:
        bpy.data.objects.remove(bpy.data.objects[name])
    linked = link(library, names)
    trackers |= {name.split(" ")[1]: obj for name, obj in linked.items() if "Tracker" in name}
    choose(linked["Hero"], trackers)
    refused(bpy.ops.ssrhmr.bake, "library override")

    # With an override of the character it works, from linked trackers.
    override = linked["Hero"].override_create()
    bpy.context.scene.collection.objects.link(override)
    bpy.context.scene.collection.objects.unlink(linked["Hero"])
    choose(override, trackers)
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, ready.message
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, ready.message
    assert override.animation_data.action.library is None


def test_a_tracker_that_is_disabled_in_viewports(ready: SSRHMR_Setup) -> None:
    ready.left_foot.hide_viewport = True
    refused(bpy.ops.ssrhmr.bake, "'Tracker left_foot' is disabled in viewports")
    ready.left_foot.hide_viewport = False
    ready.left_foot.hide_set(True)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, "hidden with the eye it still moves"


def test_a_root_that_is_scaled_unevenly(ready: SSRHMR_Setup) -> None:
    assert ready.armature is not None
    add_root(ready.armature).scale = (1.0, 0.8, 1.0)
    refused(bpy.ops.ssrhmr.bake, "'Root' is scaled unevenly in its pose.*Alt S")


def test_a_root_whose_scale_changes(ready: SSRHMR_Setup) -> None:
    assert ready.armature is not None
    root = add_root(ready.armature)
    for frame, scale in ((1, 1.0), (40, 1.5)):
        root.scale = (scale,) * 3
        root.keyframe_insert("scale", frame=frame)
    refused(bpy.ops.ssrhmr.bake, "the scale of 'Root'.*changes over time: delete its scale keys")


def add_root(armature: bpy.types.Object) -> bpy.types.PoseBone:
    """Put a bone above the hips."""
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    root = armature.data.edit_bones.new("Root")
    root.tail = (0.0, 0.2, 0.0)
    armature.data.edit_bones[mixamo_name("hips")].parent = root
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature.pose.bones["Root"]


def test_two_bones_that_could_be_the_left_hand(performance: Motion) -> None:
    armature = make_armature("Hero", performance.skeleton)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    hand = armature.data.edit_bones["mixamorig:LeftHand"]
    other = armature.data.edit_bones.new("hand.L")
    other.head, other.tail, other.parent = hand.head, hand.tail, hand.parent
    hand.name = "Left_Hand"
    bpy.ops.object.mode_set(mode="OBJECT")
    setup = bpy.context.scene.ssrhmr
    choose(armature, make_trackers(Take.from_motion(performance)))
    slot = setup.bones["left_wrist"]
    assert slot.bone == "" and slot.confidence == 0.0
    assert sorted(slot.choices.splitlines()) == ["Left_Hand", "hand.L"]
    refused(bpy.ops.ssrhmr.calibrate, "'Left_Hand'.*'hand.L'.* is the left wrist")
    with pytest.raises(RuntimeError, match="no bone 'nose'"):
        bpy.ops.ssrhmr.choose_bone(joint="left_wrist", bone="nose")
    assert bpy.ops.ssrhmr.choose_bone(joint="left_wrist", bone="hand.L") == {"FINISHED"}
    assert slot.bone == "hand.L" and slot.confidence == 1.0
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message


def test_what_holds_bones_is_told_before_the_bake(ready: SSRHMR_Setup) -> None:
    armature = ready.armature
    bones = armature.pose.bones
    assert ready.obstacles == ""
    bones[mixamo_name("left_knee")].constraints.new("LIMIT_ROTATION")
    bones[mixamo_name("head")].constraints.new("COPY_ROTATION")
    bones[mixamo_name("neck")].constraints.new("COPY_ROTATION").mute = True
    bones[mixamo_name("left_wrist")].constraints.new("COPY_ROTATION").influence = 0.0
    bones[mixamo_name("chest")].driver_add("rotation_quaternion", 1)
    bones[mixamo_name("chest")].driver_add("scale", 1)
    bones[mixamo_name("hips")].lock_location[2] = True
    bones[mixamo_name("right_elbow")].lock_rotation[0] = True
    bones[mixamo_name("left_elbow")].lock_location[0] = True
    bpy.ops.ssrhmr.detect_bones()
    told = ready.obstacles.replace("mixamorig:", "").splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "constraints act on 'Head'",
        "limits hold 'LeftLeg' back",
        "drivers move 'Spine2'",
        "locked channels of 'Hips', 'RightForeArm' are keyed all the same",
    ]
    # The rigger goes on: what is told is what holds when it is calibrated.
    for bone in bones:
        while bone.constraints:
            bone.constraints.remove(bone.constraints[0])
    armature.data.pose_position = "REST"
    armature.animation_data.nla_tracks.new()
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, ready.message
    told = ready.obstacles.replace("mixamorig:", "").splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "'Hero' shows its rest position",
        "drivers move 'Spine2'",
        "locked channels of 'Hips', 'RightForeArm' are keyed all the same",
        "NLA tracks are combined with the new action",
    ]
    ready.armature = None
    assert ready.obstacles == ""


def test_sides_that_the_body_contradicts(performance: Motion) -> None:
    """A rig that was mirrored without its names: what is baked is what was meant."""
    hero = make_armature("Hero", performance.skeleton)
    choose(hero, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    right = [slot.bone for slot in setup.bones]
    for side, mark in (("Left", "aside"), ("Right", "Left"), ("aside", "Right")):
        for bone in hero.data.bones:
            bone.name = bone.name.replace(side, mark)
    bpy.ops.ssrhmr.detect_bones()
    found = [slot.bone for slot in setup.bones]
    swapped = {"Left": "Right", "Right": "Left"}
    assert found == [re.sub("Left|Right", lambda m: swapped[m[0]], name) for name in right]
    assert setup.bones["left_wrist"].confidence == 0.5 and setup.bones["head"].confidence == 1.0
