# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropouts that a source reports as valid, found as frames come: glitches and frozen readings.

The causal counterpart of :mod:`ssrhmr_core.tracking.dropout`. A tracker is lost when it makes a
step that no body part makes, and believed again when its readings agree with the body: at once if
they come back by a jump of their own, late if they never left the path that began with the glitch.
"""

from __future__ import annotations

import math
from collections import deque
from enum import Enum
from itertools import compress
from typing import Protocol

import numpy as np

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS
from .dropout import CUT_SECONDS, count_cut_trackers
from .gap_filling import ANCHORS
from .glitch_paths import LEAP
from .plausibility import MODEL_STEP, REACH, MotionLimits, limits_of
from .take import is_usable

_ALIVE_FRAMES = 30
"""Frames with changes after which a tracker is known to shake as sensors do."""
_FROZEN_FRAMES = 5
"""Equal frames after which a tracker that shook before is frozen."""
_FROZEN_LEAD = 0.02
"""Metres that a frozen tracker would have moved on meanwhile: it is frozen at once then."""
_USUAL_SHARE = 0.1
"""Weight of the last run of equal readings: some sources send each of them several times."""
_NOISE_SHARE = 1.0 / 60.0
"""Weight of the last frame in the estimate of the noise."""
_LARGEST_NOISE = 0.03
"""Metres that a frame may add to it: noise is not what a glitch does."""

_STEADY = 1
"""Plausible steps that a returned tracker needs if it agrees with the body."""
_STEADY_AFTER_GLITCH = 2
"""How many it needs if its readings were wrong before, rather than missing or frozen."""
_STEADY_ANYWHERE = 4
"""Plausible steps that it needs if it does not."""
_STEADY_FARTHER = 60.0
"""How many more it needs if it is twice as far as a tracker ever is."""
_FARTHEST = 1.6
"""How many times as far as usual a tracker is at most whose readings were not wrong before."""
_SURE = 0.1
"""Metres from its prediction within which a return is right."""
_MORE_REACH = 1.2
"""Share of how far a tracker was out of reach that its reach is too small by, if it stays there."""
_TRUSTED_FRAMES = 45
"""Frames after a return within which another jump may lead back from a wrong return."""
_NEAR_SHARE, _NEAR_FRAMES = 0.5, 6
"""Readings that were wrong by a jolt are seldom within this share of it from where the tracker is
predicted, and never for so many frames."""
_UNSURE = 0.05
"""Metres that the first step may be off after a return, because the velocity is a guess."""
_AT_ONCE = 0.35
"""Share of the allowed distance within which it needs none."""
_TIGHT = 0.05
"""Metres from its predicted position at which a tracker is believed even after a glitch."""
_TIGHT_SPEED = 1.5
"""Metres per second against the prediction at which it is."""
_SMALL_JOLT = 0.2
"""Metres of a jolt that fast motion of a body might make after all."""
_CALM_SPEED, _CALM_FRAMES, _SMALL_JOLT_SECONDS = 3.0, 4, 0.1
"""After a small jolt a tracker is believed that moves no faster against its prediction, for so many
frames, and so much later: one that flies off does not calm down."""
_GIVE_UP = 3.0
"""Seconds after which readings are believed whatever they say."""
_RELATIVE_SPEED = 4.0
"""Metres per second by which a returned tracker may move against its prediction."""

_HISTORY = 60
"""Frames within which an unnoticed excursion may have begun."""
_SURPRISE = 0.5
"""Share of the least jolt of a glitch that shows where an unnoticed one may have begun."""
_EXCURSION = 0.25
"""Metres that an unnoticed excursion must have led away to be told from its return."""
_COASTING = 0.15
"""Seconds for which a tracker would have kept its velocity."""
_IMPROVEMENT = 0.65
"""Share of the usual uncertainty from which on the difference between two distances, as that of
their squares, shows which reading agrees with all other trackers, if there was such a jolt."""


_REACHES = [
    (anchor, other, float(REACH[anchor, other]))
    for anchor in ANCHORS
    for other in range(len(TRACKERS))
    if other != anchor and (anchor, other) != ANCHORS[::-1]
]
"""Trackers of which each is judged by pelvis and head, and how far they reach in metres."""


class Predictor(Protocol):
    """Tells where trackers would be, judging by the body."""

    @property
    def expected(self) -> np.ndarray | None:
        """Positions (6, 3) expected in this frame; None if there is no past."""

    @property
    def anchored(self) -> bool:
        """Whether these positions follow from pelvis or head."""

    @property
    def reach_scale(self) -> float:
        """How many times as far the body reaches as the tallest adults, at least 1."""

    def predict_from_others(self, tracker: int) -> np.ndarray | None:
        """Predict the position (3,) of a tracker in the last frame from all others."""

    def forget(self, tracker: int) -> None:
        """Ignore all past readings of a tracker from now on, because they were wrong."""


class LiveDropoutDetector:
    """Finds lost trackers causally, frame by frame.

    A tracker that gives the very same numbers for a while, having shaken before as sensors do, is
    frozen. Nothing is lost where most trackers leap at once, because the source was cut there, or
    while most of them are frozen, because the source has paused.
    """

    def __init__(self) -> None:
        """Create a detector without a past."""
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._trackers = [_Tracker(limits_of(number)) for number in range(len(TRACKERS))]
        self._tracked = [False] * len(TRACKERS)
        self._cut_trackers = len(TRACKERS)
        self._since_leap = math.inf

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray,
        predictor: Predictor | None = None,
    ) -> np.ndarray:
        """Decide which trackers can be believed in the next frame.

        Args:
            positions: (6, 3) positions in metres, as they came.
            rotations: (6, 4) quaternions.
            valid: (6,) bool, what the source reports.
            predictor: Tells where trackers would be; None to judge by their own past only.

        Returns:
            (6,) bool, False for trackers that are lost.
        """
        readings, quats = positions.tolist(), rotations.tolist()
        usable = [
            is_valid and is_usable(position, quat)
            for is_valid, position, quat in zip(valid.tolist(), readings, quats, strict=True)
        ]
        self._note_tracked(usable)
        leaps = [
            tracker.note(position, quat)
            for tracker, position, quat in zip(self._trackers, readings, quats, strict=True)
        ]
        frozen = [tracker.is_frozen for tracker in self._trackers]
        paused = sum(compress(frozen, self._tracked)) >= self._cut_trackers
        cut = self._is_cut(leaps)
        any_lost = any(tracker.is_lost for tracker in self._trackers)
        expected = predictor.expected if predictor and any_lost else None
        expectations = expected.tolist() if expected is not None else [None] * len(readings)
        anchored = predictor is None or predictor.anchored
        scale = predictor.reach_scale if predictor else 1.0
        out_of_reach = self._find_out_of_reach(readings, usable, scale)
        believed = []
        for number, (tracker, position) in enumerate(zip(self._trackers, readings, strict=True)):
            if not usable[number] or (frozen[number] and not paused):
                believed.append(tracker.miss(source_lost=not usable[number]))
            elif cut or not tracker.has_past:
                believed.append(tracker.believe(position, jumped=True))
            elif not tracker.is_lost:
                follows = tracker.follow(position, number, predictor)
                if follows and number in out_of_reach:
                    follows = tracker.leave_reach(out_of_reach[number], number, predictor)
                believed.append(follows)
            elif number in out_of_reach:
                believed.append(tracker.stay_out_of_reach(position, out_of_reach[number]))
            else:
                believed.append(tracker.judge(position, expectations[number], anchored))
        return np.array(believed)

    def _note_tracked(self, usable: list[bool]) -> None:
        """Note which trackers the performer wears: those that were ever usable."""
        tracked = [before or now for before, now in zip(self._tracked, usable, strict=True)]
        if tracked != self._tracked:
            self._tracked, self._cut_trackers = tracked, count_cut_trackers(sum(tracked))

    def _is_cut(self, leaps: list[float]) -> bool:
        """Return whether most trackers leap, or are still on the way of their last leap."""
        self._since_leap += MODEL_STEP
        if sum(leap > LEAP for leap in leaps) >= self._cut_trackers:
            self._since_leap = 0.0
            return True
        if self._since_leap >= CUT_SECONDS:
            return False
        return sum(tracker.raw_step > LEAP for tracker in self._trackers) >= self._cut_trackers

    def _find_out_of_reach(
        self, readings: list[list[float]], usable: list[bool], scale: float
    ) -> dict[int, float]:
        """Find trackers that are farther from pelvis or head than bodies reach.

        Args:
            readings: The positions of all trackers in metres.
            usable: Whether each has a reading.
            scale: How many times as far the body reaches as the tallest adults.

        Returns:
            How far they are out of reach in metres, by the index of the tracker.
        """
        trackers = self._trackers
        pairs = []
        for anchor, other, reach in _REACHES:
            distance = math.dist(readings[anchor], readings[other]) - scale * reach
            if (
                distance > trackers[anchor].reach_slack + trackers[other].reach_slack
                and usable[anchor]
                and usable[other]
                and not (trackers[anchor].is_lost and trackers[other].is_lost)
            ):
                pairs.append((anchor, other, distance))
        out_of_reach: dict[int, float] = {}
        while pairs:
            involved = [number for anchor, other, _ in pairs for number in (anchor, other)]
            # One that is lost anyway, or that is far from most others; a limb rather than the body.
            wrong = max(
                involved,
                key=lambda n: (trackers[n].is_lost, involved.count(n), n not in ANCHORS, n),
            )
            out_of_reach[wrong] = max(pair[2] for pair in pairs if wrong in pair[:2])
            pairs = [pair for pair in pairs if wrong not in pair[:2]]
        return out_of_reach


class _Path(Enum):
    """How the readings of a lost tracker are connected with the last one that was believed."""

    GLITCH = 0
    """They never left the path that a glitch began: a jump led to it from where the tracker was."""
    UNKNOWN = 1
    """They were interrupted since."""
    RETURN = 2
    """They jumped back from an excursion that nobody noticed, or that led out of reach."""


class _Tracker:
    """The past of one tracker; in plain floats, which are faster for so few of them."""

    # Slots keep the past of a tracker together in memory, which has gone cold since the last frame.
    __slots__ = (
        "_believed",
        "_by_glitch",
        "_calm",
        "_changes",
        "_distance",
        "_drift",
        "_equal",
        "_history",
        "_is_unsure",
        "_jolt",
        "_last",
        "_last_expected",
        "_last_step",
        "_left_reach",
        "_limits",
        "_missed",
        "_near",
        "_noise",
        "_overreach",
        "_path",
        "_position",
        "_raw",
        "_raw_step",
        "_source_lost",
        "_steady",
        "_step_before",
        "_usual_equal",
        "_velocity",
        "has_past",
        "is_lost",
        "reach_slack",
    )

    def __init__(self, limits: MotionLimits) -> None:
        self._limits = limits
        self._raw: tuple[list[float], list[float]] | None = None
        self._raw_step = [0.0, 0.0, 0.0]
        self._changes = self._equal = 0
        self._usual_equal = self._step_before = 0.0
        self._position = [0.0, 0.0, 0.0]
        self._velocity: list[float] | None = None
        self._is_unsure = True
        self._believed = _TRUSTED_FRAMES
        self._drift = [0.0, 0.0, 0.0]
        self._noise = 0.0
        self._history: deque[tuple[list[float], list[float], float]] = deque(maxlen=_HISTORY)
        self.has_past = False
        self.is_lost = False
        self.reach_slack = self._overreach = 0.0
        self._by_glitch = self._left_reach = False
        self._distance = 0.0
        self._missed = 0
        self._source_lost = False
        self._path = _Path.UNKNOWN
        self._jolt = 0.0
        self._last: list[float] | None = None
        self._last_step: list[float] | None = None
        self._last_expected: list[float] | None = None
        self._steady = self._calm = self._near = 0

    @property
    def is_frozen(self) -> bool:
        """Whether it has given the same numbers for too long, having shaken before."""
        if self._changes < _ALIVE_FRAMES or self._equal < 4.0 * self._usual_equal + 1.0:
            return False
        lead = self._step_before * self._equal
        return self._equal >= _FROZEN_FRAMES or lead > _FROZEN_LEAD

    @property
    def raw_step(self) -> float:
        """Metres between the last two readings."""
        return math.hypot(*self._raw_step)

    def note(self, position: list[float], rotation: list[float]) -> float:
        """Note the next reading; return by how many metres its step differs from the last."""
        before, self._raw = self._raw, (position, rotation)
        if before is None:
            return 0.0
        if before == (position, rotation):
            if not self._equal:
                self._step_before = self.raw_step
            self._equal += 1
        else:
            self._usual_equal += _USUAL_SHARE * (min(self._equal, 8) - self._usual_equal)
            self._equal = 0
            self._changes += 1
        step = _subtract(position, before[0])
        if not math.isfinite(sum(step)):
            step = [0.0, 0.0, 0.0]
        leap = math.dist(step, self._raw_step)
        self._raw_step = step
        return leap

    def believe(self, position: list[float], jumped: bool) -> bool:
        """Believe a reading.

        Args:
            position: Its position in metres.
            jumped: Whether it has no connection with the last reading that was believed.
        """
        before = self._last if self.is_lost else self._position
        known = not jumped and self.has_past and before is not None
        if self.is_lost:
            known = known and self._steady > 0
            self._history.clear()
        velocity = None
        self._is_unsure = not known
        if known and before is not None:
            velocity = _scale(_subtract(position, before), MODEL_RATE)
        elif not jumped:
            velocity = _scale(self._drift, MODEL_RATE)
        if velocity and self._velocity and known and not self.is_lost:
            change = MODEL_STEP * math.dist(velocity, self._velocity)
            self._noise += _NOISE_SHARE * (min(change, _LARGEST_NOISE) - self._noise)
            self._history.append((position, velocity, change))
        self._position, self._velocity = position, velocity
        if not self.is_lost:
            self._believed += 1
        elif self._distance > _SURE:
            self._believed = 0
        self.has_past, self.is_lost = True, False
        self._missed = self._steady = self._calm = 0
        self._source_lost = False
        return True

    def miss(self, source_lost: bool) -> bool:
        """Count a frame without a reading: of a source that has none, or of a frozen tracker."""
        if not self.is_lost:
            self._lose(_Path.UNKNOWN)
        self._missed += 1
        if source_lost:
            self._path, self._source_lost, self._left_reach = _Path.UNKNOWN, True, False
            self._last = self._last_step = None
        self._steady = self._calm = 0
        return False

    def follow(self, position: list[float], number: int, predictor: Predictor | None) -> bool:
        """Judge the next reading of a tracker that was believed so far."""
        last, velocity = self._position, self._velocity
        step = math.dist(position, last)
        jolt, allowed = step, MODEL_STEP * self._limits.speed
        if velocity is not None and step <= allowed:
            ahead = _coast(last, velocity, MODEL_STEP)
            jolt, speed = math.dist(position, ahead), math.hypot(*velocity)
            gains = MODEL_RATE * step > speed + 0.5
            allowed = self._limits.allowed_change(speed, gains, self._noise)
            allowed += _UNSURE if self._is_unsure else 0.0
        if jolt <= allowed:
            return self.believe(position, jumped=False)
        comes_back = self._comes_back(position, jolt)
        if not comes_back and predictor is not None and jolt > _EXCURSION:
            comes_back = self._agrees_better(position, predictor.predict_from_others(number))
        # Soon after a return, either this reading or the ones that were believed are wrong.
        is_trusted = not self._is_unsure and self._believed >= _TRUSTED_FRAMES
        path = _Path.GLITCH if is_trusted else _Path.UNKNOWN
        self._lose(_Path.RETURN if comes_back else path)
        if comes_back and predictor is not None:
            predictor.forget(number)
        self._by_glitch = True
        self._jolt, self._last, self._missed = jolt, position, 1
        return False

    def leave_reach(self, overreach: float, number: int, predictor: Predictor | None) -> bool:
        """Lose a tracker whose last reading no body reaches, by some metres."""
        self._lose(_Path.UNKNOWN)
        self._overreach = overreach
        self._by_glitch = self._left_reach = True
        self._last, self._missed = self._position, 1
        if predictor is not None:
            predictor.forget(number)
        return False

    def stay_out_of_reach(self, position: list[float], overreach: float) -> bool:
        """Judge a reading of a lost tracker that is some metres farther away than bodies reach."""
        self._by_glitch = True
        self._missed += 1
        self._overreach = max(self._overreach, overreach)
        self._count_steady(position, [0.0, 0.0, 0.0])
        self._last, self._source_lost, self._last_expected = position, False, None
        if self._gives_up():
            # It is no body, or a larger one.
            self.reach_slack = max(self.reach_slack, _MORE_REACH * self._overreach)
            return self.believe(position, jumped=False)
        return False

    def _come_into_reach(self, jumps: bool) -> None:
        """Note that a tracker which left the body's reach unnoticed is within it again."""
        self._left_reach = False
        if jumps:
            self._path = _Path.RETURN
        else:
            # The body reaches so far after all.
            self.reach_slack = max(self.reach_slack, _MORE_REACH * self._overreach)

    def _gives_up(self) -> bool:
        """Return whether readings were steady for so long that they are believed."""
        return self._missed * MODEL_STEP > _GIVE_UP and self._steady >= _ALIVE_FRAMES

    def _lose(self, path: _Path) -> None:
        self._overreach = 0.0
        self.is_lost, self._path, self._missed = True, path, 0
        self._by_glitch = path is not _Path.UNKNOWN
        self._last = self._last_step = self._last_expected = None
        self._steady = self._calm = self._near = 0
        self._source_lost = self._left_reach = False

    def _comes_back(self, position: list[float], jolt: float) -> bool:
        """Return whether a jump leads back to where the tracker was before something odd."""
        if jolt < _EXCURSION:
            return False
        least = self._least_surprise()
        odd = False
        for ago, (before, velocity, change) in enumerate(reversed(self._history), 1):
            if odd:
                coasted = min(ago * MODEL_STEP, _COASTING)
                ahead = _coast(before, velocity, coasted)
                if min(math.dist(position, ahead), math.dist(position, before)) < 0.3 * jolt:
                    return True
            odd = odd or change > least
        return False

    def _agrees_better(self, position: list[float], predicted: np.ndarray | None) -> bool:
        """Return whether a reading agrees clearly better with the others than the ones before."""
        if predicted is None:
            return False
        before = math.dist(self._position, predicted.tolist())
        now = math.dist(position, predicted.tolist())
        if self._was_surprised():
            least = _IMPROVEMENT * self._limits.uncertainty_limit
            return before * before - now * now > least * least
        return before > self._limits.uncertainty_limit and now < 0.5 * before

    def _was_surprised(self) -> bool:
        """Return whether an unnoticed glitch may have begun not long ago."""
        least = self._least_surprise()
        return any(change > least for _, _, change in self._history)

    def _least_surprise(self) -> float:
        """Return the metres of a jolt from which on an unnoticed glitch may begin with it."""
        return _SURPRISE * self._limits.allowed_change(0.0, gains_speed=True, noise=self._noise)

    def judge(self, position: list[float], expected: list[float] | None, anchored: bool) -> bool:
        """Judge a reading of a lost tracker."""
        self._missed += 1
        seconds = self._missed * MODEL_STEP
        drift = [0.0, 0.0, 0.0]
        if expected is None:
            expected = self._position
        elif self._last_expected is not None:
            drift = _subtract(expected, self._last_expected)
        self._last_expected, self._drift = expected, drift
        relative = self._count_steady(position, drift)
        if self._left_reach:
            self._come_into_reach(jumps=not math.isfinite(relative))
        distance = math.dist(position, expected)
        allowed = self._limits.allowed_distance(seconds) if anchored else math.inf
        self._distance = distance
        if self._is_believable(distance, allowed, relative, seconds):
            return self.believe(position, jumped=False)
        self._last, self._source_lost = position, False
        return False

    def _count_steady(self, position: list[float], drift: list[float]) -> float:
        """Count plausible steps in a row; return the speed of the last against the prediction."""
        if self._last is None:
            return math.inf
        step = _subtract(position, self._last)
        relative = MODEL_RATE * math.dist(step, drift)
        if self._last_step is not None:
            length = math.hypot(*self._last_step)
            gains = math.hypot(*step) > length + 0.5 * MODEL_STEP
            allowed = self._limits.allowed_change(MODEL_RATE * length, gains, self._noise)
            plausible = math.dist(step, self._last_step) <= allowed
        else:
            plausible = relative <= _RELATIVE_SPEED or self._path is _Path.GLITCH
        if plausible and math.hypot(*step) <= MODEL_STEP * self._limits.speed:
            self._steady += 1
            self._calm = self._calm + 1 if relative < _CALM_SPEED else 0
            self._last_step = step
            return relative
        # A jump of its own: what comes now may be the tracker again.
        self._path = _Path.UNKNOWN
        self._steady = self._calm = 0
        self._last_step = None
        return math.inf

    def _is_believable(
        self, distance: float, allowed: float, relative: float, seconds: float
    ) -> bool:
        """Return whether a lost tracker can be believed again.

        Args:
            distance: Metres from its predicted position.
            allowed: Metres that are usual after this time.
            relative: Speed against the prediction in metres per second.
            seconds: Time since it was lost.
        """
        if self._gives_up():
            return True
        if self._path is _Path.RETURN:
            return self._steady >= _STEADY
        if self._path is _Path.GLITCH:
            calms = self._calm >= _CALM_FRAMES and seconds > _SMALL_JOLT_SECONDS
            is_small = self._jolt <= _SMALL_JOLT and distance < allowed
            return self._denies_glitch(distance, relative) or (calms and is_small)
        if distance < allowed:
            at_once = self._source_lost or distance < _AT_ONCE * allowed
            steady = _STEADY_AFTER_GLITCH if self._by_glitch else _STEADY
            return self._steady >= steady or (at_once and math.isfinite(allowed))
        usual = self._limits.uncertainty_limit * (1.0 if self._by_glitch else _FARTHEST)
        farther = max(distance / usual - 1.0, 0.0)
        return self._steady >= _STEADY_ANYWHERE + _STEADY_FARTHER * farther

    def _denies_glitch(self, distance: float, relative: float) -> bool:
        """Return whether readings after a jolt are where the tracker is predicted all the same."""
        self._near = self._near + 1 if distance < _NEAR_SHARE * self._jolt else 0
        return self._near >= _NEAR_FRAMES or (distance < _TIGHT and relative < _TIGHT_SPEED)


# Plain floats: NumPy takes several times as long for three numbers.


def _subtract(a: list[float], b: list[float]) -> list[float]:
    return [a[0] - b[0], a[1] - b[1], a[2] - b[2]]


def _scale(a: list[float], factor: float) -> list[float]:
    return [a[0] * factor, a[1] * factor, a[2] * factor]


def _coast(position: list[float], velocity: list[float], seconds: float) -> list[float]:
    """Return where something at a velocity will be."""
    return [
        position[0] + seconds * velocity[0],
        position[1] + seconds * velocity[1],
        position[2] + seconds * velocity[2],
    ]
