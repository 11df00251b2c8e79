# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided movement: a figure that shows it, and whether somebody made it.

The figure performs one exercise after another, exactly as it should be done. Whoever copies it
shows the calibration from movement where every joint is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...body.skeleton import (
    ADULT_SIZE,
    FOOT_TRACKERS,
    HAND_TRACKERS,
    INDEX,
    PARENTS,
    TRACKERS,
    Skeleton,
    forward_kinematics,
)
from ...geometry.rotations import X_AXIS, Y_AXIS, Z_AXIS, from_quat, rotation_by_degrees
from ..reference_pose import ReferencePose, measure_ankle_height
from ..take import Take
from .calibration import LEAST_TURN, measure_turns

SIDES = (("left", 1.0), ("right", -1.0))
"""Both sides, and the sign of X on each."""
_HANGING = -60.0
"""Degrees of the arms over the horizontal between the exercises."""
_LEAD = 1.0
"""Seconds from the reference pose to the first exercise."""
_DELAY = 0.6
"""Seconds by which people may follow the figure late."""
_EARLY = 1.5
"""Seconds by which a pose that is held may begin early."""
_LEAST_SQUAT = 0.06
"""Metres by which the pelvis of an adult sinks in a squat at least."""
_TOUCHING = 0.4
"""Metres to which the trackers of an adult's touching hands come near at least: both may sit on
forearms."""
_FEWEST_FRAMES = 4
_PELVIS = TRACKERS.index("pelvis")
_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]

Keys = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Exercise:
    """One part of the guided movement.

    Attributes:
        name: What to do, as messages name it.
        seconds: How long the figure takes.
        channels: The angles that move, degrees by name: shares of the exercise, and the values
            then. Names that begin with "side_" hold for both sides.
        trackers: The trackers that must turn; empty for a squat, in which the pelvis sinks.
        joints: The joints at the lower ends of the bones that move.
        touching: Whether both hands must come near each other.
    """

    name: str
    seconds: float
    channels: dict[str, Keys]
    trackers: tuple[str, ...]
    joints: tuple[str, ...]
    touching: bool = False


_ARM = ("left_elbow", "left_wrist", "right_elbow", "right_wrist")
_FIVE = (0.0, 0.25, 0.5, 0.75, 1.0)
_CIRCLE = tuple(float(share) for share in np.linspace(0.15, 0.85, 13))
_TURNS = 2.0 * np.pi * 1.5 * np.linspace(0.0, 1.0, 13)
_FADE = np.minimum(1.0, 3.0 * np.minimum(np.linspace(0.0, 1.0, 13), np.linspace(1.0, 0.0, 13)))


def _circle(amplitude: float, phase: float, begin: float = 0.15, end: float = 0.85) -> Keys:
    """Return one axis of one and a half circles."""
    shares = begin + (np.array(_CIRCLE) - _CIRCLE[0]) / (_CIRCLE[-1] - _CIRCLE[0]) * (end - begin)
    return tuple(shares.tolist()), tuple((amplitude * _FADE * np.sin(_TURNS + phase)).tolist())


def _lift(side: str) -> Exercise:
    """Swing a straight leg forwards and sideways, turn the toes, circle the foot."""
    shares = (0.0, 0.12, 0.24, 0.36, 0.55, 0.92, 1.0)
    return Exercise(
        f"{side} leg",
        3.0,
        {
            f"{side}_swing": (shares, (0.0, 35.0, 30.0, 8.0, 18.0, 18.0, 0.0)),
            f"{side}_aside": (shares, (0.0, 0.0, 6.0, 28.0, 6.0, 6.0, 0.0)),
            f"{side}_knee": (shares, (0.0, 5.0, 5.0, 5.0, 20.0, 20.0, 0.0)),
            f"{side}_foot_yaw": ((0.36, 0.43, 0.5, 0.56), (0.0, 32.0, -20.0, 0.0)),
            f"{side}_foot_pitch": _circle(28.0, 0.0, 0.58, 0.93),
            f"{side}_foot_roll": _circle(16.0, 0.5 * np.pi, 0.58, 0.93),
        },
        (f"{side}_foot",),
        (f"{side}_knee", f"{side}_ankle", f"{side}_toe"),
    )


_ARM_ANGLES = ("raise", "sweep", "elbow", "palm", "wrist_up", "wrist_front")


