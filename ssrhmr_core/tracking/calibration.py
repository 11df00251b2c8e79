# SPDX-License-Identifier: GPL-3.0-or-later
"""How each tracker is mounted on its joint, measured in a pose that is known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, INDEX, TRACKERS, Skeleton, units_per_metre
from .proportions import estimate_proportions
from .reference_pose import (
    ReferencePose,
    Stance,
    compare_with_pose,
    estimate_stance,
    measure_ankle_height,
    stands_on_ground,
)
from .subsets import (
    Feature,
    all_tracked,
    describe_assumptions,
    find_front,
    require_anchor,
    roles_in,
    split_features,
)
from .take import Take, TrackerError, has_usable_values

Proportions = Literal["MATCH", "RETARGET", "FIT"]
"""What to do if performer and character differ: hands and feet meet the trackers ("MATCH"), limbs
rotate like the performer's ("RETARGET"), or trackers are scaled to the character ("FIT")."""

_PAIRS = {
    "hands": (TRACKERS.index("left_hand"), TRACKERS.index("right_hand")),
    "feet": FOOT_TRACKERS,
}
_HANDS = list(_PAIRS["hands"])
_ARM_BONES = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist")]

_LARGEST_DEVIATION = 0.22
"""Metres on an adult beyond which a tracker contradicts the reference pose."""
_LARGEST_SCALE = 0.12
"""Logarithm of the size ratio beyond which performer and character have different sizes."""
_LARGEST_MOUNT = 0.5
"""Metres on an adult beyond which a tracker is not on a character that was posed to meet it."""
_LARGEST_ARM_DEVIATION = 11.0
"""Degrees by which arms may seem to deviate from the reference pose before a warning. The real
deviation is larger, because hand trackers count as partly misplaced."""
_CLEARLY_SWAPPED = 9.0
"""Difference in cost that decides which pair of labels is swapped: three sigma squared."""
_LEVEL = (0.0, 0.0, 0.0)
"""The floor of trackers that are level already."""
_NO_BODY = (
    "the trackers do not look like a standing body at this frame: choose one at which the performer"
    " stands upright, and check the role of each tracker"
)
_NO_FLOOR = (
    "the floor is not at height zero, where feet without trackers stand: move the trackers up or"
    " down until it is"
)
_NOT_READABLE = "the stored calibration cannot be read: calibrate again"
_CANDIDATES_PER_SECOND, _CANDIDATES = 10.0, 8
_CALM_SPEED, _CALM_DISTANCE = 0.05, 0.05
"""Metres per second, and metres off the reference pose, that count alike in a still frame."""
_STILL_SPEED = 0.15
"""Metres per second below which a tracker counts as still."""
_LEAP, _LEAP_RATIO = 0.15, 5.0
"""Least step of a leap as a share of the trackers' height, and how many times faster it is than the
steps before and after."""
_AVERAGED = 3
"""Frames before and after a moment over which the noise of trackers is averaged."""
_AROUND = 9
"""Frames before and after in which trackers must be still too: a hand that turns back is not."""


