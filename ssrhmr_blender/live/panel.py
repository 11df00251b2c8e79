"""The live panel."""

from __future__ import annotations

from typing import ClassVar

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..panels import SidebarPanel, draw_swaps, draw_text
from ..settings import SSRHMR_Setup, live_of, setup_of
from . import capture


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
            how = iface_("{rate:.0f}/s") if heard.valid else iface_("{ago:.0f} s ago")
            text += "  " + how.format(rate=heard.rate, ago=heard.ago)
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
                draw_text(layout, context, setup.message)
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
            text="Go On" if status.paused else "Pause",
            icon="PLAY" if status.paused else "PAUSE",
            depress=status.paused,
        )
        column = layout.column(align=True)
        heard = found.receiver.counters
        if not found.heard:
            text = iface_(
                "Nothing heard yet on port {port}: start the tracking software and let it send"
                " there"
            )
            draw_text(layout, context, text.format(port=found.receiver.port), icon="INFO")
        else:
            text = iface_("{rate:.0f} readings/s, {packets:,} packets")
            column.label(text=text.format(rate=status.rate, packets=heard.datagrams))
            text = iface_("Model {model:.1f} ms, latency {latency:.0f} ms")
            column.label(text=text.format(model=status.model_ms, latency=status.latency_ms))
            lost = heard.dropped + heard.malformed + heard.oversized
            text = iface_("Lost: {frames} frames, {packets} packets")
            column.label(
                text=text.format(frames=status.frames_lost, packets=lost),
                icon="ERROR" if status.frames_lost or lost else "CHECKMARK",
            )
        if status.message:
            draw_text(layout, context, status.message, icon="INFO")

        if found.has_character:
            if status.countdown > 0.0:
                row = layout.row()
                row.scale_y = 1.5
                row.operator(
                    "ssrhmr.live_calibrate",
                    text=f"{_pose_of(setup)}! {status.countdown:.0f}",
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
                    draw_text(layout, context, warning.name, icon="ERROR")
                    draw_swaps(layout, warning)
        else:
            draw_text(layout, context, iface_("No character: choose one above, then"), icon="INFO")
        layout.operator("ssrhmr.live_character", icon="ARMATURE_DATA")


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
            wait, done = found.pre_roll, found.status.recorded_seconds
            text = iface_("In {wait:.0f} s") if wait else iface_("Stop  ({done:.1f} s)")
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
