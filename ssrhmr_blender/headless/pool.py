# SPDX-License-Identifier: GPL-3.0-or-later
"""Several Blenders at once, each of which bakes one take and ends.

A process a take bounds memory, whatever Blender keeps of the files that it opened, and a take that
crashes Blender costs only itself. Starting Blender takes a second or two.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import bpy

from .tasks import BakeOptions, BakeTask, remove_partials

_POLL_SECONDS = 0.1
WORKER_ENVIRONMENT = {
    # The processes share the cores; threads of NumPy in each of them would only fight for these.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # The GNU C library would keep the memory of arrays up to 32 MB for later.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    # What they say is read as UTF-8. Blender sets that itself, as a module it does not.
    "PYTHONIOENCODING": "utf-8:backslashreplace",
}
"""What is set for the processes that bake."""


class PoolInterruptedError(Exception):
    """Somebody stopped the command; no worker runs any more."""


@dataclass
class _Worker:
    """A Blender that bakes one take."""

    task: BakeTask
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def result(self) -> tuple[bool, str]:
        """Return whether the task succeeded, and what the worker said of it."""
        self.output.seek(0)
        text = self.output.read().decode("utf-8", "replace")
        self.output.close()
        label = f"[1/1] {self.task.label}: "
        said = [line.removeprefix(label) for line in text.splitlines() if line.startswith(label)]
        code = self.process.returncode
        if said and (code == 0) == (not said[-1].startswith("FAILED")):
            return code == 0, said[-1]
        last = next(
            (line for line in reversed(text.splitlines()) if line.strip()), "it said nothing"
        )
        return False, f"FAILED: Blender ended with exit code {code}: {last.strip()}"


def run_pool(
    name: str,
    tasks: list[BakeTask],
    options: BakeOptions,
    processes: int,
    report: Callable[[BakeTask, bool, str], None],
) -> None:
    """Bake tasks in several processes.

    Args:
        name: The command that a worker runs.
        tasks: What to bake.
        options: What the command line says about all tasks.
        processes: How many workers run at once.
        report: Called as each task ends, with whether it succeeded and what the worker said.

    Raises:
        PoolInterruptedError: Somebody stopped the command.
    """
    waiting = list(reversed(tasks))
    running: list[_Worker] = []
    with _interruptible():
        try:
            while waiting or running:
                while waiting and len(running) < processes:
                    running.append(_start(name, waiting.pop(), options))
                ended = [worker for worker in running if worker.process.poll() is not None]
                running = [worker for worker in running if worker not in ended]
                for worker in ended:
                    remove_partials(worker.task, worker.process.pid)
                    report(worker.task, *worker.result())
                if not ended:
                    time.sleep(_POLL_SECONDS)
        finally:
            for worker in running:
                worker.process.kill()
                worker.process.wait()
                worker.output.close()
                remove_partials(worker.task, worker.process.pid)


def worker_command(name: str) -> list[str]:
    """Return how this Blender was started, up to its command.

    Options such as ``--factory-startup`` or ``--addons`` decide whether the add-on is enabled.
    """
    before = sys.argv[1:]
    for word in ("--command", "-c"):
        if word in before:
            before = before[: before.index(word)]
    return [bpy.app.binary_path, *before, "--command", name]


def _start(name: str, task: BakeTask, options: BakeOptions) -> _Worker:
    words = [
        *("--takes", str(task.take), "--characters", str(task.character)),
        *("--out", str(task.out.parent), "--write", *options.formats),
    ]
    if options.calibrate_at is not None:
        words += ["--calibrate-at", repr(options.calibrate_at)]
    if options.extras:
        words += ["--extra", ",".join(options.extras)]
    if options.force:
        words.append("--force")
    if not options.trackers:
        words.append("--no-trackers")
    # Not a pipe, which nobody would empty while others are awaited. The worker closes it.
    output = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [*worker_command(name), *words],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **WORKER_ENVIRONMENT},
    )
    return _Worker(task, process, output)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Ctrl-C and a polite kill into an exception, so that no worker is left behind."""

    def interrupt(*_: Any) -> NoReturn:
        raise PoolInterruptedError

    former = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            # None: the handler was not set by Python, and can only be replaced by the default.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
