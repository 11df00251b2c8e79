# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional trackers at chest, shoulders, elbows, knees and toes, from panel to keyframes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion

from ssrhmr_blender.baking import certainty
from ssrhmr_blender.common.data_blocks import key_of
from ssrhmr_blender.common.steps import run_steps
from ssrhmr_blender.common.validation import SetupError, check_trackers
from ssrhmr_blender.headless import command
from ssrhmr_blender.presets.kinds import KINDS
from ssrhmr_blender.properties.tracker import (
    EXTRA_TRACKERS,
    MORE_ITEMS,
    MORE_TRACKERS,
    TRACKER_LABELS,
)
from ssrhmr_blender.properties.values import read_values
from ssrhmr_blender.trackers.empties import make_empties
from ssrhmr_blender.trackers.joints import use_trackers
from ssrhmr_blender.trackers.sampling import sample
from ssrhmr_blender.trackers.stored_calibration import clear_adjustments, stored_calibration
from ssrhmr_blender.trackers.take import read_wearing, take_from_samples
from ssrhmr_core import Calibration, Motion, Take
from ssrhmr_core.body.skeleton import INDEX, TRACKERS
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from tests.blender.conftest import (
    TO_BLENDER,
    choose,
    joint_worlds,
    key_transforms,
    make_armature,
    make_trackers,
)
from tests.blender.performers import perform


def wear(motion: Motion, *roles: str) -> Take:
    """Ideal trackers with some optional ones."""
    return Take.from_motion(motion, roles)


SIX_AND = {
    "elbows": ("left_elbow", "right_elbow"),
    "knees": ("left_knee", "right_knee"),
    "chest": ("chest",),
}
MEASURED = {"elbows": "left_elbow", "knees": "right_knee", "chest": "chest"}


def make_more(
    motion: Motion, roles: tuple[str, ...], lower: tuple[str, ...] = (), mounted: bool = True
) -> dict[str, bpy.types.Object]:
    """Key empties that sit oddly on the bones that carry optional trackers."""
    random = np.random.default_rng(8)
    objects = {}
    for role in roles:
        segment: Any = "lower" if role in lower else "upper"
        readings = ExtraReadings.from_motion(motion, (role,), {role: segment})
        index = EXTRA_TRACKERS.index(role)
        empty = bpy.data.objects.new(f"Tracker {role}", None)
        bpy.context.scene.collection.objects.link(empty)
        empty.rotation_mode = "QUATERNION"
        turn = Quaternion(random.standard_normal(4).tolist()).normalized()
        # Along the bone that carries it, away from the joint.
        along = {"elbow": (-0.06 if "left" in role else 0.06, 0.0, 0.0), "knee": (0.0, 0.1, 0.0)}
        offset = np.array(along.get(role.rsplit("_", 1)[-1], (0.0, 0.0, 0.05)))
        offset = TO_BLENDER @ (-offset if role in lower else offset)
        if not mounted:
            turn, offset = Quaternion(), np.zeros(3)
        mount = Matrix.LocRotScale(offset.tolist(), turn, None)
        worlds = []
        for position, quat in zip(
            readings.positions[:, index].astype(float), readings.rotations[:, index], strict=True
        ):
            w, x, y, z = (float(v) for v in quat)
            place = (TO_BLENDER @ position).tolist()
            world = Matrix.LocRotScale(place, Quaternion((w, x, -z, y)), None)
            worlds.append(world @ mount)
        key_transforms(empty, 1.0 + motion.times * 60.0, worlds)
        objects[role] = empty
    return objects


def ready(performance: Motion, roles: tuple[str, ...], **mounts: Any) -> bpy.types.Object:
    """Choose a character, the six and some optional trackers of a performer; T-pose at 20."""
    armature = make_armature("Hero", performance.skeleton)
    six = make_trackers(Take.from_motion(performance), mounted=mounts.get("mounted", True))
    choose(armature, {**six, **make_more(performance, roles, **mounts)})
    setup: Any = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.frame_start, setup.frame_end = 20, 1, len(performance)
    return armature


def bake(armature: bpy.types.Object, performance: Motion) -> np.ndarray:
    """Bake, and return distances (F, 22) in metres from the performer's joints, once it moves."""
    setup: Any = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    frames = np.arange(71, len(performance) + 1, 10)
    positions, _ = joint_worlds(armature, frames)
    truth = (performance.positions() @ TO_BLENDER.T)[frames - 1]
    return np.linalg.norm(positions - truth, axis=-1)


