# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration: how trackers sit on their joints."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import (
    ADULT_SIZE,
    FOOT_TRACKERS,
    INDEX,
    TRACKER_JOINTS,
    TRACKERS,
    Skeleton,
)
from ssrhmr_core.tracking.calibration import (
    Calibration,
    CalibrationOptions,
    Proportions,
    calibrate,
    calibrate_at_stillest,
    calibrate_to_pose,
    rate_trackers,
    warn_of_movement,
)
from ssrhmr_core.tracking.reference_pose import ReferencePose, measure_ankle_height
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.drawn import bodies, headings, motions, numbers, seeds
from tests.core.mounts import MOUNT_SETS, mount_trackers, place_at_mean

END_EFFECTORS = list(TRACKER_JOINTS)
PELVIS, HEAD, LEFT_HAND, RIGHT_HAND = (
    TRACKERS.index(name) for name in ("pelvis", "head", "left_hand", "right_hand")
)
POSE_HINTS = {
    ReferencePose.T_POSE: "choose the T-pose",
    ReferencePose.A_POSE: "A-pose if",
    ReferencePose.ARMS_DOWN: "arms down if",
}
RANDOM = np.random.default_rng(2)
IDENTITIES = np.tile([1.0, 0.0, 0.0, 0.0], (6, 1))
MOUNT_ROTATIONS = quat.normalize(RANDOM.standard_normal((6, 4)))
MOUNT_OFFSETS = 0.025 * RANDOM.standard_normal((6, 3))

LEG_BONES = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle")]


def mounted(take: Take) -> Take:
    """The same take as seen by trackers with arbitrary mounts."""
    mounts = np.broadcast_to(quat.inverse(MOUNT_ROTATIONS), take.rotations.shape)
    rotations = quat.mul(take.rotations.astype(float), mounts)
    positions = take.positions - quat.mul_vec(
        rotations, np.broadcast_to(MOUNT_OFFSETS, take.positions.shape)
    )
    return Take(take.times, positions.astype("f4"), rotations.astype("f4"), take.valid)


def t_pose(skeleton: Skeleton, heading: float = 0.0, factor: float = 1.0) -> Take:
    """One frame of a performer ``factor`` times as large, somewhere in the room."""
    turn = quat.from_angle_axis(np.array([heading]), np.array([0.0, 1.0, 0.0]))
    positions = quat.mul_vec(np.tile(turn, (6, 1)), skeleton.t_pose()[END_EFFECTORS]) * factor
    position = np.array([1.0, 0.9 * factor, -2.0])
    return Take(
        np.zeros(1),
        (positions + position)[None].astype("f4"),
        np.tile(turn, (6, 1))[None].astype("f4"),
        np.ones((1, 6), bool),
    )


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 2.0 * np.degrees(np.arccos(np.clip(np.abs((a * b).sum(-1)), 0.0, 1.0)))


def test_calibrating_to_a_pose_undoes_any_mount(motion: Motion) -> None:
    take = Take.from_motion(motion)
    trackers = mounted(take)
    calibration = calibrate_to_pose(
        take.positions[7], take.rotations[7], trackers.positions[7], trackers.rotations[7]
    )
    applied = calibration.apply(trackers)
    np.testing.assert_allclose(applied.positions, take.positions, atol=1e-5)
    assert angle(applied.rotations, take.rotations).max() < 0.1


@pytest.mark.parametrize("heading", [0.0, 1.0, 3.0, -2.0])
def test_t_pose_calibration_finds_heading_and_mounts(skeleton: Skeleton, heading: float) -> None:
    truth = t_pose(skeleton, heading)
    trackers = mounted(truth)
    calibration = calibrate(skeleton, trackers.positions[0], trackers.rotations[0])
    applied = calibration.apply(trackers)
    turned = angle(applied.rotations, truth.rotations)[0]
    # Whether a tracker is 5 cm too high or the arm is, nobody can tell.
    assert (
        turned[[PELVIS, HEAD, *FOOT_TRACKERS]].max() < 1.0
        and turned[[LEFT_HAND, RIGHT_HAND]].max() < 8.0
    )
    assert np.linalg.norm(applied.positions - truth.positions, axis=-1).max() < 0.06
    assert not calibration.warnings
    assert rate_trackers(calibration, skeleton).min() > 0.5


def test_t_pose_calibration_without_mounts_is_exact(skeleton: Skeleton) -> None:
    truth = t_pose(skeleton, 0.7)
    calibration = calibrate(skeleton, truth.positions[0], truth.rotations[0])
    np.testing.assert_allclose(calibration.mount_distances, 0.0, atol=1e-5)
    assert angle(calibration.apply(truth).rotations, truth.rotations).max() < 0.1


