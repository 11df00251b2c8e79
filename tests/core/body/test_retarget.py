# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer's motion on a character with other proportions."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.retarget import retarget
from ssrhmr_core.body.skeleton import INDEX, JOINTS, Skeleton

FEET = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "toe")]


def long_legs(skeleton: Skeleton) -> Skeleton:
    offsets = skeleton.offsets.copy()
    for joint, name in enumerate(JOINTS):
        if "knee" in name or "ankle" in name:
            offsets[joint] *= 1.3
    return Skeleton(offsets)


def lowest_feet(motion: Motion) -> np.ndarray:
    """Return the height (F,) of the lowest joint of the feet over its height when standing."""
    rest = motion.skeleton.t_pose()[FEET, 1]
    return (motion.positions()[:, FEET, 1] - (rest - rest.min())).min(-1)


def test_the_own_body_keeps_its_motion(motion: Motion) -> None:
    same = retarget(motion, motion.skeleton)
    np.testing.assert_array_equal(same.rotations, motion.rotations)
    np.testing.assert_allclose(same.root, motion.root, atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_body_of_another_size_moves_to_scale(motion: Motion, factor: float) -> None:
    result = retarget(motion, motion.skeleton.scaled(factor))
    np.testing.assert_array_equal(result.rotations, motion.rotations)
    np.testing.assert_allclose(result.positions(), factor * motion.positions(), atol=1e-4)


def test_feet_are_as_high_over_the_floor_in_lengths_of_the_leg(motion: Motion) -> None:
    character = long_legs(motion.skeleton)
    result = retarget(motion, character)
    ratio = character.t_pose()[FEET, 1].min() / motion.skeleton.t_pose()[FEET, 1].min()
    assert ratio > 1.2
    np.testing.assert_allclose(lowest_feet(result), ratio * lowest_feet(motion), atol=1e-5)
    # The path is scaled by the legs too, not by the whole body.
    np.testing.assert_allclose(result.root[:, [0, 2]], ratio * motion.root[:, [0, 2]], atol=1e-5)
    np.testing.assert_array_equal(result.rotations, motion.rotations)


def test_joints_that_the_character_lacks_turn_with_their_parent(motion: Motion) -> None:
    present = np.ones(len(JOINTS), bool)
    present[INDEX["middle_spine"]] = False
    before = motion.rotations.copy()
    result = retarget(motion, Skeleton(motion.skeleton.offsets, present))
    np.testing.assert_array_equal(
        result.rotations[:, INDEX["middle_spine"]], motion.rotations[:, INDEX["lower_spine"]]
    )
    np.testing.assert_array_equal(motion.rotations, before)


def test_soles_that_are_known_keep_the_height(motion: Motion) -> None:
    """Shoes with a sole of 9 cm stand where the performer's feet stand, whose soles are thinner."""
    skeleton = motion.skeleton
    shod = Skeleton(skeleton.offsets, skeleton.present, sole=0.09)
    lifted = retarget(motion, shod).root - retarget(motion, skeleton).root
    assert np.allclose(lifted[:, [0, 2]], 0.0, atol=1e-6)
    assert np.allclose(lifted[:, 1], 0.09 - skeleton.sole_height, atol=1e-5)


def test_frames_of_a_long_take_are_judged_alone(motion: Motion) -> None:
    """Long takes are looked at in parts; where these end does not show."""
    order = np.arange(5000) % len(motion)
    long = Motion(
        motion.skeleton, np.arange(5000) / 60.0, motion.rotations[order], motion.root[order]
    )
    character = long_legs(motion.skeleton)
    whole, short = retarget(long, character), retarget(motion, character)
    np.testing.assert_array_equal(whole.root, short.root[order])
    np.testing.assert_array_equal(whole.rotations, short.rotations[order])
