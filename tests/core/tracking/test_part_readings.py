# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers of which half is measured: that half is met exactly, the other one is guessed to fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import Measurement
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS, Skeleton
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.tracking.calibration import Calibration, calibrate, calibrate_at_stillest
from ssrhmr_core.tracking.gap_filling import GapFiller
from ssrhmr_core.tracking.part_readings import (
    find_unturned,
    guess_rotations,
    mark_constant_parts,
)
from ssrhmr_core.tracking.subsets import mask_of
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.mounts import MOUNT_SETS, mount_trackers

HANDS, FEET = ("left_hand", "right_hand"), ("left_foot", "right_foot")
PELVIS, HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
Y = np.array([[0.0, 1.0, 0.0]])


def halved(take: Take, measured: dict[str, Measurement]) -> Take:
    """Return a take of which some trackers measure a half; nothing shows the other one."""
    half = take.measuring(measured.items())
    positions = np.where(half.has_position[..., None], half.positions, np.nan)
    rotations = np.where(half.has_rotation[..., None], half.rotations, np.nan)
    return replace(
        half, positions=positions.astype(np.float32), rotations=rotations.astype(np.float32)
    )


def angles(motion: Motion, truth: Motion, role: str) -> np.ndarray:
    """Return how far the joint of a tracker is rotated off in each frame, degrees."""
    joint = TRACKER_JOINTS[TRACKERS.index(role)]
    cosines = np.abs((motion.rotations[:, joint] * truth.rotations[:, joint]).sum(-1))
    return np.degrees(2.0 * np.arccos(np.clip(cosines, 0.0, 1.0)))


def distances(motion: Motion, truth: Motion) -> np.ndarray:
    """Return the distances (F, 22) of joints from the truth, mm."""
    return 1000.0 * np.linalg.norm(motion.positions() - truth.positions(), axis=-1)


def test_a_head_without_positions_keeps_its_rotation(motion: Motion) -> None:
    """The body is no worse than without the head, and the head turns exactly as measured."""
    take = Take.from_motion(motion)
    reconstructor = Reconstructor(motion.skeleton)
    turned = reconstructor.clip(halved(take, {"head": "rotation"}))
    lost = reconstructor.clip(replace(take, valid=take.valid & (np.arange(6) != HEAD)))
    assert angles(turned, motion, "head").max() < 0.2
    assert angles(lost, motion, "head").mean() > 2.0
    assert distances(turned, motion).mean() < 1.1 * distances(lost, motion).mean()


@pytest.mark.parametrize("role", ["pelvis", "head", *HANDS, *FEET])
def test_a_tracker_without_rotations_is_met(motion: Motion, role: str) -> None:
    take = halved(Take.from_motion(motion), {role: "position"})
    result = Reconstructor(motion.skeleton).clip(take)
    joint = TRACKER_JOINTS[TRACKERS.index(role)]
    assert distances(result, motion)[:, joint].max() < 1.0
    assert np.isfinite(result.rotations).all()
    # A guess, not the identity and not the pelvis' rotation.
    assert angles(result, motion, role).mean() < 60.0


@pytest.mark.parametrize("role", ["pelvis", *HANDS, *FEET])
def test_a_tracker_without_positions_turns_as_measured(motion: Motion, role: str) -> None:
    take = halved(Take.from_motion(motion), {role: "rotation"})
    result = Reconstructor(motion.skeleton).clip(take)
    assert angles(result, motion, role).max() < 0.2
    assert np.isfinite(result.root).all()


def test_positions_alone_make_a_body(motion: Motion) -> None:
    """Six places, as some senders have them: the body meets them, and faces as it does."""
    take = halved(Take.from_motion(motion), dict.fromkeys(TRACKERS, "position"))
    result = Reconstructor(motion.skeleton).clip(take)
    assert distances(result, motion)[:, TRACKER_JOINTS].mean() < 15.0
    assert angles(result, motion, "pelvis").mean() < 40.0