def test_a_performer_of_another_size(skeleton: Skeleton) -> None:
    trackers = t_pose(skeleton, 0.3, factor=0.8)
    plain = calibrate(skeleton, trackers.positions[0], trackers.rotations[0])
    assert any("1.25 times" in warning for warning in plain.warnings)
    fitted = calibrate(
        skeleton, trackers.positions[0], trackers.rotations[0], CalibrationOptions("FIT")
    )
    assert fitted.scale == pytest.approx(1.25, abs=1e-3)
    assert fitted.warnings == ()
    np.testing.assert_allclose(fitted.mount_distances, 0.0, atol=1e-4)


def mounted_take(skeleton: Skeleton, mount_set: int) -> Take:
    """A frame of a performer in the T-pose who wears one of the sets of mounts."""
    trackers = mount_trackers(skeleton, MOUNT_SETS[mount_set], mount_set, ReferencePose.T_POSE)
    return Take(
        np.zeros(1), trackers.positions[None], trackers.rotations[None], np.ones((1, 6), bool)
    )


@pytest.mark.parametrize("mount_set", [None, *range(4)])
@pytest.mark.parametrize("legs", [0.5, 1.0, 1.4])
def test_scaled_trackers_keep_the_soles_on_the_floor(
    skeleton: Skeleton, legs: float, mount_set: int | None
) -> None:
    """Whatever the character's build, and wherever the trackers are mounted."""
    offsets = skeleton.offsets.copy()
    offsets[LEG_BONES] *= np.float32(legs)
    character = Skeleton(offsets)
    if mount_set is None:
        trackers = t_pose(skeleton)
        trackers.positions[..., 1] += (
            measure_ankle_height(skeleton) - trackers.positions[0, FOOT_TRACKERS[0], 1]
        )
    else:
        trackers = mounted_take(skeleton, mount_set)
    calibration = calibrate(
        character, trackers.positions[0], trackers.rotations[0], CalibrationOptions("FIT")
    )
    ankles = calibration.apply(trackers).positions[0, FOOT_TRACKERS, 1].mean()
    assert ankles == pytest.approx(measure_ankle_height(character), abs=2e-3)


@pytest.mark.parametrize("mount_set", range(4))
@pytest.mark.parametrize("proportions", ["MATCH", "FIT"])
def test_soles_that_are_known_are_put_on_the_floor(
    skeleton: Skeleton, proportions: Proportions, mount_set: int
) -> None:
    """A character in shoes with soles of 6 cm, whoever wears the trackers."""
    character = Skeleton(skeleton.offsets, sole=0.06)
    trackers = mounted_take(skeleton, mount_set)
    calibration = calibrate(
        character, trackers.positions[0], trackers.rotations[0], CalibrationOptions(proportions)
    )
    ankles = calibration.apply(trackers).positions[0, FOOT_TRACKERS, 1].mean()
    assert ankles == pytest.approx(measure_ankle_height(character), abs=2e-3)


def test_swapped_feet_are_noticed(skeleton: Skeleton) -> None:
    trackers = t_pose(skeleton)
    order = [0, 1, 2, 3, 5, 4]
    calibration = calibrate(skeleton, trackers.positions[0, order], trackers.rotations[0, order])
    assert any("swapped" in warning for warning in calibration.warnings)


def test_swapped_hands_are_noticed(skeleton: Skeleton) -> None:
    trackers = t_pose(skeleton)
    order = [0, 1, 3, 2, 4, 5]
    calibration = calibrate(skeleton, trackers.positions[0, order], trackers.rotations[0, order])
    assert any("swapped" in warning for warning in calibration.warnings)


def test_arms_down_is_not_a_t_pose(skeleton: Skeleton) -> None:
    trackers = t_pose(skeleton)
    for hand, shoulder in (
        (LEFT_HAND, INDEX["left_shoulder"]),
        (RIGHT_HAND, INDEX["right_shoulder"]),
    ):
        trackers.positions[0, hand] = trackers.positions[0, PELVIS] + skeleton.t_pose()[shoulder]
        trackers.positions[0, hand, 1] -= 0.53
    calibration = calibrate(skeleton, trackers.positions[0], trackers.rotations[0])
    assert any("T-pose" in warning for warning in calibration.warnings)
    assert rate_trackers(calibration, skeleton).min() < 0.5


