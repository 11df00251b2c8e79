# SPDX-License-Identifier: GPL-3.0-or-later
"""Time from packets to poses on a character: ``python tests/blender/live_benchmark.py [SECONDS]``.

``send`` performs at 120 Hz as a program of its own; here a capture ticks every millisecond.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np

import ssrhmr_blender
from ssrhmr_blender.live import capture
from ssrhmr_core import Calibration, Take
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.streaming import Reading
from tests.blender.conftest import choose, free_port, make_armature
from tests.core.conftest import make_motion, make_skeleton

_PAUSE = 0.001
_WARMED = 60
"""Poses that do not count: what is loaded at first."""


def main(seconds: float) -> None:
    """Make the scene, perform, print how long poses took."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    body = make_skeleton()
    choose(make_armature("Hero", body), {})
    bpy.context.scene.ssrhmr.calibration = Calibration.none().to_json()
    bpy.context.scene.ssrhmr_live.port = free_port()
    bpy.ops.ssrhmr.live_start()
    found = capture.running()
    assert found is not None
    arrived = 0.0

    def drain() -> list[Reading]:
        nonlocal arrived
        readings = found.receiver.drain()
        arrived = max((reading.arrival for reading in readings), default=arrived)
        return readings

    found.session._source = SimpleNamespace(drain=drain)
    whole, beyond = [], []
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "take.csv"
        save_trackers(take, Take.from_motion(make_motion(body, 2400, 120.0)))
        command = [sys.executable, "-m", "ssrhmr_core", "send", str(take), "--loop"]
        command += ["--port", str(found.receiver.port), "--seconds", str(seconds)]
        sender = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while sender.poll() is None:
            begun, before = time.perf_counter(), found.pose
            found.tick()
            ended = time.perf_counter()
            if found.pose is not before:
                whole.append(ended - arrived)
                beyond.append(ended - max(arrived, begun))
            time.sleep(max(_PAUSE - (ended - begun), 0.0))
    for text, values in (("packet to pose set", whole), ("beyond the tick", beyond)):
        shown = 1000.0 * np.array(values[_WARMED:])
        middle, worst = np.percentile(shown, (50, 99))
        print(f"{text}: median {middle:.2f} ms, 99th percentile {worst:.2f} ms, of {len(shown)}")
    bpy.ops.ssrhmr.live_stop()
    ssrhmr_blender.unregister()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
    sys.stdout.flush()
    os._exit(0)  # The bpy wheel may hang when the interpreter ends.
