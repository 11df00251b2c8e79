# SPDX-License-Identifier: GPL-3.0-or-later
"""How each tracker sits on its joint, found from a pose that is known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import ADULT_SIZE, TRACKERS, Skeleton, units_per_metre
from .proportions import estimate_proportions
from .reference_pose import (
    ELEVATIONS,
    Stance,
    ankle_height,
    compare_with_pose,
    estimate_stance,
    stands_on_ground,
)
from .take import Take, TrackerError, usable

Proportions = Literal["MATCH", "RETARGET", "FIT"]
"""What to do where performer and character differ: hands and feet meet the trackers ("MATCH"),
limbs turn as the performer's do ("RETARGET"), or trackers are scaled to the character ("FIT")."""

_STRANGE_ARM = 0.22
"""Metres on an adult beyond which a tracker is not where the reference pose has it."""
_STRANGE_SCALE = 0.12
_OTHER_PLACE = 0.5
"""Metres on an adult beyond which a tracker is not on a character that was posed to meet it."""
_OTHER_POSE = 11.0
"""Degrees by which arms seem to be off the reference pose before that is said. They are off by
more: trackers of hands count as partly misplaced."""
_SURELY_SWAPPED = 9.0
"""By how much more probable one exchange of labels is than the other: three to sigma's square."""
_POSE_NAMES = {"T_POSE": "T-pose", "A_POSE": "A-pose", "ARMS_DOWN": "pose with arms down"}
_NO_BODY = (
    "the trackers do not look like a standing body at this frame: choose one at which the performer"
    " stands upright, and check which tracker is worn where"
)
_PAIRS = {"hands": (2, 3), "feet": (4, 5)}
_LOOKS_PER_SECOND, _TRIED = 10.0, 8
_CALM_SPEED, _ALIKE = 0.05, 0.05
"""Metres a second and metres off the reference pose that count alike for a still frame."""
_STILL_SPEED = 0.15
"""Metres a second below which a tracker counts as still."""
_LEAP, _LEAP_RATIO = 0.15, 5.0
"""Least step of a leap as a share of the trackers' height, and how many times faster it is than the
steps before and after."""
_AVERAGED = 3
"""Frames before and after a moment that the noise of trackers is averaged over."""
_AROUND = 9
"""Frames before and after in which they must be still too: where a hand turns back it is not."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """How six trackers sit on their joints.

    A joint's rotation is ``tracker rotation * rotations``; its position is ``scale * tracker
    position + (arm turned by the tracker's rotation)``.

    Attributes:
        mount_rotations: (6, 4) float32 quaternions.
        mount_offsets: (6, 3) float32 lever arms in the tracker's axes, metres on the character.
        scale: size of the character over that of the performer.
        deviations: (6,) float32 how far each tracker was from where people wear it in the reference
            pose, metres on the performer.
        warnings: what looks wrong, in plain words.
        swapped: pairs whose left and right look exchanged: "hands", "feet"; both if it is one of
            them and cannot be told which.
        performer: the body that wears the trackers, where the character is not to meet them but
            to move alike; None where the character itself wears them.
    """

    mount_rotations: np.ndarray
    mount_offsets: np.ndarray
    scale: float = 1.0
    deviations: np.ndarray = field(default_factory=lambda: np.zeros(6, np.float32))
    warnings: tuple[str, ...] = ()
    swapped: tuple[str, ...] = ()
    performer: Skeleton | None = None

    @classmethod
    def none(cls) -> Calibration:
        """Trackers that are the joints already."""
        unit = np.tile(np.array([1, 0, 0, 0], np.float32), (6, 1))
        return cls(unit, np.zeros((6, 3), np.float32))

    @property
    def mount_distances(self) -> np.ndarray:
        """Lengths of the lever arms (6,), metres."""
        return np.linalg.norm(self.mount_offsets, axis=-1)

    def apply(self, take: Take) -> Take:
        """Turn tracker frames into joint frames."""
        turns = take.rotations.astype(np.float64)
        turns = quat.normalize(turns)
        arms = np.broadcast_to(self.mount_offsets, take.positions.shape).astype(np.float64)
        mounts = np.broadcast_to(self.mount_rotations, take.rotations.shape).astype(np.float64)
        positions = self.scale * take.positions + quat.mul_vec(turns, arms)
        rotations = quat.mul(turns, mounts)
        return Take(
            take.times, positions.astype(np.float32), rotations.astype(np.float32), take.valid
        )

    def adjusted(self, offsets: np.ndarray, turns: np.ndarray) -> Calibration:
        """Return a calibration whose joints are moved and turned by hand.

        Args:
            offsets: (6, 3) metres along each joint's own axes: left, up and front in the T-pose.
            turns: (6, 4) quaternions about the same axes.
        """
        mounts = self.mount_rotations.astype(np.float64)
        arms = self.mount_offsets + quat.mul_vec(mounts, np.asarray(offsets, np.float64))
        rotations = quat.normalize(quat.mul(mounts, np.asarray(turns, np.float64)))
        return replace(
            self,
            mount_offsets=arms.astype(np.float32),
            mount_rotations=rotations.astype(np.float32),
        )

    def to_json(self) -> str:
        """Text that :meth:`from_json` reads."""
        values = {key: _plain(value) for key, value in vars(self).items()}
        values["performer"] = self.performer.offsets.tolist() if self.performer else None
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read what :meth:`to_json` wrote.

        Raises:
            TrackerError: if the text is not a calibration.
        """
        try:
            values = json.loads(text)
            made = cls(
                np.array(_either(values, "mount_rotations", "rotations"), np.float32).reshape(6, 4),
                np.array(_either(values, "mount_offsets", "arms"), np.float32).reshape(6, 3),
                float(values["scale"]),
                np.array(_either(values, "deviations", "misses"), np.float32).reshape(6),
                tuple(str(warning) for warning in values["warnings"]),
                # Older ones do not have these.
                tuple(pair for pair in values.get("swapped", ()) if pair in _PAIRS),
                Skeleton(np.array(values["performer"])) if values.get("performer") else None,
            )
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            raise TrackerError("the stored calibration cannot be read: calibrate again") from error
        if not (
            usable(made.mount_offsets, made.mount_rotations).all() and 0.0 < made.scale < np.inf
        ):
            raise TrackerError("the stored calibration cannot be read: calibrate again")
        return made


def calibrate(
    skeleton: Skeleton,
    positions: np.ndarray,
    rotations: np.ndarray,
    proportions: Proportions = "MATCH",
    reference: str = "T_POSE",
    height: float | None = None,
) -> Calibration:
    """Calibrate from a frame in which the performer stands still in a reference pose.

    Heading, place and size of the performer are the most probable ones given where people wear
    trackers (:mod:`ssrhmr_core.tracking.reference_pose`); what is left between each tracker
    and its joint is its lever arm.

    Args:
        skeleton: the character.
        positions: (6, 3) of the trackers, metres, Y up.
        rotations: (6, 4) of the trackers.
        proportions: what to do where performer and character differ, see :data:`Proportions`.
        reference: the pose, one of :data:`ssrhmr_core.tracking.reference_pose.ELEVATIONS`.
        height: of the performer, metres, if known; used to tell the performer's proportions.

    Raises:
        TrackerError: if the trackers lie on one spot or are not finite.
    """
    points = _checked(positions)
    if ((points - points.mean(0)) ** 2).sum() < 1e-6:
        raise TrackerError("all trackers are at one place: choose a frame with the performer in it")
    if proportions == "RETARGET":
        performer = estimate_proportions(points, reference, height)
        if performer is None:
            raise TrackerError(_NO_BODY)
        found = calibrate(performer, positions, rotations, "MATCH", reference)
        return replace(found, performer=performer)
    fit_scale = proportions == "FIT"
    size = compare_with_pose(skeleton, points, reference)[0]
    same = not fit_scale and abs(np.log(size)) <= _STRANGE_SCALE
    stance = estimate_stance(skeleton, points, reference, 1.0 if same else None)
    if stance is None:
        raise TrackerError(_NO_BODY)
    joints = stance.positions
    if not (same or fit_scale):
        # The character stands on the floor that the performer stands on, at its own size.
        pivot = joints.mean(0)
        pivot[1] = joints[4:, 1].mean() - stance.size * ankle_height(skeleton)
        joints = pivot + (joints - pivot) / stance.size
    elif fit_scale and stands_on_ground(skeleton, points, stance):
        # A body that is built otherwise hangs between its trackers: it stands where the feet do.
        rise = stance.size * ankle_height(skeleton) - joints[4:, 1].mean()
        joints = joints + np.array([0.0, rise, 0.0])
    turns = quat.from_matrix(stance.rotations)
    found = calibrate_to_pose(joints, turns, positions, rotations)
    scale = 1.0 / stance.size if fit_scale else 1.0
    off = stance.elevations - ELEVATIONS[reference]
    misses = stance.deviations.copy()
    # An arm that is held elsewhere is a miss of its hand.
    lengths = np.linalg.norm(skeleton.offsets[[16, 17, 20, 21]], axis=-1).reshape(2, 2).sum(-1)
    misses[2:4] = np.maximum(misses[2:4], np.abs(np.radians(off)) * lengths * stance.size)
    swapped = _swapped(skeleton, points, reference, stance)
    return Calibration(
        found.mount_rotations,
        (found.mount_offsets * scale).astype(np.float32),
        scale,
        misses.astype(np.float32),
        _warnings(skeleton, points, stance, misses, reference, fit_scale, swapped),
        swapped,
    )


def calibrate_to_pose(
    joint_positions: np.ndarray,
    joint_rotations: np.ndarray,
    positions: np.ndarray,
    rotations: np.ndarray,
    size: float = ADULT_SIZE,
) -> Calibration:
    """Calibrate against a character that was posed where the performer stands.

    Args:
        joint_positions: (6, 3) of the tracked joints, metres.
        joint_rotations: (6, 4) their canonical global rotations.
        positions: (6, 3) of the trackers.
        rotations: (6, 4) of the trackers.
        size: of the character (:attr:`Skeleton.size`), to tell what is far away.

    Raises:
        TrackerError: if a tracker is not finite.
    """
    points = _checked(positions)
    inverse = quat.inverse(quat.normalize(np.asarray(rotations, np.float64)))
    away = np.asarray(joint_positions, np.float64) - points
    arms = quat.mul_vec(inverse, away)
    mounts = quat.mul(inverse, np.asarray(joint_rotations, np.float64))
    misses = np.linalg.norm(away, axis=-1)
    shown = misses / units_per_metre(size)
    warnings = tuple(
        f"{TRACKERS[tracker]} is {100.0 * shown[tracker]:.0f} cm away from its joint: put the"
        " character where the performer stands, or choose another reference"
        for tracker in np.flatnonzero(misses > _OTHER_PLACE * size / ADULT_SIZE)
    )
    return Calibration(
        mounts.astype(np.float32), arms.astype(np.float32), 1.0, misses.astype("f4"), warnings
    )


def peak_speeds(take: Take, time: float, window: float = 0.25) -> np.ndarray:
    """Return the fastest speed of each tracker (6,) around a time, in metres per second.

    Only the frames on the same side of a cut count: many files begin with a single frame of the
    T-pose, from which trackers leap to where the performance begins.

    Args:
        take: Raw trackers at any rate.
        time: The moment, in seconds.
        window: Seconds before and after it that are looked at.
    """
    near = np.flatnonzero(np.abs(take.times - time) <= window + 1e-9)
    if len(near) < 2:
        return np.zeros(6, np.float32)
    # A frame more on either side tells whether the outermost steps are leaps.
    around = slice(max(near[0] - 1, 0), near[-1] + 2)
    times, positions = take.times[around], take.positions[around]
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1)
    speeds = steps / np.diff(times)[:, None]
    cuts = np.flatnonzero(_find_leaps(steps, speeds, positions))
    at = int(np.abs(times - time).argmin())
    first = max([near[0] - around.start, *(cuts[cuts < at] + 1)])
    last = min([near[-1] - around.start, *cuts[cuts >= at]])
    return speeds[first:last].max(0, initial=0.0).astype(np.float32)


