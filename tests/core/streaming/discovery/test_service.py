# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import struct

import pytest

from ssrhmr_core.streaming.discovery.dns import (
    ANY,
    PTR,
    SRV,
    TXT,
    A,
    Query,
    Question,
    Record,
    encode_name,
    make_name,
)
from ssrhmr_core.streaming.discovery.service import Service

SERVICE = Service(["VRChat-Client-Blender-1", "Blender"], "127.0.0.1", 9000, 8080)
OSC = make_name("_osc._udp.local")


def ask(name: str, kind: int, known: tuple[Record, ...] = ()) -> tuple[list[Record], list[Record]]:
    return SERVICE.answer(Query(0, [Question(make_name(name), kind)], known))


def test_browsing_gives_everything_at_once() -> None:
    answers, extra = ask("_OSC._udp.local", PTR)
    names = [
        make_name(f"{name}._osc._udp.local") for name in ("VRChat-Client-Blender-1", "Blender")
    ]
    assert [record.data for record in answers] == [encode_name(name) for name in names]
    assert [(record.name, record.type) for record in extra] == [
        *((name, kind) for name in names for kind in (SRV, TXT)),
        (make_name("VRChat-Client-Blender-1.local"), A),
    ]
    assert struct.unpack(">3H", extra[0].data[:6]) == (0, 0, 9000)
    assert extra[-1].data == socket.inet_aton("127.0.0.1")


@pytest.mark.parametrize(
    ("name", "kind", "types"),
    [
        ("Blender._oscjson._tcp.local", SRV, [SRV]),
        ("blender._oscjson._tcp.local", ANY, [SRV, TXT]),
        ("vrchat-client-blender-1.local", A, [A]),
        ("_services._dns-sd._udp.local", PTR, [PTR, PTR]),
        ("_osc._udp.local", SRV, []),
        ("_http._tcp.local", PTR, []),
        ("Other._osc._udp.local", SRV, []),
    ],
)
def test_other_questions(name: str, kind: int, types: list[int]) -> None:
    answers, _ = ask(name, kind)
    assert [record.type for record in answers] == types


def test_what_is_known_is_not_repeated() -> None:
    (first, second), _ = ask("_osc._udp.local", PTR)
    fresh = Record(OSC, PTR, first.data, 4000, False)
    stale = Record(OSC, PTR, second.data, 100, False)
    answers, _ = ask("_osc._udp.local", PTR, (fresh, stale))
    assert answers == [second]


def test_the_farewell_takes_everything_back() -> None:
    farewell = SERVICE.farewell()
    assert {record.ttl for record in farewell} == {0}
    assert [record.data for record in farewell] == [record.data for record in SERVICE.records()]
