# SPDX-License-Identifier: GPL-3.0-or-later
"""The calibration that a setup holds, with what the user corrected by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.validation import SetupError
from ..properties.settings import TRACKER_LABELS, TRACKERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.calibration import Calibration

    from ..properties.settings import SSRHMR_Setup

Adjustments = tuple[tuple[float, ...], ...]


def stored_calibration(setup: SSRHMR_Setup) -> Calibration:
    """Return how the trackers sit on the joints, nudges included, in scene units.

    Raises:
        SetupError: if the setup is not calibrated.
        TrackerError: if what is stored cannot be read.
    """
    import numpy as np
    from mathutils import Euler

    from ssrhmr_core.tracking.calibration import Calibration

    check_calibrated(setup)
    found = Calibration.from_json(setup.calibration)
    nudges = adjustments_of(setup)
    if not any(any(nudge) for nudge in nudges):
        return found
    offsets, turns = nudges[: len(TRACKERS)], nudges[len(TRACKERS) :]
    quaternions = np.array([Euler(turn).to_quaternion()[:] for turn in turns])
    return found.adjusted(np.array(offsets), quaternions)


def check_calibrated(setup: SSRHMR_Setup) -> None:
    """Raise SetupError if the setup is not calibrated."""
    if not setup.calibration:
        raise SetupError("Not calibrated yet: choose the frame of the pose and press Calibrate")


def adjustments_of(setup: SSRHMR_Setup) -> Adjustments:
    """Return offsets, then rotations of the six trackers, to see whether they have changed."""
    parts = ("offset", "turn")
    return tuple(tuple(getattr(setup, f"{role}_{part}")) for part in parts for role in TRACKERS)


def clear_adjustments(setup: SSRHMR_Setup) -> None:
    """Undo what was corrected by hand."""
    for role in TRACKERS:
        setattr(setup, f"{role}_offset", (0.0, 0.0, 0.0))
        setattr(setup, f"{role}_turn", (0.0, 0.0, 0.0))


def store_calibration(
    setup: SSRHMR_Setup,
    found: Calibration,
    skeleton: Skeleton,
    speeds: np.ndarray,
    warnings: Iterable[str],
) -> None:
    """Store a new calibration and what the panel says about it.

    Args:
        setup: that was calibrated.
        found: in scene units.
        skeleton: of the body that wears the trackers, in scene units.
        speeds: (6,) of the trackers at that moment, metres a second.
        warnings: in plain words, with the names of trackers as the core has them.
    """
    from ssrhmr_core.body.skeleton import unit_of
    from ssrhmr_core.tracking.calibration import rate_trackers

    setup.calibration = found.to_json()
    setup.fits.clear()
    misses = 100.0 * found.deviations / unit_of(skeleton.size / found.scale)
    values = zip(
        *(TRACKERS, found.mount_distances, misses, speeds, rate_trackers(found, skeleton)),
        strict=True,
    )
    for role, arm, miss, speed, fit in values:
        line = setup.fits.add()
        line.name = TRACKER_LABELS[role]
        line.arm, line.error, line.speed = float(arm), float(miss), float(speed)
        line.quality = float(fit)
    setup.warnings.clear()
    for number, warning in enumerate(warnings):
        line = setup.warnings.add()
        line.name = _readable(warning)
        if number == 0:
            line.pair = ",".join(found.swapped)


def _readable(warning: str) -> str:
    """Put the trackers' labels for their names, and begin with a capital."""
    for role in TRACKERS:
        warning = warning.replace(role, TRACKER_LABELS[role])
    return warning[0].upper() + warning[1:]
