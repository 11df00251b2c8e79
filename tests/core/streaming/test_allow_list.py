# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ssrhmr_core.streaming import StreamingError
from ssrhmr_core.streaming.allow_list import AllowList, split_addresses


@pytest.mark.parametrize(
    ("allowed", "host", "may"),
    [
        ((), "203.0.113.9", True),
        (("192.168.1.20",), "192.168.1.20", True),
        (("192.168.1.20",), "192.168.1.21", False),
        (("10.0.0.0/8", "192.168.1.7/24"), "192.168.1.200", True),
        (("10.0.0.0/8", "192.168.1.7/24"), "192.168.2.1", False),
        (("192.168.1.20",), "127.0.0.1", True),
        (("192.168.1.20",), "::1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("192.168.1.20",), "fe80::1%eth0", False),
    ],
)
def test_who_may_send(allowed: tuple[str, ...], host: str, may: bool) -> None:
    addresses = AllowList(allowed)
    assert [addresses.allows(host) for _ in range(2)] == [may, may]
    assert addresses.refused == ("" if may else host)


def test_its_memory_is_bounded() -> None:
    addresses = AllowList(["192.168.1.20"])
    for number in range(5000):
        assert not addresses.allows(f"10.0.{number // 250}.{number % 250}")
    assert len(addresses._decisions) <= 256
    assert addresses.allows("192.168.1.20")


def test_lists_as_people_type_them() -> None:
    assert split_addresses(" 192.168.1.20,10.0.0.0/8 ;  ::1 ") == (
        "192.168.1.20",
        "10.0.0.0/8",
        "::1",
    )
    assert split_addresses("") == ()


@pytest.mark.parametrize("text", ["my-laptop", "192.168.1", "192.168.1.0/99"])
def test_what_is_not_an_address_is_explained(text: str) -> None:
    with pytest.raises(StreamingError, match=f"'{text}' is not an address: write one like"):
        AllowList([text])