@pytest.mark.parametrize(
    "measured",
    [
        {"head": "rotation"},
        {"left_foot": "position", "right_hand": "position"},
        {"pelvis": "position", "head": "rotation"},
    ],
)
def test_frames_are_filled_in_as_takes_are(
    motion: Motion, measured: dict[str, Measurement]
) -> None:
    """Halves that come and go: frame by frame and the whole take at once give the same."""
    whole = Take.from_motion(motion).part(slice(0, 120))
    half = whole.measuring(measured.items())
    begin, end = 40, 80
    gone = (np.arange(120) >= begin) & (np.arange(120) < end)
    placed = half.has_position | ~gone[:, None]
    turned = half.has_rotation | ~gone[:, None]
    take = guess_rotations(whole.with_masks(placed, turned))
    reconstructor = Reconstructor(motion.skeleton)
    live, _ = reconstructor.replay(take)
    filler = GapFiller(reconstructor._weights, motion.skeleton)
    filled, other = filler.clip(take), GapFiller(reconstructor._weights, motion.skeleton)
    for frame in range(120):
        halves = (None if mask is None else mask[frame] for mask in (take.placed, take.turned))
        positions, rotations = other.frame(
            take.positions[frame],
            quat.to_matrix(take.rotations[frame]).astype(np.float32),
            take.valid[frame],
            placed=next(halves),
            turned=next(halves),
        )
        np.testing.assert_allclose(positions, filled.positions[frame], atol=1e-4)
        expected = quat.to_matrix(filled.rotations[frame])
        np.testing.assert_allclose(rotations, expected, atol=1e-3)
    # No joint leaps where a half is lost or comes back.
    steps = np.linalg.norm(np.diff(live.positions(), axis=0), axis=-1)
    true_steps = np.linalg.norm(np.diff(motion.positions()[:120], axis=0), axis=-1)
    assert (steps - true_steps)[begin - 2 : end + 20].max() < 0.05


def test_what_is_measured_never_leaves_its_reading(motion: Motion) -> None:
    """A head whose positions come and go turns exactly all the time."""
    take = Take.from_motion(motion)
    has_position = take.valid.copy()
    has_position[30:60, HEAD] = has_position[90:100, HEAD] = False
    filler = GapFiller(Reconstructor(motion.skeleton)._weights, motion.skeleton)
    filled = filler.clip(take.with_masks(has_position, take.valid))
    same = np.abs((filled.rotations[:, HEAD] * take.rotations[:, HEAD]).sum(-1))
    assert same.min() > 1.0 - 1e-5
    away = np.linalg.norm(filled.positions[:, HEAD] - take.positions[:, HEAD], axis=-1)
    assert away[:30].max() < 1e-6 and away[30:60].max() > 1e-3 and away[-1] < 1e-4


def test_guessed_rotations_face_as_the_body_does(motion: Motion) -> None:
    turn = quat.from_angle_axis(np.full((len(motion), 1), 0.7), np.repeat(Y, len(motion), 0))
    take = Take.from_motion(motion)
    take.rotations[:, PELVIS] = turn
    take = take.measuring([("head", "position"), ("left_foot", "position")])
    guessed = guess_rotations(take)
    for role in ("head", "left_foot"):
        np.testing.assert_allclose(guessed.rotations[:, TRACKERS.index(role)], turn, atol=1e-6)
    others = mask_of(("pelvis", *HANDS, "right_foot"))
    np.testing.assert_array_equal(guessed.rotations[:, others], take.rotations[:, others])
    plain = Take.from_motion(motion)
    assert guess_rotations(plain) is plain
    # Without a pelvis the head's heading serves.
    headless = Take.from_motion(motion).with_masks(
        *(np.tile(mask_of(roles), (len(motion), 1)) for roles in (TRACKERS[1:], TRACKERS[1:-2]))
    )
    foot = guess_rotations(headless).rotations[:, TRACKERS.index("left_foot")].astype(float)
    up = np.repeat(Y, len(take), 0)
    np.testing.assert_allclose(quat.mul_vec(foot, up), up, atol=1e-6)


@pytest.mark.parametrize("yaw", [0.0, 1.2, -2.5])
def test_a_body_of_positions_faces_where_its_hands_and_feet_say(
    skeleton: Skeleton, yaw: float
) -> None:
    turn = quat.from_angle_axis(np.array([[yaw]]), Y).reshape(4)
    unit = np.tile(turn, (1, 22, 1)).astype("f4")
    still = Motion(skeleton, np.zeros(1), unit, np.array([[0.3, 1.0, -0.2]], "f4"))
    take = guess_rotations(halved(Take.from_motion(still), dict.fromkeys(TRACKERS, "position")))
    same = np.abs((take.rotations * turn).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)


