# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that nobody tracks stand, step and turn.

What the model fills in without foot trackers is a mean of what feet might do: it glides, and it may
sink into the floor. Here each foot stands where it is until the model wants it elsewhere, until it
points elsewhere, or until the leg cannot reach it any more. Then it steps along a smooth arc to
where it will be wanted, one foot at a time unless the body runs or jumps. The floor is at height
zero. A whole take is looked at ahead; live, the way of each foot is extrapolated.

The model's feet glide, but the one that swings glides faster: it steps while it does, and stands
while the other one does.
"""

from __future__ import annotations

import math
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import ADULT_SIZE, FOOT_TRACKERS, INDEX, TRACKERS, Skeleton
from ..geometry.rotations import X_AXIS, Y_AXIS, from_6d, rotation_about, to_6d
from ..solver import hip_positions, solver_skeleton
from .reference_pose import measure_ankle_height
from .take import Take

_PELVIS = TRACKERS.index("pelvis")
_TOES = (INDEX["left_toe"], INDEX["right_toe"])
_SIDES = (1.0, -1.0)
"""Signs of the left and the right side along the pelvis' X axis."""

# Lengths in metres on an adult, times in frames of 60 Hz.
_AHEAD = 60
"""Frames that are looked at ahead."""
_LEAD = 6
"""A step begins so long before its foot is wanted elsewhere."""
_OFF, _GLIDING_OFF, _FAR_OFF = 0.32, 0.23, 0.45
"""A foot steps that is so far from where it is wanted, or so far while the model lets both feet
glide; far off, it does whatever the other does."""
_SWINGING_OFF, _SHORTEST_WAY = 0.12, 0.25
"""The same while the model swings it, and the least way to where it is wanted after the swing."""
_SWING_RATIO, _SWING_SPEED = 1.2, 0.4
"""The model swings a foot that is so many times as fast as the other one, and at least so fast in
metres per second."""
_GLIDING_RATIO, _GLIDING_SPEED = 1.1, 0.25
"""It lets both glide if neither is so many times as fast as the other one, and both are so fast."""
_SMOOTH = 4
"""Frames before and after a frame over which that speed is measured."""
_INTO_LULL = 4
"""Frames after the end of a swing at which the model's foot is where it stands."""
_TURNED = math.radians(35.0)
_LIFTED = 0.12
"""Height over a standing ankle from which on a foot is in the air."""
_SHORTEST_SWING, _SHORTEST_STEP, _STEP, _FAST_STEP, _LONGEST_STEP = 13, 16, 18, 14, 42
"""Frames of a step: at least where the model swings the foot, at least elsewhere, where nothing
shows its end, after running, and at most."""
_RUNNING = 1.8
"""Metres per second from which on a body runs."""
_LANDED_SPEED, _LANDED = 0.5, 8
"""Metres per second below which a foot has landed, and frames over which it is measured."""
_STANCE = 6
"""Frames after a landing whose mean, or whose end if nothing lands, is where the foot stands."""
_AIMING = 0.7
"""Share of a step in which it may still be aimed elsewhere, live."""
_ARC = (0.025, 0.12, 0.1)
"""Height of the arc of a step of no length, its growth per metre, and its greatest height."""
_APART = 0.07
"""Least distance between the ankles to the side."""
_OUT_OF_REACH = 1.04
"""Share of a leg's length beyond which a foot steps, whatever the other one does."""
_STRETCHED = 0.995
"""Share of a leg's length beyond which the heel rises."""
_FLOATING = 0.05
"""Height over the floor at which a foot may stand that the leg does not reach down from."""
_HEEL_ANGLES = np.radians(np.linspace(0.0, 55.0, 12))
_BLEND = 15
"""Frames in which a foot in the air, or one that a tracker holds again, is blended."""
_PATH_SHARE = 0.7
"""Share of the rotation that the model wants in the middle of a step."""
_EXTRAPOLATED = 14.0
"""Frames in which an extrapolated speed falls to a third."""
_DAMPED_FRAMES = _EXTRAPOLATED * (1.0 - np.exp(-np.arange(_AHEAD) / _EXTRAPOLATED))[:, None, None]


