# SPDX-License-Identifier: GPL-3.0-or-later
"""Preset files: read, written, listed; nothing in them is ever run. No Blender in here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, unquote

_FORMAT = 1
_MOST_BYTES = 1_000_000
_LONGEST_NAME = 63
_SUFFIX = ".json"
_EXPORTED = "choose a file that Export wrote"
_PLAIN = " ()+,&="
"""Characters besides letters, digits and ``-_.~`` that files of every system may have."""
# Names that Windows keeps for devices, with whatever suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(10))}


class PresetError(ValueError):
    """A preset that cannot be used; the message says why and names the file."""


@dataclass(frozen=True)
class Preset:
    """What a preset file holds.

    Attributes:
        kind: what it is about, such as "bones".
        name: as the user called it.
        values: to be checked by who uses them.
    """

    kind: str
    name: str
    values: dict[str, Any]


def load(path: Path, kind: str) -> Preset:
    """Read a preset of one kind.

    Raises:
        PresetError: if the file cannot be read, is no preset, is about something else, or was
            written by a newer version.
    """
    what = f"'{path.name}'"
    try:
        if not path.is_file():
            raise PresetError(f"{what} is not there any more: save it again")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PresetError(
            f"{what} cannot be read ({error.strerror or error}): choose another file"
        ) from error
    if len(raw) > _MOST_BYTES:
        raise PresetError(
            f"{what} is too large for a preset (over {_MOST_BYTES // 1000:,} kB): {_EXPORTED}"
        )
    try:
        held = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{what} is damaged, or no JSON file: {_EXPORTED}") from error
    if not isinstance(held, dict) or "ssrhmr_preset" not in held:
        raise PresetError(f"{what} is no preset of this add-on: {_EXPORTED}")
    version, held_kind, values = held["ssrhmr_preset"], held.get("kind"), held.get("values")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise PresetError(f"{what} is damaged (its version is no number): {_EXPORTED}")
    if version > _FORMAT:
        raise PresetError(f"{what} was written by a newer version of the add-on: update it")
    if held_kind != kind:
        raise PresetError(
            f"{what} is a preset of {str(held_kind)[:20]!r}, not of '{kind}': use the menu of its"
            " own panel"
        )
    if not isinstance(values, dict):
        raise PresetError(f"{what} is damaged (it holds no values): {_EXPORTED}")
    name = held.get("name")
    if not isinstance(name, str) or not is_name(name):
        name = name_of(path)
    return Preset(kind, name, values)


def save(path: Path, preset: Preset) -> None:
    """Write a preset so that an interruption leaves the file of before.

    Raises:
        PresetError: if it cannot be written.
    """
    held = {"ssrhmr_preset": _FORMAT, "kind": preset.kind, "name": preset.name}
    text = json.dumps({**held, "values": preset.values}, indent=2, allow_nan=False)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PresetError(
            f"'{path}' cannot be written ({error.strerror or error}): choose another folder"
        ) from error


def path_of(folder: Path, name: str) -> Path:
    """Return the file of a preset; any name makes a file name that every system takes.

    Raises:
        PresetError: if it is no name.
    """
    if not is_name(name):
        raise PresetError(f"Give the preset a name of 1 to {_LONGEST_NAME} characters")
    stem = quote(name, safe=_PLAIN)
    if stem.startswith(".") or stem.split(".")[0].lower() in _DEVICES:
        stem = f"%{ord(stem[0]):02X}{stem[1:]}"
    return folder / (stem + _SUFFIX)


def name_of(path: Path) -> str:
    """Return the name of a preset file."""
    return unquote(path.name.removesuffix(_SUFFIX))[:_LONGEST_NAME].strip() or "Preset"


def is_name(name: str) -> bool:
    """Tell whether presets may be called so."""
    return name == name.strip() and 0 < len(name) <= _LONGEST_NAME and name.isprintable()


def names_in(folder: Path) -> list[str]:
    """Names of the presets in a folder, sorted as people do."""
    if not folder.is_dir():
        return []
    found = [name_of(path) for path in folder.iterdir() if path.suffix == _SUFFIX]
    return sorted(found, key=str.casefold)


def free_name(folder: Path, name: str) -> str:
    """Return the name, with a number if there is such a preset already."""
    taken = {other.casefold() for other in names_in(folder)}
    free, number = name, 2
    while free.casefold() in taken:
        free, number = f"{name[: _LONGEST_NAME - 5]} {number}", number + 1
    return free


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
