# SPDX-License-Identifier: GPL-3.0-or-later
"""What a packet is, where the chosen protocol makes nothing of it."""

from __future__ import annotations

from .mocopi import FORMAT
from .osc import read_packet

_PROTOCOLS = {"vmc": "VMC", "vrchat": "VRChat OSC", "mocopi": "mocopi", "json": "JSON lines"}
_SEARCHED = 2048
"""Bytes from the beginning of a packet that are searched."""
_NO_TRACKERS = {
    "vmc": "no trackers or bones: switch those on in it",
    "vrchat": "no positions of trackers: switch OSC trackers on in it",
    "mocopi": "no frames of motion: start the motion in its app",
    "json": "no trackers that can be read: compare its lines with the documentation",
}


def describe_packet(packet: bytes, protocol: str, sender: str) -> str:
    """Say what a sender sends of which the chosen protocol makes no readings, and what to do.

    Args:
        packet: A packet of it.
        protocol: The protocol that was chosen: "vmc", "vrchat", "mocopi" or "json".
        sender: The address of the sender, to be shown.

    Returns:
        A sentence in plain words.
    """
    sent = _recognize(packet[:_SEARCHED])
    if sent == protocol:
        return f"{sender} sends {_PROTOCOLS[sent]}, but {_NO_TRACKERS[sent]}"
    if sent in _PROTOCOLS:
        return f"{sender} sends {_PROTOCOLS[sent]}: choose that protocol"
    if sent == "osc":
        address = read_packet(packet, {}).other.decode("ascii", "replace")[:40]
        return (
            f"{sender} sends OSC messages of another kind ({address}): let it send VMC or VRChat"
            " OSC trackers"
        )
    return f"{sender} sends something that cannot be read: choose the protocol that it sends"


def _recognize(packet: bytes) -> str:
    if b"/VMC/Ext/" in packet or b"/VMT/" in packet:
        return "vmc"
    if b"/tracking/trackers/" in packet or b"/tracking/vrsystem/" in packet:
        return "vrchat"
    if FORMAT in packet:
        return "mocopi"
    if packet.lstrip()[:1] in (b"{", b"["):
        return "json"
    if packet.startswith((b"/", b"#bundle\x00")):
        return "osc"
    return ""