@pytest.mark.parametrize("name", SIX_AND)
def test_joints_with_a_tracker_are_met(performance: Motion, name: str) -> None:
    armature = ready(performance, SIX_AND[name], mounted=False)
    setup: Any = bpy.context.scene.ssrhmr
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    joint = INDEX[MEASURED[name]]
    assert bake(armature, performance)[:, joint].max() < 0.003
    for role in SIX_AND[name]:
        setup.tracker(role).weight = 0.0
    assert bake(armature, performance)[:, joint].max() > 0.006


@pytest.mark.parametrize("reference", ["T_POSE", "CHARACTER"])
@pytest.mark.parametrize("proportions", ["MATCH", "RETARGET"])
def test_mounted_trackers_are_calibrated(
    performance: Motion, reference: str, proportions: str
) -> None:
    roles = (*SIX_AND["elbows"], *SIX_AND["knees"], "chest")
    armature = ready(performance, roles, lower=("left_elbow", "right_knee"))
    setup: Any = bpy.context.scene.ssrhmr
    setup.reference, setup.proportions = reference, proportions
    if reference == "T_POSE":
        # What a single pose shows of the performer is too rough to tell.
        setup.trackers.left_elbow.segment = setup.trackers.right_knee.segment = "LOWER"
    else:
        armature.location = (TO_BLENDER @ performance.root[0].astype(float)).tolist()
        armature.location -= armature.matrix_world @ armature.pose.bones[0].matrix.translation
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    fits = {fit.name: fit for fit in setup.fits}
    labels = [TRACKER_LABELS[role] for role in roles]
    assert sorted(name for name, fit in fits.items() if fit.optional) == sorted(labels)
    assert all(2.0 < fits[label].error < 16.0 for label in labels)
    with_them = bake(armature, performance)
    mounts = Calibration.from_json(setup.calibration).extras
    assert mounts is not None and mounts.lower is not None
    lower = [EXTRA_TRACKERS[index] for index in np.flatnonzero(mounts.lower)]
    assert lower == ["left_elbow", "right_knee"]
    for role in roles:
        setup.tracker(role).weight = 0.0
    without = bake(armature, performance)
    joints = [INDEX[role] for role in roles]
    share = with_them[:, joints].mean() / without[:, joints].mean()
    assert share < (0.5 if reference == "CHARACTER" else 1.0)


@pytest.mark.parametrize(
    "six",
    [("head", "left_hand", "right_hand"), ("pelvis", "head", "left_hand", "right_hand")],
)
def test_fewer_than_six_and_elbows(performance: Motion, six: tuple[str, ...]) -> None:
    """Any optional trackers go with any of the six."""
    armature = ready(performance, SIX_AND["elbows"], mounted=False)
    setup: Any = bpy.context.scene.ssrhmr
    for role in set(TRACKERS) - set(six):
        setup.tracker(role).object = None
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    elbows = [INDEX[role] for role in SIX_AND["elbows"]]
    with_elbows = bake(armature, performance)[:, elbows].mean()
    for role in SIX_AND["elbows"]:
        setup.tracker(role).object = None
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    without = bake(armature, performance)[:, elbows].mean()
    assert with_elbows < 0.5 * without, (with_elbows, without)


def test_an_adjustment_moves_an_optional_joint(performance: Motion) -> None:
    ready(performance, SIX_AND["elbows"], mounted=False)
    setup: Any = bpy.context.scene.ssrhmr
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    plain = stored_calibration(setup)
    setup.trackers.left_elbow.offset = (0.01, 0.02, 0.03)
    setup.trackers.left_elbow.rotation = (0.0, 0.5, 0.0)
    moved = stored_calibration(setup)
    assert plain.extras is not None and moved.extras is not None
    row = EXTRA_TRACKERS.index("left_elbow")
    np.testing.assert_allclose(moved.extras.mount_offsets[row], (0.01, 0.02, 0.03), atol=1e-6)
    changed = (moved.extras.mount_rotations != plain.extras.mount_rotations).any(-1)
    assert np.flatnonzero(changed).tolist() == [row]
    np.testing.assert_array_equal(moved.mount_offsets, plain.mount_offsets)
    clear_adjustments(setup)
    assert not any(setup.trackers.left_elbow.offset)


def test_a_knee_on_the_floor_is_left_out(performance: Motion) -> None:
    armature = ready(performance, SIX_AND["knees"])
    knee = bpy.context.scene.ssrhmr.left_knee
    knee.animation_data_clear()
    knee.location = (0.8, 0.5, 0.01)
    setup: Any = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    assert any(warning.name.startswith("Left Knee") for warning in setup.warnings)
    assert [fit.name for fit in setup.fits if fit.optional] == ["Right Knee"]
    knee.keyframe_insert("location", frame=1)
    assert bake(armature, performance)[:, INDEX["left_knee"]].max() < 0.25
    assert "Left Knee was not calibrated" in setup.notes


