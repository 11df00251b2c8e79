# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibrate optional trackers in the reference pose, and leave out those that contradict it.

The six trackers show how the performer stands. An optional tracker that is far from the place where
its role has it lies on a table, has another's role, or was exchanged with its twin; calibrated all
the same it would break every pose. It is left out, and a warning says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.extra_trackers import EXTRA_ROLES, EXTRA_TRACKERS, SEGMENTED_TRACKERS, Segment
from ...body.skeleton import (
    ADULT_SIZE,
    FOOT_TRACKERS,
    INDEX,
    JOINTS,
    PARENTS,
    TRACKER_JOINTS,
    TRACKERS,
    Skeleton,
    forward_kinematics,
    units_per_metre,
)
from ...geometry.arrays import normalize
from ...geometry.rotations import rotate, rotation_between, transpose
from ..reference_pose import measure_ankle_height
from ..take import Take
from .mounts import ExtraMounts, find_anchor_axes, find_carriers
from .readings import ExtraReadings

_COUNT = len(EXTRA_TRACKERS)
_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_SIDES = ("left", "right")
_HEAD_JOINT = INDEX["head"]
_TRUNK_JOINTS = [
    INDEX[name]
    for name in (
        *("lower_spine", "middle_spine", "chest", "neck", "head"),
        *("left_clavicle", "right_clavicle"),
    )
]
_SHOULDERS = [INDEX[f"{side}_shoulder"] for side in _SIDES]
_STRAIGHT_LIMBS = [
    (
        [INDEX[f"{side}_{part}"] for part in parts],
        [INDEX[f"{side}_{part}"] for part in beyond],
        TRACKERS.index(f"{side}_{tracker}"),
    )
    for parts, beyond, tracker in (
        (("shoulder", "elbow", "wrist"), (), "hand"),
        (("hip", "knee", "ankle"), ("toe",), "foot"),
    )
    for side in _SIDES
]
"""Joints of each limb, those beyond its end, and the tracker at its end."""
_PAIRS = {
    f"{part}s": tuple(EXTRA_TRACKERS.index(f"{side}_{part}") for side in _SIDES)
    for part in ("shoulder", "elbow", "knee", "toe")
}
_CHILDREN = {"elbow": "wrist", "knee": "ankle"}
_FARTHEST = {"chest": 0.3, "shoulder": 0.22, "elbow": 0.2, "knee": 0.22, "toe": 0.2}
"""Metres on an adult from the bones that carry a tracker, beyond which it is not worn there: half
for the tracker and the body part, half for the uncertainty of the reference pose."""
_ON_UPPER_ARM = 0.1
"""Metres on an adult, along the upper arm beyond the shoulder, from which on a tracker is not worn
at the shoulder, however near it is to the clavicle."""
_LOWER_PLACE = 0.05
"""Metres on an adult, along the limb beyond elbow or knee, from which on a tracker counts as worn
below it."""
_OTHER_SEGMENT = 0.1
"""Metres on an adult past the joint from which on a tracker is not on the bone that was chosen."""
_ONE_PLACE, _ONE_ROTATION = 0.005, 1e-4
"""Metres on an adult, and quaternion difference, below which two trackers are one device."""
_ON_FLOOR = 0.06
"""Metres on an adult above the soles, below which a tracker lies on the floor."""
_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
_SWAPPED = (
    "left and right look swapped on the {pair}: exchange the two trackers, then calibrate again."
    " They are left out until then"
)
_UNLIKE = (
    "left and right do not move like the {pair} they are said to be on: exchange the two trackers"
    " if they are swapped, or check their straps, then calibrate again. They are left out until"
    " then"
)


@dataclass(frozen=True, eq=False)
class ReferenceBody:
    """The whole body where the performer stands in the pose that calibrates the trackers.

    Attributes:
        positions: (22, 3) positions of the joints in metres; NaN for joints that are not known.
        rotations: (22, 4) canonical global quaternions of the joints.
        skeleton: The body; its size decides what is far away.
    """

    positions: np.ndarray
    rotations: np.ndarray
    skeleton: Skeleton

    @property
    def adult(self) -> float:
        """The size of the body in relation to an adult's."""
        return self.skeleton.size / ADULT_SIZE

    @property
    def floor(self) -> float:
        """Height of the soles in metres."""
        ankles = self.positions[[TRACKER_JOINTS[tracker] for tracker in FOOT_TRACKERS], 1]
        return float(ankles.mean()) - measure_ankle_height(self.skeleton)