def _arm(side: str, *degrees: float) -> dict[str, float]:
    """Return the angles of an arm by channel."""
    return {f"{side}_{name}": angle for name, angle in zip(_ARM_ANGLES, degrees, strict=True)}


_STACKED = _arm("left", 33.0, 54.0, 103.0, 53.0, 12.0, -1.0) | _arm(
    "right", 28.0, 54.0, 97.0, 60.0, 16.0, 1.0
)
"""Arms that hold one hand on the other in front of the chest, palms down."""
_TOGETHER = _arm("side", 37.0, 78.0, 76.0, -63.0, 52.0, -27.0)
"""Arms that point ahead with the palms together."""
_FEET_BESIDE: dict[str, Keys] = {
    "side_aside": ((0.0, 0.25, 1.0), (0.0, -3.0, -3.0)),
    "side_foot_roll": ((0.0, 0.25, 1.0), (0.0, 3.0, 3.0)),
}


def _hold(before: dict[str, float], angles: dict[str, float]) -> dict[str, Keys]:
    """Return channels that move from one pose to another and hold it."""
    both: dict[str, Keys] = {}
    for name, value in angles.items():
        for own in _sides_of(name):
            begin = before.get(own, before.get(name, 0.0))
            both[own] = ((0.0, 0.35, 1.0), (begin, value, value))
    return both


def _sides_of(name: str) -> list[str]:
    """Return the channels of both sides for a name that holds for both, or the name itself."""
    if not name.startswith("side_"):
        return [name]
    return [name.replace("side", side, 1) for side, _ in SIDES]


EXERCISES = (
    Exercise(
        "nod and shake of the head",
        1.9,
        {
            "head_pitch": ((0.0, 0.12, 0.25, 0.38, 0.5), (0.0, 32.0, -24.0, 30.0, 0.0)),
            "head_yaw": ((0.5, 0.62, 0.82, 1.0), (0.0, 50.0, -50.0, 0.0)),
        },
        ("head",),
        ("head", "neck"),
    ),
    Exercise(
        "lift and turn of the arms",
        3.4,
        {
            "side_raise": (
                (0.0, 0.15, 0.35, 0.5, 0.7, 0.85, 1.0),
                (0.0, 60.0, 135.0, 60.0, 60.0, 60.0, 0.0),
            ),
            "side_sweep": ((0.0, 0.7, 0.85, 1.0), (0.0, 0.0, 75.0, 0.0)),
            "side_palm": ((0.45, 0.52, 0.6, 0.68, 0.74), (0.0, -75.0, 25.0, -75.0, 0.0)),
        },
        ("left_hand", "right_hand"),
        _ARM,
    ),
    Exercise(
        "bend of the elbows",
        1.6,
        {
            "side_elbow": (_FIVE, (0.0, 115.0, 8.0, 115.0, 0.0)),
            "side_palm": ((0.0, 0.15, 0.85, 1.0), (0.0, -60.0, -60.0, 0.0)),
        },
        ("left_hand", "right_hand"),
        _ARM,
    ),
    Exercise(
        "circle of the hands",
        1.9,
        {
            "side_elbow": ((0.0, 0.15, 0.85, 1.0), (0.0, 85.0, 85.0, 0.0)),
            "side_wrist_up": _circle(42.0, 0.0),
            "side_wrist_front": _circle(20.0, 0.5 * np.pi),
        },
        ("left_hand", "right_hand"),
        ("left_wrist", "right_wrist"),
    ),
    Exercise(
        "squats",
        2.4,
        {
            "side_squat": (_FIVE, (0.0, 45.0, 2.0, 45.0, 0.0)),
            "pelvis_pitch": (_FIVE, (0.0, 22.0, 0.0, 22.0, 0.0)),
            "side_sweep": (_FIVE, (0.0, 45.0, 0.0, 45.0, 0.0)),
        },
        (),
        ("left_knee", "left_ankle", "right_knee", "right_ankle"),
    ),
    _lift("left"),
    _lift("right"),
    Exercise(
        "twist of the trunk and bow",
        2.6,
        {
            "trunk_yaw": ((0.0, 0.14, 0.32, 0.42), (0.0, 38.0, -38.0, 0.0)),
            "trunk_pitch": ((0.45, 0.7, 0.95), (0.0, 15.0, 0.0)),
            "pelvis_pitch": ((0.45, 0.7, 0.95), (0.0, 45.0, 0.0)),
        },
        ("head",),
        ("lower_spine", "middle_spine", "chest", "neck", "head"),
    ),
    Exercise(
        "one hand on the other",
        2.3,
        _hold({}, _STACKED) | _FEET_BESIDE,
        ("left_hand", "right_hand"),
        (*_ARM, "left_toe", "right_toe"),
        touching=True,
    ),
    Exercise(
        "palms together",
        2.3,
        _hold(_STACKED, _TOGETHER)
        | {name: ((0.0, 1.0), (keys[1][-1],) * 2) for name, keys in _FEET_BESIDE.items()},
        ("left_hand", "right_hand"),
        _ARM,
        touching=True,
    ),
)
"""The guided movement, in order."""
_BEGINS = _LEAD + np.concatenate([[0.0], np.cumsum([e.seconds for e in EXERCISES])])
MOVEMENT_SECONDS = float(_BEGINS[-1])
"""How long the whole guided movement takes."""


