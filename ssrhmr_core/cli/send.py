# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a take over the network as a tracking system would: a performer without hardware.

TAKE is a tracker .csv, or a motion file whose own six joints become the trackers.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from ..body.interpolation import regular_times
from ..evaluation.evaluate import Disturbance
from ..formats import load_motion
from ..formats.trackers_csv import load_trackers
from ..tracking.take import Take
from .arguments import drop, noise


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("take", type=Path, help="tracker .csv, or a .bvh, .bvh.xz or AMASS .npz")
    parser.add_argument("--protocol", choices=("vmc", "vrchat", "json"), default="vmc")
    parser.add_argument("--host", default="127.0.0.1", help="where the receiver runs")
    parser.add_argument("--port", type=int, help="the protocol's own if not given")
    parser.add_argument("--tcp", action="store_true", help="over TCP instead of UDP (json only)")
    parser.add_argument("--rate", type=float, metavar="HZ", help="the take's own if not given")
    parser.add_argument("--loop", action="store_true", help="begin anew at the end, until Ctrl-C")
    parser.add_argument(
        "--stand",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="stay in the first frame for so long before each turn, to be calibrated",
    )
    parser.add_argument("--seconds", type=float, help="end after so many seconds")
    parser.add_argument(
        "--noise", type=noise, default=(0.0, 0.0), metavar="MM,DEG", help="noise on the trackers"
    )
    parser.add_argument(
        "--drop",
        type=drop,
        action="append",
        default=[],
        metavar="TRACKER:SECONDS",
        help="a tracker is not seen for so long, from a third of the take on",
    )
    for name, unit, text in (
        ("loss", "PERCENT", "of packets are lost"),
        ("reorder", "PERCENT", "of packets come after the next one"),
        ("duplicate", "PERCENT", "of packets come twice"),
        ("jitter", "MS", "that packets are late on average"),
        ("burst", "MS", "of every second in which packets are held back, then come at once"),
        ("drift", "PPM", "by which the sender's clock is fast"),
    ):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar=unit, help=text)
    parser.add_argument("--seed", type=int, default=0, help="of all that is random")


def run(chosen: argparse.Namespace) -> None:
    """Send until the end, or Ctrl-C.

    Raises:
        ValueError: if the take cannot be used, or nobody listens on a TCP port.
    """
    from ..streaming.decoding import PORTS
    from ..streaming.sender import Conditions, device_names, packets, play

    if chosen.tcp and chosen.protocol != "json":
        raise ValueError("--tcp goes with --protocol json only")
    take = _standing(_take(chosen.take), chosen.stand)
    if chosen.rate:
        if not 1.0 <= chosen.rate <= 1000.0:
            raise ValueError("--rate is 1 to 1000 frames a second")
        take = take.at(regular_times(take.times, chosen.rate))
    millimetres, degrees = chosen.noise
    take = Disturbance(millimetres, degrees, tuple(chosen.drop)).apply(take, chosen.seed)
    conditions = Conditions(
        loss=0.01 * chosen.loss,
        jitter=0.001 * chosen.jitter,
        reorder=0.01 * chosen.reorder,
        duplicate=0.01 * chosen.duplicate,
        burst=min(0.001 * chosen.burst, 1.0),
        drift=1e-6 * chosen.drift,
        seed=chosen.seed,
    )
    port = PORTS[chosen.protocol] if chosen.port is None else chosen.port
    names = ", ".join(f"{role}: {name}" for role, name in device_names(chosen.protocol).items())
    print(f"{chosen.protocol} to {chosen.host}, port {port}; {names}", flush=True)
    made = packets(take, chosen.protocol, chosen.loop, conditions)
    if chosen.seconds is not None:
        made = itertools.takewhile(lambda packet: packet[0] < chosen.seconds, made)
    sent = play(made, chosen.host, port, chosen.tcp)
    print(f"{sent} packets sent")


def _take(path: Path) -> Take:
    if path.suffix.lower() == ".csv":
        return load_trackers(path)
    return Take.from_motion(load_motion(path))


def _standing(take: Take, seconds: float) -> Take:
    """Return a take that stays in its first frame for some seconds more."""
    step = float(np.median(np.diff(take.times))) if len(take) > 1 else 1.0
    if not 0.0 <= seconds <= 3600.0:
        raise ValueError("--stand is 0 to 3600 seconds")
    before = np.arange(-round(seconds / step), 0)
    rows = np.concatenate([np.zeros_like(before), np.arange(len(take))])
    times = np.concatenate([take.times[0] + step * before, take.times])
    return Take(times, take.positions[rows], take.rotations[rows], take.valid[rows])
