# SPDX-License-Identifier: GPL-3.0-or-later
"""The calibration of a setup, kept in step with that of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ..trackers.stored_calibration import (
    Adjustments,
    adjustments_of,
    store_calibration,
    stored_calibration,
)

if TYPE_CHECKING:
    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.live import LiveSession
    from ssrhmr_core.live.guided_calibration import GuidedCalibration
    from ssrhmr_core.tracking.calibration import Calibration

    from ..properties.setup import SSRHMR_Setup


class SetupCalibration:
    """Reads a setup's calibration in metres, and stores those that a session makes."""

    def __init__(self, session: LiveSession, unit: float) -> None:
        """Begin with the calibrations that the session has made so far.

        Args:
            session: The session.
            unit: Length of a metre in the scene.
        """
        self._session, self._unit = session, unit
        self._count = session.calibrations
        self._nudges: Adjustments = ()
        self._floor = False

    def read(self, setup: SSRHMR_Setup) -> Calibration | None:
        """Return the setup's calibration, nudges included, in metres; None if there is none."""
        self._nudges, self._floor = adjustments_of(setup), setup.correct_floor
        if not setup.calibration:
            return None
        return stored_calibration(setup).scaled(1.0 / self._unit)

    def take_new(self) -> Calibration | None:
        """Return the session's calibration if it was made since the last call."""
        if self._session.calibrations == self._count:
            return None
        self._count = self._session.calibrations
        return self._session.calibration

    def store(
        self,
        setup: SSRHMR_Setup,
        calibration: Calibration,
        skeleton: Skeleton,
        guided: GuidedCalibration | None = None,
    ) -> None:
        """Store a new calibration in the setup.

        Args:
            setup: The setup.
            calibration: Calibration in metres.
            skeleton: Body that wears the trackers, in metres.
            guided: The guided calibration that it is the outcome of, if it is.
        """
        warnings = list(self._session.calibration_warnings)
        deviations = None
        if guided is not None and guided.result is not None:
            # What was odd about the pose is of no account once the movement has been used.
            warnings = [] if guided.result.refined else warnings
            warnings += guided.warnings
            if guided.result.refined:
                deviations = guided.result.offset_deviations * self._unit
        store_calibration(
            setup,
            calibration.scaled(self._unit),
            skeleton.scaled(self._unit),
            self._session.calibration_speeds,
            warnings,
            deviations,
        )
        if not bpy.app.background:
            # A step of its own, or undoing the next one would undo the calibration too.
            bpy.ops.ed.undo_push(message="Calibrate")

    def follow_nudges(self, setup: SSRHMR_Setup, is_new: bool) -> None:
        """Let the session use what the user has corrected by hand.

        Args:
            setup: The setup.
            is_new: Whether its calibration was stored without its nudges.
        """
        nudges = adjustments_of(setup)
        nudged = nudges != self._nudges or setup.correct_floor != self._floor
        nudged |= is_new and (setup.correct_floor or any(map(any, nudges)))
        if setup.calibration and nudged:
            self._session.set_calibration(self.read(setup))
