# SPDX-License-Identifier: GPL-3.0-or-later
"""Score a preset on clips, with ideal trackers or with disturbed ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.extra_trackers import Measurement
from ..body.motion import Motion
from ..body.skeleton import INDEX, JOINTS, MIRROR, TRACKERS, Skeleton
from ..formats import load_motion
from ..pipeline import Preset, ReconstructionOptions, Reconstructor, Stage
from ..tracking.extras.readings import ExtraReadings
from ..tracking.foot_planting import ContactOptions
from ..tracking.subsets import mask_of
from ..tracking.take import Take
from .metrics import (
    FIRST_FRAME,
    Errors,
    detail_errors,
    measure_errors,
    pool_errors,
    summarize_errors,
)
from .worn.score import (
    WornErrors,
    WornTrackers,
    pool_worn_errors,
    score_worn,
    summarize_worn_errors,
)

if TYPE_CHECKING:
    from .paper import PublishedReconstructor

_TIMED_FRAMES = 60
"""Number of frames of each clip that are also run one at a time, to measure their time."""
_WARM_UP_FRAMES = 5


@dataclass(frozen=True)
class ScoredModel:
    """The model to score.

    Attributes:
        preset: A preset, or "paper" for the published architecture.
        stage: "network" leaves out the exact solve.
        weights: A weights file instead of the one that comes with the package.
        planting: How firmly standing feet are held, 0 to 1.
        causal: Let the network know of the performer only what earlier frames show, as live.
        above_floor: Keep knees and elbows above the floor, unless it is causal.
    """

    preset: Preset | Literal["paper"] = "ssrhmr"
    stage: Stage = "exact"
    weights: Path | None = None
    planting: float = 0.0
    causal: bool = False
    above_floor: bool = True

    def reconstructor(
        self, skeleton: Skeleton, *, certainty: bool = False
    ) -> Reconstructor | PublishedReconstructor:
        """Return a reconstructor for a body.

        Args:
            skeleton: The body.
            certainty: Whether to predict errors too.

        Raises:
            ValueError: The published architecture has no weights.
            WeightsError: The weights cannot be used.
        """
        if self.preset != "paper":
            options = ReconstructionOptions(
                self.preset,
                self.stage,
                planting=self.planting,
                contact_options=ContactOptions(above_floor=self.above_floor),
                causal=self.causal,
                certainty=certainty,
            )
            return Reconstructor(skeleton, options, weights=self.weights)
        if self.weights is None:
            raise ValueError("--preset paper needs --weights: train them with train --preset paper")
        from .paper import PublishedReconstructor

        return PublishedReconstructor(skeleton, self.weights, self.stage)


@dataclass(frozen=True)
class Disturbance:
    """How the ideal trackers are disturbed.

    Attributes:
        noise_mm: Standard deviation of white noise on each axis of the positions.
        noise_deg: Standard deviation of white noise of the rotations about each axis.
        lost: Pairs of a tracker and the seconds for which it is lost, from a third of the clip on.
            A tracker that is lost for infinitely long is lost from the start.
        only: The trackers that the performer wears; all six if empty. The others are never valid.
        extras: Optional trackers that the performer wears too, and what each measures.
        measures: Trackers among the six that measure a position or a rotation alone.
    """

    noise_mm: float = 0.0
    noise_deg: float = 0.0
    lost: tuple[tuple[str, float], ...] = ()
    only: tuple[str, ...] = ()
    extras: tuple[tuple[str, Measurement], ...] = ()
    measures: tuple[tuple[str, Measurement], ...] = ()

    @property
    def tracked(self) -> np.ndarray:
        """Which trackers (6,) the performer wears."""
        return mask_of(self.only or TRACKERS)

    def apply(self, take: Take, seed: int) -> Take:
        """Return a disturbed take; the same seed gives the same one."""
        random = np.random.default_rng(seed)
        shape = take.positions.shape
        positions = take.positions + 0.001 * self.noise_mm * random.standard_normal(shape)
        rotvecs = np.radians(self.noise_deg) * random.standard_normal(shape)
        rotations = quat.mul(take.rotations, quat.from_scaled_angle_axis(rotvecs))
        valid = take.valid & self.tracked
        begin = take.times[0] + (take.times[-1] - take.times[0]) / 3.0
        for tracker, seconds in self.lost:
            after = begin if np.isfinite(seconds) else -np.inf
            gone = (take.times >= after) & ~(take.times >= after + seconds)
            valid[gone, TRACKERS.index(tracker)] = False
        extras = self._apply_to_extras(take.extras, random) if take.extras else None
        disturbed = Take(take.times, positions.astype("f4"), rotations.astype("f4"), valid, extras)
        return disturbed.measuring(self.measures) if self.measures else disturbed

    def _apply_to_extras(self, extras: ExtraReadings, random: np.random.Generator) -> ExtraReadings:
        """Return disturbed readings of optional trackers, of which some measure only a part."""
        shape = extras.positions.shape
        positions = extras.positions + 0.001 * self.noise_mm * random.standard_normal(shape)
        rotvecs = np.radians(self.noise_deg) * random.standard_normal(shape)
        rotations = quat.mul(extras.rotations, quat.from_scaled_angle_axis(rotvecs))
        disturbed = replace(
            extras, positions=positions.astype("f4"), rotations=rotations.astype("f4")
        )
        return disturbed.measuring(self.extras)


def evaluate(
    paths: Sequence[Path],
    model: ScoredModel | None = None,
    disturbance: Disturbance | None = None,
    bodies: int = 0,
    progress: Callable[[int, int], None] | None = None,
    load: Callable[[Path], Motion] = load_motion,
    worn: WornTrackers | None = None,
) -> dict[str, Any]:
    """Reconstruct clips from their own six joints and compare.

    Args:
        paths: Motion files. Clips of at most 42 frames at 60 Hz are listed, not scored.
        model: The model to score, by default the one that comes with the package.
        disturbance: How the trackers are disturbed first.
        bodies: Number of random bodies that replace each clip's own, see :func:`random_body`.
        progress: Function that is called with the number of clips done and of all clips.
        load: Function that reads a motion file.
        worn: How trackers are worn and calibrated, to score that too, with figures named as in
            :func:`ssrhmr_core.evaluation.worn.score.summarize_worn_errors`.

    Returns:
        {"pooled": figures over all frames, "joints" and "kinds": MPJPE by joint and by activity,
        "sets": figures by folder, "clips": one dict for each clip, "too_short": paths,
        "unreadable": {"path", "reason"} of each file that could not be read}.

    Raises:
        ValueError: No file can be read, no clip was long enough, fewer than six worn trackers
            were to be refined, or worn ones were to measure half of their poses.
    """
    model = model or ScoredModel()
    if worn and worn.evidence != "pose" and disturbance and not disturbance.tracked.all():
        raise ValueError(
            "a movement or a take refines the calibration of six trackers only: use --worn pose"
            " with --only"
        )
    if worn and disturbance and disturbance.measures:
        raise ValueError("worn trackers measure whole poses: leave out --worn or --measures")
    clips: list[tuple[Path, Errors]] = []
    worn_clips: list[tuple[Path, WornErrors]] = []
    seconds: list[float] = []
    short: list[str] = []
    unreadable: list[dict[str, str]] = []

    for number, path in enumerate(paths):
        try:
            clip = load(path).resampled()
        except (ValueError, OSError) as error:
            reason = str(error).removeprefix(f"{path.name}: ")
            unreadable.append({"path": path.as_posix(), "reason": reason})
            continue
        if len(clip) <= FIRST_FRAME:
            short.append(path.as_posix())
            continue
        errors, times = _score_clip(clip, number, bodies, disturbance, model)
        clips.append((path, errors))
        if worn:
            worn_errors = _score_worn_clip(clip, number, bodies, disturbance, model, worn)
            worn_clips.append((path, worn_errors))
        seconds += times
        if progress:
            progress(number + 1, len(paths))
    if len(unreadable) == len(paths) > 0:
        raise ValueError(
            f"no file could be read; the first, {unreadable[0]['path']}: {unreadable[0]['reason']}"
        )
    if not clips:
        raise ValueError(f"no clip is longer than {FIRST_FRAME} frames at 60 Hz: name longer ones")
    report = _report(clips, 1000.0 * np.array(seconds))
    _add_worn_figures(report, worn_clips)
    return report | {"too_short": short, "unreadable": unreadable}


def _score_clip(
    clip: Motion,
    number: int,
    bodies: int,
    disturbance: Disturbance | None,
    model: ScoredModel,
) -> tuple[Errors, list[float]]:
    """Score a clip on its own body or on random ones.

    Args:
        clip: The clip on the model's clock.
        number: Number of the clip, for the seeds of bodies and disturbances.
        bodies: Number of random bodies, 0 for the clip's own.
        disturbance: How the trackers are disturbed.
        model: The model to score.

    Returns:
        The errors, and the seconds that single frames took.
    """
    parts = []
    for body in range(max(bodies, 1)):
        seed = number * max(bodies, 1) + body
        truth = replace(clip, skeleton=random_body(clip.skeleton, seed)) if bodies else clip
        take = Take.from_motion(truth, [name for name, _ in (disturbance or Disturbance()).extras])
        if disturbance:
            take = disturbance.apply(take, seed)
        reconstructor = model.reconstructor(truth.skeleton, certainty=True)
        motion = reconstructor.clip(take)
        expected = getattr(reconstructor, "expected_errors", None)
        parts.append(measure_errors(motion, truth, take.valid, expected))
    return pool_errors(parts), _time_frames(model.reconstructor(truth.skeleton), take)


def _score_worn_clip(
    clip: Motion,
    number: int,
    bodies: int,
    disturbance: Disturbance | None,
    model: ScoredModel,
    worn: WornTrackers,
) -> WornErrors:
    """Score a clip with trackers as people wear them; see :func:`_score_clip`."""
    parts = []
    disturbed = disturbance or Disturbance()
    worn = replace(worn, extras=disturbed.extras)
    for body in range(max(bodies, 1)):
        seed = number * max(bodies, 1) + body
        truth = replace(clip, skeleton=random_body(clip.skeleton, seed)) if bodies else clip
        parts.append(
            score_worn(
                truth,
                worn,
                seed,
                lambda skeleton, take: model.reconstructor(skeleton).clip(take),
                partial(disturbed.apply, seed=seed),
                disturbed.tracked,
            )
        )
    return pool_worn_errors(parts)


def _add_worn_figures(
    report: dict[str, Any], worn_clips: Sequence[tuple[Path, WornErrors]]
) -> None:
    """Add the figures of worn trackers to those of all clips, of sets and of single clips."""
    if not worn_clips:
        return
    report["pooled"] |= summarize_worn_errors(pool_worn_errors([e for _, e in worn_clips]))
    for name, figures in report["sets"].items():
        in_set = [errors for path, errors in worn_clips if _set_name(path) == name]
        figures |= summarize_worn_errors(pool_worn_errors(in_set))
    for figures, (_, errors) in zip(report["clips"], worn_clips, strict=True):
        figures |= summarize_worn_errors(errors)


def _report(clips: Sequence[tuple[Path, Errors]], milliseconds: np.ndarray) -> dict[str, Any]:
    """Return the figures of all clips together, by set and by clip."""
    sets: dict[str, list[Errors]] = {}
    for path, errors in clips:
        sets.setdefault(_set_name(path), []).append(errors)
    together = pool_errors([errors for _, errors in clips])
    pooled = summarize_errors(together) | {
        "ms_per_frame_median": float(np.median(milliseconds)),
        "ms_per_frame_p99": float(np.percentile(milliseconds, 99)),
    }
    return {
        "pooled": pooled,
        **detail_errors(together),
        "sets": {name: summarize_errors(pool_errors(sets[name])) for name in sorted(sets)},
        "clips": [{"path": path.as_posix(), **summarize_errors(errors)} for path, errors in clips],
    }


def random_body(skeleton: Skeleton, seed: int) -> Skeleton:
    """Return another body: bones 0.75 to 1.3 times as long, other torso, hips and clavicles.

    Half of the bodies have only one or two spine joints. The same seed gives the same body.
    """
    random = np.random.default_rng(seed)
    offsets = skeleton.offsets.astype(np.float64)
    scale = np.exp(random.uniform(np.log(0.75), np.log(1.3), len(JOINTS)))
    scale = scale[np.minimum(np.arange(len(JOINTS)), MIRROR)]
    # Both sides are alike but for two percent, as people are.
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


def _set_name(path: Path) -> str:
    """Return set/subject of a clip: corpora keep clips as set/subject/clip."""
    return "/".join(path.parts[-3:-1])


def _time_frames(reconstructor: Reconstructor | PublishedReconstructor, take: Take) -> list[float]:
    """Return the seconds that single frames take, as in live use."""
    reconstructor.reset()
    seconds = []
    for frame in range(min(_TIMED_FRAMES, len(take))):
        extras = take.extras_at(frame)
        begin = time.perf_counter()
        reconstructor.frame(take.positions[frame], take.rotations[frame], None, extras)
        seconds.append(time.perf_counter() - begin)
    return seconds[_WARM_UP_FRAMES:]
