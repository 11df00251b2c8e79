# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure that a performer copies, as lines on the screen: large, and without words.

Lengths are shares of the height of the view, from the middle of its lower edge. The figure is a
mirror: what it does on the left of the screen, the performer does on the left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.reference_pose import ReferencePose

Colour = tuple[float, float, float, float]

BACKDROP: Colour = (0.02, 0.02, 0.03, 0.6)
_STILL: Colour = (0.95, 0.95, 0.95, 1.0)
_MOVING: Colour = (1.0, 0.6, 0.1, 1.0)
_PENDING: Colour = (0.5, 0.5, 0.5, 1.0)
_SEEN: Colour = (0.3, 0.9, 0.45, 1.0)
_MISSED: Colour = (0.95, 0.35, 0.25, 1.0)
_LIMB, _MARK = 0.014, 0.008
"""Widths of lines."""
_HEIGHT, _FLOOR = 0.7, 0.17
"""Height of the figure with raised arms, and of the floor it stands on."""
_TALLEST = 1.3
"""Height of raised hands relative to the body's height."""
_YAW, _PITCH = 25.0, 12.0
"""Degrees by which the figure is seen from the side and from above."""
_HAND, _THUMB, _NOSE, _HEAD = 0.16, 0.09, 0.16, 0.1
"""Metres on an adult."""
_RING, _RING_AT = 0.055, (0.34, 0.72)
_DOT, _DOTS_AT, _DOT_STEP = 0.016, 0.07, 0.06
_ARC_STEPS = 48
HALF_WIDTH, TOP = 0.46, 0.93
"""The backdrop."""


@dataclass
class Figure:
    """Lines on the screen, ready to draw.

    Attributes:
        lines: Positions of the ends of lines, two after each other, and their colours, by width.
    """

    lines: dict[float, tuple[list[tuple[float, float]], list[Colour]]] = field(default_factory=dict)

    def add(self, ends: np.ndarray, colour: Colour, width: float = _LIMB) -> None:
        """Add lines between (n, 2, 2) positions."""
        positions, colours = self.lines.setdefault(width, ([], []))
        flat = ends.reshape(-1, 2)
        positions.extend(map(tuple, flat.tolist()))
        colours.extend([colour] * len(flat))

    def add_path(self, positions: np.ndarray, colour: Colour, width: float) -> None:
        """Add a line through (n, 2) positions."""
        import numpy as np

        self.add(np.stack([positions[:-1], positions[1:]], 1), colour, width)


def add_body(figure: Figure, skeleton: Skeleton, seconds: float, reference: ReferencePose) -> None:
    """Add the body that shows the movement; what moves has a colour of its own.

    Args:
        figure: The figure to draw into.
        skeleton: Its body.
        seconds: Time since the movement began, 0 for the reference pose.
        reference: The pose from which it begins.
    """
    import numpy as np

    from ssrhmr_core.body.skeleton import ADULT_SIZE, INDEX, JOINTS, PARENTS
    from ssrhmr_core.tracking.movement.guided import EXERCISES, find_exercise, pose_figure
    from ssrhmr_core.tracking.proportions import measure_height

    positions, rotations = pose_figure(skeleton, seconds, reference)
    number = find_exercise(seconds)
    moving = set(EXERCISES[number].joints) if number >= 0 else set()
    adult = skeleton.size / ADULT_SIZE
    size = _HEIGHT / (_TALLEST * measure_height(skeleton))

    def colour_of(name: str) -> Colour:
        return _MOVING if name in moving else _STILL

    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            ends = _project(positions[[parent, joint]], size)
            figure.add(ends, colour_of(JOINTS[joint]))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        wrist = INDEX[f"{side}_wrist"]
        axes = adult * np.array([[sign * _HAND, 0.0, 0.0], [sign * 0.3 * _HAND, 0.0, _THUMB]])
        for tip in positions[wrist] + axes @ rotations[wrist].T:
            ends = _project(np.array([positions[wrist], tip]), size)
            figure.add(ends, colour_of(f"{side}_wrist"))
    head = INDEX["head"]
    middle = positions[head] + rotations[head] @ np.array([0.0, _HEAD * adult, 0.0])
    nose = positions[head] + rotations[head] @ (adult * np.array([0.0, 0.9 * _HEAD, _NOSE]))
    figure.add(_project(np.array([middle, nose]), size), colour_of("head"))
    circle = _arc(1.0) * _HEAD * adult * size
    figure.add_path(_project(middle[None], size) + circle, colour_of("head"), _MARK)


def add_ring(figure: Figure, share: float) -> None:
    """Add a ring that fills while time passes."""
    import numpy as np

    centre = np.array(_RING_AT)
    figure.add_path(centre + _RING * _arc(1.0), _PENDING, 0.5 * _MARK)
    if share > 0.0:
        figure.add_path(centre + _RING * _arc(min(share, 1.0)), _MOVING, 1.5 * _MARK)


def add_marks(figure: Figure, performed: Sequence[bool], current: int, count: int) -> None:
    """Add a mark for each exercise: a tick if it was seen, a cross if not, else a ring.

    Args:
        figure: The figure to draw into.
        performed: For each exercise that is over, whether it was seen.
        current: The number of the exercise that is shown.
        count: The number of exercises.
    """
    import numpy as np

    tick = np.array([[-1.0, 0.0], [-0.3, -0.8], [1.0, 1.0]])
    cross = np.array([[[-0.8, -0.8], [0.8, 0.8]], [[-0.8, 0.8], [0.8, -0.8]]])
    for number in range(count):
        at = np.array([_DOT_STEP * (number - 0.5 * (count - 1)), _DOTS_AT])
        if number < len(performed) and performed[number]:
            figure.add_path(at + _DOT * tick, _SEEN, _MARK)
        elif number < len(performed):
            figure.add(at + _DOT * cross, _MISSED, _MARK)
        else:
            colour = _MOVING if number == current else _PENDING
            figure.add_path(at + 0.5 * _DOT * _arc(1.0), colour, 0.5 * _MARK)


def _project(positions: np.ndarray, size: float) -> np.ndarray:
    """Return where positions (n, 3) are on the screen (n, 2), as in a mirror."""
    import numpy as np

    yaw, pitch = np.radians(_YAW), np.radians(_PITCH)
    across = np.cos(yaw) * positions[:, 0] + np.sin(yaw) * positions[:, 2]
    ahead = np.cos(yaw) * positions[:, 2] - np.sin(yaw) * positions[:, 0]
    up = np.cos(pitch) * positions[:, 1] - np.sin(pitch) * ahead
    return np.stack([-size * across, _FLOOR + size * up], -1)


def _arc(share: float) -> np.ndarray:
    """Return positions (n, 2) on a circle of radius one, clockwise from the top."""
    import numpy as np

    angles = 2.0 * np.pi * share * np.linspace(0.0, 1.0, _ARC_STEPS)
    return np.stack([np.sin(angles), np.cos(angles)], -1)