def test_other_units_scale_all_lengths(skeleton: Skeleton, motion: Motion) -> None:
    """Trackers in these units come to the same joints, in these units."""
    random = np.random.default_rng(7)
    none = Calibration.none()
    own = replace(
        none,
        mount_offsets=random.normal(0.0, 0.1, (6, 3)).astype(np.float32),
        deviations=random.random(6).astype(np.float32),
        performer=skeleton,
        floor=(0.1, 0.02, -0.01),
    )
    scaled = own.scaled(100.0)
    take = Take.from_motion(motion, ["chest"])
    joints, others = own.apply(take), scaled.apply(take.scaled(100.0))
    np.testing.assert_allclose(others.positions, 100.0 * joints.positions, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(others.rotations, joints.rotations, atol=1e-6)
    assert joints.extras is not None and others.extras is not None
    wanted = 100.0 * joints.extras.positions
    np.testing.assert_allclose(others.extras.positions, wanted, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(scaled.deviations, 100.0 * own.deviations, rtol=1e-6)
    assert scaled.performer is not None
    assert scaled.performer.size == pytest.approx(100.0 * skeleton.size)


def test_json_round_trip(skeleton: Skeleton) -> None:
    trackers = mounted(t_pose(skeleton))
    calibration = calibrate(
        skeleton, trackers.positions[0], trackers.rotations[0], CalibrationOptions("FIT")
    )
    again = Calibration.from_json(calibration.to_json())
    np.testing.assert_allclose(again.mount_offsets, calibration.mount_offsets)
    np.testing.assert_allclose(again.mount_rotations, calibration.mount_rotations)
    assert (again.scale, again.warnings) == (calibration.scale, calibration.warnings)
    values = json.loads(calibration.to_json())
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
    without_offsets = calibration.to_json().replace("mount_offsets", "legs")
    texts += ["", "{}", "[1]", without_offsets, "null", "[" * 100_000]
    for text in texts:
        with pytest.raises(TrackerError, match="calibrate again"):
            Calibration.from_json(text)


def test_a_tracker_without_a_position_is_named(motion: Motion) -> None:
    rotations = Take.from_motion(motion).rotations[0]
    positions = np.where(np.arange(6)[:, None] == HEAD, np.nan, np.ones((6, 3)))
    with pytest.raises(TrackerError, match="head has no position"):
        calibrate(motion.skeleton, positions, rotations)
    with pytest.raises(TrackerError, match="one place"):
        calibrate(motion.skeleton, np.ones((6, 3)), rotations)


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
    calibration, speeds = calibrate_at_stillest(skeleton, take)
    expected = calibrate(skeleton, t_pose(skeleton).positions[0], t_pose(skeleton).rotations[0])
    np.testing.assert_allclose(calibration.mount_offsets, expected.mount_offsets, atol=0.004)
    assert angle(calibration.mount_rotations, expected.mount_rotations).max() < 0.2
    # Noise of 2 mm is no movement.
    assert warn_of_movement(speeds) == ()


def test_a_hand_that_turns_back_is_not_still(skeleton: Skeleton) -> None:
    take = second(skeleton, 0.3 * np.sin(7.0 * np.arange(61) / 60.0))
    _, speeds = calibrate_at_stillest(skeleton, take)
    assert len(warn_of_movement(speeds)) == 6


def test_trackers_that_are_not_valid_cannot_be_calibrated(skeleton: Skeleton) -> None:
    take = second(skeleton, np.zeros(61))
    take.valid[:, LEFT_HAND] = False
    with pytest.raises(TrackerError, match="not seen: left_hand: switch on"):
        calibrate_at_stillest(skeleton, take)
    take.valid[:, LEFT_HAND] = np.arange(61) % 5 > 0
    with pytest.raises(TrackerError, match="not all seen at once"):
        calibrate_at_stillest(skeleton, take)
    take.valid[20:30, LEFT_HAND] = True
    calibrate_at_stillest(skeleton, take)


CASES = [(mounts, reference) for mounts in MOUNT_SETS for reference in ReferencePose]


def errors(
    skeleton: Skeleton, mounts: tuple[str, ...], reference: ReferencePose
) -> tuple[float, float]:
    """Mean error of joints, mm, of the calibration and of the plain mean of trackers."""
    calibrated, plain = [], []
    for seed in range(4):
        trackers = mount_trackers(skeleton, mounts, seed, reference)
        calibration = calibrate(
            skeleton,
            trackers.positions,
            trackers.rotations,
            CalibrationOptions(reference=reference),
        )
        assert not calibration.swapped
        take = Take(
            np.zeros(1),
            trackers.positions[None].astype("f4"),
            trackers.rotations[None].astype("f4"),
            np.ones((1, 6), bool),
        )
        joints = calibration.apply(take).positions[0]
        calibrated.append(np.linalg.norm(joints - trackers.joint_positions, axis=-1).mean())
        guess = place_at_mean(skeleton, trackers, reference)
        plain.append(np.linalg.norm(guess - trackers.joint_positions, axis=-1).mean())
    return 1000.0 * float(np.mean(calibrated)), 1000.0 * float(np.mean(plain))


@pytest.mark.parametrize(("mounts", "reference"), CASES)
def test_usual_mounts_are_known(
    skeleton: Skeleton, mounts: tuple[str, ...], reference: ReferencePose
) -> None:
    calibrated, plain = errors(skeleton, mounts, reference)
    assert calibrated < 0.75 * plain and calibrated < 52.0


def test_knowing_usual_mounts_beats_the_mean_of_trackers(
    skeleton: Skeleton,
) -> None:
    print(f"\n{'mounts':62} {'pose':10} {'mean of trackers':>16} {'calibrated':>11}   mm")
    figures = np.zeros((len(CASES), 2))
    for row, (mounts, reference) in zip(figures, CASES, strict=True):
        row[:] = errors(skeleton, mounts, reference)
        print(f"{', '.join(mounts):62} {reference:10} {row[1]:16.1f} {row[0]:11.1f}")
    mean, before = figures.mean(0)
    print(f"{'mean':73} {before:16.1f} {mean:11.1f}")
    assert mean < 40.0 and mean < 0.6 * before


@pytest.mark.parametrize("reference", list(ReferencePose))
def test_another_pose_than_the_chosen_one_is_named(
    skeleton: Skeleton, reference: ReferencePose
) -> None:
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], 1, reference)
    for asked in ReferencePose:
        calibration = calibrate(
            skeleton, trackers.positions, trackers.rotations, CalibrationOptions(reference=asked)
        )
        arm_warnings = [
            warning for warning in calibration.warnings if "arms are not held" in warning
        ]
        assert bool(arm_warnings) == (asked != reference)
        assert all(POSE_HINTS[reference] in warning for warning in arm_warnings)


