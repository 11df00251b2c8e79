# SPDX-License-Identifier: GPL-3.0-or-later
"""Performers who wear fewer than six trackers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import Measurement
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKERS, Skeleton
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.tracking.calibration import (
    Calibration,
    CalibrationOptions,
    calibrate,
    calibrate_at_stillest,
    calibrate_to_pose,
    find_still_time,
    rate_trackers,
)
from ssrhmr_core.tracking.proportions import make_adult, measure_height
from ssrhmr_core.tracking.reference_pose import ReferencePose
from ssrhmr_core.tracking.subsets import (
    describe_assumptions,
    explain_missing,
    mask_of,
    require_anchor,
    roles_in,
    shows_direction,
)
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.mounts import MOUNT_SETS, MountedTrackers, mount_trackers

HANDS, FEET = ("left_hand", "right_hand"), ("left_foot", "right_foot")
SUBSETS = (
    ("head", *HANDS, *FEET),
    ("pelvis", *HANDS, *FEET),
    ("pelvis", "head", *HANDS),
    ("pelvis", "head", *FEET),
    ("head", *HANDS),
    ("pelvis", *HANDS),
    ("pelvis", "head", "left_hand"),
)
PELVIS, HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
Y = np.array([[0.0, 1.0, 0.0]])


def errors_of(
    calibration: Calibration, trackers: MountedTrackers, tracked: np.ndarray
) -> np.ndarray:
    """Return how far calibrated joints (n,) are from the true ones, mm."""
    take = Take(
        np.zeros(1),
        trackers.positions[None].astype("f4"),
        trackers.rotations[None].astype("f4"),
        np.ones((1, 6), bool),
    )
    joints = calibration.apply(take)
    np.testing.assert_array_equal(joints.valid[0], tracked)
    return 1000.0 * np.linalg.norm(joints.positions[0] - trackers.joint_positions, axis=-1)[tracked]


@pytest.mark.parametrize("reference", ReferencePose)
@pytest.mark.parametrize("roles", SUBSETS)
def test_fewer_trackers_are_calibrated_as_well_as_six(
    skeleton: Skeleton, roles: tuple[str, ...], reference: ReferencePose
) -> None:
    tracked = mask_of(roles)
    some, all_six = [], []
    for seed in range(12):
        trackers = mount_trackers(skeleton, MOUNT_SETS[seed % 4], seed, reference)
        options = CalibrationOptions(reference=reference)
        arguments = skeleton, trackers.positions, trackers.rotations, options
        # What nobody wears does not count, whatever it reads.
        nowhere = np.where(tracked[:, None], trackers.positions, np.nan)
        fewer = calibrate(skeleton, nowhere, trackers.rotations, options, tracked)
        some.append(errors_of(fewer, trackers, tracked).mean())
        six = replace(calibrate(*arguments), tracked=tracked)
        all_six.append(errors_of(six, trackers, tracked).mean())
        assert fewer.swapped == ()
        np.testing.assert_allclose(fewer.mount_offsets[~tracked], 0.0, atol=1e-6)
        np.testing.assert_allclose(fewer.deviations[~tracked], 0.0, atol=1e-6)
    assert np.mean(some) < np.mean(all_six) + 12.0


@pytest.mark.parametrize("roles", SUBSETS)
@pytest.mark.parametrize("height", [1.55, 1.9])
def test_the_height_of_a_performer_is_measured(roles: tuple[str, ...], height: float) -> None:
    """By the head over the floor, else by the pelvis."""
    adult = make_adult()
    body = adult.scaled(height / measure_height(adult))
    heights, options = [], CalibrationOptions("RETARGET")
    for seed in (0, 1, 2):
        trackers = mount_trackers(body, MOUNT_SETS[seed % 4], seed)
        arguments = trackers.positions, trackers.rotations, options, mask_of(roles)
        calibration = calibrate(adult, *arguments)
        assert calibration.performer is not None and "height" in calibration.measured
        heights.append(measure_height(calibration.performer))
    off = 0.06 if "head" in roles else 0.12
    assert np.mean(heights) == pytest.approx(height, abs=off)


def test_what_was_measured_and_what_was_assumed_is_told(skeleton: Skeleton) -> None:
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 1)

    def told(options: CalibrationOptions, *roles: str) -> tuple[set[str], set[str]]:
        arguments = skeleton, trackers.positions, trackers.rotations, options
        calibration = calibrate(*arguments, mask_of(roles))
        return set(calibration.measured), set(calibration.assumed)

    match, retarget = CalibrationOptions(), CalibrationOptions("RETARGET")
    assert told(match, *TRACKERS) == ({"direction", "floor"}, set())
    assert told(match, "head", *HANDS) == ({"direction"}, {"floor"})
    body = {"height", "trunk", "arms", "legs"}
    assert told(retarget, *TRACKERS) == ({"direction", "floor", *body}, set())
    assert told(retarget, "pelvis", "head", *HANDS) == ({"direction", *body}, {"floor"})
    measured, assumed = told(retarget, "head", *HANDS)
    assert measured == {"direction", "height", "arms"} and assumed == {"floor", "trunk", "legs"}
    assert told(match, "pelvis", "head")[1] == {"direction", "floor"}
    tall = CalibrationOptions("RETARGET", height=1.8)
    assert "height" in told(tall, "pelvis", *HANDS)[0]


def test_the_front_of_a_head_without_hands_and_feet(skeleton: Skeleton) -> None:
    """Positions one above the other show no direction: the headset's own front does."""
    trackers = mount_trackers(skeleton, (), 5, sloppiness=0.0)
    # As headsets have it, whatever the other trackers' axes are.
    rotations = trackers.rotations.copy()
    rotations[HEAD] = trackers.joint_rotations[HEAD]
    for roles in (("pelvis", "head"), ("head",)):
        tracked = mask_of(roles)
        assert not shows_direction(tracked)
        calibration = calibrate(skeleton, trackers.positions, rotations, tracked=tracked)
        assert errors_of(calibration, trackers, tracked).max() < 130.0
        turned = quat.mul(rotations[HEAD], calibration.mount_rotations[HEAD].astype(float))
        assert abs(float(turned @ trackers.joint_rotations[HEAD])) > np.cos(np.radians(5.0))