@dataclass(frozen=True)
class CalibrationOptions:
    """How to calibrate.

    Attributes:
        proportions: What to do if performer and character differ, see :data:`Proportions`.
        reference: The pose in which the performer stands.
        height: The performer's height in metres, or None. It improves the estimate of the
            performer's proportions.
    """

    proportions: Proportions = "MATCH"
    reference: ReferencePose = ReferencePose.T_POSE
    height: float | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    """How trackers are mounted on their joints.

    A joint's rotation is ``tracker rotation * mount rotation``; its position is ``scale * tracker
    position + tracker rotation * mount offset``.

    Attributes:
        mount_rotations: (6, 4) float32 quaternions.
        mount_offsets: (6, 3) float32 offsets in the tracker's axes, metres on the character.
        scale: Size of the character relative to the performer.
        deviations: (6,) float32 distance of each tracker from its usual mount in the reference
            pose, metres on the performer.
        warnings: Problems to report, in plain words.
        swapped: Pairs whose left and right look swapped: "hands", "feet", or both if it is
            unclear which of them is.
        performer: The performer's body, if the character is to move like it rather than meet the
            trackers; None otherwise.
        floor: Height of the floor at the origin of the trackers' space, and its slopes along X and
            Z: trackers are levelled to it first.
        tracked: (6,) bool, which trackers the performer wears. The others count as never valid.
        measured: What the reference pose measured, and
        assumed: what it left open, see :func:`ssrhmr_core.tracking.subsets.split_features`.
    """

    mount_rotations: np.ndarray
    mount_offsets: np.ndarray
    scale: float = 1.0
    deviations: np.ndarray = field(default_factory=lambda: np.zeros(6, np.float32))
    warnings: tuple[str, ...] = ()
    swapped: tuple[str, ...] = ()
    performer: Skeleton | None = None
    floor: tuple[float, float, float] = _LEVEL
    tracked: np.ndarray = field(default_factory=all_tracked)
    measured: tuple[Feature, ...] = ()
    assumed: tuple[Feature, ...] = ()

    @classmethod
    def none(cls) -> Calibration:
        """Return the calibration of trackers that are the joints themselves."""
        identity = np.tile(np.array([1, 0, 0, 0], np.float32), (6, 1))
        return cls(identity, np.zeros((6, 3), np.float32))

    @property
    def assumptions(self) -> str:
        """Which trackers are filled in and what is assumed instead; "" if all six are there."""
        return describe_assumptions(self.tracked, self.assumed)

    @property
    def mount_distances(self) -> np.ndarray:
        """Distances (6,) of the joints from their trackers in metres."""
        return np.linalg.norm(self.mount_offsets, axis=-1)

    def apply(self, take: Take) -> Take:
        """Convert trackers to the joints they are mounted on; ignore those that nobody wears."""
        if self.floor != _LEVEL:
            take = _level(take, self.floor)
        rotations = quat.normalize(take.rotations.astype(np.float64))
        offsets = np.broadcast_to(self.mount_offsets, take.positions.shape).astype(np.float64)
        mounts = np.broadcast_to(self.mount_rotations, take.rotations.shape).astype(np.float64)
        positions = self.scale * take.positions + quat.mul_vec(rotations, offsets)
        return Take(
            take.times,
            positions.astype(np.float32),
            quat.mul(rotations, mounts).astype(np.float32),
            take.valid & self.tracked,
        )

    def without_floor(self) -> Calibration:
        """Return the same calibration, but for trackers that are taken as level."""
        return replace(self, floor=_LEVEL)

    def adjusted(self, offsets: np.ndarray, rotations: np.ndarray) -> Calibration:
        """Return a calibration with joints moved and rotated by hand.

        Args:
            offsets: (6, 3) metres along each joint's own axes: left, up and front in the T-pose.
            rotations: (6, 4) quaternions about the same axes.
        """
        mounts = self.mount_rotations.astype(np.float64)
        moved = self.mount_offsets + quat.mul_vec(mounts, np.asarray(offsets, np.float64))
        rotated = quat.normalize(quat.mul(mounts, np.asarray(rotations, np.float64)))
        return replace(
            self,
            mount_offsets=moved.astype(np.float32),
            mount_rotations=rotated.astype(np.float32),
        )

    def to_json(self) -> str:
        """Return JSON text that :meth:`from_json` reads."""
        values = {key: _to_plain(value) for key, value in vars(self).items()}
        values["performer"] = self.performer.offsets.tolist() if self.performer else None
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read the text that :meth:`to_json` returned.

        Raises:
            TrackerError: If the text is not a calibration.
        """
        try:
            values = json.loads(text)
            calibration = cls(
                np.array(_either(values, "mount_rotations", "rotations"), np.float32).reshape(6, 4),
                np.array(_either(values, "mount_offsets", "arms"), np.float32).reshape(6, 3),
                float(values["scale"]),
                np.array(_either(values, "deviations", "misses"), np.float32).reshape(6),
                tuple(str(warning) for warning in values["warnings"]),
                # Calibrations of earlier versions lack these two.
                tuple(pair for pair in values.get("swapped", ()) if pair in _PAIRS),
                Skeleton(np.array(values["performer"])) if values.get("performer") else None,
                _read_floor(values.get("floor", _LEVEL)),
                np.array(values.get("tracked", [True] * len(TRACKERS)), bool).reshape(6),
                _read_features(values, "measured"),
                _read_features(values, "assumed"),
            )
            require_anchor(calibration.tracked)
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            raise TrackerError(_NOT_READABLE) from error
        usable = has_usable_values(calibration.mount_offsets, calibration.mount_rotations)
        if not (usable.all() and 0.0 < calibration.scale < np.inf):
            raise TrackerError(_NOT_READABLE)
        return calibration


def calibrate(
    skeleton: Skeleton,
    positions: np.ndarray,
    rotations: np.ndarray,
    options: CalibrationOptions = CalibrationOptions(),
    tracked: np.ndarray | None = None,
) -> Calibration:
    """Calibrate from a frame in which the performer stands still in a reference pose.

    The performer's heading, position and size are the most probable ones given how people mount
    trackers (:mod:`ssrhmr_core.tracking.reference_pose`); what remains between each tracker and
    its joint is its mount.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers in metres, Y up.
        rotations: (6, 4) rotations of the trackers.
        options: How to calibrate.
        tracked: (6,) bool, which trackers the performer wears; all six by default. A head or a
            pelvis will do; :attr:`Calibration.assumed` says what they leave open.

    Raises:
        TrackerError: If there is neither a head nor a pelvis, or if the trackers share one
            position, are not finite, or look nothing like a standing body.
    """
    tracked = all_tracked() if tracked is None else np.asarray(tracked, bool)
    measured = _check_positions(positions, tracked)
    front = find_front(rotations, tracked)
    reference = options.reference
    if options.proportions == "RETARGET":
        performer = estimate_proportions(measured, reference, options.height, front)
        if performer is None:
            raise TrackerError(_NO_BODY)
        matching = replace(options, proportions="MATCH")
        matched = calibrate(performer, positions, rotations, matching, tracked)
        known, open_ = split_features(
            tracked,
            measures_body=True,
            height_is_given=options.height is not None,
            floor_is_level=_NO_FLOOR not in matched.warnings,
        )
        return replace(matched, performer=performer, measured=known, assumed=open_)
    fit_scale = options.proportions == "FIT"
    size = compare_with_pose(skeleton, measured, reference, front)[0]
    same_size = not fit_scale and abs(np.log(size)) <= _LARGEST_SCALE
    stance = estimate_stance(skeleton, measured, reference, 1.0 if same_size else None, front)
    if stance is None:
        raise TrackerError(_NO_BODY)
    joints = stance.positions
    if not same_size or skeleton.sole is not None:
        joints = _place_on_floor(skeleton, measured, stance, fit_scale or same_size)
    mounted = calibrate_to_pose(
        joints, quat.from_matrix(stance.rotations), positions, rotations, tracked=tracked
    )
    scale = 1.0 / stance.size if fit_scale else 1.0
    deviations = _measure_deviations(skeleton, stance, reference)
    swapped = _find_swapped_pairs(skeleton, measured, stance, reference)
    known, open_ = split_features(
        tracked, measures_body=False, height_is_given=False, floor_is_level=True
    )
    return Calibration(
        mounted.mount_rotations,
        (mounted.mount_offsets * scale).astype(np.float32),
        scale,
        deviations.astype(np.float32),
        _describe_swap(swapped)
        or (
            *_describe_deviations(skeleton, measured, stance, deviations, reference),
            *(() if fit_scale else _describe_size(stance.size)),
            *_describe_floor(skeleton, measured, stance),
        ),
        swapped,
        tracked=tracked,
        measured=known,
        assumed=open_,
    )


def calibrate_to_pose(
    joint_positions: np.ndarray,
    joint_rotations: np.ndarray,
    positions: np.ndarray,
    rotations: np.ndarray,
    size: float = ADULT_SIZE,
    tracked: np.ndarray | None = None,
) -> Calibration:
    """Calibrate against a character that was posed where the performer stands.

    Args:
        joint_positions: (6, 3) positions of the tracked joints in metres.
        joint_rotations: (6, 4) canonical global rotations of the tracked joints.
        positions: (6, 3) positions of the trackers.
        rotations: (6, 4) rotations of the trackers.
        size: The character's size (:attr:`Skeleton.size`), which decides what is far away.
        tracked: (6,) bool, which trackers the performer wears; all six by default.

    Raises:
        TrackerError: If a tracker is not finite, or if there is neither a head nor a pelvis.
    """
    tracked = all_tracked() if tracked is None else np.asarray(tracked, bool)
    measured = _require_finite(positions, tracked)
    identity = np.array([1.0, 0.0, 0.0, 0.0])
    turned = np.where(tracked[:, None], np.asarray(rotations, np.float64), identity)
    inverse = quat.inverse(quat.normalize(turned))
    to_joint = np.where(tracked[:, None], np.asarray(joint_positions, np.float64) - measured, 0.0)
    offsets = quat.mul_vec(inverse, to_joint)
    mounts = np.asarray(joint_rotations, np.float64)
    mounts = np.where(tracked[:, None], quat.mul(inverse, mounts), identity)
    distances = np.linalg.norm(to_joint, axis=-1)
    metres = distances / units_per_metre(size)
    warnings = tuple(
        f"{TRACKERS[tracker]} is {100.0 * metres[tracker]:.0f} cm away from its joint: put the"
        " character where the performer stands, or choose another reference"
        for tracker in np.flatnonzero(distances > _LARGEST_MOUNT * size / ADULT_SIZE)
    )
    return Calibration(
        mounts.astype(np.float32),
        offsets.astype(np.float32),
        1.0,
        distances.astype(np.float32),
        warnings,
        tracked=tracked,
        measured=("direction", "floor"),
    )


def measure_peak_speeds(take: Take, time: float, window: float = 0.25) -> np.ndarray:
    """Measure the highest speed of each tracker (6,) around a time, in metres per second.

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


