# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a BVH file before its frames: joints, offsets, channels and the clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from ...rigs.bone_mapping import NONE
from .errors import BVHError
from .text import holds, parse_number, split_numbers

MOST_JOINTS = 2000
LARGEST = 1e9
"""Units, or degrees: more is damage, and would overflow."""
_SHORTEST, _LONGEST = 1e-5, 1.0
"""Seconds from frame to frame."""
_STEP_DIGITS = 6e-7
_DEFAULT_RATE = 30.0
"""Frames a second of a file that does not say."""
_RATES = (24, 25, 30, 48, 50, 60, 72, 75, 90, 100, 120, 144, 150, 180, 200, 240, 250, 300, 480, 500)
_RATE_DIGITS = 3e-3
"""How far a rate may be off one that is in use, as a share of it: 29.97 is 30."""

_NOT_WHOLE = "a joint above has no end, no offset or no channels"
_MEND = "mend that line, or export the file again"
_DECIMAL_COMMA = re.compile(r"(^|\s)-?\d+,\d+(\s|$)")
_CHANNEL = re.compile(r"([xyz])_?(position|translation|rotation|scale)", re.IGNORECASE)
_KINDS = {"position": "position", "translation": "position"}


class Channel(NamedTuple):
    """One column of the frames.

    Attributes:
        joint: Index of the joint that it moves, or ``NONE`` if it moves none.
        kind: "position", "rotation" or "scale".
        axis: 0, 1 or 2 for X, Y or Z.
    """

    joint: int
    kind: str
    axis: int


