# SPDX-License-Identifier: GPL-3.0-or-later
"""Preset files: read, written and listed; nothing in them is ever run. No Blender in here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, unquote

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
class PresetFile:
    """The contents of a preset file.

    Attributes:
        kind: What the preset is about, such as "bones".
        name: The name that the user gave it.
        version: Number of the format that the values are in.
        values: Values that whoever applies them has to check.
    """

    kind: str
    name: str
    version: int
    values: dict[str, Any]


def load(path: Path, kind: str, newest: int) -> PresetFile:
    """Read a preset of one kind.

    Args:
        path: The file.
        kind: What the preset must be about.
        newest: The newest version of the format that is known.

    Raises:
        PresetError: If the file cannot be read, is not a preset, is about something else, or was
            written by a newer version of the add-on.
    """
    what = f"'{path.name}'"
    held = _read_json(path)
    if not isinstance(held, dict) or "ssrhmr_preset" not in held:
        raise PresetError(f"{what} is not a preset of this add-on: {_EXPORTED}")
    version, held_kind, values = held["ssrhmr_preset"], held.get("kind"), held.get("values")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise PresetError(f"{what} is damaged (its version is not a number): {_EXPORTED}")
    if version > newest:
        raise PresetError(
            f"{what} was written by a newer version of the add-on: update the add-on to use it"
        )
    if held_kind != kind:
        raise PresetError(
            f"{what} is a preset of {str(held_kind)[:20]!r}, not of '{kind}': load it from the menu"
            " of its own panel"
        )
    if not isinstance(values, dict):
        raise PresetError(f"{what} is damaged (it holds no values): {_EXPORTED}")
    name = held.get("name")
    if not isinstance(name, str) or not is_name(name):
        name = name_of(path)
    return PresetFile(kind, name, version, values)


def _read_json(path: Path) -> Any:
    what = f"'{path.name}'"
    try:
        if not path.is_file():
            raise PresetError(f"{what} does not exist any more: save it again")
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
        return json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{what} is damaged, or not a JSON file: {_EXPORTED}") from error


def save(path: Path, preset: PresetFile) -> None:
    """Write a preset; an interruption leaves a former file as it was.

    Raises:
        PresetError: If it cannot be written.
    """
    held = {"ssrhmr_preset": preset.version, "kind": preset.kind, "name": preset.name}
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
    """Return the file of a preset; any name makes a file name that every system accepts.

    Raises:
        PresetError: If the name is empty or too long.
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
    """Return whether presets may have a name."""
    return name == name.strip() and 0 < len(name) <= _LONGEST_NAME and name.isprintable()


def names_in(folder: Path) -> list[str]:
    """Return the names of the presets in a folder, sorted without regard to case."""
    if not folder.is_dir():
        return []
    names = [name_of(path) for path in folder.iterdir() if path.suffix == _SUFFIX]
    return sorted(names, key=str.casefold)


def unused_name(folder: Path, name: str) -> str:
    """Return the name, with a number if there is a preset of that name already."""
    taken = {other.casefold() for other in names_in(folder)}
    unused, number = name, 2
    while unused.casefold() in taken:
        unused, number = f"{name[: _LONGEST_NAME - 5]} {number}", number + 1
    return unused


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
