# SPDX-License-Identifier: GPL-3.0-or-later
"""A long performance over a bad network: ``python -m tests.core.streaming.soak --minutes 10``.

``send`` runs as a program of its own at 120 Hz with 2 % of packets lost, 2 % reordered, jitter and
bursts; here a session reconstructs and records it. Prints what was received, used and lost, how
memory grew, and the worst gaps. ``--latency`` leaves all that is bad out and ticks every
millisecond, to measure the time from packets to poses.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.live import LivePose, LiveSession
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.streaming import Receiver
from ssrhmr_core.streaming.sender import device_names
from ssrhmr_core.tracking.calibration import Calibration
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton

BAD = ["--loss", "2", "--reorder", "2", "--duplicate", "1", "--jitter", "2", "--burst", "150"]


def resident() -> float:
    """Memory of this process in MiB; nan where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=120.0)
    parser.add_argument("--protocol", choices=("vmc", "vrchat", "json"), default="vmc")
    parser.add_argument("--ticks", type=float, default=30.0, help="a second")
    parser.add_argument("--latency", action="store_true")
    chosen = parser.parse_args()
    seconds = 60.0 * chosen.minutes
    body = make_skeleton()
    take = Take.from_motion(make_motion(body, round(20.0 * chosen.rate), chosen.rate))
    pause = 0.001 if chosen.latency else 1.0 / chosen.ticks
    with tempfile.TemporaryDirectory() as folder, Receiver(chosen.protocol, 0) as receiver:
        save_trackers(Path(folder) / "take.csv", take)
        roles = device_names(chosen.protocol)
        session = LiveSession(receiver, Reconstructor(body), roles, Calibration.none())
        session.start_recording(Path(folder) / "recorded.csv")
        command = [sys.executable, "-m", "ssrhmr_core", "send", f"{folder}/take.csv", "--loop"]
        command += ["--protocol", chosen.protocol, "--port", str(receiver.port)]
        command += ["--seconds", str(seconds), *([] if chosen.latency else BAD)]
        sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        poses, unseen = Poses(), 0
        memory: list[float] = []
        delays: list[float] = []
        beyond: list[float] = []
        taken = waiting = 0
        begin = time.perf_counter()
        while sender.poll() is None:
            tick = time.perf_counter()
            before = session.status.frames if chosen.latency else 0
            came = receiver.counters.readings
            waiting, taken = max(waiting, came - taken), came
            pose = session.tick()
            if pose:
                poses.note(pose)
                unseen += not pose.valid.all()
                if chosen.latency:
                    count = session.status.frames - before
                    spent = time.perf_counter() - tick
                    fresh = session._statistics.latencies[-count:]
                    delays += fresh
                    beyond += [min(delay, spent) for delay in fresh]
            if tick - begin > 10.0 * (len(memory) + 1):
                memory.append(resident())
            time.sleep(max(pause - (time.perf_counter() - tick), 0.0005))
        time.sleep(0.2)
        session.tick()
        raw = session.stop_recording()
        text = sender.communicate()[0]
        found = re.search(r"(\d+) packets sent", text)
        sent = int(found[1]) if found else 0
        counters, status = receiver.counters, session.status
        loaded = raw.load()
    if sender.returncode:
        print(f"the sender ended early, with {sender.returncode}")
    print(f"sent {sent} packets in {seconds:.0f} s; received {counters.datagrams}")
    print(f"{counters}")
    print(f"at most {waiting} readings waited to be fetched")
    print(f"recorded {raw.readings} readings ({len(loaded)} frames) of {counters.readings}")
    print(
        f"model frames: {status.frames} computed, {status.frames_lost} lost,"
        f" {status.frames_waited} with a tracker missing; of {poses.count} poses {unseen} lack one"
    )
    print(f"worst gap between two poses: {1000.0 * poses.gap:.1f} ms of performance")
    if memory:
        print(f"memory after 10 s {memory[0]:.1f}, at the end {memory[-1]:.1f} MiB")
    for words, values in (("packet to pose", delays), ("beyond the tick", beyond)):
        if values:
            middle, worst = 1000.0 * np.percentile(values, (50, 99))
            print(
                f"{words}: median {middle:.2f} ms, 99th percentile {worst:.2f} ms,"
                f" of {len(values)} frames; the model alone {status.model_ms:.2f} ms"
            )


class Poses:
    """Counts poses and keeps the widest gap."""

    def __init__(self) -> None:
        self.count, self.gap, self._last = 0, 0.0, float("nan")

    def note(self, pose: LivePose) -> None:
        self.count += 1
        self.gap = max(self.gap, pose.time - self._last) if self.count > 1 else 0.0
        self._last = pose.time


if __name__ == "__main__":
    main()
