# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command ssrhmr_bake``: takes and characters from files, results to files.

Each take on each character is a task of its own with a record beside its results. A task whose
record fits its inputs is not done again, so an interrupted run continues where it stopped, and
several machines may share a folder.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..common.errors import UserError, plain_message
from .baking import FORMATS, bake_task
from .tasks import BakeOptions, BakeTask, fingerprint, is_done, list_tasks, write_record

if TYPE_CHECKING:
    import argparse

NAME = "ssrhmr_bake"

_handle: Any = None


def run(arguments: list[str]) -> int:
    """Bake what the command line names.

    Args:
        arguments: Words after the command's name.

    Returns:
        0 if everything is done, 1 if something failed, 2 if the command is wrong.
    """
    try:
        chosen = make_parser().parse_args(arguments)
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else 2
    try:
        tasks = list_tasks(chosen.takes, chosen.characters, chosen.out)
    except UserError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    options = BakeOptions(tuple(chosen.write), chosen.calibrate_at, chosen.force)
    failed = 0
    for number, task in enumerate(tasks, 1):
        label = f"[{number}/{len(tasks)}] {task.take.stem} on {task.character.stem}"
        failed += not _run_task(task, options, label)
    print(f"{len(tasks) - failed} of {len(tasks)} done", flush=True)
    return 1 if failed else 0


def _run_task(task: BakeTask, options: BakeOptions, label: str) -> bool:
    """Bake a task unless it is done; print what happens and return whether it succeeds."""
    begin = time.monotonic()
    try:
        key = fingerprint(task, options.calibrate_at)
        if not options.force and is_done(task, key, options.formats):
            print(f"{label}: done already", flush=True)
            return True
        notes = bake_task(task, options)
        write_record(task, key)
    except (UserError, ValueError, OSError, RuntimeError) as error:
        print(f"{label}: FAILED: {plain_message(error)}", file=sys.stderr, flush=True)
        return False
    seconds = time.monotonic() - begin
    print("; ".join([f"{label}: baked in {seconds:.1f} s", *notes]), flush=True)
    return True


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
    parser.add_argument("--force", action="store_true", help="bake again what is done")
    return parser


def register() -> None:
    """Add the command to Blender's command line."""
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, run)


def unregister() -> None:
    """Remove the command."""
    bpy.utils.unregister_cli_command(_handle)
