# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the model is on this machine, and how its cost grows.

Every case runs in a process of its own, with one thread: nothing is warm from the case before, and
its memory is its own. ``python -m ssrhmr_core.evaluation.bench CASE ARGUMENT`` is such a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE
from ..body.motion import Motion
from ..body.skeleton import JOINTS, MIRROR, TRACKER_JOINTS, Skeleton
from ..pipeline import ReconstructionOptions, Reconstructor
from ..solver import solve, solver_skeleton
from ..tracking.take import Take

_FRAMES = 1500
_NOT_INSTALLED = 3
"""Exit status of a case that needs a package which is not there."""
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
    *(("frame", what) for what in ("ssrhmr", "ik", "solve", "paper", "paper-onnx")),
    *(("characters", count) for count in ("1", "2", "4", "8")),
    ("solve", "60"),
    *(("clip", seconds) for seconds in ("1", "10", "60", "600", "3600")),
)
"""Case and argument of every row of the table."""


def measure(progress: Callable[[float, str], None]) -> list[dict]:
    """Run all cases.

    Args:
        progress: called with the share done and the case that is next.

    Cases that need a package which is not installed are left out.

    Returns:
        A row a case: ``case``, ``argument``, ``memory_mb`` (peak of its process, None where the
        system does not tell), and ``median_ms``, ``p99_ms``, ``frames_per_second`` of frames, or
        ``seconds``, ``frames_per_second`` of clips.

    Raises:
        ValueError: if a case fails; with what it said.
    """
    rows = []
    for number, (case, argument) in enumerate(CASES):
        progress(number / len(CASES), f"{case} {argument}")
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name, case, argument],
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
            capture_output=True,
            text=True,
        )
        if done.returncode == _NOT_INSTALLED:
            continue
        if done.returncode:
            raise ValueError(f"{case} {argument} failed:\n{done.stderr}")
        rows.append({"case": case, "argument": argument, **json.loads(done.stdout)})
    progress(1.0, "")
    return rows


def run_case(case: str, argument: str) -> dict:
    """Measure one case in this process."""
    found: dict
    if case == "frame":
        found = _frames(next(_streams(argument, 1)))
    elif case == "characters":
        streams = list(_streams("ssrhmr", int(argument)))
        found = _frames(lambda row: [stream(row) for stream in streams])
    else:
        found = _clip(case, float(argument))
    return {**found, "memory_mb": _peak_memory()}


def performance(seconds: float) -> Motion:
    """Smooth motion of an adult, made of waves: enough for timing, of no use for accuracy."""
    random = np.random.default_rng(1)
    offsets = np.zeros((len(JOINTS), 3), np.float32)
    for name, offset in _ADULT.items():
        joint = JOINTS.index(name)
        offsets[joint] = offset
        offsets[MIRROR[joint]] = (
            np.array([-1.0, 1.0, 1.0]) * offset if MIRROR[joint] != joint else offset
        )
    times = np.arange(round(seconds * MODEL_RATE)) / MODEL_RATE
    rates, phases = random.uniform(0.2, 0.8, (2, len(JOINTS), 3))
    waves = 0.35 * np.sin(2.0 * np.pi * (times[:, None, None] * rates + phases))
    turns = quat.from_scaled_angle_axis(waves)
    root = np.zeros((len(times), 3), np.float32)
    root[:, 1] = 0.95
    skeleton = Skeleton(offsets)
    return Motion(skeleton, times, quat.normalize(turns).astype(np.float32), root)


def _streams(what: str, count: int) -> Iterator[Callable[[int], object]]:
    """Callables that compute one frame: of a preset, or of the solve alone."""
    motion = performance((_FRAMES + _WARM_UP) / MODEL_RATE)
    take = Take.from_motion(motion)
    if what == "solve":
        body, turns = solver_skeleton(motion.skeleton.offsets), motion.matrices()
        measured = turns[:, list(TRACKER_JOINTS)]
        poles = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (len(motion), 4, 1))
        # The spine of the frame before is about as far off as a prediction.
        guess = np.roll(turns, 2, axis=0)

        def alone(row: int) -> object:
            now = slice(row, row + 1)
            return solve(guess[now], poles[now], take.positions[now], measured[now], body)

        yield alone
        return
    for _ in range(count):
        reconstructor = _reconstructor(motion.skeleton, what)

        def whole(row: int, reconstructor: Any = reconstructor) -> object:
            return reconstructor.frame(take.positions[row], take.rotations[row], take.valid[row])

        yield whole


def _reconstructor(skeleton: Skeleton, what: str) -> Any:
    """A preset, or the published architecture as published: all of its 43 frames, every time."""
    if not what.startswith("paper"):
        return Reconstructor(
            skeleton, ReconstructionOptions(preset="ik" if what == "ik" else "ssrhmr")
        )
    import torch

    from .paper import PublishedReconstructor

    torch.set_num_threads(1)
    published = PublishedReconstructor(skeleton, stage="network")
    if what == "paper-onnx":
        published.use_onnx()
    return published


def _frames(compute: Callable[[int], object]) -> dict:
    spent = np.empty(_FRAMES)
    for row in range(_WARM_UP):
        compute(row)
    for row in range(_FRAMES):
        begin = time.perf_counter()
        compute(_WARM_UP + row)
        spent[row] = time.perf_counter() - begin
    return {
        "median_ms": 1e3 * float(np.median(spent)),
        "p99_ms": 1e3 * float(np.percentile(spent, 99)),
        "frames_per_second": 1.0 / float(np.median(spent)),
    }


def _clip(case: str, seconds: float) -> dict:
    motion = performance(seconds)
    take = Take.from_motion(motion)
    if case == "solve":
        turns = motion.matrices()
        poles = np.tile(np.array([0.0, 0.0, 1.0], np.float32), (len(motion), 4, 1))
        measured = turns[:, list(TRACKER_JOINTS)]
        guess, body = np.roll(turns, 2, axis=0), solver_skeleton(motion.skeleton.offsets)
        begin = time.perf_counter()
        solve(guess, poles, take.positions, measured, body)
    else:
        reconstructor = Reconstructor(motion.skeleton)
        begin = time.perf_counter()
        reconstructor.clip(take)
    spent = time.perf_counter() - begin
    return {"seconds": spent, "frames_per_second": len(motion) / spent}


def _peak_memory() -> float | None:
    """Megabytes that this process needed at most."""
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
