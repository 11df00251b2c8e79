# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration: how trackers sit on their joints."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import ADULT_SIZE, TRACKER_JOINTS, Skeleton
from ssrhmr_core.tracking.calibration import (
    Calibration,
    Proportions,
    calibrate,
    calibrate_at_stillest,
    calibrate_to_pose,
    find_still_time,
    movement_warnings,
    peak_speeds,
    quality,
)
from ssrhmr_core.tracking.reference_pose import ELEVATIONS, ankle_height
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.drawn import bodies, headings, motions, numbers, seeds
from tests.core.mounts import SETS, mean_of_trackers, wear

ENDS = list(TRACKER_JOINTS)
NAMES = {"T_POSE": "choose the T-pose", "A_POSE": "A-pose if", "ARMS_DOWN": "arms down if"}
RANDOM = np.random.default_rng(2)
UNTURNED = np.tile([1.0, 0.0, 0.0, 0.0], (6, 1))
MOUNTS = quat.normalize(RANDOM.standard_normal((6, 4)))
ARMS = 0.025 * RANDOM.standard_normal((6, 3))


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
    turned = angle(applied.rotations, truth.rotations)[0]
    # Whether a tracker is 5 cm too high or the arm is, nobody can tell.
    assert turned[[0, 1, 4, 5]].max() < 1.0 and turned[2:4].max() < 8.0
    assert np.linalg.norm(applied.positions - truth.positions, axis=-1).max() < 0.06
    assert not found.warnings
    assert quality(found, skeleton).min() > 0.5


def test_t_pose_calibration_without_mounts_is_exact(skeleton: Skeleton) -> None:
    truth = t_pose(skeleton, 0.7)
    found = calibrate(skeleton, truth.positions[0], truth.rotations[0])
    np.testing.assert_allclose(found.mount_distances, 0.0, atol=1e-5)
    assert angle(found.apply(truth).rotations, truth.rotations).max() < 0.1


def test_a_performer_of_another_size(skeleton: Skeleton) -> None:
    worn = t_pose(skeleton, 0.3, factor=0.8)
    plain = calibrate(skeleton, worn.positions[0], worn.rotations[0])
    assert any("1.25 times" in warning for warning in plain.warnings)
    fitted = calibrate(skeleton, worn.positions[0], worn.rotations[0], proportions="FIT")
    assert fitted.scale == pytest.approx(1.25, abs=1e-3)
    assert fitted.warnings == ()
    np.testing.assert_allclose(fitted.mount_distances, 0.0, atol=1e-4)


@pytest.mark.parametrize("worn_by", [None, *range(4)])
@pytest.mark.parametrize("legs", [0.5, 1.0, 1.4])
def test_scaled_trackers_keep_the_soles_on_the_floor(
    skeleton: Skeleton, legs: float, worn_by: int | None
) -> None:
    """Whatever the character's build, and wherever the performer wears the trackers."""
    offsets = skeleton.offsets.copy()
    offsets[[2, 3, 6, 7]] *= np.float32(legs)
    character = Skeleton(offsets)
    if worn_by is None:
        worn = t_pose(skeleton)
        worn.positions[..., 1] += ankle_height(skeleton) - worn.positions[0, 4, 1]
    else:
        put_on = wear(skeleton, SETS[worn_by], worn_by, "T_POSE")
        worn = Take(
            np.zeros(1), put_on.positions[None], put_on.rotations[None], np.ones((1, 6), bool)
        )
    found = calibrate(character, worn.positions[0], worn.rotations[0], proportions="FIT")
    ankles = found.apply(worn).positions[0, 4:, 1].mean()
    assert ankles == pytest.approx(ankle_height(character), abs=2e-3)


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
    warnings = movement_warnings(peak_speeds(take, 1.0))
    assert warnings and all("cm/s" in warning for warning in warnings)
    still = Take(take.times, take.positions * 0 + 1, take.rotations, take.valid)
    assert movement_warnings(peak_speeds(still, 1.0)) == ()


