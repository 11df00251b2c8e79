# SPDX-License-Identifier: GPL-3.0-or-later
"""The tutorials' commands run; those of all pages are at least understood."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from ssrhmr_core import cli
from tests.replay_readme import ROOT, commands

TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CORE = "python -m ssrhmr_core "
SHORTER = {"--loop": "--seconds 0.2", "--stand 20": "--stand 0.1", "--minutes 0.2": "--steps 2"}
"""What would run for minutes is cut short."""


def core_commands(page: Path) -> list[str]:
    """List the core's commands in a tutorial, with the sample take for names in capitals."""
    found = commands(page.read_text(encoding="utf-8"))
    return [command.run.removeprefix(CORE) for command in found if command.run.startswith(CORE)]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_commands_of_a_tutorial_run_in_their_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = core_commands(page)
    if any(line.startswith("train") for line in lines):
        pytest.importorskip("torch")
    for folder in ("examples", "weights"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    for line in lines:
        for long, short in SHORTER.items():
            line = line.replace(long, short)
        assert cli.main(shlex.split(line)) == 0, line


def test_tutorials_have_commands() -> None:
    counts = {page.stem: len(core_commands(page)) for page in TUTORIALS}
    assert counts == {"bvh_rigify": 0, "index": 0, "mixamo": 1, "slimevr_vrm": 2, "train": 4}


def written_commands(page: Path) -> list[str]:
    """List the core's commands of any page, in blocks and sentences, joined where they wrap."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    text = re.sub(r"\n\s+(?=\[?--)", " ", text)
    lines = re.findall(r"(?:python|torchrun \S+ \S+) -m ssrhmr_core ([^`\n]+)", text)
    return [line.split("  #")[0].strip() for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_options_of_commands_exist(page: Path) -> None:
    for line in written_commands(page):
        if line.startswith(("--", "...")):
            continue
        name, *words = line.split()
        options = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(words)))
        parser = cli._parser()._subparsers._group_actions[0].choices[name]  # type: ignore[union-attr,index]
        known = set(parser._option_string_actions)
        assert options <= known | {"-x", "-y", "-z"}, line
