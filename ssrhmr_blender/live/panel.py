# SPDX-License-Identifier: GPL-3.0-or-later
"""The live panel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.ui import SidebarPanel, draw_swap_buttons, draw_wrapped_text
from ..properties.live import live_of
from ..properties.setup import SSRHMR_Setup, setup_of
from . import capture

if TYPE_CHECKING:
    from ssrhmr_core.streaming import Device


class SSRHMR_UL_devices(bpy.types.UIList):
    """Devices that were heard of, and where they are worn."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.AnyType,
        item: bpy.types.AnyType,
        icon: int,
        active_data: bpy.types.AnyType,
        active_property: str,
    ) -> None:
        """Draw a device, how it is heard, and its role."""
        found = capture.running()
        heard = found.heard.get(item.name) if found else None
        mark = "UNLINKED"
        if heard is not None:
            mark = "CHECKMARK" if heard.valid else "ERROR"
        text = item.name
        if heard is not None:
            rate = iface_("{rate:.0f}/s").format(rate=heard.rate)
            text += f"  {rate if heard.valid else _seen(heard)}"
        split = layout.split(factor=0.6, align=True)
        split.label(text=text, icon=mark, translate=False)
        split.prop(item, "role", text="")


class SSRHMR_PT_live(SidebarPanel, bpy.types.Panel):
    """Trackers that stream in."""

    bl_label = "Live"
    bl_idname = "SSRHMR_PT_live"
    preset_menu = "SSRHMR_MT_presets_live"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the source, or how the capture goes."""
        layout, setup = self.layout, setup_of(context.scene)
        live, found = live_of(context.scene), capture.running()
        layout.use_property_split = True
        layout.use_property_decorate = False
        if found is None:
            layout.prop(live, "protocol")
            layout.prop(live, "port")
            layout.prop(live, "everywhere")
            row = layout.row()
            row.scale_y = 1.5
            row.operator("ssrhmr.live_start", icon="PLAY")
            if setup.message:
                draw_wrapped_text(layout, context, setup.message)
            return
        self._draw_running(context, found)

    def _draw_running(self, context: bpy.types.Context, found: capture.Capture) -> None:
        layout, setup = self.layout, setup_of(context.scene)
        live, status = live_of(context.scene), found.status
        row = layout.row(align=True)
        row.scale_y = 1.5
        row.operator("ssrhmr.live_stop", icon="SNAP_FACE")
        row.operator(
            "ssrhmr.live_pause",
            text="Resume" if status.paused else "Pause",
            icon="PLAY" if status.paused else "PAUSE",
            depress=status.paused,
        )
        column = layout.column(align=True)
        heard = found.receiver.counters
        if not found.heard:
            draw_wrapped_text(layout, context, why_silent(found), icon="INFO")
        else:
            text = iface_("{rate:.0f} readings/s, {packets:,} packets")
            column.label(text=text.format(rate=status.rate, packets=heard.datagrams))
            text = iface_("Model {model:.1f} ms, latency {latency:.0f} ms")
            column.label(text=text.format(model=status.model_ms, latency=status.latency_ms))
            text = iface_("Lost: {frames} frames, {readings} readings")
            column.label(
                text=text.format(frames=status.frames_lost, readings=heard.dropped),
                icon="ERROR" if status.frames_lost or heard.dropped else "CHECKMARK",
            )
            malformed = heard.malformed + heard.oversized
            text = iface_("Late {late}, duplicate {duplicate}, malformed {malformed}")
            column.label(
                text=text.format(late=heard.late, duplicate=heard.duplicate, malformed=malformed),
                icon="ERROR" if malformed else "BLANK1",
            )
        if status.message:
            draw_wrapped_text(layout, context, status.message, icon="INFO")

        if status.countdown > 0.0:
            row = layout.row()
            row.scale_y = 1.5
            row.operator(
                "ssrhmr.live_calibrate",
                text=f"{_pose_of(setup)}! {found.waited_for}",
                icon="TIME",
                depress=True,
            )
        else:
            layout.prop(live, "countdown")
            layout.prop(setup, "reference")
            layout.operator(
                "ssrhmr.live_calibrate",
                text=iface_("Calibrate in {pose}").format(pose=_pose_of(setup)),
                icon="OUTLINER_OB_ARMATURE",
            )
            for warning in setup.warnings:
                draw_wrapped_text(layout, context, warning.name, icon="ERROR")
                draw_swap_buttons(layout, warning)
        if not found.has_character:
            draw_wrapped_text(
                layout, context, iface_("No character: choose one above, then"), icon="INFO"
            )
        layout.operator("ssrhmr.live_character", icon="ARMATURE_DATA")


def draw_header(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """How the capture goes, in the header of each 3D view, behind its menus."""
    found = capture.running()
    if found is None:
        return
    status = found.status
    recording = status.recording >= 0
    text = iface_(
        "{rate:.0f}/s  model {model:.1f} ms  latency {latency:.0f} ms  lost {lost}  Esc stops"
    ).format(
        rate=status.rate,
        model=status.model_ms,
        latency=status.latency_ms,
        lost=status.frames_lost,
    )
    if recording:
        text = f"REC {status.recorded_seconds:.1f} s  {text}"
    if found.waited_for:
        text = iface_("In {wait} s").format(wait=found.waited_for) + f"  {text}"
    self.layout.label(text=text, icon="REC" if recording else "PLAY", translate=False)


def why_silent(found: capture.Capture) -> str:
    """Say what to do while no device is heard."""
    port, packets = found.receiver.port, found.receiver.counters.datagrams
    if packets:
        text = iface_(
            "No tracker in {packets:,} packets on port {port}: choose the protocol that is sent"
            " there"
        )
    else:
        text = iface_(
            "Nothing heard yet on port {port}: start the tracking software and let it send there"
        )
    return text.format(port=port, packets=packets)


def _heard(device: Device | None) -> str:
    if device is None:
        return iface_("Not received yet")
    text = iface_("{rate:.0f} readings/s, last seen: {seen}")
    return text.format(rate=device.rate, seen=_seen(device))


def _seen(device: Device) -> str:
    if device.valid:
        return iface_("now")
    if not math.isfinite(device.ago):
        return iface_("never")
    return iface_("{ago:.0f} s ago").format(ago=device.ago)


def _pose_of(setup: SSRHMR_Setup) -> str:
    return iface_(setup.bl_rna.properties["reference"].enum_items[setup.reference].name)


class SSRHMR_PT_devices(SidebarPanel, bpy.types.Panel):
    """Which device is worn where."""

    bl_label = "Devices"
    bl_idname = "SSRHMR_PT_devices"
    bl_parent_id = "SSRHMR_PT_live"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the table."""
        layout, live = self.layout, live_of(context.scene)
        layout.template_list(
            "SSRHMR_UL_devices", "", live, "devices", live, "active_device", rows=6
        )
        found = capture.running()
        if found is not None and live.active_device < len(live.devices):
            device = found.heard.get(live.devices[live.active_device].name)
            layout.label(text=_heard(device), translate=False)
        row = layout.row(align=True)
        row.operator_menu_enum("ssrhmr.live_wiggle", "role", icon="MOD_WAVE")
        row.operator("ssrhmr.live_forget", text="", icon="TRASH")
        layout.prop(live, "overlay")


