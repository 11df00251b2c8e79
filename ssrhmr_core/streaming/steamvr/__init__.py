# SPDX-License-Identifier: GPL-3.0-or-later
"""SteamVR's devices, read by a process of its own."""

from .receiver import SteamVrReceiver, unpack_wheel

__all__ = ["SteamVrReceiver", "unpack_wheel"]
