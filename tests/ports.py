# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that no other test process of this machine has, however many run at once.

Asking the system for any free port and closing it again leaves a moment, or a whole test that
starts and stops its receiver, in which another process may be given the same one.
"""

from __future__ import annotations

import random
import socket

_FIRST, _COUNT = 20_000, 6_000
"""Ports below those that systems hand out by themselves (from 32,768 or 49,152)."""
_guards: list[socket.socket] = []
"""Sockets at the ports above ours: who holds one has the port that belongs to it."""


def free_port() -> int:
    """Return a port that is free for UDP and TCP and that this process alone uses until it ends."""
    numbers = random.Random()  # seeded by the system: not the same in two processes
    while True:
        port = numbers.randrange(_FIRST, _FIRST + _COUNT)
        guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            guard.bind(("127.0.0.1", port + _COUNT))
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            guard.close()
            continue
        _guards.append(guard)
        return port
