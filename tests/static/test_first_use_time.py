# SPDX-License-Identifier: GPL-3.0-or-later
"""The time of a first use: what the page says is what the model gives, and it is short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import first_use_time

ROOT = Path(__file__).resolve().parents[2]
GOAL = 300.0
"""Seconds from nothing to a baked character, of a person's time."""


def test_actions_have_their_times() -> None:
    # Think, point at a file, click twice; then move the hand to the keys and press one.
    assert first_use_time.seconds_of("M P4B H K") == pytest.approx(1.35 + 1.1 + 0.4 + 0.4 + 0.28)
    assert first_use_time.seconds_of("22K") == pytest.approx(22 * 0.28)


def test_the_page_has_the_table() -> None:
    page = (ROOT / "docs" / "developers.md").read_text(encoding="utf-8")
    for step, number, seconds in first_use_time.rows():
        assert f"| {step} | {number} | {seconds:.0f} |" in page


def test_what_is_counted_is_what_the_readme_names() -> None:
    """A new step in the README changes the count."""
    readme = first_use_time.README.read_text(encoding="utf-8")
    part = readme[readme.index(first_use_time.READ[0]) : readme.index(first_use_time.READ[1])]
    for text in ("python build_addon.py", "Install from Disk", "Detect Bones", "Calibrate", "Bake"):
        assert text in part
    counted = [name for actions in first_use_time.ACTIONS.values() for name, _ in actions]
    for text in ("python build_addon.py", "Install from Disk", "Detect Bones", "Calibrate", "Bake"):
        assert any(text in name for name in counted)


def test_it_is_within_the_goal() -> None:
    page = (ROOT / "docs" / "developers.md").read_text(encoding="utf-8")
    said = re.search(r"takes ([\d.]+) minutes at 238 words", " ".join(page.split()))
    assert said is not None
    reading = 60.0 * first_use_time.words_read() / first_use_time.WORDS_A_MINUTE
    assert reading == pytest.approx(60.0 * float(said[1]), rel=0.15)
    machine = 20.0
    assert sum(seconds for _, _, seconds in first_use_time.rows()) + reading + machine < GOAL