def warn_of_movement(speeds: np.ndarray) -> tuple[str, ...]:
    """Return warnings about trackers that move while they are calibrated.

    Args:
        speeds: (6,) speeds in metres per second.
    """
    return tuple(
        f"{TRACKERS[tracker]} moves at {100.0 * speeds[tracker]:.0f} cm/s there:"
        " choose a frame where the performer stands still"
        for tracker in np.flatnonzero(speeds > _STILL_SPEED)
    )


def find_still_time(
    skeleton: Skeleton,
    take: Take,
    reference: ReferencePose = ReferencePose.T_POSE,
    window: float = 0.25,
) -> float:
    """Find the time in seconds at which a performer stands stillest and most like a pose.

    Args:
        skeleton: The character's skeleton.
        take: Trackers at any rate, not calibrated.
        reference: The reference pose.
        window: Seconds before and after in which trackers should be still.

    Raises:
        TrackerError: If the trackers never look like a standing body.
    """
    tracked = take.valid.any(0)
    require_anchor(tracked)
    candidates = _rank_still_frames(skeleton, take, reference, window)
    # Bodies of any size resemble many poses: among the best moments the likelihood decides.
    best, best_time = np.inf, None
    tried: list[float] = []
    for frame, speed in candidates:
        time = float(take.times[frame])
        if any(abs(time - other) < 2.0 * window for other in tried):
            continue
        tried.append(time)
        positions = _keep_tracked(take.positions[frame], tracked)
        front = find_front(take.rotations[frame], tracked)
        stance = estimate_stance(skeleton, positions, reference, None, front)
        cost = np.inf if stance is None else stance.cost + (speed / _CALM_SPEED) ** 2
        if cost < best:
            best, best_time = cost, time
        if len(tried) == _CANDIDATES:
            break
    if best_time is None:
        raise TrackerError(
            "there is no moment at which all trackers look like a standing body: search a longer"
            " range, or choose the frame yourself and check the role of each tracker"
        )
    return best_time


