# SPDX-License-Identifier: GPL-3.0-or-later
"""Time from packets to poses on a character.

``python tests/blender/live_benchmark.py --seconds 60``: a program of its own sends SlimeVR's VMC at
250 Hz (``--traffic send``: six trackers at 120 Hz), and a capture ticks every millisecond. Prints
the times as a clock shows them, which depend on what else the machine does, and how long the
processor worked for them, which hardly does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
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
from tests.core.streaming.emulators.performer import performer

_PAUSE = 0.001
_WARMED = 60
"""Poses that do not count: what is loaded at first."""


def thread_seconds() -> float:
    """Processor time of the thread that receives; nan where the system does not tell."""
    ids = [t.native_id for t in threading.enumerate() if t.name.startswith("ssrhmr")]
    try:
        stat = Path(f"/proc/self/task/{ids[0]}/stat").read_text()
    except (OSError, IndexError):
        return float("nan")
    # After the name in brackets, which may contain anything.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def perform(traffic: str, seconds: float) -> None:
    """Make the scene, perform, print how long poses took."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    body = make_skeleton() if traffic == "send" else performer(mounted=False).motion.skeleton
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
    whole, beyond, worked = [], [], []
    port = ["--port", str(found.receiver.port), "--seconds", str(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        if traffic == "send":
            take = Path(folder) / "take.csv"
            save_trackers(take, Take.from_motion(make_motion(body, 2400, 120.0)))
            command = [sys.executable, "-m", "ssrhmr_core", "send", str(take), "--loop", *port]
        else:
            module = "tests.core.streaming.emulators.traffic"
            command = [sys.executable, "-m", module, "--sender", traffic, *port]
        sender = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        began = 0.0
        while sender.poll() is None:
            begun, before, work = time.perf_counter(), found.pose, time.thread_time()
            found.tick()
            ended = time.perf_counter()
            if found.pose is not before:
                began = began or begun
                whole.append(ended - arrived)
                beyond.append(ended - max(arrived, begun))
                worked.append(time.thread_time() - work)
            time.sleep(max(_PAUSE - (ended - begun), 0.0))
    status = found.status
    print(f"{status.frames} frames computed, {status.frames_lost} lost; {found.session.roles}")
    spent, thread = time.perf_counter() - began, thread_seconds()
    for text, values in (
        ("packet to pose set", whole),
        ("beyond the tick", beyond),
        ("beyond the tick, time of the processor", worked),
    ):
        shown = 1000.0 * np.array(values[_WARMED:])
        middle, worst = np.percentile(shown, (50, 99))
        print(f"{text}: median {middle:.2f} ms, 99th percentile {worst:.2f} ms, of {len(shown)}")
    packets = found.receiver.counters.datagrams
    print(
        f"{packets} packets in {spent:.0f} s; the receiving thread took {thread:.2f} s of the"
        f" processor: {1e6 * thread / max(packets, 1):.0f} us a packet,"
        f" {100.0 * thread / spent:.1f} % of a core"
    )
    bpy.ops.ssrhmr.live_stop()
    ssrhmr_blender.unregister()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--traffic", choices=("slimevr", "send"), default="slimevr")
    chosen = parser.parse_args()
    perform(chosen.traffic, chosen.seconds)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # The bpy wheel may hang when the interpreter ends.
