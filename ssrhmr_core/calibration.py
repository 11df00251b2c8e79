"""How each tracker sits on its joint, found from a pose that is known."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import numpy as np
from pymotion.rotations import quat_np as quat

from .skeleton import ADULT_SIZE, TRACKER_JOINTS, TRACKERS, Skeleton
from .trackers import Take, TrackerError

_STRANGE_ARM = 0.22
"""Metres on an adult beyond which a tracker is not where the reference pose has its joint."""
_STRANGE_SCALE = 0.12
_STILL_SPEED = 0.15
"""Metres a second below which a tracker counts as still."""
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
        rotations: (6, 4) float32 quaternions.
        arms: (6, 3) float32 lever arms in the tracker's axes, metres on the character.
        scale: size of the character over that of the performer.
        misses: (6,) float32 how far each tracker was from where the reference pose has its
            joint, metres on the performer.
        warnings: what looks wrong, in plain words.
    """

    rotations: np.ndarray
    arms: np.ndarray
    scale: float = 1.0
    misses: np.ndarray = field(default_factory=lambda: np.zeros(6, np.float32))
    warnings: tuple[str, ...] = ()

    @classmethod
    def none(cls) -> Calibration:
        """Trackers that are the joints already."""
        unit = np.tile(np.array([1, 0, 0, 0], np.float32), (6, 1))
        return cls(unit, np.zeros((6, 3), np.float32))

    @property
    def arm_lengths(self) -> np.ndarray:
        """Lengths of the lever arms (6,), metres."""
        return np.linalg.norm(self.arms, axis=-1)

    def apply(self, take: Take) -> Take:
        """Turn tracker frames into joint frames."""
        turns = take.rotations.astype(np.float64)
        turns = quat.normalize(turns)
        arms = np.broadcast_to(self.arms, take.positions.shape).astype(np.float64)
        mounts = np.broadcast_to(self.rotations, take.rotations.shape).astype(np.float64)
        positions = self.scale * take.positions + quat.mul_vec(turns, arms)
        rotations = quat.mul(turns, mounts)
        return Take(
            take.times, positions.astype(np.float32), rotations.astype(np.float32), take.valid
        )

    def to_json(self) -> str:
        """Text that :meth:`from_json` reads."""
        values = {key: _plain(value) for key, value in asdict(self).items()}
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
                np.array(values["rotations"], np.float32).reshape(6, 4),
                np.array(values["arms"], np.float32).reshape(6, 3),
                float(values["scale"]),
                np.array(values["misses"], np.float32).reshape(6),
                tuple(str(warning) for warning in values["warnings"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise TrackerError("the stored calibration cannot be read: calibrate again") from error
        if not (np.isfinite(made.rotations).all() and np.isfinite(made.arms).all()):
            raise TrackerError("the stored calibration cannot be read: calibrate again")
        return made


def calibrate(
    skeleton: Skeleton, positions: np.ndarray, rotations: np.ndarray, fit_scale: bool = False
) -> Calibration:
    """Calibrate from a frame in which the performer stands in a T-pose.

    Heading, place and size of the performer are the least-squares fit of the skeleton's T-pose to
    the trackers (a Procrustes fit that turns about the vertical only); what is left between each
    tracker and its joint is its lever arm.

    Args:
        skeleton: the character.
        positions: (6, 3) of the trackers, metres, Y up.
        rotations: (6, 4) of the trackers.
        fit_scale: whether trackers are scaled to the character; else they are taken 1:1.

    Raises:
        TrackerError: if the trackers lie on one spot or are not finite.
    """
    points = _checked(positions)
    wanted = skeleton.t_pose()[list(TRACKER_JOINTS)].astype(np.float64)
    a, b = wanted - wanted.mean(0), points - points.mean(0)
    spread = float((b * b).sum())
    if spread < 1e-6:
        raise TrackerError("all trackers are at one place: choose a frame with the performer in it")
    # Turn about Y that brings the T-pose onto the trackers, then the scale between both.
    heading = np.arctan2(
        (a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]).sum(), (a[:, 0] * b[:, 0] + a[:, 2] * b[:, 2]).sum()
    )
    turn = quat.from_angle_axis(np.array([heading]), np.array([0.0, 1.0, 0.0])).reshape(4)
    placed = quat.mul_vec(np.tile(turn, (6, 1)), wanted)
    fitted = float(((placed - placed.mean(0)) * b).sum()) / spread
    if fitted <= 0.0:
        raise TrackerError("the trackers do not look like a standing body at this frame")
    own = placed / fitted
    misses = np.linalg.norm(points - own - (points - own).mean(0), axis=-1)
    scale = fitted if fit_scale else 1.0
    # Feet decide the height, so that the character stands on the floor that they stand on.
    shift = (scale * points - placed).mean(0)
    shift[1] = (scale * points - placed)[-2:, 1].mean()
    warnings = _warnings(b, turn, misses, skeleton, fitted, fit_scale)
    found = calibrate_to_pose((placed + shift) / scale, np.tile(turn, (6, 1)), positions, rotations)
    return Calibration(
        found.rotations,
        (found.arms * scale).astype(np.float32),
        scale,
        misses.astype(np.float32),
        warnings,
    )


def calibrate_to_pose(
    joint_positions: np.ndarray,
    joint_rotations: np.ndarray,
    positions: np.ndarray,
    rotations: np.ndarray,
) -> Calibration:
    """Calibrate against a character that was posed where the performer stands.

    Args:
        joint_positions: (6, 3) of the tracked joints, metres.
        joint_rotations: (6, 4) their canonical global rotations.
        positions: (6, 3) of the trackers.
        rotations: (6, 4) of the trackers.

    Raises:
        TrackerError: if a tracker is not finite.
    """
    points = _checked(positions)
    inverse = quat.inverse(quat.normalize(np.asarray(rotations, np.float64)))
    away = np.asarray(joint_positions, np.float64) - points
    arms = quat.mul_vec(inverse, away)
    mounts = quat.mul(inverse, np.asarray(joint_rotations, np.float64))
    misses = np.linalg.norm(away, axis=-1)
    warnings = tuple(
        f"{TRACKERS[tracker]} is {100.0 * misses[tracker]:.0f} cm away from its joint"
        for tracker in np.flatnonzero(misses > 0.5)
    )
    return Calibration(
        mounts.astype(np.float32), arms.astype(np.float32), 1.0, misses.astype("f4"), warnings
    )


def stillness(take: Take, time: float, window: float = 0.25) -> np.ndarray:
    """Fastest speed of each tracker (6,) within ``window`` seconds of ``time``, metres a second."""
    near = np.abs(take.times - time) <= window + 1e-9
    if near.sum() < 2:
        return np.zeros(6, np.float32)
    steps = np.linalg.norm(np.diff(take.positions[near], axis=0), axis=-1)
    return (steps / np.diff(take.times[near])[:, None]).max(0).astype(np.float32)


def still_enough(speeds: np.ndarray) -> tuple[str, ...]:
    """Warnings about trackers that move at the calibration frame; speeds (6,) in metres/second."""
    return tuple(
        f"{TRACKERS[tracker]} moves at {100.0 * speeds[tracker]:.0f} cm/s there:"
        " choose a frame where the performer stands still"
        for tracker in np.flatnonzero(speeds > _STILL_SPEED)
    )


def calibrate_stillest(
    skeleton: Skeleton, take: Take, fit_scale: bool = False
) -> tuple[Calibration, np.ndarray]:
    """Calibrate from the moment of a take in which the performer stands stillest.

    Args:
        skeleton: the character.
        take: a second or so in a T-pose, on an even clock.
        fit_scale: whether trackers are scaled to the character; else they are taken 1:1.

    Returns:
        The calibration, and the speed of each tracker (6,) at that moment, metres a second.

    Raises:
        TrackerError: if the trackers are never all seen for a tenth of a second, or do not look
            like a body.
    """
    unseen = [name for name, seen in zip(TRACKERS, take.valid.any(0), strict=True) if not seen]
    if unseen:
        raise TrackerError(f"not seen: {', '.join(unseen)}; calibration needs all six trackers")
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
    found = calibrate(skeleton, spots, quat.normalize(turns.mean(0)), fit_scale)
    return found, speeds[best]


def _drift(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Speed (6,) of the straight line that fits positions (F, 6, 3) best: noise averages out."""
    away = times - times.mean()
    slope = np.tensordot(away, positions, 1) / (away * away).sum()
    return np.linalg.norm(slope, axis=-1).astype(np.float32)


def quality(calibration: Calibration, skeleton: Skeleton) -> np.ndarray:
    """How well each tracker (6,) fitted the reference pose: 1 on its joint, 0 not believable."""
    size = skeleton.size / (calibration.scale * ADULT_SIZE)
    return np.clip(1.0 - calibration.misses / (2.0 * _STRANGE_ARM * size), 0.0, 1.0)


def _warnings(
    centred: np.ndarray,
    turn: np.ndarray,
    misses: np.ndarray,
    skeleton: Skeleton,
    fitted: float,
    fit_scale: bool,
) -> tuple[str, ...]:
    left = quat.mul_vec(turn, np.array([1.0, 0.0, 0.0]))
    found = []
    hands, feet = ((centred[i] - centred[i + 1]) @ left for i in (2, 4))
    if feet < 0.0 < hands:
        # Which pair is swapped cannot be told: both make hands and feet disagree.
        found.append("left and right look swapped on the hands or on the feet")
    elif hands < 0.5 * (skeleton.t_pose()[17, 0] - skeleton.t_pose()[21, 0]) / fitted:
        found.append("the hands are not held out to the sides: is this the T-pose?")
    size = skeleton.size / (fitted * ADULT_SIZE)
    found += [
        f"{TRACKERS[tracker]} is {100.0 * misses[tracker]:.0f} cm away from where a T-pose has it:"
        " wrong frame, or trackers swapped?"
        for tracker in np.flatnonzero(misses > _STRANGE_ARM * size)
    ]
    if not fit_scale and abs(np.log(fitted)) > _STRANGE_SCALE:
        found.append(
            f"the character is {fitted:.2f} times the performer's size: fit the trackers to it"
        )
    return tuple(found)


def _checked(positions: np.ndarray) -> np.ndarray:
    points = np.asarray(positions, np.float64)
    if points.shape != (6, 3):
        raise TrackerError("calibration needs six trackers")
    for tracker, point in enumerate(points):
        if not np.isfinite(point).all():
            raise TrackerError(f"{TRACKERS[tracker]} has no position at the calibration frame")
    return points


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value
