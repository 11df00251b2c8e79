# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure that shows the guided movement, and what counts as having made it."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import INDEX, PARENTS, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.tracking.movement.guided import (
    EXERCISES,
    MOVEMENT_SECONDS,
    exercise_progress,
    find_exercise,
    find_performed,
    pose_figure,
)
from ssrhmr_core.tracking.reference_pose import ReferencePose, measure_ankle_height
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_skeleton

BODY = make_skeleton()
TIMES = np.arange(0.0, MOVEMENT_SECONDS + 1.0, 1.0 / 12.0)
POSES = [pose_figure(BODY, time) for time in TIMES]
ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


def figure_take() -> Take:
    tracked = list(TRACKER_JOINTS)
    return Take(
        TIMES,
        np.array([positions[tracked] for positions, _ in POSES], "f4"),
        quat.from_matrix(np.array([rotations[tracked] for _, rotations in POSES])).astype("f4"),
        np.ones((len(TIMES), 6), bool),
    )


@pytest.mark.parametrize("reference", list(ReferencePose))
def test_the_figure_begins_in_the_reference_pose(reference: ReferencePose) -> None:
    positions, _ = pose_figure(BODY, 0.0, reference)
    arm = positions[INDEX["left_wrist"]] - positions[INDEX["left_shoulder"]]
    elevation = np.degrees(np.arctan2(arm[1], arm[0]))
    assert elevation == pytest.approx(reference.arm_elevation, abs=1e-3)
    assert positions[ANKLES, 1] == pytest.approx(measure_ankle_height(BODY))


def test_the_figure_keeps_its_bones_and_stands_on_the_floor() -> None:
    lengths = np.linalg.norm(BODY.offsets[1:], axis=-1)
    for positions, _ in POSES:
        bones = positions[1:] - positions[list(PARENTS[1:])]
        np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), lengths, atol=1e-6)
        assert positions[ANKLES, 1].min() == pytest.approx(measure_ankle_height(BODY))


def test_the_figure_moves_without_jumps() -> None:
    """At most 5 m/s, which a hand has that is lifted quickly."""
    positions = np.array([pose_figure(BODY, time)[0] for time in np.arange(0.0, 20.0, 0.02)])
    assert np.linalg.norm(np.diff(positions, axis=0), axis=-1).max() < 0.02 * 5.0


def test_the_movement_takes_as_long_as_promised() -> None:
    assert 13.0 <= MOVEMENT_SECONDS < 20.01
    numbers = [find_exercise(time) for time in TIMES]
    assert numbers == sorted(numbers) and numbers[0] == -1
    assert set(numbers) == {-1, *range(len(EXERCISES))}
    assert exercise_progress(-1.0) == 0.0 and exercise_progress(99.0) == 1.0


def test_whoever_copies_the_figure_is_seen_to() -> None:
    take = figure_take()
    assert all(find_performed(BODY, take, number) for number in range(len(EXERCISES)))


def test_whoever_stands_is_not() -> None:
    take = figure_take()
    still = np.zeros(len(take), int)
    take = Take(take.times, take.positions[still], take.rotations[still], take.valid)
    assert not any(find_performed(BODY, take, number) for number in range(len(EXERCISES)))


def test_an_exercise_with_a_lost_tracker_is_not_seen() -> None:
    take = figure_take()
    take.valid[:, TRACKERS.index("left_foot")] = False
    unseen = {e.name for n, e in enumerate(EXERCISES) if not find_performed(BODY, take, n)}
    assert unseen == {"left leg", "squats"}
