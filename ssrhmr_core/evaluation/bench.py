# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the speed of the model on this machine, and how its cost grows.

Every case runs in a process of its own, with one thread: nothing is warm from the case before, and
its memory is its own. ``python -m ssrhmr_core.evaluation.bench CASE ARGUMENT`` is such a process.

Cases of single frames run in turn, ``ROUNDS`` times, and the fastest of each counts, as ``timeit``
has it: other programs of a shared machine slow down one round of a case and not another, so that
ratios of single runs say more about them than about the model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.extra_trackers import EXTRA_GROUPS, EXTRA_TRACKERS
from ..body.interpolation import MODEL_RATE
from ..body.motion import Motion
from ..body.skeleton import JOINTS, MIRROR, TRACKER_JOINTS, Skeleton
from ..pipeline import ReconstructionOptions, Reconstructor
from ..solver import solve, solver_skeleton
from ..tracking.extras.readings import ExtraReadings
from ..tracking.take import Take

_FRAMES = 500
ROUNDS = 3
_NOT_INSTALLED = 3
"""Exit status of a case that needs a package which is not installed."""
_WARM_UP = 60
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_ADULT = {
    "hips": (0.0, 0.0, 0.0),
    "left_hip": (0.09, -0.06, 0.0),
    "left_knee": (0.0, -0.42, 0.0),
    "left_ankle": (0.0, -0.41, 0.0),
    "left_toe": (0.0, -0.07, 0.14),
    "lower_spine": (0.0, 0.09, 0.0),
    "middle_spine": (0.0, 0.12, 0.0),
    "chest": (0.0, 0.12, 0.0),
    "neck": (0.0, 0.18, 0.0),
    "head": (0.0, 0.11, 0.02),
    "left_clavicle": (0.03, 0.12, 0.0),
    "left_shoulder": (0.15, 0.0, 0.0),
    "left_elbow": (0.28, 0.0, 0.0),
    "left_wrist": (0.26, 0.0, 0.0),
}
CASES = (
    *(
        ("frame", model)
        for model in ("ssrhmr", "ssrhmr+elbows", "ssrhmr+all", "ik", "solve", "paper", "paper-onnx")
    ),
    *(("characters", count) for count in ("1", "2", "4", "8")),
    ("solve", "60"),
    *(("clip", seconds) for seconds in ("1", "10", "60", "600", "3600")),
)
"""Case and argument of every row of the table."""
_SINGLE_FRAMES = ("frame", "characters")
"""Cases that time single frames."""


def measure_speed(progress: Callable[[float, str], None]) -> list[dict]:
    """Run all cases but those that need a package which is not installed.

    Args:
        progress: Function that is called with the share done and the next case.

    Returns:
        A row for each case: ``case``, ``argument``, ``memory_mb`` (peak of its process, None where
        the system does not report it), and ``median_ms``, ``p99_ms``, ``frames_per_second`` of
        frames, or ``seconds``, ``frames_per_second`` of clips.

    Raises:
        ValueError: A case failed; the message has its output.
    """
    again = [case for case in CASES if case[0] in _SINGLE_FRAMES]
    runs = [*again * (ROUNDS - 1), *CASES]
    figures: dict[tuple[str, str], dict] = {}
    for number, case in enumerate(runs):
        progress(number / len(runs), " ".join(case))
        measured = _run_alone(*case)
        if measured is None:
            continue
        best = figures.setdefault(case, measured)
        if measured.get("median_ms", 0.0) < best.get("median_ms", 0.0):
            figures[case] = measured
    progress(1.0, "")
    return [
        {"case": case[0], "argument": case[1], **figures[case]} for case in CASES if case in figures
    ]