def find_exercise(seconds: float) -> int:
    """Return the number of the exercise at a time of the movement, -1 before the first."""
    return min(int(np.searchsorted(_BEGINS, seconds, side="right")) - 1, len(EXERCISES) - 1)


def exercise_progress(seconds: float) -> float:
    """Return how far the exercise at a time is, 0 to 1; the lead-in counts as one."""
    number = find_exercise(seconds)
    begin, end = (0.0, _LEAD) if number < 0 else _BEGINS[number : number + 2]
    return float(np.clip((seconds - begin) / (end - begin), 0.0, 1.0))


def pose_figure(
    skeleton: Skeleton, seconds: float, reference: ReferencePose = ReferencePose.T_POSE
) -> tuple[np.ndarray, np.ndarray]:
    """Pose the figure that shows the movement.

    Args:
        skeleton: The figure's body.
        seconds: Time since the movement began; 0 or less for the reference pose.
        reference: The pose from which the movement begins.

    Returns:
        Positions (22, 3) in metres, the floor at height 0, and rotations (22, 3, 3); the figure
        looks along Z.
    """
    channels = _channels_at(seconds)
    down = _ease(np.clip(seconds / _LEAD, 0.0, 1.0))
    raised = (1.0 - down) * reference.arm_elevation + down * _HANGING
    local = _local_rotations(channels, raised)
    rotations = np.empty((len(PARENTS), 3, 3))
    for joint, parent in enumerate(PARENTS):
        own = local.get(joint, np.eye(3))
        rotations[joint] = own if parent < 0 else rotations[parent] @ own
    offsets = skeleton.offsets.astype(np.float64)
    positions = forward_kinematics(rotations[None], np.zeros((1, 3)), offsets)[0]
    # The lower ankle stands where it does in the T-pose.
    lower = min(_ANKLES, key=lambda ankle: positions[ankle, 1])
    rest = skeleton.t_pose().astype(np.float64)[lower]
    standing = np.array([rest[0], measure_ankle_height(skeleton), rest[2]])
    return positions + standing - positions[lower], rotations


def find_performed(skeleton: Skeleton, frames: Take, number: int) -> bool:
    """Return whether somebody made an exercise.

    Args:
        skeleton: The performer's body.
        frames: Raw trackers; times are seconds since the movement began.
        number: The number of the exercise.
    """
    exercise = EXERCISES[number]
    begin, end = _BEGINS[number : number + 2]
    inside = (frames.times >= begin) & (frames.times <= end + _DELAY)
    trackers = [_PELVIS, *(TRACKERS.index(role) for role in exercise.trackers)]
    if not exercise.trackers:
        trackers += FOOT_TRACKERS
    inside &= frames.valid[:, trackers].all(-1)
    if inside.sum() < _FEWEST_FRAMES:
        return False
    if not exercise.trackers:
        heights = frames.positions[inside][..., 1]
        sunk = np.ptp(heights[:, _PELVIS] - heights[:, FOOT_TRACKERS].mean(-1))
        return bool(sunk > _LEAST_SQUAT * skeleton.size / ADULT_SIZE)
    if exercise.touching:
        hands = frames.positions[inside][:, HAND_TRACKERS]
        nearest = np.linalg.norm(hands[:, 0] - hands[:, 1], axis=-1).min()
        if nearest > _TOUCHING * skeleton.size / ADULT_SIZE:
            return False
        # Hands that are held may have come together a little before the figure's.
        inside |= (frames.times >= begin - _EARLY) & (frames.times < begin)
        inside &= frames.valid[:, trackers].all(-1)
    turns = measure_turns(from_quat(frames.rotations[inside].astype(np.float64)))
    return bool((turns[trackers] > LEAST_TURN).all())


