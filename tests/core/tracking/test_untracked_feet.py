# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that nobody tracks stand, step and turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import FOOT_TRACKERS, INDEX, TRACKER_JOINTS, TRACKERS, Skeleton
from ssrhmr_core.tracking.reference_pose import measure_ankle_height
from ssrhmr_core.tracking.take import Take
from ssrhmr_core.tracking.untracked_feet import FootStepper

FEET = list(FOOT_TRACKERS)
PELVIS = TRACKERS.index("pelvis")
WORN = np.array([role not in ("left_foot", "right_foot") for role in TRACKERS])
TOES = [INDEX["left_toe"], INDEX["right_toe"]]


def glide(
    skeleton: Skeleton, way: np.ndarray, yaws: np.ndarray | None = None, frames: int = 300
) -> Take:
    """A body in the T-pose that is carried along a way (F, 3), turned by angles (F,)."""
    yaws = np.zeros(frames) if yaws is None else yaws
    rest = skeleton.t_pose()[list(TRACKER_JOINTS)].astype(float)
    # Knees are a little bent.
    rest[:, 1] += measure_ankle_height(skeleton) - rest[FEET, 1].mean()
    rest[[n for n in range(6) if n not in FEET], 1] -= 0.04
    turns = quat.from_angle_axis(yaws[:, None], np.tile([0.0, 1.0, 0.0], (frames, 1)))
    turns = turns.reshape(frames, 1, 4)
    positions = quat.mul_vec(np.tile(turns, (1, 6, 1)), np.tile(rest, (frames, 1, 1)))
    return Take(
        np.arange(frames) / 60.0,
        (positions + way[:, None]).astype("f4"),
        np.tile(turns, (1, 6, 1)).astype("f4"),
        np.ones((frames, 6), bool),
    )


def step(skeleton: Skeleton, take: Take, live: bool) -> Take:
    """Let the feet of a take step, at once or frame by frame."""
    stepper = FootStepper(skeleton)
    if not live:
        return stepper.clip(take, WORN)
    positions, rotations = take.positions.copy(), take.rotations.copy()
    matrices = quat.to_matrix(take.rotations)
    for frame in range(len(take)):
        positions[frame], turned = stepper.frame(take.positions[frame], matrices[frame], WORN)
        rotations[frame] = quat.from_matrix(turned)
    return replace(take, positions=positions, rotations=rotations)


def balls_of(skeleton: Skeleton, take: Take) -> np.ndarray:
    """Return positions (F, 2, 3) of the balls of the feet."""
    toes = np.broadcast_to(skeleton.offsets[TOES], (len(take), 2, 3)).astype(float)
    return take.positions[:, FEET] + quat.mul_vec(take.rotations[:, FEET].astype(float), toes)


def speeds(positions: np.ndarray) -> np.ndarray:
    """Return speeds (F - 1, 2) of the feet, m/s."""
    return 60.0 * np.linalg.norm(np.diff(positions, axis=0), axis=-1)


def lowest(skeleton: Skeleton, take: Take) -> tuple[float, float]:
    """Return the least heights of ankles and balls of the feet."""
    return float(take.positions[:, FEET, 1].min()), float(balls_of(skeleton, take)[..., 1].min())


@pytest.mark.parametrize("live", [False, True])
def test_a_standing_foot_does_not_slide_or_sink(skeleton: Skeleton, live: bool) -> None:
    """The model's feet sway by 4 cm and sink by 10."""
    times = np.arange(300) / 60.0
    take = glide(skeleton, np.zeros((300, 3)))
    sway = np.stack([0.04 * np.sin(2.0 * times), 0.1 * np.sin(times) - 0.1, 0.0 * times], -1)
    take.positions[:, FEET] += sway[:, None].astype("f4")
    stood = step(skeleton, take, live)
    assert speeds(stood.positions[:, FEET]).max() < 1e-4
    ankle, ball = lowest(skeleton, stood)
    assert ankle == pytest.approx(measure_ankle_height(skeleton), abs=1e-4)
    assert ball > 0.0
    others = [n for n in range(6) if n not in FEET]
    np.testing.assert_array_equal(stood.positions[:, others], take.positions[:, others])


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("speed", [0.4, 0.8, 1.3])
def test_a_gliding_body_walks(skeleton: Skeleton, speed: float, live: bool) -> None:
    way = np.zeros((300, 3))
    way[:, 2] = speed * np.maximum(np.arange(300) / 60.0 - 0.5, 0.0)
    walked = step(skeleton, glide(skeleton, way), live)
    # Heels may rise.
    stands = speeds(balls_of(skeleton, walked)) < 0.03
    # One foot stands at any time but where one step follows another, and both take turns.
    assert stands[:30].all()
    assert stands.any(1).mean() > 0.9
    assert (stands[60:].mean(0) > 0.25).all() and (~stands[60:]).any(0).all()
    assert speeds(walked.positions[:, FEET]).max() < 3.0 * speed + 2.0
    ankle, ball = lowest(skeleton, walked)
    assert ankle > 0.5 * measure_ankle_height(skeleton) and ball > -1e-4
    # Feet keep up with the body.
    behind = walked.positions[60:, FEET, 2].mean(1) - walked.positions[60:, PELVIS, 2]
    assert np.abs(behind).max() < 0.35
    reach = np.linalg.norm(walked.positions[:, FEET] - walked.positions[:, [PELVIS]], axis=-1)
    assert reach.max() < 0.97


