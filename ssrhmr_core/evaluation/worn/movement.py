# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated performer who stands in a reference pose and makes the guided movement.

Every seed is another person: other habits, another pace, other mistakes. The performer follows
instructions about as well as people do: elbows are not quite straight, feet not quite parallel,
amplitudes too small, an exercise is left out now and then, and everything else sways along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.motion import Motion
from ...body.skeleton import (
    ADULT_SIZE,
    FOOT_TRACKERS,
    HAND_TRACKERS,
    INDEX,
    PARENTS,
    TRACKER_JOINTS,
    Skeleton,
    forward_kinematics,
)
from ...geometry.rotations import X_AXIS, Y_AXIS, Z_AXIS, rotation_by_degrees
from ...solver import LIMBS, solve, solver_skeleton
from .channels import Channels
from .exercises import SIDES, perform_guided_movement, reach_out, stand
from .holds import HeldPoses, draw_held_poses, hold_hands, look_ahead

_ANKLE_HEIGHT = 0.022
"""Thickness of the sole under the ball of the foot, metres on an adult."""
_HOLD = 2.0
"""Seconds that a reference pose is held."""
_STEP = 0.03
"""Height of a step to the side, metres on an adult."""
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
_SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]


@dataclass(frozen=True, eq=False)
class Habits:
    """What distinguishes the postures of performers, in degrees.

    Attributes:
        elbows: (2,) bend of elbows that should be straight.
        raised: (2,) elevation of the arms above what is asked for.
        swept: (2,) angle of the arms in front of the body's plane.
        palms: (2,) roll of forearms and hands towards the front.
        wrists: (2, 2) bend of the hands up and towards the front.
        toes_out: (2,) outward turn of the feet.
        knees_out: (2,) outward turn of the knees relative to the feet.
        spread: (2,) angle of the legs from the vertical.
        head: (3,) pitch, yaw and roll of the head relative to the pelvis.
        trunk: (3,) pitch, yaw and roll of the chest relative to the pelvis.
        pelvis: (3,) pitch, yaw and roll of the pelvis.
        neck_share: The share of a nod that the neck does.
        spine: (3,) shares of a bend of the trunk by spine joint.
        rhythm: The share by which a clavicle follows its raised arm.
    """

    elbows: np.ndarray
    raised: np.ndarray
    swept: np.ndarray
    palms: np.ndarray
    wrists: np.ndarray
    toes_out: np.ndarray
    knees_out: np.ndarray
    spread: np.ndarray
    head: np.ndarray
    trunk: np.ndarray
    pelvis: np.ndarray
    neck_share: float
    spine: np.ndarray
    rhythm: float


def draw_habits(random: np.random.Generator) -> Habits:
    """Draw a person's posture."""
    normal = random.standard_normal
    return Habits(
        elbows=np.abs(2.0 + 4.0 * normal(2)),
        raised=-1.0 + 4.0 * normal(2),
        swept=3.0 + 4.0 * normal(2),
        palms=7.0 * normal(2),
        wrists=np.stack([4.0 * normal(2), 3.0 * normal(2)], -1),
        toes_out=6.0 + 4.0 * normal(2),
        knees_out=5.0 * normal(2),
        spread=3.0 + 2.0 * normal(2),
        head=np.array([4.0, 3.0, 2.0]) * normal(3),
        trunk=np.array([2.5, 2.0, 1.5]) * normal(3),
        pelvis=np.array([2.0, 0.0, 1.0]) * normal(3),
        neck_share=float(random.uniform(0.25, 0.55)),
        spine=random.dirichlet([6.0, 6.0, 6.0]),
        rhythm=float(random.uniform(0.1, 0.3)),
    )


def hold_reference(
    body: Skeleton, habits: Habits, elevation: float, random: np.random.Generator
) -> Motion:
    """Return a performer who stands in a reference pose for two seconds.

    Args:
        body: The performer's body.
        habits: The performer's posture.
        elevation: Degrees of the arms over the horizontal that the pose asks for.
        random: The generator of the sway.
    """
    channels = Channels(_HOLD, random)
    stand(channels)
    reach_out(channels, elevation + habits.raised, habits.swept)
    return _animate(body, habits, channels, random)


def make_guided_movement(body: Skeleton, habits: Habits, random: np.random.Generator) -> Motion:
    """Return a performer who makes the guided movement, 17 to 25 seconds at 60 Hz.

    Performers nod and shake the head; move straight arms out, up and forwards while the palms turn;
    bend the elbows; circle the hands; squat twice; lift each leg, swing it, turn the toes out and
    in and circle the foot; twist the trunk and bow. With feet side by side they lay one hand on the
    other, then the palms together, and look ahead.

    Args:
        body: The performer's body.
        habits: The performer's posture.
        random: The generator of all else.
    """
    channels = perform_guided_movement(habits.raised, habits.swept, random)
    posture = habits.pelvis + habits.trunk + habits.head
    held = draw_held_poses(posture, habits.toes_out, random)
    look_ahead(channels, held, posture)
    return _animate(body, habits, channels, random, held)


