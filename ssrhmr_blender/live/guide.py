# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided calibration of a capture: what it shows, how it sounds, and what comes of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy

from .figure import Figure, add_body, add_marks, add_ring

if TYPE_CHECKING:
    import aud

    from ssrhmr_core.live import LiveSession
    from ssrhmr_core.tracking.calibration import Calibration, CalibrationOptions

_TICK, _START, _END = 660.0, 880.0, 1320.0
"""Pitches in hertz: a second of the countdown, the next exercise, the end."""
_BEEP = 0.09
_VOLUME = 0.4


class Guide:
    """Leads a performer from the reference pose through the movement.

    Attributes:
        calibration: The core's guided calibration.
        stored: The pose's calibration, if the setup stores it already.
    """

    def __init__(
        self, session: LiveSession, countdown: float, options: CalibrationOptions, sound: bool
    ) -> None:
        """Begin the countdown.

        Args:
            session: The session of the capture.
            countdown: Seconds until the performer has to be in the reference pose.
            options: How to calibrate from the pose.
            sound: Whether to beep.

        Raises:
            TrackerError: If the session cannot be calibrated from a movement.
        """
        from ssrhmr_core.live.guided_calibration import GuidedCalibration
        from ssrhmr_core.tracking.proportions import make_adult

        self.calibration = GuidedCalibration(session, countdown, options)
        self.stored: Calibration | None = None
        self._session, self._reference = session, options.reference
        self._countdown = max(countdown, 1e-3)
        self._body = make_adult()
        self._beeper = Beeper() if sound and not bpy.app.background else None
        self._heard: tuple[str, int] = ("POSE", math.ceil(countdown))

    @property
    def active(self) -> bool:
        """Whether it still runs."""
        return self.calibration.phase != "DONE"

    @property
    def number(self) -> int:
        """The number of the exercise that is shown, from 1; 0 before the first."""
        from ssrhmr_core.tracking.movement.guided import find_exercise

        return find_exercise(self.calibration.seconds) + 1

    @property
    def share(self) -> float:
        """How much of the whole is done, 0 to 1; the countdown does not count."""
        from ssrhmr_core.tracking.movement.guided import MOVEMENT_SECONDS

        return self.calibration.seconds / MOVEMENT_SECONDS

    @property
    def outcome(self) -> Calibration | None:
        """What the setup has to store at the end; None if it stores that already."""
        calibration, former = self.calibration.calibration, self.calibration.former
        is_new = calibration is not former and calibration is not self.stored
        return calibration if is_new or self.calibration.result is not None else None

    def tick(self) -> None:
        """Follow the session, and beep when something begins."""
        self.calibration.tick()
        phase, step = self.calibration.phase, self.number
        if phase == "POSE":
            step = math.ceil(self._session.countdown)
        if (phase, step) == self._heard:
            return
        self._heard = (phase, step)
        if self._beeper is not None:
            pitches = {"POSE": _TICK, "MOVEMENT": _START}
            self._beeper.beep(pitches.get(phase, _END))

    def figure(self) -> Figure:
        """Return what the performer sees."""
        from ssrhmr_core.tracking.movement.guided import EXERCISES, exercise_progress

        figure, seconds = Figure(), self.calibration.seconds
        add_body(figure, self._body, seconds, self._reference)
        if self.calibration.phase == "POSE":
            add_ring(figure, 1.0 - self._session.countdown / self._countdown)
        else:
            add_ring(figure, exercise_progress(seconds))
        performed = self.calibration.performed
        add_marks(figure, performed, self.number - 1, len(EXERCISES))
        return figure


class Beeper:
    """Plays short tones with Blender's own sound; silent where there is none."""

    def __init__(self) -> None:
        """Open the sound device."""
        self._device: aud.Device | None = None
        self._tones: dict[float, aud.Sound] = {}
        try:
            import aud

            self._device = aud.Device()
        except (ImportError, RuntimeError):
            # Built without sound, or nothing is there to play it.
            self._device = None

    def beep(self, pitch: float) -> None:
        """Play a tone of a pitch in hertz."""
        if self._device is None:
            return
        import aud

        if pitch not in self._tones:
            tone = aud.Sound.sine(pitch).limit(0.0, _BEEP).volume(_VOLUME)
            self._tones[pitch] = tone.fadein(0.0, 0.01).fadeout(_BEEP - 0.02, 0.02)
        try:
            self._device.play(self._tones[pitch])
        except RuntimeError:
            self._device = None
