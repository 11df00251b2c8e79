# SPDX-License-Identifier: GPL-3.0-or-later
"""Knees and elbows do not sink into the floor.

No tracker says where they are, so the poses may have them below it. Hands and feet stay where they
are: such a limb turns as a whole about the line between its ends, and only as far as that lifts its
middle joint over the floor. How far it turns is found for a whole take at once, as the path that
costs least: sinking, moving the joint, and moving it suddenly all cost something. So a limb turns
ahead of time and back afterwards, keeps to one side, and stays where turning it lifts nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import find_runs, slices
from ..body.skeleton import ADULT_SIZE, Skeleton, forward_kinematics
from ..geometry.rotations import from_quat, to_quat
from ..solver import LIMBS, solver_skeleton
from ..solver.anatomy import keep_in_range
from .foot_planting import ball_heights
from .take import Take

_THICKNESS = (0.02, 0.02, 0.04, 0.04)
"""Metres on an adult of knees and elbows between joint and floor, at least: one in twenty of the
resting joints of the training corpus is lower."""
_TRACKER_HEIGHTS = (0.08, 0.1, 0.01, 0.01, 0.03, 0.03)
"""Metres on an adult of the six tracked joints over a floor on which they rest, at least."""
_LOWEST_PERCENT = 1.0
"""Percentage of frames in which a tracker may be lower, as single ones of captures are."""

_MOVED = 0.02
"""Cost of moving a joint, per square metre, where sinking by one costs 1."""
_SPEED = 225.0 * _MOVED
"""Cost of moving it from one frame to the next: it takes some 15 frames for its way there."""
_SMALLEST = 0.01
"""Metres on an adult: a joint this close to the line between the ends moves as if it were there."""
_NO_LENGTH = 1e-9
"""Metres between the ends of a limb from which on there is a line to turn about."""
_AHEAD = 60
"""Frames before and after it sinks in which a joint may move."""
_ANGLES = np.radians(np.arange(-75.0, 76.0, 7.5))
"""Turns among which the best path is sought first; none exceeds them."""
_ROUNDS = 12
"""How often that path is improved."""
_LARGEST_STEP = 0.15
"""Radians by which a turn changes in one of these rounds at most."""


class _Circles(NamedTuple):
    """The circles on which the middle joints of a limb move when it turns, of F frames.

    Attributes:
        heights: (F,) heights of their centres over where the joint may be at least, metres.
        across: (F,) how much higher the joint is than the centre, unturned,
        ahead: (F,) and after a quarter turn.
        radii: (F,) their radii.
    """

    heights: np.ndarray
    across: np.ndarray
    ahead: np.ndarray
    radii: np.ndarray

    def part(self, begin: int, end: int) -> _Circles:
        """Return some frames."""
        return _Circles(*(each[begin:end] for each in self))

    def sunk(self, turns: np.ndarray) -> np.ndarray:
        """Return how far the joint is too low (..., F) after turns, metres; 0 where it is not."""
        height = self.heights + self.across * np.cos(turns) + self.ahead * np.sin(turns)
        return np.maximum(-height, 0.0)

    def slopes(self, turns: np.ndarray) -> np.ndarray:
        """Return how much higher the joint gets per radian (F,)."""
        return np.asarray(self.ahead * np.cos(turns) - self.across * np.sin(turns))


def lift_limbs(
    rotations: np.ndarray,
    clock: Take,
    skeleton: Skeleton,
    free: np.ndarray | None = None,
) -> None:
    """Lift knees and elbows that sink into the floor.

    Args:
        rotations: (F, 22, 4) global rotations; those of limbs are changed in place.
        clock: The trackers on the model's clock that the poses meet.
        skeleton: The skeleton of the body.
        free: (F, 4) shares of the limbs, as ``LIMBS``, that may turn; None if all may.
    """
    adult = skeleton.size / ADULT_SIZE
    floor = _find_floor(clock, skeleton)
    limbs = _place_limbs(rotations, clock.positions[:, 0], skeleton)
    for number, limb in enumerate(LIMBS):
        start, middle, end = limbs[:, number].astype(np.float64).swapaxes(0, 1)
        along = end - start
        along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), _NO_LENGTH)
        circles = _draw_circles(
            start, middle, along, floor + _THICKNESS[number] * adult, _SMALLEST * adult
        )
        turns = _find_turns(circles)
        if free is not None:
            turns *= free[:, number]
        rows = np.flatnonzero(turns)
        if not len(rows):
            continue
        change = quat.from_scaled_angle_axis(turns[rows, None] * along[rows])
        for joint in (limb.upper, limb.lower):
            turned = quat.mul(change, rotations[rows, joint].astype(np.float64))
            rotations[rows, joint] = turned
        _roll_in_range(rotations, rows, number, skeleton)


def _place_limbs(rotations: np.ndarray, roots: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return the positions (F, 4, 3, 3) of the first, middle and end joints of all limbs.

    Args:
        rotations: (F, 22, 4) global rotations.
        roots: (F, 3) positions of the hips.
        skeleton: The skeleton of the body.
    """
    joints = np.array([(limb.upper, limb.lower, limb.end) for limb in LIMBS])
    placed = np.empty((len(rotations), *joints.shape, 3), np.float32)
    # Matrices of all joints of an hour would take more memory than the rest of a bake.
    for part in slices(len(rotations)):
        whole = forward_kinematics(from_quat(rotations[part]), roots[part], skeleton.offsets)
        placed[part] = whole[:, joints]
    return placed


