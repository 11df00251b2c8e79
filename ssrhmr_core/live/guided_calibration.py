# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration from a reference pose and the guided movement, while a session runs.

The countdown of :class:`~ssrhmr_core.live.LiveSession` calibrates from the pose; the performer then
copies the figure of :mod:`ssrhmr_core.tracking.movement.guided`. A thread computes the result from
arrays, so that the session goes on meanwhile.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from enum import StrEnum

import numpy as np

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKERS, Skeleton
from ..tracking.calibration import Calibration, CalibrationOptions, measure_peak_speeds
from ..tracking.extras.readings import ExtraReadings
from ..tracking.floor import add_floor
from ..tracking.movement.calibration import (
    UNLIKE_A_BODY,
    MovementCalibration,
    MovementOptions,
    calibrate_from_movement,
    keep_calibration,
)
from ..tracking.movement.guided import EXERCISES, MOVEMENT_SECONDS, find_exercise, find_performed
from ..tracking.take import Take, TrackerError
from .session import LiveSession

_RATE = 12.0
"""Frames per second that are kept of the movement: twice what the calibration looks at."""
_TRAILING = 0.5
"""Seconds after the figure's last exercise in which the performer may still move."""
_REFERENCE_FRAMES = 61
"""Number of frames before the end of the countdown among which the stillest are the reference."""
_STILL_FRAMES = 9
"""Number of frames before and after the stillest that are used."""
_LEFT_TO_RESULT = 0.03
"""Seconds of each tick that are left to the thread of the result. Programs that embed Python, such
as Blender, let threads run only while they are in Python themselves: the performer would wait."""
_DEFAULT_OPTIONS = CalibrationOptions()


class Phase(StrEnum):
    """How far a guided calibration is."""

    POSE = "POSE"
    MOVEMENT = "MOVEMENT"
    COMPUTING = "COMPUTING"
    DONE = "DONE"


