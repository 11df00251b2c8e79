# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines, and that the published schema says what the decoder does."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.streaming.protocols import json_lines
from ssrhmr_core.streaming.protocols.json_lines import SCHEMA, JsonDecoder, encode
from ssrhmr_core.streaming.readings import Reading
from tests.core.drawn import numbers, quaternions

GOOD: list[dict[str, Any]] = [
    {"name": "a", "position": [1, 2.5, 3], "quaternion": [1, 0, 0, 0]},
    {"name": "a", "position": [1, 2, 3], "quaternion": [0, 0, 0, 0], "time": 5},
    {"name": "a", "position": [1, 2, 3], "quaternion": [2, 0, 0, 0], "valid": True, "more": None},
    {"name": "a", "position": [1, 2, -1e30], "quaternion": [1, 0, 0, 0]},
    {"name": "a", "valid": False},
    {"name": "a", "position": [1, 2, 3]},
    {"name": "a", "quaternion": [0, 1, 0, 0], "role": "left knee"},
    {"time": 1.5, "trackers": []},
    {"notice": "Batteries are low"},
    {"notice": "", "trackers": [{"name": "a", "valid": False}]},
    {"name": "a", "valid": False, "kind": "hmd", "role": "left foot"},
    {
        "time": 1.5,
        "trackers": [
            {"name": "a", "position": [0, 0, 0], "quaternion": [1, 0, 0, 0]},
            {"name": "b", "valid": False, "time": 1.25},
        ],
    },
]
BAD: list[Any] = [
    [],
    3,
    None,
    {},
    {"name": "a"},
    {"name": "a", "valid": True},
    {"name": "a", "position": None, "quaternion": [1, 0, 0, 0]},
    {"name": "a", "position": [1, 2, 3], "quaternion": None},
    {"name": "", "valid": False},
    {"name": "a" * 65, "valid": False},
    {"name": 3, "valid": False},
    {"name": "a", "valid": 0},
    {"name": "a", "valid": False, "time": "now"},
    {"name": "a", "valid": False, "time": True},
    {"name": "a", "position": [1, 2], "quaternion": [1, 0, 0, 0]},
    {"name": "a", "position": [1, 2, "3"], "quaternion": [1, 0, 0, 0]},
    {"name": "a", "position": [1, 2, True], "quaternion": [1, 0, 0, 0]},
    {"name": "a", "position": [1, 2, 3], "quaternion": [1, 0, 0]},
    {"name": "a", "position": {"x": 1}, "quaternion": [1, 0, 0, 0]},
    {"name": "a", "valid": False, "kind": "bone"},
    {"name": "a", "valid": False, "role": 3},
    {"name": "a", "valid": False, "role": "a" * 65},
    {"notice": 3},
    {"trackers": {}},
    {"trackers": [3]},
    {"trackers": [{"name": "a", "valid": False}] * 65},
]


KNOWN = {
    *("$schema", "$defs", "title", "description", "default", "type", "properties", "required"),
    *(
        "items",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "if",
        "else",
        "const",
        "enum",
        "$ref",
    ),
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "number": (int, float),
}


