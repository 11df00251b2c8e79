# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's figures are those of the model card."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
CARD = (ROOT / "weights" / "MODEL_CARD.md").read_text(encoding="utf-8")


def row_of_card(name: str) -> list[str]:
    """Return the cells of the first row whose name begins so."""
    rows = [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in CARD.splitlines()]
    return next(row for row in rows if row and row[0].startswith(name))


@pytest.mark.parametrize(
    ("sentence", "row"),
    [
        (r"noise of 5 mm and 1 degree it is (.*?) mm", "all, noise 5 mm, 1 degree"),
        (r"without the pelvis tracker (.*?) mm", "all, no pelvis"),
        (r"without feet (.*?) mm", "all, no feet (`--only`"),
        (r"with head and hands alone (.*?) mm", "all, head and hands alone (`--only`"),
        (r"this model \| (.*?) mm", "all"),
        (r"this model \| .*? mm \| (.*?) mm", "MPEEPE"),
    ],
)
def test_figures_of_the_readme_are_those_of_the_card(sentence: str, row: str) -> None:
    found = re.search(sentence, README)
    assert found is not None
    column = 3 if row == "MPEEPE" else 1
    assert found[1] == row_of_card("all" if row == "MPEEPE" else row)[column]


def test_the_spread_of_the_readme_is_that_of_the_card() -> None:
    found = re.search(r"ranges from (.*?) to (.*?) mm \(median (.*?)\)", README)
    best = re.search(r"MPJPE (\S+) mm \(best\).*? (\S+) \(median\).*? (\S+) \(worst", CARD)
    assert found is not None and best is not None
    assert (found[1], found[3], found[2]) == best.groups()