def pose_reference_body(
    skeleton: Skeleton, positions: np.ndarray, rotations: np.ndarray
) -> ReferenceBody:
    """Pose a whole body between the tracked joints of a reference pose.

    The trunk leans as far as the head does. Arms and legs are straight; elbows turn with the hands,
    and knees point where the toes do.

    Args:
        skeleton: The body.
        positions: (6, 3) positions of the tracked joints in metres.
        rotations: (6, 3, 3) canonical global rotations of the tracked joints.
    """
    offsets = skeleton.offsets.astype(np.float64)
    root, pelvis = positions[_PELVIS], rotations[_PELVIS]
    whole = np.tile(pelvis, (len(JOINTS), 1, 1))
    placed = forward_kinematics(whole, root, offsets)
    lean = _swing(placed[_HEAD_JOINT] - root, positions[_HEAD] - root)
    whole[_TRUNK_JOINTS] = lean @ pelvis
    # The trunk leans from the hips on.
    leaning = [*_TRUNK_JOINTS, *_SHOULDERS]
    placed[leaning] = root + (placed[leaning] - root) @ lean.T
    whole[_HEAD_JOINT] = rotations[_HEAD]
    for joints, beyond, tracker in _STRAIGHT_LIMBS:
        rotation = rotations[tracker]
        bone = rotation @ offsets[joints[1:]].sum(0)
        straight = _swing(bone, positions[tracker] - placed[joints[0]]) @ rotation
        whole[joints[:-1]], whole[[joints[-1], *beyond]] = straight, rotation
        for before, joint in pairwise([*joints, *beyond]):
            placed[joint] = placed[before] + whole[before] @ offsets[joint]
    return ReferenceBody(placed, quat.from_matrix(whole), skeleton)


