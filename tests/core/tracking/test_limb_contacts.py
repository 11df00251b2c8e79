# SPDX-License-Identifier: GPL-3.0-or-later
"""Knees that sink into the floor come up, smoothly, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, PARENTS, Skeleton
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.solver import LIMBS
from ssrhmr_core.tracking.foot_planting import ContactOptions, detect_contacts
from ssrhmr_core.tracking.limb_contacts import rest_limbs
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

FRAMES = 200
KNEE = INDEX["left_knee"]
OPTIONS = ContactOptions(whole_body=True)


def about(axis: int, degrees: np.ndarray | float) -> np.ndarray:
    rotvecs = np.zeros((*np.shape(degrees), 3))
    rotvecs[..., axis] = np.radians(degrees)
    return quat.from_scaled_angle_axis(rotvecs)


def lying(skeleton: Skeleton, sunk: np.ndarray) -> Motion:
    """Return a body on its back, left knee to the side, and lower by some degrees (F,)."""
    frames = len(sunk)
    rotations = np.tile(about(0, -90.0), (frames, 22, 1))
    down = about(2, -sunk)
    for joint, side in ((INDEX["left_hip"], 50.0), (KNEE, -50.0)):
        turn = quat.mul(about(1, side), about(0, -90.0))
        rotations[:, joint] = quat.mul(down, np.tile(turn, (frames, 1)))
    assert PARENTS[KNEE] == INDEX["left_hip"]
    times = np.arange(frames) / 60.0
    root = np.tile(np.array([0.0, 0.1, 0.0], np.float32), (frames, 1))
    return Motion(skeleton, times, rotations.astype(np.float32), root)


def rested(motion: Motion, strength: float = 1.0, free: np.ndarray | None = None) -> Motion:
    take = Take.from_motion(motion)
    contacts = detect_contacts(take, motion.skeleton, OPTIONS)
    rotations = motion.rotations.copy()
    rest_limbs(rotations, take, contacts, motion.skeleton, OPTIONS, strength, free)
    return Motion(motion.skeleton, motion.times, rotations, motion.root)


def sinking(depth: float) -> np.ndarray:
    """Return degrees by which a knee sinks for a second, slowly, and comes up again."""
    phase = np.clip((np.arange(FRAMES) - 50) / 100.0, 0.0, 1.0)
    return depth * np.sin(np.pi * phase) ** 2


def test_a_knee_that_sinks_is_lifted(skeleton: Skeleton) -> None:
    motion = lying(skeleton, sinking(8.0))
    usual = motion.positions()[0, KNEE, 1]
    before = usual - motion.positions()[:, KNEE, 1]
    result = rested(motion)
    after = usual - result.positions()[:, KNEE, 1]
    assert before.max() > 0.035
    assert after.max() < 0.02
    assert after.min() > -0.005, "and does not float"
    # Half of the strength lifts half as far.
    half = usual - rested(motion, 0.5).positions()[:, KNEE, 1]
    np.testing.assert_allclose(half, 0.5 * (before + after), atol=1e-3)


def test_it_comes_and_goes_smoothly(skeleton: Skeleton) -> None:
    motion = lying(skeleton, sinking(8.0))
    moved = rested(motion).positions()[:, KNEE] - motion.positions()[:, KNEE]
    assert np.linalg.norm(moved, axis=-1).max() > 0.015
    assert np.linalg.norm(np.diff(moved, axis=0), axis=-1).max() < 0.004
    assert np.linalg.norm(moved[:40], axis=-1).max() < 1e-3


def test_ends_and_other_limbs_stay(skeleton: Skeleton) -> None:
    motion = lying(skeleton, sinking(8.0))
    moved = np.linalg.norm(rested(motion).positions() - motion.positions(), axis=-1).max(0)
    assert {joint for joint in range(22) if moved[joint] > 1e-5} == {KNEE}


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_what_is_not_to_move_stays(skeleton: Skeleton, strength: float) -> None:
    motion = lying(skeleton, sinking(8.0))
    free = np.zeros((FRAMES, len(LIMBS))) if strength else None
    np.testing.assert_allclose(
        rested(motion, strength, free).rotations, motion.rotations, atol=1e-6
    )


def test_a_body_that_stands_is_left_alone(skeleton: Skeleton) -> None:
    motion = make_motion(skeleton)
    np.testing.assert_array_equal(rested(motion).rotations, motion.rotations)


def test_planting_rests_limbs_only_if_asked(
    skeleton: Skeleton, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option for hands and hips is that for knees and elbows too."""
    calls: list[float] = []
    monkeypatch.setattr(
        "ssrhmr_core.pipeline.rest_limbs", lambda *arguments: calls.append(arguments[5])
    )
    take = Take.from_motion(lying(skeleton, sinking(8.0)))
    for planting, options in ((1.0, ContactOptions()), (0.0, OPTIONS), (0.7, OPTIONS)):
        choice = ReconstructionOptions(planting=planting, contact_options=options)
        Reconstructor(skeleton, choice).clip(take)
    assert calls == [0.7]