@dataclass
class Hierarchy:
    """The joints of a file and how its frames move them.

    Attributes:
        names: Names of the joints; not all need be different.
        parents: Index of each joint's parent, ``NONE`` for roots.
        offsets: Position of each joint relative to its parent, in the unit of the file.
        ends: Joint and offset of each end site.
        channels: What each column of the frames is.
        frames: Number of frames announced, or None if the file names none.
        step: Seconds from frame to frame; 0 as long as the file has not given them.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    ends: list[tuple[int, list[float]]] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    frames: int | None = None
    step: float = 0.0

    def children(self, joint: int) -> list[int]:
        """Return the joints that hang on a joint; on ``NONE`` hang the roots."""
        return [child for child, parent in enumerate(self.parents) if parent == joint]

    def subtree(self, joint: int) -> list[int]:
        """Return a joint and all below it, in the order of the file."""
        members = {joint}
        for child in range(joint + 1, len(self.parents)):
            if self.parents[child] in members:
                members.add(child)
        return sorted(members)

    def has_channels(self, joint: int) -> bool:
        """Tell whether any column moves a joint."""
        return any(channel.joint == joint for channel in self.channels)


class _Block(NamedTuple):
    """A joint or an end site whose closing brace has not come yet."""

    joint: int
    is_end: bool
    lacks: set[str]


class HierarchyParser:
    """Reads the lines before the frames one by one.

    Attributes:
        hierarchy: What was read so far.
        is_complete: Whether the next line is the first of the frames.
        has_decimal_commas: Whether a number was written with a comma for its point.
    """

    def __init__(self, notes: list[str]) -> None:
        self.hierarchy = Hierarchy()
        self.is_complete = False
        self.has_decimal_commas = False
        self._notes = notes
        self._open: list[_Block] = []
        self._in_motion = False

    def read(self, number: int, line: str) -> None:
        """Take in a line.

        Args:
            number: Number of the line, from 1.
            line: The line.

        Raises:
            BVHError: If it makes no sense; the message names the line.
        """
        stripped = line.strip()
        if stripped.startswith(("#", "//", ";")):
            return
        self.has_decimal_commas |= "," in stripped and bool(_DECIMAL_COMMA.search(stripped))
        try:
            for part in re.split(r"([{}])", stripped):
                if words := part.split(maxsplit=1):
                    self._read(words[0], words[1].strip() if len(words) > 1 else "")
        except ValueError as error:
            raise BVHError(f"line {number}: {error}: {_MEND}") from error

    def finish_without_clock(self) -> None:
        """End the header at the first row of a file that gives no frame time."""
        self._check_whole()
        self._set_step(0.0)

    @property
    def expects_clock(self) -> bool:
        """Tell whether the hierarchy is over and only the clock is missing."""
        return self._in_motion and not self._open

    def _read(self, word: str, rest: str) -> None:
        keyword = word.upper()
        match keyword:
            case "HIERARCHY":
                pass
            case "{" | "}":
                self._read_brace(keyword)
            case "ROOT" | "JOINT":
                self._begin_joint(keyword, rest)
            case "END" | "ENDSITE":
                self._begin_end()
            case "OFFSET":
                self._read_offset(rest)
            case "CHANNELS":
                self._read_channels(rest)
            case "MOTION":
                self._check_whole()
                self._in_motion = True
            case _ if keyword.startswith("FRAME"):
                self._read_clock(f"{word} {rest}")
            case _:
                raise ValueError(self._describe_stray(word))

    def _read_brace(self, brace: str) -> None:
        if brace == "{":
            self._take(brace)
        elif not self._open or self._open.pop().lacks:
            raise ValueError(_NOT_WHOLE)

    def _describe_stray(self, word: str) -> str:
        if self.hierarchy.names:
            return f"{holds(word)} does not belong here"
        return f"{holds(word)} stands where HIERARCHY belongs; this is not a BVH file"

    def _begin_joint(self, keyword: str, name: str) -> None:
        hierarchy = self.hierarchy
        above = self._open[-1] if self._open else None
        nested = above is not None and not above.is_end and "{" not in above.lacks
        if nested if keyword == "ROOT" else not nested:
            raise ValueError(f"{keyword!r} does not belong here")
        if self._open and keyword == "ROOT":
            raise ValueError(_NOT_WHOLE)
        if len(hierarchy.names) == MOST_JOINTS:
            raise ValueError(f"over {MOST_JOINTS} joints are no body")
        joint = len(hierarchy.names)
        hierarchy.names.append(name)
        hierarchy.parents.append(above.joint if above else NONE)
        hierarchy.offsets.append([0.0, 0.0, 0.0])
        self._open.append(_Block(joint, False, {"{", "OFFSET", "CHANNELS"}))

    def _begin_end(self) -> None:
        above = self._open[-1] if self._open else None
        if above is None or above.is_end or "{" in above.lacks:
            raise ValueError("'END' does not belong here")
        self._open.append(_Block(above.joint, True, {"{", "OFFSET"}))

    def _take(self, keyword: str) -> _Block:
        """Note that the innermost block has something, once and after its brace."""
        lacks = self._open[-1].lacks if self._open else set()
        if keyword not in lacks or (keyword != "{" and "{" in lacks):
            raise ValueError(f"{keyword!r} does not belong here")
        lacks.remove(keyword)
        return self._open[-1]

    def _read_offset(self, rest: str) -> None:
        block = self._take("OFFSET")
        offset = [_parse_length(word) for word in split_numbers(rest)]
        if len(offset) != 3:
            raise ValueError(f"an offset needs three numbers, and here are {len(offset)}")
        if block.is_end:
            self.hierarchy.ends.append((block.joint, offset))
        else:
            self.hierarchy.offsets[block.joint] = offset

    def _read_channels(self, rest: str) -> None:
        block = self._open[-1] if self._open else None
        if block is not None and block.is_end and "{" not in block.lacks:
            joint = NONE  # Some programs write channels of end sites; they move nothing.
        else:
            joint = self._take("CHANNELS").joint
        words = rest.replace(",", " ").split()
        if not words or not words[0].isdecimal() or int(words[0]) != len(words) - 1:
            announced = holds(words[0]) if words else "no number of"
            raise ValueError(
                f"{announced} channels are announced and {max(len(words) - 1, 0)} are named"
            )
        channels = [_parse_channel(joint, word) for word in words[1:]]
        if len(set(channels)) != len(channels):
            raise ValueError("one of the channels is named twice")
        self.hierarchy.channels += channels

    def _read_clock(self, line: str) -> None:
        self._check_whole()
        match = re.fullmatch(r"(frames?)\s*(time)?\s*:?\s*(\S*).*", line, re.IGNORECASE)
        if match is None:
            raise ValueError(f"{holds(line)} does not belong here")
        words = split_numbers(match[3])
        if match[2]:
            self._set_step(parse_number(words[0]) if words else 0.0)
        elif words and words[0].isdecimal() and words[0].isascii() and len(words[0]) < 19:
            self.hierarchy.frames = int(words[0])

    def _set_step(self, given: float) -> None:
        self.hierarchy.step, note = _interpret_step(given)
        if note:
            self._notes.append(note)
        self.is_complete = True

    def _check_whole(self) -> None:
        if not self.hierarchy.names or self._open:
            raise ValueError(_NOT_WHOLE)


def _parse_length(word: str) -> float:
    try:
        value = parse_number(word)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise ValueError(f"{holds(word)} is not a number below a billion")
    return value


def _parse_channel(joint: int, word: str) -> Channel:
    match = _CHANNEL.fullmatch(word)
    if match is None:
        raise ValueError(f"{holds(word)} is none of the channels Xposition to Zrotation")
    kind = match[2].lower()
    return Channel(joint, _KINDS.get(kind, kind), "xyz".index(match[1].lower()))


def _interpret_step(given: float) -> tuple[float, str]:
    """Return seconds from frame to frame, and what was assumed if the file does not give them.

    Raises:
        ValueError: If the number is neither a time nor a rate.
    """
    if given == 0.0:
        step = 1.0 / _DEFAULT_RATE
        return step, (
            f"the file gives no time from frame to frame: assumed {_DEFAULT_RATE:g} frames a"
            ' second; write the right time after "Frame Time:", such as 0.016667 for 60'
        )
    if _SHORTEST <= given <= _LONGEST:
        # Files give six decimals: a frame too many in quarter of an hour at 60 a second.
        even = 1.0 / max(round(1.0 / given), 1)
        return (even if abs(even - given) < _STEP_DIGITS else given), ""
    for rate, unit in ((given, "frames a second"), (1000.0 / given, "milliseconds")):
        if any(abs(rate / usual - 1.0) < _RATE_DIGITS for usual in _RATES):
            return 1.0 / rate, (
                f"the frame time is {given:g}, which is no time in seconds: taken for {unit},"
                f' {rate:.4g} frames a second; write the time in seconds after "Frame Time:" if'
                " that is wrong"
            )
    raise ValueError(
        f"the frame time is {given:g} s, not {_SHORTEST:g} to {_LONGEST:g};"
        " write 0.016667 for 60 frames a second"
    )
