# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference poses, and how a performer stands in one, estimated from the trackers alone.

Each tracker sits some centimetres off its joint, and nobody stands exactly as asked. How people
usually mount trackers and how far they deviate from a pose are normal distributions here; the
stance is the most probable one (Gauss-Newton, started from several ways of mounting trackers).
The soles are assumed to be on the ground, height 0, if foot trackers are near it, but not if the
trackers are the joints themselves. Without foot trackers they are assumed there if the head or the
pelvis is about as high as a standing performer's.

Positions of trackers that the performer does not wear are NaN throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, INDEX, TRACKER_JOINTS, TRACKERS, Skeleton
from ..geometry.rotations import Y_AXIS, Z_AXIS, rotation_about
from .subsets import shows_direction


class ReferencePose(StrEnum):
    """A pose in which a performer stands to be calibrated."""

    T_POSE = "T_POSE"
    A_POSE = "A_POSE"
    ARMS_DOWN = "ARMS_DOWN"

    @property
    def arm_elevation(self) -> float:
        """Angle of the arms above the horizontal in degrees."""
        return _ARM_ELEVATIONS[self]

    @property
    def label(self) -> str:
        """The pose in words, as messages name it."""
        return _LABELS[self]


_ARM_ELEVATIONS = {
    ReferencePose.T_POSE: 0.0,
    ReferencePose.A_POSE: -45.0,
    ReferencePose.ARMS_DOWN: -80.0,
}
_LABELS = {
    ReferencePose.T_POSE: "T-pose",
    ReferencePose.A_POSE: "A-pose",
    ReferencePose.ARMS_DOWN: "pose with arms down",
}

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))
_TOES = [INDEX["left_toe"], INDEX["right_toe"]]

# How trackers are mounted: mean offset from the joint in its axes (outwards, up, to the front) and
# standard deviations, metres on an adult.
_ON_JOINTS = np.zeros((6, 3)), np.full((6, 3), 0.02)
_PELVIS_MOUNTS = {
    "in front": ((0.0, 0.02, 0.12), (0.03, 0.04, 0.03)),
    "behind": ((0.0, 0.02, -0.12), (0.03, 0.04, 0.03)),
    "at the side": ((0.0, 0.0, 0.0), (0.12, 0.05, 0.05)),
}
_HEAD_MOUNT = (0.0, 0.08, 0.08), (0.02, 0.04, 0.05)
_HAND_MOUNT = (0.05, 0.0, 0.0), (0.045, 0.04, 0.025)
_FOOT_MOUNT = (0.01, 0.01, 0.06), (0.03, 0.03, 0.04)

# Parameters of a stance: position of the hips, heading, logarithm of the size, and deviations in
# radians of the arms (up, to the front) and the legs (apart) from the reference pose.
_POSITION, _HEADING, _SIZE, _RAISE, _SWEEP, _SPREAD = slice(0, 3), 3, 4, slice(5, 7), slice(7, 9), 9
_POSE = slice(5, 10)
_COUNT = 10
_POSE_SPREAD = np.radians([4.0, 4.0, 4.0, 4.0, 3.0])
TOES_OUT = np.radians(6.0)
"""Angle by which people turn each foot outwards. Trackers that are the joints themselves are posed,
not worn: their feet point ahead. That many people hold their arms a little in front was tried too;
it made no calibration better."""
_GROUND_SPREAD = 0.02
_NEAR_GROUND = (-0.05, 0.25)
"""Heights in metres, on an adult, between which trackers of standing feet are."""
_STANDING = (0.7, 1.4)
"""Heights of a head or pelvis, as shares of what the other trackers make of the performer's size,
between which its feet stand at height zero; and the least share of the character's height."""
_LEAST_STANDING = 0.3
_SIZE_SPREAD = 0.3
"""Standard deviation of the logarithm of the size where few trackers show it."""
FACING_SPREAD = 0.2
"""Standard deviation in radians of a heading that a tracker's own front shows."""
_FEWER_ON_JOINTS = 0.25
"""Fewer trackers fit a pose more easily: they must be nearer to the joints to pass for them."""
_EXACT = 0.01
"""Largest deviation in metres, on an adult, of foot trackers that are the joints themselves."""
_STEPS = 12
_LARGEST_STEP = 0.3
_SETTLED = 1e-7


