# SPDX-License-Identifier: GPL-3.0-or-later
"""Which unit a file is in, from the size of its body."""

from __future__ import annotations

import pytest

from ssrhmr_core.formats import MotionFileError
from ssrhmr_core.formats.units import UNITS, guess_unit, parse_unit


@pytest.mark.parametrize("unit", ["m", "cm", "mm", "in", "acclaim"])
@pytest.mark.parametrize("size", [1.3, 1.4, 1.5])
def test_adults_in_common_units_go_without_saying(unit: str, size: float) -> None:
    guess = guess_unit(size / UNITS[unit])
    assert guess.metres == UNITS[unit] and not guess.note


@pytest.mark.parametrize("metres", [0.1, 0.3048, 1e-4, 1e-5, 10.0, 100.0])
@pytest.mark.parametrize("size", [1.25, 1.4, 1.55])
def test_uncommon_units_are_reported(metres: float, size: float) -> None:
    guess = guess_unit(size / metres)
    assert guess.metres == metres
    assert "--unit=" in guess.note and f"{size:.2f} m" in guess.note


@pytest.mark.parametrize("unit", ["m", "cm", "mm"])
@pytest.mark.parametrize("size", [0.65, 0.8, 1.0, 1.75])
def test_children_and_giants(unit: str, size: float) -> None:
    assert guess_unit(size / UNITS[unit]).metres == UNITS[unit]


@pytest.mark.parametrize("size", [0.3, 2.6])
def test_what_is_out_of_the_ordinary_is_reported(size: float) -> None:
    assert guess_unit(size).note


@pytest.mark.parametrize(
    ("unit", "metres"), [("cm", 0.01), (" MM ", 0.001), ("0.5", 0.5), (2, 2.0), (None, None)]
)
def test_parse_unit(unit: str | float | None, metres: float | None) -> None:
    assert parse_unit(unit) == metres


@pytest.mark.parametrize("unit", ["", "yard", 0.0, -2.0, float("nan"), float("inf"), "1e999"])
def test_no_units(unit: str | float) -> None:
    with pytest.raises(MotionFileError, match="choose m, cm, mm"):
        parse_unit(unit)
