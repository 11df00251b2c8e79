# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted feet: still while they stand, free otherwise, at whatever height."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import FOOT_TRACKERS, TRACKER_JOINTS, Skeleton
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.foot_planting import (
    detect_contacts,
    estimate_floor,
    keep_toes_flat,
    plant_feet,
)
from ssrhmr_core.tracking.take import Take

SWING, STAND = 24, 36
"""Frames of a step."""


def walk(skeleton: Skeleton, rise: float = 0.0, drift: float = 0.02) -> tuple[Take, np.ndarray]:
    """Steps whose standing foot slides (m/s) and shakes; and which frames each foot standing."""
    random = np.random.default_rng(3)
    frames = 6 * (SWING + STAND)
    times = np.arange(frames) / 60.0
    pose = skeleton.t_pose()[list(TRACKER_JOINTS)]
    positions = np.tile(pose + np.array([0.0, 0.9, 0.0]), (frames, 1, 1))
    standing = np.zeros((frames, 2), bool)
    for side, foot in enumerate(FOOT_TRACKERS):
        forward, height = 0.0, 0.0
        for frame in range(frames):
            phase = (frame + side * (SWING + STAND) // 2) % (SWING + STAND)
            swings = phase < SWING
            standing[frame, side] = not swings
            if swings:
                share = (phase + 1) / SWING
                ease = share * share * (3.0 - 2.0 * share)
                positions[frame, foot] += (
                    0.0,
                    height + rise * ease + 0.12 * np.sin(np.pi * share),
                    forward + 0.6 * ease,
                )
                if phase == SWING - 1:
                    forward, height = forward + 0.6, height + rise
            else:
                forward += drift / 60.0
                positions[frame, foot] += (0.0, height, forward)
                positions[frame, foot] += 0.0005 * random.standard_normal(3)
    rotations = np.tile(np.array([1.0, 0, 0, 0]), (frames, 6, 1))
    take = Take(times, positions.astype("f4"), rotations.astype("f4"), np.ones((frames, 6), bool))
    return take, standing


def inner(standing: np.ndarray) -> np.ndarray:
    """Frames well inside of a stance."""
    kept = standing.copy()
    for shift in range(1, 7):
        kept[shift:] &= standing[:-shift]
        kept[:-shift] &= standing[shift:]
    return kept


def speed(take: Take, foot: int) -> np.ndarray:
    steps = np.linalg.norm(np.diff(take.positions[:, foot], axis=0), axis=-1)
    return 60.0 * np.concatenate([[0.0], steps])


@pytest.mark.parametrize("rise", [0.0, 0.18, -0.18])
def test_contacts_are_found_also_on_stairs(skeleton: Skeleton, rise: float) -> None:
    take, standing = walk(skeleton, rise)
    contacts = detect_contacts(take, skeleton)
    assert contacts.flat[inner(standing)].mean() > 0.97
    assert contacts.flat[~standing].mean() < 0.15


@pytest.mark.parametrize("rise", [0.0, 0.18])
def test_standing_feet_stop_sliding(skeleton: Skeleton, rise: float) -> None:
    take, standing = walk(skeleton, rise, drift=0.05)
    contacts = detect_contacts(take, skeleton)
    held = plant_feet(take, contacts, skeleton, 1.0)
    for side, foot in enumerate(FOOT_TRACKERS):
        inside = inner(standing)[:, side]
        assert speed(held, foot)[inside].mean() < 0.2 * speed(take, foot)[inside].mean()
        assert speed(held, foot)[inside].mean() < 0.01
        moved = np.linalg.norm(held.positions[:, foot] - take.positions[:, foot], axis=-1)
        assert moved.max() < 0.03
        # No pop: the way from frame to frame changes by little.
        jolts = np.linalg.norm(np.diff(held.positions[:, foot], 2, axis=0), axis=-1)
        own = np.linalg.norm(np.diff(take.positions[:, foot], 2, axis=0), axis=-1)
        assert jolts.max() < own.max() + 0.004
    others = [tracker for tracker in range(6) if tracker not in FOOT_TRACKERS]
    np.testing.assert_array_equal(held.positions[:, others], take.positions[:, others])


def test_strength_is_a_share(skeleton: Skeleton) -> None:
    take, _ = walk(skeleton, drift=0.05)
    contacts = detect_contacts(take, skeleton)
    np.testing.assert_allclose(
        plant_feet(take, contacts, skeleton, 0.0).positions, take.positions, atol=1e-6
    )
    whole = plant_feet(take, contacts, skeleton, 1.0).positions - take.positions
    half = plant_feet(take, contacts, skeleton, 0.5).positions - take.positions
    np.testing.assert_allclose(half, 0.5 * whole, atol=2e-3)


def test_feet_do_not_sink(skeleton: Skeleton) -> None:
    take, standing = walk(skeleton)
    sunk = take.positions.copy()
    middle = np.flatnonzero(standing[:, 0])[40]
    sunk[middle - 2 : middle + 3, FOOT_TRACKERS[0], 1] -= 0.02
    worse = Take(take.times, sunk, take.rotations, take.valid)
    contacts = detect_contacts(worse, skeleton)
    held = plant_feet(worse, contacts, skeleton, 1.0)
    floor = np.median(take.positions[standing[:, 0], FOOT_TRACKERS[0], 1])
    assert held.positions[:, FOOT_TRACKERS[0], 1].min() > floor - 0.002


def test_toes_stay_flat_while_the_heel_rises(skeleton: Skeleton) -> None:
    take, _ = walk(skeleton)
    contacts = detect_contacts(take, skeleton)
    rotations = np.zeros((len(take), 22, 4), np.float32)
    rotations[..., 0] = 1.0
    pitch = 0.3 * np.sin(np.arange(len(take)) / 5.0)
    axis = np.tile(np.array([1.0, 0.0, 0.0]), (len(take), 1))
    rotations[:, 4] = quat.from_angle_axis(pitch[:, None], axis).reshape(-1, 4)
    before = rotations.copy()
    keep_toes_flat(rotations, contacts, 1.0)
    inside = inner(contacts.ball)[1:, 0] & inner(contacts.ball)[:-1, 0]
    step = np.abs(np.diff(rotations[:, 4], axis=0)).max(-1)[inside].mean()
    assert step < 0.1 * np.abs(np.diff(before[:, 4], axis=0)).max(-1)[inside].mean()
    np.testing.assert_array_equal(rotations[:, :4], before[:, :4])


def test_floor_between_two_contacts_is_the_lower_one() -> None:
    heights = np.array([0.2, 0.2, 0.9, 0.9, 0.5, 0.5])
    contact = np.array([True, True, False, False, True, True])
    np.testing.assert_allclose(estimate_floor(heights, contact), [0.2, 0.2, 0.2, 0.2, 0.5, 0.5])
    assert np.isneginf(estimate_floor(heights, np.zeros(6, bool))).all()


def test_reconstruction_with_planting(skeleton: Skeleton) -> None:
    take, standing = walk(skeleton, drift=0.05)
    free = Reconstructor(skeleton).clip(take)
    held = Reconstructor(skeleton, ReconstructionOptions(planting=1.0)).clip(take)

    def slides(body: object) -> float:
        ankle = body.positions()[:, 3]  # type: ignore[attr-defined]
        steps = np.linalg.norm(np.diff(ankle, axis=0), axis=-1)
        return float(steps[inner(standing)[1:, 0]].mean())

    assert slides(held) < 0.3 * slides(free)