def test_a_floor_that_is_not_at_height_zero_is_told(skeleton: Skeleton) -> None:
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 1)
    sunk = trackers.positions - np.array([0.0, 1.2, 0.0])
    tracked = mask_of(("head", *HANDS))
    calibration = calibrate(skeleton, sunk, trackers.rotations, tracked=tracked)
    assert any("the floor is not at height zero" in text for text in calibration.warnings)
    assert not calibrate(skeleton, trackers.positions, trackers.rotations, tracked=tracked).warnings
    # Feet show where it is.
    with_feet = calibrate(skeleton, sunk, trackers.rotations)
    assert not any("floor" in text for text in with_feet.warnings)


@pytest.mark.parametrize("factor", [0.02, 1.0, 100.0])
def test_three_trackers_in_other_units(skeleton: Skeleton, factor: float) -> None:
    """A scene may be in centimetres."""
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 1)
    tracked = mask_of(("head", *HANDS))
    arguments = trackers.rotations, CalibrationOptions(), tracked
    own = calibrate(skeleton, trackers.positions, *arguments)
    scaled = calibrate(skeleton.scaled(factor), factor * trackers.positions, *arguments)
    np.testing.assert_allclose(scaled.mount_offsets / factor, own.mount_offsets, atol=1e-4)


def test_a_head_or_a_pelvis_is_needed(skeleton: Skeleton) -> None:
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 1)
    tracked = mask_of((*HANDS, *FEET))
    with pytest.raises(TrackerError, match="neither pelvis nor head"):
        require_anchor(tracked)
    with pytest.raises(TrackerError, match="neither pelvis nor head"):
        calibrate(skeleton, trackers.positions, trackers.rotations, tracked=tracked)
    with pytest.raises(TrackerError, match="neither pelvis nor head"):
        calibrate_to_pose(
            trackers.joint_positions,
            trackers.joint_rotations,
            trackers.positions,
            trackers.rotations,
            tracked=tracked,
        )
    damaged = Calibration.none().to_json().replace("[true, true,", "[false, false,")
    with pytest.raises(TrackerError, match="cannot be read"):
        Calibration.from_json(damaged)