@pytest.mark.parametrize("live", [False, True])
def test_feet_turn_with_the_body(skeleton: Skeleton, live: bool) -> None:
    yaws = np.clip(np.arange(300) / 60.0 - 1.0, 0.0, 3.0)
    turned = step(skeleton, glide(skeleton, np.zeros((300, 3)), yaws), live)
    front = quat.mul_vec(
        turned.rotations[:, FEET].astype(float), np.tile([0.0, 0.0, 1.0], (300, 2, 1))
    )
    angles = np.unwrap(np.arctan2(front[..., 0], front[..., 2]), axis=0)
    assert np.abs(angles - yaws[:, None]).max() < 1.3
    assert np.abs(angles[-1] - yaws[-1]).max() < np.radians(36.0)
    # Legs do not cross: the left foot stays on the left.
    left = np.stack([np.cos(yaws), 0.0 * yaws, -np.sin(yaws)], -1)
    apart = ((turned.positions[:, FEET[0]] - turned.positions[:, FEET[1]]) * left).sum(-1)
    assert apart.min() > 0.0


def test_feet_that_the_model_crosses_land_apart(skeleton: Skeleton) -> None:
    take = glide(skeleton, np.zeros((300, 3)))
    take.positions[100:, FEET[0], 0] -= 0.3
    stood = step(skeleton, take, live=False)
    apart = stood.positions[:, FEET[0], 0] - stood.positions[:, FEET[1], 0]
    assert apart.min() > 0.05


def test_both_feet_leave_the_floor_in_a_jump(skeleton: Skeleton) -> None:
    times = np.arange(300) / 60.0
    way = np.zeros((300, 3))
    way[:, 1] = np.maximum(0.5 - 5.0 * (times - 2.5) ** 2, 0.0)
    jumped = step(skeleton, glide(skeleton, way), live=False)
    heights = jumped.positions[:, FEET, 1] - measure_ankle_height(skeleton)
    assert heights[150].min() > 0.3
    np.testing.assert_allclose(heights[[60, 240]], 0.0, atol=1e-4)
    moving = speeds(jumped.positions[:, FEET])
    assert moving[:90].max() < 0.03 and moving[220:].max() < 0.03


def test_a_foot_on_a_step_stands_there(skeleton: Skeleton) -> None:
    """Whoever stands on a box is not pulled down to the floor."""
    way = np.zeros((300, 3))
    way[100:, 1] = 0.4
    stood = step(skeleton, glide(skeleton, way), live=False)
    assert stood.positions[-1, FEET, 1] == pytest.approx(
        measure_ankle_height(skeleton) + 0.4, abs=0.01
    )


def test_a_tracker_that_comes_is_blended_to(skeleton: Skeleton) -> None:
    take, stepper = glide(skeleton, np.zeros((100, 3)), frames=100), FootStepper(skeleton)
    take.positions[50:, FEET[0]] += np.array([0.1, 0.1, 0.1], "f4")
    matrices, feet = quat.to_matrix(take.rotations), []
    for frame in range(100):
        worn = WORN.copy()
        worn[FEET[0]] = frame >= 50
        feet.append(stepper.frame(take.positions[frame], matrices[frame], worn)[0][FEET])
    steps = np.linalg.norm(np.diff(np.array(feet), axis=0), axis=-1)
    assert steps.max() < 0.03
    np.testing.assert_allclose(feet[-1][0], take.positions[-1, FEET[0]], atol=1e-5)
    assert steps[:, 1].max() < 1e-5


def test_tracked_feet_are_left_alone(skeleton: Skeleton) -> None:
    take = glide(skeleton, np.zeros((60, 3)), frames=60)
    take.positions[:, FEET] += np.random.default_rng(1).normal(0.0, 0.1, (60, 2, 3)).astype("f4")
    assert FootStepper(skeleton).clip(take, np.ones(6, bool)) is take
    only_left = WORN | (np.array(TRACKERS) == "left_foot")
    stepped = FootStepper(skeleton).clip(take, only_left)
    np.testing.assert_allclose(stepped.positions[:, FEET[0]], take.positions[:, FEET[0]], atol=1e-6)
    assert not np.allclose(stepped.positions[:, FEET[1]], take.positions[:, FEET[1]])
