# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of arguments that several commands take."""

from __future__ import annotations

import argparse

from ..body.skeleton import TRACKERS


def noise(text: str) -> tuple[float, float]:
    """Read ``MM,DEG``."""
    try:
        millimetres, degrees = (float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError("write MM,DEG, as in 5,1") from error
    return millimetres, degrees


def drop(text: str) -> tuple[str, float]:
    """Read ``TRACKER:SECONDS`` or ``TRACKER:all``."""
    tracker, _, seconds = text.partition(":")
    if tracker not in TRACKERS:
        raise argparse.ArgumentTypeError("trackers are " + ", ".join(TRACKERS))
    try:
        return tracker, float("inf") if seconds == "all" else float(seconds)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            "write TRACKER:SECONDS, as in pelvis:2, or TRACKER:all"
        ) from error
