# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets senders of OSC find the receiver by themselves: OSCQuery and multicast DNS."""

from .advertiser import Advertiser

__all__ = ["Advertiser"]
