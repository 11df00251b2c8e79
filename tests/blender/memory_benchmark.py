# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the memory and time of a bake from files.

``python tests/blender/memory_benchmark.py MINUTES FPS [--no-trackers]`` bakes a take of 60 frames a
second onto a rig of 22 bones in a scene of FPS frames a second, as a worker of
``ssrhmr_bake --jobs`` does. Blender as a module takes 0.26 GB of that before it does anything;
what is not the process' own are files that all processes share, such as that module.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np

import ssrhmr_blender
from ssrhmr_blender.headless import command
from ssrhmr_blender.headless.pool import WORKER_ENVIRONMENT
from ssrhmr_core import Take
from ssrhmr_core.formats.trackers_csv import save_trackers
from tests.blender.conftest import make_armature, with_t_pose
from tests.core.conftest import make_motion, make_skeleton


def make_files(folder: Path, minutes: float, fps: int) -> None:
    """Write a character and a take that goes there and back so that nothing jumps."""
    bpy.context.scene.render.fps = fps
    clip = with_t_pose(make_motion(make_skeleton(), frames=600))
    take = Take.from_motion(clip)
    order = np.arange(round(minutes * 3600.0)) % (2 * len(clip) - 2)
    order = np.where(order < len(clip), order, 2 * len(clip) - 2 - order)
    times = np.arange(len(order)) / 60.0
    long = Take(times, take.positions[order], take.rotations[order], take.valid[order])
    save_trackers(folder / "take.csv", long)
    make_armature("Hero", clip.skeleton)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "hero.blend"))


def bake(folder: Path, more: list[str]) -> None:
    """Bake the files and print what it took."""
    begin = time.perf_counter()
    words = ["--takes", str(folder / "take.csv"), "--characters", str(folder / "hero.blend")]
    words += ["--out", str(folder / "out"), "--calibrate-at", "0.33", *more]
    failed = command.run(words)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    own = peak - shared_gigabytes()
    text = f"{seconds:.0f} s, {peak:.2f} GB, {own:.2f} of them its own"
    print(text + (", FAILED" if failed else ""))


def shared_gigabytes() -> float:
    """Return how much of this process' memory is files, as far as the system tells (Linux)."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return sum(int(line.split()[1]) / 1e6 for line in lines if line.startswith("RssFile:"))


def main() -> None:
    """Make the files, then bake in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("fps", type=int)
    parser.add_argument("--no-trackers", action="store_true")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    if chosen.folder:
        bake(chosen.folder, ["--no-trackers"] if chosen.no_trackers else [])
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_files(Path(folder), chosen.minutes, chosen.fps)
            subprocess.run(
                [sys.executable, *sys.argv, "--folder", folder],
                env={**os.environ, **WORKER_ENVIRONMENT},
                check=True,
            )
    ssrhmr_blender.unregister()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # The bpy wheel may hang when the interpreter ends.
