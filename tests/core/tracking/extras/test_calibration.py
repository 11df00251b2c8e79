# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional trackers are calibrated in the reference pose; those that contradict it are left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS, SEGMENTED_TRACKERS, Measurement
from ssrhmr_core.body.skeleton import INDEX, PARENTS, TRACKER_JOINTS, TRACKERS, Skeleton
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_extra_mounts, draw_mounts
from ssrhmr_core.evaluation.worn.movement import draw_habits, hold_reference, make_guided_movement
from ssrhmr_core.geometry.rotations import from_quat, from_rotvec
from ssrhmr_core.tracking.calibration import (
    Calibration,
    CalibrationOptions,
    Proportions,
    calibrate_at_stillest,
)
from ssrhmr_core.tracking.extras.calibration import pose_reference_body
from ssrhmr_core.tracking.extras.mounts import ExtraMounts
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.movement.calibration import calibrate_from_movement
from ssrhmr_core.tracking.reference_pose import ReferencePose, estimate_stance
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_skeleton
from tests.core.mounts import MOUNT_SETS, mount_trackers

ALL_TRACKERS: tuple[tuple[str, Measurement], ...] = tuple((n, "pose") for n in EXTRA_TRACKERS)
INDICES = {name: index for index, name in enumerate(EXTRA_TRACKERS)}


@dataclass(frozen=True)
class Session:
    """A performer's true mounts, and what the trackers report in the T-pose and in a movement."""

    body: Skeleton
    mounts: Mounts
    joints: Take
    pose: Take
    movement: Take

    def readings(self) -> ExtraReadings:
        """A copy of the optional trackers in the T-pose."""
        assert self.pose.extras is not None
        return self.pose.extras.part(np.arange(len(self.pose)))

    def calibrate(
        self,
        change: Callable[[ExtraReadings], None] = lambda readings: None,
        options: CalibrationOptions | None = None,
    ) -> Calibration:
        """Calibrate after a change of the readings in the T-pose."""
        readings = self.readings()
        change(readings)
        pose = replace(self.pose, extras=readings)
        return calibrate_at_stillest(self.body, pose, options or CalibrationOptions())[0]

    def offset_errors(self, mounts: ExtraMounts | None) -> np.ndarray:
        """Distances (9,) of calibrated joints from the true ones."""
        assert mounts is not None and self.mounts.extras is not None
        true = self.mounts.extras.mounts.mount_offsets()
        return np.linalg.norm(mounts.mount_offsets - true, axis=-1)


@cache
def session(seed: int = 0) -> Session:
    random, body = np.random.default_rng([seed, 7]), make_skeleton()
    mounts, habits = draw_mounts(body, random), draw_habits(random)
    extras = draw_extra_mounts(body, ALL_TRACKERS, np.random.default_rng([seed, 8]))
    mounts = replace(mounts, extras=extras)
    joints = mounts.find_joints(hold_reference(body, habits, 0.0, random))
    pose = mounts.to_trackers(joints)
    guided = make_guided_movement(body, habits, random)
    return Session(body, mounts, joints, pose, mounts.to_trackers(mounts.find_joints(guided)))


@pytest.mark.parametrize("seed", range(6))
def test_worn_trackers_are_calibrated_like_the_six(seed: int) -> None:
    own = session(seed)
    calibration = own.calibrate()
    assert calibration.warnings == () and calibration.extras is not None
    assert calibration.extras.worn == EXTRA_TRACKERS
    errors = own.offset_errors(calibration.extras)
    assert errors.mean() < 0.07 and errors.max() < 0.14
    # The bone that carries a tracker shows in its place along the limb.
    assert own.mounts.extras is not None and calibration.extras.lower is not None
    for name in SEGMENTED_TRACKERS:
        is_lower = own.mounts.extras.segments[name] == "lower"
        assert calibration.extras.lower[INDICES[name]] == is_lower


