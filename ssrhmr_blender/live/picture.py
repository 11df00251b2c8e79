# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a capture as lines and names: trackers, skeleton, floor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpy.app.translations import pgettext_iface as iface_

from ..common.axes import core_axes
from ..properties.tracker import TRACKER_LABELS
from .figure import Figure

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.live import LivePose, LiveSession, TrackerState

_AXIS = 0.08
_GRID_HALF, _GRID_STEP = 1.5, 0.5
"""Lengths in metres."""
_AXIS_COLOURS = ((0.9, 0.25, 0.3, 1.0), (0.45, 0.75, 0.2, 1.0), (0.25, 0.5, 0.9, 1.0))
_SEEN, _LOST = (0.3, 0.9, 0.45, 1.0), (0.95, 0.35, 0.25, 1.0)
_FILLED_IN = (0.45, 0.7, 1.0, 0.9)
BODY_COLOUR = (1.0, 0.75, 0.25, 0.9)
_FLOOR = (0.6, 0.6, 0.6, 0.35)
_THIN, _THICK = 1.0, 2.5
_CERTAIN, _MIDDLING, _UNCERTAIN = (0.02, 0.05, 0.10)
"""Expected errors in metres of the colours below, and colours between them."""
_CERTAIN_COLOURS = ((0.3, 0.9, 0.45, 0.9), (1.0, 0.85, 0.25, 0.9), (0.95, 0.3, 0.2, 0.9))

Point = tuple[float, float, float]
Colour = tuple[float, float, float, float]


@dataclass
class Picture:
    """Lines and names in Blender's world, ready to draw.

    Attributes:
        lines: Ends of lines, two after each other, and their colours, by thickness in pixels.
        names: Positions with text and colour.
        title: Large word for a performer who stands far from the screen.
        figure: The figure that the performer copies, None if there is none.
    """

    lines: dict[float, tuple[list[Point], list[Colour]]] = field(default_factory=dict)
    names: list[tuple[Point, str, Colour]] = field(default_factory=list)
    title: str = ""
    figure: Figure | None = None

    def add(self, ends: np.ndarray, colour: Colour, width: float = _THIN) -> None:
        """Add lines between (n, 2, 3) positions."""
        positions, colours = self.lines.setdefault(width, ([], []))
        flat = ends.reshape(-1, 3)
        positions.extend(map(tuple, flat.tolist()))
        colours.extend([colour] * len(flat))


