# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of optional trackers give joints back, and are stored with the calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS, Measurement, Segment
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS, Skeleton
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_extra_mounts, draw_mounts
from ssrhmr_core.tracking.calibration import Calibration, calibrate_to_pose
from ssrhmr_core.tracking.extras.calibration import PosedExtras, ReferenceBody, measure_mounts
from ssrhmr_core.tracking.extras.mounts import ExtraMounts
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take, TrackerError

SEGMENTS: dict[str, Segment] = {"left_elbow": "lower", "right_knee": "lower"}
ALL_TRACKERS: tuple[tuple[str, Measurement], ...] = tuple((n, "pose") for n in EXTRA_TRACKERS)
KNEES_BELOW = 2
"""A seed with which performers wear trackers above the elbows and below the knees."""
LEFT_ELBOW, RIGHT_KNEE, CHEST = (
    EXTRA_TRACKERS.index(name) for name in ("left_elbow", "right_knee", "chest")
)


def worn(body: Skeleton) -> Mounts:
    """Mounts of all trackers; those at the knees sit below them."""
    mounts = draw_mounts(body, np.random.default_rng(5))
    extras = draw_extra_mounts(body, ALL_TRACKERS, np.random.default_rng(KNEES_BELOW))
    return replace(mounts, extras=extras)


def true_calibration(
    motion: Motion, devices: Take, segments: Mapping[str, Segment] | None = None
) -> Calibration:
    """The calibration against the very first frame of a motion."""
    body = ReferenceBody(motion.positions()[0], motion.rotations[0], motion.skeleton)
    joints, extras = Take.from_motion(motion), devices.extras
    assert extras is not None
    posed = PosedExtras(extras.part(np.array([0])), body, segments or {})
    return calibrate_to_pose(
        joints.positions[0],
        joints.rotations[0],
        devices.positions[0],
        devices.rotations[0],
        motion.skeleton.size,
        extras=posed,
    )


def test_a_posed_body_gives_all_joints_back(motion: Motion) -> None:
    mounts = worn(motion.skeleton)
    joints = mounts.find_joints(motion)
    calibration = true_calibration(motion, mounts.to_trackers(joints))
    assert calibration.warnings == () and calibration.extras is not None
    assert calibration.extras.worn == EXTRA_TRACKERS
    back = calibration.apply(mounts.to_trackers(joints)).extras
    assert back is not None and joints.extras is not None
    np.testing.assert_allclose(back.positions, joints.extras.positions, atol=1e-5)
    same = np.abs((back.rotations * joints.extras.rotations).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)
    assert back.has_position.all() and back.has_rotation.all()
    np.testing.assert_array_equal(back.lower, joints.extras.lower)
    assert back.lower[RIGHT_KNEE] and not back.lower[LEFT_ELBOW]


def test_rotation_only_trackers_have_no_position(motion: Motion) -> None:
    mounts = worn(motion.skeleton)
    joints = mounts.find_joints(motion)
    devices = mounts.to_trackers(joints)
    assert devices.extras is not None and joints.extras is not None
    nowhere = np.zeros_like(devices.extras.has_position)
    devices = replace(devices, extras=replace(devices.extras, has_position=nowhere))
    assert mounts.extras is not None
    # Nothing but the user can say which bone carries an IMU.
    calibration = true_calibration(motion, devices, mounts.extras.segments)
    assert calibration.warnings == ()
    back = calibration.apply(devices).extras
    assert back is not None and back.has_rotation.all() and not back.has_position.any()
    same = np.abs((back.rotations * joints.extras.rotations).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)