@dataclass(frozen=True, eq=False)
class Stance:
    """How a performer stands.

    Attributes:
        positions: (6, 3) positions of the tracked joints in metres, in the trackers' space.
        independent_positions: (6, 3) position of each tracked joint, estimated from its own
            tracker only; NaN without one.
        rotations: (6, 3, 3) canonical global rotations of the tracked joints.
        size: Size of the performer's body relative to the skeleton.
        deviations: (6,) distance of each tracker from its usual mount in metres, 0 without one.
        elevations: (2,) angles of the arms above the horizontal in degrees.
        cost: Twice the negative log-likelihood of the stance.
        on_joints: Whether the trackers seem to be the joints themselves.
        grounded: Whether the feet are taken to stand at height zero.
    """

    positions: np.ndarray
    independent_positions: np.ndarray
    rotations: np.ndarray
    size: float
    deviations: np.ndarray
    elevations: np.ndarray
    cost: float
    on_joints: bool
    grounded: bool


def estimate_stance(
    skeleton: Skeleton,
    positions: np.ndarray,
    reference: ReferencePose = ReferencePose.T_POSE,
    size: float | None = 1.0,
    front: float = 0.0,
) -> Stance | None:
    """Estimate how the performer stands.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers in metres, Y up; NaN without a tracker.
        reference: The pose that the performer was asked for.
        size: Size of the performer's body relative to the skeleton; None to estimate it.
        front: Heading of the performer in radians, for trackers whose positions do not show it.

    Returns:
        The most probable stance; None if the trackers look nothing like a standing body.
    """
    elevation = np.radians(reference.arm_elevation)
    start = _fit_rigidly(skeleton, positions, elevation, front)
    if start is None:
        return None
    adult = float(np.exp(start[_SIZE]) if size is None else size) * skeleton.size / ADULT_SIZE
    if size is not None:
        start[_SIZE] = np.log(size)
    ground = _GROUND_SPREAD * adult if _is_grounded(skeleton, positions, start, adult) else np.inf
    tracked = are_tracked(positions)
    has_feet = tracked[list(FOOT_TRACKERS)].any()
    stances = []
    for number, (offsets, spreads) in enumerate(mount_priors()):
        if number == 0 and not tracked.all():
            spreads = _FEWER_ON_JOINTS * spreads
        elif number > 1 and not tracked[_PELVIS]:
            # The priors differ in the mount of the pelvis only.
            break
        likelihood = _Likelihood(
            skeleton,
            positions,
            elevation,
            adult * offsets,
            adult * spreads,
            TOES_OUT if number else 0.0,
            # On the joints, feet say nothing about the ground.
            ground if number or not has_feet else np.inf,
            None if shows_direction(tracked) else front,
        )
        stance = _maximise(likelihood, start, fixed_size=size is not None)
        grounded = bool(np.isfinite(ground))
        stances.append(replace(stance, on_joints=number == 0, grounded=grounded))
    return min(stances, key=lambda stance: stance.cost)


def are_tracked(positions: np.ndarray) -> np.ndarray:
    """Return which trackers (6,) have a position among some (6, 3)."""
    return np.isfinite(positions).all(-1)