def _find_floor(clock: Take, skeleton: Skeleton) -> float:
    """Return the height of the floor, rather too low than too high, metres.

    No part of a body is below it, so it is where the lowest of the tracked joints and of the balls
    of the feet would rest.
    """
    adult = skeleton.size / ADULT_SIZE
    trackers = clock.positions[..., 1] - np.array(_TRACKER_HEIGHTS, np.float32) * adult
    balls = ball_heights(clock, skeleton) - skeleton.sole_height
    lowest = np.minimum(trackers.min(-1), balls.min(-1))
    return float(np.percentile(lowest, _LOWEST_PERCENT))


def _draw_circles(
    start: np.ndarray, middle: np.ndarray, along: np.ndarray, least: float, smallest: float
) -> _Circles:
    """Return the circles of a limb.

    Args:
        start: (F, 3) positions of the first joint, metres.
        middle: (F, 3) positions of knee or elbow.
        along: (F, 3) unit vectors from the first joint to the end.
        least: Height over which the middle joint is to be.
        smallest: Radius of the smallest circle.
    """
    step = middle - start
    across = step - (step * along).sum(-1, keepdims=True) * along
    return _Circles(
        heights=(middle - across)[:, 1] - least,
        across=across[:, 1],
        ahead=np.cross(along, across)[:, 1],
        radii=np.maximum(np.linalg.norm(across, axis=-1), smallest),
    )


def _find_turns(circles: _Circles) -> np.ndarray:
    """Return the turns (F,) of a limb that cost least, radians; 0 but near where it sinks."""
    frames = len(circles.radii)
    turns = np.zeros(frames)
    sinks = circles.sunk(turns) > 0.0
    if not sinks.any():
        return turns
    # As a difference of sums, which is the sum over a window.
    total = np.concatenate([[0], np.cumsum(sinks)])
    window = np.arange(frames)
    near = total[np.minimum(window + _AHEAD + 1, frames)] > total[np.maximum(window - _AHEAD, 0)]
    for begin, end in find_runs(near):
        part = circles.part(begin, end)
        turns[begin:end] = _improve(part, _find_path(part))
    return turns


def _find_path(circles: _Circles) -> np.ndarray:
    """Return the best turns (F,) among a few, by dynamic programming."""
    own = circles.sunk(_ANGLES[:, None]) ** 2 + _MOVED * (circles.radii * _ANGLES[:, None]) ** 2
    steps = (_ANGLES[:, None] - _ANGLES) ** 2
    frames = own.shape[1]
    cost = own[:, 0]
    before = np.empty((frames, len(_ANGLES)), int)
    for frame in range(1, frames):
        through = cost[:, None] + _SPEED * circles.radii[frame] ** 2 * steps
        before[frame] = through.argmin(0)
        cost = through.min(0) + own[:, frame]
    path = np.empty(frames, int)
    path[-1] = cost.argmin()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = before[frame, path[frame]]
    return _ANGLES[path]


def _improve(circles: _Circles, turns: np.ndarray) -> np.ndarray:
    """Return the best turns (F,) near others, by Newton's method on what sinks."""
    moved = circles.radii**2
    stiffness = _SPEED * np.sqrt(moved[1:] * moved[:-1])
    for _ in range(_ROUNDS):
        sunk, slopes = circles.sunk(turns), circles.slopes(turns)
        slopes = np.where(sunk > 0.0, slopes, 0.0)
        # In terms of the new turns: sinking that grows with them as it does here.
        diagonal = slopes * slopes + _MOVED * moved
        target = slopes * (sunk + slopes * turns)
        change = _solve(diagonal, stiffness, target) - turns
        turns = turns + np.clip(change, -_LARGEST_STEP, _LARGEST_STEP)
    return np.clip(turns, _ANGLES[0], _ANGLES[-1])


def _solve(diagonal: np.ndarray, stiffness: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Solve (diag(diagonal) + D' diag(stiffness) D) x = values, (F,) by Thomas' algorithm."""
    edge = np.concatenate([[0.0], stiffness, [0.0]])
    pivots, right = (diagonal + edge[:-1] + edge[1:]).tolist(), values.tolist()
    links = stiffness.tolist()
    for row, link in enumerate(links, 1):
        share = link / pivots[row - 1]
        pivots[row] -= share * link
        right[row] += share * right[row - 1]
    right[-1] /= pivots[-1]
    for row in range(len(links) - 1, -1, -1):
        right[row] = (right[row] + links[row] * right[row + 1]) / pivots[row]
    return np.array(right)


def _roll_in_range(
    rotations: np.ndarray, rows: np.ndarray, number: int, skeleton: Skeleton
) -> None:
    """Roll the bones of a limb that was turned, so that its joints stay in their ranges."""
    uppers, lowers, ends = (
        [getattr(limb, part) for limb in LIMBS] for part in ("upper", "lower", "end")
    )
    matrices = from_quat(rotations[rows])
    upper, lower = keep_in_range(
        matrices[:, uppers],
        matrices[:, lowers],
        matrices[:, ends],
        solver_skeleton(skeleton.offsets),
    )
    limb = LIMBS[number]
    rotations[rows, limb.upper] = to_quat(upper[:, number])
    rotations[rows, limb.lower] = to_quat(lower[:, number])