def test_json_round_trip(skeleton: Skeleton) -> None:
    worn = mounted(t_pose(skeleton))
    found = calibrate(skeleton, worn.positions[0], worn.rotations[0], proportions="FIT")
    again = Calibration.from_json(found.to_json())
    np.testing.assert_allclose(again.mount_offsets, found.mount_offsets)
    np.testing.assert_allclose(again.mount_rotations, found.mount_rotations)
    assert (again.scale, again.warnings) == (found.scale, found.warnings)
    values = json.loads(found.to_json())
    damaged: list[dict[str, object]] = [
        {"scale": 10**400},
        {"scale": 0.0},
        {"scale": float("nan")},
        {"deviations": [10**400] * 6},
        {"mount_rotations": [[0.0, 0.0, 0.0, 0.0]] * 6},
        {"performer": [[1e-30, 0.0, 0.0]] * 22},
        {"swapped": [{}]},
    ]
    texts = [json.dumps({**values, **damage}) for damage in damaged]
    without_offsets = found.to_json().replace("mount_offsets", "legs")
    texts += ["", "{}", "[1]", without_offsets, "null", "[" * 100_000]
    for text in texts:
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
    found, speeds = calibrate_at_stillest(skeleton, take)
    expected = calibrate(skeleton, t_pose(skeleton).positions[0], t_pose(skeleton).rotations[0])
    np.testing.assert_allclose(found.mount_offsets, expected.mount_offsets, atol=0.004)
    assert angle(found.mount_rotations, expected.mount_rotations).max() < 0.2
    # Noise of 2 mm is no movement.
    assert movement_warnings(speeds) == ()


def test_a_hand_that_turns_back_is_not_still(skeleton: Skeleton) -> None:
    take = second(skeleton, 0.3 * np.sin(7.0 * np.arange(61) / 60.0))
    _, speeds = calibrate_at_stillest(skeleton, take)
    assert len(movement_warnings(speeds)) == 6


def test_trackers_that_are_not_seen_cannot_be_calibrated(skeleton: Skeleton) -> None:
    take = second(skeleton, np.zeros(61))
    take.valid[:, 2] = False
    with pytest.raises(TrackerError, match="not seen: left_hand; calibration needs all six"):
        calibrate_at_stillest(skeleton, take)
    take.valid[:, 2] = np.arange(61) % 5 > 0
    with pytest.raises(TrackerError, match="not all seen at once"):
        calibrate_at_stillest(skeleton, take)
    take.valid[20:30, 2] = True
    calibrate_at_stillest(skeleton, take)


WORN = [(worn, reference) for worn in SETS for reference in ELEVATIONS]


def errors(skeleton: Skeleton, worn: tuple[str, ...], reference: str) -> tuple[float, float]:
    """Mean error of joints, mm, of the calibration and of the plain mean of trackers."""
    found, plain = [], []
    for seed in range(4):
        seen = wear(skeleton, worn, seed, reference)
        made = calibrate(skeleton, seen.positions, seen.rotations, reference=reference)
        assert not made.swapped
        take = Take(
            np.zeros(1),
            seen.positions[None].astype("f4"),
            seen.rotations[None].astype("f4"),
            np.ones((1, 6), bool),
        )
        joints = made.apply(take).positions[0]
        found.append(np.linalg.norm(joints - seen.joints, axis=-1).mean())
        guess = mean_of_trackers(skeleton, seen, reference)
        plain.append(np.linalg.norm(guess - seen.joints, axis=-1).mean())
    return 1000.0 * float(np.mean(found)), 1000.0 * float(np.mean(plain))


@pytest.mark.parametrize(("worn", "reference"), WORN)
def test_how_trackers_are_worn_is_known(
    skeleton: Skeleton, worn: tuple[str, ...], reference: str
) -> None:
    found, plain = errors(skeleton, worn, reference)
    assert found < 0.75 * plain and found < 52.0


def test_what_is_gained_by_knowing_how_trackers_are_worn(
    skeleton: Skeleton,
) -> None:
    print(f"\n{'worn':62} {'pose':10} {'mean of trackers':>16} {'calibrated':>11}   mm")
    found = np.zeros((len(WORN), 2))
    for row, (worn, reference) in zip(found, WORN, strict=True):
        row[:] = errors(skeleton, worn, reference)
        print(f"{', '.join(worn):62} {reference:10} {row[1]:16.1f} {row[0]:11.1f}")
    mean, before = found.mean(0)
    print(f"{'mean':73} {before:16.1f} {mean:11.1f}")
    assert mean < 40.0 and mean < 0.6 * before


@pytest.mark.parametrize("reference", sorted(ELEVATIONS))
def test_another_pose_than_the_chosen_one_is_named(skeleton: Skeleton, reference: str) -> None:
    seen = wear(skeleton, SETS[0], 1, reference)
    for asked in ELEVATIONS:
        found = calibrate(skeleton, seen.positions, seen.rotations, reference=asked)
        told = [warning for warning in found.warnings if "arms are not held" in warning]
        assert bool(told) == (asked != reference)
        assert all(NAMES[reference] in warning for warning in told)


