# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure that shows the guided movement, and what counts as having made it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import INDEX, PARENTS, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.geometry.rotations import transpose
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
    positions = np.array(
        [pose_figure(BODY, time)[0] for time in np.arange(0.0, MOVEMENT_SECONDS, 0.02)]
    )
    assert np.linalg.norm(np.diff(positions, axis=0), axis=-1).max() < 0.02 * 5.0


def test_the_movement_takes_as_long_as_promised() -> None:
    """With three seconds of the reference pose before it, less than half a minute."""
    assert 17.0 <= MOVEMENT_SECONDS < 26.0
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


def pose_at_end(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return joints (22, 3) and rotations (22, 3, 3) of the figure when an exercise ends."""
    numbers = [e.name for e in EXERCISES]
    end = MOVEMENT_SECONDS - sum(e.seconds for e in EXERCISES[numbers.index(name) + 1 :])
    return pose_figure(BODY, end - 0.01)


@pytest.mark.parametrize(
    ("name", "relative"),
    (("one hand on the other", (1.0, 1.0, 1.0)), ("palms together", (-1.0, -1.0, 1.0))),
)
def test_the_figure_shows_how_hands_touch(name: str, relative: tuple[float, ...]) -> None:
    """Backs of both hands upwards and fingers crossing, or palms that face each other."""
    positions, rotations = pose_at_end(name)
    left, right = (INDEX[f"{side}_wrist"] for side in ("left", "right"))
    away = transpose(rotations[left]) @ rotations[right] @ np.diag(relative)
    assert away[1, 1] == pytest.approx(1.0, abs=0.01)
    assert np.degrees(np.arccos(away[0, 0])) < 35.0
    assert np.linalg.norm(positions[left] - positions[right]) < 0.2
    hips, ahead = positions[INDEX["hips"]], np.array([0.0, 0.0, 1.0])
    assert min((positions[wrist] - hips) @ ahead for wrist in (left, right)) > 0.15
    feet = positions[ANKLES]
    standing = pose_figure(BODY, 0.0)[0][ANKLES]
    assert np.linalg.norm(feet[0] - feet[1]) < 0.75 * np.linalg.norm(standing[0] - standing[1])
    for ankle in ANKLES:
        np.testing.assert_allclose(rotations[ankle], np.eye(3), atol=0.01)


def test_hands_that_turn_apart_are_not_seen_to_touch() -> None:
    take = figure_take()
    away = take.positions.copy()
    away[:, TRACKERS.index("left_hand"), 0] += 0.5
    take = replace(take, positions=away)
    unseen = {e.name for n, e in enumerate(EXERCISES) if not find_performed(BODY, take, n)}
    assert unseen == {"one hand on the other", "palms together"}


def test_an_exercise_with_a_lost_tracker_is_not_seen() -> None:
    take = figure_take()
    take.valid[:, TRACKERS.index("left_foot")] = False
    unseen = {e.name for n, e in enumerate(EXERCISES) if not find_performed(BODY, take, n)}
    assert unseen == {"left leg", "squats"}
