# SPDX-License-Identifier: GPL-3.0-or-later
"""Disturbed trackers and random bodies."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import MIRROR, Skeleton
from ssrhmr_core.evaluation.evaluate import Disturbance, random_body
from ssrhmr_core.tracking.take import Take


def test_lost_from_a_third_on_or_never_worn(motion: Motion) -> None:
    take = Take.from_motion(motion)
    worse = Disturbance(lost=(("pelvis", 0.5), ("left_foot", float("inf")))).apply(take, 0)
    begin = (len(take) - 1) // 3
    assert worse.valid[:begin, 0].all() and not worse.valid[begin + 1 : begin + 29, 0].any()
    assert worse.valid[begin + 32 :, 0].all()
    assert not worse.valid[:, 4].any() and worse.valid[:, 1:4].all()


def test_same_seed_same_noise(motion: Motion) -> None:
    take = Take.from_motion(motion)
    first, second, other = (Disturbance(5.0, 1.0).apply(take, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.positions, second.positions)
    assert np.abs(first.positions - other.positions).max() > 0.001
    assert 0.004 < (first.positions - take.positions).std() < 0.006


def test_random_bodies_differ_and_hold_together(skeleton: Skeleton) -> None:
    own = np.linalg.norm(skeleton.offsets, axis=-1)
    bodies = [random_body(skeleton, seed) for seed in range(200)]
    shins = np.array([np.linalg.norm(body.offsets[3]) / own[3] for body in bodies])
    assert 0.7 < shins.min() < 0.8 and 1.2 < shins.max() < 1.4
    # Some have fewer joints in the spine, and no leg is much longer than the other.
    assert 0.3 < np.mean([(body.offsets[10] == 0.0).all() for body in bodies]) < 0.7
    for body in bodies:
        lengths = np.linalg.norm(body.offsets, axis=-1)
        np.testing.assert_allclose(lengths[2], lengths[list(MIRROR)][2], rtol=0.12)
    again = random_body(skeleton, 7)
    np.testing.assert_array_equal(again.offsets, bodies[7].offsets)
