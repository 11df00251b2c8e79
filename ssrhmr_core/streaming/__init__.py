"""Trackers that stream in over the network: no Blender, no model, only readings.

>>> with Receiver("vmc") as receiver:
...     readings = receiver.drain()
"""

from .decoding import PORTS, Counters, ProtocolName
from .devices import Device, DeviceTable, assign_role, guess_roles
from .readings import FeedError, MalformedError, Reading
from .receiver import ANYWHERE, LOCALHOST, Receiver

__all__ = [
    "ANYWHERE",
    "LOCALHOST",
    "PORTS",
    "Counters",
    "Device",
    "DeviceTable",
    "FeedError",
    "MalformedError",
    "ProtocolName",
    "Reading",
    "Receiver",
    "assign_role",
    "guess_roles",
]