def test_a_calibration_is_stored_with_what_it_knows(skeleton: Skeleton) -> None:
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 1)
    tracked = mask_of(("head", *HANDS))
    options = CalibrationOptions("RETARGET")
    calibration = calibrate(skeleton, trackers.positions, trackers.rotations, options, tracked)
    read = Calibration.from_json(calibration.to_json())
    np.testing.assert_array_equal(read.tracked, tracked)
    assert (read.measured, read.assumed) == (calibration.measured, calibration.assumed)
    assert read.assumptions == calibration.assumptions != ""
    ratings = rate_trackers(calibration, calibration.performer or skeleton)
    assert (ratings[tracked] > 0.5).all()


def test_the_stillest_moment_of_three(skeleton: Skeleton) -> None:
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 3)
    tracked = mask_of(("head", *HANDS))
    sway = np.where(np.arange(91) < 45, 0.2 * np.sin(np.arange(91) * 0.2), 0.0)
    positions = np.tile(trackers.positions, (91, 1, 1)) + sway[:, None, None]
    positions[:, ~tracked] = 0.0
    take = Take(
        np.arange(91) / 60.0,
        positions.astype("f4"),
        np.tile(trackers.rotations, (91, 1, 1)).astype("f4"),
        np.tile(tracked, (91, 1)),
    )
    assert find_still_time(skeleton, take) > 0.7
    calibration, speeds = calibrate_at_stillest(skeleton, take, tracked=tracked)
    np.testing.assert_array_equal(speeds[~tracked], 0.0)
    expected = calibrate(skeleton, trackers.positions, trackers.rotations, tracked=tracked)
    np.testing.assert_allclose(calibration.mount_offsets, expected.mount_offsets, atol=1e-3)
    with pytest.raises(TrackerError, match="not seen: pelvis: switch on"):
        calibrate_at_stillest(skeleton, take, tracked=mask_of(("pelvis", "head", *HANDS)))


def test_what_is_missing_is_explained() -> None:
    assert explain_missing(TRACKERS) == describe_assumptions(mask_of(TRACKERS), ()) == ""
    assert "no device is bound to left_hand: the model" in explain_missing(
        [role for role in TRACKERS if role != "left_hand"]
    )
    assert "bound to pelvis, left_foot and right_foot: the" in explain_missing(("head", *HANDS))
    assert explain_missing(HANDS).startswith("no device is bound to pelvis or head: calibration")
    text = describe_assumptions(mask_of(("head", *HANDS)), ("floor", "legs"))
    assert text == (
        "no tracker on pelvis, left_foot and right_foot: the model fills in the rest of the body."
        " It assumes that the floor is at height zero and the legs have the usual length"
    )
    assert roles_in(mask_of(HANDS)) == list(HANDS)
    bound = [role for role in TRACKERS if role != "head"]
    assert explain_missing(bound, {"head"}).startswith("no position of head: the model guesses")
    measures: list[Measurement] = ["position", "rotation", "pose", "pose", "pose", "pose"]
    assert describe_assumptions(mask_of(bound), (), measures) == (
        "no position of head: the model guesses it from the rotation. no rotation of pelvis: the"
        " model guesses it from the position"
    )


@pytest.mark.parametrize("roles", SUBSETS)
def test_any_subset_makes_a_body(motion: Motion, roles: tuple[str, ...]) -> None:
    """Whole takes and frame by frame: finite, exact where measured, never below the floor."""
    take = Take.from_motion(motion)
    take = replace(take, valid=take.valid & mask_of(roles))
    reconstructor = Reconstructor(motion.skeleton)
    whole = reconstructor.clip(take)
    assert np.isfinite(whole.rotations).all()
    joints = whole.positions()
    if "head" in roles and "pelvis" in roles:
        off = np.linalg.norm(joints - motion.positions(), axis=-1)[:, INDEX["head"]]
        assert off.mean() < 0.01
    floor = 0.0 if "left_foot" not in roles else -np.inf
    assert joints[:, [INDEX["left_toe"], INDEX["right_toe"]], 1].min() > floor - 1e-3
    for frame in range(60):
        rotations, root = reconstructor.frame(
            take.positions[frame], take.rotations[frame], take.valid[frame]
        )
        assert np.isfinite(rotations).all() and np.isfinite(root).all()