def test_halves_of_recordings_are_recognised(motion: Motion) -> None:
    take = Take.from_motion(motion)
    assert mark_constant_parts(take) is take and find_unturned(take) == []
    take.rotations[:, HEAD] = (1.0, 0.0, 0.0, 0.0)
    take.positions[:, PELVIS] = 0.0
    marked = mark_constant_parts(take)
    assert find_unturned(take) == ["head"]
    assert marked.placed is not None and marked.placed[:, HEAD].all()
    assert marked.turned is not None and marked.turned[:, PELVIS].all()
    assert marked.valid[:, 2:].all() and not marked.valid[:, :2].any()
    # A prop that stands still may well have no rotation.
    take.positions[:, HEAD] = take.positions[0, HEAD]
    assert mark_constant_parts(take).placed is None and find_unturned(take) == []


@pytest.mark.parametrize(
    "measured",
    [
        {"head": "rotation"},
        {"left_foot": "position", "right_foot": "position"},
        dict.fromkeys(TRACKERS, "position"),
    ],
)
def test_halves_are_calibrated(skeleton: Skeleton, measured: dict[str, Measurement]) -> None:
    """Joints end as near as with whole poses, and a stored calibration keeps what is measured."""
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], seed=3)
    frames = Take(
        np.arange(60) / 60.0,
        np.repeat(trackers.positions[None], 60, 0).astype("f4"),
        np.repeat(trackers.rotations[None], 60, 0).astype("f4"),
        np.ones((60, 6), bool),
    )
    take = halved(frames, measured)
    calibration, _ = calibrate_at_stillest(skeleton, take)
    assert calibration.measures == tuple(measured.get(role, "pose") for role in TRACKERS)
    whole = calibrate(skeleton, trackers.positions, trackers.rotations)
    stored = Calibration.from_json(calibration.to_json())
    assert stored.measures == calibration.measures
    joints, expected = stored.apply(take), whole.apply(frames)
    for tracker, role in enumerate(TRACKERS):
        part = measured.get(role, "pose")
        assert joints.has_position[:, tracker].all() == (part != "rotation")
        assert joints.has_rotation[:, tracker].all() == (part != "position")
        if part != "rotation":
            away = np.linalg.norm(joints.positions[0, tracker] - trackers.joint_positions[tracker])
            other = np.linalg.norm(
                expected.positions[0, tracker] - trackers.joint_positions[tracker]
            )
            assert away < other + 0.04
        if part != "position":
            same = np.abs(joints.rotations[0, tracker] @ expected.rotations[0, tracker])
            assert same > np.cos(np.radians(5.0) / 2.0)
    assert np.isfinite(joints.positions[joints.has_position]).all()
    assert np.isfinite(joints.rotations).all()


def test_a_head_whose_rotation_is_lost_moves_with_the_body(skeleton: Skeleton) -> None:
    """A tracker that was calibrated whole keeps its mount while only its place is seen."""
    trackers = mount_trackers(skeleton, MOUNT_SETS[0], seed=3)
    calibration = calibrate(skeleton, trackers.positions, trackers.rotations)
    take = Take(
        np.zeros(1),
        trackers.positions[None].astype("f4"),
        trackers.rotations[None].astype("f4"),
        np.ones((1, 6), bool),
    )
    whole, half = calibration.apply(take), calibration.apply(halved(take, {"head": "position"}))
    np.testing.assert_allclose(half.positions[0, HEAD], whole.positions[0, HEAD], atol=0.02)


def test_a_rotation_alone_places_no_body(motion: Motion) -> None:
    take = Take.from_motion(motion)
    alone = take.with_masks(take.valid & (np.arange(6) > 1), take.valid & (np.arange(6) > 0))
    with pytest.raises(TrackerError, match="pelvis and head: one of them is needed"):
        Reconstructor(motion.skeleton).clip(alone)
    with pytest.raises(TrackerError, match="neither pelvis nor head"):
        calibrate_at_stillest(motion.skeleton, alone, tracked=np.arange(6) > 0)