def _channels_at(seconds: float) -> dict[str, float]:
    """Return angles in degrees by name."""
    number = find_exercise(seconds)
    if number < 0:
        return {}
    share, values = exercise_progress(seconds), {}
    for name, keys in EXERCISES[number].channels.items():
        values.update(dict.fromkeys(_sides_of(name), _interpolate(share, *keys)))
    return values


def _interpolate(share: float, shares: tuple[float, ...], values: tuple[float, ...]) -> float:
    """Ease from value to value; zero outside."""
    if not shares[0] <= share <= shares[-1]:
        return 0.0
    at = min(int(np.searchsorted(shares, share, side="right")), len(shares) - 1)
    eased = _ease((share - shares[at - 1]) / (shares[at] - shares[at - 1]))
    return float(values[at - 1] + eased * (values[at] - values[at - 1]))


def _ease(share: float) -> float:
    return float(share * share * (3.0 - 2.0 * share))


def _local_rotations(channels: dict[str, float], raised: float) -> dict[int, np.ndarray]:
    """Return rotations (3, 3) relative to the parent by joint."""

    def angle(name: str) -> float:
        return channels.get(name, 0.0)

    pelvis = angle("pelvis_pitch")
    bend = rotation_by_degrees(Y_AXIS, angle("trunk_yaw") / 3.0) @ rotation_by_degrees(
        X_AXIS, angle("trunk_pitch") / 3.0
    )
    nod = rotation_by_degrees(Y_AXIS, 0.5 * angle("head_yaw")) @ rotation_by_degrees(
        X_AXIS, 0.5 * angle("head_pitch")
    )
    local = {INDEX["hips"]: rotation_by_degrees(X_AXIS, pelvis)}
    local |= {INDEX[name]: bend for name in ("lower_spine", "middle_spine", "chest")}
    local |= {INDEX[name]: nod for name in ("neck", "head")}
    for side, sign in SIDES:
        arm = rotation_by_degrees(Y_AXIS, -sign * angle(f"{side}_sweep")) @ rotation_by_degrees(
            Z_AXIS, sign * (raised + angle(f"{side}_raise"))
        )
        palm = angle(f"{side}_palm")
        local[INDEX[f"{side}_shoulder"]] = arm @ rotation_by_degrees(X_AXIS, 0.4 * palm)
        elbow = rotation_by_degrees(Y_AXIS, -sign * angle(f"{side}_elbow"))
        local[INDEX[f"{side}_elbow"]] = elbow @ rotation_by_degrees(X_AXIS, 0.6 * palm)
        up = rotation_by_degrees(Z_AXIS, sign * angle(f"{side}_wrist_up"))
        local[INDEX[f"{side}_wrist"]] = up @ rotation_by_degrees(
            Y_AXIS, -sign * angle(f"{side}_wrist_front")
        )
        squat, knee = angle(f"{side}_squat"), angle(f"{side}_knee")
        leg = rotation_by_degrees(X_AXIS, -angle(f"{side}_swing")) @ rotation_by_degrees(
            Z_AXIS, sign * angle(f"{side}_aside")
        )
        local[INDEX[f"{side}_hip"]] = rotation_by_degrees(X_AXIS, -pelvis - squat) @ leg
        local[INDEX[f"{side}_knee"]] = rotation_by_degrees(X_AXIS, 2.0 * squat + knee)
        foot = rotation_by_degrees(Y_AXIS, sign * angle(f"{side}_foot_yaw"))
        tilt = rotation_by_degrees(X_AXIS, angle(f"{side}_foot_pitch") - squat)
        roll = rotation_by_degrees(Z_AXIS, sign * angle(f"{side}_foot_roll"))
        local[INDEX[f"{side}_ankle"]] = foot @ tilt @ roll
    return local