class GuidedCalibration:
    """A guided calibration of a session; call :meth:`tick` after each tick of the session.

    The session moves with the pose's calibration during the movement, and with the result
    afterwards. Whatever goes wrong, the pose's calibration remains.

    Attributes:
        phase: How far it is.
        performed: For each exercise that is over, whether the performer was seen to make it.
        result: What the movement tells; None before the end, or if it was left out or canceled.
        former: The session's calibration of before; None if there was none.
        calibration: The calibration that results: of the movement, the pose, or before.
    """

    def __init__(
        self,
        session: LiveSession,
        countdown: float = 3.0,
        options: CalibrationOptions = _DEFAULT_OPTIONS,
    ) -> None:
        """Begin the countdown to the reference pose.

        Args:
            session: The session.
            countdown: Seconds that the performer has to get into the reference pose.
            options: How to calibrate from the pose.

        Raises:
            TrackerError: If the session has no character, lacks trackers, or performances are
                scaled to the character.
        """
        missing = [role for role in TRACKERS if role not in session.roles]
        if missing:
            raise TrackerError(
                f"the guided movement needs all six trackers, and no device is bound to"
                f" {', '.join(missing)}: choose their devices, or calibrate from the pose alone"
            )
        if options.proportions == "FIT":
            raise TrackerError(
                "a performance that is scaled to the character cannot be measured from a movement:"
                " choose Retarget under Proportions, or calibrate from the pose alone"
            )
        self._session, self._options = session, options
        self.former = self.calibration = session.calibration
        session.begin_calibration(countdown, options)
        assert session.reconstructor is not None  # or there would be no countdown
        self._skeleton: Skeleton = session.reconstructor.skeleton
        self._count = session.calibrations
        self._begin, self._next = 0.0, 0
        self._frames: list[Take] = []
        self._reference: Take | None = None
        self._thread: threading.Thread | None = None
        self._computed: list[MovementCalibration | Exception] = []
        self.phase = Phase.POSE
        self.performed: list[bool] = []
        self.result: MovementCalibration | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the movement began, 0 before."""
        if self.phase is Phase.POSE:
            return 0.0
        return min(max(self._session.now - self._begin, 0.0), MOVEMENT_SECONDS)

    def tick(self) -> None:
        """Follow the session, which has just ticked."""
        match self.phase:
            case Phase.POSE:
                self._follow_countdown()
            case Phase.MOVEMENT:
                self._follow_movement()
            case Phase.COMPUTING:
                if self._thread is not None:
                    self._thread.join(_LEFT_TO_RESULT)
                if self._computed:
                    self._finish(self._computed[0])

    def use_pose(self) -> None:
        """Leave out the rest of the movement: the pose's calibration is the result.

        During the countdown nothing is there to use yet; the calibration goes on without movement.
        """
        self.phase = Phase.DONE

    def cancel(self) -> None:
        """Return to the calibration of before, or keep the pose's if there was none."""
        if self.phase is Phase.POSE:
            self._session.cancel_calibration()
        elif self.former is not None and self.phase is not Phase.DONE:
            self.calibration = self.former
            self._session.set_calibration(self.former)
        self.phase = Phase.DONE

    def close(self) -> None:
        """Wait for what is being computed; the result is not used any more."""
        if self._thread is not None:
            self._thread.join()  # A fit has a fixed number of steps at most.
        self.phase = Phase.DONE

    def _follow_countdown(self) -> None:
        if self._session.status.countdown > 0.0:
            return
        if self._session.calibrations == self._count:
            # The session says why there was no calibration, or somebody has ended the countdown.
            self.phase = Phase.DONE
            return
        self.calibration = self._session.calibration
        self._reference = self._sample_reference()
        self._begin, self.phase = self._session.now, Phase.MOVEMENT

    def _sample_reference(self) -> Take:
        """Return the frames around the stillest moment before the end of the countdown."""
        steps = np.arange(_REFERENCE_FRAMES)[::-1] / MODEL_RATE
        take = self._session.sample(self._session.now - self._session.wait - steps)
        half = _STILL_FRAMES / MODEL_RATE

        def rate(frame: int) -> tuple[int, float]:
            unseen = (~_slice(take, frame).valid.all(-1)).sum()
            return int(unseen), float(measure_peak_speeds(take, take.times[frame], half).max())

        return _slice(take, min(range(_STILL_FRAMES, len(take) - _STILL_FRAMES), key=rate))

    def _follow_movement(self) -> None:
        session = self._session
        elapsed = session.now - session.wait - self._begin
        due = np.arange(self._next, int(np.floor(min(elapsed, _LAST) * _RATE)) + 1)
        if len(due):
            self._next = int(due[-1]) + 1
            frames = session.sample(self._begin + due / _RATE)
            self._frames.append(replace(frames, times=due / _RATE))
        self._note_exercises(elapsed - _TRAILING)
        if elapsed >= _LAST:
            self._compute()

    def _note_exercises(self, seconds: float) -> None:
        """Note whether the exercises were made that are over."""
        over = find_exercise(seconds) if seconds < MOVEMENT_SECONDS else len(EXERCISES)
        while len(self.performed) < over:
            number = len(self.performed)
            self.performed.append(find_performed(self._skeleton, _join(self._frames), number))

    def _compute(self) -> None:
        self.phase = Phase.COMPUTING
        self._thread = threading.Thread(
            target=self._run,
            args=(self._reference, _join(self._frames), self.calibration),
            name="guided calibration",
            daemon=True,
        )
        self._thread.start()

    def _run(self, reference: Take, movement: Take, calibration: Calibration) -> None:
        try:
            options = MovementOptions(self._options.reference)
            result = calibrate_from_movement(
                self._skeleton, reference, movement, calibration, options
            )
            result = add_floor(result, self._skeleton, movement)
        except np.linalg.LinAlgError:
            self._computed.append(keep_calibration(calibration, UNLIKE_A_BODY))
        except Exception as error:
            # A bug must not pass unseen: the session's thread raises it.
            self._computed.append(error)
        else:
            self._computed.append(result)

    def _finish(self, computed: MovementCalibration | Exception) -> None:
        self.phase = Phase.DONE
        if isinstance(computed, Exception):
            raise computed
        self.result, self.calibration = computed, computed.calibration
        if computed.refined:
            # Whether the floor is corrected is for the user to say.
            self._session.set_calibration(computed.calibration.without_floor())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was odd about the movement, in plain words."""
        if self.result is None:
            return ()
        if not self.result.refined:
            return (f"the movement was not used: {self.result.warnings[0]}",)
        missed = [
            exercise.name
            for exercise, seen in zip(EXERCISES, self.performed, strict=True)
            if not seen
        ]
        if not missed:
            return self.result.warnings
        return (*self.result.warnings, f"not seen: {', '.join(missed)}")


_LAST = MOVEMENT_SECONDS + _TRAILING


def _slice(take: Take, middle: int) -> Take:
    """Return the frames of a take around one."""
    return take.part(slice(middle - _STILL_FRAMES, middle + _STILL_FRAMES + 1))


def _join(takes: list[Take]) -> Take:
    extras = [take.extras for take in takes if take.extras]
    return Take(
        np.concatenate([take.times for take in takes]),
        np.concatenate([take.positions for take in takes]),
        np.concatenate([take.rotations for take in takes]),
        np.concatenate([take.valid for take in takes]),
        # Devices may have been bound since the movement began.
        ExtraReadings.concatenate(extras) if len(extras) == len(takes) else None,
    )