def picture_of_session(session: LiveSession, pose: LivePose | None, unit: float) -> Picture:
    """Draw what a session knows: trackers, floor, and the body if there is a pose.

    Args:
        session: The session.
        pose: Its newest pose.
        unit: Length of a metre in the scene.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    from ssrhmr_core.body.skeleton import PARENTS, TRACKER_JOINTS, TRACKERS, forward_kinematics

    axes = core_axes().T
    joints = None
    if pose is not None and session.reconstructor is not None:
        offsets = session.reconstructor.skeleton.offsets
        joints = forward_kinematics(quat.to_matrix(pose.rotations), pose.root, offsets)
    trackers = _placed_trackers(session, joints)
    positions = np.array([axes @ position for _, position in trackers]).reshape(-1, 3)
    quats = np.array([tracker.rotation for tracker, _ in trackers], float).reshape(-1, 4)
    picture = picture_of_trackers(
        names=[iface_(TRACKER_LABELS[tracker.role]) for tracker, _ in trackers],
        positions=positions * unit,
        rotations=axes @ quat.to_matrix(quats) @ axes.T,
        valid=np.array([tracker.valid for tracker, _ in trackers], bool),
        unit=unit,
    )
    if pose is not None and session.reconstructor is not None and joints is not None:
        filled_in = np.flatnonzero(~pose.valid)
        add_filled_in(
            picture,
            names=[iface_(TRACKER_LABELS[TRACKERS[tracker]]) for tracker in filled_in],
            positions=joints[np.array(TRACKER_JOINTS)[filled_in]] @ axes.T * unit,
            unit=unit,
        )
        bones = np.array([(joint, parent) for joint, parent in enumerate(PARENTS) if joint])
        errors = session.reconstructor.expected_errors
        add_skeleton(picture, joints @ axes.T * unit, bones, errors)
    return picture


def _placed_trackers(
    session: LiveSession, joints: np.ndarray | None
) -> list[tuple[TrackerState, np.ndarray]]:
    """Return the trackers of a session that were ever seen, and where to draw them.

    Args:
        session: The session.
        joints: (22, 3) positions of the joints, None without a pose. Trackers that have rotations
            only are drawn there.
    """
    from ssrhmr_core.body.extra_trackers import EXTRA_ROLES

    seen = [
        tracker
        for tracker in (*session.trackers(), *session.extra_trackers())
        if tracker.has_reading
    ]
    placed = [(tracker, tracker.position) for tracker in seen if tracker.has_position]
    if joints is not None:
        placed += [
            (tracker, joints[EXTRA_ROLES[tracker.role].position])
            for tracker in seen
            if not tracker.has_position and tracker.role in EXTRA_ROLES
        ]
    return placed


def picture_of_trackers(
    names: list[str],
    positions: np.ndarray,
    rotations: np.ndarray,
    valid: np.ndarray,
    unit: float,
) -> Picture:
    """Draw trackers as axes with a name, and the floor below them.

    Args:
        names: Names of the trackers.
        positions: (n, 3) in Blender's world.
        rotations: (n, 3, 3) in Blender's axes.
        valid: (n,) bool, whether each is visible now.
        unit: Length of a metre in the scene.
    """
    picture = Picture()
    _add_trackers(picture, positions, rotations, valid, unit)
    for name, position, shown in zip(names, positions.tolist(), valid.tolist(), strict=True):
        picture.names.append((tuple(position), name, _SEEN if shown else _LOST))
    _add_floor(picture, positions, unit)
    return picture


def add_filled_in(picture: Picture, names: list[str], positions: np.ndarray, unit: float) -> None:
    """Add trackers that the model fills in, as crosses with a name.

    Args:
        picture: Picture to draw into.
        names: Names of the trackers.
        positions: (n, 3) where the model has them, in Blender's world.
        unit: Length of a metre in the scene.
    """
    import numpy as np

    half = 0.5 * _AXIS * unit * np.eye(3)
    picture.add(np.stack([positions[:, None] - half, positions[:, None] + half], 2), _FILLED_IN)
    for name, position in zip(names, positions.tolist(), strict=True):
        text = iface_("{tracker} (filled in)").format(tracker=name)
        picture.names.append((tuple(position), text, _FILLED_IN))


def _add_trackers(
    picture: Picture, positions: np.ndarray, rotations: np.ndarray, valid: np.ndarray, unit: float
) -> None:
    import numpy as np

    for axis, colour in enumerate(_AXIS_COLOURS):
        rods = np.stack([positions, positions + _AXIS * unit * rotations[:, :, axis]], 1)
        picture.add(rods[valid], colour, _THICK)
        picture.add(rods[~valid], _LOST, _THICK)


def _add_floor(picture: Picture, positions: np.ndarray, unit: float) -> None:
    """Add a grid below the middle of the trackers, at whole metres."""
    import numpy as np

    middle = positions[:, :2].mean(0) if len(positions) else np.zeros(2)
    centre = np.append(np.round(middle / unit) * unit, 0.0)
    steps = np.arange(-_GRID_HALF, _GRID_HALF + 1e-6, _GRID_STEP) * unit
    half = np.full_like(steps, _GRID_HALF * unit)
    along = np.stack([np.stack([steps, -half], -1), np.stack([steps, half], -1)], 1)
    flat = np.concatenate([along, along[..., ::-1]])
    grid = np.concatenate([flat, np.zeros((*flat.shape[:2], 1))], -1) + centre
    picture.add(grid, _FLOOR)


def add_skeleton(
    picture: Picture, joints: np.ndarray, bones: np.ndarray, errors: np.ndarray | None = None
) -> None:
    """Add a stick figure.

    Args:
        picture: Picture to draw into.
        joints: (22, 3) positions in Blender's world.
        bones: (n, 2) joints at both ends of each bone, the lower one first.
        errors: (22,) expected errors of the joints in metres, which colour the bones that lead to
            them; None for one colour.
    """
    if errors is None:
        picture.add(joints[bones], BODY_COLOUR, _THICK)
        return
    for bone in bones:
        picture.add(joints[bone], colour_of_error(float(errors[bone[0]])), _THICK)


def colour_of_error(error: float) -> Colour:
    """Return a colour from green over yellow to red for an expected error in metres."""
    import numpy as np

    limits = (_CERTAIN, _MIDDLING, _UNCERTAIN)
    red, green, blue, alpha = (
        float(np.interp(error, limits, part)) for part in zip(*_CERTAIN_COLOURS, strict=True)
    )
    return red, green, blue, alpha
