# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables in the spellings of spreadsheets."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.formats.tables import LineError, read_table


@pytest.mark.parametrize(
    ("text", "header", "rows"),
    [
        ("a,b\n1,2\n", ["a", "b"], [(2, ["1", "2"])]),
        (" a ;b\r\n1;2\r\n\r\n3;4", ["a", "b"], [(2, ["1", "2"]), (4, ["3", "4"])]),
        ("a\tb\r1\t2", ["a", "b"], [(2, ["1", "2"])]),
        ("# made by hand\n\na,b\n1,2", ["a", "b"], [(4, ["1", "2"])]),
        ("sep=|\na|b,c\n1|2", ["a", "b,c"], [(3, ["1", "2"])]),
        ('"a;b",c\n"1,5",2', ["a;b", "c"], [(2, ["1,5", "2"])]),
    ],
)
def test_delimiters(text: str, header: list[str], rows: list[tuple[int, list[str]]]) -> None:
    table = read_table(text)
    assert table.header == header
    assert list(table.rows) == rows


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_empty(text: str) -> None:
    with pytest.raises(ValueError, match="the file is empty"):
        read_table(text)


def test_numbers() -> None:
    points, commas = read_table("a,b\n"), read_table("a;b\n")
    assert points.number(" 1.5e-3 ") == 0.0015
    assert commas.number("1,5") == commas.number("1.5") == 1.5
    assert np.isnan(points.number(" ")) and np.isnan(points.number("nan"))
    with pytest.raises(ValueError, match="decimal comma in a table that commas separate"):
        points.number("1,5")
    for word in ("1_000", "１", "1.234,5", "x", "0x10"):
        with pytest.raises(ValueError, match="is not a number"):
            commas.number(word)


def test_cells_without_end() -> None:
    table = read_table("a,b\n1," + "2" * 200_000)
    with pytest.raises(LineError) as error:
        list(table.rows)
    assert error.value.line == 2