def test_the_six_are_calibrated_as_without_optional_trackers() -> None:
    own = session()
    plain, _ = calibrate_at_stillest(own.body, replace(own.pose, extras=None))
    assert replace(own.calibrate(), extras=None).to_json() == plain.to_json()
    assert plain.extras is None


@pytest.mark.parametrize("proportions", ("MATCH", "RETARGET", "FIT"))
@pytest.mark.parametrize("factor", (0.5, 1.0, 100.0))
def test_characters_of_any_size_are_calibrated(proportions: Proportions, factor: float) -> None:
    own = session(1)
    body = own.body.scaled(factor)
    pose = own.pose
    if factor == 100.0:
        # The same performer measured in centimetres.
        assert pose.extras is not None
        pose = replace(
            pose, positions=pose.positions * np.float32(100.0), extras=pose.extras.scaled(100.0)
        )
    calibration, _ = calibrate_at_stillest(body, pose, CalibrationOptions(proportions))
    assert calibration.extras is not None and calibration.extras.worn == EXTRA_TRACKERS
    joints = calibration.apply(pose)
    assert joints.extras is not None
    # In the T-pose the joints are where the character has them.
    still = joints.extras.positions[len(pose) // 2]
    target = (calibration.performer or body).offsets
    arm = np.linalg.norm(target[[16, 17]], axis=-1)
    wrist = joints.positions[len(pose) // 2, TRACKERS.index("left_hand")]
    forearm = np.linalg.norm(still[INDICES["left_elbow"]] - wrist)
    assert forearm == pytest.approx(arm[1], rel=0.1)
    across = np.linalg.norm(still[INDICES["left_elbow"]] - still[INDICES["left_shoulder"]])
    assert across == pytest.approx(arm[0], rel=0.1)


def test_segments_can_be_chosen() -> None:
    own = session()
    calibration = own.calibrate()
    assert calibration.extras is not None and calibration.extras.lower is not None
    tracker = INDICES["left_elbow"]
    was = calibration.extras.lower[tracker]
    options = CalibrationOptions(segments={"left_elbow": "upper" if was else "lower"})
    chosen = own.calibrate(options=options).extras
    assert chosen is not None and chosen.lower is not None
    assert chosen.lower[tracker] != was
    others = np.arange(9) != tracker
    np.testing.assert_array_equal(chosen.lower[others], calibration.extras.lower[others])


def test_a_choice_that_the_place_contradicts_is_reported() -> None:
    own = session()

    def move(readings: ExtraReadings) -> None:
        # Next to the wrist.
        hand = own.pose.positions[:, TRACKERS.index("left_hand")]
        readings.positions[:, INDICES["left_elbow"]] = hand + np.array([0.0, 0.06, 0.0])

    options = CalibrationOptions(segments={"left_elbow": "upper"})
    (warning,) = own.calibrate(move, options).warnings
    assert "left_elbow sits below the left elbow, but is said to be worn above it" in warning
    assert own.calibrate(move).warnings == ()


@pytest.mark.parametrize("part", ("shoulder", "elbow", "knee", "toe"))
def test_swapped_twins_are_left_out(part: str) -> None:
    left, right = INDICES[f"left_{part}"], INDICES[f"right_{part}"]

    def swap(readings: ExtraReadings) -> None:
        readings.positions[:, [left, right]] = readings.positions[:, [right, left]]
        readings.rotations[:, [left, right]] = readings.rotations[:, [right, left]]

    calibration = session(2).calibrate(swap)
    (warning,) = calibration.warnings
    assert f"left and right look swapped on the {part}s: exchange the two trackers" in warning
    assert calibration.extras is not None
    assert set(EXTRA_TRACKERS) - set(calibration.extras.worn) == {f"left_{part}", f"right_{part}"}


@pytest.mark.parametrize("name", [n for n in EXTRA_TRACKERS if "toe" not in n])
def test_a_tracker_on_the_floor_is_left_out(name: str) -> None:
    def drop(readings: ExtraReadings) -> None:
        readings.positions[:, INDICES[name], 1] = 0.03

    calibration = session(3).calibrate(drop)
    (warning,) = calibration.warnings
    assert warning.startswith(f"{name} lies on the floor")
    assert calibration.extras is not None
    assert set(EXTRA_TRACKERS) - set(calibration.extras.worn) == {name}


@pytest.mark.parametrize("name", EXTRA_TRACKERS)
def test_a_tracker_on_a_table_is_left_out(name: str) -> None:
    def put_down(readings: ExtraReadings) -> None:
        readings.positions[:, INDICES[name]] = np.array([8.0, 0.75, 3.0])

    own = session(3)
    calibration = own.calibrate(put_down)
    (warning,) = calibration.warnings
    assert warning.startswith(f"{name} is ") and "cm away from the" in warning
    assert f"let no device be {name}" in warning
    assert calibration.extras is not None
    assert set(EXTRA_TRACKERS) - set(calibration.extras.worn) == {name}
    # It never moves a joint.
    taken = own.pose
    assert taken.extras is not None
    joints = calibration.apply(taken).extras
    assert joints is not None and not joints.has_position[:, INDICES[name]].any()
    assert not joints.has_rotation[:, INDICES[name]].any()


def test_a_tracker_with_the_role_of_another_is_left_out() -> None:
    own = session(3)

    def misname(readings: ExtraReadings) -> None:
        knee, elbow = INDICES["left_knee"], INDICES["right_elbow"]
        readings.positions[:, elbow] = readings.positions[:, knee]
        readings.rotations[:, elbow] = readings.rotations[:, knee]
        readings.has_position[:, knee] = readings.has_rotation[:, knee] = False

    calibration = own.calibrate(misname)
    (warning,) = calibration.warnings
    assert warning.startswith("right_elbow is ") and "it is near the left knee" in warning
    assert calibration.extras is not None and "right_elbow" not in calibration.extras.worn


def test_one_device_with_two_roles_keeps_the_one_that_fits() -> None:
    def bind_twice(readings: ExtraReadings) -> None:
        left, right = INDICES["left_knee"], INDICES["right_elbow"]
        readings.positions[:, right] = readings.positions[:, left]
        readings.rotations[:, right] = readings.rotations[:, left]

    calibration = session(3).calibrate(bind_twice)
    (warning,) = calibration.warnings
    assert "right_elbow and left_knee are one device" in warning
    assert calibration.extras is not None
    assert set(EXTRA_TRACKERS) - set(calibration.extras.worn) == {"right_elbow"}


def test_one_imu_with_two_roles_is_left_out() -> None:
    def bind_twice(readings: ExtraReadings) -> None:
        readings.has_position[:] = False
        readings.rotations[:, INDICES["right_knee"]] = readings.rotations[:, INDICES["left_knee"]]

    calibration = session(3).calibrate(bind_twice)
    (warning,) = calibration.warnings
    assert "are one device" in warning and calibration.extras is not None
    assert set(EXTRA_TRACKERS) - set(calibration.extras.worn) == {"left_knee", "right_knee"}


def test_a_device_of_the_six_is_not_an_optional_tracker_too() -> None:
    own = session(3)

    def bind_twice(readings: ExtraReadings) -> None:
        foot = TRACKERS.index("left_foot")
        readings.positions[:, INDICES["left_toe"]] = own.pose.positions[:, foot]
        readings.rotations[:, INDICES["left_toe"]] = own.pose.rotations[:, foot]

    calibration = own.calibrate(bind_twice)
    (warning,) = calibration.warnings
    assert "left_foot and left_toe are one device" in warning
    assert calibration.extras is not None and "left_toe" not in calibration.extras.worn


def test_imus_are_calibrated_without_positions() -> None:
    def forget(readings: ExtraReadings) -> None:
        readings.has_position[:] = False

    calibration = session(4).calibrate(forget)
    assert calibration.warnings == () and calibration.extras is not None
    assert not calibration.extras.has_position.any() and calibration.extras.has_rotation.all()
    assert calibration.extras.lower is not None and not calibration.extras.lower.any()


def test_trackers_that_are_lost_in_the_pose_are_reported() -> None:
    def lose(readings: ExtraReadings) -> None:
        hidden = np.arange(len(readings)) % 5 == 0
        readings.has_position[hidden, INDICES["chest"]] = False
        readings.has_rotation[hidden, INDICES["chest"]] = False

    calibration = session(4).calibrate(lose)
    (warning,) = calibration.warnings
    assert warning.startswith("chest was not seen all the time")
    assert calibration.extras is not None and "chest" not in calibration.extras.worn


def test_trackers_that_move_in_the_pose_are_reported() -> None:
    def swing(readings: ExtraReadings) -> None:
        slide = np.linspace(-0.5, 0.5, len(readings))
        readings.positions[:, INDICES["left_knee"], 2] += slide

    warnings = session(4).calibrate(swing).warnings
    assert any(warning.startswith("left_knee moves at") for warning in warnings)


@pytest.mark.parametrize("seed", (0, 1))
def test_a_movement_brings_their_joints_nearer(seed: int) -> None:
    own = session(seed)
    calibration = own.calibrate()
    result = calibrate_from_movement(own.body, own.pose, own.movement, calibration)
    assert result.refined
    assert not [warning for warning in result.warnings if "not move" in warning]
    before, after = (own.offset_errors(each.extras) for each in (calibration, result.calibration))
    assert after.mean() < 0.6 * before.mean() and after.mean() < 0.03
    plain = calibrate_from_movement(
        own.body, own.pose, own.movement, replace(calibration, extras=None)
    )
    np.testing.assert_array_equal(plain.calibration.mount_offsets, result.calibration.mount_offsets)
    # Without their readings in the pose, the mounts stay.
    kept = calibrate_from_movement(
        own.body, replace(own.pose, extras=None), own.movement, calibration
    )
    assert kept.calibration.extras is calibration.extras


@pytest.mark.parametrize("part", ("elbow", "knee", "toe"))
def test_a_movement_shows_swapped_twins(part: str) -> None:
    """They were exchanged after the pose, or are IMUs, whose places do not show."""
    own = session(3)
    calibration = own.calibrate()
    assert own.movement.extras is not None
    readings = own.movement.extras.part(np.arange(len(own.movement)))
    left, right = INDICES[f"left_{part}"], INDICES[f"right_{part}"]
    readings.positions[:, [left, right]] = readings.positions[:, [right, left]]
    readings.rotations[:, [left, right]] = readings.rotations[:, [right, left]]
    swapped = replace(own.movement, extras=readings)
    result = calibrate_from_movement(own.body, own.pose, swapped, calibration)
    (warning,) = [each for each in result.warnings if "do not move" in each]
    assert f"do not move like the {part}s" in warning and "exchange the two" in warning
    assert result.refined and result.calibration.extras is not None
    left_out = set(EXTRA_TRACKERS) - set(result.calibration.extras.worn)
    assert left_out == {f"left_{part}", f"right_{part}"}


def test_a_movement_shows_swapped_imus() -> None:
    own = session(0)
    assert own.movement.extras is not None
    readings = own.readings(), own.movement.extras.part(np.arange(len(own.movement)))
    left, right = INDICES["left_elbow"], INDICES["right_elbow"]
    for each in readings:
        each.has_position[:] = False
        each.rotations[:, [left, right]] = each.rotations[:, [right, left]]
    pose, movement = (
        replace(own.pose, extras=readings[0]),
        replace(own.movement, extras=readings[1]),
    )
    segments = own.mounts.extras.segments if own.mounts.extras else {}
    calibration, _ = calibrate_at_stillest(own.body, pose, CalibrationOptions(segments=segments))
    assert calibration.warnings == ()
    result = calibrate_from_movement(own.body, pose, movement, calibration)
    assert any("do not move like the elbows" in warning for warning in result.warnings)
    assert result.calibration.extras is not None
    assert set(EXTRA_TRACKERS) - set(result.calibration.extras.worn) == {
        "left_elbow",
        "right_elbow",
    }


def test_a_movement_shows_a_tracker_that_was_taken_off() -> None:
    own = session(1)
    calibration = own.calibrate()
    assert own.movement.extras is not None
    readings = own.movement.extras.part(np.arange(len(own.movement)))
    readings.positions[:, INDICES["chest"]] = np.array([1.0, 0.8, 0.5])
    readings.rotations[:, INDICES["chest"]] = readings.rotations[0, INDICES["chest"]]
    result = calibrate_from_movement(
        own.body, own.pose, replace(own.movement, extras=readings), calibration
    )
    assert any(warning.startswith("chest does not move like") for warning in result.warnings)
    assert result.calibration.extras is not None and "chest" not in result.calibration.extras.worn


def test_position_only_trackers_are_refined_in_the_pose_alone() -> None:
    own = session(0)
    readings, moved = own.readings(), own.movement.extras
    assert moved is not None
    readings.has_rotation[:] = False
    pose = replace(own.pose, extras=readings)
    points = replace(moved, has_rotation=np.zeros_like(moved.has_rotation))
    calibration, _ = calibrate_at_stillest(own.body, pose)
    assert calibration.warnings == () and calibration.extras is not None
    assert calibration.extras.has_position.all() and not calibration.extras.has_rotation.any()
    result = calibrate_from_movement(
        own.body, pose, replace(own.movement, extras=points), calibration
    )
    assert result.refined and result.calibration.extras is not None
    joints = result.calibration.apply(pose).extras
    assert joints is not None and own.joints.extras is not None
    away = np.linalg.norm(joints.positions - own.joints.extras.positions, axis=-1)
    assert np.median(away) < 0.03


@pytest.mark.parametrize("reference", list(ReferencePose))
def test_the_whole_body_stands_between_its_tracked_joints(reference: ReferencePose) -> None:
    body = make_skeleton()
    trackers = mount_trackers(body, MOUNT_SETS[1], 4, reference)
    stance = estimate_stance(body, trackers.positions, reference)
    assert stance is not None
    whole = pose_reference_body(body, stance.positions, stance.rotations)
    tracked = list(TRACKER_JOINTS)
    np.testing.assert_allclose(whole.positions[tracked], stance.positions, atol=1e-5)
    rotations = from_quat(whole.rotations)
    np.testing.assert_allclose(rotations[tracked], stance.rotations, atol=1e-5)
    bones = whole.positions[1:] - whole.positions[list(PARENTS[1:])]
    lengths = np.linalg.norm(body.offsets[1:], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), lengths, atol=1e-6)


def test_a_leaning_trunk_carries_its_joints() -> None:
    body = make_skeleton()
    rest = body.t_pose().astype(float)
    positions = rest[list(TRACKER_JOINTS)]
    lean = from_rotvec(np.array([0.1, 0.0, 0.0]))
    head, hand = TRACKERS.index("head"), TRACKERS.index("left_hand")
    positions[head] = lean @ rest[INDEX["head"]]
    shoulder = lean @ rest[INDEX["left_shoulder"]]
    positions[hand] = shoulder + rest[INDEX["left_wrist"]] - rest[INDEX["left_shoulder"]]
    whole = pose_reference_body(body, positions, np.tile(np.eye(3), (6, 1, 1)))
    np.testing.assert_allclose(whole.positions[INDEX["left_shoulder"]], shoulder, atol=2e-3)
    np.testing.assert_allclose(from_quat(whole.rotations)[INDEX["chest"]], lean, atol=5e-3)
    elbow = shoulder + body.offsets[INDEX["left_elbow"]]
    np.testing.assert_allclose(whole.positions[INDEX["left_elbow"]], elbow, atol=2e-3)
    np.testing.assert_allclose(whole.positions[INDEX["left_knee"]], rest[INDEX["left_knee"]])
