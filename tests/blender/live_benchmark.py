# SPDX-License-Identifier: GPL-3.0-or-later
"""Time from packets to poses on a character.

``python tests/blender/live_benchmark.py --seconds 60``: a program of its own sends SlimeVR's VMC at
250 Hz (``--traffic send``: six trackers at 120 Hz), and a capture ticks every millisecond. Prints
the times as a clock shows them, which depend on what else the machine does. ``--simulated``: the
frames are sent from here, each once the one before is through, and the processor's time is
printed; that hardly depends on anything else.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np

import ssrhmr_blender
from ssrhmr_blender.live import capture
from ssrhmr_core import Calibration, Take
from ssrhmr_core import live as core_live
from ssrhmr_core import streaming as core_streaming
from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.streaming import Reading
from tests.blender.conftest import choose, make_armature
from tests.core.conftest import make_motion, make_skeleton
from tests.core.streaming.emulators.performer import performer
from tests.core.streaming.emulators.traffic import SENDERS, make_frames
from tests.ports import free_port

_PAUSE = 0.001
_WARMED = 60
"""Poses that do not count: what is loaded at first."""


def thread_seconds() -> float:
    """Processor time of the thread that receives; nan where the system does not tell."""
    (ident,) = [t.ident for t in threading.enumerate() if t.name.startswith("ssrhmr")]
    if sys.platform != "linux" or ident is None:
        return float("nan")
    return time.clock_gettime(time.pthread_getcpuclockid(ident))


def open_scene(skeleton: Skeleton) -> capture.Capture:
    """Make a scene with a character, and start."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    choose(make_armature("Hero", skeleton), {})
    bpy.context.scene.ssrhmr.calibration = Calibration.none().to_json()
    bpy.context.scene.ssrhmr_live.port = free_port()
    bpy.ops.ssrhmr.live_start()
    found = capture.running()
    assert found is not None
    return found


def close_scene() -> None:
    """Stop; the wheel of bpy does not bear what is left."""
    bpy.ops.ssrhmr.live_stop()
    ssrhmr_blender.unregister()


def print_times(text: str, seconds: list[float]) -> None:
    """Print median and 99th percentile of all but the first poses."""
    shown = 1000.0 * np.array(seconds[_WARMED:])
    middle, worst = np.percentile(shown, (50, 99))
    print(
        f"{text}: median {middle:.2f} ms, 99th percentile {worst:.2f} ms, least"
        f" {shown.min():.2f} ms, of {len(shown)}"
    )


def perform(traffic: str, seconds: float) -> None:
    """Let a program perform, and print how long poses took."""
    found = open_scene(
        make_skeleton() if traffic == "send" else performer(mounted=False).motion.skeleton
    )
    arrived = 0.0

    def drain() -> list[Reading]:
        nonlocal arrived
        readings = found.receiver.drain()
        arrived = max((reading.arrival for reading in readings), default=arrived)
        return readings

    found.session._source = SimpleNamespace(drain=drain)
    whole, beyond = [], []
    port = ["--port", str(found.receiver.port), "--seconds", str(seconds)]
    with tempfile.TemporaryDirectory() as folder:
        if traffic == "send":
            take = Path(folder) / "take.csv"
            save_trackers(take, Take.from_motion(make_motion(make_skeleton(), 2400, 120.0)))
            command = [sys.executable, "-m", "ssrhmr_core", "send", str(take), "--loop", *port]
        else:
            module = "tests.core.streaming.emulators.traffic"
            command = [sys.executable, "-m", module, "--sender", traffic, *port]
        sender = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while sender.poll() is None:
            begun, before = time.perf_counter(), found.pose
            found.tick()
            ended = time.perf_counter()
            if found.pose is not before:
                whole.append(ended - arrived)
                beyond.append(ended - max(arrived, begun))
            time.sleep(max(_PAUSE - (ended - begun), 0.0))
    print_times("packet to pose set", whole)
    print_times("beyond the tick", beyond)
    status = found.status
    print(f"{status.frames} frames computed, {status.frames_lost} lost; {thread_seconds():.2f} s")
    close_scene()


def simulate(traffic: str, seconds: float) -> None:
    """Send frame by frame in simulated time, and print how long the processor worked."""
    now = 100.0
    for module, name in ((core_streaming, "Receiver"), (core_live, "LiveSession")):
        setattr(module, name, partial(getattr(module, name), clock=lambda: now))
    sender = SENDERS[traffic]()
    frames = make_frames(sender, 0.0)
    found = open_scene(sender.body.motion.skeleton)
    poses, others = [], 0.0
    count = round(seconds * sender.rate)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("127.0.0.1", found.receiver.port))
        before, sent = thread_seconds(), 0
        for number in range(count):
            now = 100.0 + number / sender.rate
            # Repeated after its end, as by a sender that was started again.
            for packet in frames[number % len(frames)]:
                out.send(packet)
                sent += 1
            while found.receiver.counters.datagrams < sent:
                time.sleep(0.0002)
            pose, work = found.pose, time.thread_time()
            found.tick()
            work = time.thread_time() - work
            if found.pose is not pose:
                poses.append(work)
            else:
                others += work
        thread = thread_seconds() - before
    print_times("a tick with a pose, time of the processor", poses)
    print(
        f"{sent} packets; receiving {1e6 * thread / sent:.0f} us a packet,"
        f" {100.0 * thread * sender.rate / count:.1f} % of a core at {sender.rate:.0f} Hz; poses"
        f" {100.0 * sum(poses) * sender.rate / count:.1f} %, other ticks"
        f" {100.0 * others * sender.rate / count:.1f} %"
    )
    print(f"{found.status.frames} frames computed, {found.status.frames_lost} lost")
    close_scene()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--traffic", choices=("slimevr", "slimevr-six", "send"), default="slimevr")
    parser.add_argument("--simulated", action="store_true", help="not with --traffic send")
    chosen = parser.parse_args()
    if chosen.simulated:
        simulate(chosen.traffic, chosen.seconds)
    else:
        perform(chosen.traffic, chosen.seconds)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # The bpy wheel may hang when the interpreter ends.
