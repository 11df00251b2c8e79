# SPDX-License-Identifier: GPL-3.0-or-later
"""Text files in the encodings of any program and country."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from ssrhmr_core.formats import MotionFileError
from ssrhmr_core.formats.text_files import read_text

TEXT = "time,tracker\n0.5,Füße\n"


def read(path: Path, notes: list[str] | None = None) -> str:
    return read_text(path, "a table", 1000, [] if notes is None else notes)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TEXT.encode(encoding))
    assert read(path) == TEXT
    packed = tmp_path / "table.csv.xz"
    packed.write_bytes(lzma.compress(path.read_bytes()))
    assert read(packed) == TEXT


@pytest.mark.parametrize(
    "data", [bytes(range(256)), b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff"]
)
def test_not_text(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    with pytest.raises(MotionFileError, match="not a text file"):
        read(path)


def test_damaged_xz(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.xz"
    path.write_bytes(lzma.compress(TEXT.encode())[:-5])
    with pytest.raises(MotionFileError, match="damaged xz file"):
        read(path)


def test_too_much_when_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.xz"
    path.write_bytes(lzma.compress(1001 * b"x"))
    with pytest.raises(MotionFileError, match="over 0 MB when unpacked: cut the take in two"):
        read(path)


@pytest.mark.parametrize(
    ("encoding", "text", "name"),
    [
        ("cp932", "左手,右手\n", "Shift-JIS"),
        ("gb18030", "左手,右手\n", "GBK"),
        ("euc_kr", "왼손,오른손\n", "EUC-KR"),
        ("latin-1", "Füße\n", "Latin-1"),
        ("cp1252", "Füße – 5 €\n", "Latin-1"),
    ],
)
def test_encodings_from_before_unicode_are_reported(
    tmp_path: Path, encoding: str, text: str, name: str
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    notes: list[str] = []
    assert read(path, notes) == text
    assert notes == [f"the text is not Unicode: read as {name}"]
