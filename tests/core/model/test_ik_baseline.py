# SPDX-License-Identifier: GPL-3.0-or-later
"""The body without a network."""

from __future__ import annotations

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.model.ik_baseline import predict_without_network


def about_y(degrees: float) -> np.ndarray:
    half = 0.5 * np.radians(degrees)
    return np.array([np.cos(half), 0.0, np.sin(half), 0.0])


def test_the_spine_turns_in_equal_steps_from_pelvis_to_head() -> None:
    trackers = np.tile([1.0, 0.0, 0.0, 0.0], (1, 6, 1))
    trackers[0, TRACKERS.index("pelvis")] = about_y(10.0)
    trackers[0, TRACKERS.index("head")] = about_y(60.0)
    body, _ = predict_without_network(trackers)
    chain = [INDEX[name] for name in ("hips", "lower_spine", "middle_spine", "chest", "neck")]
    degrees = np.degrees(np.arctan2(body[0, chain, 0, 2], body[0, chain, 2, 2]))
    np.testing.assert_allclose(degrees, [10.0, 20.0, 30.0, 40.0, 50.0], atol=1e-3)
    arms = [joint for joint, name in enumerate(JOINTS) if "clavicle" in name or "elbow" in name]
    expected = np.broadcast_to(body[0, INDEX["chest"]], (len(arms), 3, 3))
    np.testing.assert_array_equal(body[0, arms], expected)


def test_knees_bend_forward_and_elbows_back_in_the_bodys_frame(motion: Motion) -> None:
    trackers = motion.rotations[:, list(TRACKER_JOINTS)]
    body, poles = predict_without_network(trackers)
    assert body.shape == (len(motion), 22, 3, 3) and poles.shape == (len(motion), 4, 3)
    hips, chest = body[:, INDEX["hips"]], body[:, INDEX["chest"]]
    np.testing.assert_allclose(hips, quat.to_matrix(trackers[:, 0]), atol=1e-5)
    for leg in (0, 1):
        np.testing.assert_allclose(poles[:, leg], hips[:, :, 2], atol=1e-6)
    for arm in (2, 3):
        assert ((poles[:, arm] * chest[:, :, 2]).sum(-1) < -0.5).all()