def _rank_still_frames(
    skeleton: Skeleton, take: Take, reference: ReferencePose, window: float
) -> list[tuple[int, float]]:
    """Return frames and their highest speeds, those most like the pose and stillest first."""
    rate = (len(take) - 1) / float(take.times[-1] - take.times[0]) if len(take) > 1 else 1.0
    tracked = take.valid.any(0)
    frames = np.flatnonzero(take.valid[:, tracked].all(-1))
    frames = frames[frames % max(1, round(rate / _CANDIDATES_PER_SECOND)) == 0]
    ranked: list[tuple[float, int, float]] = []
    for frame in frames.tolist():
        positions = _keep_tracked(take.positions[frame], tracked)
        front = find_front(take.rotations[frame], tracked)
        size, distance = compare_with_pose(skeleton, positions, reference, front)
        if np.isfinite(distance):
            peak = measure_peak_speeds(take, float(take.times[frame]), window).max()
            speed = float(peak) * ADULT_SIZE / (size * skeleton.size)
            ranked.append((distance / _CALM_DISTANCE + speed / _CALM_SPEED, frame, speed))
    return [(frame, speed) for _, frame, speed in sorted(ranked)]


def calibrate_at_stillest(
    skeleton: Skeleton,
    take: Take,
    options: CalibrationOptions = CalibrationOptions(),
    tracked: np.ndarray | None = None,
) -> tuple[Calibration, np.ndarray]:
    """Calibrate from the moment of a take in which the performer stands stillest.

    Args:
        skeleton: The character's skeleton.
        take: A second or so in the reference pose, on an even clock.
        options: How to calibrate.
        tracked: (6,) bool, which trackers the performer wears; all six by default.

    Returns:
        The calibration, and the speed (6,) of each tracker at that moment in metres per second.

    Raises:
        TrackerError: If there is neither a head nor a pelvis, or if the trackers are never all
            valid for a tenth of a second, or look nothing like a standing body.
    """
    tracked = all_tracked() if tracked is None else np.asarray(tracked, bool)
    require_anchor(tracked)
    missing = roles_in(tracked & ~take.valid.any(0))
    if missing:
        raise TrackerError(
            f"not seen: {', '.join(missing)}: switch on what is worn there, or let no device have"
            " that role to calibrate without it"
        )
    valid = take.valid | ~tracked
    width = 2 * _AVERAGED + 1
    begins = [b for b in range(len(take) - width + 1) if valid[b : b + width].all()]
    moments = [slice(begin, begin + width) for begin in begins]
    if not moments:
        raise TrackerError(
            "the trackers were not all seen at once: stand where they are, try again"
        )
    drifts = [_measure_drift(take.times[near], take.positions[near]) * tracked for near in moments]
    speeds = [
        np.max(drifts[max(moment - _AROUND, 0) : moment + _AROUND + 1], 0)
        for moment in range(len(moments))
    ]
    best = min(range(len(moments)), key=lambda moment: speeds[moment].max())
    positions = take.positions[moments[best]].mean(0)
    quats = take.rotations[moments[best]]
    quats = quats * np.where((quats * quats[_AVERAGED]).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)
    quats = quat.normalize(quats.mean(0))
    return calibrate(skeleton, positions, quats, options, tracked), speeds[best]


