# SPDX-License-Identifier: GPL-3.0-or-later
"""Score a preset on clips, clean or with trackers made worse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.skeleton import INDEX, JOINTS, MIRROR, TRACKERS, Skeleton
from ..formats import load_motion
from ..pipeline import Preset, ReconstructionOptions, Reconstructor, Stage
from ..tracking.take import Take
from .metrics import FIRST_FRAME, Errors, detail, measure, pool, summarize

if TYPE_CHECKING:
    from .paper import PublishedReconstructor

Scored = Preset | Literal["paper"]
"""What can be scored: beside the presets, the published architecture."""

_TIMED_FRAMES = 60
"""Frames of each clip that are also run one at a time, for their time."""
_WARM_UP_FRAMES = 5


@dataclass(frozen=True)
class Disturbance:
    """What is done to the ideal trackers.

    Attributes:
        noise_mm: spread of white noise on each axis of the positions.
        noise_deg: spread of white noise of the rotations about each axis.
        lost: (tracker, seconds) pairs: not seen for that long, from a third of the clip on; of an
            infinite time, from its start.
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
            after = begin if np.isfinite(seconds) else -np.inf
            gone = (take.times >= after) & ~(take.times >= after + seconds)
            valid[gone, TRACKERS.index(tracker)] = False
        return Take(take.times, positions.astype("f4"), rotations.astype("f4"), valid)


def evaluate(
    paths: Sequence[Path],
    preset: Scored = "ssrhmr",
    stage: Stage = "exact",
    disturbance: Disturbance | None = None,
    weights: Path | None = None,
    bodies: int = 0,
    planting: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Reconstruct clips from their own six joints and compare.

    Args:
        paths: motion files. Clips of no more than 42 frames at 60 Hz are named, not scored.
        preset: what reconstructs.
        stage: "network" leaves out the exact solve.
        disturbance: what is done to the trackers first.
        weights: a weights file instead of the one that comes with the package.
        bodies: instead of the body of each clip, so many random ones, see :func:`random_body`.
        planting: how firmly standing feet are held.
        progress: called with the number of clips done and of all clips.

    Returns:
        {"pooled": figures over all frames, "joints" and "kinds": MPJPE by joint and by what the
        body does, "sets": the figures by folder, "clips": one dict a clip, "too_short": paths}.

    Raises:
        ValueError: if a file cannot be read, or no clip was long enough.
    """
    clips: list[dict[str, Any]] = []
    found: list[Errors] = []
    sets: dict[str, list[Errors]] = {}
    seconds: list[float] = []
    short: list[str] = []
    for number, path in enumerate(paths):
        own = load_motion(path).resampled()
        if len(own) <= FIRST_FRAME:
            short.append(path.as_posix())
            continue
        parts = []
        for body in range(max(bodies, 1)):
            seed = number * max(bodies, 1) + body
            truth = replace(own, skeleton=random_body(own.skeleton, seed)) if bodies else own
            take = Take.from_motion(truth)
            if disturbance:
                take = disturbance.apply(take, seed)
            made = _reconstructor(truth.skeleton, weights, preset, stage, planting)
            parts.append(measure(made.clip(take), truth, take.valid))
        seconds += _frame_seconds(made, take)
        errors = pool(parts)
        found.append(errors)
        sets.setdefault(_set_of(path), []).append(errors)
        clips.append({"path": path.as_posix(), **summarize(errors)})
        if progress:
            progress(number + 1, len(paths))
    if not found:
        raise ValueError(f"no clip is longer than {FIRST_FRAME} frames at 60 Hz: name longer ones")
    times = 1000.0 * np.array(seconds)
    together = pool(found)
    pooled = summarize(together) | {
        "ms_per_frame_median": float(np.median(times)),
        "ms_per_frame_p99": float(np.percentile(times, 99)),
    }
    return {
        "pooled": pooled,
        **detail(together),
        "sets": {name: summarize(pool(errors)) for name, errors in sorted(sets.items())},
        "clips": clips,
        "too_short": short,
    }


def _reconstructor(
    skeleton: Skeleton, weights: Path | None, preset: Scored, stage: Stage, planting: float
) -> Reconstructor | PublishedReconstructor:
    if preset != "paper":
        options = ReconstructionOptions(preset=preset, stage=stage, planting=planting)
        return Reconstructor(skeleton, options, weights=weights)
    if weights is None:
        raise ValueError("--preset paper needs --weights: train them with train --preset paper")
    from .paper import PublishedReconstructor

    return PublishedReconstructor(skeleton, weights, stage)


def random_body(skeleton: Skeleton, seed: int) -> Skeleton:
    """Another body: bones 0.75 to 1.3 times as long, torso, hips and clavicles laid out anew.

    Half of the bodies have one or two spine joints only. The same seed gives the same body.
    """
    random = np.random.default_rng(seed)
    offsets = skeleton.offsets.astype(np.float64)
    scale = np.exp(random.uniform(np.log(0.75), np.log(1.3), len(JOINTS)))
    scale = scale[np.minimum(np.arange(len(JOINTS)), MIRROR)]
    # Both sides alike but for two percent, as people are.
    offsets *= (scale * np.exp(0.02 * random.standard_normal(len(JOINTS))))[:, None]
    moved = 0.015 * skeleton.size * random.standard_normal((len(JOINTS), 3))
    moved = 0.5**0.5 * (moved + moved[list(MIRROR)] * (-1.0, 1.0, 1.0))
    for name in ("hip", "clavicle", "shoulder"):
        for joint in (INDEX[f"left_{name}"], INDEX[f"right_{name}"]):
            offsets[joint] += moved[joint]
    spine = [INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck")]
    offsets[spine] += moved[spine]
    for joint in spine[: random.choice([0, 0, 1, 2])][::-1]:
        # A joint that a rig lacks lies on the next one of its chain.
        offsets[joint] += offsets[joint + 1]
        offsets[joint + 1] = 0.0
    return Skeleton(offsets)


def _set_of(path: Path) -> str:
    """Corpora keep clips as set/subject/clip."""
    return "/".join(path.parts[-3:-1])


def _frame_seconds(
    reconstructor: Reconstructor | PublishedReconstructor, take: Take
) -> list[float]:
    """Seconds that single frames took, as in live use."""
    reconstructor.reset()
    seconds = []
    for frame in range(min(_TIMED_FRAMES, len(take))):
        begin = time.perf_counter()
        reconstructor.frame(take.positions[frame], take.rotations[frame])
        seconds.append(time.perf_counter() - begin)
    return seconds[_WARM_UP_FRAMES:]