def _find_leaps(steps: np.ndarray, speeds: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return which steps (F - 1,) are leaps that no body makes: far, out of rest and into rest.

    Args:
        steps: (F - 1, 6) distances between frames.
        speeds: (F - 1, 6) the same, per second.
        positions: (F, 6, 3) of the trackers.
    """
    height = np.ptp(positions[..., 1], axis=-1).max()
    padded = np.pad(speeds, ((1, 1), (0, 0)))
    neighbours = np.maximum(padded[:-2], padded[2:])
    return ((steps > _LEAP * height) & (speeds > _LEAP_RATIO * neighbours)).any(-1)


def movement_warnings(speeds: np.ndarray) -> tuple[str, ...]:
    """Warnings about trackers that move at the calibration frame; speeds (6,) in metres/second."""
    return tuple(
        f"{TRACKERS[tracker]} moves at {100.0 * speeds[tracker]:.0f} cm/s there:"
        " choose a frame where the performer stands still"
        for tracker in np.flatnonzero(speeds > _STILL_SPEED)
    )


def find_still_time(
    skeleton: Skeleton, take: Take, reference: str = "T_POSE", window: float = 0.25
) -> float:
    """Find the time, in seconds, at which a performer stands still and most like a reference pose.

    Args:
        skeleton: the character.
        take: raw trackers at any rate.
        reference: one of :data:`ssrhmr_core.tracking.reference_pose.ELEVATIONS`.
        window: seconds before and after in which trackers should be still.

    Raises:
        TrackerError: if there is no moment at which all trackers look like a standing body.
    """
    rate = (len(take) - 1) / float(take.times[-1] - take.times[0]) if len(take) > 1 else 1.0
    frames = np.flatnonzero(take.valid.all(-1))
    frames = frames[frames % max(1, round(rate / _LOOKS_PER_SECOND)) == 0]
    looks: list[tuple[float, float, float]] = []
    for frame in frames:
        size, away = compare_with_pose(
            skeleton, take.positions[frame].astype(np.float64), reference
        )
        if np.isfinite(away):
            time = float(take.times[frame])
            speed = peak_speeds(take, time, window).max() * ADULT_SIZE / (size * skeleton.size)
            looks.append((away / _ALIKE + speed / _CALM_SPEED, time, float(speed)))
    # A body of any size resembles much: of the best moments the most probable stance decides.
    best, moment = np.inf, None
    tried: list[float] = []
    for _, time, speed in sorted(looks):
        if any(abs(time - other) < 2.0 * window for other in tried):
            continue
        tried.append(time)
        frame = int(np.abs(take.times - time).argmin())
        stance = estimate_stance(
            skeleton, take.positions[frame].astype(np.float64), reference, None
        )
        if stance is not None and stance.cost + (speed / _CALM_SPEED) ** 2 < best:
            best, moment = stance.cost + (speed / _CALM_SPEED) ** 2, time
        if len(tried) == _TRIED:
            break
    if moment is None:
        raise TrackerError(
            "there is no moment at which all trackers look like a standing body: search a longer"
            " range, or choose the frame yourself and check which tracker is worn where"
        )
    return moment


def calibrate_at_stillest(
    skeleton: Skeleton,
    take: Take,
    proportions: Proportions = "MATCH",
    reference: str = "T_POSE",
    height: float | None = None,
) -> tuple[Calibration, np.ndarray]:
    """Calibrate from the moment of a take in which the performer stands stillest.

    Args:
        skeleton: the character.
        take: a second or so in the reference pose, on an even clock.
        proportions: what to do where performer and character differ, see :data:`Proportions`.
        reference: the pose, one of :data:`ssrhmr_core.tracking.reference_pose.ELEVATIONS`.
        height: of the performer, metres, if known.

    Returns:
        The calibration, and the speed of each tracker (6,) at that moment, metres a second.

    Raises:
        TrackerError: if the trackers are never all seen for a tenth of a second, or do not look
            like a body.
    """
    unseen = [name for name, seen in zip(TRACKERS, take.valid.any(0), strict=True) if not seen]
    if unseen:
        raise TrackerError(
            f"not seen: {', '.join(unseen)}; calibration needs all six trackers: switch them on,"
            " and say which device is worn there"
        )
    width = 2 * _AVERAGED + 1
    begins = [b for b in range(len(take) - width + 1) if take.valid[b : b + width].all()]
    moments = [slice(begin, begin + width) for begin in begins]
    if not moments:
        raise TrackerError(
            "the trackers were not all seen at once: stand where they are, try again"
        )
    drifts = [_drift(take.times[near], take.positions[near]) for near in moments]
    speeds = [
        np.max(drifts[max(moment - _AROUND, 0) : moment + _AROUND + 1], 0)
        for moment in range(len(moments))
    ]
    best = min(range(len(moments)), key=lambda moment: speeds[moment].max())
    spots = take.positions[moments[best]].mean(0)
    turns = take.rotations[moments[best]]
    turns = turns * np.where((turns * turns[_AVERAGED]).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)
    middle = quat.normalize(turns.mean(0))
    found = calibrate(skeleton, spots, middle, proportions, reference, height)
    return found, speeds[best]


def _drift(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Speed (6,) of the straight line that fits positions (F, 6, 3) best: noise averages out."""
    away = times - times.mean()
    slope = np.tensordot(away, positions, 1) / (away * away).sum()
    return np.linalg.norm(slope, axis=-1).astype(np.float32)


def quality(calibration: Calibration, skeleton: Skeleton) -> np.ndarray:
    """How well each tracker (6,) fitted the reference pose: 1 on its joint, 0 not believable."""
    size = skeleton.size / (calibration.scale * ADULT_SIZE)
    return np.clip(1.0 - calibration.deviations / (2.0 * _STRANGE_ARM * size), 0.0, 1.0)


def _swapped(
    skeleton: Skeleton, points: np.ndarray, reference: str, stance: Stance
) -> tuple[str, ...]:
    """Which pair has left and right exchanged: hands and feet then disagree on the front."""
    hands, feet = (points[left, [0, 2]] - points[right, [0, 2]] for left, right in _PAIRS.values())
    if hands @ feet >= 0.0:
        return ()
    costs = {}
    for pair, (left, right) in _PAIRS.items():
        order = list(range(6))
        order[left], order[right] = right, left
        found = estimate_stance(skeleton, points[order], reference, stance.size)
        costs[pair] = np.inf if found is None else found.cost
    best = min(costs.values())
    return tuple(pair for pair, cost in costs.items() if cost <= best + _SURELY_SWAPPED)


def _warnings(
    skeleton: Skeleton,
    points: np.ndarray,
    stance: Stance,
    misses: np.ndarray,
    reference: str,
    fit_scale: bool,
    swapped: tuple[str, ...],
) -> tuple[str, ...]:
    asked = _POSE_NAMES[reference]
    size = skeleton.size * stance.size
    if swapped:
        # Anything else would only be what follows from it.
        pairs = " or on the ".join(swapped)
        return (f"left and right look swapped on the {pairs}: exchange the two trackers",)
    found = []
    off = np.abs(stance.elevations - ELEVATIONS[reference]).max()
    if off > _OTHER_POSE:
        others = {name: estimate_stance(skeleton, points, name, None) for name in ELEVATIONS}
        costs = {name: np.inf if other is None else other.cost for name, other in others.items()}
        nearest = min(costs, key=lambda name: costs[name])
        hint = "choose the frame of the pose"
        if nearest != reference:
            hint = f"choose the {_POSE_NAMES[nearest]} if it is that one"
        found.append(f"the arms are not held as in the {asked}: {hint}")
    else:
        found += [
            f"{TRACKERS[tracker]} is {100.0 * misses[tracker] / units_per_metre(size):.0f} cm away"
            f" from where it is worn in the {asked}: choose the frame of the pose, or another"
            " tracker"
            for tracker in np.flatnonzero(misses > _STRANGE_ARM * size / ADULT_SIZE)
        ]
    if not fit_scale and abs(np.log(stance.size)) > _STRANGE_SCALE:
        found.append(
            f"the character is {1.0 / stance.size:.2f} times the performer's size: choose the"
            " proportions Retarget, or Match Hands and Feet"
        )
    return tuple(found)


def _checked(positions: np.ndarray) -> np.ndarray:
    points = np.asarray(positions, np.float64)
    if points.shape != (6, 3):
        raise TrackerError(f"calibration needs the positions of six trackers, not {points.shape}")
    for tracker, point in enumerate(points):
        if not np.isfinite(point).all():
            raise TrackerError(
                f"{TRACKERS[tracker]} has no position at the calibration frame: choose one at"
                " which all trackers are seen"
            )
    return points


def _either(values: dict[str, Any], name: str, former: str) -> Any:
    """Return a value by its name, or by the name that version 0.1 stored it under."""
    return values[name if name in values else former]


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value
