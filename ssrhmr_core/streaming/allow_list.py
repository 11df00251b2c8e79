# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses that may send to a receiver."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from .readings import StreamingError

_MAX_REMEMBERED = 256


class AllowList:
    """Decides by its address whether a computer may send.

    This computer always may. An empty list allows every computer.

    Attributes:
        refused: The address that was refused last, "" if none was.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Read a list of addresses.

        Args:
            allowed: Addresses (192.168.1.20, fe80::1) and networks (192.168.1.0/24).

        Raises:
            StreamingError: if one of them is neither.
        """
        self.refused = ""
        self._networks = [_read_network(text) for text in allowed]
        self._decisions: dict[str, bool] = {}

    def allows(self, host: str) -> bool:
        """Return whether a computer may send, and remember it if not.

        Args:
            host: Its address, as the system reports it.
        """
        allowed = self._decisions.get(host)
        if allowed is None:
            if len(self._decisions) >= _MAX_REMEMBERED:
                self._decisions.clear()
            allowed = self._decisions[host] = self._decide(host)
        if not allowed:
            self.refused = host
        return allowed

    def _decide(self, host: str) -> bool:
        if not self._networks:
            return True
        # Addresses of a link name the interface: fe80::1%eth0.
        address = ipaddress.ip_address(host.partition("%")[0])
        return address.is_loopback or any(address in network for network in self._networks)


def split_addresses(text: str) -> tuple[str, ...]:
    """Return the addresses of a list that a person typed, with commas or spaces between them."""
    return tuple(text.replace(",", " ").replace(";", " ").split())


def _read_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise StreamingError(
            f"'{text}' is not an address: write one like 192.168.1.20, or a network like"
            " 192.168.1.0/24"
        ) from error
