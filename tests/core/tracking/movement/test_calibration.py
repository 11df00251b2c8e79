# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration from movement: better than the pose alone, and never worse where it is odd."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import ADULT_SIZE, INDEX, TRACKERS, Skeleton
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_mounts
from ssrhmr_core.evaluation.worn.movement import (
    draw_habits,
    hold_reference,
    make_guided_movement,
)
from ssrhmr_core.geometry.rotations import from_quat, rotate, rotation_angle, transpose
from ssrhmr_core.tracking.calibration import (
    Calibration,
    CalibrationOptions,
    Proportions,
    calibrate_at_stillest,
)
from ssrhmr_core.tracking.movement import calibration as movement_calibration
from ssrhmr_core.tracking.movement import hold_residuals
from ssrhmr_core.tracking.movement.calibration import (
    MovementCalibration,
    MovementOptions,
    calibrate_from_movement,
)
from ssrhmr_core.tracking.movement.evidence import GUIDED, TrackerMounts
from ssrhmr_core.tracking.movement.holds import Holds
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton

HANDS = [TRACKERS.index("left_hand"), TRACKERS.index("right_hand")]
FEET = [TRACKERS.index("left_foot"), TRACKERS.index("right_foot")]


@dataclass(frozen=True, eq=False)
class Session:
    """A performer's true mounts, what the trackers saw, and the calibration from the pose."""

    body: Skeleton
    mounts: Mounts
    reference: Take
    movement: Take
    calibration: Calibration

    def refine(self, movement: Take | None = None) -> MovementCalibration:
        movement = self.movement if movement is None else movement
        return calibrate_from_movement(self.body, self.reference, movement, self.calibration)

    def offset_error(self, calibration: Calibration) -> float:
        away = calibration.mount_offsets - self.mounts.mount_offsets()
        return float(np.linalg.norm(away, axis=-1).mean())

    def turns(self, calibration: Calibration) -> np.ndarray:
        """Return the angles (6,) between calibrated and true mounts, degrees."""
        same = (calibration.mount_rotations * self.mounts.mount_rotations()).sum(-1)
        return np.degrees(2.0 * np.arccos(np.clip(np.abs(same), 0.0, 1.0)))


@cache
def session(seed: int, proportions: Proportions = "MATCH") -> Session:
    random, body = np.random.default_rng([seed, 7]), make_skeleton()
    mounts, habits = draw_mounts(body, random), draw_habits(random)
    reference = mounts.to_trackers(
        Take.from_motion(hold_reference(body, habits, 0.0, random)), slipping=False
    )
    movement = mounts.to_trackers(Take.from_motion(make_guided_movement(body, habits, random)))
    calibration, _ = calibrate_at_stillest(body, reference, CalibrationOptions(proportions))
    return Session(body, mounts, reference, movement, calibration)


@cache
def refined(seed: int, proportions: Proportions = "MATCH") -> MovementCalibration:
    return session(seed, proportions).refine()


def assert_kept(result: MovementCalibration, calibration: Calibration, words: str) -> None:
    assert not result.refined and result.calibration is calibration
    assert np.isnan(result.offset_deviations).all() and np.isnan(result.rotation_deviations).all()
    (warning,) = result.warnings
    assert words in warning


@pytest.mark.parametrize("seed", (0, 1, 2))
def test_a_movement_beats_the_pose(seed: int) -> None:
    own, result = session(seed), refined(seed)
    assert result.refined
    before, after = (own.offset_error(c) for c in (own.calibration, result.calibration))
    # The pose alone leaves 43 mm if it trusts the likeliest mounts; it averages them now.
    assert after < 0.018 and after < 0.75 * before
    # The deviations are those of single mounts: within a factor of a few of the real errors.
    errors = np.linalg.norm(result.calibration.mount_offsets - own.mounts.mount_offsets(), axis=-1)
    assert (errors < 6.0 * result.offset_deviations).all()
    assert (result.rotation_deviations > 0.0).all() and (result.rotation_deviations < 30.0).all()
    assert abs(result.floor) < 0.03


def test_a_movement_refines_the_measured_body() -> None:
    own, result = session(1, "RETARGET"), refined(1, "RETARGET")
    assert result.refined and result.calibration.performer is not None
    assert own.offset_error(result.calibration) < 0.8 * own.offset_error(own.calibration)


def test_the_character_keeps_its_proportions_with_match() -> None:
    assert refined(0).calibration.performer is None


