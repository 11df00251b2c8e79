# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes: results, resuming, crashes, interruptions, and what is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import bpy
import pytest

from ssrhmr_blender.headless import command, pool
from ssrhmr_blender.headless.tasks import BakeTask, remove_partials
from ssrhmr_core import Motion
from ssrhmr_core.formats.bvh import save_bvh
from tests.blender.conftest import make_armature

WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture
def files(tmp_path: Path, performance: Motion, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A character and a take, in a folder with a blank and other letters."""
    folder = tmp_path / "Übung 工程"
    (folder / "takes").mkdir(parents=True)
    make_armature("Hero", performance.skeleton)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "hero.blend"))
    save_bvh(folder / "takes" / "läuft.bvh", performance.at(performance.times[:20]))
    root = str(Path(__file__).parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
    start = [sys.executable, str(WORKER), "--command", command.NAME]
    monkeypatch.setattr(pool, "worker_command", lambda name: start)
    return folder


def arguments(files: Path, *more: str) -> list[str]:
    return [
        *("--takes", str(files / "takes"), "--characters", str(files / "hero.blend")),
        *("--out", str(files / "out"), "--jobs", "2", *more),
    ]


def results(files: Path) -> set[str]:
    return {path.name for path in (files / "out" / "hero").glob("*")}


def test_a_crash_costs_only_itself_and_a_stopped_run_goes_on_later(
    files: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One take is baked, one crashes, one never ends: a polite kill ends it with the command."""
    takes = files / "takes"
    (takes / "crash.bvh").write_text("", encoding="utf-8")
    shutil.copy(takes / "läuft.bvh", takes / "endless.bvh")

    told = threading.Event()

    def run_pool(name: str, tasks: Any, options: Any, processes: int, report: Any) -> None:
        def tell(task: BakeTask, is_done: bool, said: str) -> None:
            report(task, is_done, said)
            if task.take.stem == "läuft":
                told.set()

        pool.run_pool(name, tasks, options, processes, tell)

    def stop() -> None:
        assert told.wait(3600.0)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(command, "run_pool", run_pool)

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=stop, daemon=True).start()
    assert command.run(arguments(files)) == 130
    assert signal.getsignal(signal.SIGTERM) == before
    said = capfd.readouterr()
    assert "läuft on hero: baked in" in said.out and "start it again to go on" in said.err
    assert "crash on hero: FAILED: Blender ended with exit code" in said.err
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert str(files) not in listed
    assert results(files) == {"läuft.blend", "läuft.json"}

    (takes / "endless.bvh").rename(takes / "walk.bvh")
    (takes / "crash.bvh").write_text("HIERARCHY\nROOT", encoding="utf-8")
    (takes / "crash.bvh").rename(takes / "broken.bvh")
    assert command.run(arguments(files)) == 1
    said = capfd.readouterr()
    assert "[1/3] läuft on hero: done already" in said.out and "walk on hero: baked in" in said.out
    assert "broken on hero: FAILED: " in said.err and "exit code" not in said.err
    assert "2 of 3 done" in said.out
    assert results(files) == {"läuft.blend", "läuft.json", "walk.blend", "walk.json"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    task = BakeTask(tmp_path / "a[1].bvh", tmp_path / "hero.blend", tmp_path / "hero")
    task.out.mkdir()
    new, old, other = (
        task.out / name
        for name in ("a[1].7.partial.blend", "a[1].8.partial.bvh", "a1.7.partial.blend")
    )
    for path in (new, old, other):
        path.touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    remove_partials(task)
    assert sorted(task.out.iterdir()) == sorted([new, other])
    remove_partials(task, 7)
    assert list(task.out.iterdir()) == [other]


def test_a_worker_is_started_as_this_blender_was(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["blender", "--offline-mode", "--addons", "x", "--command", "ssrhmr_bake", "-j", "2"]
    monkeypatch.setattr(sys, "argv", words)
    assert pool.worker_command("ssrhmr_bake") == [
        *(bpy.app.binary_path, "--offline-mode", "--addons", "x", "--command", "ssrhmr_bake")
    ]
    monkeypatch.setattr(sys, "argv", ["blender", "-b", "-c", "ssrhmr_bake", "-c"])
    assert pool.worker_command("ssrhmr_bake")[1:] == ["-b", "--command", "ssrhmr_bake"]


@pytest.mark.parametrize("jobs", ["-1", "many"])
def test_numbers_of_jobs_that_are_wrong(files: Path, jobs: str) -> None:
    assert command.run([*arguments(files), "--jobs", jobs]) == 2
    assert not (files / "out").exists()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(20.0, "less than a minute"), (119.0, "about 2 min"), (8000.0, "about 2 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert command._duration(seconds) == text


@pytest.mark.parametrize(("jobs", "text"), [(1, "about 48 min"), (2, "about 24 min")])
def test_the_time_left_knows_of_the_other_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], jobs: int, text: str
) -> None:
    now = [0.0]
    monkeypatch.setattr(command.time, "monotonic", lambda: now[0])
    progress = command._Progress(25, jobs)
    now[0] = 120.0
    task = BakeTask(Path("walk.bvh"), Path("hero.blend"), Path("hero"))
    progress.report(task, True, "baked in 120.0 s")
    assert f"[1/25] walk on hero: baked in 120.0 s ({text} left)" in capsys.readouterr().out
