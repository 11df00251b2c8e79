# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers that stream in over the network: no Blender, no model, only readings.

Examples:
    >>> with Receiver("vmc") as receiver:
    ...     readings = receiver.drain()
"""

from .allow_list import split_addresses
from .decoding import PORTS, Counters, ProtocolName
from .devices import MAX_DEVICES, Device, DeviceTable, assign_role, guess_roles, propose_roles
from .readings import MalformedError, Reading, StreamingError
from .receiver import ANYWHERE, LOCALHOST, Announcement, Receiver, SharedReceiver

__all__ = [
    "ANYWHERE",
    "LOCALHOST",
    "MAX_DEVICES",
    "PORTS",
    "Announcement",
    "Counters",
    "Device",
    "DeviceTable",
    "MalformedError",
    "ProtocolName",
    "Reading",
    "Receiver",
    "SharedReceiver",
    "StreamingError",
    "assign_role",
    "guess_roles",
    "propose_roles",
    "split_addresses",
]