@pytest.mark.parametrize("reference", [ReferencePose.T_POSE, ReferencePose.A_POSE])
@pytest.mark.parametrize("mounts", MOUNT_SETS)
@pytest.mark.parametrize(("pair", "left"), [("hands", LEFT_HAND), ("feet", FOOT_TRACKERS[0])])
def test_swapped_labels_are_named(
    skeleton: Skeleton, mounts: tuple[str, ...], reference: ReferencePose, pair: str, left: int
) -> None:
    order = list(range(6))
    order[left], order[left + 1] = left + 1, left
    for seed in range(4):
        trackers = mount_trackers(skeleton, mounts, seed, reference)
        calibration = calibrate(
            skeleton,
            trackers.positions[order],
            trackers.rotations[order],
            CalibrationOptions(reference=reference),
        )
        assert pair in calibration.swapped, seed
        assert pair in calibration.warnings[0]


def test_nudges_move_and_turn_joints_along_the_bodys_axes(skeleton: Skeleton) -> None:
    truth = t_pose(skeleton)
    trackers = mounted(truth)
    calibration = calibrate_to_pose(
        truth.positions[0], truth.rotations[0], trackers.positions[0], trackers.rotations[0]
    )
    offsets = np.zeros((6, 3))
    offsets[LEFT_HAND] = 0.01, 0.02, 0.03
    rotations = np.tile([1.0, 0.0, 0.0, 0.0], (6, 1))
    rotations[RIGHT_HAND] = quat.from_angle_axis(
        np.array([0.5]), np.array([0.0, 1.0, 0.0])
    ).reshape(4)
    applied = calibration.adjusted(offsets, rotations).apply(trackers)
    np.testing.assert_allclose(applied.positions[0] - truth.positions[0], offsets, atol=1e-5)
    assert angle(applied.rotations[0], rotations).max() < 0.1


def test_calibrations_of_earlier_versions_are_read(skeleton: Skeleton) -> None:
    trackers = t_pose(skeleton)
    calibration = calibrate(skeleton, trackers.positions[0], trackers.rotations[0])
    values = json.loads(calibration.to_json())
    del values["swapped"]
    assert Calibration.from_json(json.dumps(values)).swapped == ()


