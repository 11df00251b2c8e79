# SPDX-License-Identifier: GPL-3.0-or-later
"""The calibration that a setup stores, with the user's corrections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..common.validation import SetupError
from ..properties.tracker import ALL_TRACKERS, EXTRA_TRACKERS, TRACKER_LABELS, TRACKERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.calibration import Calibration

    from ..properties.setup import SSRHMR_Setup

Adjustments = tuple[tuple[float, ...], ...]
_ROLES = re.compile(rf"(?<!['\w-])(?:{'|'.join(ALL_TRACKERS)})(?!['\w-])")


def stored_calibration(setup: SSRHMR_Setup) -> Calibration:
    """Return how the trackers sit on the joints, corrections included, in scene units.

    Raises:
        SetupError: if the setup is not calibrated.
        TrackerError: if what is stored cannot be read.
    """
    import numpy as np
    from mathutils import Euler

    from ssrhmr_core.tracking.calibration import Calibration

    check_calibrated(setup)
    calibration = Calibration.from_json(setup.calibration)
    if not setup.correct_floor:
        calibration = calibration.without_floor()
    adjustments = adjustments_of(setup)
    if not any(map(any, adjustments)):
        return calibration
    six, every = len(TRACKERS), len(ALL_TRACKERS)
    offsets = np.array(adjustments[:every])
    quats = np.array([Euler(rotation).to_quaternion()[:] for rotation in adjustments[every:]])
    return calibration.adjusted(offsets[:six], quats[:six], offsets[six:], quats[six:])


def check_calibrated(setup: SSRHMR_Setup) -> None:
    """Raise SetupError if the setup is not calibrated."""
    if not setup.calibration:
        raise SetupError("Not calibrated yet: choose the frame of the pose and press Calibrate")


def calibrated_roles(setup: SSRHMR_Setup) -> tuple[str, ...]:
    """Return the roles of the trackers that a setup is calibrated for; all six without one."""
    from ssrhmr_core.tracking.calibration import Calibration
    from ssrhmr_core.tracking.subsets import roles_in

    if not setup.calibration:
        return TRACKERS
    return tuple(roles_in(Calibration.from_json(setup.calibration).tracked))


def adjustments_of(setup: SSRHMR_Setup) -> Adjustments:
    """Return the user's corrections: offsets, then rotations of all trackers."""
    trackers = [setup.tracker(role) for role in ALL_TRACKERS]
    offsets = tuple(tuple(tracker.offset) for tracker in trackers)
    return offsets + tuple(tuple(tracker.rotation) for tracker in trackers)


def clear_adjustments(setup: SSRHMR_Setup) -> None:
    """Reset the user's corrections."""
    for role in ALL_TRACKERS:
        tracker = setup.tracker(role)
        tracker.offset = tracker.rotation = (0.0, 0.0, 0.0)


def store_calibration(
    setup: SSRHMR_Setup,
    calibration: Calibration,
    skeleton: Skeleton,
    speeds: np.ndarray,
    warnings: Iterable[str],
    deviations: np.ndarray | None = None,
) -> None:
    """Store a new calibration and what the panel says about it.

    Args:
        setup: Setup that was calibrated.
        calibration: Calibration in scene units.
        skeleton: Skeleton of the body that wears the trackers, in scene units.
        speeds: (6,) speeds of the trackers at that moment, metres per second.
        warnings: Sentences with the names of trackers as the core has them.
        deviations: (6,) standard deviations of the joints in scene units, if a movement has shown
            where they are.
    """
    from ssrhmr_core.body.skeleton import units_per_metre
    from ssrhmr_core.tracking.body_measures import measure_body
    from ssrhmr_core.tracking.calibration import rate_trackers
    from ssrhmr_core.tracking.extras.calibration import find_swapped_pair

    setup.calibration = calibration.to_json()
    setup.fits.clear()
    setup.slips.clear()
    centimetres = 100.0 / units_per_metre(skeleton.size / calibration.scale)
    errors = centimetres * calibration.deviations
    qualities = rate_trackers(calibration, skeleton)
    for tracker, role in enumerate(TRACKERS):
        if not calibration.tracked[tracker]:
            continue
        fit = setup.fits.add()
        fit.name = TRACKER_LABELS[role]
        fit.mount_distance = float(calibration.mount_distances[tracker])
        fit.error = float(errors[tracker])
        fit.speed = float(speeds[tracker])
        fit.quality = float(qualities[tracker])
        if deviations is not None:
            fit.deviation = centimetres * float(deviations[tracker])
    _store_extra_fits(setup, calibration, centimetres)
    setup.measures.clear()
    for measure in measure_body(calibration.performer) if calibration.performer else ():
        entry = setup.measures.add()
        entry.name, entry.length, entry.low, entry.high = measure
    store_assumptions(setup, calibration)
    setup.warnings.clear()
    for number, warning in enumerate(warnings):
        line = setup.warnings.add()
        line.name = readable(warning)
        swapped = calibration.swapped if number == 0 else ()
        line.pair = ",".join(swapped) or find_swapped_pair(warning)


def _store_extra_fits(setup: SSRHMR_Setup, calibration: Calibration, centimetres: float) -> None:
    """Store how the optional trackers that are calibrated sit.

    Args:
        setup: Setup that was calibrated.
        calibration: Calibration in scene units.
        centimetres: Number of centimetres in a scene unit, on an adult.
    """
    mounts = calibration.extras
    if mounts is None:
        return
    for role in mounts.worn:
        number = EXTRA_TRACKERS.index(role)
        fit = setup.fits.add()
        fit.name, fit.optional, fit.quality = TRACKER_LABELS[role], True, 1.0
        if mounts.has_position[number]:
            fit.mount_distance = float(mounts.mount_distances[number])
            fit.error = centimetres * fit.mount_distance


def store_assumptions(setup: SSRHMR_Setup, calibration: Calibration) -> None:
    """Store which trackers are filled in, and what the calibration assumes instead."""
    setup.assumed = readable(calibration.assumptions) if calibration.assumptions else ""


def readable(warning: str) -> str:
    """Replace names of trackers by their labels, and begin with a capital.

    Names in quotes are those of devices, which stay as they are.
    """
    warning = _ROLES.sub(lambda found: TRACKER_LABELS[found[0]], warning)
    return warning[:1].upper() + warning[1:]