def keep_tracked(positions: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Return positions (6, 3) in float64 with NaN for those that are not tracked (6,)."""
    return np.where(tracked[:, None], positions, np.nan).astype(np.float64)


def measure_ankle_height(skeleton: Skeleton) -> float:
    """Return the height of the ankles of a standing body above the ground in metres."""
    toes = skeleton.offsets[_TOES, 1]
    return max(-float(toes.mean()), 0.0) + skeleton.sole_height


def stands_on_ground(skeleton: Skeleton, positions: np.ndarray, stance: Stance) -> bool:
    """Return whether the performer's feet stand on the ground, height 0.

    Foot trackers that are the joints of this very body say nothing about the ground. Without foot
    trackers the performer stands there if the head or the pelvis is about high enough.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers in metres, Y up.
        stance: The stance estimated from these positions.
    """
    adult = stance.size * skeleton.size / ADULT_SIZE
    if not are_tracked(positions)[list(FOOT_TRACKERS)].any():
        return _is_as_high_as_standing(skeleton, positions, stance.size)
    on_joints = stance.deviations[list(FOOT_TRACKERS)].max() <= _EXACT * adult
    return _is_near_ground(positions, adult) and not on_joints


def compare_with_pose(
    skeleton: Skeleton,
    positions: np.ndarray,
    reference: ReferencePose = ReferencePose.T_POSE,
    front: float = 0.0,
) -> tuple[float, float]:
    """Compare trackers quickly with the reference pose, however they are mounted.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers in metres, Y up; NaN without a tracker.
        reference: The reference pose.
        front: Heading of the performer in radians, for trackers whose positions do not show it.

    Returns:
        Size of the performer's body relative to the skeleton, and the root mean square distance
        of the trackers from the joints, metres on an adult. Both are infinite if the trackers look
        nothing like a standing body.
    """
    elevation = np.radians(reference.arm_elevation)
    start = _fit_rigidly(skeleton, positions, elevation, front)
    if start is None:
        return np.inf, np.inf
    size = float(np.exp(start[_SIZE]))
    residual = positions - _pose_joints(skeleton, start, elevation)[0]
    rms = float(np.sqrt(np.nanmean((residual * residual).sum(-1))))
    return size, rms * ADULT_SIZE / (size * skeleton.size)


def mount_priors() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield mean mount offsets and standard deviations, (6, 3) each in metres on an adult.

    The first is for trackers that are the joints themselves.
    """
    yield _ON_JOINTS
    mirror = np.array([-1.0, 1.0, 1.0])
    for pelvis in _PELVIS_MOUNTS.values():
        mounts = (pelvis, _HEAD_MOUNT, _HAND_MOUNT, _HAND_MOUNT, _FOOT_MOUNT, _FOOT_MOUNT)
        offsets = np.array([offset for offset, _ in mounts])
        offsets[[_HANDS[1], FOOT_TRACKERS[1]]] *= mirror
        yield offsets, np.array([spread for _, spread in mounts])


def _is_grounded(
    skeleton: Skeleton, positions: np.ndarray, start: np.ndarray, adult: float
) -> bool:
    """Return whether the performer seems to stand at height zero, from parameters to start with."""
    if are_tracked(positions)[list(FOOT_TRACKERS)].any():
        return _is_near_ground(positions, adult)
    return _is_as_high_as_standing(skeleton, positions, float(np.exp(start[_SIZE])))


def _is_near_ground(positions: np.ndarray, adult: float) -> bool:
    low, high = (adult * height for height in _NEAR_GROUND)
    return bool(low < np.nanmin(positions[list(FOOT_TRACKERS), 1]) < high)


def _is_as_high_as_standing(skeleton: Skeleton, positions: np.ndarray, size: float) -> bool:
    """Return whether head or pelvis is as high as that of a body of some size that stands."""
    low, high = (size * share for share in _STANDING)
    return low < _measure_size_by_height(skeleton, positions) < high


def _measure_size_by_height(skeleton: Skeleton, positions: np.ndarray) -> float:
    """Measure the size of a performer who stands at height zero by the head, or the pelvis."""
    anchor = _HEAD if are_tracked(positions)[_HEAD] else _PELVIS
    rest = skeleton.t_pose().astype(np.float64)[list(TRACKER_JOINTS), 1]
    sole = rest[list(FOOT_TRACKERS)].mean() - measure_ankle_height(skeleton)
    return float(positions[anchor, 1] / (rest[anchor] - sole))


def _fit_rigidly(
    skeleton: Skeleton, positions: np.ndarray, elevation: float, front: float
) -> np.ndarray | None:
    """Fit the reference pose by Procrustes analysis that rotates about the vertical only.

    Returns:
        The parameters of the stance; None if no size fits.
    """
    start = np.zeros(_COUNT)
    tracked = are_tracked(positions)
    measured = positions[tracked]
    pose = _pose_joints(skeleton, start, elevation)[0][tracked]
    a, b = pose - pose.mean(0), measured - measured.mean(0)
    across = (a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]).sum()
    along = (a[:, 0] * b[:, 0] + a[:, 2] * b[:, 2]).sum()
    start[_HEADING] = np.arctan2(across, along) if shows_direction(tracked) else front
    turned = across * np.sin(start[_HEADING]) + along * np.cos(start[_HEADING])
    size = (turned + (a[:, 1] * b[:, 1]).sum()) / max((a * a).sum(), 1e-12)
    if not tracked[list(FOOT_TRACKERS)].any():
        size = _choose_size(skeleton, positions, size)
    if not size > 0.0:
        return None
    start[_SIZE] = np.log(size)
    placed = _pose_joints(skeleton, start, elevation)[0][tracked]
    start[_POSITION] = measured.mean(0) - placed.mean(0)
    return start


