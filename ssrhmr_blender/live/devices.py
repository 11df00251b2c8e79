# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of devices: who wears which where, and who is heard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.typed import Icon, OperatorResult, layout_of, scene_of
from ..common.ui import RowList, SidebarPanel
from ..properties.live import live_of
from ..properties.setup import setup_of
from ..properties.tracker import ALL_TRACKERS, SEGMENT_LABELS, TRACKER_LABELS
from . import capture

if TYPE_CHECKING:
    from ssrhmr_core.streaming import Device

    from ..properties.live import SSRHMR_Device, SSRHMR_Live
    from ..properties.tracker import SSRHMR_Tracker


class SSRHMR_OT_live_wiggle(bpy.types.Operator):
    """Shake one tracker, keep the others still, press this: the one that moves is worn there."""

    bl_idname = "ssrhmr.live_wiggle"
    bl_label = "Wiggle to Assign"
    bl_options = {"REGISTER", "UNDO"}

    role: bpy.props.EnumProperty(
        name="Worn On",
        description="The tracker that is shaken",
        items=tuple((role, label, "") for role, label in TRACKER_LABELS.items()),
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether a capture runs."""
        return capture.running() is not None

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Give the role to the device that was shaken."""
        name = capture.require_running().session.find_shaken_device()
        if name is None:
            self.report(
                {"WARNING"}, "No device moved alone: shake one, keep the others still, try again"
            )
            return {"CANCELLED"}
        devices = live_of(scene_of(context)).devices
        if name not in devices:
            devices.add().name = name
        devices[name].role = self.role
        self.report({"INFO"}, f"'{name}' is worn as {TRACKER_LABELS[self.role]}")
        return {"FINISHED"}


class SSRHMR_OT_live_forget(bpy.types.Operator):
    """Remove devices from the table that are silent now."""

    bl_idname = "ssrhmr.live_forget"
    bl_label = "Forget Absent Devices"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Remove silent devices from the table."""
        current = capture.running()
        heard = set(current.heard) if current else set()
        devices = live_of(scene_of(context)).devices
        for index in reversed(range(len(devices))):
            if devices[index].name not in heard:
                devices.remove(index)
        return {"FINISHED"}


class SSRHMR_UL_devices(RowList, bpy.types.UIList):
    """Devices that were heard of, and where they are worn."""

    @staticmethod
    def draw_row(
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        live: SSRHMR_Live,
        row: SSRHMR_Device,
    ) -> None:
        """Draw a device, how it is heard, and its role."""
        current = capture.running()
        device = current.heard.get(row.name) if current else None
        text, mark = row.name, _icon_of(device)
        if device is not None:
            rate = iface_("{rate:.0f}/s").format(rate=device.rate)
            text += f"  {rate if device.valid else _last_seen(device)}"
        split = layout.split(factor=0.6, align=True)
        split.label(text=text, icon=mark, translate=False)
        split.prop(row, "role", text="")


def _icon_of(device: Device | None) -> Icon:
    if device is None:
        return "UNLINKED"
    return "CHECKMARK" if device.valid else "ERROR"


def _describe(device: Device | None) -> str:
    if device is None:
        return iface_("Not received yet")
    text = iface_("{rate:.0f} readings/s, last seen: {seen}")
    text = text.format(rate=device.rate, seen=_last_seen(device))
    # What the sender says about it, in the sender's own words.
    return f"{device.hint}: {text}" if device.hint else text


def _last_seen(device: Device) -> str:
    if device.valid:
        return iface_("now")
    if not math.isfinite(device.age):
        return iface_("never")
    return iface_("{ago:.0f} s ago").format(ago=device.age)


class SSRHMR_PT_devices(SidebarPanel, bpy.types.Panel):
    """Which device is worn where."""

    bl_label = "Devices"
    bl_idname = "SSRHMR_PT_devices"
    bl_parent_id = "SSRHMR_PT_live"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the table."""
        layout, live = layout_of(self), live_of(scene_of(context))
        layout.template_list(
            *("SSRHMR_UL_devices", "", live, "devices", live, "active_device"),
            # A bar to scroll would take the width that serials and roles need.
            rows=6,
            maxrows=len(ALL_TRACKERS),
        )
        current = capture.running()
        if current is not None and live.active_device < len(live.devices):
            device = current.heard.get(live.devices[live.active_device].name)
            layout.label(text=_describe(device), translate=False)
        if live.active_device < len(live.devices):
            role = live.devices[live.active_device].role
            if role in SEGMENT_LABELS:
                tracker = setup_of(scene_of(context)).tracker(role)
                _draw_segments(layout, tracker, SEGMENT_LABELS[role])
        row = layout.row(align=True)
        row.operator_menu_enum("ssrhmr.live_wiggle", "role", icon="MOD_WAVE")
        row.operator("ssrhmr.live_forget", text="", icon="TRASH")
        layout.prop(live, "overlay")
        row = layout.row()
        row.active = live.overlay
        row.prop(live, "certainty")


def _draw_segments(
    layout: bpy.types.UILayout, tracker: SSRHMR_Tracker, labels: tuple[str, str]
) -> None:
    """Draw which part of the body carries a tracker at an elbow or a knee.

    Args:
        layout: The layout to draw into.
        tracker: Settings of the tracker.
        labels: Names of the parts above and below the joint.
    """
    row = layout.row(align=True)
    row.prop_enum(tracker, "segment", "AUTO")
    for segment, label in zip(("UPPER", "LOWER"), labels, strict=True):
        row.prop_enum(tracker, "segment", segment, text=iface_(label))


CLASSES = (SSRHMR_OT_live_wiggle, SSRHMR_OT_live_forget, SSRHMR_UL_devices)
PANELS = (SSRHMR_PT_devices,)