def test_the_same_movement_gives_the_same_calibration() -> None:
    again = session(0).refine()
    np.testing.assert_array_equal(
        again.calibration.mount_offsets, refined(0).calibration.mount_offsets
    )


def test_who_stands_still_is_told() -> None:
    own = session(0)
    still = np.tile(np.arange(len(own.reference)), 8)
    take = Take(
        np.arange(len(still)) / 60.0,
        own.reference.positions[still],
        own.reference.rotations[still],
        own.reference.valid[still],
    )
    assert_kept(own.refine(take), own.calibration, "hardly any movement")


def test_a_short_movement_is_told() -> None:
    own = session(0)
    short = own.movement.at(own.movement.times[:180])
    assert_kept(own.refine(short), own.calibration, "fewer than 4 seconds")


def test_a_tracker_that_is_never_seen_is_told() -> None:
    own = session(0)
    valid = own.movement.valid.copy()
    valid[:, TRACKERS.index("head")] = False
    lost = replace(own.movement, valid=valid)
    assert_kept(own.refine(lost), own.calibration, "fewer than 4 seconds")


def test_frames_with_a_lost_tracker_are_left_out() -> None:
    own = session(0)
    valid, positions = own.movement.valid.copy(), own.movement.positions.copy()
    gone = slice(300, 420)
    valid[gone, HANDS[0]] = False
    positions[gone, HANDS[0]] = 40.0
    result = own.refine(replace(own.movement, valid=valid, positions=positions))
    assert result.refined
    assert own.offset_error(result.calibration) < 0.02


@pytest.mark.parametrize(("pair", "words"), ((HANDS, "on the hands"), (FEET, "on the feet")))
def test_swapped_trackers_are_told(pair: list[int], words: str) -> None:
    own = session(0)
    positions, rotations = own.movement.positions.copy(), own.movement.rotations.copy()
    positions[:, pair], rotations[:, pair] = positions[:, pair[::-1]], rotations[:, pair[::-1]]
    swapped = replace(own.movement, positions=positions, rotations=rotations)
    assert_kept(own.refine(swapped), own.calibration, words)


def test_a_tracker_on_another_limb_is_told() -> None:
    """Head and pelvis are exchanged after the pose: no body moves like that."""
    own = session(0)
    pair = [TRACKERS.index("pelvis"), TRACKERS.index("head")]
    positions, rotations = own.movement.positions.copy(), own.movement.rotations.copy()
    positions[:, pair], rotations[:, pair] = positions[:, pair[::-1]], rotations[:, pair[::-1]]
    result = own.refine(replace(own.movement, positions=positions, rotations=rotations))
    assert not result.refined and result.calibration is own.calibration
    assert result.warnings


def test_another_person_in_the_trackers_is_told() -> None:
    """Somebody much smaller puts the trackers on after the pose."""
    own = session(0)
    small = own.body.scaled(0.8)
    random = np.random.default_rng(5)
    motion = make_guided_movement(small, draw_habits(random), random)
    result = own.refine(own.mounts.to_trackers(Take.from_motion(motion)))
    assert not result.refined and result.calibration is own.calibration
    assert result.warnings


def sit(motion: Motion) -> Motion:
    """Bend hips and knees by a right angle throughout and lower the pelvis."""
    rotations = motion.rotations.astype(np.float64)
    lengths = np.linalg.norm(motion.skeleton.offsets, axis=-1)
    forwards = quat.from_angle_axis(np.array([-0.5 * np.pi]), np.array([1.0, 0.0, 0.0]))
    for side in ("left", "right"):
        hip, knee = INDEX[f"{side}_hip"], INDEX[f"{side}_knee"]
        pelvis = rotations[:, INDEX["hips"]]
        rotations[:, hip] = quat.mul(pelvis, np.broadcast_to(forwards, pelvis.shape))
        rotations[:, knee] = pelvis
    root = motion.root.copy()
    root[:, 1] -= lengths[INDEX["left_knee"]]
    return replace(motion, rotations=rotations.astype(np.float32), root=root)


def test_who_sits_is_told() -> None:
    own = session(0)
    random = np.random.default_rng(6)
    motion = sit(make_guided_movement(own.body, draw_habits(random), random))
    result = own.refine(own.mounts.to_trackers(Take.from_motion(motion)))
    assert not result.refined and result.calibration is own.calibration
    assert result.warnings


def find_held_time(own: Session) -> float:
    """Return when the hands of the movement come near each other for the first time, seconds."""
    left, right = (own.movement.positions[:, hand] for hand in HANDS)
    near = np.linalg.norm(left - right, axis=-1) < 0.35
    return float(own.movement.times[np.flatnonzero(near)[0]])