@pytest.mark.parametrize("reference", ["T_POSE", "A_POSE"])
@pytest.mark.parametrize("worn", SETS)
@pytest.mark.parametrize(("pair", "left"), [("hands", 2), ("feet", 4)])
def test_swapped_labels_are_named(
    skeleton: Skeleton, worn: tuple[str, ...], reference: str, pair: str, left: int
) -> None:
    order = list(range(6))
    order[left], order[left + 1] = left + 1, left
    for seed in range(4):
        seen = wear(skeleton, worn, seed, reference)
        found = calibrate(
            skeleton, seen.positions[order], seen.rotations[order], reference=reference
        )
        assert pair in found.swapped, seed
        assert pair in found.warnings[0]


def test_nudges_move_and_turn_joints_along_the_bodys_axes(skeleton: Skeleton) -> None:
    truth = t_pose(skeleton)
    worn = mounted(truth)
    made = calibrate_to_pose(
        truth.positions[0], truth.rotations[0], worn.positions[0], worn.rotations[0]
    )
    offsets = np.zeros((6, 3))
    offsets[2] = 0.01, 0.02, 0.03
    turns = np.tile([1.0, 0.0, 0.0, 0.0], (6, 1))
    turns[3] = quat.from_angle_axis(np.array([0.5]), np.array([0.0, 1.0, 0.0])).reshape(4)
    applied = made.adjusted(offsets, turns).apply(worn)
    np.testing.assert_allclose(applied.positions[0] - truth.positions[0], offsets, atol=1e-5)
    assert angle(applied.rotations[0], turns).max() < 0.1


def test_calibrations_of_earlier_versions_are_read(skeleton: Skeleton) -> None:
    worn = t_pose(skeleton)
    found = calibrate(skeleton, worn.positions[0], worn.rotations[0])
    values = json.loads(found.to_json())
    del values["swapped"]
    assert Calibration.from_json(json.dumps(values)).swapped == ()


@pytest.mark.parametrize("size", [1.0, 100.0, 0.01])
def test_bodies_in_other_units_are_warned_of_in_centimetres(
    skeleton: Skeleton, size: float
) -> None:
    body, worn = skeleton.scaled(size), t_pose(skeleton, factor=size)
    joints, turns = worn.positions[0].astype(float), worn.rotations[0]

    def warnings(away: float) -> tuple[str, ...]:
        moved = joints.copy()
        moved[2, 2] += away * size
        return calibrate_to_pose(joints, turns, moved, turns, body.size).warnings

    assert warnings(0.3) == ()
    said = 70.0 if size == 1.0 else 70.0 * ADULT_SIZE / skeleton.size
    (warning,) = warnings(0.7)
    assert warning.startswith(f"left_hand is {said:.0f} cm away from its joint: ")


def test_the_still_frame_of_the_pose_is_found(motion: Motion) -> None:
    """A second of T-pose, half of it in motion, between a second of A-pose and a dance."""
    body, times = motion.skeleton, np.arange(301) / 60.0
    t, a = (wear(body, SETS[0], 3, pose) for pose in ("T_POSE", "A_POSE"))
    positions = np.concatenate([np.tile(a.positions, (60, 1, 1)), np.tile(t.positions, (91, 1, 1))])
    sway = np.where(np.arange(91) < 45, 0.2 * np.sin(np.arange(91) * 0.2), 0.0)
    positions[60:] += sway[:, None, None]
    dance = Take.from_motion(motion).positions
    positions = np.concatenate([positions, dance])
    rotations = np.tile(t.rotations, (301, 1, 1))
    take = Take(times, positions.astype("f4"), rotations.astype("f4"), np.ones((301, 6), bool))
    assert 105 / 60 < find_still_time(body, take, "T_POSE") < 2.5
    assert find_still_time(body, take, "A_POSE") < 1.0
    take.valid[:, 0] = False
    with pytest.raises(TrackerError, match="no moment"):
        find_still_time(body, take)


@pytest.mark.parametrize("rate", [15.0, 30.0, 120.0])
@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_a_pose_that_lasts_one_frame_is_found(motion: Motion, rate: float, size: float) -> None:
    """Many files begin with one frame of the T-pose, and with the performance in the next."""
    body = motion.skeleton.scaled(size)
    pose = wear(motion.skeleton, SETS[0], 3, "T_POSE")
    dance = Take.from_motion(motion).positions
    take = Take(
        np.arange(1 + len(dance)) / rate,
        (np.concatenate([pose.positions[None], dance]) * size).astype("f4"),
        np.tile(pose.rotations, (1 + len(dance), 1, 1)).astype("f4"),
        np.ones((1 + len(dance), 6), bool),
    )
    assert find_still_time(body, take) == 0.0
    assert peak_speeds(take, 0.0).max() == 0.0


