# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command ssrhmr_bake``: takes and characters from files, results to files.

Each take on each character is a task of its own with a record beside its results. A task whose
record fits its inputs is not done again, so an interrupted run continues where it stopped, and
several processes or machines may share a folder.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..common.errors import UserError, plain_message
from .baking import FORMATS, bake_task
from .pool import PoolInterruptedError, run_pool
from .tasks import (
    BakeOptions,
    BakeTask,
    check_folder,
    fingerprint,
    is_done,
    list_tasks,
    remove_partials,
    write_record,
)

if TYPE_CHECKING:
    import argparse

NAME = "ssrhmr_bake"
_DONE_ALREADY = "done already"

_handle: Any = None


def run(arguments: list[str]) -> int:
    """Bake what the command line names.

    Args:
        arguments: Words after the command's name.

    Returns:
        0 if everything is done, 1 if something failed, 2 if the command is wrong.
    """
    from ssrhmr_core.console import print_any_letters

    print_any_letters()
    try:
        chosen = make_parser().parse_args(arguments)
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else 2
    try:
        tasks = list_tasks(chosen.takes, chosen.characters, chosen.out)
    except UserError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    options = BakeOptions(
        formats=tuple(chosen.write),
        calibrate_at=chosen.calibrate_at,
        force=chosen.force,
        trackers=not chosen.no_trackers,
        extras=chosen.extra,
    )
    jobs = chosen.jobs or os.cpu_count() or 1
    progress = _Progress(len(tasks), jobs)
    try:
        if chosen.jobs == 1:
            for task in tasks:
                progress.report(task, *_run_task(task, options))
        else:
            _run_jobs(tasks, options, jobs, progress)
    except PoolInterruptedError:
        print(f"{NAME}: stopped; start it again to go on", file=sys.stderr, flush=True)
        return 130
    print(f"{len(tasks) - progress.failed} of {len(tasks)} done", flush=True)
    return 1 if progress.failed else 0


class _Progress:
    """What is printed as tasks end: how many have, and about how long the rest takes."""

    def __init__(self, total: int, jobs: int = 1) -> None:
        self.failed = 0
        self._jobs = jobs
        self._total, self._ended, self._baked = total, 0, 0
        self._begin = time.monotonic()

    def report(self, task: BakeTask, succeeded: bool, text: str) -> None:
        """Print how a task ended."""
        self._ended += 1
        self._baked += text != _DONE_ALREADY
        self.failed += not succeeded
        line = f"[{self._ended}/{self._total}] {task.label}: {text}"
        left = self._total - self._ended
        if succeeded and self._baked and left:
            # As the first of several processes ends, the others have done almost as much.
            baked = max(self._baked, self._jobs)
            seconds = (time.monotonic() - self._begin) / baked * left
            line += f" ({_duration(seconds)} left)"
        print(line, file=sys.stdout if succeeded else sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60.0)
    if minutes < 1:
        return "less than a minute"
    return f"about {minutes} min" if minutes < 120 else f"about {minutes / 60.0:.0f} h"


def _run_jobs(tasks: list[BakeTask], options: BakeOptions, jobs: int, progress: _Progress) -> None:
    """Bake what is not done in several processes."""
    waiting = []
    for task in tasks:
        with contextlib.suppress(OSError):  # a file that cannot be read; its worker says so
            key = fingerprint(task, options)
            if not options.force and is_done(task, key, options.formats):
                progress.report(task, True, _DONE_ALREADY)
                continue
        waiting.append(task)
    run_pool(NAME, waiting, options, jobs, progress.report)


def _run_task(task: BakeTask, options: BakeOptions) -> tuple[bool, str]:
    """Bake a task unless it is done; return whether it succeeds and what to say of it."""
    begin = time.monotonic()
    try:
        key = fingerprint(task, options)
        if not options.force and is_done(task, key, options.formats):
            return True, _DONE_ALREADY
        remove_partials(task)
        check_folder(task)
        notes = bake_task(task, options)
        write_record(task, key)
    except (UserError, ValueError, OSError, RuntimeError) as error:
        return False, f"FAILED: {plain_message(error)}"
    return True, "; ".join([f"baked in {time.monotonic() - begin:.1f} s", *notes])


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the words after the command's name."""
    import argparse  # with gettext a tenth of what enabling the add-on takes

    parser = argparse.ArgumentParser(
        prog=f"blender --command {NAME}",
        description="Bake takes onto characters without a window."
        " What is done already is not done again.",
    )
    parser.add_argument(
        "--takes",
        "-t",
        nargs="+",
        type=Path,
        required=True,
        help="tables of trackers (.csv, .tsv, .trc), whole-body motion whose joints become the"
        " trackers (.bvh, .npz), or folders of them",
    )
    parser.add_argument(
        "--characters",
        "-c",
        nargs="+",
        type=Path,
        required=True,
        help=".blend files, each with the setup that it was saved with",
    )
    parser.add_argument("--out", "-o", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--write",
        nargs="+",
        choices=FORMATS,
        default=["blend"],
        help="what to write of each take (default: blend)",
    )
    parser.add_argument(
        "--calibrate-at",
        type=float,
        metavar="SECONDS",
        help="calibrate every take at this time after its start; otherwise a table of trackers uses"
        " the calibration saved with the character, and whole-body motion needs none",
    )
    parser.add_argument(
        "--no-trackers",
        action="store_true",
        help="leave the trackers out of .blend files, which takes less memory",
    )
    parser.add_argument(
        "--extra",
        type=_extras,
        default=(),
        metavar="TRACKER,...",
        help="optional trackers to make of whole-body motion, as in elbows,knees,chest; those of"
        " tables are always used",
    )
    parser.add_argument("--force", action="store_true", help="bake again what is done")
    parser.add_argument(
        "--jobs",
        "-j",
        type=_count,
        default=1,
        metavar="NUMBER",
        help="takes to bake at once, each in a Blender of its own; 0: one a core (default: 1)",
    )
    return parser


def _extras(words: str) -> tuple[str, ...]:
    """Return the optional trackers of a list of names, or of pairs such as elbows."""
    import argparse

    from ssrhmr_core.body.extra_trackers import EXTRA_GROUPS, EXTRA_TRACKERS

    names = [word.strip() for word in words.split(",")]
    chosen = [role for name in names for role in EXTRA_GROUPS.get(name, (name,))]
    unknown = [role for role in chosen if role not in EXTRA_TRACKERS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is no optional tracker; they are {', '.join(EXTRA_GROUPS)}, and single"
            " ones such as left_elbow"
        )
    return tuple(role for role in EXTRA_TRACKERS if role in chosen)


def _count(word: str) -> int:
    """Return a number of processes; argparse turns a ValueError into its own message."""
    number = int(word)
    if number < 0:
        raise ValueError
    return number


def register() -> None:
    """Add the command to Blender's command line."""
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, run)


def unregister() -> None:
    """Remove the command."""
    bpy.utils.unregister_cli_command(_handle)
