# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a take over the network as a tracking system would: a performer without hardware.

TAKE is a table of trackers, or a motion file whose own joints become the trackers.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from ..body.interpolation import regular_times
from ..evaluation.evaluate import Disturbance
from ..formats import load_take
from ..tracking.take import Take
from .arguments import (
    TAKE_HELP,
    add_extra_argument,
    add_file_arguments,
    drop,
    extra_names,
    file_options,
    noise,
)


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("take", type=Path, help=TAKE_HELP)
    parser.add_argument("--protocol", choices=("vmc", "vrchat", "json"), default="vmc")
    parser.add_argument("--host", default="127.0.0.1", help="address of the receiver")
    parser.add_argument(
        "--port", type=int, help="port of the receiver; the protocol's usual one by default"
    )
    parser.add_argument("--tcp", action="store_true", help="use TCP instead of UDP (json only)")
    parser.add_argument(
        "--rate", type=float, metavar="HZ", help="frames a second; those of the take by default"
    )
    parser.add_argument("--loop", action="store_true", help="repeat the take until Ctrl-C")
    parser.add_argument(
        "--stand",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="hold the first frame for this long before each repetition, for calibration",
    )
    parser.add_argument("--seconds", type=float, help="stop after this many seconds")
    parser.add_argument(
        "--noise",
        type=noise,
        default=(0.0, 0.0),
        metavar="MM,DEG",
        help="add noise to the trackers",
    )
    parser.add_argument(
        "--drop",
        type=drop,
        action="append",
        default=[],
        metavar="TRACKER:SECONDS",
        help="lose a tracker for this long, from a third of the take on",
    )
    add_extra_argument(parser)
    for name, unit, text in (
        ("loss", "PERCENT", "lose this share of the packets"),
        ("reorder", "PERCENT", "send this share of the packets after the next one"),
        ("duplicate", "PERCENT", "send this share of the packets twice"),
        ("jitter", "MS", "delay packets by this much on average"),
        ("burst", "MS", "hold packets back for this part of every second, then send all at once"),
        ("drift", "PPM", "run the sender's clock fast by this much"),
    ):
        parser.add_argument(f"--{name}", type=float, default=0.0, metavar=unit, help=text)
    add_file_arguments(parser, columns=True)
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers")


def run(chosen: argparse.Namespace) -> int:
    """Send until the end, or Ctrl-C.

    Raises:
        ValueError: The take cannot be used, or nobody listens on a TCP port.
        OSError: The take cannot be read.
    """
    from ..streaming.decoding import PORTS
    from ..streaming.sender import Conditions, devices_of, packets, play

    if chosen.tcp and chosen.protocol != "json":
        raise ValueError("--tcp goes with --protocol json only")
    take = _read_take(chosen)
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
    names = devices_of(take, chosen.protocol).items()
    listed = ", ".join(f"{role}: {name}" for role, name in names)
    print(f"{chosen.protocol} to {chosen.host}, port {port}; {listed}", flush=True)
    stream = packets(take, chosen.protocol, chosen.loop, conditions)
    if chosen.seconds is not None:
        stream = itertools.takewhile(lambda packet: packet[0] < chosen.seconds, stream)
    sent = play(stream, chosen.host, port, chosen.tcp)
    print(f"{sent} packets sent")
    return 0


def _read_take(chosen: argparse.Namespace) -> Take:
    """Read a take, at the rate and with the disturbances that were chosen.

    Raises:
        ValueError: The take cannot be used, or a number is out of its range.
        OSError: The take cannot be read.
    """
    take, _ = load_take(chosen.take, **file_options(chosen), extras=extra_names(chosen))
    take = _hold_first_frame(take, chosen.stand)
    if chosen.rate:
        if not 1.0 <= chosen.rate <= 1000.0:
            raise ValueError("--rate is 1 to 1000 frames a second")
        take = take.at(regular_times(take.times, chosen.rate))
    millimetres, degrees = chosen.noise
    disturbance = Disturbance(millimetres, degrees, tuple(chosen.drop), extras=chosen.extra or ())
    return disturbance.apply(take, chosen.seed)


def _hold_first_frame(take: Take, seconds: float) -> Take:
    """Return a take that begins some seconds earlier, in its first frame."""
    step = float(np.median(np.diff(take.times))) if len(take) > 1 else 1.0
    if not 0.0 <= seconds <= 3600.0:
        raise ValueError("--stand is 0 to 3600 seconds")
    before = np.arange(-round(seconds / step), 0)
    rows = np.concatenate([np.zeros_like(before), np.arange(len(take))])
    times = np.concatenate([take.times[0] + step * before, take.times])
    return Take(
        times,
        take.positions[rows],
        take.rotations[rows],
        take.valid[rows],
        take.extras.part(rows) if take.extras else None,
    )