def test_speeds_across_a_cut_do_not_count() -> None:
    """Each side of it has its own speed; fast movement, which comes and goes, is no cut."""
    positions = np.zeros((60, 6, 3))
    positions[:, 1, 1] = 1.5
    positions[:30, 3, 0] = np.arange(30) * 0.01
    positions[30:, 3, 0] = 2.0 + np.arange(30) * 0.02
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (60, 6, 1))
    take = Take(
        np.arange(60) / 60.0, positions.astype("f4"), rotations.astype("f4"), np.ones((60, 6), bool)
    )
    assert peak_speeds(take, 29 / 60).max() == pytest.approx(0.6, rel=1e-3)
    assert peak_speeds(take, 30 / 60).max() == pytest.approx(1.2, rel=1e-3)
    # A blow of 8 m/s that builds up over four frames.
    speeds = np.array([0.5, 2.0, 5.0, 8.0, 5.0, 2.0, 0.5]) / 60.0
    take.positions[:, 3, 0] = np.concatenate([np.zeros(27), np.cumsum(speeds), np.full(26, 0.4)])
    assert peak_speeds(take, 27 / 60).max() == pytest.approx(8.0, rel=1e-3)


@given(motion=motions(), seed=seeds(), size=st.sampled_from([0.01, 1.0, 100.0]))
def test_any_mounts_on_any_body_are_undone(motion: Motion, seed: int, size: float) -> None:
    """Calibrated to the pose of one frame, each tracker gives its joint back at every frame."""
    random = np.random.default_rng(seed)
    truth = Take.from_motion(motion)
    mounts = quat.normalize(random.standard_normal((6, 4)))
    arms = 0.1 * size * random.standard_normal((6, 3))
    turns = quat.mul(truth.rotations.astype(float), np.tile(mounts, (len(truth), 1, 1)))
    spots = size * truth.positions + quat.mul_vec(turns, np.tile(arms, (len(truth), 1, 1)))
    worn = Take(truth.times, spots.astype("f4"), turns.astype("f4"), truth.valid)
    frame = int(random.integers(len(truth)))
    made = calibrate_to_pose(
        size * truth.positions[frame], truth.rotations[frame], spots[frame], turns[frame], size
    )
    for found in (made, Calibration.from_json(made.to_json()), made.adjusted(0 * arms, UNTURNED)):
        applied = found.apply(worn)
        away = np.abs(applied.positions - size * truth.positions).max()
        assert away < 1e-5 * size * (1.0 + np.abs(truth.positions).max())
        assert angle(applied.rotations, truth.rotations).max() < 0.2


@given(body=bodies(small=0.7, large=1.2), heading=headings(), place=numbers(3, 5.0))
def test_any_body_without_mounts_is_found(
    body: Skeleton, heading: np.ndarray, place: np.ndarray
) -> None:
    turns = np.tile(heading, (6, 1))
    joints = quat.mul_vec(turns, body.t_pose()[ENDS].astype(float)) + place
    # In the air: trackers that are the joints themselves do not say where the floor is.
    found = calibrate(body, joints, turns)
    assert found.mount_distances.max() < 2e-3 and not found.swapped and not found.warnings
    assert angle(found.mount_rotations, UNTURNED).max() < 0.5


@given(
    body=bodies(small=0.7, large=1.2),
    mounts=st.sampled_from(SETS),
    seed=seeds(),
    reference=st.sampled_from(sorted(ELEVATIONS)),
    heading=headings(),
    place=numbers(2, 5.0),
    proportions=st.sampled_from(["MATCH", "FIT", "RETARGET"]),
)
def test_heading_and_place_in_the_room_mean_nothing(
    body: Skeleton,
    mounts: tuple[str, ...],
    seed: int,
    reference: str,
    heading: np.ndarray,
    place: np.ndarray,
    proportions: Proportions,
) -> None:
    """Nor do the mounts' own turns: what is found is the same, seen from the tracker."""
    worn = wear(body, mounts, seed, reference)
    turn = np.tile(heading, (6, 1))
    spots = quat.mul_vec(turn, worn.positions) + np.array([place[0], 0.0, place[1]])
    one = calibrate(body, worn.positions, worn.rotations, proportions, reference)
    other = calibrate(body, spots, quat.mul(turn, worn.rotations), proportions, reference)
    np.testing.assert_allclose(other.mount_offsets, one.mount_offsets, atol=1e-3)
    assert angle(other.mount_rotations, one.mount_rotations).max() < 0.2
    assert other.scale == pytest.approx(one.scale, abs=1e-3)
    assert other.swapped == one.swapped