def _choose_size(skeleton: Skeleton, positions: np.ndarray, size: float) -> float:
    """Choose the size of a performer without foot trackers.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers.
        size: The size that fits their distances from each other.

    Returns:
        The size by the height above the floor, if the performer seems to stand on it.
    """
    by_height = _measure_size_by_height(skeleton, positions)
    tracked = are_tracked(positions)
    if not (tracked[_HEAD] and shows_direction(tracked)):
        # A head above a pelvis, or hands next to it, show hardly more than their heights.
        return by_height if by_height > _LEAST_STANDING else 1.0
    low, high = _STANDING
    return by_height if low * size < by_height < high * size else size


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """The likelihood of stances for one way of mounting trackers.

    Attributes:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers.
        elevation: Arm elevation of the reference pose in radians.
        offsets: (6, 3) usual mount offsets in metres.
        spreads: (6, 3) their standard deviations.
        toes_out: Angle by which each foot points outwards, radians.
        ground_spread: Standard deviation of the ground's height; infinite if it is unknown.
        front: Heading that a tracker's own front shows; None if the positions show it.
    """

    skeleton: Skeleton
    positions: np.ndarray
    elevation: float
    offsets: np.ndarray
    spreads: np.ndarray
    toes_out: float
    ground_spread: float
    front: float | None = None

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Return all deviations, each divided by its standard deviation, for parameters (10,)."""
        joints, rotations = self._pose(x)
        mounts = np.einsum("tji,tj->ti", rotations, self.positions - joints)
        height = joints[list(FOOT_TRACKERS), 1].mean() - np.exp(x[_SIZE]) * measure_ankle_height(
            self.skeleton
        )
        tracked = are_tracked(self.positions)
        terms = [
            ((mounts - self.offsets) / self.spreads)[tracked].ravel(),
            x[_POSE] / _POSE_SPREAD,
            [height / self.ground_spread],
        ]
        if not tracked.all():
            terms.append([x[_SIZE] / _SIZE_SPREAD])
        if self.front is not None:
            off = np.angle(np.exp(1j * (x[_HEADING] - self.front)))
            terms.append([off / FACING_SPREAD])
        return np.concatenate(terms)

    def _pose(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _pose_joints(self.skeleton, x, self.elevation, self.toes_out)

    def stance(self, x: np.ndarray) -> Stance:
        """Return the stance that parameters (10,) describe."""
        joints, rotations = self._pose(x)
        mounts = np.einsum("tji,tj->ti", rotations, self.positions - joints)
        tracked = are_tracked(self.positions)
        return Stance(
            positions=joints,
            independent_positions=self.positions - np.einsum("tij,tj->ti", rotations, self.offsets),
            rotations=rotations,
            size=float(np.exp(x[_SIZE])),
            deviations=np.where(tracked, np.linalg.norm(mounts - self.offsets, axis=-1), 0.0),
            elevations=np.degrees(self.elevation + x[_RAISE]),
            cost=float((self.residuals(x) ** 2).sum() + 2.0 * np.log(self.spreads[tracked]).sum()),
            on_joints=False,
            grounded=False,
        )


def _maximise(likelihood: _Likelihood, start: np.ndarray, fixed_size: bool) -> Stance:
    """Find the most probable stance by Gauss-Newton."""
    free = np.array([n for n in range(_COUNT) if not (fixed_size and n == _SIZE)])
    size = np.exp(start[_SIZE]) * likelihood.skeleton.size
    x = start.copy()
    # Small against metres and radians alike.
    step = 1e-6 * np.where(np.arange(_COUNT) < _HEADING, size, 1.0)
    for _ in range(_STEPS):
        residuals = likelihood.residuals(x)
        slopes = np.array(
            [
                (likelihood.residuals(x + step[n] * np.eye(_COUNT)[n]) - residuals) / step[n]
                for n in free
            ]
        )
        change = -np.linalg.lstsq(slopes.T, residuals, rcond=None)[0]
        angles = free >= _HEADING
        change[angles] = np.clip(change[angles], -_LARGEST_STEP, _LARGEST_STEP)
        x[free] += change
        if np.abs(change / step[free]).max() * 1e-6 < _SETTLED:
            break
    return likelihood.stance(x)


def _pose_joints(
    skeleton: Skeleton, x: np.ndarray, elevation: float, toes_out: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (6, 3) and rotations (6, 3, 3) of the tracked joints for a stance."""
    rest = skeleton.t_pose().astype(np.float64)
    positions = rest[list(TRACKER_JOINTS)]
    rotations = np.tile(np.eye(3), (6, 1, 1))
    sides = zip(("left", "right"), (1.0, -1.0), _HANDS, FOOT_TRACKERS, strict=True)
    for number, (side, sign, hand, foot) in enumerate(sides):
        raised, swept = sign * (elevation + x[_RAISE][number]), -sign * x[_SWEEP][number]
        rotations[hand] = rotation_about(Y_AXIS, swept) @ rotation_about(Z_AXIS, raised)
        shoulder = rest[INDEX[f"{side}_shoulder"]]
        positions[hand] = shoulder + rotations[hand] @ (positions[hand] - shoulder)
        # Feet stay flat when the legs are apart.
        rotations[foot] = rotation_about(Y_AXIS, sign * toes_out)
        hip = rest[INDEX[f"{side}_hip"]]
        positions[foot] = hip + rotation_about(Z_AXIS, sign * x[_SPREAD]) @ (positions[foot] - hip)
    heading = rotation_about(Y_AXIS, x[_HEADING])
    return np.exp(x[_SIZE]) * positions @ heading.T + x[_POSITION], heading @ rotations