def without_held_poses(own: Session) -> Take:
    """Return the movement as it was before poses were held in it."""
    begin = np.searchsorted(own.movement.times, find_held_time(own) - 0.8)
    return own.movement.part(slice(0, int(begin)))


def test_held_poses_show_how_hands_are_turned() -> None:
    """Three people whose hands are 5.3 degrees off without the poses, and 4.5 with them."""
    before, after = [], []
    for seed in range(3):
        own = session(seed)
        result = own.refine(without_held_poses(own))
        assert result.refined
        assert not any("hands came together" in warning for warning in result.warnings)
        before.append(own.turns(result.calibration))
        after.append(own.turns(refined(seed).calibration))
    assert np.mean(after) < 0.9 * np.mean(before)
    assert np.mean(after, 0)[HANDS].mean() < 0.9 * np.mean(before, 0)[HANDS].mean()


def test_held_poses_cost_the_places_of_hands_nothing() -> None:
    """Three people: 6 mm with and without. If whole arms may not move at once, it is 8 mm."""
    without: list[float] = []
    with_poses: list[float] = []
    for seed in range(3):
        own = session(seed)
        for errors, result in (
            (without, own.refine(without_held_poses(own))),
            (with_poses, refined(seed)),
        ):
            away = result.calibration.mount_offsets - own.mounts.mount_offsets()
            errors.append(np.linalg.norm(away[HANDS], axis=-1).mean())
    assert np.mean(with_poses) < 1.15 * np.mean(without)


def test_feet_that_touch_show_how_far_ankles_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(seed: int) -> float:
        """Return how far the ankles of both mounts are too far apart, metres."""
        own = session(seed)
        calibration = own.refine().calibration
        true = from_quat(own.mounts.mount_rotations())
        away = calibration.mount_offsets - own.mounts.mount_offsets()
        across = rotate(transpose(true), away)[FEET, 0]
        return float(across[0] - across[1])

    seeds = range(6)
    shown = [apart(seed) for seed in seeds]
    monkeypatch.setattr(hold_residuals, "_APART", 1e3)
    hidden = [apart(seed) for seed in seeds]
    spread = {name: np.sqrt(np.mean(np.square(v))) for name, v in (("s", shown), ("h", hidden))}
    assert spread["s"] < 0.015 and spread["s"] < 0.8 * spread["h"]


