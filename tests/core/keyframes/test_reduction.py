# SPDX-License-Identifier: GPL-3.0-or-later
"""Few keys within an error of the pose, on an arm of three bones."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.geometry.rotations import from_rotvec, to_quat
from ssrhmr_core.keyframes.fitting import Samples
from ssrhmr_core.keyframes.posing import PoseBone, channel_rotations, pose_chain
from ssrhmr_core.keyframes.reduction import Channel, Reduction, Tolerance, reduce_keys
from ssrhmr_core.tracking.steps import run_steps

FRAMES = 240
LENGTH = 0.3


def arm() -> list[PoseBone]:
    """Three bones of 0.3 along Y, each on the tip of the one before."""
    bones = []
    for number in range(3):
        rest, relative = np.eye(4), np.eye(4)
        rest[1, 3], relative[1, 3] = LENGTH * number, LENGTH
        bones.append(PoseBone(number - 1, rest, relative if number else rest, np.eye(4), LENGTH))
    return bones


def swing(seed: int, size: float) -> np.ndarray:
    """Smooth rotations as quaternions (F, 4)."""
    random = np.random.default_rng(seed)
    time = np.arange(FRAMES) / 60.0
    rotvec = sum(
        size * random.standard_normal(3) * np.sin(rate * time + phase)[:, None]
        for rate, phase in random.uniform(0.5, 6.0, (4, 2))
    )
    quats = to_quat(np.asarray(from_rotvec(np.asarray(rotvec))))
    return quats * np.where((quats * quats[:1]).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)


def channels(pinned: np.ndarray | None = None) -> list[Channel]:
    pinned = np.zeros(FRAMES, bool) if pinned is None else pinned
    time = np.arange(FRAMES)[:, None] / 60.0
    place = 0.2 * np.sin(time * (1.0, 2.0, 0.5))
    rotations = [
        Channel(bone, "QUATERNION", Samples(swing(bone, 0.2), pinned)) for bone in range(3)
    ]
    return [Channel(0, "LOCATION", Samples(place, pinned)), *rotations]


def run(parts: list[Channel], positions: np.ndarray, degrees: float) -> Reduction:
    steps = reduce_keys(arm(), parts, Tolerance(positions, np.array(np.radians(degrees))))
    shares: list[float] = []
    reduction = run_steps(steps, shares.append)
    assert all(0.0 <= share <= 1.0 for share in shares)
    assert isinstance(reduction, Reduction)
    return reduction


def measure(parts: list[Channel], reduction: Reduction) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors (6, F) of heads and tips and (3, F) of rotations, from the keys alone."""
    poses = []
    for values in (
        [part.samples.values for part in parts],
        [keys.evaluate() for keys in reduction.keys],
    ):
        rotations = [channel_rotations(each, "QUATERNION") for each in values[1:]]
        poses.append(pose_chain(arm(), rotations, [values[0], None, None], FRAMES))
    off = np.linalg.norm(poses[0].points - poses[1].points, axis=-1)
    chord = np.linalg.norm(poses[0].rotations - poses[1].rotations, axis=(-1, -2))
    return off, np.degrees(2.0 * np.arcsin(chord / np.sqrt(8.0)))


@pytest.mark.parametrize(("millimetres", "degrees"), [(1.0, 0.5), (10.0, 0.2), (0.1, 5.0)])
def test_nothing_is_off_by_more_than_it_may_be(millimetres: float, degrees: float) -> None:
    parts = channels()
    reduction = run(parts, np.array(0.001 * millimetres), degrees)
    positions, angles = measure(parts, reduction)
    assert (
        0.3 * millimetres < 1000.0 * positions.max() < millimetres or angles.max() > 0.3 * degrees
    )
    assert 1000.0 * positions.max() <= millimetres and angles.max() <= degrees
    np.testing.assert_allclose(positions, reduction.positions, atol=1e-9)
    np.testing.assert_allclose(np.degrees(reduction.angles), angles, atol=1e-3)
    assert reduction.count < 0.3 * sum(part.samples.values.size for part in parts)


def test_a_tighter_tolerance_costs_keys_only_where_it_holds() -> None:
    parts = channels()
    limits = np.full((6, FRAMES), 0.01)
    loose = run(parts, limits, 5.0)
    limits[5, 100:140] = 0.0002
    tight = run(parts, limits, 5.0)
    assert 1000.0 * measure(parts, tight)[0][5, 100:140].max() <= 0.2
    assert 1000.0 * measure(parts, loose)[0][5, 100:140].max() > 0.2
    counts = [
        [sum(((keys.frames >= a) & (keys.frames < b)).sum() for keys in reduction.keys)]
        for reduction in (loose, tight)
        for a, b in ((90, 150), (0, 80))
    ]
    assert counts[2] > counts[0] and counts[3][0] <= 1.3 * counts[1][0]


def test_pinned_frames_keep_their_keys_and_values() -> None:
    pinned = np.zeros(FRAMES, bool)
    pinned[[31, 77]] = True
    parts = channels(pinned)
    reduction = run(parts, np.array(0.01), 5.0)
    for part, keys in zip(parts, reduction.keys, strict=True):
        assert {0, 31, 77, FRAMES - 1} <= set(keys.frames.tolist())
        off = np.abs(keys.evaluate() - part.samples.values)
        assert off[[31, 77]].max() < 1e-6


def test_what_stands_still_needs_two_keys() -> None:
    still_values = np.tile((1.0, 0.0, 0.0, 0.0), (50, 1))
    still = [
        Channel(bone, "QUATERNION", Samples(still_values, np.zeros(50, bool))) for bone in range(3)
    ]
    reduction = run(still, np.array(0.001), 0.5)
    assert [len(keys.frames) for keys in reduction.keys] == [2, 2, 2]
    assert reduction.positions.max() < 1e-12


@pytest.mark.parametrize("mode", ["XYZ", "ZXY", "AXIS_ANGLE"])
def test_rotation_modes_mean_what_blender_means(mode: str) -> None:
    # A turn of 0.3 about X, then of 0.5 about Z: orders say which comes first.
    if mode == "AXIS_ANGLE":
        values, wanted = np.array([[0.4, 0.0, 0.0, 2.0]]), from_rotvec(np.array([[0.0, 0.0, 0.4]]))
    else:
        x, z = (np.asarray(from_rotvec(np.array(v))) for v in ((0.3, 0.0, 0.0), (0.0, 0.0, 0.5)))
        values, wanted = np.array([[0.3, 0.0, 0.5]]), (z @ x if mode == "XYZ" else x @ z)[None]
    np.testing.assert_allclose(channel_rotations(values, mode), wanted, atol=1e-12)