def _upright(pitch: np.ndarray, yaw: np.ndarray, roll: np.ndarray) -> np.ndarray:
    return (
        rotation_by_degrees(Y_AXIS, yaw)
        @ rotation_by_degrees(X_AXIS, pitch)
        @ rotation_by_degrees(Z_AXIS, roll)
    )


def _animate(
    body: Skeleton,
    habits: Habits,
    channels: Channels,
    random: np.random.Generator,
    held: HeldPoses | None = None,
) -> Motion:
    """Turn channels into the motion of a body; feet are where the legs' channels want them."""
    local = _local_rotations(habits, channels)
    rotations = np.empty((len(channels.times), len(PARENTS), 3, 3))
    heading = rotation_by_degrees(Y_AXIS, np.array([random.uniform(-180.0, 180.0)]))
    for joint, parent in enumerate(PARENTS):
        own = local.get(joint, np.eye(3))
        rotations[:, joint] = heading @ own if parent < 0 else rotations[:, parent] @ own
    adult = body.size / ADULT_SIZE
    spot = np.array([random.uniform(-2.0, 2.0), 0.0, random.uniform(-2.0, 2.0)])
    shift = np.stack([channels[f"root_{axis}"] for axis in "xyz"], -1) * adult
    feet, measured = _feet(body, habits, channels, heading[0], held)
    standing = _standing_height(body, habits)
    root = spot + [0.0, standing, 0.0] + (heading[0] @ shift[..., None])[..., 0]
    positions = forward_kinematics(rotations, root, body.offsets.astype(np.float64))
    hands = positions[:, _WRISTS], rotations[:, _WRISTS], _bend_directions(positions)
    if held:
        shoulders = positions[:, _SHOULDERS].mean(1)
        hands = hold_hands(held, channels, shoulders, heading[0], adult, hands)
    return _close_limbs(
        Motion(body, channels.times, quat.from_matrix(rotations), root),
        habits,
        (feet + spot, measured),
        hands,
    )


def _local_rotations(habits: Habits, channels: Channels) -> dict[int, np.ndarray]:
    """Return rotations (F, 3, 3) relative to the parent by joint; legs are left to the solve."""
    pelvis, trunk, head = (
        [channels[f"{part}_{axis}"] + own[n] for n, axis in enumerate(("pitch", "yaw", "roll"))]
        for part, own in (("pelvis", habits.pelvis), ("trunk", habits.trunk), ("head", habits.head))
    )
    local = {INDEX["hips"]: _upright(*pelvis)}
    for share, name in zip(habits.spine, ("lower_spine", "middle_spine", "chest"), strict=True):
        local[INDEX[name]] = _upright(*(share * angle for angle in trunk))
    # The head is held up while the trunk bends.
    local[INDEX["neck"]] = _upright(*(habits.neck_share * angle for angle in head))
    local[INDEX["head"]] = _upright(*((1.0 - habits.neck_share) * angle for angle in head))
    for number, (side, sign) in enumerate(SIDES):
        local |= _arm_rotations(habits, channels, number, side, sign)
    return local


def _arm_rotations(
    habits: Habits, channels: Channels, number: int, side: str, sign: float
) -> dict[int, np.ndarray]:
    """Return rotations (F, 3, 3) relative to the parent by joint, from clavicle to wrist."""
    raised, swept = channels[f"{side}_raise"], channels[f"{side}_sweep"]
    lifted = habits.rhythm * np.maximum(raised, 0.0) + channels[f"{side}_clavicle"]
    arm = rotation_by_degrees(Y_AXIS, -sign * swept) @ rotation_by_degrees(
        Z_AXIS, sign * (raised - lifted)
    )
    palm = channels[f"{side}_palm"] + habits.palms[number]
    elbow = channels[f"{side}_elbow"] + habits.elbows[number]
    up = rotation_by_degrees(
        Z_AXIS, sign * (channels[f"{side}_wrist_up"] + habits.wrists[number, 0])
    )
    front = rotation_by_degrees(
        Y_AXIS, -sign * (channels[f"{side}_wrist_front"] + habits.wrists[number, 1])
    )
    # The shoulder, the forearm and the wrist share a roll of the palm.
    return {
        INDEX[f"{side}_clavicle"]: rotation_by_degrees(Z_AXIS, sign * lifted),
        INDEX[f"{side}_shoulder"]: arm @ rotation_by_degrees(X_AXIS, 0.3 * palm),
        INDEX[f"{side}_elbow"]: rotation_by_degrees(Y_AXIS, -sign * elbow)
        @ rotation_by_degrees(X_AXIS, 0.4 * palm),
        INDEX[f"{side}_wrist"]: rotation_by_degrees(X_AXIS, 0.3 * palm) @ up @ front,
    }


def _standing_height(body: Skeleton, habits: Habits) -> float:
    """Return the height of the hips when both legs are nearly straight, metres."""
    adult = body.size / ADULT_SIZE
    rest = body.t_pose().astype(np.float64)
    ankles = [INDEX["left_ankle"], INDEX["right_ankle"]]
    spread = np.cos(np.radians(habits.spread)).mean()
    return float(-0.997 * spread * rest[ankles, 1].mean() + _ankle_over_floor(body, adult))


