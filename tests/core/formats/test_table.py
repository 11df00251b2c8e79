# SPDX-License-Identifier: GPL-3.0-or-later
"""A little of what ``python -m tests.core.formats.table`` does at length."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.core.formats.table import run_table

REFUSED = {"not a number", "row damaged"}


def test_table(tmp_path: Path) -> None:
    judged = run_table(tmp_path, 120, seed=7)
    counts = Counter(outcome for _, outcome, _ in judged)
    assert counts["wrong in silence"] == counts["wrong, warned"] == 0
    assert {case.fault for case, outcome, _ in judged if outcome == "refused"} <= REFUSED
    assert counts["right"] >= 10 and counts["right, warned"] >= 80
    assert all(said for _, outcome, said in judged if outcome != "right")
