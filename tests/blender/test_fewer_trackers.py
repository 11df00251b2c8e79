# SPDX-License-Identifier: GPL-3.0-or-later
"""Five, four and three trackers, from the panel to the keyframes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.headless import command
from ssrhmr_blender.presets import kinds
from ssrhmr_core import Motion, Take
from ssrhmr_core.body.skeleton import INDEX, TRACKERS
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.tracking.subsets import mask_of
from tests.blender.conftest import TO_BLENDER, choose, joint_worlds, make_armature, make_trackers

SUBSETS = {
    "without pelvis": ("head", "left_hand", "right_hand", "left_foot", "right_foot"),
    "without feet": ("pelvis", "head", "left_hand", "right_hand"),
    "without hands": ("pelvis", "head", "left_foot", "right_foot"),
    "head and hands": ("head", "left_hand", "right_hand"),
}
LABELS = {
    "without pelvis": "No tracker on Pelvis: ",
    "without feet": "No tracker on Left Foot and Right Foot: ",
    "without hands": "No tracker on Left Hand and Right Hand: ",
    "head and hands": "No tracker on Pelvis, Left Foot and Right Foot: ",
}
LIMIT = 0.13
"""Metres: trackers are mounted up to 0.1 m off their joints, and calibration does not know how."""


def only(motion: Motion, roles: tuple[str, ...]) -> Take:
    """Ideal trackers with these roles."""
    take = Take.from_motion(motion)
    return replace(take, valid=take.valid & mask_of(roles))


def ready(performance: Motion, roles: tuple[str, ...]) -> bpy.types.Object:
    """Choose a character and some trackers of a performer who stands in a T-pose at frame 20."""
    armature = make_armature("Hero", performance.skeleton)
    trackers = make_trackers(Take.from_motion(performance))
    choose(armature, {role: trackers[role] for role in roles})
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 20
    setup.frame_start, setup.frame_end = 1, len(performance)
    return armature


def distances(armature: bpy.types.Object, performance: Motion) -> np.ndarray:
    """Return distances (F, 22) of joints from those of the performer, every tenth frame.

    The performance leaps after the T-pose; half a second after it is left out.
    """
    frames = np.array([1, 11, 21, 31, *range(71, len(performance) + 1, 10)])
    positions, _ = joint_worlds(armature, frames)
    truth = (performance.positions() @ TO_BLENDER.T)[frames - 1]
    return np.linalg.norm(positions - truth, axis=-1)


@pytest.mark.parametrize("name", SUBSETS)
def test_some_trackers_are_calibrated_and_baked(performance: Motion, name: str) -> None:
    roles = SUBSETS[name]
    armature, setup = ready(performance, roles), bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    assert setup.assumed.startswith(LABELS[name] + "the model fills in")
    assert len(setup.fits) == len(roles)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    off = distances(armature, performance)
    assert off[:, INDEX["head"]].max() < LIMIT
    for role, joint in (("left_hand", "left_wrist"), ("right_foot", "right_ankle")):
        assert role not in roles or off[:, INDEX[joint]].max() < LIMIT
    # Whoever stands in the T-pose is shown so; without hands, nothing shows the arms.
    followed = slice(None) if "left_hand" in roles else slice(INDEX["left_clavicle"])
    assert off[:4, followed].mean() < 0.14


@pytest.mark.parametrize("proportions", ["MATCH", "RETARGET", "FIT"])
def test_three_trackers_on_another_body(performance: Motion, proportions: str) -> None:
    setup = bpy.context.scene.ssrhmr
    trackers = make_trackers(Take.from_motion(performance))
    armature = make_armature("Child", performance.skeleton.scaled(0.7))
    choose(armature, {role: trackers[role] for role in SUBSETS["head and hands"]})
    setup.calibration_frame, setup.proportions = 20, proportions
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.frame_start, setup.frame_end = 1, 40
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    positions, _ = joint_worlds(armature, np.array([20]))
    ankles = positions[0, [INDEX["left_ankle"], INDEX["right_ankle"]], 2]
    # It stands on the floor.
    assert (np.abs(ankles - 0.08 * 0.7) < 0.06).all(), ankles


def test_the_still_frame_is_found_without_feet(performance: Motion) -> None:
    ready(performance, SUBSETS["head and hands"])
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame = 100
    assert bpy.ops.ssrhmr.find_still() == {"FINISHED"}, setup.message
    assert setup.calibration_frame <= 40


def test_a_head_or_a_pelvis_is_needed(performance: Motion) -> None:
    ready(performance, ("left_hand", "right_hand", "left_foot", "right_foot"))
    for operator in (bpy.ops.ssrhmr.calibrate, bpy.ops.ssrhmr.bake, bpy.ops.ssrhmr.find_still):
        with pytest.raises(RuntimeError, match="Neither a Pelvis nor a Head tracker is chosen"):
            operator()


def test_a_pelvis_that_counts_little_cannot_carry_a_body_without_head(performance: Motion) -> None:
    ready(performance, ("pelvis", "left_hand", "right_hand"))
    setup = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.trackers.pelvis.weight = 0.5
    with pytest.raises(RuntimeError, match="Pelvis must count fully"):
        bpy.ops.ssrhmr.bake()


def test_a_movement_needs_all_six(performance: Motion) -> None:
    ready(performance, SUBSETS["without feet"])
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="six trackers only"):
        bpy.ops.ssrhmr.refine_calibration(evidence="GUIDED")


def test_a_tracker_that_was_not_calibrated_does_not_count(
    performance: Motion, tmp_path: Path
) -> None:
    """A recording may hold more, or fewer, than the calibration."""
    armature, setup = ready(performance, SUBSETS["head and hands"]), bpy.context.scene.ssrhmr
    setup.reference = "JOINTS"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    path = tmp_path / "six.csv"
    save_trackers(path, Take.from_motion(performance))
    assert bpy.ops.ssrhmr.bake_take(filepath=str(path)) == {"FINISHED"}
    more = distances(armature, performance)
    save_trackers(path, only(performance, SUBSETS["head and hands"]))
    assert bpy.ops.ssrhmr.bake_take(filepath=str(path)) == {"FINISHED"}
    np.testing.assert_array_equal(distances(armature, performance), more)
    save_trackers(path, only(performance, ("head",)))
    assert bpy.ops.ssrhmr.bake_take(filepath=str(path)) == {"FINISHED"}
    assert distances(armature, performance)[:, INDEX["head"]].max() < 0.02


def test_presets_of_three(performance: Motion, tmp_path: Path) -> None:
    ready(performance, SUBSETS["head and hands"])
    setup = bpy.context.scene.ssrhmr
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    trackers, calibration = (
        kinds.KINDS[kind].collect(setup) for kind in ("trackers", "calibration")
    )
    said, stored = setup.assumed, setup.calibration
    setup.pelvis = bpy.data.objects["Tracker pelvis"]
    assert setup.assumed == setup.calibration == ""
    assert kinds.KINDS["trackers"].apply(setup, trackers) == []
    assert setup.pelvis is None and setup.head is not None
    assert kinds.KINDS["calibration"].apply(setup, calibration) == []
    assert (setup.assumed, setup.calibration) == (said, stored)
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message


def test_a_batch_of_collections_of_three(performance: Motion) -> None:
    scene, armature = bpy.context.scene, ready(performance, SUBSETS["head and hands"])
    setup = scene.ssrhmr
    for name, roles in (("Three", SUBSETS["head and hands"]), ("Two", ("head", "left_hand"))):
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
        for role in roles:
            collection.objects.link(bpy.data.objects[f"Tracker {role}"])
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
    scene.ssrhmr_batch.source = "COLLECTIONS"
    assert bpy.ops.ssrhmr.find_takes() == {"FINISHED"}
    takes = {take.name: take for take in scene.ssrhmr_batch.takes}
    assert list(takes) == ["Three"]
    assert [part.role for part in takes["Three"].trackers] == list(SUBSETS["head and hands"])
    assert bpy.ops.ssrhmr.bake_takes() == {"FINISHED"}, setup.message
    bpy.ops.ssrhmr.show_take(take="Three")
    assert distances(armature, performance)[:, INDEX["head"]].max() < LIMIT
    # Their actions are takes too.
    scene.ssrhmr_batch.source = "ACTIONS"
    assert bpy.ops.ssrhmr.find_takes() == {"FINISHED"}
    assert [take.problem for take in scene.ssrhmr_batch.takes] == [""]


def test_a_farm_bakes_takes_of_three(performance: Motion, tmp_path: Path) -> None:
    make_armature("Hero", performance.skeleton)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    save_trackers(tmp_path / "three.csv", only(performance, SUBSETS["head and hands"]))
    words = ["--takes", str(tmp_path / "three.csv"), "--characters", str(tmp_path / "hero.blend")]
    words += ["--out", str(tmp_path / "out"), "--calibrate-at", "0.33"]
    assert command.run(words) == 0
    assert (tmp_path / "out" / "hero" / "three.blend").is_file()


def test_an_imported_take_of_three_is_used(performance: Motion, tmp_path: Path) -> None:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    path = tmp_path / "three.csv"
    save_trackers(path, only(performance, SUBSETS["head and hands"]))
    assert bpy.ops.ssrhmr.import_take(filepath=str(path)) == {"FINISHED"}
    setup = bpy.context.scene.ssrhmr
    chosen = [role for role in TRACKERS if setup.tracker(role).object is not None]
    assert chosen == list(SUBSETS["head and hands"])
    setup.calibration_frame = 20
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
