# SPDX-License-Identifier: GPL-3.0-or-later
"""From the bytes of a BVH file to its lines, and from a line to its numbers."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

from .errors import BVHError

_MOST_BYTES = 1 << 27
"""Of an unpacked file: an hour at 60 frames a second is as much."""
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
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
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x19\x7f]")
_COMMENT = re.compile(r"(^|\s)(#|//|;).*")


def read_text(path: Path, notes: list[str]) -> str:
    """Read a file, packed or not, in whatever encoding it is.

    Args:
        path: File to read.
        notes: What was assumed is added to this list.

    Raises:
        BVHError: If it is not a text file or its packing is damaged.
        OSError: If it cannot be opened.
    """
    try:
        text = _decode(_read_bytes(path), notes)
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise BVHError(f"damaged xz file ({error}): copy it again") from error
    except UnicodeDecodeError as error:
        raise BVHError("not a text file: choose a .bvh") from error
    # Some editors and all of DOS end a text with this.
    text = text.removesuffix("\x1a")
    if _NOT_TEXT.search(text):
        raise BVHError("not a text file: choose a .bvh")
    return text


def _read_bytes(path: Path) -> bytes:
    if path.suffix.lower() != ".xz":
        return path.read_bytes()
    with lzma.open(path) as packed:
        content = packed.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        most = f"{_MOST_BYTES / 1e6:.0f} MB"
        raise BVHError(f"over {most} when unpacked: cut the take in two")
    return content


def _decode(content: bytes, notes: list[str]) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    # Every other byte of UTF-16 without a mark is zero.
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(content) > 3 and not any(content[start:20:2]):
            return content.decode(encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_national(content, notes)


def _decode_national(content: bytes, notes: list[str]) -> str:
    """Decode a text from before Unicode by its words for left and right, else as Latin-1."""
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
    text = content.decode("latin-1")
    if not _NOT_TEXT.search(text[:_HEADER_BYTES]):
        notes.append("the text is not Unicode: read as Latin-1")
    return text


def strip_comment(line: str) -> str:
    """Return a line without what stands after ``#``, ``//`` or ``;``."""
    return _COMMENT.sub("", line) if "#" in line or "/" in line or ";" in line else line


def split_numbers(line: str) -> list[str]:
    """Split a line at blanks, or at commas unless they are decimal commas."""
    if "," in line:
        words = line.split()
        separates = "." in line or any(
            word.count(",") > 1 or word[0] == "," or word[-1] == "," for word in words
        )
        line = line.replace(",", " " if separates else ".")
    return line.split()


def parse_number(word: str) -> float:
    """Return a number as programs write it.

    Raises:
        ValueError: If it is not one; Python also reads ``1_0`` and the digits of other scripts.
    """
    if "_" in word or not word.isascii():
        raise ValueError(word)
    return float(word)


def holds(word: str) -> str:
    """Quote a word of a file for a message."""
    return repr(word if len(word) < 40 else word[:37] + "...")