def _swing(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the smallest rotation (3, 3) of one direction (3,) onto another."""
    return rotation_between(normalize(before[None]), normalize(after[None]))[0]


@dataclass(frozen=True, eq=False)
class PosedExtras:
    """Optional trackers next to a character that was posed where the performer stands.

    Attributes:
        readings: One frame of the devices.
        body: The character.
        segments: The bones that trackers at elbows and knees sit on, where the user chose them.
    """

    readings: ExtraReadings
    body: ReferenceBody
    segments: Mapping[str, Segment] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ExtraCalibration:
    """What a reference pose shows of optional trackers.

    Attributes:
        mounts: How they are mounted; None if none of them can be used.
        warnings: Trackers that were left out and other problems, in plain words.
    """

    mounts: ExtraMounts | None = None
    warnings: tuple[str, ...] = ()


def calibrate_extras(
    posed: PosedExtras,
    target: ReferenceBody,
    positions: np.ndarray,
    rotations: np.ndarray,
    tracked: np.ndarray,
) -> ExtraCalibration:
    """Calibrate optional trackers in a reference pose.

    Args:
        posed: Their readings, and the performer's body next to them.
        target: The body whose joints the trackers shall give: the performer's again, or that of a
            character of another size.
        positions: (6, 3) positions of the six trackers in metres.
        rotations: (6, 4) rotations of the six trackers.
        tracked: (6,) bool, which of the six the performer wears.
    """
    checked = check_extras(posed, positions, rotations, tracked)
    if not checked.readings.worn:
        return ExtraCalibration(None, checked.warnings)
    anchor = _PELVIS if tracked[_PELVIS] else _HEAD
    mounts = measure_mounts(
        target.positions[None], target.rotations[None], checked.readings, anchor
    )
    return ExtraCalibration(mounts if mounts.worn else None, checked.warnings)


def measure_mounts(
    joint_positions: np.ndarray, joint_rotations: np.ndarray, readings: ExtraReadings, anchor: int
) -> ExtraMounts:
    """Measure the mounts of optional trackers in poses that are known, and average them.

    Args:
        joint_positions: (F, 22, 3) positions of all joints in metres.
        joint_rotations: (F, 22, 4) canonical global quaternions of all joints.
        readings: Readings of the devices in these frames.
        anchor: Index, among the six, of the tracker that carries those with a position alone.
    """
    roles = list(EXTRA_ROLES.values())
    goals = joint_positions[:, [role.position for role in roles]].astype(np.float64)
    bones = np.where(readings.lower, [r.lower for r in roles], [r.upper for r in roles])
    has_rotation = readings.has_rotation
    devices = np.where(has_rotation[..., None], readings.rotations, _IDENTITY).astype(np.float64)
    devices = quat.normalize(devices)
    joint = TRACKER_JOINTS[anchor]
    axes = find_anchor_axes(joint_rotations[:, joint], anchor)
    from_anchor = rotate(
        transpose(axes)[:, None], joint_positions - joint_positions[:, joint, None]
    ).mean(0)
    starts = from_anchor[[_find_bone_start(name) for name in EXTRA_TRACKERS]]
    has_position = readings.has_position & np.isfinite(goals).all(-1)
    swings = _find_swings(axes, joint_positions[:, joint], starts, readings)
    carried = has_position.any(0) & ~has_rotation.any(0)
    carriers = devices
    if carried.any():
        origins = joint_positions[:, joint, None] + rotate(axes[:, None], starts)
        swung = find_carriers(axes, origins, swings, readings.positions)
        carriers = np.where(carried[:, None], swung, devices)
    # A device without a rotation in some frames does not show there where its joint is.
    has_position &= has_rotation | carried
    inverse = quat.inverse(carriers)
    offsets = quat.mul_vec(inverse, np.nan_to_num(goals - readings.positions))
    mounts = quat.mul(quat.inverse(devices), joint_rotations[:, bones].astype(np.float64))
    return ExtraMounts(
        _average(offsets, has_position).astype(np.float32),
        _average_rotations(mounts, has_rotation).astype(np.float32),
        has_position.any(0),
        has_rotation.any(0),
        readings.lower,
        anchor,
        np.where(carried[:, None], starts, 0.0).astype(np.float32),
        np.where(carried[:, None], swings, 0.0).astype(np.float32),
    )


def find_misfits(
    mounts: ExtraMounts,
    joint_positions: np.ndarray,
    joint_rotations: np.ndarray,
    readings: ExtraReadings,
    largest: tuple[float, float],
) -> np.ndarray:
    """Find optional trackers that do not move like the limb they are said to be on.

    Args:
        mounts: How they were mounted on average.
        joint_positions: (F, 22, 3) positions of all joints in metres.
        joint_rotations: (F, 22, 4) canonical global quaternions of all joints.
        readings: Readings of the devices in these frames.
        largest: Root mean square distance in metres, and angle in radians, from their joints and
            bones up to which they fit.

    Returns:
        (9,) bool, True for trackers that do not fit.
    """
    roles, six = list(EXTRA_ROLES.values()), list(TRACKER_JOINTS)
    frames = len(readings)
    tracked = Take(
        np.arange(frames, dtype=np.float64),
        joint_positions[:, six].astype(np.float32),
        joint_rotations[:, six].astype(np.float32),
        np.ones((frames, len(six)), bool),
    )
    joints = mounts.apply(readings, tracked, 1.0)
    bones = np.where(joints.lower, [r.lower for r in roles], [r.upper for r in roles])
    goals = joint_positions[:, [role.position for role in roles]]
    distances = np.linalg.norm(np.nan_to_num(joints.positions - goals), axis=-1)
    cosines = np.abs((joints.rotations * joint_rotations[:, bones]).sum(-1))
    angles = 2.0 * np.arccos(np.clip(np.nan_to_num(cosines, nan=1.0), 0.0, 1.0))
    squares = (
        _average(np.square(values)[..., None], valid)[:, 0]
        for values, valid in ((distances, joints.has_position), (angles, joints.has_rotation))
    )
    misfits: np.ndarray = np.any(
        [np.sqrt(square) > most for square, most in zip(squares, largest, strict=True)], 0
    )
    return misfits


def find_swapped_pair(warning: str) -> str:
    """Return the pair that a warning says is swapped, or may be: "elbows"; "" if none."""
    texts = (_SWAPPED, _UNLIKE)
    return next((pair for pair in _PAIRS if warning in [t.format(pair=pair) for t in texts]), "")


def describe_misfits(misfits: np.ndarray) -> tuple[str, ...]:
    """Return warnings about trackers (9,) that do not move like their limbs."""
    twins = [pair for pair, own in _PAIRS.items() if misfits[list(own)].all()]
    warnings = [_UNLIKE.format(pair=pair) for pair in twins]
    for tracker in np.flatnonzero(misfits).tolist():
        name = EXTRA_TRACKERS[tracker]
        if f"{_part_of(name)}s" not in twins:
            warnings.append(
                f"{name} does not move like a tracker there: check that it is worn at the"
                f" {_describe(name)} and that its strap holds, then calibrate again. It is left out"
                " until then"
            )
    return tuple(warnings)


def _find_bone_start(name: str) -> int:
    """Return the joint at which the bone above an elbow or a knee starts; else the joint itself."""
    role = EXTRA_ROLES[name]
    return PARENTS[role.position] if name in SEGMENTED_TRACKERS else role.position


def _find_swings(
    axes: np.ndarray, origin: np.ndarray, starts: np.ndarray, readings: ExtraReadings
) -> np.ndarray:
    """Return unit directions (9, 3) from bone starts to trackers at elbows and knees, else zeros.

    Args:
        axes: (F, 3, 3) axes of the anchor.
        origin: (F, 3) its positions in metres.
        starts: (9, 3) where bones start, from the anchor, in its axes.
        readings: Readings of the devices in these frames.
    """
    local = rotate(transpose(axes)[:, None], readings.positions - origin[:, None]) - starts
    directions = _average(np.nan_to_num(local), readings.has_position)
    lengths = np.linalg.norm(directions, axis=-1, keepdims=True)
    swinging = np.array([name in SEGMENTED_TRACKERS for name in EXTRA_TRACKERS])
    return np.where(swinging[:, None], directions / np.maximum(lengths, 1e-9), 0.0)


def _average(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the means (9, n) of values (F, 9, n) over the valid (F, 9) ones; 0 without any."""
    return (values * valid[..., None]).sum(0) / np.maximum(valid.sum(0), 1)[:, None]


def _average_rotations(quats: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the means (9, 4) of quaternions (F, 9, 4) over the valid (F, 9) ones."""
    first = quats[valid.argmax(0), np.arange(_COUNT)]
    signs = np.where((quats * first).sum(-1, keepdims=True) < 0.0, -1.0, 1.0)
    means = _average(quats * signs, valid)
    return quat.normalize(np.where(valid.any(0)[:, None], means, _IDENTITY))


@dataclass(frozen=True, eq=False)
class CheckedExtras:
    """Optional trackers that agree with a reference pose.

    Attributes:
        readings: Their readings, with the segments that were chosen or inferred; the others are
            missing.
        warnings: Trackers that were left out and other problems, in plain words.
    """

    readings: ExtraReadings
    warnings: tuple[str, ...]


def check_extras(
    posed: PosedExtras, positions: np.ndarray, rotations: np.ndarray, tracked: np.ndarray
) -> CheckedExtras:
    """Leave out optional trackers that contradict a reference pose, and infer segments.

    Args:
        posed: Their readings, and the performer's body next to them.
        positions: (6, 3) positions of the six trackers in metres.
        rotations: (6, 4) rotations of the six trackers.
        tracked: (6,) bool, which of the six the performer wears.
    """
    readings, body = posed.readings, posed.body
    places = np.where(readings.has_position[0, :, None], readings.positions[0], np.nan)
    places = places.astype(np.float64)
    distances = measure_distances(body, places)
    far = distances > np.array([_FARTHEST[_part_of(name)] for name in EXTRA_TRACKERS]) * body.adult
    far |= _find_on_upper_arms(body, places)
    kept = (readings.has_position | readings.has_rotation)[0].copy()
    warnings = _leave_out_shared(readings, (positions, rotations, tracked), far, body.adult, kept)
    warnings += _leave_out_swapped(body, places, far, kept)
    warnings += _leave_out_on_floor(body, places, kept)
    warnings += _leave_out_far(body, places, distances, far, kept)
    lower, contradictions = _choose_segments(posed, places, kept)
    return CheckedExtras(
        replace(
            readings,
            has_position=readings.has_position & kept,
            has_rotation=readings.has_rotation & kept,
            lower=lower,
        ),
        (*warnings, *contradictions),
    )


def _part_of(name: str) -> str:
    """Return the body part of a role, without its side."""
    return name.rsplit("_", 1)[-1]


def _find_bones(name: str) -> tuple[tuple[int, int], ...]:
    """Return the bones that may carry a tracker, by the joints at their ends."""
    if name == "chest":
        return ((INDEX["middle_spine"], INDEX["neck"]),)
    joint = EXTRA_ROLES[name].position
    bones = ((PARENTS[joint], joint),)
    if name not in SEGMENTED_TRACKERS:
        return bones
    part = _part_of(name)
    return (*bones, (joint, INDEX[name.replace(part, _CHILDREN[part])]))


def measure_distances(body: ReferenceBody, places: np.ndarray) -> np.ndarray:
    """Measure how far trackers (9,) are from the bones that may carry them, in metres.

    Args:
        body: The performer's body.
        places: (9, 3) positions of the trackers; their distances are NaN where these are.
    """
    return np.array(
        [
            _measure_distance(body, name, place)
            for name, place in zip(EXTRA_TRACKERS, places, strict=True)
        ]
    )


def _measure_distance(body: ReferenceBody, name: str, place: np.ndarray) -> float:
    """Return the metres from a position (3,) to the nearest bone of a role."""
    distances = []
    for start, end in _find_bones(name):
        bone = body.positions[end] - body.positions[start]
        share = np.clip((place - body.positions[start]) @ bone / max(bone @ bone, 1e-12), 0.0, 1.0)
        distances.append(np.linalg.norm(place - body.positions[start] - share * bone))
    return float(np.min(distances))


def _find_on_upper_arms(body: ReferenceBody, places: np.ndarray) -> np.ndarray:
    """Return which trackers (9,) at (9, 3) are those of shoulders, but sit on the upper arm."""
    on_arm = np.zeros(_COUNT, bool)
    for side in _SIDES:
        tracker = EXTRA_TRACKERS.index(f"{side}_shoulder")
        shoulder, elbow = (
            body.positions[INDEX[f"{side}_{part}"]] for part in ("shoulder", "elbow")
        )
        along = (places[tracker] - shoulder) @ normalize(elbow - shoulder)
        on_arm[tracker] = along > _ON_UPPER_ARM * body.adult
    return on_arm


def _leave_out_shared(
    readings: ExtraReadings,
    six: tuple[np.ndarray, np.ndarray, np.ndarray],
    far: np.ndarray,
    adult: float,
    kept: np.ndarray,
) -> tuple[str, ...]:
    """Leave out trackers (9,) that are one device with another; return warnings.

    Args:
        readings: One frame of the optional trackers.
        six: Positions (6, 3), rotations (6, 4) and whether they are tracked (6,) of the six.
        far: (9,) bool, which trackers are far from where their role has them.
        adult: The size of the body in relation to an adult's.
        kept: (9,) bool, which trackers are used; changed in place.
    """
    positions = np.concatenate([readings.positions[0], six[0]])
    rotations = quat.normalize(
        np.concatenate(
            [np.where(readings.has_rotation[0, :, None], readings.rotations[0], _IDENTITY), six[1]]
        ).astype(np.float64)
    )
    placed = np.concatenate([readings.has_position[0], six[2]])
    turned = np.concatenate([readings.has_rotation[0], six[2]])
    names = (*EXTRA_TRACKERS, *TRACKERS)
    warnings = []
    for one in np.flatnonzero(kept).tolist():
        for other in (*np.flatnonzero(kept[:one]).tolist(), *range(_COUNT, len(names))):
            if not kept[one] or (other < _COUNT and not kept[other]):
                continue
            near = placed[one] and placed[other]
            near = near and np.linalg.norm(positions[one] - positions[other]) < _ONE_PLACE * adult
            alike = turned[one] and turned[other] and not (placed[one] and placed[other])
            alike = alike and _is_same_rotation(rotations[one], rotations[other])
            if not (near or alike):
                continue
            # The role that fits keeps the device, if it is clear which one that is.
            kept[one] = other < _COUNT and bool(far[other]) and not far[one]
            if other < _COUNT:
                kept[other] = bool(far[one]) and not far[other]
            warnings.append(
                f"{names[other]} and {names[one]} are one device, or at one place: give each role"
                " a device of its own"
            )
    return tuple(warnings)


def _is_same_rotation(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two unit quaternions (4,) are of one device."""
    return bool(min(np.linalg.norm(a - b), np.linalg.norm(a + b)) < _ONE_ROTATION)


def _leave_out_swapped(
    body: ReferenceBody, places: np.ndarray, far: np.ndarray, kept: np.ndarray
) -> tuple[str, ...]:
    """Leave out pairs of trackers (9,) that fit once they are exchanged; return warnings.

    Args:
        body: The performer's body.
        places: (9, 3) positions of the trackers.
        far: (9,) bool, which trackers are far from where their role has them.
        kept: (9,) bool, which trackers are used; changed in place.
    """
    warnings = []
    for pair, (left, right) in _PAIRS.items():
        if not (kept[left] and kept[right]):
            continue
        joints = [EXTRA_ROLES[EXTRA_TRACKERS[tracker]].position for tracker in (left, right)]
        across = body.positions[joints[0]] - body.positions[joints[1]]
        exchanged = places.copy()
        exchanged[[left, right]] = places[[right, left]]
        fits = [
            _measure_distance(body, EXTRA_TRACKERS[tracker], exchanged[tracker])
            < _FARTHEST[_part_of(EXTRA_TRACKERS[tracker])] * body.adult
            for tracker in (left, right)
        ]
        if (places[left] - places[right]) @ across < 0.0 and all(fits):
            kept[[left, right]] = False
            warnings.append(_SWAPPED.format(pair=pair))
    return tuple(warnings)


def _leave_out_on_floor(
    body: ReferenceBody, places: np.ndarray, kept: np.ndarray
) -> tuple[str, ...]:
    """Leave out trackers (9,) that lie on the floor; return warnings."""
    warnings = []
    for tracker in np.flatnonzero(kept).tolist():
        name = EXTRA_TRACKERS[tracker]
        if _part_of(name) != "toe" and places[tracker, 1] < body.floor + _ON_FLOOR * body.adult:
            kept[tracker] = False
            warnings.append(
                f"{name} lies on the floor: wear it at the {_describe(name)}, then calibrate"
                " again. It is left out until then"
            )
    return tuple(warnings)


def _leave_out_far(
    body: ReferenceBody,
    places: np.ndarray,
    distances: np.ndarray,
    far: np.ndarray,
    kept: np.ndarray,
) -> tuple[str, ...]:
    """Leave out trackers (9,) that are far from where their role has them; return warnings."""
    warnings = []
    unit = units_per_metre(body.skeleton.size)
    for tracker in np.flatnonzero(kept & far).tolist():
        name = EXTRA_TRACKERS[tracker]
        kept[tracker] = False
        others = {
            other: _measure_distance(body, other, places[tracker]) / _FARTHEST[_part_of(other)]
            for other in EXTRA_TRACKERS
            if other != name
        }
        nearest = min(others, key=lambda other: others[other])
        advice = f"wear it there, then calibrate again, or let no device be {name}"
        if others[nearest] < 0.7 * body.adult:
            advice = f"it is near the {_describe(nearest)}. Check which device has which role"
        warnings.append(
            f"{name} is {100.0 * distances[tracker] / unit:.0f} cm away from the {_describe(name)}:"
            f" {advice}. It is left out until then"
        )
    return tuple(warnings)


def _describe(name: str) -> str:
    return name.replace("_", " ")


def _choose_segments(
    posed: PosedExtras, places: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return which trackers (9,) are worn below their joint, and warnings about other choices."""
    lower, warnings = posed.readings.lower.copy(), []
    for name in SEGMENTED_TRACKERS:
        tracker, joint = EXTRA_TRACKERS.index(name), EXTRA_ROLES[name].position
        bone = posed.body.positions[joint] - posed.body.positions[PARENTS[joint]]
        past = (places[tracker] - posed.body.positions[joint]) @ bone / np.linalg.norm(bone)
        past /= posed.body.adult
        chosen = posed.segments.get(name, "lower" if lower[tracker] else None)
        lower[tracker] = past > _LOWER_PLACE if chosen is None else chosen == "lower"
        if kept[tracker] and chosen and (-past if lower[tracker] else past) > _OTHER_SEGMENT:
            sits, other = ("above", "below") if lower[tracker] else ("below", "above")
            warnings.append(
                f"{name} sits {sits} the {_describe(name)}, but is said to be worn {other} it:"
                " change where it is worn, then calibrate again"
            )
    return lower & kept, tuple(warnings)
