# SPDX-License-Identifier: GPL-3.0-or-later
"""Property groups as plain values: read, checked against what Blender declares, written back.

Works from the declarations alone, so settings that later features add are included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import bpy

_PASSES = 4
_LONGEST = 100_000
"""Characters of a text; calibrations are the longest."""
_MOST = 1_000
"""Items of a collection."""

Values = dict[str, Any]


class ValuesError(ValueError):
    """Values that a property group cannot hold; the message names the property."""


def read_values(group: bpy.types.PropertyGroup, names: Iterable[str] | None = None) -> Values:
    """Return properties as numbers, texts, lists and dictionaries; ID pointers stay pointers.

    Args:
        group: The group to read.
        names: The properties to read; by default all that are saved with a file.
    """
    return {prop.identifier: _read(group, prop) for prop in _properties(group, names)}


def write_values(group: bpy.types.PropertyGroup, values: Values) -> None:
    """Set properties to values that :func:`read_values` or :func:`check_values` returned.

    Setting a property may make a callback reset others (another character clears the calibration),
    so what differs afterwards is set again.
    """
    for _ in range(_PASSES):
        differing = [
            prop
            for prop in _properties(group, values)
            if not _same(_read(group, prop), values[prop.identifier])
        ]
        if not differing:
            return
        for prop in differing:
            _write(group, prop, values[prop.identifier])


def reset_invalid(group: bpy.types.PropertyGroup) -> list[str]:
    """Reset properties whose stored values are invalid to their defaults.

    The version of the add-on that saved a file may have had other types, limits and enum items.

    Returns:
        Names of these properties, as panels show them.
    """
    reset: list[str] = []
    for prop in _properties(group, None):
        if prop.type == "COLLECTION":
            for item in getattr(group, prop.identifier):
                reset += reset_invalid(item)
        elif prop.type == "POINTER":
            if _is_group(prop):
                reset += reset_invalid(getattr(group, prop.identifier))
        else:
            try:
                _checked(prop, _read(group, prop))
            except ValuesError:
                group.property_unset(prop.identifier)
                reset.append(prop.name)
    return reset


def check_values(
    kind: type[bpy.types.PropertyGroup], values: object, names: Iterable[str] | None = None
) -> Values:
    """Return those of foreign ``values`` that a kind of property group has, or refuse them.

    Unknown names are left out: a newer version may have written them.

    Args:
        kind: The class of the property group.
        values: Anything, such as the contents of a JSON file.
        names: The properties that may be set; all by default.

    Raises:
        ValuesError: If a value is invalid; the message names the property.
    """
    struct: Any = kind.bl_rna
    return _checked_group(struct, values, None if names is None else set(names))


def pointers(group: bpy.types.PropertyGroup) -> Iterator[tuple[bpy.types.PropertyGroup, str]]:
    """Yield the group and the name of each pointer to a data-block, in groups within as well."""
    for prop in _properties(group, None):
        if prop.type == "COLLECTION":
            for item in getattr(group, prop.identifier):
                yield from pointers(item)
        elif prop.type == "POINTER" and _is_group(prop):
            yield from pointers(getattr(group, prop.identifier))
        elif prop.type == "POINTER":
            yield group, prop.identifier


def _checked_group(kind: bpy.types.Struct, values: object, wanted: set[str] | None) -> Values:
    if not isinstance(values, dict):
        raise ValuesError("settings must be pairs of names and values")
    checked: Values = {}
    for prop in kind.properties:
        name = prop.identifier
        if name == "rna_type" or name not in values or (wanted is not None and name not in wanted):
            continue
        checked[name] = _checked(prop, values[name])
    return checked


def _properties(group: bpy.types.PropertyGroup, names: Iterable[str] | None) -> list[Any]:
    declared = group.bl_rna.properties
    if names is not None:
        return [declared[name] for name in names if name in declared]
    return [p for p in declared if p.identifier != "rna_type" and not p.is_skip_save]


def _is_group(prop: Any) -> bool:
    """Return whether a pointer holds settings of its own instead of referring to a data-block."""
    return prop.fixed_type.base is not None and prop.fixed_type.base.identifier == "PropertyGroup"


def _read(group: bpy.types.PropertyGroup, prop: Any) -> Any:
    value = getattr(group, prop.identifier)
    if prop.type == "COLLECTION":
        return [read_values(item) for item in value]
    if prop.type == "POINTER":
        return read_values(value) if _is_group(prop) else value
    return list(value) if getattr(prop, "is_array", False) else value


def _write(group: bpy.types.PropertyGroup, prop: Any, value: Any) -> None:
    name = prop.identifier
    if prop.type == "COLLECTION":
        items = getattr(group, name)
        items.clear()
        for entry in value:
            write_values(items.add(), entry)
    elif prop.type == "POINTER" and _is_group(prop):
        write_values(getattr(group, name), value)
    else:
        setattr(group, name, value)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, (int, float)):
        # Blender keeps single precision.
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return all(name in a and _same(a[name], b[name]) for name in b)
    return bool(a == b)


def _checked(prop: Any, value: object) -> Any:
    name = prop.identifier
    if prop.type == "COLLECTION":
        if not isinstance(value, list) or len(value) > _MOST:
            raise ValuesError(f"'{name}' must be a list of at most {_MOST:,}")
        return [_checked_group(prop.fixed_type, entry, None) for entry in value]
    if prop.type == "POINTER":
        if _is_group(prop):
            return _checked_group(prop.fixed_type, value, None)
        raise ValuesError(f"'{name}' cannot be stored in a file")
    if getattr(prop, "is_array", False):
        if not isinstance(value, list) or len(value) != prop.array_length:
            raise ValuesError(f"'{name}' must be a list of {prop.array_length}")
        return [_scalar(prop, entry) for entry in value]
    return _scalar(prop, value)


def _scalar(prop: Any, value: object) -> Any:
    if prop.type == "BOOLEAN":
        if not isinstance(value, bool):
            raise ValuesError(f"'{prop.identifier}' must be true or false")
        return value
    return _number(prop, value) if prop.type in ("INT", "FLOAT") else _text(prop, value)


def _number(prop: Any, value: object) -> int | float:
    name = prop.identifier
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValuesError(f"'{name}' must be a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValuesError(f"'{name}' must be a finite number")
    if prop.type == "INT" and value != int(value):
        raise ValuesError(f"'{name}' must be a whole number")
    if not prop.hard_min <= value <= prop.hard_max:
        raise ValuesError(f"'{name}' must be from {prop.hard_min:g} to {prop.hard_max:g}")
    return int(value) if prop.type == "INT" else float(value)


def _text(prop: Any, value: object) -> str:
    name = prop.identifier
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValuesError(f"'{name}' must be text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValuesError(f"'{name}' holds broken characters") from error
    if prop.type == "ENUM" and value not in prop.enum_items:
        raise ValuesError(f"'{name}' cannot be '{value[:40]}'")
    return value