def _ankle_over_floor(body: Skeleton, adult: float) -> float:
    toes = body.offsets[[INDEX["left_toe"], INDEX["right_toe"]], 1].mean()
    return float(_ANKLE_HEIGHT * adult - toes)


def _feet(
    body: Skeleton,
    habits: Habits,
    channels: Channels,
    heading: np.ndarray,
    held: HeldPoses | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (F, 2, 3) and rotations (F, 2, 3, 3) of the ankles."""
    adult = body.size / ADULT_SIZE
    rest = body.t_pose().astype(np.float64)
    height = _standing_height(body, habits)
    positions, rotations = [], []
    for number, (side, sign) in enumerate(SIDES):
        hip, ankle = rest[INDEX[f"{side}_hip"]], rest[INDEX[f"{side}_ankle"]]
        leg = np.linalg.norm(ankle - hip)
        apart = np.sin(np.radians(habits.spread[number])) * leg
        stands = np.array([ankle[0] + sign * apart, _ankle_over_floor(body, adult), ankle[2]])
        toes_out = np.full(len(channels.times), habits.toes_out[number])
        if held:
            # A step to the side, with the feet together at its end.
            share = channels[f"{side}_feet"]
            beside = np.array([sign * adult * held.apart[number], stands[1], stands[2]])
            stands = stands + share[:, None] * (beside - stands)
            stands[:, 1] += 4.0 * _STEP * adult * share * (1.0 - share)
            toes_out += share * (held.toes_out[number] - toes_out)
        front, out = channels[f"{side}_swing_front"], channels[f"{side}_swing_side"]
        lifted = np.clip((front + out) / 8.0, 0.0, 1.0)
        direction = rotation_by_degrees(X_AXIS, -front) @ rotation_by_degrees(
            Z_AXIS, sign * (out + habits.spread[number])
        )
        # The hip itself goes with the weight.
        carried = np.stack([channels["root_x"], channels["root_y"], channels["root_z"]], -1) * adult
        reach = 0.995 * leg * (1.0 - channels[f"{side}_shorter"])
        swung = np.array([0.0, height, 0.0]) + hip + carried - reach[:, None] * direction[..., 1]
        share = lifted[:, None] * lifted[:, None] * (3.0 - 2.0 * lifted[:, None])
        positions.append((stands + share * (swung - stands)) @ heading.T)
        pitched = rotation_by_degrees(X_AXIS, -0.8 * front + channels[f"{side}_foot_pitch"])
        tilted = pitched @ rotation_by_degrees(Z_AXIS, sign * channels[f"{side}_foot_roll"])
        toes = sign * (toes_out + channels[f"{side}_foot_yaw"])
        rotations.append(heading @ rotation_by_degrees(Y_AXIS, toes) @ tilted)
    return np.stack(positions, 1), np.stack(rotations, 1)


def _bend_directions(positions: np.ndarray) -> np.ndarray:
    """Return the directions (F, 2, 3) in which both elbows of joints (F, 22, 3) are bent."""
    poles = []
    for limb in LIMBS[2:]:
        middle = positions[:, limb.lower]
        poles.append(middle - 0.5 * (positions[:, limb.upper] + positions[:, limb.end]))
    return np.stack(poles, 1)


def _close_limbs(
    animated: Motion,
    habits: Habits,
    feet: tuple[np.ndarray, np.ndarray],
    hands: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> Motion:
    """Close legs and arms onto feet and hands; everything else stays as it was animated.

    Args:
        animated: The motion with any limbs.
        habits: The performer's posture.
        feet: Positions (F, 2, 3) and rotations (F, 2, 3, 3) of the ankles.
        hands: The same of the wrists, and the directions (F, 2, 3) in which elbows are bent.
    """
    body, rotations = animated.skeleton, quat.to_matrix(animated.rotations)
    positions = forward_kinematics(rotations, animated.root, body.offsets.astype(np.float64))
    tracked = positions[:, list(TRACKER_JOINTS)]
    measured = rotations[:, list(TRACKER_JOINTS)]
    tracked[:, FOOT_TRACKERS], measured[:, FOOT_TRACKERS] = feet
    tracked[:, HAND_TRACKERS], measured[:, HAND_TRACKERS] = hands[:2]
    poles = []
    for number, (_, sign) in enumerate(SIDES):
        out = rotation_by_degrees(Y_AXIS, sign * habits.knees_out[number])
        poles.append((feet[1][:, number] @ out)[..., 2])
    solved = solve(
        rotations.astype(np.float32),
        np.concatenate([np.stack(poles, 1), hands[2]], 1).astype(np.float32),
        tracked.astype(np.float32),
        measured.astype(np.float32),
        solver_skeleton(body.offsets),
    )
    return replace(
        animated,
        rotations=quat.from_matrix(solved).astype(np.float32),
        root=animated.root.astype(np.float32),
    )