def _measure_drift(times: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Measure the speed (6,) of the straight line that fits positions (F, 6, 3) best.

    Unlike a difference between frames it averages out noise.
    """
    centred = times - times.mean()
    slope = np.tensordot(centred, positions, 1) / (centred * centred).sum()
    return np.linalg.norm(slope, axis=-1).astype(np.float32)


def rate_trackers(calibration: Calibration, skeleton: Skeleton) -> np.ndarray:
    """Rate how well each tracker (6,) fits the reference pose: 1 is perfect, 0 not believable.

    The rating of trackers that the performer does not wear means nothing.
    """
    size = skeleton.size / (calibration.scale * ADULT_SIZE)
    return np.clip(1.0 - calibration.deviations / (2.0 * _LARGEST_DEVIATION * size), 0.0, 1.0)


def _place_on_floor(
    skeleton: Skeleton, positions: np.ndarray, stance: Stance, keeps_size: bool
) -> np.ndarray:
    """Put a character on the floor that the performer stands on.

    Args:
        skeleton: The character's skeleton.
        positions: (6, 3) positions of the trackers.
        stance: How the performer stands.
        keeps_size: Whether the character has the performer's size, or is brought to it.

    Returns:
        (6, 3) positions of its tracked joints; at the performer's size if it keeps it.
    """
    joints = stance.positions
    if not keeps_size:
        pivot = joints.mean(0)
        ankles = joints[list(FOOT_TRACKERS), 1].mean()
        pivot[1] = ankles - stance.size * measure_ankle_height(skeleton)
        return pivot + (joints - pivot) / stance.size
    if stands_on_ground(skeleton, positions, stance):
        # A body of another build hangs between its trackers; stand it where the feet are.
        rise = stance.size * measure_ankle_height(skeleton) - joints[list(FOOT_TRACKERS), 1].mean()
        joints = joints + np.array([0.0, rise, 0.0])
    return joints


def _measure_deviations(skeleton: Skeleton, stance: Stance, reference: ReferencePose) -> np.ndarray:
    """Measure how far trackers (6,) are from where the reference pose has them in metres."""
    deviations = stance.deviations.copy()
    # An arm that is held elsewhere counts as a deviation of its hand.
    angles = np.abs(np.radians(stance.elevations - reference.arm_elevation))
    bones = np.linalg.norm(skeleton.offsets[_ARM_BONES], axis=-1)
    lengths = bones.reshape(2, 2).sum(-1)
    deviations[_HANDS] = np.maximum(deviations[_HANDS], angles * lengths * stance.size)
    return deviations


def _find_swapped_pairs(
    skeleton: Skeleton, positions: np.ndarray, stance: Stance, reference: ReferencePose
) -> tuple[str, ...]:
    """Find the pair with left and right swapped: hands and feet then disagree on the front.

    Nothing shows it unless both hands and both feet are tracked.
    """
    if not np.isfinite(positions[[*_HANDS, *FOOT_TRACKERS]]).all():
        return ()
    hands, feet = (
        positions[left, [0, 2]] - positions[right, [0, 2]] for left, right in _PAIRS.values()
    )
    if hands @ feet >= 0.0:
        return ()
    costs = {}
    for pair, (left, right) in _PAIRS.items():
        order = list(range(6))
        order[left], order[right] = right, left
        exchanged = estimate_stance(skeleton, positions[order], reference, stance.size)
        costs[pair] = np.inf if exchanged is None else exchanged.cost
    best = min(costs.values())
    return tuple(pair for pair, cost in costs.items() if cost <= best + _CLEARLY_SWAPPED)


def _describe_swap(swapped: tuple[str, ...]) -> tuple[str, ...]:
    """Return the one warning about swapped pairs: other warnings would only follow from it."""
    if not swapped:
        return ()
    pairs = " or on the ".join(swapped)
    return (f"left and right look swapped on the {pairs}: exchange the two trackers",)


def _describe_deviations(
    skeleton: Skeleton,
    positions: np.ndarray,
    stance: Stance,
    deviations: np.ndarray,
    reference: ReferencePose,
) -> tuple[str, ...]:
    """Return warnings about arms and trackers that deviate from the reference pose."""
    if np.abs(stance.elevations - reference.arm_elevation).max() > _LARGEST_ARM_DEVIATION:
        costs = {}
        for pose in ReferencePose:
            other = estimate_stance(skeleton, positions, pose, None)
            costs[pose] = np.inf if other is None else other.cost
        nearest = min(costs, key=lambda pose: costs[pose])
        hint = "choose the frame of the pose"
        if nearest != reference:
            hint = f"choose the {nearest.label} if it is that one"
        return (f"the arms are not held as in the {reference.label}: {hint}",)
    size = skeleton.size * stance.size
    return tuple(
        f"{TRACKERS[tracker]} is {100.0 * deviations[tracker] / units_per_metre(size):.0f} cm away"
        f" from its usual place in the {reference.label}: choose the frame of the pose, or another"
        " tracker"
        for tracker in np.flatnonzero(deviations > _LARGEST_DEVIATION * size / ADULT_SIZE)
    )


def _describe_size(size: float) -> tuple[str, ...]:
    """Return a warning if the performer's size relative to the character is far from one."""
    if abs(np.log(size)) <= _LARGEST_SCALE:
        return ()
    return (
        f"the character is {1.0 / size:.2f} times the performer's size: choose the proportions"
        " Retarget, or Match Hands and Feet",
    )


def _describe_floor(skeleton: Skeleton, positions: np.ndarray, stance: Stance) -> tuple[str, ...]:
    """Return a warning if no foot shows the floor and it does not seem to be at height zero."""
    feet = positions[list(FOOT_TRACKERS)]
    if np.isfinite(feet).all(-1).any() or stands_on_ground(skeleton, positions, stance):
        return ()
    return (_NO_FLOOR,)


def _check_positions(positions: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Return positions (6, 3) of a performer in float64, NaN for those that are not tracked.

    Raises:
        TrackerError: If they are not finite or all the same, or if there is neither a head nor a
            pelvis.
    """
    measured = _require_finite(positions, tracked)
    worn = measured[tracked]
    if len(worn) > 1 and ((worn - worn.mean(0)) ** 2).sum() < 1e-6:
        raise TrackerError("all trackers are at one place: choose a frame with the performer in it")
    return measured


def _require_finite(positions: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Return positions (6, 3) in float64, NaN for those that are not tracked.

    Raises:
        TrackerError: If the shape differs, a position is not finite, or there is neither a head nor
            a pelvis.
    """
    require_anchor(tracked)
    measured = np.asarray(positions, np.float64)
    if measured.shape != (6, 3):
        raise TrackerError(f"calibration needs positions (6, 3) of trackers, not {measured.shape}")
    for tracker in np.flatnonzero(tracked):
        if not np.isfinite(measured[tracker]).all():
            raise TrackerError(
                f"{TRACKERS[tracker]} has no position at the calibration frame: choose one at"
                " which all trackers are seen"
            )
    return _keep_tracked(measured, tracked)


def _keep_tracked(positions: np.ndarray, tracked: np.ndarray) -> np.ndarray:
    """Return positions (6, 3) in float64 with NaN for those that are not tracked."""
    return np.where(tracked[:, None], positions, np.nan).astype(np.float64)


def _read_features(values: dict[str, Any], name: str) -> tuple[Feature, ...]:
    """Return the features that a stored calibration lists; earlier versions list none."""
    return tuple(feature for feature in get_args(Feature) if feature in values.get(name, ()))


def _either(values: dict[str, Any], name: str, former: str) -> Any:
    """Return a value by its name, or by the name that version 0.1 stored it under."""
    return values[name if name in values else former]


def _read_floor(values: Any) -> tuple[float, float, float]:
    """Return a stored floor.

    Raises:
        ValueError: If it is not three finite numbers.
    """
    height, slope_x, slope_z = (float(value) for value in values)
    if not np.isfinite([height, slope_x, slope_z]).all():
        raise ValueError("not a floor")
    return height, slope_x, slope_z


def _level(take: Take, floor: tuple[float, float, float]) -> Take:
    """Turn and lower trackers so that the floor they stand on is level, at height 0."""
    height, slope_x, slope_z = floor
    up = np.array([-slope_x, 1.0, -slope_z]) / np.sqrt(1.0 + slope_x**2 + slope_z**2)
    axis = np.cross(up, (0.0, 1.0, 0.0))
    level = quat.normalize(np.append(1.0 + up[1], axis))
    raised = take.positions.astype(np.float64) - (0.0, height, 0.0)
    positions = quat.mul_vec(np.broadcast_to(level, take.rotations.shape), raised)
    rotations = quat.mul(
        np.broadcast_to(level, take.rotations.shape), take.rotations.astype(np.float64)
    )
    return Take(take.times, positions.astype(np.float32), rotations.astype(np.float32), take.valid)


def _to_plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value
