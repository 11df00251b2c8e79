# SPDX-License-Identifier: GPL-3.0-or-later
"""How the body bears glitches of its trackers: drawn ones, baked and live.

Each glitch is judged by three criteria:

* recovery: half a second after readings are exact again the joint is within 1 cm of its tracker;
* bound: during the glitch the joint is never further from the truth than without any reading in the
  same frames, plus 5 cm;
* speed: no tracked joint is faster than 8 m/s, or than its tracker really is around that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE
from ..body.motion import Motion
from ..body.skeleton import TRACKER_JOINTS, TRACKERS
from ..formats import load_motion
from ..pipeline import Reconstructor
from ..tracking.dropout import mark_dropouts
from ..tracking.plausibility import limits_of, measure_implausibility
from ..tracking.take import Take

KINDS = ("fly-off", "shake", "freeze", "teleport", "dropout", "mixture")
"""What is drawn. A mixture is up to four of the others, on up to three trackers, which may meet."""
MODES = ("baked", "live")
CRITERIA = ("recovery", "bound", "speed")

_BEFORE, _AFTER = 60, 75
"""Exact frames before and after each glitch."""
_LONGEST_CLIP = 1800
_KEPT_CLIPS = 256
"""Clips that are kept in memory, a megabyte each."""
_RECOVERY = 30
"""Frames after which the joint must be on its tracker again."""
_NEAR, _MARGIN, _FAST = 0.01, 0.05, 8.0
"""Metres, metres and metres per second of the criteria."""
_SAME_SPEED = 0.3
"""Metres per second by which a joint may be faster than its tracker, as exact ones are too."""
_SPEED_WINDOW = 15
"""Frames before and after in which the true speed is looked at."""


@dataclass(frozen=True)
class Glitch:
    """A glitch of one tracker.

    Attributes:
        kind: One of :data:`KINDS`.
        tracker: Index of the tracker.
        begin: First frame with a wrong reading, or without one.
        end: First frame with an exact reading again.
    """

    kind: str
    tracker: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class GlitchCase:
    """A clip with glitches.

    Attributes:
        motion: The true motion on the model's clock.
        take: Its trackers with glitches.
        without: Its trackers without readings during the glitches.
        events: The glitches; those of one event belong together.
    """

    motion: Motion
    take: Take
    without: Take
    events: tuple[tuple[Glitch, ...], ...]


@dataclass(frozen=True)
class GlitchResult:
    """How one tracker of an event did.

    Attributes:
        kind: One of :data:`KINDS`.
        tracker: Name of the tracker.
        mode: "baked" or "live".
        recovery_mm: Largest distance from half a second after the glitch on, beyond that from exact
            readings.
        excess_mm: Largest distance beyond that without any reading, frame by frame.
        peak_mm: Largest distance during the glitch.
        dropout_mm: The same without any reading.
        speed: Highest speed of a tracked joint in metres per second where it is faster than its
            tracker; 0 elsewhere.
    """

    kind: str
    tracker: str
    mode: str
    recovery_mm: float
    excess_mm: float
    peak_mm: float
    dropout_mm: float
    speed: float

    @property
    def passed(self) -> dict[str, bool]:
        """Whether each criterion is met."""
        return {
            "recovery": self.recovery_mm <= 1000.0 * _NEAR,
            "bound": self.excess_mm <= 1000.0 * _MARGIN,
            "speed": self.speed <= _FAST,
        }


def has_own_glitches(motion: Motion) -> bool:
    """Return whether the truth itself jumps, as slips of motion capture do."""
    take = Take.from_motion(motion)
    return any(
        (measure_implausibility(take.times, track, limits_of(tracker)) > 1.0).any()
        for tracker, track in enumerate(np.moveaxis(take.positions.astype(np.float64), 1, 0))
    )


def draw_case(motion: Motion, seed: int, kinds: Sequence[str] = KINDS) -> GlitchCase:
    """Draw glitches for a motion.

    Args:
        motion: The motion on the model's clock.
        seed: The seed; the same one draws the same glitches.
        kinds: The kinds to draw from.
    """
    random = np.random.default_rng(seed)
    exact = Take.from_motion(motion)
    positions, rotations = exact.positions.copy(), exact.rotations.copy()
    take, without = exact.valid.copy(), exact.valid.copy()
    events = []
    frame = _BEFORE + int(random.integers(30))
    while True:
        event = _draw_event(str(random.choice(kinds)), frame, random)
        end = max(glitch.end for glitch in event)
        if end + _AFTER > len(exact):
            break
        for glitch in event:
            _apply(glitch, positions, rotations, take, random)
            without[glitch.begin : glitch.end, glitch.tracker] = False
        events.append(event)
        frame = end + _AFTER + int(random.integers(15))
    return GlitchCase(
        motion,
        Take(exact.times, positions, rotations, take),
        replace(exact, valid=without),
        tuple(events),
    )


def _draw_event(kind: str, begin: int, random: np.random.Generator) -> tuple[Glitch, ...]:
    if kind != "mixture":
        length = _draw_length(kind, random)
        return (Glitch(kind, int(random.integers(len(TRACKERS))), begin, begin + length),)
    trackers = random.choice(len(TRACKERS), int(random.integers(1, 4)), replace=False)
    glitches = []
    for _ in range(int(random.integers(2, 5))):
        part = str(random.choice(KINDS[:-1]))
        start = begin + int(random.integers(45))
        end = start + min(_draw_length(part, random), 60)
        glitches.append(Glitch(part, int(random.choice(trackers)), start, end))
    return tuple(glitches)


def _draw_length(kind: str, random: np.random.Generator) -> int:
    """Draw a number of frames."""
    shortest, longest = {
        "fly-off": (4, 30),
        "shake": (4, 40),
        "freeze": (6, 150),
        "teleport": (1, 75),
        "dropout": (1, 240),
    }[kind]
    # Short ones as often as long ones.
    return round(float(np.exp(random.uniform(np.log(shortest), np.log(longest)))))


def _apply(
    glitch: Glitch,
    positions: np.ndarray,
    rotations: np.ndarray,
    valid: np.ndarray,
    random: np.random.Generator,
) -> None:
    """Disturb positions (F, 6, 3), rotations (F, 6, 4) and validity (F, 6) in place."""
    frames, tracker = slice(glitch.begin, glitch.end), glitch.tracker
    length = glitch.end - glitch.begin
    direction = random.standard_normal(3)
    direction /= np.linalg.norm(direction)
    if glitch.kind == "fly-off":
        speed = random.uniform(4.0, 16.0)
        travel = speed * np.arange(1, length + 1) / MODEL_RATE
        positions[frames, tracker] += (travel[:, None] * direction).astype(np.float32)
    elif glitch.kind == "shake":
        steps = random.normal(0.0, random.uniform(0.08, 0.4), (length, 3))
        positions[frames, tracker] += np.cumsum(steps, 0).astype(np.float32)
        spin = quat.from_scaled_angle_axis(np.cumsum(random.normal(0.0, 0.1, (length, 3)), 0))
        turned = quat.mul(spin, rotations[frames, tracker].astype(np.float64))
        rotations[frames, tracker] = turned.astype(np.float32)
    elif glitch.kind == "freeze":
        positions[frames, tracker] = positions[glitch.begin - 1, tracker]
        rotations[frames, tracker] = rotations[glitch.begin - 1, tracker]
    elif glitch.kind == "teleport":
        distance = np.exp(random.uniform(np.log(0.3), np.log(4.0)))
        positions[frames, tracker] += (distance * direction).astype(np.float32)
    else:
        valid[frames, tracker] = False


def reconstruct(reconstructor: Reconstructor, take: Take, mode: str) -> np.ndarray:
    """Return the positions (F, 22, 3) of all joints.

    Args:
        reconstructor: The reconstructor.
        take: The trackers on the model's clock.
        mode: One of :data:`MODES`.
    """
    motion = reconstructor.clip(take) if mode == "baked" else reconstructor.replay(take)[0]
    return motion.positions()


def judge(
    case: GlitchCase,
    mode: str,
    joints: np.ndarray,
    joints_without: np.ndarray,
    joints_clean: np.ndarray,
) -> Iterator[GlitchResult]:
    """Judge every tracker of every event.

    Args:
        case: The case.
        mode: One of :data:`MODES`.
        joints: (F, 22, 3) positions that were reconstructed with glitches.
        joints_without: (F, 22, 3) the same without readings during the glitches.
        joints_clean: (F, 22, 3) the same from exact readings, baked: a joint may be out of reach.
    """
    ends = list(TRACKER_JOINTS)
    truth = case.motion.positions()[:, ends]
    distances, distances_without, distances_clean = (
        np.linalg.norm(positions[:, ends] - truth, axis=-1)
        for positions in (joints, joints_without, joints_clean)
    )
    remaining = distances - distances_clean
    speeds, true_speeds = (_measure_speeds(p) for p in (joints[:, ends], truth))
    padded = np.pad(true_speeds, ((_SPEED_WINDOW, _SPEED_WINDOW), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _SPEED_WINDOW + 1, axis=0)
    speeds[speeds <= np.maximum(_FAST, windows.max(-1) + _SAME_SPEED)] = 0.0
    begins = [min(g.begin for g in event) for event in case.events] + [len(truth)]
    for event, following in zip(case.events, begins[1:], strict=True):
        kind = event[0].kind if len(event) == 1 else "mixture"
        end = max(glitch.end for glitch in event)
        fastest = speeds[min(g.begin for g in event) : following].max()
        for tracker in sorted({glitch.tracker for glitch in event}):
            own = [glitch for glitch in event if glitch.tracker == tracker]
            during = np.zeros(len(truth), bool)
            for glitch in own:
                during[glitch.begin : glitch.end] = True
            yield GlitchResult(
                kind,
                TRACKERS[tracker],
                mode,
                1000.0 * float(remaining[end + _RECOVERY : following, tracker].max()),
                1000.0 * float((distances - distances_without)[during, tracker].max()),
                1000.0 * float(distances[during, tracker].max()),
                1000.0 * float(distances_without[during, tracker].max()),
                float(fastest),
            )


def _measure_speeds(positions: np.ndarray) -> np.ndarray:
    """Measure speeds (F, J) in metres per second."""
    steps = np.diff(positions, axis=0, prepend=positions[:1])
    return MODEL_RATE * np.linalg.norm(steps, axis=-1)


def measure_glitches(
    paths: Sequence[Path],
    count: int,
    progress: Callable[[float], None] | None = None,
    load: Callable[[Path], Motion] = load_motion,
) -> dict[str, Any]:
    """Draw glitches on clips until there are enough, and judge them baked and live.

    Args:
        paths: Motion files. They are used again, with other glitches, until there are enough.
            Those whose own trackers jump are left out.
        count: How many glitches to draw at least.
        progress: Called with the share done.
        load: Reads a motion file.

    Returns:
        "glitches": their number. "rows": for each kind and mode the share that meets each
        criterion, and the worst values. "clean": the share of clean readings that are marked.
        "unreadable": {"path", "reason"} of each file that could not be read.

    Raises:
        ValueError: If no clip is long enough.
    """
    prepare = lru_cache(_KEPT_CLIPS)(partial(_prepare, load=load))
    readable, unreadable = _check_files(paths, prepare)
    results: list[GlitchResult] = []
    clean = {mode: [0, 0] for mode in MODES}
    drawn = 0
    for seed, path in enumerate(cycle(readable)):
        clip = prepare(path)
        if seed < len(readable):
            _count_marked(clip.motion, clean)
        case = draw_case(clip.motion, seed)
        if case.events and not clip.jumps:
            results += run_case(case, clip.clean)
            drawn += len(case.events)
        if progress:
            progress(min(drawn / count, 1.0))
        if drawn >= count:
            break
        if seed + 1 >= len(readable) and not drawn:
            raise ValueError("no clip is long enough for a glitch: name clips of three seconds")
    return {
        "glitches": drawn,
        "rows": summarize_glitches(results),
        "unreadable": unreadable,
        "clean": {mode: marked / max(total, 1) for mode, (marked, total) in clean.items()},
    }


@dataclass(frozen=True, eq=False)
class _Clip:
    """A clip to draw glitches on.

    Attributes:
        motion: The true motion on the model's clock.
        jumps: Whether the truth itself jumps.
        clean: (F, 22, 3) positions that are baked from exact readings; None if it jumps.
    """

    motion: Motion
    jumps: bool
    clean: np.ndarray | None


def _prepare(path: Path, load: Callable[[Path], Motion]) -> _Clip:
    motion = load(path).resampled()
    motion = motion.at(motion.times[:_LONGEST_CLIP])
    if has_own_glitches(motion):
        return _Clip(motion, True, None)
    reconstructor = Reconstructor(motion.skeleton)
    return _Clip(motion, False, reconstruct(reconstructor, Take.from_motion(motion), "baked"))


def _check_files(
    paths: Sequence[Path], prepare: Callable[[Path], _Clip]
) -> tuple[list[Path], list[dict[str, str]]]:
    """Return the files that can be read, and why others cannot.

    Raises:
        ValueError: If no file can be read.
    """
    readable, unreadable = [], []
    for path in paths:
        try:
            prepare(path)
            readable.append(path)
        except (ValueError, OSError) as error:
            unreadable.append({"path": path.as_posix(), "reason": str(error)})
    if not readable:
        raise ValueError("no file could be read: name motion files")
    return readable, unreadable


def run_case(case: GlitchCase, clean: np.ndarray | None = None) -> list[GlitchResult]:
    """Reconstruct a case baked and live, and judge it.

    Args:
        case: The case.
        clean: (F, 22, 3) positions baked from exact readings; None to compute them.
    """
    reconstructor = Reconstructor(case.motion.skeleton)
    if clean is None:
        clean = reconstruct(reconstructor, Take.from_motion(case.motion), "baked")
    results: list[GlitchResult] = []
    for mode in MODES:
        without = reconstruct(reconstructor, case.without, mode)
        joints = reconstruct(reconstructor, case.take, mode)
        results += judge(case, mode, joints, without, clean)
    return results


def _count_marked(motion: Motion, counts: dict[str, list[int]]) -> None:
    """Count the readings of a clean clip that are marked as lost."""
    take = Take.from_motion(motion)
    live = Reconstructor(motion.skeleton).replay(take)[1]
    for mode, valid in (("baked", mark_dropouts(take).valid), ("live", live)):
        counts[mode][0] += int((~valid).sum())
        counts[mode][1] += valid.size


def summarize_glitches(results: Sequence[GlitchResult]) -> list[dict[str, Any]]:
    """Summarize results by kind and mode, and over all kinds.

    Returns:
        A row for each, with "kind", "mode", "count", the share that meets each of
        :data:`CRITERIA`, and the worst values.
    """
    rows: list[dict[str, Any]] = []
    for kind in (*KINDS, "all"):
        for mode in MODES:
            part = [r for r in results if r.mode == mode and kind in (r.kind, "all")]
            if part:
                rows.append(
                    {"kind": kind, "mode": mode, "count": len(part)}
                    | {c: float(np.mean([r.passed[c] for r in part])) for c in CRITERIA}
                    | {
                        "bound_at_worst": float(
                            np.mean([r.peak_mm <= r.dropout_mm + 1000.0 * _MARGIN for r in part])
                        ),
                        "worst_recovery_mm": max(r.recovery_mm for r in part),
                        "worst_excess_mm": max(r.excess_mm for r in part),
                        "worst_speed": max(r.speed for r in part),
                    }
                )
    return rows