def _run_alone(case: str, argument: str) -> dict | None:
    """Measure one case in a process of its own, None if a package that it needs is missing."""
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, case, argument],
        env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode == _NOT_INSTALLED:
        return None
    if done.returncode:
        raise ValueError(f"{case} {argument} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def run_case(case: str, argument: str) -> dict:
    """Measure one case in this process."""
    if case == "frame":
        figures = _time_frames(_frame_function(argument))
    elif case == "characters":
        functions = [_frame_function("ssrhmr") for _ in range(int(argument))]
        figures = _time_frames(lambda frame: [function(frame) for function in functions])
    else:
        figures = _time_clip(case, float(argument))
    return {**figures, "memory_mb": _peak_memory()}


def make_performance(seconds: float) -> Motion:
    """Return smooth motion of an adult, made of waves: for timing, of no use for accuracy."""
    random = np.random.default_rng(1)
    offsets = np.zeros((len(JOINTS), 3), np.float32)
    for name, offset in _ADULT.items():
        joint = JOINTS.index(name)
        offsets[joint] = offset
        if MIRROR[joint] != joint:
            offsets[MIRROR[joint]] = np.array([-1.0, 1.0, 1.0]) * offset
    times = np.arange(round(seconds * MODEL_RATE)) / MODEL_RATE
    rates, phases = random.uniform(0.2, 0.8, (2, len(JOINTS), 3))
    waves = 0.35 * np.sin(2.0 * np.pi * (times[:, None, None] * rates + phases))
    rotations = quat.normalize(quat.from_scaled_angle_axis(waves)).astype(np.float32)
    root = np.zeros((len(times), 3), np.float32)
    root[:, 1] = 0.95
    return Motion(Skeleton(offsets), times, rotations, root)


def _frame_function(model: str) -> Callable[[int], object]:
    """Return a function that computes one frame: with a preset, or with the solve alone.

    A preset's name may be followed by + and a group of optional trackers, or all.
    """
    motion = make_performance((_FRAMES + _WARM_UP) / MODEL_RATE)
    if model == "solve":
        solve_rows = _solver(motion)
        return lambda frame: solve_rows(slice(frame, frame + 1))
    model, _, worn = model.partition("+")
    take, reconstructor = Take.from_motion(motion), _reconstructor(motion.skeleton, model)
    if worn:
        extras = ExtraReadings.from_motion(
            motion, EXTRA_TRACKERS if worn == "all" else EXTRA_GROUPS[worn]
        )
        frames = [extras.part(slice(frame, frame + 1)) for frame in range(len(extras))]
        return lambda frame: reconstructor.frame(
            take.positions[frame], take.rotations[frame], take.valid[frame], frames[frame]
        )
    return lambda frame: reconstructor.frame(
        take.positions[frame], take.rotations[frame], take.valid[frame]
    )


def _reconstructor(skeleton: Skeleton, model: str) -> Any:
    """Return a preset, or the published architecture with all of its 43 frames every time."""
    if not model.startswith("paper"):
        options = ReconstructionOptions(preset="ik" if model == "ik" else "ssrhmr")
        return Reconstructor(skeleton, options)
    import torch

    from .paper import PublishedReconstructor

    torch.set_num_threads(1)
    published = PublishedReconstructor(skeleton, stage="network")
    if model == "paper-onnx":
        published.use_onnx()
    return published


def _time_frames(compute: Callable[[int], object]) -> dict:
    spent = np.empty(_FRAMES)
    for frame in range(_WARM_UP):
        compute(frame)
    for frame in range(_FRAMES):
        begin = time.perf_counter()
        compute(_WARM_UP + frame)
        spent[frame] = time.perf_counter() - begin
    return {
        "median_ms": 1e3 * float(np.median(spent)),
        "p99_ms": 1e3 * float(np.percentile(spent, 99)),
        "frames_per_second": 1.0 / float(np.median(spent)),
    }


def _time_clip(case: str, seconds: float) -> dict:
    motion = make_performance(seconds)
    if case == "solve":
        solve_rows = _solver(motion)
        begin = time.perf_counter()
        solve_rows(slice(None))
    else:
        take, reconstructor = Take.from_motion(motion), Reconstructor(motion.skeleton)
        begin = time.perf_counter()
        reconstructor.clip(take)
    spent = time.perf_counter() - begin
    return {"seconds": spent, "frames_per_second": len(motion) / spent}


def _solver(motion: Motion) -> Callable[[slice], object]:
    """Return a function that solves some frames of a motion."""
    take, rotations = Take.from_motion(motion), motion.matrices()
    measured = rotations[:, list(TRACKER_JOINTS)]
    skeleton = solver_skeleton(motion.skeleton.offsets)
    poles = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (len(motion), 4, 1))
    # The spine of two frames before is about as far off as a prediction.
    guess = np.roll(rotations, 2, axis=0)
    return lambda rows: solve(
        guess[rows], poles[rows], take.positions[rows], measured[rows], skeleton
    )


def _peak_memory() -> float | None:
    """Return the largest memory of this process in megabytes, None where it is not reported."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak / (1024.0 if sys.platform != "darwin" else 1024.0**2)


if __name__ == "__main__":
    try:
        print(json.dumps(run_case(sys.argv[1], sys.argv[2])))
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(_NOT_INSTALLED)
