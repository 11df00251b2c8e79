# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of a command: one take on one character each, and whether it is done already."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..common.errors import UserError
from ..trackers.files import is_take, take_name

_RECORD_VERSION = 1
_LEFTOVER_SECONDS = 3600.0
"""Age of an unfinished file that no process can still be writing."""


class HeadlessError(UserError):
    """Something is wrong with the files or the command; the message says what to do."""


@dataclass(frozen=True)
class BakeOptions:
    """What the command line says about all tasks.

    Attributes:
        formats: Kinds of results to write: "blend", "bvh".
        calibrate_at: Seconds after a take's start at which to calibrate, None to use the
            calibration that is there.
        force: Whether to bake again what is done.
        trackers: Whether .blend files keep the trackers.
        extras: Optional trackers to make of whole-body motion.
    """

    formats: tuple[str, ...] = ("blend",)
    calibrate_at: float | None = None
    force: bool = False
    trackers: bool = True
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class BakeTask:
    """One take on one character.

    Attributes:
        take: Table of trackers, or whole-body motion whose joints are the trackers.
        character: .blend file.
        out: Folder for this character's results.
    """

    take: Path
    character: Path
    out: Path

    @property
    def label(self) -> str:
        """What the command calls this task."""
        return f"{self.take.stem} on {self.character.stem}"

    def result(self, suffix: str) -> Path:
        """Return a file of the results."""
        return self.out / f"{take_name(self.take)}.{suffix}"


def list_tasks(takes: Iterable[Path], characters: Iterable[Path], out: Path) -> list[BakeTask]:
    """Pair every take with every character.

    Args:
        takes: Take files, or folders of them.
        characters: .blend files.
        out: Folder for the results.

    Raises:
        HeadlessError: if a file is not a take, there are none, or two tasks would write to the
            same files.
    """
    files = _find_takes(takes)
    if not files:
        raise HeadlessError("no takes in these folders: name some that hold files of takes")
    tasks: dict[str, BakeTask] = {}
    for character in characters:
        for take in files:
            folder = out.resolve() / character.stem
            task = BakeTask(take.resolve(), character.resolve(), folder)
            path = task.result("json")
            other = tasks.setdefault(_name_anywhere(path), task)
            if other != task:
                raise HeadlessError(
                    f"{other.take} on {other.character} and {task.take} on {task.character} would"
                    f" both be written to {path.with_suffix('')}: give them other names"
                )
    return list(tasks.values())


def _name_anywhere(path: Path) -> str:
    """Return what is equal for names of files that are one and the same on Windows or macOS."""
    import unicodedata

    return unicodedata.normalize("NFC", str(path)).casefold()


def _find_takes(paths: Iterable[Path]) -> list[Path]:
    from ssrhmr_core.formats import TAKE_SUFFIXES

    takes: list[Path] = []
    for path in paths:
        if path.is_dir():
            takes += sorted(file for file in path.iterdir() if is_take(file))
        elif path.name.lower().endswith(TAKE_SUFFIXES):
            takes.append(path)
        else:
            suffixes = ", ".join(TAKE_SUFFIXES)
            raise HeadlessError(f"{path}: not a take: choose a file of these kinds: {suffixes}")
    return takes


def fingerprint(task: BakeTask, options: BakeOptions) -> str:
    """Return a digest of all that the results of a task depend on."""
    import hashlib

    from ssrhmr_core import __file__ as core
    from ssrhmr_core.model.weights import default_weights

    chosen = f"{options.calibrate_at} {options.trackers} {' '.join(options.extras)}"
    settings = f"{_RECORD_VERSION} {chosen} {bpy.app.version_string}"
    digest = hashlib.sha256(settings.encode())
    code = (Path(core).parent, Path(__file__).resolve().parents[1])
    sources = sorted(file for folder in code for file in folder.rglob("*.py"))
    for path in (task.take, task.character, default_weights(), *sources):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def is_done(task: BakeTask, key: str, formats: Iterable[str]) -> bool:
    """Return whether the results of a task exist and have the fingerprint ``key``."""
    try:
        record = json.loads(task.result("json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    matches = isinstance(record, dict) and record.get("key") == key
    return matches and all(task.result(each).is_file() for each in formats)


def write_record(task: BakeTask, key: str) -> None:
    """Record that a task is done: call it last, results without a record count as not done."""
    path = task.result("json")
    partial = partial_path(path)
    record = {"take": task.take.name, "character": task.character.name, "key": key}
    partial.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    put_in_place(partial, path)


def check_folder(task: BakeTask) -> None:
    """Check that results can be written, rather than after a take of an hour was baked.

    Raises:
        HeadlessError: if nothing can be written into the folder for the results.
    """
    probe = partial_path(task.result("json"))
    try:
        task.out.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise HeadlessError(
            f"'{task.out}' cannot be written ({error.strerror or error}): choose another folder"
            " with --out"
        ) from error


def put_in_place(partial: Path, path: Path) -> None:
    """Let a finished file take the place of an earlier one.

    Raises:
        HeadlessError: if the earlier one cannot be replaced, as on Windows while it is open.
    """
    try:
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise HeadlessError(
            f"'{path}' cannot be replaced ({error.strerror or error}): close the program that has"
            " it open, then start the command again"
        ) from error


def partial_path(path: Path) -> Path:
    """Return the file to write first, so that two processes at the same task do not collide."""
    return path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")


def remove_partials(task: BakeTask, process: int | None = None) -> None:
    """Remove unfinished files of a task, which a killed process left behind.

    Args:
        task: The task.
        process: The process that has ended. If None, all that are too old to be written still.
    """
    name = glob.escape(take_name(task.take))
    for path in task.out.glob(f"{name}.{process or '*'}.partial.*"):
        with contextlib.suppress(OSError):  # another process was quicker
            if process or time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                path.unlink()
