# SPDX-License-Identifier: GPL-3.0-or-later
"""Control rigs as data: a JSON file a rig family says which control drives which joint.

Files of the user win over those that come with the add-on. The format is described for users in
``docs/control_rigs.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ..common.errors import UserError
from ..common.user_folder import user_folder

FORMAT = 1
"""The newest number of the format that this version reads."""
FOLDER = "control_rigs"
"""Name of both folders of schemes: that of the add-on, and that of the user."""

_MOST_BYTES = 200_000
_LONGEST_NAME = 63
_SECTION = ("controls", "at_rest", "spaces", "switches")
_KEYS = ("control_rig", "name", "recognized_by", "marks", *_SECTION, "ik")
_CONTROL_KEYS = ("control", "rotation", "carries", "location", "pivot", "pole", "optional")
_SWITCH_KEYS = ("bone", "property", "value")
_LIMB_STARTS = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_SIDES = ("left", "right")


class SchemeError(UserError):
    """A scheme that cannot be used; the message says why and what to change."""


@dataclass(frozen=True)
class Control:
    """A control and what it does.

    Attributes:
        names: Names of the control, the first one that the rig has counts; ``*`` stands for a
            number at the end that a chain of controls counts up, or for none.
        rotation: Joints that it may rotate as, the first one that has a bone counts.
        carries: Bones that it moves: if one of them stands for a joint, it rotates as that joint;
            with ``*``, as the joint of the nearest such bone before it.
        location: Joints that it may be moved with; empty for controls that are rotated alone.
        pivot: Bone that begins where the joint of ``location`` has to be; empty for any.
        pole: First joint of the limb whose bend it points at, empty for controls that are no pole.
        optional: Whether rigs may lack it.
    """

    names: tuple[str, ...]
    rotation: tuple[str, ...] = ()
    carries: tuple[str, ...] = ()
    location: tuple[str, ...] = ()
    pivot: str = ""
    pole: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Switch:
    """A property that has to have a value.

    Attributes:
        bone: Pose bone that has it.
        name: Name of a custom property, or of one of Blender's own.
        value: What to set it to.
    """

    bone: str
    name: str
    value: float


@dataclass(frozen=True)
class Section:
    """Controls and what they need, either of FK or of IK.

    Attributes:
        controls: What is keyed.
        at_rest: Controls that would add to others and are keyed at rest.
        spaces: Bones that a bone may follow instead of its parent, by its name.
        switches: Properties to set.
    """

    controls: tuple[Control, ...] = ()
    at_rest: tuple[str, ...] = ()
    spaces: tuple[tuple[str, tuple[str, ...]], ...] = ()
    switches: tuple[Switch, ...] = ()


@dataclass(frozen=True)
class Scheme:
    """A family of control rigs.

    Attributes:
        name: What users call it.
        property: Custom property that armatures of this family have, empty for any.
        bones: Bones that they have; of each group one is enough.
        fk: What is keyed in any case.
        ik: What is keyed too if the user wants IK controls.
    """

    name: str
    property: str
    bones: tuple[tuple[str, ...], ...]
    fk: Section
    ik: Section


def schemes() -> tuple[list[Scheme], list[str]]:
    """Return all schemes, the user's first, and what is wrong with files that cannot be used."""
    loaded, problems = [], []
    for folder in (user_folder(FOLDER), Path(__file__).with_name(FOLDER)):
        for path in sorted(folder.glob("*.json")):
            try:
                stat = path.stat()
                loaded.append(_load_cached(path, (stat.st_mtime_ns, stat.st_size)))
            except OSError as error:
                problems.append(f"'{path.name}' cannot be read ({error.strerror or error})")
            except SchemeError as error:
                problems.append(str(error))
    return loaded, problems


_Stamp = tuple[int, int]
_cache: dict[Path, tuple[_Stamp, Scheme | SchemeError]] = {}


def _load_cached(path: Path, stamp: _Stamp) -> Scheme:
    """Return the scheme of a file, which is read only where it has changed: panels ask often."""
    if path not in _cache or _cache[path][0] != stamp:
        try:
            _cache[path] = stamp, load_scheme(path)
        except SchemeError as error:
            _cache[path] = stamp, error
    scheme = _cache[path][1]
    if isinstance(scheme, SchemeError):
        raise SchemeError(str(scheme))
    return scheme


