# SPDX-License-Identifier: GPL-3.0-or-later
"""The path of a body on the floor."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.body.root_motion import find_root_path, move_in_place
from ssrhmr_core.geometry.rotations import rotation_about
from tests.core.conftest import make_motion, make_skeleton


def turns(angles: np.ndarray) -> np.ndarray:
    return np.asarray(rotation_about(1, angles))


def test_without_a_filter_it_is_the_projection() -> None:
    time = np.arange(200) / 60.0
    hips = np.stack([np.sin(time), 1.0 + 0.1 * np.cos(9.0 * time), 0.5 * time], -1)
    # Twice around: headings have no jumps, and a nod does not change them.
    angles = 4.0 * np.pi * time / time[-1] + 0.4
    nods = np.asarray(rotation_about(0, 0.3 * np.sin(5.0 * time)))
    path = find_root_path(hips, turns(angles) @ nods, 60.0, 0.0)
    np.testing.assert_allclose(path.positions, hips * (1.0, 0.0, 1.0), atol=1e-12)
    np.testing.assert_allclose(path.headings, angles, atol=1e-6)
    np.testing.assert_allclose(path.rotations, turns(angles), atol=1e-6)


def test_the_filter_is_a_gaussian_without_delay() -> None:
    time = np.arange(600) / 60.0
    rate, deviation = 2.0 * np.pi * 1.5, 0.1
    hips = np.stack([np.sin(rate * time), 0.0 * time, 2.0 * time], -1)
    path = find_root_path(hips, turns(0.3 * np.sin(rate * time)), 60.0, deviation)
    # A Gaussian passes a wave of angular frequency w with exp(-(w s)^2 / 2), and lines as they are.
    factor = np.exp(-0.5 * (rate * deviation) ** 2)
    inside = slice(60, -60)
    np.testing.assert_allclose(
        path.positions[inside, 0], factor * hips[inside, 0], atol=1e-3 * factor
    )
    np.testing.assert_allclose(
        path.headings[inside], 0.3 * factor * np.sin(rate * time)[inside], atol=1e-3
    )
    np.testing.assert_allclose(path.positions[:, 2], hips[:, 2], atol=1e-9)


def test_in_place_the_body_keeps_its_pose() -> None:
    motion = make_motion(make_skeleton(), frames=80)
    path = find_root_path(motion.root, motion.matrices()[:, 0], 60.0, 0.0)
    still = move_in_place(motion, path, turns=True)
    np.testing.assert_allclose(
        still.root[:, [0, 2]], np.tile(motion.root[:1, [0, 2]], (80, 1)), atol=1e-5
    )
    spans = [
        np.linalg.norm(m.positions()[:, 1:] - m.root[:, None], axis=-1) for m in (still, motion)
    ]
    np.testing.assert_allclose(spans[0], spans[1], atol=1e-5)
    facing = find_root_path(still.root, still.matrices()[:, 0], 60.0, 0.0).headings
    np.testing.assert_allclose(facing, path.headings[0], atol=1e-4)
    ahead = move_in_place(motion, path, turns=False)
    np.testing.assert_array_equal(ahead.rotations, motion.rotations)