def test_a_knee_that_was_taken_off_is_ignored(performance: Motion) -> None:
    armature = ready(performance, SIX_AND["knees"])
    setup: Any = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    knee = setup.left_knee
    knee.animation_data_clear()
    knee.location = (2.0, 2.0, 0.01)
    knee.keyframe_insert("location", frame=1)
    assert bake(armature, performance)[:, INDEX["left_knee"]].max() < 0.25
    assert "Left Knee is ignored" in setup.notes


def test_a_tracker_without_animation_is_a_slip(performance: Motion) -> None:
    ready(performance, SIX_AND["knees"])
    setup: Any = bpy.context.scene.ssrhmr
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    setup.left_knee.animation_data_clear()
    with pytest.raises(RuntimeError, match="Left Knee tracker 'Tracker left_knee' has no anim"):
        bpy.ops.ssrhmr.bake()


def test_names_say_which_is_which(performance: Motion) -> None:
    setup: Any = bpy.context.scene.ssrhmr
    objects = make_trackers(Take.from_motion(performance))
    objects |= make_more(performance, ("chest", "left_elbow", "right_knee"))
    objects["right_knee"].name = "Right Shin"
    assert bpy.ops.ssrhmr.assign_trackers() == {"FINISHED"}
    for role, obj in objects.items():
        assert setup.tracker(role).object == obj
    assert setup.trackers.left_elbow.segment == "AUTO"
    assert setup.trackers.right_knee.segment == "LOWER"


def sample_setup(frames: int) -> Take:
    """Read the setup's trackers as a bake does, at whole frames from the first."""
    scene: Any = bpy.context.scene
    trackers = check_trackers(scene.ssrhmr)
    bpy.context.view_layer.update()
    numbers = np.arange(1, frames + 1)
    keys = [key_of(obj) for obj in trackers.values()]
    worlds = run_steps(sample(scene.name, keys, numbers.tolist()))
    names = {role: obj.name for role, obj in trackers.items()}
    return take_from_samples(worlds, numbers, 60.0, names, read_wearing(scene.ssrhmr))


def same_rotations(one: np.ndarray, other: np.ndarray) -> None:
    np.testing.assert_allclose(np.abs((one * other).sum(-1)), 1.0, atol=1e-5)


def test_a_take_is_read_from_the_empties_that_were_made_of_it(performance: Motion) -> None:
    scene: Any = bpy.context.scene
    take = wear(performance, "chest", "left_elbow", "right_knee", "left_toe")
    extras: Any = take.extras
    rotation_only, position_only = (EXTRA_TRACKERS.index(r) for r in ("left_elbow", "left_toe"))
    extras.has_position[:, rotation_only] = False
    extras.has_rotation[:, position_only] = False
    extras.lower[EXTRA_TRACKERS.index("right_knee")] = True
    empties = make_empties(scene, "Take", take)
    assert list(empties) == [*TRACKERS, "chest", "left_elbow", "right_knee", "left_toe"]
    assert empties["left_elbow"].name == "Take Left Elbow"
    use_trackers(scene.ssrhmr, empties)
    worn = [scene.ssrhmr.tracker(role).measures for role in list(empties)[6:]]
    assert worn == ["BOTH", "ROTATION", "BOTH", "POSITION"]
    read = sample_setup(len(take))
    np.testing.assert_allclose(read.positions, take.positions, atol=1e-5)
    assert read.extras is not None and read.extras.worn == extras.worn
    np.testing.assert_array_equal(read.extras.has_position, extras.has_position)
    np.testing.assert_array_equal(read.extras.has_rotation, extras.has_rotation)
    shown = extras.has_position
    np.testing.assert_allclose(read.extras.positions[shown], extras.positions[shown], atol=1e-5)
    shown = extras.has_rotation
    same_rotations(read.extras.rotations[shown], extras.rotations[shown])
    np.testing.assert_array_equal(read.extras.lower, extras.lower)
    segments = [scene.ssrhmr.tracker(role).segment for role in ("left_elbow", "right_knee")]
    assert segments == ["AUTO", "LOWER"]


def test_a_take_without_optional_trackers_chooses_none(performance: Motion) -> None:
    """Those of the take before are not taken for its own."""
    scene: Any = bpy.context.scene
    use_trackers(scene.ssrhmr, make_empties(scene, "More", wear(performance, "chest")))
    assert scene.ssrhmr.chest is not None
    use_trackers(scene.ssrhmr, make_empties(scene, "Six", wear(performance)))
    assert scene.ssrhmr.chest is None
    assert sample_setup(2).extras is None