@pytest.mark.parametrize("size", [1.0, 100.0, 0.01])
def test_bodies_in_other_units_are_warned_of_in_centimetres(
    skeleton: Skeleton, size: float
) -> None:
    body, trackers = skeleton.scaled(size), t_pose(skeleton, factor=size)
    joints, rotations = trackers.positions[0].astype(float), trackers.rotations[0]

    def warnings(away: float) -> tuple[str, ...]:
        moved = joints.copy()
        moved[LEFT_HAND, 2] += away * size
        return calibrate_to_pose(joints, rotations, moved, rotations, body.size).warnings

    assert warnings(0.3) == ()
    said = 70.0 if size == 1.0 else 70.0 * ADULT_SIZE / skeleton.size
    (warning,) = warnings(0.7)
    assert warning.startswith(f"left_hand is {said:.0f} cm away from its joint: ")


@given(motion=motions(), seed=seeds(), size=st.sampled_from([0.01, 1.0, 100.0]))
def test_any_mounts_on_any_body_are_undone(motion: Motion, seed: int, size: float) -> None:
    """Calibrated to the pose of one frame, each tracker gives its joint back at every frame."""
    random = np.random.default_rng(seed)
    truth = Take.from_motion(motion)
    mounts = quat.normalize(random.standard_normal((6, 4)))
    offsets = 0.1 * size * random.standard_normal((6, 3))
    rotations = quat.mul(truth.rotations.astype(float), np.tile(mounts, (len(truth), 1, 1)))
    positions = size * truth.positions + quat.mul_vec(
        rotations, np.tile(offsets, (len(truth), 1, 1))
    )
    trackers = Take(truth.times, positions.astype("f4"), rotations.astype("f4"), truth.valid)
    frame = int(random.integers(len(truth)))
    calibration = calibrate_to_pose(
        size * truth.positions[frame],
        truth.rotations[frame],
        positions[frame],
        rotations[frame],
        size,
    )
    copies = (
        calibration,
        Calibration.from_json(calibration.to_json()),
        calibration.adjusted(0 * offsets, IDENTITIES),
    )
    for each in copies:
        applied = each.apply(trackers)
        away = np.abs(applied.positions - size * truth.positions).max()
        assert away < 1e-5 * size * (1.0 + np.abs(truth.positions).max())
        assert angle(applied.rotations, truth.rotations).max() < 0.2


@given(body=bodies(small=0.7, large=1.2), heading=headings(), position=numbers(3, 5.0))
def test_any_body_without_mounts_is_found(
    body: Skeleton, heading: np.ndarray, position: np.ndarray
) -> None:
    rotations = np.tile(heading, (6, 1))
    joints = quat.mul_vec(rotations, body.t_pose()[END_EFFECTORS].astype(float)) + position
    # In the air: trackers that are the joints themselves do not say where the floor is.
    calibration = calibrate(body, joints, rotations)
    assert (
        calibration.mount_distances.max() < 2e-3
        and not calibration.swapped
        and not calibration.warnings
    )
    assert angle(calibration.mount_rotations, IDENTITIES).max() < 0.5


@given(
    body=bodies(small=0.7, large=1.2),
    mounts=st.sampled_from(MOUNT_SETS),
    seed=seeds(),
    reference=st.sampled_from(list(ReferencePose)),
    heading=headings(),
    position=numbers(2, 5.0),
    proportions=st.sampled_from(["MATCH", "FIT", "RETARGET"]),
)
def test_heading_and_place_in_the_room_mean_nothing(
    body: Skeleton,
    mounts: tuple[str, ...],
    seed: int,
    reference: ReferencePose,
    heading: np.ndarray,
    position: np.ndarray,
    proportions: Proportions,
) -> None:
    """Nor do the mount rotations: seen from the trackers, the calibration is the same."""
    trackers = mount_trackers(body, mounts, seed, reference)
    turn = np.tile(heading, (6, 1))
    positions = quat.mul_vec(turn, trackers.positions) + np.array([position[0], 0.0, position[1]])
    options = CalibrationOptions(proportions, reference)
    one = calibrate(body, trackers.positions, trackers.rotations, options)
    other = calibrate(body, positions, quat.mul(turn, trackers.rotations), options)
    np.testing.assert_allclose(other.mount_offsets, one.mount_offsets, atol=1e-3)
    assert angle(other.mount_rotations, one.mount_rotations).max() < 0.2
    assert other.scale == pytest.approx(one.scale, abs=1e-3)
    assert other.swapped == one.swapped
