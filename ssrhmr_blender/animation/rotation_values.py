# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations over time as the values of a bone's rotation channels, without jumps."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.geometry.rotations import to_quat

EULER_ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
_TINY = 1e-7


def rotation_values(rotations: np.ndarray, mode: str) -> tuple[str, np.ndarray]:
    """Turn rotations into channel values.

    Args:
        rotations: (F, 3, 3).
        mode: ``rotation_mode`` of the bone.

    Returns:
        Name of the property and its values (F, 3) or (F, 4).
    """
    if mode in EULER_ORDERS:
        return "rotation_euler", to_euler(rotations, mode)
    quaternions = to_quaternions(rotations)
    if mode == "AXIS_ANGLE":
        return "rotation_axis_angle", to_axis_angle(quaternions)
    return "rotation_quaternion", quaternions


def to_quaternions(rotations: np.ndarray) -> np.ndarray:
    """Return quaternions (F, 4) of rotations (F, 3, 3), each near the one before."""
    quats = to_quat(np.asarray(rotations))
    flips = np.where((quats[1:] * quats[:-1]).sum(-1) < 0.0, -1.0, 1.0)
    first = -1.0 if quats[0, 0] < 0.0 else 1.0
    return quats * (first * np.cumprod(np.concatenate([[1.0], flips])))[:, None]


def to_axis_angle(quaternions: np.ndarray) -> np.ndarray:
    """Return angle and axis (F, 4), as Blender orders them, of continuous quaternions (F, 4)."""
    sine = np.linalg.norm(quaternions[:, 1:], axis=-1)
    rotated = _last_valid(sine > 1e-4)
    if not (sine > 1e-4).any():
        axes = np.tile([0.0, 1.0, 0.0], (len(sine), 1))
    else:
        axes = quaternions[rotated, 1:] / sine[rotated, None]
    # Through zero the axis flips; keeping it and letting the angle go below zero avoids that.
    flips = np.where((axes[1:] * axes[:-1]).sum(-1) < 0.0, -1.0, 1.0)
    axes = axes * np.cumprod(np.concatenate([[1.0], flips]))[:, None]
    angles = 2.0 * np.arctan2((quaternions[:, 1:] * axes).sum(-1), quaternions[:, 0])
    return np.concatenate([np.unwrap(angles)[:, None], axes], -1)


def to_euler(rotations: np.ndarray, order: str) -> np.ndarray:
    """Return Euler angles (F, 3) as x, y, z, radians, without jumps, of rotations (F, 3, 3).

    Blender's order ABC rotates about A first: R = C B A. Each rotation has two sets of angles,
    to which full turns may be added; every frame takes what is nearest to the frame before.
    """
    rotations = np.asarray(rotations, np.float64)
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    cosine = np.hypot(rotations[:, i, i], rotations[:, j, i])
    middle = np.arctan2(-sign * rotations[:, k, i], cosine)
    first = np.arctan2(sign * rotations[:, k, j], rotations[:, k, k])
    # At a gimbal lock only the sum of the outer angles is defined: the first keeps its last value.
    first = first[_last_valid(cosine > _TINY)] if (cosine > _TINY).any() else 0.0 * first
    # What is left after the first rotation, read where the middle angle does not disturb it.
    c, s = np.cos(first), sign * np.sin(first)
    last = np.arctan2(
        sign * (s * rotations[:, i, k] - c * rotations[:, i, j]),
        c * rotations[:, j, j] - s * rotations[:, j, k],
    )
    one = np.stack([first, middle, last], -1)
    two = np.stack([first + np.pi, np.pi - middle, last + np.pi], -1)
    angles = np.unwrap(np.where(_nearer_second(one, two)[:, None], two, one), axis=0)
    result = np.empty_like(angles)
    result[:, [i, j, k]] = angles
    return result


def _nearer_second(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return at which frames (F,) the second of two sets of angles (F, 3) continues the last ones.

    Each frame maps "the last one was first or second" to "this one is first or second". Such a
    map keeps, swaps or forgets; so the state is known from the last that forgot and the number of
    swaps since, without a loop.
    """
    to_second = np.stack(
        [
            _distance(two[1:], before) < _distance(one[1:], before)
            for before in (one[:-1], two[:-1])
        ],
        -1,
    )
    forgets = to_second[:, 0] == to_second[:, 1]
    swaps = np.cumsum(np.concatenate([[False], to_second[:, 0] & ~to_second[:, 1]]))
    anchor = _last_valid(np.concatenate([[True], forgets]))
    start = np.concatenate([[False], to_second[:, 0]])[anchor]
    return start ^ ((swaps - swaps[anchor]) % 2 == 1)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs((a - b + np.pi) % (2.0 * np.pi) - np.pi).sum(-1)


def _last_valid(valid: np.ndarray) -> np.ndarray:
    """Return the index (F,) of the last valid frame; of the first valid one before that."""
    index = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
    return np.where(index < 0, int(np.argmax(valid)), index)
