# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes with glitches that the tests of the detectors share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.take import Take

PELVIS, HEAD, LEFT_HAND, RIGHT_HAND, LEFT_FOOT, RIGHT_FOOT = range(len(TRACKERS))


def lose(take: Take, begin: int, end: int, *trackers: int) -> Take:
    """Return the take without some trackers; sources leave rubbish where they see nothing."""
    valid, positions, rotations = (a.copy() for a in (take.valid, take.positions, take.rotations))
    for tracker in trackers:
        valid[begin:end, tracker] = False
        positions[begin:end, tracker] = np.nan
        rotations[begin:end, tracker] = 0.0
    return Take(take.times, positions, rotations, valid)


def shift(take: Take, tracker: int, begin: int, offsets: np.ndarray) -> Take:
    """Return the take with a tracker moved by offsets (N, 3) from a frame on."""
    positions = take.positions.copy()
    positions[begin : begin + len(offsets), tracker] += offsets.astype(np.float32)
    return replace(take, positions=positions)


def teleport(take: Take, tracker: int, begin: int, frames: int, metres: float) -> Take:
    """Return the take with a tracker somewhere else for some frames."""
    offset = metres * np.array([0.9, 0.3, 0.3])
    return shift(take, tracker, begin, np.tile(offset, (frames, 1)))


def fly_off(take: Take, tracker: int, begin: int, frames: int, speed: float) -> Take:
    """Return the take with a tracker that flies off along X and snaps back."""
    travel = speed / 60.0 * np.arange(1, frames + 1)
    return shift(take, tracker, begin, travel[:, None] * np.array([1.0, 0.0, 0.0]))


def shake(take: Take, tracker: int, begin: int, frames: int, seed: int) -> Take:
    """Return the take with a tracker that shakes at some 25 m/s."""
    random = np.random.default_rng(seed)
    return shift(take, tracker, begin, np.cumsum(random.normal(0.0, 0.25, (frames, 3)), 0))


def freeze(take: Take, begin: int, end: int, *trackers: int) -> Take:
    """Return the take with trackers that repeat the reading before ``begin``."""
    positions, rotations = take.positions.copy(), take.rotations.copy()
    for tracker in trackers:
        positions[begin:end, tracker] = positions[begin - 1, tracker]
        rotations[begin:end, tracker] = rotations[begin - 1, tracker]
    return replace(take, positions=positions, rotations=rotations)
