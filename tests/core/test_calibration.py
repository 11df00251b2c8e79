"""Calibration: how trackers sit on their joints."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.calibration import (
    Calibration,
    calibrate,
    calibrate_stillest,
    calibrate_to_pose,
    quality,
    still_enough,
    stillness,
)
from ssrhmr_core.motion import Motion
from ssrhmr_core.skeleton import TRACKER_JOINTS, Skeleton
from ssrhmr_core.trackers import Take, TrackerError

ENDS = list(TRACKER_JOINTS)
RANDOM = np.random.default_rng(2)
MOUNTS = quat.normalize(RANDOM.standard_normal((6, 4)))
ARMS = 0.05 * RANDOM.standard_normal((6, 3))


def mounted(take: Take) -> Take:
    """The same take as seen by trackers that sit oddly on their joints."""
    mounts = np.broadcast_to(quat.inverse(MOUNTS), take.rotations.shape)
    turns = quat.mul(take.rotations.astype(float), mounts)
    spots = take.positions - quat.mul_vec(turns, np.broadcast_to(ARMS, take.positions.shape))
    return Take(take.times, spots.astype("f4"), turns.astype("f4"), take.valid)


def t_pose(skeleton: Skeleton, heading: float = 0.0, factor: float = 1.0) -> Take:
    """One frame of a performer ``factor`` times as large, somewhere in the room."""
    turn = quat.from_angle_axis(np.array([heading]), np.array([0.0, 1.0, 0.0]))
    spots = quat.mul_vec(np.tile(turn, (6, 1)), skeleton.t_pose()[ENDS]) * factor
    place = np.array([1.0, 0.9 * factor, -2.0])
    return Take(
        np.zeros(1),
        (spots + place)[None].astype("f4"),
        np.tile(turn, (6, 1))[None].astype("f4"),
        np.ones((1, 6), bool),
    )


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 2.0 * np.degrees(np.arccos(np.clip(np.abs((a * b).sum(-1)), 0.0, 1.0)))


def test_calibrating_to_a_pose_undoes_any_mount(motion: Motion) -> None:
    take = Take.from_motion(motion)
    worn = mounted(take)
    found = calibrate_to_pose(
        take.positions[7], take.rotations[7], worn.positions[7], worn.rotations[7]
    )
    applied = found.apply(worn)
    np.testing.assert_allclose(applied.positions, take.positions, atol=1e-5)
    assert angle(applied.rotations, take.rotations).max() < 0.1


@pytest.mark.parametrize("heading", [0.0, 1.0, 3.0, -2.0])
def test_t_pose_calibration_finds_heading_and_mounts(skeleton: Skeleton, heading: float) -> None:
    truth = t_pose(skeleton, heading)
    worn = mounted(truth)
    found = calibrate(skeleton, worn.positions[0], worn.rotations[0])
    applied = found.apply(worn)
    assert angle(applied.rotations, truth.rotations).max() < 4.0
    assert np.linalg.norm(applied.positions - truth.positions, axis=-1).max() < 0.06
    assert not found.warnings
    assert quality(found, skeleton).min() > 0.5


def test_t_pose_calibration_without_mounts_is_exact(skeleton: Skeleton) -> None:
    truth = t_pose(skeleton, 0.7)
    found = calibrate(skeleton, truth.positions[0], truth.rotations[0])
    np.testing.assert_allclose(found.arm_lengths, 0.0, atol=1e-5)
    assert angle(found.apply(truth).rotations, truth.rotations).max() < 0.1


def test_a_performer_of_another_size(skeleton: Skeleton) -> None:
    worn = t_pose(skeleton, 0.3, factor=0.8)
    plain = calibrate(skeleton, worn.positions[0], worn.rotations[0])
    assert any("1.25 times" in warning for warning in plain.warnings)
    fitted = calibrate(skeleton, worn.positions[0], worn.rotations[0], fit_scale=True)
    assert fitted.scale == pytest.approx(1.25, abs=1e-3)
    assert fitted.warnings == ()
    np.testing.assert_allclose(fitted.arm_lengths, 0.0, atol=1e-4)


def test_swapped_feet_are_noticed(skeleton: Skeleton) -> None:
    worn = t_pose(skeleton)
    order = [0, 1, 2, 3, 5, 4]
    found = calibrate(skeleton, worn.positions[0, order], worn.rotations[0, order])
    assert any("swapped" in warning for warning in found.warnings)


def test_swapped_hands_are_noticed(skeleton: Skeleton) -> None:
    worn = t_pose(skeleton)
    order = [0, 1, 3, 2, 4, 5]
    found = calibrate(skeleton, worn.positions[0, order], worn.rotations[0, order])
    assert any("swapped" in warning for warning in found.warnings)


def test_arms_down_is_not_a_t_pose(skeleton: Skeleton) -> None:
    worn = t_pose(skeleton)
    for hand, shoulder in ((2, 15), (3, 19)):
        worn.positions[0, hand] = worn.positions[0, 0] + skeleton.t_pose()[shoulder]
        worn.positions[0, hand, 1] -= 0.53
    found = calibrate(skeleton, worn.positions[0], worn.rotations[0])
    assert any("T-pose" in warning for warning in found.warnings)
    assert quality(found, skeleton).min() < 0.5


def test_moving_trackers_are_named(motion: Motion) -> None:
    take = Take.from_motion(motion)
    warnings = still_enough(stillness(take, 1.0))
    assert warnings and all("cm/s" in warning for warning in warnings)
    still = Take(take.times, take.positions * 0 + 1, take.rotations, take.valid)
    assert still_enough(stillness(still, 1.0)) == ()


def test_json_round_trip(skeleton: Skeleton) -> None:
    worn = mounted(t_pose(skeleton))
    found = calibrate(skeleton, worn.positions[0], worn.rotations[0], fit_scale=True)
    again = Calibration.from_json(found.to_json())
    np.testing.assert_allclose(again.arms, found.arms)
    np.testing.assert_allclose(again.rotations, found.rotations)
    assert (again.scale, again.warnings) == (found.scale, found.warnings)
    for text in ("", "{}", "[1]", found.to_json().replace("arms", "legs"), "null"):
        with pytest.raises(TrackerError, match="calibrate again"):
            Calibration.from_json(text)


def test_a_tracker_without_a_place_is_named(motion: Motion) -> None:
    turns = Take.from_motion(motion).rotations[0]
    unseen = np.where(np.arange(6)[:, None] == 1, np.nan, np.ones((6, 3)))
    with pytest.raises(TrackerError, match="head has no position"):
        calibrate(motion.skeleton, unseen, turns)
    with pytest.raises(TrackerError, match="one place"):
        calibrate(motion.skeleton, np.ones((6, 3)), turns)


def second(skeleton: Skeleton, sway: np.ndarray, noise: float = 0.0) -> Take:
    """A second in a T-pose, of noisy trackers that are ``sway`` (61,) metres aside."""
    still = t_pose(skeleton)
    random = np.random.default_rng(3)
    aside = sway[:, None, None] * np.array([0.0, 0.0, 1.0])
    positions = still.positions + aside + noise * random.standard_normal((61, 6, 3))
    rotations = np.tile(still.rotations, (61, 1, 1))
    # Trackers may give either of both quaternions of a rotation.
    rotations[::2] *= -1.0
    return Take(np.arange(61) / 60.0, positions.astype("f4"), rotations, np.ones((61, 6), bool))


def test_the_stillest_moment_is_found(skeleton: Skeleton) -> None:
    times = np.arange(61) / 60.0
    # Comes to rest at the second third.
    sway = 0.3 * np.where(times < 0.66, np.sin(9.0 * (times - 0.66)), 0.0)
    take = second(skeleton, sway, noise=0.002)
    found, speeds = calibrate_stillest(skeleton, take)
    expected = calibrate(skeleton, t_pose(skeleton).positions[0], t_pose(skeleton).rotations[0])
    np.testing.assert_allclose(found.arms, expected.arms, atol=0.004)
    assert angle(found.rotations, expected.rotations).max() < 0.1
    # Noise of 2 mm is no movement.
    assert still_enough(speeds) == ()


def test_a_hand_that_turns_back_is_not_still(skeleton: Skeleton) -> None:
    take = second(skeleton, 0.3 * np.sin(7.0 * np.arange(61) / 60.0))
    _, speeds = calibrate_stillest(skeleton, take)
    assert len(still_enough(speeds)) == 6


def test_trackers_that_are_not_seen_cannot_be_calibrated(skeleton: Skeleton) -> None:
    take = second(skeleton, np.zeros(61))
    take.valid[:, 2] = False
    with pytest.raises(TrackerError, match="not seen: left_hand; calibration needs all six"):
        calibrate_stillest(skeleton, take)
    take.valid[:, 2] = np.arange(61) % 5 > 0
    with pytest.raises(TrackerError, match="not all seen at once"):
        calibrate_stillest(skeleton, take)
    take.valid[20:30, 2] = True
    calibrate_stillest(skeleton, take)