@pytest.mark.parametrize("proportions", ("MATCH", "RETARGET"))
def test_other_ways_to_wear_trackers_are_tried(
    proportions: Proportions, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = session(0, proportions)
    usual = movement_calibration._usual_mounts
    tried: list[TrackerMounts] = []

    def take_for_another(
        body: Skeleton, mounts: TrackerMounts, shows_mounts: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return at first that both feet wear their trackers 6 cm farther to the front."""
        means, spreads = usual(body, mounts, shows_mounts)
        if not tried:
            means[FEET, 2] += 0.06
        tried.append(mounts)
        return means, spreads

    monkeypatch.setattr(movement_calibration, "_usual_mounts", take_for_another)
    result = own.refine()
    # Mounts and bones trade with each other where both are sought.
    assert len(tried) == (3 if proportions == "MATCH" else 1)
    if proportions == "MATCH":
        best = own.offset_error(refined(0).calibration)
        assert own.offset_error(result.calibration) == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("seed", (0, 1, 2))
def test_a_movement_without_held_poses_still_beats_the_pose(seed: int) -> None:
    own = session(seed)
    result = own.refine(without_held_poses(own))
    before, after = (own.offset_error(c) for c in (own.calibration, result.calibration))
    assert after < 0.018 and after < 0.75 * before
    before, after = (own.turns(c).mean() for c in (own.calibration, result.calibration))
    assert after < before


def hold_wrongly(own: Session, degrees: float) -> Take:
    """Return the movement with the left hand turned about its fingers in the held poses."""
    begin = find_held_time(own) - 0.8
    share = np.clip(2.0 * (own.movement.times - begin), 0.0, 1.0)
    own_turn = quat.from_scaled_angle_axis(
        np.radians(degrees) * share[:, None] * np.array([1.0, 0.0, 0.0])
    )
    mount = own.mounts.rotations[HANDS[0]].astype(np.float64)
    joint = quat.mul(
        own.movement.rotations[:, HANDS[0]].astype(np.float64),
        np.broadcast_to(quat.inverse(mount), own_turn.shape),
    )
    turned = quat.mul(quat.mul(joint, own_turn), np.broadcast_to(mount, own_turn.shape))
    offset = own.mounts.offsets[HANDS[0]]
    wrist = own.movement.positions[:, HANDS[0]] - quat.mul_vec(joint, offset[None])
    rotations, positions = own.movement.rotations.copy(), own.movement.positions.copy()
    rotations[:, HANDS[0]] = turned
    positions[:, HANDS[0]] = wrist + quat.mul_vec(quat.mul(joint, own_turn), offset[None])
    return replace(own.movement, rotations=rotations, positions=positions)


@pytest.mark.parametrize("degrees", (30.0, -30.0, 75.0))
def test_hands_that_are_held_wrongly_make_nothing_worse_than_the_pose(degrees: float) -> None:
    before, after, told = [], [], []
    for seed in range(3):
        own = session(seed)
        result = own.refine(hold_wrongly(own, degrees))
        assert result.refined
        before.append(own.turns(own.calibration))
        after.append(own.turns(result.calibration))
        told.append(any("hands came together" in warning for warning in result.warnings))
        assert own.offset_error(result.calibration) < own.offset_error(own.calibration)
    assert np.mean(after) < np.mean(before)
    assert np.mean(after, 0)[HANDS].mean() < np.mean(before, 0)[HANDS].mean() + 1.0
    assert all(told) == (degrees > 45.0)


def test_a_limb_that_was_not_moved_is_named() -> None:
    own = session(0)
    positions, rotations = own.movement.positions.copy(), own.movement.rotations.copy()
    # The left hand is held to the body throughout.
    hand, pelvis = HANDS[0], TRACKERS.index("pelvis")
    turned = quat.mul(rotations[:, pelvis].astype(float), quat.inverse(rotations[:1, pelvis]))
    turned_hand = quat.mul(turned, np.broadcast_to(rotations[0, hand], turned.shape))
    away = np.broadcast_to(positions[0, hand] - positions[0, pelvis], positions[:, hand].shape)
    rotations[:, hand] = turned_hand
    positions[:, hand] = positions[:, pelvis] + quat.mul_vec(turned, away)
    result = own.refine(replace(own.movement, positions=positions, rotations=rotations))
    assert any(warning.startswith("left_hand hardly turned") for warning in result.warnings)
    before, after = (own.offset_error(c) for c in (own.calibration, result.calibration))
    assert after < before


def test_a_long_movement_is_looked_at_in_bursts() -> None:
    own = session(0)
    result = calibrate_from_movement(
        own.body, own.reference, own.movement, own.calibration, MovementOptions(most_frames=60)
    )
    assert result.refined
    assert own.offset_error(result.calibration) < own.offset_error(own.calibration)


def test_a_take_helps_too() -> None:
    errors = []
    for seed in range(3):
        own = session(seed)
        take = own.mounts.to_trackers(
            Take.from_motion(make_motion(own.body, frames=1200, seed=seed)), slipping=True
        )
        result = calibrate_from_movement(
            own.body, own.reference, take, own.calibration, MovementOptions(guided=False)
        )
        errors.append([own.offset_error(c) for c in (own.calibration, result.calibration)])
    before, after = np.mean(errors, 0)
    assert after < before


def test_a_calibration_with_swapped_trackers_is_not_refined() -> None:
    own = session(0)
    swapped = replace(own.calibration, swapped=("hands",), warnings=("exchange the trackers",))
    result = calibrate_from_movement(own.body, own.reference, own.movement, swapped)
    assert_kept(result, swapped, "exchange the trackers")


def take_with_shares(
    monkeypatch: pytest.MonkeyPatch, offsets: float, rotations: float
) -> tuple[Session, Calibration]:
    """Return a session and its calibration from a take that goes some shares of the way."""
    monkeypatch.setattr(movement_calibration, "UNGUIDED", GUIDED)
    monkeypatch.setattr(movement_calibration, "_OFFSET_SHARES", np.full((6, 3), offsets))
    monkeypatch.setattr(movement_calibration, "_ROTATION_SHARES", np.full((6, 3), rotations))
    monkeypatch.setattr(movement_calibration, "_BELT_UNCERTAINTY", 1.0)
    monkeypatch.setattr(movement_calibration, "_LARGEST_STEP", 10.0)
    monkeypatch.setattr(movement_calibration, "_LARGEST_TURN", 10.0)
    monkeypatch.setattr(movement_calibration, "_DOUBTED_STEP", 0.0)
    monkeypatch.setattr(movement_calibration, "_OTHER_KINDS", 0)
    own = session(0)
    how = MovementOptions(guided=False)
    result = calibrate_from_movement(own.body, own.reference, own.movement, own.calibration, how)
    assert result.refined
    return own, result.calibration


@pytest.mark.parametrize("share", (0.0, 1.0))
def test_the_shares_of_takes_run_from_the_pose_to_the_fit(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    own, result = take_with_shares(monkeypatch, share, share)
    expected = own.calibration
    if share:
        # Takes show no poses that are held, and are looked at in fewer frames.
        monkeypatch.setattr(
            movement_calibration, "find_holds", lambda body, joints, _: Holds.none(len(joints))
        )
        how = MovementOptions(most_frames=movement_calibration._MOST_FRAMES_OF_TAKES)
        expected = calibrate_from_movement(
            own.body, own.reference, own.movement, own.calibration, how
        ).calibration
    np.testing.assert_allclose(result.mount_offsets, expected.mount_offsets, atol=1e-5)
    same = np.abs((result.mount_rotations * expected.mount_rotations).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)


def test_small_steps_of_takes_are_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    own, whole = take_with_shares(monkeypatch, 0.5, 0.5)
    how = MovementOptions(guided=False)
    steps = np.linalg.norm(whole.mount_offsets - own.calibration.mount_offsets, axis=-1)
    mean = float(steps.mean()) * ADULT_SIZE / own.body.size
    for doubted, share in ((mean, 0.5), (3.0 * mean, 0.1)):
        monkeypatch.setattr(movement_calibration, "_DOUBTED_STEP", doubted)
        result = calibrate_from_movement(
            own.body, own.reference, own.movement, own.calibration, how
        ).calibration
        held = np.linalg.norm(result.mount_offsets - own.calibration.mount_offsets, axis=-1)
        np.testing.assert_allclose(held, share * steps, rtol=0.05)
        turns = [own.calibration.mount_rotations, whole.mount_rotations, result.mount_rotations]
        before, after, both = (from_quat(each.astype(float)) for each in turns)
        far, near = (rotation_angle(transpose(before) @ each) for each in (after, both))
        np.testing.assert_allclose(near, share * far, atol=1e-4)


def test_joints_of_takes_turn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    own, result = take_with_shares(monkeypatch, 0.0, 0.7)
    np.testing.assert_allclose(result.mount_offsets, own.calibration.mount_offsets, atol=1e-6)
    same = np.abs((result.mount_rotations * own.calibration.mount_rotations).sum(-1))
    assert same.min() < 0.9999


def test_a_take_moves_no_joint_far(monkeypatch: pytest.MonkeyPatch) -> None:
    own, how = session(2), MovementOptions(guided=False)
    monkeypatch.setattr(movement_calibration, "_DOUBTED_STEP", 0.0)
    farthest = []
    for largest in (0.03, 0.008):
        monkeypatch.setattr(movement_calibration, "_LARGEST_STEP", largest)
        result = calibrate_from_movement(
            own.body, own.reference, own.movement, own.calibration, how
        )
        moved = result.calibration.mount_offsets - own.calibration.mount_offsets
        farthest.append(np.linalg.norm(moved, axis=-1).max())
    assert farthest[1] < 0.008 < farthest[0] < 0.03


def test_a_belt_between_front_and_side_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Belts hold trackers where no kind of mount is; a movement shows where."""
    errors: dict[float, list[float]] = {1.0: [], movement_calibration._BELT_UNCERTAINTY: []}
    for seed in range(2):
        random, body = np.random.default_rng([seed, 11]), make_skeleton()
        mounts, habits = draw_mounts(body, random), draw_habits(random)
        mounts.offsets[0] = body.size / ADULT_SIZE * np.array([0.10, 0.03, -0.09])
        posed = hold_reference(body, habits, 0.0, random)
        reference = mounts.to_trackers(mounts.find_joints(posed))
        moved = make_guided_movement(body, habits, random)
        movement = mounts.to_trackers(mounts.find_joints(moved))
        calibration, _ = calibrate_at_stillest(body, reference, CalibrationOptions("MATCH"))
        for factor, own in errors.items():
            monkeypatch.setattr(movement_calibration, "_BELT_UNCERTAINTY", factor)
            result = calibrate_from_movement(body, reference, movement, calibration)
            away = result.calibration.mount_offsets[0] - mounts.mount_offsets()[0]
            own.append(float(np.linalg.norm(away)))
    narrow, wide = (np.mean(own) for own in errors.values())
    assert wide < narrow, errors