def test_an_object_is_worn_in_one_place_only(performance: Motion) -> None:
    scene: Any = bpy.context.scene
    empties = make_empties(scene, "Take", wear(performance))
    use_trackers(scene.ssrhmr, empties)
    scene.ssrhmr.left_knee = empties["left_foot"]
    with pytest.raises(SetupError, match="both Left Foot and Left Knee"):
        check_trackers(scene.ssrhmr)


@pytest.mark.parametrize("choice", MORE_TRACKERS)
def test_trackers_from_an_armature(performance: Motion, choice: str) -> None:
    source = make_armature("Suit", performance.skeleton, rolls={"left_shoulder": 1.0})
    perform(source, performance)
    choose(make_armature("Hero", performance.skeleton), {})
    bpy.context.view_layer.objects.active = source
    assert bpy.ops.ssrhmr.trackers_from_armature(more=choice) == {"FINISHED"}
    setup: Any = bpy.context.scene.ssrhmr
    chosen = [role for role, obj in setup.tracker_objects(EXTRA_TRACKERS).items() if obj]
    assert tuple(chosen) == MORE_TRACKERS[choice]
    assert setup.calibration
    if choice == "NONE":
        return
    read = sample_setup(len(performance)).extras
    expected = ExtraReadings.from_motion(performance, chosen)
    assert read is not None and read.worn == expected.worn == tuple(chosen)
    shown = expected.has_position
    np.testing.assert_allclose(read.positions[shown], expected.positions[shown], atol=2e-4)
    same_rotations(read.rotations[shown], expected.rotations[shown])


def test_every_choice_is_in_the_menu() -> None:
    assert list(MORE_TRACKERS) == [item[0] for item in MORE_ITEMS]


def test_a_whole_body_file_gives_as_many_trackers_as_chosen(
    performance: Motion, tmp_path: Path
) -> None:
    path = tmp_path / "walk.bvh"
    save_bvh(path, performance)
    choose(make_armature("Hero", performance.skeleton), {})
    setup: Any = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.import_take(filepath=str(path), more="ELEVEN") == {"FINISHED"}
    assert setup.calibration and setup.reference == "JOINTS"
    read = sample_setup(len(performance)).extras
    expected = ExtraReadings.from_motion(performance, MORE_TRACKERS["ELEVEN"])
    assert read is not None and read.worn == MORE_TRACKERS["ELEVEN"]
    shown = expected.has_position
    np.testing.assert_allclose(read.positions[shown], expected.positions[shown], atol=1e-3)
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    assert setup.chest is None


def test_a_table_with_optional_trackers(performance: Motion, tmp_path: Path) -> None:
    """Imported, and baked as a recording: in both ways the same."""
    take = wear(performance, "left_elbow", "right_elbow", "chest")
    extras: Any = take.extras
    extras.lower[EXTRA_TRACKERS.index("right_elbow")] = False
    extras.has_position[:, EXTRA_TRACKERS.index("chest")] = False
    path = tmp_path / "take.csv"
    save_trackers(path, take)
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, {})
    setup: Any = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    assert setup.trackers.chest.measures == "ROTATION"
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.smoothing = "OFF"
    from_empties = bake(armature, performance)
    assert from_empties[:, INDEX["left_elbow"]].max() < 0.003
    assert bpy.ops.ssrhmr.bake_take(filepath=str(path)) == {"FINISHED"}
    frames = np.arange(71, len(performance) + 1, 10)
    positions, _ = joint_worlds(armature, frames)
    truth = (performance.positions() @ TO_BLENDER.T)[frames - 1]
    np.testing.assert_allclose(np.linalg.norm(positions - truth, axis=-1), from_empties, atol=2e-4)


def test_a_command_uses_optional_trackers(performance: Motion, tmp_path: Path) -> None:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, {})
    setup: Any = bpy.context.scene.ssrhmr
    setup.reference, setup.calibration = "JOINTS", Calibration.none().to_json()
    setup.smoothing, setup.write_certainty = "OFF", True
    character, path, out = (tmp_path / name for name in ("hero.blend", "take.csv", "out"))
    bpy.ops.wm.save_as_mainfile(filepath=str(character))
    save_trackers(path, wear(performance, "left_elbow"))
    assert command.run(["-t", str(path), "-c", str(character), "-o", str(out)]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out / "hero" / "take.blend"))
    scene: Any = bpy.context.scene
    assert scene.ssrhmr.left_elbow.name == "take Tracker Left Elbow"
    assert certainty.MEAN in scene.ssrhmr.armature
    frames = np.arange(71, len(performance) + 1, 10)
    positions, _ = joint_worlds(scene.ssrhmr.armature, frames)
    truth = (performance.positions() @ TO_BLENDER.T)[frames - 1]
    elbow = INDEX["left_elbow"]
    assert np.linalg.norm(positions - truth, axis=-1)[:, elbow].max() < 0.003


