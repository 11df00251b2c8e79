# SPDX-License-Identifier: GPL-3.0-or-later
"""Several queues on one port."""

from __future__ import annotations

import socket
import time

import pytest

from ssrhmr_core.streaming import LOCALHOST, Receiver, SharedReceiver, StreamingError
from ssrhmr_core.streaming.channels import SenderFilter

LINE = b'{"name": "head", "position": [0, 1, 0], "quaternion": [1, 0, 0, 0]}'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", [("10.0.0.1", 5000), ("10.0.0.2", 6000), ("tcp", "10.0.0.1", 5000), ("::1", 7000)]),
        ("10.0.0.1", [("10.0.0.1", 5000), ("tcp", "10.0.0.1", 5000)]),
        ("10.0.0.1:5000", [("10.0.0.1", 5000), ("tcp", "10.0.0.1", 5000)]),
        ("10.0.0.1:5001", []),
        ("10.0.0.2, [::1]:7000", [("10.0.0.2", 6000), ("::1", 7000)]),
        ("::1", [("::1", 7000)]),
    ],
)
def test_senders_are_chosen_by_address_and_port(text: str, wanted: list[object]) -> None:
    senders = [("10.0.0.1", 5000), ("10.0.0.2", 6000), ("tcp", "10.0.0.1", 5000), ("::1", 7000)]
    chosen = SenderFilter(text)
    assert [sender for sender in senders if chosen.wants(sender)] == wanted


@pytest.mark.parametrize("text", ["nobody", "10.0.0.1:port", "10.0.0", "[::1"])
def test_what_is_no_address_is_explained(text: str) -> None:
    with pytest.raises(StreamingError, match="not the address of a sender"):
        SenderFilter(text if text != "[::1" else "[::x]")


def wait_for(receiver: Receiver | SharedReceiver, datagrams: int) -> list[str]:
    end = time.perf_counter() + 600.0
    while receiver.counters.datagrams < datagrams and time.perf_counter() < end:
        time.sleep(0.001)
    return [f"{reading.position[0]:.0f}" for reading in receiver.drain()]


def test_two_performers_send_the_same_names_to_one_port() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        one.bind((LOCALHOST, 0))
        other.bind((LOCALHOST, 0))
        first = Receiver("json", 0)
        first.listen_to(f"{LOCALHOST}:{one.getsockname()[1]}")
        with first:
            second = first.share(f"{LOCALHOST}:{other.getsockname()[1]}")
            second.start()
            for _ in range(5):
                one.sendto(LINE.replace(b"[0", b"[1"), (LOCALHOST, first.port))
                other.sendto(LINE.replace(b"[0", b"[2"), (LOCALHOST, first.port))
            assert wait_for(first, 5) == ["1"] * 5 and wait_for(second, 5) == ["2"] * 5
            assert first.notice == second.notice == ""
            # The port stays open for the other one, and is free after it.
            port = first.port
            first.stop()
            other.sendto(LINE.replace(b"[0", b"[2"), (LOCALHOST, port))
            assert wait_for(second, 6) == ["2"] and first.counters.datagrams == 5
            second.stop()
            assert not second.running
    with Receiver("json", port):
        pass


def test_a_sender_that_is_not_chosen_is_named() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
        Receiver("json", 0) as receiver,
    ):
        receiver.stop()
        receiver.listen_to("10.0.0.1")
        receiver.start()
        out.sendto(LINE, (LOCALHOST, receiver.port))
        end = time.perf_counter() + 600.0
        while not receiver.notice and time.perf_counter() < end:
            time.sleep(0.001)
        assert "not the chosen sender" in receiver.notice and not receiver.drain()


def test_what_can_be_shared() -> None:
    receiver = Receiver("json", 0)
    assert not receiver.can_share("json", 0, LOCALHOST, ())
    with receiver:
        assert receiver.can_share("json", receiver.port, LOCALHOST, ())
        assert not receiver.can_share("vmc", receiver.port, LOCALHOST, ())
        assert not receiver.can_share("json", receiver.port, "0.0.0.0", ())
    with pytest.raises(StreamingError, match="was closed"):
        receiver.share().start()
