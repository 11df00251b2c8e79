# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says about live trackers: figures, and no name of a device."""

from __future__ import annotations

from dataclasses import asdict

import bpy

from ..properties.live import live_of
from . import capture


def describe_live(scene: bpy.types.Scene) -> list[str]:
    """Return the heading and the lines about the source, and about the capture that runs."""
    live = live_of(scene)
    roles = {device.name: device.role.lower() for device in live.devices}
    assigned = sum(role != "none" for role in roles.values())
    lines = ["Live", f"{live.protocol}, port {live.port}, other computers {live.everywhere}"]
    lines.append(f"{len(roles)} devices listed, {assigned} assigned")
    current = capture.running()
    if current is None:
        return [*lines, "not running"]
    status = current.status
    lines.append(
        f"{status.rate:.0f} readings/s, model {status.model_ms:.1f} ms,"
        f" latency {status.latency_ms:.0f} ms"
    )
    lines.append(
        f"frames {status.frames}, lost {status.frames_lost}, waited {status.frames_waited}"
    )
    counters = asdict(current.receiver.counters)
    lines.append(", ".join(f"{name} {value}" for name, value in counters.items()))
    calibrated = current.session.calibration is not None
    lines.append(
        f"calibrated {calibrated}, character {current.has_character}, recording {current.recording}"
    )
    for number, device in enumerate(current.heard.values(), 1):
        rotation = "" if device.has_rotation else ", no rotation"
        lines.append(
            f"device {number}: {device.kind}, {roles.get(device.name, 'none')},"
            f" {device.rate:.0f}/s, {'visible' if device.valid else 'lost'}{rotation}"
        )
    return lines