def test_a_command_makes_as_many_trackers_as_asked_for(
    performance: Motion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choose(make_armature("Hero", performance.skeleton), {})
    character, path, out = (tmp_path / name for name in ("hero.blend", "walk.bvh", "out"))
    bpy.ops.wm.save_as_mainfile(filepath=str(character))
    save_bvh(path, performance)
    words = ["-t", str(path), "-c", str(character), "-o", str(out)]
    assert command.run([*words, "--extra", "knees,chest"]) == 0
    bpy.ops.wm.open_mainfile(filepath=str(out / "hero" / "walk.blend"))
    setup: Any = bpy.context.scene.ssrhmr
    chosen = [role for role, obj in setup.tracker_objects(EXTRA_TRACKERS).items() if obj]
    assert chosen == ["chest", "left_knee", "right_knee"]
    # Without them it is another task, which is not done already.
    assert command.run(words) == 0
    assert "done already" not in capsys.readouterr().out
    assert command.run([*words, "--extra", "nose"]) == 2
    assert "'nose' is no optional tracker" in capsys.readouterr().err


def test_takes_in_collections_have_optional_trackers(performance: Motion) -> None:
    scene: Any = bpy.context.scene
    choose(make_armature("Hero", performance.skeleton), {})
    scene.ssrhmr.reference, scene.ssrhmr.calibration = "JOINTS", Calibration.none().to_json()
    for name, roles in (("Walk", ("left_elbow", "chest")), ("Run", ())):
        make_empties(scene, name, wear(performance, *roles))
    scene.ssrhmr_batch.source = "COLLECTIONS"
    assert bpy.ops.ssrhmr.find_takes() == {"FINISHED"}
    found = {take.name: [part.role for part in take.trackers] for take in scene.ssrhmr_batch.takes}
    assert found == {"Walk": [*TRACKERS, "chest", "left_elbow"], "Run": [*TRACKERS]}
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}
    assert [take.state for take in scene.ssrhmr_batch.takes] == ["DONE", "DONE"]


def test_an_armature_without_toes(performance: Motion) -> None:
    source = make_armature("Suit", performance.skeleton)
    perform(source, performance)
    scene: Any = bpy.context.scene
    choose(source, {})
    scene.ssrhmr.bones["left_toe"].bone = ""
    bpy.ops.ssrhmr.setup_add()
    choose(make_armature("Hero", performance.skeleton), {})
    bpy.context.view_layer.objects.active = source
    assert bpy.ops.ssrhmr.trackers_from_armature(more="ALL") == {"FINISHED"}
    assert scene.ssrhmr.left_toe is None and scene.ssrhmr.right_toe is not None


def test_presets_keep_optional_trackers(performance: Motion) -> None:
    scene: Any = bpy.context.scene
    empties = make_empties(scene, "Take", wear(performance, "chest", "left_elbow"))
    use_trackers(scene.ssrhmr, empties)
    tracker = scene.ssrhmr.trackers.left_elbow
    tracker.weight, tracker.segment, tracker.measures = 0.5, "LOWER", "ROTATION"
    expected = read_values(scene.ssrhmr.trackers)
    values = KINDS["trackers"].collect(scene.ssrhmr)
    bpy.ops.ssrhmr.setup_add()
    scene.ssrhmr.right_knee = empties["head"]
    assert KINDS["trackers"].apply(scene.ssrhmr, values) == []
    assert read_values(scene.ssrhmr.trackers) == expected
    # A preset of six from before there were more says nothing of them.
    values["trackers"] = {role: values["trackers"][role] for role in TRACKERS}
    assert KINDS["trackers"].apply(scene.ssrhmr, values) == []
    assert read_values(scene.ssrhmr.trackers) == expected


def test_a_device_of_a_preset_is_an_optional_tracker() -> None:
    scene: Any = bpy.context.scene
    device = scene.ssrhmr_live.devices.add()
    device.name, device.role = "LHR-1", "left_elbow"
    values = KINDS["live"].collect(scene.ssrhmr)
    scene.ssrhmr_live.devices.clear()
    assert KINDS["live"].apply(scene.ssrhmr, values) == []
    assert scene.ssrhmr_live.devices["LHR-1"].role == "left_elbow"
    assert TRACKER_LABELS["left_elbow"] == "Left Elbow"
