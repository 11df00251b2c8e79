# SPDX-License-Identifier: GPL-3.0-or-later
"""The slips within a take that a setup stores: found when it is refined, taken back when baked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..properties.tracker import TRACKERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ssrhmr_core.tracking.slip_corrections import SlipCorrection

    from ..properties.setup import SSRHMR_Setup


def store_slips(
    setup: SSRHMR_Setup, corrections: Iterable[SlipCorrection], first: int, rate: float
) -> None:
    """Store what takes slips back, instead of what was stored before.

    Args:
        setup: Setup whose trackers slipped.
        corrections: What takes the slips back, in scene units, in the order of their times.
        first: Frame at which the seconds of the slips begin.
        rate: Frames per second.
    """
    setup.slips.clear()
    for own in corrections:
        entry = setup.slips.add()
        entry.tracker, entry.frame = own.slip.tracker, first + own.slip.time * rate
        entry.offset, entry.rotation = own.offset, own.rotvec


def stored_slips(setup: SSRHMR_Setup, first: int, rate: float) -> tuple[SlipCorrection, ...]:
    """Return what takes the slips of a setup's trackers back; see :func:`store_slips`."""
    import numpy as np

    from ssrhmr_core.tracking.slip_corrections import SlipCorrection
    from ssrhmr_core.tracking.slips import Slip

    corrections = []
    for entry in setup.slips:
        if entry.tracker not in TRACKERS:
            continue
        offset, rotvec = np.array(entry.offset), np.array(entry.rotation)
        slip = Slip(entry.tracker, (entry.frame - first) / rate, float(np.linalg.norm(offset)))
        corrections.append(SlipCorrection(slip, offset, rotvec))
    return tuple(corrections)