def test_position_only_trackers_swing_with_their_bones(skeleton: Skeleton) -> None:
    """An arm that is lowered carries a point above the elbow along, a turned body all points."""
    frames = 40
    swing, turn = np.linspace(0.0, -1.3, frames), np.linspace(0.0, 2.0, frames)
    z, y = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    turns = quat.from_angle_axis(turn[:, None], np.tile(y, (frames, 1)))
    arm = quat.mul(turns, quat.from_angle_axis(swing[:, None], np.tile(z, (frames, 1))))
    rotations = np.tile(turns[:, None], (1, 22, 1))
    rotations[:, [15, 16, 17]] = arm[:, None]
    motion = Motion(
        skeleton,
        np.arange(frames) / 60.0,
        rotations.astype("f4"),
        np.tile(np.array([0.3, 0.95, -0.2], np.float32), (frames, 1)),
    )
    joints = motion.positions()
    points = ExtraReadings.from_motion(motion, ("chest", "left_elbow"))
    along = quat.mul_vec(arm, np.tile([-0.08, 0.0, 0.0], (frames, 1)))
    points.positions[:, LEFT_ELBOW] += along
    points.positions[:, CHEST] += quat.mul_vec(turns, np.tile([0.0, 0.03, 0.14], (frames, 1)))
    points = replace(points, has_rotation=np.zeros_like(points.has_rotation))
    for anchor in ("pelvis", "head"):
        number = TRACKERS.index(anchor)
        mounts = measure_mounts(
            joints[:1], motion.rotations[:1], points.part(np.array([0])), number
        )
        back = mounts.apply(points, Take.from_motion(motion), 1.0)
        assert not back.has_rotation.any()
        for index, joint in ((CHEST, 11), (LEFT_ELBOW, 16)):
            assert back.has_position[:, index].all()
            np.testing.assert_allclose(back.positions[:, index], joints[:, joint], atol=1e-4)
        lost = Take.from_motion(motion)
        lost.valid[10:20, number] = False
        hidden = mounts.apply(points, lost, 1.0).has_position[:, LEFT_ELBOW]
        np.testing.assert_array_equal(hidden, lost.valid[:, number])


def test_positions_need_the_rotation_that_carries_them(motion: Motion) -> None:
    mounts = worn(motion.skeleton)
    devices = mounts.to_trackers(mounts.find_joints(motion))
    calibration = true_calibration(motion, devices)
    assert devices.extras is not None
    devices.extras.has_rotation[3:6, LEFT_ELBOW] = False
    back = calibration.apply(devices).extras
    assert back is not None
    expected = np.ones(len(motion), bool)
    expected[3:6] = False
    np.testing.assert_array_equal(back.has_position[:, LEFT_ELBOW], expected)
    np.testing.assert_array_equal(back.has_rotation[:, LEFT_ELBOW], expected)


def test_joints_as_trackers_stay_as_they_are(motion: Motion) -> None:
    ideal = ExtraReadings.from_motion(motion, ("left_elbow", "chest"), SEGMENTS)
    points = replace(ideal, has_rotation=np.zeros_like(ideal.has_rotation))
    for readings in (ideal, points):
        take = replace(Take.from_motion(motion), extras=readings)
        back = Calibration.none().apply(take).extras
        assert back is not None
        np.testing.assert_array_equal(back.positions, readings.positions)
        np.testing.assert_array_equal(back.has_position, readings.has_position)
        np.testing.assert_array_equal(back.has_rotation, readings.has_rotation)
        np.testing.assert_array_equal(back.lower, readings.lower)
        rows = readings.has_rotation
        np.testing.assert_allclose(back.rotations[rows], readings.rotations[rows], atol=1e-6)


def test_takes_without_optional_trackers_have_none(motion: Motion) -> None:
    plain = Take.from_motion(motion)
    calibration = Calibration.none()
    assert calibration.apply(plain).extras is None
    # Devices that nobody calibrated are not joints.
    take = Take.from_motion(motion, ("chest",))
    assert replace(calibration, extras=None).apply(take).extras is None


def test_scale_and_floor_serve_optional_trackers(motion: Motion) -> None:
    take = Take.from_motion(motion, ("chest", "left_knee"))
    calibration = replace(Calibration.none(), scale=1.5, floor=(0.2, 0.03, -0.02))
    back = calibration.apply(take)
    assert back.extras is not None and take.extras is not None
    joints = replace(take, positions=np.repeat(take.extras.positions[:, :1], 6, 1))
    expected = calibration.apply(replace(joints, extras=None)).positions[:, 0]
    np.testing.assert_allclose(back.extras.positions[:, CHEST], expected, atol=1e-6)


