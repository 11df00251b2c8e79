# SPDX-License-Identifier: GPL-3.0-or-later
"""A little of what ``python -m tests.core.streaming.fuzz`` does at length."""

from __future__ import annotations

import pytest

from ssrhmr_core.streaming import ProtocolName
from tests.core.streaming.fuzz import PROTOCOLS, datagrams, streams


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_hostile_datagrams(protocol: ProtocolName) -> None:
    watched = datagrams(protocol, 5000, 7)
    counters = watched.receiver.counters
    assert watched.thread.is_alive()
    watched.receiver.stop()
    assert counters.datagrams == 5000
    # Some of each kind, or else the packets are too tame, or too wild.
    assert counters.malformed > 500
    assert watched.kept > 500


def test_hostile_fingers_and_faces() -> None:
    watched = datagrams("vmc", 5000, 7, details=True)
    assert watched.thread.is_alive()
    watched.receiver.stop()
    assert watched.receiver.counters.malformed > 500
    assert watched.kept > 500


def test_hostile_streams() -> None:
    watched = streams(5000, 7)
    assert watched.thread.is_alive()
    watched.receiver.stop()
    assert watched.receiver.counters.malformed > 500
    assert watched.kept > 500
