# SPDX-License-Identifier: GPL-3.0-or-later
"""From the bytes of a text file to its text, whatever wrote it."""

from __future__ import annotations

import codecs
import lzma
import re
from pathlib import Path

from .errors import MotionFileError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NATIONAL = (
    ("cp932", "Shift-JIS", ("左", "右")),
    ("gb18030", "GBK", ("左", "右")),
    ("big5", "Big5", ("左", "右")),
    ("euc_kr", "EUC-KR", ("왼", "오른")),
)
"""Encodings from before Unicode, and their words for left and right by which they are known."""
_HEADER_BYTES = 1 << 16
"""How much of a file is looked at to recognise its encoding."""
_WITHOUT_MARK = 20
"""Bytes whose zeros show UTF-16 without a byte order mark."""
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x19\x7f]")


def read_text(path: Path, kind: str, most_bytes: int, notes: list[str]) -> str:
    """Read a text file, packed by xz or not, in whatever encoding it is.

    Args:
        path: The file.
        kind: What to choose instead of a file that is not text, such as "a .bvh".
        most_bytes: Largest size of a packed file when it is unpacked.
        notes: What was assumed is added to this list.

    Raises:
        MotionFileError: The file is not text, is damaged or too large; the message lacks the path.
        OSError: The file cannot be opened.
    """
    try:
        text = _decode(_read_bytes(path, most_bytes), notes)
    except UnicodeError as error:
        raise MotionFileError(f"not a text file: choose {kind}") from error
    # Some editors and all of DOS end a text with this.
    return text.removesuffix("\x1a")


def _read_bytes(path: Path, most_bytes: int) -> bytes:
    if path.suffix.lower() != ".xz":
        return path.read_bytes()
    try:
        with lzma.open(path) as packed:
            content = packed.read(most_bytes + 1)
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise MotionFileError(f"damaged xz file ({error}): copy it again") from error
    if len(content) > most_bytes:
        most = f"{most_bytes / 1e6:.0f} MB"
        raise MotionFileError(f"over {most} when unpacked: cut the take in two")
    return content


def _decode(content: bytes, notes: list[str]) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    # Every other byte of UTF-16 without a mark is zero.
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(content) > 3 and not any(content[start:_WITHOUT_MARK:2]):
            return content.decode(encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_national(content, notes)


def _decode_national(content: bytes, notes: list[str]) -> str:
    """Decode a text from before Unicode by its words for left and right, else as Latin-1.

    Raises:
        UnicodeError: It is no text.
    """
    for encoding, name, sides in _NATIONAL:
        try:
            # A character may be cut at the end of the header.
            header = content[:_HEADER_BYTES].decode(encoding, "ignore")
            if all(side in header for side in sides):
                text = content.decode(encoding)
                notes.append(f"the text is not Unicode: read as {name}")
                return text
        except UnicodeDecodeError:
            continue
    try:
        # Latin-1 with the characters that Windows adds to it.
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if _NOT_TEXT.search(text):
        raise UnicodeError("it holds control characters")
    notes.append("the text is not Unicode: read as Latin-1")
    return text