def test_hands_adjust_joints_and_bones(motion: Motion) -> None:
    mounts = worn(motion.skeleton)
    devices = mounts.to_trackers(mounts.find_joints(motion))
    calibration = true_calibration(motion, devices)
    none, still = np.zeros((6, 3)), np.tile([1.0, 0.0, 0.0, 0.0], (6, 1))
    offsets, rotations = np.zeros((9, 3)), np.tile([1.0, 0.0, 0.0, 0.0], (9, 1))
    offsets[RIGHT_KNEE] = (0.0, 0.0, 0.02)
    rotations[CHEST] = quat.from_angle_axis(np.array([0.3]), np.array([1.0, 0.0, 0.0]))
    before = calibration.apply(devices).extras
    after = calibration.adjusted(none, still, offsets, rotations).apply(devices).extras
    assert before is not None and after is not None
    shin = before.rotations[:, RIGHT_KNEE].astype(float)
    moved = quat.mul_vec(shin, np.tile(offsets[RIGHT_KNEE], (len(motion), 1)))
    expected = before.positions[:, RIGHT_KNEE] + moved
    np.testing.assert_allclose(after.positions[:, RIGHT_KNEE], expected, atol=1e-5)
    chest = quat.mul(before.rotations[:, CHEST].astype(float), rotations[CHEST])
    same = np.abs((after.rotations[:, CHEST] * chest).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)
    np.testing.assert_array_equal(after.positions[:, CHEST], before.positions[:, CHEST])
    kept = calibration.adjusted(none, still).extras
    assert kept is not None and calibration.extras is not None
    np.testing.assert_array_equal(kept.mount_offsets, calibration.extras.mount_offsets)


def test_mounts_are_stored_with_the_calibration(motion: Motion) -> None:
    mounts = worn(motion.skeleton)
    devices = mounts.to_trackers(mounts.find_joints(motion))
    calibration = true_calibration(motion, devices)
    again = Calibration.from_json(calibration.to_json())
    assert again.extras is not None and calibration.extras is not None
    for name, value in vars(calibration.extras).items():
        np.testing.assert_array_equal(getattr(again.extras, name), value)
    assert again.to_json() == calibration.to_json()
    assert Calibration.from_json(Calibration.none().to_json()).extras is not None


def test_calibrations_without_mounts_are_stored_as_before() -> None:
    plain = replace(Calibration.none(), extras=None)
    assert "extras" not in json.loads(plain.to_json())
    assert Calibration.from_json(plain.to_json()).extras is None


@pytest.mark.parametrize(
    ("key", "value"),
    (
        ("mount_offsets", [[0.0, 0.0, 0.0]] * 8),
        ("mount_offsets", [[float("nan"), 0.0, 0.0]] * 9),
        ("mount_rotations", [[0.0] * 4] * 9),
        ("bone_starts", [[float("inf")] * 3] * 9),
        ("anchor", "tail"),
        ("lower", [True]),
    ),
)
def test_damaged_mounts_are_refused(key: str, value: object) -> None:
    values = json.loads(Calibration.none().to_json())
    values["extras"][key] = value
    with pytest.raises(TrackerError, match="calibrate again"):
        Calibration.from_json(json.dumps(values))


def test_blended_mounts_keep_what_the_others_lack() -> None:
    one, other = ExtraMounts.identity(), ExtraMounts.identity()
    has = np.ones(9, bool)
    has[CHEST] = False
    other = replace(
        other, mount_offsets=np.full((9, 3), 0.2, np.float32), has_position=has, has_rotation=has
    )
    mixed = one.blended(other, 0.25)
    np.testing.assert_allclose(mixed.mount_offsets[CHEST], 0.0)
    np.testing.assert_allclose(mixed.mount_offsets[LEFT_ELBOW], 0.05)
    assert mixed.has_position.all()


def test_mounts_that_differ_are_found() -> None:
    one = ExtraMounts.identity()
    offsets, rotations = one.mount_offsets.copy(), one.mount_rotations.copy()
    offsets[CHEST, 1] = 0.3
    rotations[LEFT_ELBOW] = (0.0, 1.0, 0.0, 0.0)
    other = replace(one, mount_offsets=offsets, mount_rotations=rotations)
    expected = np.isin(np.arange(9), [CHEST, LEFT_ELBOW])
    np.testing.assert_array_equal(one.differ(other, 0.2, 0.5), expected)
    assert not one.differ(other, 0.4, 3.2).any()
    # What is not measured does not differ.
    assert not one.differ(other.without(expected), 0.2, 0.5).any()