def conforms(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether a value is as a schema says: as much of JSON Schema as ours uses."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        return conforms(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema or "enum" in schema:
        allowed = schema.get("enum", [schema.get("const")])
        return any(value == each and type(value) is type(each) for each in allowed)
    kind = schema.get("type", "object")
    if not isinstance(value, TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
        return "type" not in schema
    if isinstance(value, dict):
        return object_conforms(value, schema, root)
    if isinstance(value, list):
        return array_conforms(value, schema, root)
    return not isinstance(value, str) or text_conforms(value, schema)


def object_conforms(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    parts = schema.get("properties", {})
    if any(name not in value for name in schema.get("required", [])):
        return False
    if not all(conforms(value[name], part, root) for name, part in parts.items() if name in value):
        return False
    is_other = "if" in schema and not conforms(value, schema["if"], root)
    return not is_other or conforms(value, schema["else"], root)


def array_conforms(value: list[Any], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    sized = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf)
    return sized and all(conforms(item, schema["items"], root) for item in value)


def text_conforms(value: str, schema: dict[str, Any]) -> bool:
    return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def decode(line: Any) -> list[Reading]:
    return JsonDecoder().decode(json.dumps(line).encode(), 0.0)


@pytest.mark.parametrize("line", GOOD)
def test_good_lines(line: dict[str, Any], schema: dict[str, Any]) -> None:
    assert conforms(line, schema, schema)
    assert len(decode(line)) == len(line.get("trackers", [] if "notice" in line else [line]))


@pytest.mark.parametrize("line", BAD)
def test_bad_lines(line: Any, schema: dict[str, Any]) -> None:
    assert not conforms(line, schema, schema)
    decoder = JsonDecoder()
    readings = decoder.decode(json.dumps(line).encode() + b"\n" + json.dumps(GOOD[0]).encode(), 0.0)
    # Neither the datagram's other lines are lost, nor anything else.
    assert decoder.malformed == 1
    assert [reading.position for reading in readings] == [(1.0, 2.5, 3.0)]


def test_a_bad_tracker_costs_nothing_but_itself() -> None:
    trackers = [
        GOOD[0],
        {**GOOD[0], "name": "b", "position": [0, None, 0]},
        {**GOOD[0], "name": "c"},
    ]
    decoder = JsonDecoder()
    readings = decoder.decode(json.dumps({"trackers": trackers}).encode(), 0.0)
    assert [reading.device for reading in readings] == ["a", "c"]
    assert decoder.malformed == 1


@pytest.mark.parametrize(
    "packet",
    [
        b"{",
        b"[" * 30000,
        b'{"name": "a", "valid": false, "time": NaN}',
        b'{"name": "a", "position": [1e999, 0, 0], "quaternion": [1, 0, 0, 0]}',
        b'{"name": "a", "valid": false, "time": 1' + b"0" * 5000 + b"}",
        b"\xff\xfe",
        b'{"name": "\xff", "valid": false}',
    ],
)
def test_what_is_no_json(packet: bytes) -> None:
    decoder = JsonDecoder()
    assert decoder.decode(packet, 0.0) == []
    assert decoder.malformed == 1


def test_round_trip(schema: dict[str, Any]) -> None:
    sent = [
        Reading("a", (0.1, 0.2, 0.3), (0.6, 0.0, 0.8, 0.0), 1.25),
        Reading("b", (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), 1.25, False),
        Reading("c", (0.0, 0.0, 0.0), (0.6, 0.0, 0.8, 0.0), 1.25, has_position=False),
        Reading("d", (0.1, 0.2, 0.3), (1.0, 0.0, 0.0, 0.0), 1.25, has_rotation=False),
    ]
    (line,) = encode(sent)
    assert conforms(json.loads(line), schema, schema)
    got = JsonDecoder().decode(line, 0.0)
    assert [r._replace(arrival=0.0) for r in got] == [r._replace(arrival=0.0) for r in sent]


def test_several_lines_in_a_datagram() -> None:
    packet = b'{"name": "a", "valid": false}\r\n\n{"name": "b", "valid": false, "time": 2}'
    first, second = JsonDecoder().decode(packet, 0.0)
    assert (first.device, second.device, second.time) == ("a", "b", 2.0)
    assert math.isnan(first.time)


@pytest.mark.parametrize("line", [GOOD[1], GOOD[3]])
def test_zero_quaternions_and_parking_places_are_not_valid(line: dict[str, Any]) -> None:
    (reading,) = decode(line)
    assert not reading.valid and reading.position == (0.0, 0.0, 0.0)


def test_examples_of_docs_conform(schema: dict[str, Any]) -> None:
    page = Path(__file__).resolve().parents[4] / "docs" / "protocols.md"
    texts = [page.read_text(encoding="utf-8"), json_lines.__doc__ or ""]
    examples = [e for text in texts for e in re.findall(r"^ *(\{.*\"name\".*\})$", text, re.M)]
    assert len(examples) >= 4
    for example in examples:
        assert conforms(json.loads(example), schema, schema)
        assert decode(json.loads(example))


READINGS = st.builds(
    Reading,
    st.text(min_size=1, max_size=64),
    numbers(3, 100.0).map(lambda place: tuple(place.tolist())),
    quaternions().map(lambda turn: tuple(turn.tolist())),
    st.just(0.0),
    st.booleans(),
    has_position=st.booleans(),
    has_rotation=st.booleans(),
)


@given(
    frame=st.lists(READINGS, min_size=1, max_size=8),
    time=st.none() | st.floats(-1e12, 1e12),
    ends=st.lists(st.sampled_from([b"", b"\r\n", b" \n"]), max_size=3),
)
def test_any_frame_is_written_and_read(
    frame: list[Reading], time: float | None, ends: list[bytes]
) -> None:
    """In one datagram, with whatever empty lines."""
    sent = [reading._replace(time=math.nan if time is None else time) for reading in frame]
    (line,) = encode(sent)
    got = JsonDecoder().decode(b"".join([*ends, line, *ends]), 0.0)
    assert [reading.device for reading in got] == [reading.device for reading in sent]
    for one, other in zip(sent, got, strict=True):
        assert other.valid == (one.valid and (one.has_position or one.has_rotation))
        assert other.time == one.time or (time is None and math.isnan(other.time))
        if not other.valid:
            continue
        assert (other.has_position, other.has_rotation) == (one.has_position, one.has_rotation)
        if one.has_position:
            assert other.position == one.position
        if one.has_rotation:
            assert max(abs(a - b) for a, b in zip(other.rotation, one.rotation, strict=True)) < 1e-9


def test_kinds_hints_and_notices() -> None:
    decoder = JsonDecoder()
    pose = {"position": [1, 2, 3], "quaternion": [1, 0, 0, 0]}
    trackers = [
        {"name": "a", "kind": "hmd", **pose},
        {"name": "b", "role": "left foot", **pose},
        {"name": "c", "role": "waist", "valid": False},
    ]
    line = json.dumps({"trackers": trackers, "notice": "Low \u0007battery" + 300 * "!"})
    readings = decoder.decode(line.encode(), 0.0)
    assert [(reading.kind, reading.hint, reading.valid) for reading in readings] == [
        ("hmd", "", True),
        ("tracker", "left foot", True),
        ("tracker", "waist", False),
    ]
    assert decoder.notice == ("Low battery" + 300 * "!")[:200]
    # It stays until there is another one.
    decoder.decode(b'{"trackers": []}', 0.0)
    assert decoder.notice.startswith("Low battery")
    assert decoder.decode(b'{"notice": ""}', 0.0) == []
    assert decoder.notice == "" and decoder.malformed == 0
