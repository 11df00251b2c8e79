# SPDX-License-Identifier: GPL-3.0-or-later
"""The lengths and directions that the solve reads from a skeleton."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import INDEX, LIMB_DIRECTIONS, TRACKERS, Skeleton
from ssrhmr_core.solver import ARMS, LEGS, LIMBS, solver_skeleton


def test_limbs_end_on_their_trackers() -> None:
    assert (*LEGS, *ARMS) == LIMBS
    assert [TRACKERS[limb.tracker] for limb in LIMBS] == [
        "left_foot",
        "right_foot",
        "left_hand",
        "right_hand",
    ]
    assert [limb.end for limb in LIMBS] == [
        INDEX[name] for name in ("left_ankle", "right_ankle", "left_wrist", "right_wrist")
    ]


def test_lengths_and_directions(skeleton: Skeleton) -> None:
    body, offsets = solver_skeleton(skeleton.offsets), skeleton.offsets
    lengths = np.linalg.norm(offsets, axis=-1)
    for number, limb in enumerate(LIMBS):
        assert body.upper_lengths[number, 0] == pytest.approx(lengths[limb.lower])
        assert body.lower_lengths[number, 0] == pytest.approx(lengths[limb.end])
        np.testing.assert_allclose(
            body.limb_directions[number],
            [LIMB_DIRECTIONS[limb.upper], LIMB_DIRECTIONS[limb.lower]],
            atol=1e-6,
        )
    head = skeleton.t_pose()[INDEX["head"]]
    assert body.spine_length[0] == pytest.approx(np.linalg.norm(head))
    chain = [INDEX[name] for name in ("middle_spine", "chest", "neck", "head")]
    np.testing.assert_array_equal(body.spine_offsets, offsets[chain])
    assert body.spine_reach[0] == pytest.approx(lengths[chain].sum())
    for side, name in enumerate(("left", "right")):
        np.testing.assert_array_equal(body.hip_offsets[side], offsets[INDEX[f"{name}_hip"]])
        clavicle, shoulder = INDEX[f"{name}_clavicle"], INDEX[f"{name}_shoulder"]
        np.testing.assert_array_equal(body.clavicle_offsets[side], offsets[clavicle])
        np.testing.assert_array_equal(body.shoulder_offsets[side], offsets[shoulder])
        assert body.clavicle_lengths[side, 0] == pytest.approx(lengths[shoulder])


def test_batches_of_bodies(skeleton: Skeleton) -> None:
    both = solver_skeleton(np.stack([skeleton.offsets, 2.0 * skeleton.offsets]))
    one = solver_skeleton(skeleton.offsets)
    for name, part in both._asdict().items():
        np.testing.assert_allclose(part[0], getattr(one, name), atol=1e-6, err_msg=name)
    np.testing.assert_allclose(both.upper_lengths[1], 2.0 * one.upper_lengths, atol=1e-6)
