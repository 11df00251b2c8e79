# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, with one module for each command.

Each module has ``add``, which declares its arguments, and ``run``, which returns the exit code.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..console import print_any_letters
from ..formats.errors import MotionFileWarning
from . import bench, evaluate, reconstruct, send, train
from .arguments import join_up_axis
from .progress import clear_line

_COMMANDS = {
    "reconstruct": reconstruct,
    "evaluate": evaluate,
    "train": train,
    "send": send,
    "bench": bench,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The words after the program's name; those of this process if None.

    Returns:
        The exit code: 0, 1 after an error that was explained, 130 after Ctrl-C. Wrong arguments
        raise argparse's SystemExit with 2.
    """
    print_any_letters()
    chosen = _parser().parse_args(join_up_axis(sys.argv[1:] if arguments is None else arguments))
    try:
        with _print_file_warnings():
            return _COMMANDS[chosen.command].run(chosen)
    except (ValueError, OSError) as error:
        # All errors of the core that a user can do something about are ValueErrors.
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        # The console script has a name of its own; argparse would call a module "__main__.py".
        prog="ssrhmr" if Path(sys.argv[0]).stem == "ssrhmr" else "python -m ssrhmr_core",
        description="Reconstruct whole-body motion from six trackers, without Blender.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in _COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0]
        module.add(commands.add_parser(name, help=summary, description=module.__doc__))
    return parser


@contextmanager
def _print_file_warnings() -> Iterator[None]:
    """Print what readers of files assumed, one line each, instead of Python's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", MotionFileWarning)
        show = warnings.showwarning

        def print_line(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, MotionFileWarning):
                clear_line()
                print(" ".join(str(message).split()), file=sys.stderr)
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = print_line
        yield
