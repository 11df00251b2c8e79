# SPDX-License-Identifier: GPL-3.0-or-later
"""The slips within a take that a setup stores: found when it is refined, taken back when baked.

A slip belongs to the animation in which it was found. What the tracker does at that moment is kept
beside it: where it is edited, mended or moved in time afterwards, the slip is not taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.data_blocks import key_of
from ..properties.tracker import TRACKER_LABELS
from .sampling import sample
from .take import take_from_samples

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    import bpy
    import numpy as np

    from ssrhmr_core.tracking.slip_corrections import SlipCorrection
    from ssrhmr_core.tracking.take import Take

    from ..properties.calibration import SSRHMR_Slip
    from ..properties.setup import SSRHMR_Setup

_AROUND = 3
"""Frames before and after a slip between which its tracker is compared."""
_SAME = 0.5
"""Share of a slip by which its tracker's way between them may differ: smoothed trackers still slip,
mended ones do not."""


def store_slips(
    setup: SSRHMR_Setup,
    corrections: Iterable[SlipCorrection],
    take: Take,
    first: int,
    unit: float,
) -> None:
    """Store what takes slips back, instead of what was stored before.

    Args:
        setup: Setup whose trackers slipped.
        corrections: What takes the slips back, in metres, in the order of their times.
        take: The trackers in which they were found, in metres, one frame for each of Blender's.
        first: Frame of Blender at which the take begins.
        unit: Length of a metre in the scene.
    """
    import numpy as np

    setup.slips.clear()
    numbers = np.arange(len(take))
    for own in corrections:
        entry = setup.slips.add()
        entry.tracker = own.slip.tracker
        entry.frame = first + float(np.interp(own.slip.time, take.times, numbers))
        entry.distance = 100.0 * own.slip.distance
        entry.offset, entry.rotation = unit * own.offset, own.rotvec
        # Slips are found half a second from both ends of a take at least.
        rows = np.array(_frames_around(entry.frame)) - first
        entry.way = unit * _measure_way(take.part(rows), own.tracker)


def read_slips(
    scene: bpy.types.Scene, setup: SSRHMR_Setup, first: int, rate: float
) -> Generator[float, None, tuple[tuple[SlipCorrection, ...], tuple[str, ...]]]:
    """Read what takes the slips of a setup's trackers back, if they still slip there.

    Args:
        scene: Scene of the window.
        setup: Its setup.
        first: Frame at which the take begins that is corrected.
        rate: Frames per second.

    Yields:
        The share done, 0..1.

    Returns:
        The corrections, in scene units and seconds of that take; and a sentence for each slip that
        is left out.

    Raises:
        GoneError: if a tracker was deleted meanwhile.
        SamplingError: if its transform cannot be used.
    """
    import numpy as np

    corrections, changed = [], []
    # References do not survive what may happen between two slices.
    name, trackers = scene.name, setup.tracker_objects()
    stored = [
        (key_of(obj), entry.frame, np.array(entry.way), _to_correction(entry, first, rate))
        for entry in setup.slips
        if (obj := trackers.get(entry.tracker)) is not None
    ]
    for key, frame, way, own in stored:
        around = np.array(_frames_around(frame))
        worlds = yield from sample(name, [key], around.tolist())
        take = take_from_samples(worlds, around, rate, {own.slip.tracker: key[0]})
        difference = np.linalg.norm(_measure_way(take, own.tracker) - way)
        if difference < _SAME * np.linalg.norm(own.offset):
            corrections.append(own)
            continue
        label = TRACKER_LABELS[own.slip.tracker]
        changed.append(
            f"{label} does not move at frame {frame:.0f} as when its slip was found, which is not"
            " taken back: choose Refine from Movement > Whole Take again"
        )
    return tuple(corrections), tuple(changed)


def _to_correction(entry: SSRHMR_Slip, first: int, rate: float) -> SlipCorrection:
    import numpy as np

    from ssrhmr_core.tracking.slip_corrections import SlipCorrection
    from ssrhmr_core.tracking.slips import Slip

    slip = Slip(entry.tracker, (entry.frame - first) / rate, 0.01 * entry.distance)
    return SlipCorrection(slip, np.array(entry.offset), np.array(entry.rotation))


def _frames_around(frame: float) -> tuple[int, int]:
    """Return the frames before and after a slip between which its tracker is compared."""
    return int(frame // 1.0) - _AROUND, -int(-frame // 1.0) + _AROUND


def _measure_way(take: Take, tracker: int) -> np.ndarray:
    """Return the way (3,) of a tracker through a take, along its own axes at the beginning."""
    from ssrhmr_core.geometry.rotations import from_quat, transpose

    way = take.positions[-1, tracker] - take.positions[0, tracker]
    axes: np.ndarray = transpose(from_quat(take.rotations[0, tracker].astype(float)))
    return axes @ way
