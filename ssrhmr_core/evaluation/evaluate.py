"""Score a preset on clips, clean or with trackers made worse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pymotion.rotations import quat_np as quat

from ..formats import load_motion
from ..reconstruct import Preset, Reconstructor, Stage
from ..skeleton import TRACKERS
from ..trackers import Take
from .metrics import FIRST_FRAME, Errors, measure, pool, summarize

_TIMED_FRAMES = 60
"""Frames of each clip that are also run one at a time, for their time."""
_WARM_UP_FRAMES = 5


@dataclass(frozen=True)
class Disturbance:
    """What is done to the ideal trackers.

    Attributes:
        noise_mm: spread of white noise on each axis of the positions.
        noise_deg: spread of white noise of the rotations about each axis.
        lost: (tracker, seconds) pairs: not seen for that long, from a third of the clip on.
    """

    noise_mm: float = 0.0
    noise_deg: float = 0.0
    lost: tuple[tuple[str, float], ...] = ()

    def apply(self, take: Take, seed: int) -> Take:
        """Return a worse take; the same seed gives the same one."""
        random = np.random.default_rng(seed)
        positions = take.positions + 0.001 * self.noise_mm * random.standard_normal(
            take.positions.shape
        )
        turn = np.radians(self.noise_deg) * random.standard_normal(take.positions.shape)
        rotations = quat.mul(take.rotations, quat.from_scaled_angle_axis(turn))
        valid = take.valid.copy()
        begin = take.times[0] + (take.times[-1] - take.times[0]) / 3.0
        for tracker, seconds in self.lost:
            gone = (take.times >= begin) & (take.times < begin + seconds)
            valid[gone, TRACKERS.index(tracker)] = False
        return Take(take.times, positions.astype("f4"), rotations.astype("f4"), valid)


def evaluate(
    paths: Sequence[Path],
    preset: Preset = "ssrhmr",
    stage: Stage = "exact",
    disturbance: Disturbance | None = None,
    weights: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Reconstruct clips from their own six joints and compare.

    Args:
        paths: motion files. Clips of no more than 42 frames at 60 Hz are named, not scored.
        preset: what reconstructs.
        stage: "network" leaves out the exact solve.
        disturbance: what is done to the trackers first.
        weights: a weights file instead of the one that comes with the package.
        progress: called with the number of clips done and of all clips.

    Returns:
        {"pooled": figures over all frames, "sets": the same by folder, "clips": one dict a clip,
        "too_short": paths}.

    Raises:
        ValueError: if a file cannot be read, or no clip was long enough.
    """
    clips: list[dict[str, Any]] = []
    found: list[Errors] = []
    sets: dict[str, list[Errors]] = {}
    seconds: list[float] = []
    short: list[str] = []
    for number, path in enumerate(paths):
        truth = load_motion(path).resampled()
        if len(truth) <= FIRST_FRAME:
            short.append(path.as_posix())
            continue
        take = Take.from_motion(truth)
        if disturbance:
            take = disturbance.apply(take, seed=number)
        reconstructor = Reconstructor(truth.skeleton, weights, preset, stage)
        errors = measure(reconstructor.clip(take), truth)
        found.append(errors)
        sets.setdefault(_set_of(path), []).append(errors)
        clips.append({"path": path.as_posix(), **summarize(errors)})
        seconds += _frame_seconds(reconstructor, take)
        if progress:
            progress(number + 1, len(paths))
    if not found:
        raise ValueError(f"no clip is longer than {FIRST_FRAME} frames at 60 Hz")
    times = 1000.0 * np.array(seconds)
    pooled = summarize(pool(found)) | {
        "ms_per_frame_median": float(np.median(times)),
        "ms_per_frame_p99": float(np.percentile(times, 99)),
    }
    return {
        "pooled": pooled,
        "sets": {name: summarize(pool(errors)) for name, errors in sorted(sets.items())},
        "clips": clips,
        "too_short": short,
    }


def _set_of(path: Path) -> str:
    """Corpora keep clips as set/subject/clip."""
    return "/".join(path.parts[-3:-1])


def _frame_seconds(reconstructor: Reconstructor, take: Take) -> list[float]:
    """Seconds that single frames took, as in live use."""
    reconstructor.reset()
    seconds = []
    for frame in range(min(_TIMED_FRAMES, len(take))):
        begin = time.perf_counter()
        reconstructor.frame(take.positions[frame], take.rotations[frame])
        seconds.append(time.perf_counter() - begin)
    return seconds[_WARM_UP_FRAMES:]