class SSRHMR_PT_record(SidebarPanel, bpy.types.Panel):
    """Recording takes."""

    bl_label = "Record"
    bl_idname = "SSRHMR_PT_record"
    bl_parent_id = "SSRHMR_PT_live"
    bl_options: ClassVar = set()

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the button and the choices."""
        layout, live, found = self.layout, live_of(context.scene), capture.running()
        layout.use_property_split = True
        layout.use_property_decorate = False
        row = layout.row()
        row.scale_y = 1.5
        recording = found is not None and found.recording
        text = "Record"
        if recording and found is not None:
            wait, done = found.waited_for, found.status.recorded_seconds
            text = iface_("In {wait} s") if found.pre_roll else iface_("Stop  ({done:.1f} s)")
            text = text.format(wait=wait, done=done)
        row.alert = recording
        row.operator(
            "ssrhmr.record", text=text, icon="SNAP_FACE" if recording else "REC", depress=recording
        )
        column = layout.column()
        column.enabled = not recording
        column.prop(live, "bake")
        column.prop(live, "pre_roll")
        column.prop(live, "play")
        column.prop(live, "folder")
        column.operator("ssrhmr.bake_take", icon="FILE_MOVIE")


CLASSES = (SSRHMR_UL_devices, SSRHMR_PT_live, SSRHMR_PT_devices, SSRHMR_PT_record)