class _State(Enum):
    STANDING = "standing"
    STEPPING = "stepping"
    FREE = "free"
    TRACKED = "tracked"


class _Wanted(NamedTuple):
    """Where the model wants a body now and in the frames to come.

    Attributes:
        ankles: (A, 2, 3) positions of the ankles, metres.
        rotations: (A, 2, 3, 3) rotations of the feet.
        hips: (A, 2, 3) positions of the hip joints.
        yaws: (A, 2) headings of the feet in radians.
        front: (A,) headings of the pelvis.
        slow: (A, 2) bool, whether a foot stays in place from a frame on.
        in_air: (A, 2) bool, whether it is above the floor and moves there.
        speeds: (A, 2) smooth speeds of the ankles along the floor, metres per second.
        is_guess: Whether the frames to come are extrapolated.
    """

    ankles: np.ndarray
    rotations: np.ndarray
    hips: np.ndarray
    yaws: np.ndarray
    front: np.ndarray
    slow: np.ndarray
    in_air: np.ndarray
    speeds: np.ndarray
    is_guess: bool = False

    def part(self, begin: int, end: int) -> _Wanted:
        """Return some frames."""
        return _Wanted(
            self.ankles[begin:end],
            self.rotations[begin:end],
            self.hips[begin:end],
            self.yaws[begin:end],
            self.front[begin:end],
            self.slow[begin:end],
            self.in_air[begin:end],
            self.speeds[begin:end],
        )


