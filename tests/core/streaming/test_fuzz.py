# SPDX-License-Identifier: GPL-3.0-or-later
"""A little of what ``python -m tests.core.streaming.fuzz`` does at length."""

from __future__ import annotations

import pytest

from ssrhmr_core.streaming import ProtocolName
from tests.core.streaming.fuzz import (
    PROTOCOLS,
    datagrams,
    helper_lines,
    queries,
    streams,
    vmt_packets,
    vrsystem_packets,
    web_requests,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_hostile_datagrams(protocol: ProtocolName) -> None:
    watched = datagrams(protocol, 5000, 7)
    counters = watched.receiver.counters
    assert watched.thread.is_alive()
    watched.stop()
    assert counters.datagrams == 5000
    # Some of each kind, or else the packets are too tame, or too wild.
    assert counters.malformed > 500
    assert watched.kept > 500


def test_hostile_fingers_and_faces() -> None:
    watched = datagrams("vmc", 5000, 7, details=True)
    assert watched.thread.is_alive()
    watched.stop()
    assert watched.receiver.counters.malformed > 500
    assert watched.kept > 500


def test_hostile_streams() -> None:
    watched = streams(5000, 7)
    assert watched.thread.is_alive()
    watched.stop()
    assert watched.receiver.counters.malformed > 500
    assert watched.kept > 500


def test_hostile_lines_of_the_helper() -> None:
    watched = streams(5000, 7, good=helper_lines())
    assert watched.thread.is_alive()
    watched.stop()
    assert watched.receiver.counters.malformed > 500
    assert watched.kept > 200


@pytest.mark.parametrize(
    ("protocol", "good"), [("vrchat", vrsystem_packets()), ("vmc", vmt_packets())]
)
def test_hostile_poses_of_other_kinds(protocol: ProtocolName, good: list[bytes]) -> None:
    watched = datagrams(protocol, 5000, 7, good=good)
    assert watched.thread.is_alive()
    watched.stop()
    assert watched.receiver.counters.malformed > 500
    assert watched.kept > 500


def test_hostile_queries_and_requests() -> None:
    for send, count in ((queries, 2000), (web_requests, 1000)):
        watched = send(count, 7)
        assert watched.thread.is_alive()
        watched.stop()
        # The good ones among them.
        assert watched.answers > 100
