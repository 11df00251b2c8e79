# SPDX-License-Identifier: GPL-3.0-or-later
"""How ``tasks.py test`` runs its stages beside each other."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import tasks


def fail() -> None:
    raise subprocess.CalledProcessError(3, "a check")


def test_stages_wait_for_those_that_they_need() -> None:
    """Also for failed ones; what waits for nobody takes the core that is free."""
    stages, order = tasks.Stages(), list[str]()
    free = threading.Event()

    def long() -> None:
        assert free.wait(60.0), "the other stages did not run beside it"
        order.append("long")

    def last() -> None:
        order.append("last")
        free.set()

    actions: dict[str, Callable[[], object]] = {
        "needs failed": partial(order.append, "needs failed"),
        "long": long,
        "failed": fail,
        "last": last,
        "needs long": partial(order.append, "needs long"),
    }
    after = {
        "needs failed": ("failed",),
        "needs long": ("long", "failed"),
        "last": ("needs failed",),
    }
    stages.run_side_by_side(actions, after, workers=2)
    assert order == ["needs failed", "last", "long", "needs long"]
    results = {name: result for name, result, _ in stages.rows}
    assert results.pop("failed") == "FAILED with exit code 3"
    assert set(results.values()) == {"passed"} and len(results) == 4
    assert not stages.summarize()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_more_stages_run_at_once_than_there_are_cores(workers: int) -> None:
    lock, now, most = threading.Lock(), 0, 0
    meeting = threading.Barrier(workers)

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        meeting.wait(60.0)
        with lock:
            now -= 1

    stages = tasks.Stages()
    stages.run_side_by_side({str(n): work for n in range(6)}, {}, workers)
    assert most == workers and len(stages.rows) == 6


def test_output_of_a_stage_is_in_one_piece(capfd: pytest.CaptureFixture[str]) -> None:
    say = "import time; print('begin {0}', flush=True); time.sleep(0.3); print('end {0}')"
    actions = {
        name: partial(tasks.run, sys.executable, "-c", say.format(name)) for name in ("one", "two")
    }
    tasks.Stages().run_side_by_side(actions, {}, workers=2)
    shown = capfd.readouterr().out
    for name in actions:
        assert f"=== {name} ===\nbegin {name}\nend {name}\n" in shown


def test_every_stage_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """None waits for one that is not there; two that write into one folder never run at once."""
    for window in (True, False):
        monkeypatch.setattr(tasks, "has_window", lambda window=window: window)
        checks, after = tasks.side_by_side(Path("python"), ["mypy"], ["4.2", "newest"])
        assert {*after} <= {*checks}
        assert {first for firsts in after.values() for first in firsts} <= {*checks}
        assert {"core", "static", "docs", "types", "blender-4.2", "install-newest"} <= {*checks}
        windows = [name for name in checks if name.startswith("window")]
        assert windows == (["window"] if window else ["window-4.3", "window-5.2"])
        assert all("zip" in after[name] for name in windows)
        assert window or "window-4.3" in after["window-5.2"]


def test_variables_reach_one_command_alone(tmp_path: Path) -> None:
    out = tmp_path / "seen"
    ask = f"import os; open({str(out)!r}, 'w', encoding='utf-8').write(os.environ['SSRHMR_ONE'])"
    tasks.run(sys.executable, "-c", ask, more={"SSRHMR_ONE": "yes"})
    assert out.read_text(encoding="utf-8") == "yes"
    with pytest.raises(subprocess.CalledProcessError):
        tasks.run(sys.executable, "-c", ask)


def test_answers_of_interpreters_may_have_any_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder on Windows has those of its user, and its output those of a region."""
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252:backslashreplace")
    said = tasks.ask([sys.executable], "print('C:\\\\Jörg 工程')")
    assert said.stdout.strip() == r"C:\Jörg 工程"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no chroot")
def test_a_shared_folder_is_used_by_one_run_at_a_time(tmp_path: Path) -> None:
    hold = (
        "import sys, tasks; from pathlib import Path\n"
        "with tasks.alone(Path(sys.argv[1])): print('mine', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / "shared")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tasks.ROOT, text=True, **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "mine\n"
        got = threading.Event()

        def wait() -> None:
            with tasks.alone(tmp_path / "shared"):
                got.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert not got.wait(0.5)
        other.stdin.close()
        assert got.wait(60.0)
        thread.join()
