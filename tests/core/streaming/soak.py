# SPDX-License-Identifier: GPL-3.0-or-later
"""A long performance over a bad network: ``python -m tests.core.streaming.soak --minutes 10``.

``send`` runs as a program of its own at 250 Hz with 2 % of packets lost, 2 % reordered, jitter and
bursts; here a session reconstructs and records it. In between the program is started again
(``--restarts``), and once nothing comes for half a minute (``--sleep``), as when a computer sleeps.
Prints what was received, used and lost, how memory, threads and open files grew, and the worst
gaps; ends with an error if a packet or a reading that arrived is missing, or a thread was left.
``--latency`` leaves all that is bad out and ticks every millisecond, to measure the time from
packets to poses.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
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


def open_files() -> int:
    """Files and sockets that this process has open; 0 where the system does not tell."""
    try:
        return len(list(Path("/proc/self/fd").iterdir()))
    except OSError:
        return 0


@dataclass
class Figures:
    """What is measured while a session runs."""

    poses: int = 0
    incomplete: int = 0
    gap: float = 0.0
    waiting: int = 0
    memory: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    beyond: list[float] = field(default_factory=list)
    _last: float = math.nan
    _taken: int = 0

    def note_pose(self, pose: LivePose) -> None:
        self.poses += 1
        self.incomplete += not pose.valid.all()
        self.gap = max(self.gap, pose.time - self._last) if self.poses > 1 else 0.0
        self._last = pose.time

    def note_readings(self, received: int) -> None:
        self.waiting, self._taken = max(self.waiting, received - self._taken), received

    def note_delays(self, fresh: list[float], spent: float) -> None:
        self.delays += fresh
        self.beyond += [min(delay, spent) for delay in fresh]


def perform(
    session: LiveSession,
    receiver: Receiver,
    is_over: Callable[[], bool],
    pause: float,
    figures: Figures,
) -> None:
    """Tick until the sender ends, or silence does."""
    begin = time.perf_counter() - 10.0 * len(figures.memory)
    while not is_over():
        tick = time.perf_counter()
        before = session.status.frames
        figures.note_readings(receiver.counters.readings)
        pose = session.tick()
        if pose:
            figures.note_pose(pose)
            count = session.status.frames - before
            spent = time.perf_counter() - tick
            figures.note_delays(session._statistics.latencies[-count:], spent)
        if tick - begin > 10.0 * (len(figures.memory) + 1):
            figures.memory.append(resident())
            figures.threads.append(threading.active_count())
            figures.files.append(open_files())
        time.sleep(max(pause - (time.perf_counter() - tick), 0.0005))
    time.sleep(0.2)
    session.tick()


def send(
    chosen: argparse.Namespace, path: Path, port: int, seconds: float
) -> subprocess.Popen[str]:
    """Start the program that sends."""
    command = [sys.executable, "-m", "ssrhmr_core", "send", str(path), "--loop"]
    command += ["--protocol", chosen.protocol, "--port", str(port), "--seconds", str(seconds)]
    command += [] if chosen.latency else BAD
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def has_passed(moment: float) -> bool:
    return time.perf_counter() > moment


def print_delays(figures: Figures, model_ms: float) -> None:
    for words, values in (("packet to pose", figures.delays), ("beyond the tick", figures.beyond)):
        middle, worst = 1000.0 * np.percentile(values, (50, 99))
        print(
            f"{words}: median {middle:.2f} ms, 99th percentile {worst:.2f} ms,"
            f" of {len(values)} frames; the model alone {model_ms:.2f} ms"
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=250.0)
    parser.add_argument("--restarts", type=int, default=4)
    parser.add_argument("--sleep", type=float, default=30.0, help="seconds, before a restart")
    parser.add_argument("--protocol", choices=("vmc", "vrchat", "json"), default="vmc")
    parser.add_argument("--ticks", type=float, default=30.0, help="a second")
    parser.add_argument("--latency", action="store_true")
    return parser.parse_args()


def main() -> None:
    chosen = parse_arguments()
    seconds = 60.0 * chosen.minutes
    body = make_skeleton()
    take = Take.from_motion(make_motion(body, round(20.0 * chosen.rate), chosen.rate))
    with tempfile.TemporaryDirectory() as folder, Receiver(chosen.protocol, 0) as receiver:
        save_trackers(Path(folder) / "take.csv", take)
        roles = device_names(chosen.protocol)
        session = LiveSession(receiver, Reconstructor(body), roles, Calibration.none())
        session.start_recording(Path(folder) / "recorded.csv")
        pause = 0.001 if chosen.latency else 1.0 / chosen.ticks
        began, wall = os.times().user + os.times().system, time.perf_counter()
        figures, sent, parts = Figures(), 0, 1 if chosen.latency else 1 + chosen.restarts
        for part in range(parts):
            if part == parts // 2 and part:
                wakes = time.perf_counter() + chosen.sleep
                perform(session, receiver, partial(has_passed, wakes), pause, figures)
            sender = send(chosen, Path(folder) / "take.csv", receiver.port, seconds / parts)
            perform(session, receiver, lambda: sender.poll() is not None, pause, figures)  # noqa: B023
            found = re.search(r"(\d+) packets sent", sender.communicate()[0])
            if sender.returncode or not found:
                raise SystemExit(f"the sender ended early, with {sender.returncode}")
            sent += int(found[1])
        raw = session.stop_recording()
        counters, status = receiver.counters, session.status
        frames = len(raw.load())
    print(f"sent {sent} packets in {seconds:.0f} s; received {counters.datagrams}")
    print(f"{counters}")
    print(f"at most {figures.waiting} readings waited to be fetched")
    print(f"recorded {raw.readings} readings ({frames} frames) of {counters.readings}")
    print(
        f"model frames: {status.frames} computed, {status.frames_lost} lost,"
        f" {status.frames_waited} with a tracker missing; of {figures.poses} poses"
        f" {figures.incomplete} lack one"
    )
    print(f"worst gap between two poses: {1000.0 * figures.gap:.1f} ms of performance")
    if figures.memory:
        steps = " ".join(f"{at:.1f}" for at in figures.memory[:: max(len(figures.memory) // 12, 1)])
        print(f"memory after 10 s {figures.memory[0]:.1f}, at the end {figures.memory[-1]:.1f} MiB")
        print(f"  in between {steps}")
        print(f"threads {min(figures.threads)} to {max(figures.threads)},", end=" ")
        print(f"open files {min(figures.files)} to {max(figures.files)}")
    spent = os.times().user + os.times().system - began
    share = 100.0 * spent / (time.perf_counter() - wall)
    print(f"processor: {share:.1f} % of one core for receiving, poses and recording")
    if chosen.latency:
        print_delays(figures, status.model_ms)
    if counters.datagrams != sent or raw.readings != counters.readings or counters.dropped:
        raise SystemExit("something that arrived was lost")
    if figures.threads and figures.threads[-1] > figures.threads[0]:
        raise SystemExit("a thread was left")


if __name__ == "__main__":
    main()
