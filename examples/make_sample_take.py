# SPDX-License-Identifier: GPL-3.0-or-later
"""Make ``sample_take.bvh``: half a minute of motion that this project invented, frame by frame.

No motion capture went into it, so it may be shipped, changed and shown freely. An adult of 1.75 m
stands in a T-pose, lowers the arms, walks three metres, turns round, walks back, reaches up and
down, squats, waves and stands. The motion is built the way an animator would build it:

1. A plan of footsteps. A foot on the floor stays where it is; it rolls over heel and ball.
2. The pelvis follows the weight from foot to foot, as high as the legs allow.
3. Spine, head and arms go through key poses; gait, breath and a little unrest lie on top.
4. The legs are closed from hip to ankle.

    python examples/make_sample_take.py

Units are metres, seconds and radians unless a name says degrees. +Y is up; the body starts out
facing +Z with its left side towards +X. T frames at 60 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, Skeleton
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.geometry.arrays import cross, norm, normalize, reject
from ssrhmr_core.geometry.rotations import rotate, transpose

OUTPUT = Path(__file__).resolve().parent / "sample_take.bvh"
RATE = 60.0
DURATION = 29.5
SIDES = ("left", "right")

# Joint offsets of the left half and the middle of the body: segment shares of body height after
# Winter, "Biomechanics and Motor Control of Human Movement", spine with its natural double curve.
OFFSETS = {
    "left_hip": (0.088, -0.062, 0.004),
    "left_knee": (0.0, -0.428, 0.0),
    "left_ankle": (0.0, -0.418, 0.0),
    "left_toe": (0.012, -0.060, 0.132),
    "lower_spine": (0.0, 0.068, -0.022),
    "middle_spine": (0.0, 0.122, 0.010),
    "chest": (0.0, 0.128, -0.018),
    "neck": (0.0, 0.186, -0.012),
    "head": (0.0, 0.102, 0.028),
    "left_clavicle": (0.022, 0.126, 0.022),
    "left_shoulder": (0.150, 0.004, -0.026),
    "left_elbow": (0.282, 0.0, 0.0),
    "left_wrist": (0.250, 0.0, 0.0),
}
ANKLE_HEIGHT = 0.080
HEEL = np.array([0.0, -ANKLE_HEIGHT, -0.045])
"""Where the heel touches the floor, from the ankle."""

STRAIGHT_HEIGHT = ANKLE_HEIGHT - sum(
    OFFSETS[name][1] for name in ("left_hip", "left_knee", "left_ankle")
)
"""Of the hips over the floor in the T-pose."""

REACH_UP, REACH_DOWN, SQUAT, WAVE = 15.0, 18.3, 21.3, 25.0
"""When the acts after the walk begin."""


@dataclass(frozen=True)
class Step:
    """One foot's way to its next place on the floor.

    Attributes:
        side: 0 left, 1 right.
        lift_off: when the toes leave the floor, seconds.
        strike: when the heel touches it again, seconds.
        place: ankle over the floor (x, z), metres.
        yaw: heading of the foot, radians.
        push: pitch of the foot at lift off, degrees, heel up.
        land: pitch of the foot at the strike, degrees, toes up.
    """

    side: int
    lift_off: float
    strike: float
    place: tuple[float, float]
    yaw: float
    push: float
    land: float


# --- Curves -------------------------------------------------------------------------------------


def ease(times: np.ndarray, start: float, end: float) -> np.ndarray:
    """Minimum-jerk passage from 0 at ``start`` to 1 at ``end``: (T,)."""
    s = np.clip((times - start) / (end - start), 0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s * s)


def stride(times: np.ndarray, start: float, end: float) -> np.ndarray:
    """As :func:`ease`, but arriving later and firmer, as a foot does at its strike: (T,)."""
    s = np.clip((times - start) / (end - start), 0.0, 1.0)
    return 0.55 * ease(times, start, end) + 0.45 * s**3 * (4.0 - 3.0 * s)


def smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    """Smooth (T, ...) by a cubic B-spline of standard deviation ``seconds``; the ends are held.

    It makes any continuous curve twice differentiable and, unlike a Gaussian, ends somewhere:
    holds in a curve stay exact, and so do planted feet.
    """
    width = max(1, round(np.sqrt(1.0 + 3.0 * (seconds * RATE) ** 2) / 2) * 2 + 1)
    flat = values.reshape(len(values), -1)
    for _ in range(4):
        padded = np.pad(flat, ((width // 2 + 1, width // 2), (0, 0)), mode="edge")
        total = np.cumsum(padded, axis=0)
        flat = (total[width:] - total[:-width]) / width
    return flat.reshape(values.shape)


def curve(times: np.ndarray, keys: list[tuple[float, ...]], softness: float = 0.07) -> np.ndarray:
    """Curve through keys (time, values...), without overshoot: (T,) or (T, N).

    Monotone cubic pieces (Fritsch and Carlson, 1980) flow through keys on the way and rest on
    turning points and holds; ``softness`` seconds of smoothing make the curve C2.
    """
    table = np.array(keys, np.float64)
    t, v = table[:, 0], table[:, 1:]
    step = np.diff(t)[:, None]
    slope = np.diff(v, axis=0) / step
    tangent = np.zeros_like(v)
    same_way = slope[:-1] * slope[1:] > 0.0
    harmonic = 2.0 * slope[:-1] * slope[1:] / np.where(same_way, slope[:-1] + slope[1:], 1.0)
    tangent[1:-1] = np.where(same_way, harmonic, 0.0)
    clipped = np.clip(times, t[0], t[-1])
    i = np.clip(np.searchsorted(t, clipped, side="right") - 1, 0, len(t) - 2)
    s = ((clipped - t[i]) / step[i, 0])[:, None]
    result = (
        v[i] * (1 + 2 * s) * (1 - s) ** 2
        + v[i + 1] * s**2 * (3 - 2 * s)
        + step[i] * (tangent[i] * s * (1 - s) ** 2 - tangent[i + 1] * s**2 * (1 - s))
    )
    result = smooth(result, softness)
    return result[:, 0] if result.shape[1] == 1 else result


def unrest(times: np.ndarray, random: np.random.Generator, amplitude: float) -> np.ndarray:
    """Slow, small wandering of about ``amplitude`` that keeps a pose alive: (T,)."""
    frequencies = np.concatenate([random.uniform(0.08, 0.75, 5), random.uniform(1.2, 4.0, 4)])
    phases = random.uniform(0.0, 2.0 * np.pi, 9)
    share = 1.0 / (1.0 + 2.0 * frequencies**2)
    waves = share * np.sin(2.0 * np.pi * frequencies * times[:, None] + phases)
    return amplitude * 0.7 * waves.sum(1) * ease(times, 1.0, 2.5)


def turn(axis: str, angle: np.ndarray) -> np.ndarray:
    """Rotations by ``angle`` (...) about a coordinate axis: (..., 3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    result = np.zeros((*np.shape(angle), 3, 3))
    result[...] = np.eye(3)
    result[..., i, i] = result[..., j, j] = c
    result[..., i, j], result[..., j, i] = -s, s
    return result


def degrees(axis: str, angle: np.ndarray) -> np.ndarray:
    """As :func:`turn`, in degrees."""
    return turn(axis, np.radians(angle))


# --- Feet ---------------------------------------------------------------------------------------


def plan_steps() -> list[Step]:
    """Walk, turn and walk back, as one alternation of right and left feet."""
    steps: list[Step] = []
    strike = 4.55

    def add(
        yaw: float,
        z: float,
        *,
        half_width: float = 0.05,
        toe_out: float = 4.0,
        pause: float = 0.57,
        swing: float = 0.46,
        pitches: tuple[float, float] = (50.0, 17.0),
    ) -> None:
        nonlocal strike
        side = 1 - len(steps) % 2
        outward = half_width if side == 0 else -half_width
        heading = np.radians(yaw)
        place = (outward * np.cos(heading), z - outward * np.sin(heading))
        out = np.radians(toe_out if side == 0 else -toe_out)
        steps.append(Step(side, strike - swing, strike, place, heading + out, *pitches))
        strike += pause

    add(0, 0.38, pitches=(26.0, 13.0), swing=0.50)
    for z in (0.95, 1.52, 2.09, 2.66, 3.23):
        add(0, z)
    add(0, 3.72, pitches=(44.0, 10.0), pause=0.56)
    # Turning to the left: the left foot opens, the right one closes.
    for yaw in (58, 72, 128, 146):
        add(yaw, 3.76, half_width=0.095, pause=0.54, swing=0.42, pitches=(24.0, 4.0))
    add(180, 3.62, half_width=0.06, pitches=(26.0, 7.0), swing=0.44)
    for z in (3.16, 2.59, 2.02, 1.45, 0.88):
        add(180, z)
    add(180, 0.42, half_width=0.09, toe_out=8.0, pitches=(44.0, 10.0), pause=0.62)
    add(180, 0.42, half_width=0.11, toe_out=9.0, pitches=(26.0, 3.0), swing=0.48)
    return steps


@dataclass(frozen=True)
class Feet:
    """Both feet over time; the second axis is the side.

    Attributes:
        ground: (T, 2, 3) the ankle's place on the floor, were the foot flat.
        yaw: (T, 2) headings.
        planted: (T, 2) bool.
        ankle: (T, 2, 3) positions of the ankle joints.
        foot, toe: (T, 2, 3, 3) global rotations.
    """

    ground: np.ndarray
    yaw: np.ndarray
    planted: np.ndarray
    ankle: np.ndarray
    foot: np.ndarray
    toe: np.ndarray


def move_feet(times: np.ndarray, steps: list[Step]) -> Feet:
    """Carry out the plan of steps."""
    shape = (len(times), 2)
    ground, yaw, lift, pitch = (np.zeros((*shape, 3)), *(np.zeros(shape) for _ in range(3)))
    on_ball, planted = np.ones(shape), np.ones(shape, bool)
    for side in range(2):
        mirror = 1.0 - 2.0 * side
        ground[:, side, 0] = mirror * OFFSETS["left_hip"][0]
        ground[:, side, 2] = OFFSETS["left_hip"][2]
        # Reaching up lifts the heels, the far one more.
        up = REACH_UP
        heels = (-24.0, -11.0)[side]
        pitches = [(up + 0.55, 0.0), (up + 1.25, heels), (up + 1.75, heels), (up + 2.5, 0.0)]
        for step in (step for step in steps if step.side == side):
            off, strike = step.lift_off, step.strike
            swing = strike - off
            share = stride(times, off, strike)
            target = np.array([step.place[0], 0.0, step.place[1]])
            ground[:, side] += share[:, None] * (target - ground[-1, side])
            yaw[:, side] += share * (step.yaw - yaw[-1, side])
            # Toes hang soon after they left the floor; later the heel must not brush it.
            s = np.clip((times - off) / swing, 0.0, 1.0)
            for height, skew in ((0.044, 0.70), (0.016, 1.35)):
                lift[:, side] += height * 64.0 * (s**skew * (1.0 - s**skew)) ** 3
            planted[:, side] &= (times <= off) | (times >= strike)
            # The pivot changes from ball to heel in the air and back while the foot is flat.
            on_ball[:, side] -= ease(times, off, off + 0.90 * swing)
            on_ball[:, side] += ease(times, strike + 0.20, strike + 0.26)
            pitches += [
                (off - 0.27, 0.0),
                (off, -step.push),
                (off + 0.14 * swing, -1.12 * step.push),
                (off + 0.88 * swing, 1.1 * step.land),
                (strike, step.land),
                (strike + 0.12, 0.0),
            ]
        pitch[:, side] = curve(times, [(0.0, 0.0), *sorted(pitches)], 0.022)

    heading = turn("y", yaw)
    foot = heading @ degrees("x", -pitch)
    toe = heading @ degrees("x", -pitch * (1.0 - on_ball) ** 2)
    flat = ground + np.array([0.0, ANKLE_HEIGHT, 0.0])
    mirrored = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    over_heel = flat + rotate(heading, HEEL) - rotate(foot, HEEL)
    ball = mirrored * OFFSETS["left_toe"]
    over_ball = flat + rotate(heading, ball) - rotate(foot, ball)
    ankle = over_heel + on_ball[..., None] * (over_ball - over_heel)
    ankle[..., 1] += lift
    return Feet(ground, yaw, planted, ankle, foot, toe)


# --- Trunk --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gait:
    """Where in a stride the body is.

    Attributes:
        phase: (T,) radians; the left heel strikes at even multiples of pi, the right at odd ones.
        amount: (T,) 0 standing .. 1 walking.
    """

    phase: np.ndarray
    amount: np.ndarray

    def wave(self, amplitude: float, lead: float = 0.0, harmonic: int = 1) -> np.ndarray:
        """Cosine that peaks at the left strike, earlier by ``lead`` radians: (T,)."""
        return self.amount * amplitude * np.cos(harmonic * self.phase + lead)


def read_gait(times: np.ndarray, steps: list[Step]) -> Gait:
    """Phase and strength of the stride from the plan."""
    strikes = np.array([step.strike for step in steps])
    # One more step before and after, so that the phase runs on while the body starts and stops.
    strikes = np.concatenate([[strikes[0] - 0.65], strikes, [strikes[-1] + 0.65]])
    phase = smooth(np.interp(times, strikes, np.pi * np.arange(len(strikes))), 0.06)
    strength = [min(1.0, 0.35 + (step.push - 24.0) / 40.0) for step in steps]
    amount = np.interp(times, strikes, [0.0, *strength, 0.0])
    return Gait(phase, smooth(amount, 0.18))


# Key poses of the trunk, degrees and metres. Pitch is forward, roll lowers the RIGHT side, yaw
# turns left. `share`: weight on the left foot. `drop`, `back`: pelvis below, behind its place.
TRUNK = (
    # time, pelvis pitch, roll; spine pitch, roll, yaw; share, drop, back; gaze pitch, yaw
    (0.0, 0, 0, 0, 0, 0, 0.5, 0.0, 0.0, 0, 0),
    (1.1, 0, 0, 0, 0, 0, 0.5, 0.0, 0.0, 0, 0),
    (2.3, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 3, 0),
    (3.2, 1, 1, 1, -1, 2, 0.44, 0.0, -0.012, 2, 9),
    (4.1, 2, 0, 1, 0, 0, 0.5, 0.0, -0.015, 4, 0),
    (5.0, 2, 0, 1, 0, 0, 0.5, 0.0, -0.04, 4, 0),
    (13.4, 2, 0, 1, 0, 0, 0.5, 0.0, -0.04, 4, 0),
    (14.6, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 2, 0),
    (REACH_UP, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, -4, -6),
    (REACH_UP + 0.45, 2, 1, 3, 1, -2, 0.42, 0.018, 0.0, -22, -10),
    (REACH_UP + 1.25, -2, -5, -7, -7, 9, 0.24, 0.0, -0.035, -36, -10),
    (REACH_UP + 1.75, -2, -5, -7, -8, 10, 0.24, 0.0, -0.035, -37, -9),
    (REACH_UP + 2.65, 1, 0, 1, 0, 0, 0.48, 0.006, -0.010, 4, 0),
    (REACH_DOWN, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 8, 10),
    (REACH_DOWN + 0.5, 3, -1, 5, -5, 5, 0.56, 0.03, 0.0, 26, 30),
    (REACH_DOWN + 1.2, 11, -6, 17, -23, 13, 0.60, 0.145, 0.035, 34, 38),
    (REACH_DOWN + 1.6, 11, -6, 17, -24, 14, 0.60, 0.150, 0.035, 34, 38),
    (REACH_DOWN + 2.5, 2, 0, 2, 0, 0, 0.5, 0.004, -0.008, 6, 6),
    (SQUAT, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 2, 0),
    (SQUAT + 1.3, 27, 0, 15, 0, 0, 0.5, 0.335, 0.135, 4, 0),
    (SQUAT + 1.65, 27, 0, 15, 0, 0, 0.5, 0.340, 0.137, 4, 0),
    (SQUAT + 2.95, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 2, 0),
    (WAVE, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 2, 0),
    (WAVE + 0.75, 0, 2, 0, 3, -3, 0.55, 0.0, -0.012, 0, -2),
    (WAVE + 2.55, 0, 2, 0, 3, -3, 0.55, 0.0, -0.012, 0, -4),
    (WAVE + 3.5, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 2, 0),
    (DURATION, 1, 0, 1, 0, 0, 0.5, 0.0, -0.012, 2, 0),
)


@dataclass(frozen=True)
class Trunk:
    """Trunk and head over time.

    Attributes:
        root: (T, 3) position of the hips.
        rotations: global rotations (T, 3, 3) by name of the joint.
        body_yaw: (T,) heading of the chest.
    """

    root: np.ndarray
    rotations: dict[str, np.ndarray]
    body_yaw: np.ndarray


def move_trunk(
    times: np.ndarray, feet: Feet, gait: Gait, skeleton: Skeleton, random: np.random.Generator
) -> Trunk:
    """Carry pelvis, spine and head over the feet."""
    (
        pelvis_pitch,
        pelvis_roll,
        spine_pitch,
        spine_roll,
        spine_yaw,
        share,
        drop,
        back,
        gaze_pitch,
        gaze_yaw,
    ) = curve(times, list(TRUNK), 0.09).T
    breath = np.sin(2.0 * np.pi * times / 3.8) * ease(times, 1.0, 2.6)

    heading = smooth(feet.yaw.mean(1), 0.15)
    # Pelvic rotation, drop of the free side and tilt; the chest turns and leans against them.
    yaw = heading + np.radians(gait.wave(-5.0, 0.15) + unrest(times, random, 0.7))
    roll = pelvis_roll + gait.wave(3.6, -1.25) + unrest(times, random, 0.35)
    pitch = pelvis_pitch + gait.wave(1.1, 0.6, harmonic=2) + unrest(times, random, 0.4)
    pelvis = turn("y", yaw) @ degrees("x", pitch) @ degrees("z", roll)

    spine_yaw = spine_yaw + gait.wave(10.0, 0.05) + unrest(times, random, 0.8)
    spine_roll = spine_roll + gait.wave(-3.2, -1.15) + unrest(times, random, 0.5)
    spine_pitch = (
        spine_pitch + gait.amount * 1.5 + gait.wave(0.8, 1.4, 2) + unrest(times, random, 0.6)
    )
    # The chest leads into a turn of the body by a tenth of a second.
    lead = np.degrees(np.interp(times + 0.1, times, heading) - heading)
    rotations = {"hips": pelvis}
    parent = pelvis
    for name, bend, twist in (
        ("lower_spine", 0.30, 0.20),
        ("middle_spine", 0.35, 0.35),
        ("chest", 0.35, 0.45),
    ):
        breathing = -0.7 * breath if name == "chest" else 0.0
        parent = (
            parent
            @ degrees("y", twist * (spine_yaw + lead))
            @ degrees("z", bend * spine_roll)
            @ degrees("x", bend * spine_pitch + breathing)
        )
        rotations[name] = parent
    chest = rotations["chest"]

    # The head keeps level and looks where the body will go.
    ahead = smooth(np.interp(times + 0.32, times, heading), 0.12)
    tilt = np.degrees(np.arcsin(np.clip(chest[:, 1, 0], -1.0, 1.0)))
    head = (
        turn("y", ahead + np.radians(gaze_yaw + gait.wave(0.8) + unrest(times, random, 2.0)))
        @ degrees("x", gaze_pitch + gait.wave(0.7, 0.9, 2) + unrest(times, random, 1.2))
        @ degrees("z", 0.35 * tilt + unrest(times, random, 0.6))
    )
    rotations["neck"] = halfway(chest, head, 0.45)
    rotations["head"] = head

    both = feet.planted.all(1)
    on_left = np.where(both, share, feet.planted[:, 0])[:, None]
    support = on_left * feet.ground[:, 0] + (1.0 - on_left) * feet.ground[:, 1]
    forward = np.stack([np.sin(heading), np.zeros_like(heading), np.cos(heading)], -1)
    root = smooth(support, 0.23) - back[:, None] * forward
    root[:, 0] += unrest(times, random, 0.003)
    root[:, 2] += unrest(times, random, 0.004)
    root[:, 2] -= OFFSETS["left_hip"][2] * (1.0 - ease(times, 1.1, 2.3))
    least_bend = curve(
        times,
        [
            (0.0, 0.0),
            (1.2, 0.0),
            (2.3, 9.0),
            (4.0, 9.0),
            (5.0, 14.0),
            (13.5, 14.0),
            (14.6, 9.0),
            (DURATION, 9.0),
        ],
    )
    # Walking, the body is lowest just after a strike, when the legs are far apart.
    highest = STRAIGHT_HEIGHT + 0.1 - gait.amount * 0.122 - gait.wave(0.026, -0.25, 2)
    bend = np.radians(least_bend)
    root[:, 1] = pelvis_height(root, pelvis, feet.ankle, highest, bend, skeleton) - drop
    return Trunk(root, rotations, yaw + np.radians(spine_yaw + lead))


def halfway(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Rotations (T, 3, 3) the ``share`` of the way from ``a`` to ``b``."""
    mixed = quat.slerp(quat.from_matrix(a), quat.from_matrix(b), share, shortest=True)
    return quat.to_matrix(mixed)


def pelvis_height(
    root: np.ndarray,
    pelvis: np.ndarray,
    ankle: np.ndarray,
    highest: np.ndarray,
    least_bend: np.ndarray,
    skeleton: Skeleton,
) -> np.ndarray:
    """Height of the hips (T,): ``highest``, or where a knee is bent by just ``least_bend`` (T,)."""
    thigh, shin = (norm(skeleton.offsets[INDEX[f"left_{n}"]])[0] for n in ("knee", "ankle"))
    length = np.sqrt(thigh**2 + shin**2 + 2.0 * thigh * shin * np.cos(least_bend))
    limits = [highest]
    for side, name in enumerate(SIDES):
        hip = rotate(pelvis, skeleton.offsets[INDEX[f"{name}_hip"]])
        away = (root + hip - ankle[:, side])[:, [0, 2]]
        rise = np.sqrt(np.maximum(length**2 - (away**2).sum(-1), 0.0))
        limits.append(ankle[:, side, 1] + rise - hip[:, 1])
    limit = np.min(limits, axis=0)
    # The lowest in reach of the smoothing, so that the smooth curve stays under the limit.
    window = 6
    padded = np.pad(limit, window, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * window + 1).min(-1)
    return smooth(lowest, 0.04)


# --- Limbs --------------------------------------------------------------------------------------


def close_leg(
    hip: np.ndarray, ankle: np.ndarray, forward: np.ndarray, thigh: float, shin: float
) -> tuple[np.ndarray, np.ndarray]:
    """Global rotations (T, 3, 3) of thigh and shin; the knee bends towards ``forward`` (T, 3)."""
    aim = ankle - hip
    distance = np.minimum(norm(aim), thigh + shin)
    along = normalize(aim)
    cosine = (thigh**2 + distance**2 - shin**2) / (2.0 * thigh * distance)
    sine = np.sqrt(np.clip(1.0 - cosine**2, 0.0, None))
    ahead = normalize(reject(forward, along))
    knee = thigh * (cosine * along + sine * ahead)
    # The knee is a hinge: both bones share its axis.
    hinge = cross(ahead, along)

    def aimed(bone: np.ndarray) -> np.ndarray:
        up = -normalize(bone)
        return np.stack([hinge, up, cross(hinge, up)], -1)

    return aimed(knee), aimed(distance * along - knee)


@dataclass(frozen=True)
class Arm:
    """Key pose of an arm, as if it were the left one: +X outward, +Y up, +Z forward.

    Attributes:
        hand: wrist from the shoulder, as a share of the arm's length.
        elbow: direction towards which the elbow points.
        twist: pronation of the hand, degrees; 0 as in a T-pose with the palms down.
        flex: of the wrist towards the palm, degrees.
    """

    hand: tuple[float, float, float]
    elbow: tuple[float, float, float]
    twist: float = 0.0
    flex: float = 0.0

    def channels(self) -> np.ndarray:
        """Upper arm's quaternion, bend of the elbow in degrees, twist, flex: (7,)."""
        upper, lower = OFFSETS["left_elbow"][0], OFFSETS["left_wrist"][0]
        target = np.array(self.hand) * (upper + lower)
        along = normalize(target)
        side = normalize(reject(np.array(self.elbow), along))
        distance = min(float(norm(target)[0]), upper + lower)
        cosine = (upper**2 + distance**2 - lower**2) / (2.0 * upper * distance)
        bone = cosine * along + np.sqrt(max(0.0, 1.0 - cosine**2)) * side
        bend = (distance**2 - upper**2 - lower**2) / (2.0 * upper * lower)
        # The elbow is a hinge: in a T-pose it bends forward, about the vertical.
        up = cross(along, side)
        rotation = quat.from_matrix(np.stack([bone, up, cross(bone, up)], -1))
        angle = np.degrees(np.arccos(np.clip(bend, -1.0, 1.0)))
        return np.array([*rotation, angle, self.twist, self.flex])


T_POSE = Arm((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
HANG = Arm((0.185, -0.965, 0.075), (0.35, 0.0, -1.0), twist=18, flex=8)
BALANCE = Arm((0.40, -0.88, 0.10), (0.45, 0.0, -1.0), twist=22, flex=2)

# Key poses of the arms, left and right.
ARM_KEYS = (
    (
        (0.0, T_POSE),
        (1.05, T_POSE),
        (1.75, Arm((0.72, -0.66, 0.10), (0.3, 0.3, -1.0), twist=8, flex=-6)),
        (2.45, HANG),
        (REACH_UP + 0.3, HANG),
        (REACH_UP + 1.2, Arm((0.30, -0.92, -0.06), (0.35, 0.0, -1.0), twist=24, flex=-4)),
        (REACH_UP + 1.75, Arm((0.30, -0.92, -0.06), (0.35, 0.0, -1.0), twist=24, flex=-4)),
        (REACH_UP + 2.6, HANG),
        (REACH_DOWN + 0.2, HANG),
        (REACH_DOWN + 0.7, Arm((0.34, -0.86, 0.16), (0.5, 0.1, -1.0), twist=20, flex=10)),
        (REACH_DOWN + 1.25, Arm((0.30, -0.94, 0.10), (0.5, 0.0, -1.0), twist=12, flex=4)),
        (REACH_DOWN + 1.65, Arm((0.30, -0.94, 0.10), (0.5, 0.0, -1.0), twist=12, flex=12)),
        (REACH_DOWN + 2.5, HANG),
        (SQUAT + 0.1, HANG),
        (SQUAT + 0.75, Arm((0.16, -0.52, 0.76), (0.7, -0.6, -0.4), twist=0, flex=10)),
        (SQUAT + 1.35, Arm((0.03, 0.02, 0.96), (0.75, -0.65, 0.0), twist=-8, flex=-4)),
        (SQUAT + 1.70, Arm((0.03, 0.03, 0.96), (0.75, -0.65, 0.0), twist=-8, flex=-4)),
        (SQUAT + 2.35, Arm((0.12, -0.50, 0.78), (0.7, -0.6, -0.4), twist=0, flex=-6)),
        (SQUAT + 3.0, HANG),
        (DURATION, HANG),
    ),
    (
        (0.0, T_POSE),
        (1.1, T_POSE),
        (1.8, Arm((0.71, -0.67, 0.12), (0.3, 0.3, -1.0), twist=8, flex=-6)),
        (2.5, HANG),
        (REACH_UP + 0.1, HANG),
        (REACH_UP + 0.6, Arm((0.20, -0.02, 0.82), (0.7, -0.7, 0.2), twist=0, flex=14)),
        (REACH_UP + 1.25, Arm((0.10, 0.975, 0.17), (0.7, 0.0, 0.8), twist=15, flex=-8)),
        (REACH_UP + 1.75, Arm((0.09, 0.98, 0.16), (0.7, 0.0, 0.8), twist=15, flex=-2)),
        (REACH_UP + 2.3, Arm((0.26, 0.0, 0.80), (0.7, -0.7, 0.2), twist=4, flex=-8)),
        (REACH_UP + 2.9, HANG),
        (REACH_DOWN + 0.2, HANG),
        (REACH_DOWN + 1.2, BALANCE),
        (REACH_DOWN + 1.65, BALANCE),
        (REACH_DOWN + 2.5, HANG),
        (SQUAT + 0.12, HANG),
        (SQUAT + 0.77, Arm((0.16, -0.52, 0.76), (0.7, -0.6, -0.4), twist=0, flex=10)),
        (SQUAT + 1.37, Arm((0.03, 0.02, 0.96), (0.75, -0.65, 0.0), twist=-8, flex=-4)),
        (SQUAT + 1.70, Arm((0.03, 0.02, 0.96), (0.75, -0.65, 0.0), twist=-8, flex=-4)),
        (SQUAT + 2.35, Arm((0.12, -0.50, 0.78), (0.7, -0.6, -0.4), twist=0, flex=-6)),
        (SQUAT + 3.0, HANG),
        (WAVE + 0.05, HANG),
        (WAVE + 0.40, Arm((0.42, -0.20, 0.58), (0.7, -0.7, -0.1), twist=2, flex=12)),
        (WAVE + 0.80, Arm((0.50, 0.36, 0.30), (0.75, -0.65, 0.0), twist=-4, flex=0)),
        (WAVE + 2.50, Arm((0.50, 0.37, 0.29), (0.75, -0.65, 0.0), twist=-4, flex=0)),
        (WAVE + 2.95, Arm((0.42, -0.22, 0.55), (0.7, -0.7, -0.1), twist=4, flex=-10)),
        (WAVE + 3.5, HANG),
        (DURATION, HANG),
    ),
)

MIRROR = np.diag([-1.0, 1.0, 1.0])


def move_arm(
    times: np.ndarray, side: int, trunk: Trunk, gait: Gait, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Global rotations (T, 3, 3) of clavicle, shoulder, elbow and wrist of one arm."""
    rows = [pose.channels() for _, pose in ARM_KEYS[side]]
    for before, row in pairwise(rows):
        row[:4] *= np.sign(before[:4] @ row[:4])
    keys = [(time, *row) for (time, _), row in zip(ARM_KEYS[side], rows, strict=True)]
    channels = curve(times, keys)
    # Overlap: forearm and hand follow the upper arm a little later.
    elbow = curve(times - 0.03, keys)[:, 4]
    twist, flex = curve(times - 0.06, keys)[:, 5:].T

    # Walking: each arm swings with the leg of the other side; the elbow bends on the way forward.
    opposite = 1.0 if side else -1.0
    swing = gait.wave(21.0 * opposite, -0.12) + gait.amount * 3.0 + unrest(times, random, 1.0)
    elbow = elbow + gait.amount * 9.0 + gait.wave(9.0 * opposite, -0.5) + unrest(times, random, 1.2)
    flex = flex + gait.wave(5.0 * opposite, -1.2) + unrest(times, random, 2.0)
    deviation = gait.wave(3.0 * opposite, -0.9)
    abduction = unrest(times, random, 0.7)
    if side == 1:
        hello = ease(times, WAVE + 0.65, WAVE + 1.0) - ease(times, WAVE + 2.2, WAVE + 2.6)
        beat = 2.0 * np.pi * 1.75 * (times - WAVE - 0.7)
        elbow = elbow - 19.0 * hello * np.sin(beat)
        swing = swing + 2.5 * hello * np.sin(beat + 0.5)
        abduction = abduction + 4.0 * hello * np.sin(beat + 0.2)
        deviation = deviation + 13.0 * hello * np.sin(beat - 0.7)

    # Arms hang from the heading more than from the leaning chest.
    upright = turn("y", trunk.body_yaw)
    chest = trunk.rotations["chest"]
    base = halfway(upright, chest, 0.35)
    mirror = MIRROR if side else np.eye(3)
    local = quat.to_matrix(quat.normalize(channels[:, :4]))
    local = degrees("x", -swing) @ degrees("z", abduction) @ local
    upper = base @ mirror @ local
    forearm = degrees("y", -elbow)
    elbow_turn = upper @ forearm @ degrees("x", 0.5 * twist)
    wrist = upper @ forearm @ degrees("x", twist) @ degrees("z", -flex) @ degrees("y", -deviation)

    # The clavicle rises with the arm and follows it forward; in a T-pose it is at rest.
    bone = (mirror @ transpose(chest) @ upper)[..., 0]
    breath = 0.8 * np.sin(2.0 * np.pi * times / 3.8 - 0.3) * ease(times, 1.0, 2.6)
    rise = 17.0 * bone[:, 1] + 11.0 * bone[:, 1] ** 2 + breath
    clavicle = chest @ mirror @ degrees("y", -13.0 * bone[:, 2]) @ degrees("z", rise)
    names = ("clavicle", "shoulder", "elbow", "wrist")
    turns = (clavicle, upper, elbow_turn, wrist)
    return {f"{SIDES[side]}_{n}": t @ mirror for n, t in zip(names, turns, strict=True)}


# --- The whole body -----------------------------------------------------------------------------


def make_skeleton() -> Skeleton:
    """Build the performer's skeleton, both sides alike."""
    offsets = np.zeros((len(JOINTS), 3))
    for name, offset in OFFSETS.items():
        offsets[INDEX[name]] = offset
        if name.startswith("left_"):
            offsets[INDEX[name.replace("left_", "right_")]] = MIRROR @ offset
    return Skeleton(offsets)


def make_motion(seed: int = 7) -> Motion:
    """Perform the whole take; ``seed`` drives the unrest only."""
    random = np.random.default_rng(seed)
    skeleton = make_skeleton()
    times = np.arange(round(DURATION * RATE) + 1) / RATE
    steps = plan_steps()
    feet = move_feet(times, steps)
    gait = read_gait(times, steps)
    trunk = move_trunk(times, feet, gait, skeleton, random)

    turns = dict(trunk.rotations)
    for side, name in enumerate(SIDES):
        hip = trunk.root + rotate(turns["hips"], skeleton.offsets[INDEX[f"{name}_hip"]])
        thigh, shin = (norm(skeleton.offsets[INDEX[f"{name}_{n}"]])[0] for n in ("knee", "ankle"))
        # Knees point between foot and pelvis, nearer the foot: the ankle hardly twists.
        forward = halfway(turns["hips"], turn("y", feet.yaw[:, side]), 0.65)[..., 2]
        turns[f"{name}_hip"], turns[f"{name}_knee"] = close_leg(
            hip, feet.ankle[:, side], forward, thigh, shin
        )
        turns[f"{name}_ankle"] = feet.foot[:, side]
        turns[f"{name}_toe"] = feet.toe[:, side]
        turns |= move_arm(times, side, trunk, gait, random)

    matrices = np.stack([turns[name] for name in JOINTS], 1)
    rotations = quat.unroll(quat.normalize(quat.from_matrix(matrices)), axis=0)
    return Motion(skeleton, times, rotations.astype(np.float32), trunk.root.astype(np.float32))


def main() -> None:
    """Write the take."""
    motion = make_motion()
    save_bvh(OUTPUT, motion)
    size = OUTPUT.stat().st_size / 1e6
    print(f"{OUTPUT.name}: {len(motion)} frames, {motion.times[-1]:.1f} s, {size:.2f} MB")


if __name__ == "__main__":
    main()
