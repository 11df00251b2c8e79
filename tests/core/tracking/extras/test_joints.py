# SPDX-License-Identifier: GPL-3.0-or-later
"""Readings of optional trackers, sorted by joint."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_INDEX, EXTRA_JOINTS, EXTRA_ROLES, Segment
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.solver import Measured
from ssrhmr_core.tracking.extras.joints import join, measure_joints
from ssrhmr_core.tracking.extras.readings import ExtraReadings


def measure(motion: Motion, name: str, segment: Segment = "upper") -> Measured:
    readings = ExtraReadings.from_motion(motion, [name], {name: segment})
    return measure_joints(
        readings,
        0.5 * readings.has_position.astype(np.float32),
        0.25 * readings.has_rotation.astype(np.float32),
        motion.root,
    )


@pytest.mark.parametrize(
    ("segment", "turned"), [("upper", "left_shoulder"), ("lower", "left_elbow")]
)
def test_an_elbow_has_a_place_and_a_bone_that_turns(
    motion: Motion, segment: Segment, turned: str
) -> None:
    measured = measure(motion, "left_elbow", segment)
    place, bone = EXTRA_INDEX[INDEX["left_elbow"]], EXTRA_INDEX[INDEX[turned]]
    expected = np.zeros((len(motion), len(EXTRA_JOINTS)), np.float32)
    expected[:, place] = 0.5
    np.testing.assert_array_equal(measured.position_trust[..., 0], expected)
    expected[:] = 0.0
    expected[:, bone] = 0.25
    np.testing.assert_array_equal(measured.rotation_trust[..., 0], expected)
    joints = motion.positions()[:, INDEX["left_elbow"]] - motion.root
    np.testing.assert_allclose(measured.positions[:, place], joints, atol=1e-6)
    np.testing.assert_allclose(
        measured.rotations[:, bone], motion.matrices()[:, INDEX[turned]], atol=1e-5
    )


def test_the_place_of_a_toe_is_not_read(motion: Motion) -> None:
    """Its foot's tracker says where it is."""
    measured = measure(motion, "left_toe")
    assert not measured.position_trust.any()
    assert measured.rotation_trust[:, EXTRA_INDEX[EXTRA_ROLES["left_toe"].upper]].all()


def test_frames_are_joined(motion: Motion) -> None:
    measured = measure(motion, "chest")
    one = measured.part(slice(3, 4))
    joined = join([None, one, None])
    assert joined is not None
    assert [bool(each.any()) for each in joined.position_trust] == [False, True, False]
    np.testing.assert_array_equal(joined.positions[1], measured.positions[3])
    np.testing.assert_array_equal(joined.rotations[0, 0], np.eye(3))
    assert join([None, None]) is None
