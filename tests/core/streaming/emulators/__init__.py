# SPDX-License-Identifier: GPL-3.0-or-later
"""Emulators of real senders: what they put on the wire, by their sources and documents."""
