# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the floor on which a performer stands, and level the trackers' space to it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, Skeleton, units_per_metre
from ..geometry.rotations import Y_AXIS, from_quat
from .movement.calibration import MovementCalibration
from .reference_pose import measure_ankle_height
from .take import Take

_RATE = 6.0
"""Frames per second that are looked at."""
_STILL_STEP = 0.012
"""Metres on an adult that a standing ankle moves at most between two frames."""
_FLAT = float(np.cos(np.radians(20.0)))
"""Least cosine of the angle of a standing foot from the vertical."""
_SPOT, _FEWEST_FRAMES = 0.3, 6
"""Metres within which frames count as one spot, and the number of frames that are needed."""
_FRAMES_AT_SPOT = 12.0
"""Number of frames with which a spot counts fully: raised feet are still for a moment only."""
_LOW_PERCENT = 30.0
"""Percentile of the heights at a spot at which a foot stands: others are lifted and held still."""
_SPOT_SPREAD, _SLOPE_SPREAD = 0.01, float(np.tan(np.radians(1.0)))
"""Spreads of the height of a spot in metres, and of the slope of floors."""
_ROUNDS = 20
_CERTAIN = 2.5
"""How many times its spread a slope is at least, or the floor counts as level."""
_LARGEST_TILT = 0.7
"""Degrees from which a tilted floor is worth a warning."""
_LARGEST_HEIGHT, _LARGEST_HEIGHT_OF_MEASURED = 0.03, 0.06
"""Metres on an adult by which a floor must be off; more if the legs were measured too, since their
length is then as uncertain."""


class Floor(NamedTuple):
    """The plane on which somebody stands: height = `height` + `slope_x` x + `slope_z` z.

    Attributes:
        height: Its height at the origin, in the units of the trackers.
        slope_x: How much it rises along X.
        slope_z: How much it rises along Z.
    """

    height: float = 0.0
    slope_x: float = 0.0
    slope_z: float = 0.0

    @property
    def tilt(self) -> float:
        """Angle from the level in degrees."""
        return float(np.degrees(np.arctan(np.hypot(self.slope_x, self.slope_z))))


def find_floor(body: Skeleton, joints: Take) -> Floor | None:
    """Find the floor from feet that stand.

    Args:
        body: The performer's body.
        joints: The tracked joints: calibrated trackers.

    Returns:
        The floor; None if no foot stands flat for a second.
    """
    adult = body.size / ADULT_SIZE
    positions = _find_standing_ankles(joints.resampled(_RATE), adult)
    if len(positions) < _FEWEST_FRAMES:
        return None
    spots, counts = _average_spots(positions, adult)
    heights = spots[:, 1] - measure_ankle_height(body)
    middle = np.median(spots, 0)
    design = np.stack([np.ones(len(spots)), spots[:, 0] - middle[0], spots[:, 2] - middle[2]], -1)
    plane, spreads = _fit_plane(design, heights, _SPOT_SPREAD * adult / np.sqrt(counts))
    if np.hypot(*plane[1:]) < _CERTAIN * np.hypot(*spreads[1:]):
        plane, _ = _fit_plane(design[:, :1], heights, _SPOT_SPREAD * adult / np.sqrt(counts))
        plane = np.append(plane, [0.0, 0.0])
    height = plane[0] - plane[1] * middle[0] - plane[2] * middle[2]
    return Floor(float(height), float(plane[1]), float(plane[2]))


def describe_floor(
    body: Skeleton, floor: Floor, middle: np.ndarray, measured: bool = False
) -> tuple[str, ...]:
    """Return a warning if a floor is off or tilted, in plain words.

    Args:
        body: The performer's body.
        floor: The floor.
        middle: (3,) where the performer stands.
        measured: Whether the body itself was measured with the trackers.
    """
    height = floor.height + floor.slope_x * middle[0] + floor.slope_z * middle[2]
    metres = height / units_per_metre(body.size)
    parts = []
    largest = _LARGEST_HEIGHT_OF_MEASURED if measured else _LARGEST_HEIGHT
    if abs(height) > largest * body.size / ADULT_SIZE:
        side = "above" if height > 0.0 else "below"
        parts.append(f"{100.0 * abs(metres):.0f} cm {side} height 0")
    if floor.tilt > _LARGEST_TILT:
        parts.append(f"tilted by {floor.tilt:.1f} degrees")
    if not parts:
        return ()
    return (f"the floor of the trackers is {' and '.join(parts)}: choose Correct Floor",)


def add_floor(result: MovementCalibration, body: Skeleton, movement: Take) -> MovementCalibration:
    """Return a refined calibration with the floor that the movement shows.

    Args:
        result: What the movement tells; returned as it is if the movement was not used.
        body: The character's skeleton, or any other if the performer's body was measured.
        movement: The raw trackers.
    """
    if not result.refined:
        return result
    measured = result.calibration.performer is not None
    body = result.calibration.performer or body
    joints = result.calibration.apply(movement)
    floor = find_floor(body, joints)
    if floor is None:
        return result
    middle = np.median(joints.positions[:, 0], 0)
    return replace(
        result,
        calibration=replace(result.calibration, floor=floor),
        warnings=(*result.warnings, *describe_floor(body, floor, middle, measured)),
    )


def _find_standing_ankles(joints: Take, adult: float) -> np.ndarray:
    """Return positions (P, 3) of ankles whose feet are still and flat."""
    feet = list(FOOT_TRACKERS)
    positions = joints.positions[:, feet].astype(np.float64)
    small = np.linalg.norm(np.diff(positions, axis=0), axis=-1) < _STILL_STEP * adult
    still = np.ones(positions.shape[:2], bool)
    still[1:] &= small
    still[:-1] &= small
    up = from_quat(joints.rotations[:, feet].astype(np.float64))[..., Y_AXIS, Y_AXIS]
    return positions[still & joints.valid[:, feet] & (up > _FLAT)]


def _average_spots(positions: np.ndarray, adult: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where ankles (P, 3) stand: a low position (S, 3) and a weight (S,) for each spot."""
    cells = np.round(positions[:, [0, 2]] / (_SPOT * adult)).astype(int)
    _, numbers = np.unique(cells, axis=0, return_inverse=True)
    numbers, spots, counts = numbers.ravel(), [], np.bincount(numbers.ravel())
    for spot in range(numbers.max() + 1):
        own = positions[numbers == spot]
        spot_position = own.mean(0)
        spot_position[1] = np.percentile(own[:, 1], _LOW_PERCENT)
        spots.append(spot_position)
    return np.array(spots), np.minimum(counts / _FRAMES_AT_SPOT, 1.0)


def _fit_plane(
    design: np.ndarray, heights: np.ndarray, spreads: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a plane to heights (S,) with spreads (S,), of which some are of raised feet.

    Returns:
        The unknowns, of which all but the first are slopes, and their spreads.
    """
    prior = np.diag(np.append(0.0, np.full(design.shape[1] - 1, _SLOPE_SPREAD**-2)))
    # Feet stand on the floor or above it.
    plane = np.append(np.percentile(heights, _LOW_PERCENT), np.zeros(design.shape[1] - 1))
    for _ in range(_ROUNDS):
        misfit = (heights - design @ plane) / spreads
        weights = 1.0 / (1.0 + (misfit / 2.0) ** 2) / spreads**2
        normal = design.T @ (weights[:, None] * design) + prior
        plane = np.linalg.solve(normal, design.T @ (weights * heights))
    return plane, np.sqrt(np.diag(np.linalg.inv(normal)))