def load_scheme(path: Path) -> Scheme:
    """Read a scheme from a file.

    Raises:
        SchemeError: If the file is not a scheme, or holds something that a scheme cannot.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise SchemeError(f"'{path.name}' is too large for a control rig scheme: shorten it")
    try:
        held = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise SchemeError(
            f"'{path.name}' is not valid JSON{where}: correct it in a text editor"
        ) from error
    return _Parser(path.name).parse(held)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


class _Parser:
    """Turns the contents of a file into a scheme, or says what is wrong with them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._marks = {"left": "L", "right": "R"}

    def parse(self, held: object) -> Scheme:
        """Return the scheme."""
        if not isinstance(held, dict) or "control_rig" not in held:
            self._fail('it must be an object with "control_rig": 1 in it')
        number = held["control_rig"]
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            self._fail(f'"control_rig" must be {FORMAT}, the number of the format')
        if number > FORMAT:
            self._fail("a newer version of the add-on is needed to read it: update the add-on")
        self._check_keys(held, _KEYS, "the file")
        name = held.get("name")
        if not isinstance(name, str) or not 0 < len(name.strip()) <= _LONGEST_NAME:
            self._fail(f'"name" must be a text of 1 to {_LONGEST_NAME} characters')
        if "marks" in held:
            self._read_marks(held["marks"])
        marker, bones = self._recognition(held.get("recognized_by"))
        scheme = Scheme(
            name=name.strip(),
            property=marker,
            bones=bones,
            fk=self._section(held, "the file"),
            ik=self._section(held.get("ik", {}), '"ik"'),
        )
        self._check_controls(scheme)
        return scheme

    def _fail(self, what: str) -> NoReturn:
        raise SchemeError(f"'{self._file}' is not a usable control rig scheme: {what}")

    def _check_keys(self, held: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
        for key in held:
            if key not in known:
                self._fail(f'{where} has the unknown key "{key}": known are {", ".join(known)}')

    def _read_marks(self, held: object) -> None:
        if not isinstance(held, dict) or set(held) != set(_SIDES):
            self._fail('"marks" must say how names mark sides, as in {"left": "L", "right": "R"}')
        self._marks = {side: self._text(held[side], '"marks"') for side in _SIDES}

    def _recognition(self, held: object) -> tuple[str, tuple[tuple[str, ...], ...]]:
        where = '"recognized_by"'
        if not isinstance(held, dict) or not held:
            self._fail(f'{where} must name a "property" of the armature, or "bones", or both')
        self._check_keys(held, ("property", "bones"), where)
        marker = self._text(held["property"], where) if "property" in held else ""
        entries = held.get("bones", [])
        if not isinstance(entries, list):
            self._fail(f'{where}: "bones" must be a list of names')
        bones = [
            self._expand(self._names(entry, where), side, where)
            for entry in entries
            for side in self._sides_of(entry)
        ]
        return marker, tuple(bones)

    def _section(self, held: object, where: str) -> Section:
        if not isinstance(held, dict):
            self._fail(f"{where} must be an object")
        if where == '"ik"':
            self._check_keys(held, _SECTION, where)
        spaces, rest = held.get("spaces", {}), held.get("at_rest", [])
        if not isinstance(spaces, dict):
            self._fail('"spaces" must be pairs of a bone and the bone that it follows')
        return Section(
            controls=tuple(self._each(held, "controls", self._control)),
            at_rest=tuple(
                self._expand(name, side, '"at_rest"')
                for name in self._list_of_texts(rest, '"at_rest"')
                for side in self._sides_of(name)
            ),
            spaces=tuple(
                (
                    self._expand(bone, side, '"spaces"'),
                    self._expand(self._names(followed, '"spaces"'), side, '"spaces"'),
                )
                for bone, followed in spaces.items()
                for side in self._sides_of([bone, followed])
            ),
            switches=tuple(self._each(held, "switches", self._switch)),
        )

    def _each(self, held: Mapping[str, Any], key: str, read: Any) -> Iterator[Any]:
        """Yield what ``read`` makes of each entry of a list, once a side if it names sides."""
        entries = held.get(key, [])
        if not isinstance(entries, list):
            self._fail(f'"{key}" must be a list')
        for number, entry in enumerate(entries, 1):
            where = f'entry {number} of "{key}"'
            if not isinstance(entry, dict):
                self._fail(f"{where} must be an object")
            for side in self._sides_of(list(entry.values())):
                yield read(entry, side, where)

    def _control(self, entry: Mapping[str, Any], side: str, where: str) -> Control:
        self._check_keys(entry, _CONTROL_KEYS, where)
        if "control" not in entry:
            self._fail(f'{where} needs a "control": the name of the bone to key')

        def names(key: str) -> tuple[str, ...]:
            held = entry.get(key)
            return () if held is None else self._expand(self._names(held, where), side, where)

        control = Control(
            names=names("control"),
            rotation=self._joints(names("rotation"), where),
            carries=names("carries"),
            location=self._joints(names("location"), where),
            pivot="".join(names("pivot")[:1]),
            pole="".join(self._joints(names("pole")[:1], where)),
            optional=entry.get("optional", False) is True,
        )
        if not (control.rotation or control.carries or control.location or control.pole):
            self._fail(f'{where} needs a "rotation", "carries", "location" or "pole"')
        if control.pole and control.pole not in _LIMB_STARTS:
            self._fail(
                f"{where}: a pole belongs to a limb that begins at one of {', '.join(_LIMB_STARTS)}"
            )
        return control

    def _switch(self, entry: Mapping[str, Any], side: str, where: str) -> Switch:
        self._check_keys(entry, _SWITCH_KEYS, where)
        bone, name = (
            self._expand(self._text(entry.get(key), f'{where}, "{key}",'), side, where)
            for key in ("bone", "property")
        )
        value = entry.get("value")
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, (int, float)):
            self._fail(f'{where}: "value" must be a number')
        return Switch(bone, name, value)

    def _joints(self, names: tuple[str, ...], where: str) -> tuple[str, ...]:
        from ssrhmr_core.body.skeleton import JOINTS

        for name in names:
            if name not in JOINTS:
                self._fail(f"{where} names the unknown joint '{name}': use {', '.join(JOINTS)}")
        return names

    def _check_controls(self, scheme: Scheme) -> None:
        if not any(control.location for control in scheme.fk.controls):
            self._fail('none of "controls" has a "location": the body would stay where it is')
        taken: set[str] = set()
        for control in (*scheme.fk.controls, *scheme.ik.controls):
            for name in control.names:
                if name in taken:
                    self._fail(f"control '{name}' has two entries: join them")
                taken.add(name)

    def _names(self, held: object, where: str) -> tuple[str, ...]:
        if isinstance(held, str):
            return (self._text(held, where),)
        names = self._list_of_texts(held, where)
        if not names:
            self._fail(f"{where} has an empty list: name at least one")
        return names

    def _list_of_texts(self, held: object, where: str) -> tuple[str, ...]:
        if not isinstance(held, list):
            self._fail(f"{where} must be a name or a list of names")
        return tuple(self._text(entry, where) for entry in held)

    def _text(self, held: object, where: str) -> str:
        if not isinstance(held, str) or not 0 < len(held) <= _LONGEST_NAME:
            self._fail(f"{where} must be a name of 1 to {_LONGEST_NAME} characters")
        return held

    def _sides_of(self, held: object) -> tuple[str, ...]:
        """Return the sides that something is about: both if it has a placeholder, "" if not."""
        return _SIDES if _PLACEHOLDER.search(json.dumps(held)) else ("",)

    def _expand(self, held: Any, side: str, where: str) -> Any:
        """Return names with ``{side}`` and ``{mark}`` replaced."""
        if isinstance(held, tuple):
            return tuple(self._expand(name, side, where) for name in held)
        for word in _PLACEHOLDER.findall(held):
            if word not in ("side", "mark"):
                self._fail(f"{where} has the placeholder {{{word}}}: use {{side}} or {{mark}}")
        if not side:
            return held
        return held.replace("{side}", side).replace("{mark}", self._marks[side])