class FootStepper:
    """Replaces the feet of a body that no tracker measures, frame by frame at 60 Hz."""

    def __init__(self, skeleton: Skeleton) -> None:
        """Create a stepper without a past for a body measured in metres."""
        self._body = solver_skeleton(skeleton.offsets)
        self._adult = skeleton.size / ADULT_SIZE
        lengths = self._body.upper_lengths + self._body.lower_lengths
        self._legs = [
            _Leg(side, float(lengths[side, 0]), skeleton, self._adult) for side in range(len(_TOES))
        ]
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        for leg in self._legs:
            leg.reset()
        self._recent: list[_Wanted] = []

    def clip(self, take: Take, tracked: np.ndarray) -> Take:
        """Return a take with feet that step.

        Args:
            take: A take on the model's clock whose trackers are all filled in.
            tracked: (6,) bool, which trackers the performer wears.
        """
        is_tracked = tracked[list(FOOT_TRACKERS)]
        if is_tracked.all():
            return take
        self.reset()
        matrices = quat.to_matrix(take.rotations).astype(np.float64)
        # After its end the body stays as it is.
        rows = np.minimum(np.arange(len(take) + _AHEAD), len(take) - 1)
        whole = self._read(take.positions[rows].astype(np.float64), matrices[rows])
        whole = self._judge(whole)
        positions = take.positions.copy()
        for frame in range(len(take)):
            wanted = whole.part(frame, frame + _AHEAD)
            for side, (position, rotation) in enumerate(self._step(wanted, is_tracked)):
                positions[frame, FOOT_TRACKERS[side]] = position
                matrices[frame, FOOT_TRACKERS[side]] = rotation
        rotations = take.rotations.copy()
        feet = list(FOOT_TRACKERS)
        rotations[:, feet] = quat.normalize(quat.from_matrix(matrices[:, feet]))
        self.reset()
        return replace(take, positions=positions, rotations=rotations)

    def frame(
        self, positions: np.ndarray, rotations: np.ndarray, tracked: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the next frame with feet that step.

        Args:
            positions: (6, 3) positions of all trackers, filled in.
            rotations: (6, 3, 3) their rotations.
            tracked: (6,) bool, which trackers the performer has been seen to wear.
        """
        left, right = FOOT_TRACKERS
        if tracked[left] and tracked[right] and not any(leg.is_busy for leg in self._legs):
            return positions, rotations
        is_tracked = tracked[list(FOOT_TRACKERS)]
        now = self._read(positions[None].astype(np.float64), rotations[None].astype(np.float64))
        self._recent = [now, *self._recent[:3]]
        positions, rotations = positions.copy(), rotations.copy()
        for side, (position, rotation) in enumerate(self._step(self._extrapolate(), is_tracked)):
            positions[FOOT_TRACKERS[side]] = position
            rotations[FOOT_TRACKERS[side]] = rotation
        return positions, rotations

    def _read(self, positions: np.ndarray, rotations: np.ndarray) -> _Wanted:
        """Return where (F, 6, 3) positions and (F, 6, 3, 3) rotations have the legs."""
        feet = list(FOOT_TRACKERS)
        pelvis = rotations[:, _PELVIS]
        hips = positions[:, _PELVIS, None] + hip_positions(pelvis, self._body)
        fronts, foot_fronts = pelvis[..., 2], rotations[:, feet][..., 2]
        unknown = np.zeros((len(positions), len(feet)), bool)
        return _Wanted(
            positions[:, feet],
            rotations[:, feet],
            hips,
            np.arctan2(foot_fronts[..., 0], foot_fronts[..., 2]),
            np.arctan2(fronts[..., 0], fronts[..., 2]),
            unknown,
            unknown,
            np.zeros(unknown.shape),
        )

    def _judge(self, wanted: _Wanted) -> _Wanted:
        """Fill in which feet are slow, and which are in the air."""
        ends = np.minimum(np.arange(len(wanted.ankles)) + _LANDED, len(wanted.ankles) - 1)
        ways = np.linalg.norm(wanted.ankles[ends] - wanted.ankles, axis=-1)
        slow = ways < _LANDED_SPEED * self._adult * _LANDED / MODEL_RATE
        high = wanted.ankles[..., 1] > self._legs[0].height + _LIFTED * self._adult
        begins = np.maximum(np.arange(len(wanted.ankles)) - _SMOOTH, 0)
        ends = np.minimum(np.arange(len(wanted.ankles)) + _SMOOTH, len(wanted.ankles) - 1)
        steps = np.linalg.norm((wanted.ankles[ends] - wanted.ankles[begins])[..., [0, 2]], axis=-1)
        speeds = steps * MODEL_RATE / (ends - begins)[:, None]
        return wanted._replace(slow=slow, in_air=high & ~slow, speeds=speeds)

    def _extrapolate(self) -> _Wanted:
        """Return the last frame and where it leads."""
        now, before = self._recent[0], self._recent[-1]
        known = max(len(self._recent) - 1, 1)
        frames = _DAMPED_FRAMES / known
        steps = np.linalg.norm((now.ankles - before.ankles)[..., [0, 2]], axis=-1)
        wanted = self._judge(
            _Wanted(
                now.ankles + frames * (now.ankles - before.ankles),
                np.broadcast_to(now.rotations, (_AHEAD, 2, 3, 3)),
                now.hips + frames * (now.hips - before.hips),
                np.broadcast_to(now.yaws, (_AHEAD, 2)),
                np.broadcast_to(now.front, (_AHEAD,)),
                now.slow,
                now.in_air,
                now.speeds,
                is_guess=True,
            )
        )
        return wanted._replace(speeds=np.broadcast_to(steps * MODEL_RATE / known, (_AHEAD, 2)))

    def _step(self, wanted: _Wanted, is_tracked: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return position (3,) and rotation (3, 3) of both feet in the next frame."""
        order = sorted(range(len(_TOES)), key=lambda side: -self._legs[side].urge(wanted))
        for side in order:
            leg, other = self._legs[side], self._legs[1 - side]
            leg.advance(wanted, other, bool(is_tracked[side]))
        return [leg.place(wanted) for leg in self._legs]


class _Leg:
    """One foot: where it stands, or from where to where it steps.

    Attributes:
        height: Height of the ankle of a foot that stands on the floor.
        output: Position (3,) and rotation (3, 3) of the foot in the last frame.
    """

    def __init__(self, side: int, length: float, skeleton: Skeleton, adult: float) -> None:
        self._side, self._length, self._adult = side, length, adult
        self._toe = skeleton.offsets[_TOES[side]].astype(np.float64)
        self.height = measure_ankle_height(skeleton)
        self._ball_height = max(self.height + float(self._toe[1]), 0.0)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._state: _State | None = None
        self._age, self._duration = 0, 1
        self._position, self._yaw, self._rotation = np.zeros(3), 0.0, np.eye(3)
        self._start, self._start_rotation, self._start_yaw = np.zeros(3), np.eye(3), 0.0
        self._lift = 0.0
        self.output = np.zeros(3), np.eye(3)

    @property
    def is_busy(self) -> bool:
        """Whether the foot is anywhere but on its tracker."""
        return self._state is not None and (self._state is not _State.TRACKED or self._age < _BLEND)

    @property
    def supports(self) -> bool:
        """Whether the foot stands."""
        return self._state in (_State.STANDING, _State.TRACKED)

    @property
    def standing_position(self) -> np.ndarray:
        """Where the foot stands or will stand."""
        return self.output[0] if self._state is _State.TRACKED else self._position

    def urge(self, wanted: _Wanted) -> float:
        """Return how far a standing foot is from where it will be wanted, along the floor."""
        if self._state is not _State.STANDING:
            return 0.0
        return _floor_distance(wanted.ankles[_LEAD, self._side], self._position)

    def advance(self, wanted: _Wanted, other: _Leg, is_tracked: bool) -> None:
        """Decide what the foot does in the next frame."""
        self._age += 1
        if is_tracked:
            if self._state is not _State.TRACKED:
                self._leave(_State.TRACKED, age=_BLEND if self._state is None else 0)
        elif self._state in (None, _State.TRACKED):
            self._begin(wanted)
        else:
            self._advance_alone(wanted, other)

    def _advance_alone(self, wanted: _Wanted, other: _Leg) -> None:
        """Decide what a foot without a tracker does in the next frame."""
        if self._state is _State.STANDING:
            if self._should_step(wanted, other):
                self._take_off(wanted, other)
        elif self._state is _State.STEPPING:
            if self._age >= self._duration:
                self._state, self._age = _State.STANDING, 0
            elif wanted.is_guess and self._age < _AIMING * self._duration:
                # What is extrapolated is soon known better.
                self._aim(wanted, other, self._duration - self._age + _STANCE, still=False)
        elif self._age >= _BLEND:
            if wanted.slow[0, self._side]:
                self._land(wanted, other, _LANDED, landing=0)
            elif not (self._runs(wanted) or wanted.in_air[0, self._side]):
                self._land(wanted, other, _FAST_STEP, _FAST_STEP + _STANCE, still=False)

    def place(self, wanted: _Wanted) -> tuple[np.ndarray, np.ndarray]:
        """Return the foot's position (3,) and rotation (3, 3) in the next frame."""
        ankle, rotation = wanted.ankles[0, self._side], wanted.rotations[0, self._side]
        if self._state in (_State.TRACKED, _State.FREE):
            share = _ease(self._age / _BLEND)
            position = self._start + share * (ankle - self._start)
            rotation = _mix(self._start_rotation, rotation, share)
            if self._state is _State.TRACKED:
                self.output = position, rotation
                return self.output
        elif self._state is _State.STEPPING:
            position, rotation = self._place_step(ankle, rotation)
        else:
            position, rotation = self._position, self._rotation
        position, rotation = self._reach(position, rotation, wanted.hips[0, self._side])
        self.output = self._keep_above_floor(position, rotation), rotation
        return self.output

    def _begin(self, wanted: _Wanted) -> None:
        """Stand where the model has the foot at first."""
        if self._state is _State.TRACKED:
            self._stand(wanted, 0)
            self._set_out(_BLEND)
        elif wanted.in_air[0, self._side]:
            self._leave(_State.FREE, age=_BLEND)
        else:
            self._stand(wanted, 0)
            self._state, self._age = _State.STANDING, 0

    def _leave(self, state: _State, age: int = 0) -> None:
        self._state, self._age = state, age
        self._start, self._start_rotation = self.output

    def _should_step(self, wanted: _Wanted, other: _Leg) -> bool:
        """Return whether a standing foot has to move."""
        side = self._side
        off = _floor_distance(wanted.ankles[_LEAD, side], self._position)
        reach = math.dist(wanted.hips[0, side], self._position)
        if off > _FAR_OFF * self._adult or reach > _OUT_OF_REACH * self._length:
            return True
        if wanted.in_air[_LEAD, side] and wanted.in_air[2 * _LEAD, side]:
            return True
        if not other.supports:
            return False
        turned = abs(_wrap(float(wanted.yaws[_LEAD, side]) - self._yaw))
        if turned > _TURNED:
            return True
        swings, glides = self._judge_swing(wanted)
        if not swings:
            return off > (_GLIDING_OFF if glides else _OFF) * self._adult
        landing = wanted.ankles[self._find_lull(wanted), side]
        way = _floor_distance(landing, self._position)
        return off > _SWINGING_OFF * self._adult and way > _SHORTEST_WAY * self._adult

    def _judge_swing(self, wanted: _Wanted) -> tuple[bool, bool]:
        """Return whether the model swings this foot, and whether it lets both glide instead."""
        own, other = (float(wanted.speeds[_LEAD, side]) for side in (self._side, 1 - self._side))
        if own > max(_SWING_RATIO * other, _SWING_SPEED * self._adult):
            return True, False
        slower, faster = sorted((own, other))
        return False, slower > _GLIDING_SPEED * self._adult and faster < _GLIDING_RATIO * slower

    def _find_lull(self, wanted: _Wanted) -> int:
        """Return the frame from which on the model moves the other foot rather than this one."""
        frames = slice(_SHORTEST_SWING, _LONGEST_STEP)
        own, other = wanted.speeds[frames, self._side], wanted.speeds[frames, 1 - self._side]
        lull = (own < other) | wanted.slow[frames, self._side]
        return _SHORTEST_SWING + int(lull.argmax()) if lull.any() else _STEP

    def _take_off(self, wanted: _Wanted, other: _Leg) -> None:
        """Begin a step, or follow the model through the air."""
        steps = slice(_SHORTEST_STEP, _LONGEST_STEP)
        landed = wanted.slow[steps, self._side]
        if self._runs(wanted) or wanted.in_air[steps, self._side].all():
            self._leave(_State.FREE)
        elif not (wanted.is_guess or self._judge_swing(wanted)[1]):
            frames = self._find_lull(wanted)
            self._land(wanted, other, frames, frames + _INTO_LULL)
        elif landed.any():
            frames = _SHORTEST_STEP + int(landed.argmax())
            self._land(wanted, other, frames, frames)
        else:
            # The foot glides: it lands ahead, to be in the middle of its way while it stands.
            self._land(wanted, other, _STEP, _STEP + _STANCE, still=False)

    def _runs(self, wanted: _Wanted) -> bool:
        """Return whether the body runs: then feet do as the model wants."""
        way = _floor_distance(wanted.hips[_STEP, self._side], wanted.hips[0, self._side])
        return way * MODEL_RATE / _STEP > _RUNNING * self._adult

    def _land(
        self, wanted: _Wanted, other: _Leg, frames: int, landing: int, still: bool = True
    ) -> None:
        """Step to where the foot is wanted at some frame, in a number of frames."""
        self._aim(wanted, other, landing, still)
        self._set_out(frames)

    def _aim(self, wanted: _Wanted, other: _Leg, landing: int, still: bool) -> None:
        """Choose where to stand, beside the other foot rather than across it."""
        self._stand(wanted, landing, still)
        front = float(wanted.front[landing])
        left = _SIDES[self._side] * np.array([math.cos(front), 0.0, -math.sin(front)])
        gap = self._position - other.standing_position
        apart = float(gap @ left)
        near = math.hypot(gap[0], gap[2]) < _FAR_OFF * self._adult
        if apart < _APART * self._adult and near:
            self._position = self._position + (_APART * self._adult - apart) * left

    def _stand(self, wanted: _Wanted, frame: int, still: bool = True) -> None:
        """Choose where to stand: flat, where the model has the foot at a frame."""
        rows = slice(frame, frame + _STANCE if still else frame + 1)
        self._position = wanted.ankles[rows, self._side].mean(0)
        if self._position[1] < self.height + _LIFTED * self._adult:
            self._position[1] = self._lowest_height(wanted.hips[rows, self._side].mean(0))
        self._yaw = float(wanted.yaws[frame, self._side])
        self._rotation = rotation_about(Y_AXIS, self._yaw)

    def _lowest_height(self, hip: np.ndarray) -> float:
        """Return the height at which the foot stands: on the floor, or as low as the leg reaches.

        A pelvis that is taken to be some centimetres too high leaves no body on tiptoe.
        """
        across = _floor_distance(hip, self._position)
        limit = _STRETCHED * self._length
        down = math.sqrt(max(limit * limit - across * across, 0.0))
        highest = self.height + _FLOATING * self._adult
        return min(max(float(hip[1]) - down, self.height), highest)

    def _set_out(self, frames: int) -> None:
        self._state, self._age, self._duration = _State.STEPPING, 0, max(frames, 1)
        self._start, self._start_rotation = self.output
        front = self._start_rotation[:, 2]
        self._start_yaw = math.atan2(float(front[0]), float(front[2]))
        low, growth, high = _ARC
        distance = _floor_distance(self._position, self._start)
        self._lift = min(low * self._adult + growth * distance, high * self._adult)

    def _place_step(self, ankle: np.ndarray, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the foot on its arc; ``ankle`` and ``rotation`` are where the model wants it."""
        share = min(self._age / self._duration, 1.0)
        eased, bow = _ease(share), math.sin(math.pi * share) ** 2
        position = self._start + eased * (self._position - self._start)
        position[1] += bow * max(self._lift, float(ankle[1]) - self.height)
        yaw = self._start_yaw + eased * _wrap(self._yaw - self._start_yaw)
        flat = rotation_about(Y_AXIS, yaw)
        return position, _mix(flat, rotation, _PATH_SHARE * bow)

    def _reach(
        self, position: np.ndarray, rotation: np.ndarray, hip: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Raise the heel of a foot that the leg does not reach, or else draw it near."""
        limit = _STRETCHED * self._length
        if math.dist(position, hip) <= limit:
            return position, rotation
        if self._state is _State.STANDING:
            ball = position + rotation @ self._toe
            raised = rotation @ rotation_about(X_AXIS, _HEEL_ANGLES)
            stretch = np.linalg.norm(ball - raised @ self._toe - hip, axis=-1)
            # Up to the angle that brings the ankle nearest; between angles it changes evenly.
            last = int(stretch.argmin()) + 1
            angle = float(np.interp(-limit, -stretch[:last], _HEEL_ANGLES[:last]))
            rotation = rotation @ rotation_about(X_AXIS, angle)
            position = ball - rotation @ self._toe
        leg = position - hip
        return hip + leg * min(1.0, limit / float(np.linalg.norm(leg))), rotation

    def _keep_above_floor(self, position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """Return the position, raised until neither the ankle nor the ball is below the floor."""
        ball = float(position[1]) + float(rotation[1] @ self._toe)
        rise = max(self._ball_height - ball, 0.5 * self.height - float(position[1]))
        return position + np.array([0.0, rise, 0.0]) if rise > 0.0 else position


def _ease(share: float) -> float:
    """Go from 0 to 1 along the curve of minimum jerk."""
    share = min(max(share, 0.0), 1.0)
    return share**3 * (10.0 - 15.0 * share + 6.0 * share * share)


def _wrap(angle: float) -> float:
    """Return an angle between minus and plus half a turn."""
    return math.remainder(angle, 2.0 * math.pi)


def _floor_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the distance between two positions (3,) along the floor."""
    return math.hypot(a[0] - b[0], a[2] - b[2])


def _mix(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Return a rotation (3, 3) at a share of the way from one to another."""
    if share <= 0.0 or share >= 1.0:
        return start if share <= 0.0 else end
    return from_6d((1.0 - share) * to_6d(start) + share * to_6d(end))
