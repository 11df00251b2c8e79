# SPDX-License-Identifier: GPL-3.0-or-later
"""Text tables as programs and spreadsheets of any country write them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

_DELIMITERS = ",;\t"
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


class LineError(ValueError):
    """A line of a table is wrong.

    Attributes:
        line: Its number, from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Table:
    """The rows of a table, read one by one.

    Attributes:
        header: Cells of the first row.
        decimal_commas: Whether commas are free to separate decimals.
        rows: Number of the line and cells of each further row that is not empty.
    """

    header: list[str]
    decimal_commas: bool
    rows: Iterator[tuple[int, list[str]]]

    def number(self, word: str) -> float:
        """Read a number, NaN from an empty cell.

        Raises:
            ValueError: The cell holds something else.
        """
        word = word.strip()
        if not word:
            return float("nan")
        # Python takes underscores, and the digits of other scripts, for parts of numbers.
        if "_" in word or not word.isascii():
            raise ValueError(f"{word!r} is not a number")
        if "," in word:
            if not self.decimal_commas:
                raise ValueError(
                    f"{word!r} has a decimal comma in a table that commas separate: export it with"
                    " decimal points, or with semicolons between the columns"
                )
            word = word.replace(",", ".")
        try:
            return float(word)
        except ValueError:
            raise ValueError(f"{word!r} is not a number") from None


def read_table(text: str) -> Table:
    """Find the header and the delimiter of a table.

    Lines before the header that are empty or begin with ``#`` are left out, and a first line
    ``sep=;`` as spreadsheets write it counts.

    Raises:
        ValueError: The table has no header.
        LineError: The header is damaged.
    """
    delimiter = ""
    for number, match in enumerate(_LINE.finditer(text), 1):
        line = match[0].strip()
        if line[:4].lower() == "sep=" and len(line) == 5:
            delimiter = line[4]
        elif line and not line.startswith("#"):
            delimiter = delimiter or max(_DELIMITERS, key=line.count)
            rows = split_rows(text, delimiter, first_line=number, start=match.start())
            _, header = next(rows, (number, [line]))
            return Table([cell.strip() for cell in header], delimiter != ",", rows)
    raise ValueError("the file is empty: record or export it again")


def split_rows(
    text: str, delimiter: str, first_line: int = 1, start: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the line and the cells of each row that is not empty.

    Args:
        text: The table.
        delimiter: What separates its cells.
        first_line: Number of the first line.
        start: Index in the text at which that begins.

    Raises:
        LineError: Quotes do not match, or a cell is too long.
    """
    # io.StringIO would copy the text, with four bytes a character.
    lines = (match[0] for match in _LINE.finditer(text, start) if match[0])
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise LineError(str(error), first_line + reader.line_num - 1) from error
        if any(cell.strip() for cell in row):
            yield first_line + reader.line_num - 1, row
