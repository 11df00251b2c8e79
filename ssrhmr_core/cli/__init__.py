# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: one module a command, each with ``add`` (its arguments) and ``run``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import bench, evaluate, reconstruct, send, train

_COMMANDS = {
    "reconstruct": reconstruct,
    "evaluate": evaluate,
    "train": train,
    "send": send,
    "bench": bench,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 after an error that was explained, or argparse's 2."""
    parser = argparse.ArgumentParser(
        prog="python -m ssrhmr_core",
        description="Whole-body motion from six trackers, without Blender.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in _COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        module.add(commands.add_parser(name, help=summary, description=summary))
    chosen = parser.parse_args(arguments)
    try:
        _COMMANDS[chosen.command].run(chosen)
    except (ValueError, OSError) as error:
        # All errors of the core that a user can do something about are ValueErrors.
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0
