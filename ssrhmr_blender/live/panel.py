# SPDX-License-Identifier: GPL-3.0-or-later
"""The live panels."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.calibration_result import draw_measures, draw_tracker_fits
from ..common.typed import layout_of, scene_of
from ..common.ui import SidebarPanel, draw_swap_buttons, draw_wrapped_text
from ..properties.characters import active_entry, characters_of
from ..properties.live import SSRHMR_Live, live_of
from ..properties.setup import SSRHMR_Setup, setup_of
from . import capture, devices
from .guide import Guide


class SSRHMR_PT_live(SidebarPanel, bpy.types.Panel):
    """Trackers that stream in."""

    bl_label = "Live"
    bl_idname = "SSRHMR_PT_live"
    preset_menu = "SSRHMR_MT_presets_live"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the source, or the capture that runs."""
        layout = layout_of(self)
        layout.use_property_split = True
        layout.use_property_decorate = False
        current, entry = capture.running(), active_entry(scene_of(context))
        if entry is not None and len(characters_of(scene_of(context)).entries) > 1:
            row = layout.row()
            row.enabled = current is None
            row.prop(entry, "own_source")
        if current is None:
            _draw_source(layout, context)
            return
        _draw_buttons(layout, current)
        _draw_feed(layout, context, current)
        _draw_calibration(layout, context, current)
        if not current.has_character:
            draw_wrapped_text(
                layout, context, iface_("No character: choose one above, then"), icon="INFO"
            )
        layout.operator("ssrhmr.live_character", icon="ARMATURE_DATA")


def _draw_source(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    setup, live = setup_of(scene_of(context)), live_of(scene_of(context))
    layout.prop(live, "protocol")
    if live.protocol != "STEAMVR":
        _draw_network(layout, context, live)
    row = layout.row()
    row.scale_y = 1.5
    row.operator("ssrhmr.live_start", icon="PLAY")
    if setup.message:
        draw_wrapped_text(layout, context, setup.message)


def _draw_network(
    layout: bpy.types.UILayout, context: bpy.types.Context, live: SSRHMR_Live
) -> None:
    """Draw the port, and who may send to it."""
    layout.prop(live, "port")
    if live.protocol == "VMC":
        layout.prop(live, "details")
    if live.protocol == "VRCHAT":
        layout.prop(live, "announce")
    entry = active_entry(scene_of(context))
    if live.sender or (entry is not None and entry.own_source):
        layout.prop(live, "sender")
    layout.prop(live, "everywhere")
    if live.everywhere:
        layout.prop(live, "allowed")
        if not bpy.app.online_access:
            text = iface_("Enable Allow Online Access first: Preferences > System > Network")
            draw_wrapped_text(layout, context, text, icon="ERROR")


def _draw_buttons(layout: bpy.types.UILayout, current: capture.Capture) -> None:
    paused = current.status.paused
    row = layout.row(align=True)
    row.scale_y = 1.5
    row.operator("ssrhmr.live_stop", icon="SNAP_FACE")
    row.operator(
        "ssrhmr.live_pause",
        text="Resume" if paused else "Pause",
        icon="PLAY" if paused else "PAUSE",
        depress=paused,
    )


def _draw_feed(
    layout: bpy.types.UILayout, context: bpy.types.Context, current: capture.Capture
) -> None:
    """Draw what arrives, and what does not."""
    status, counters = current.status, current.receiver.counters
    if not current.heard:
        draw_wrapped_text(layout, context, why_silent(current), icon="INFO")
    else:
        column = layout.column(align=True)
        text = iface_("{rate:.0f} readings/s, {packets:,} packets")
        column.label(text=text.format(rate=status.rate, packets=counters.datagrams))
        text = iface_("Model {model:.1f} ms, latency {latency:.0f} ms")
        column.label(text=text.format(model=status.model_ms, latency=status.latency_ms))
        text = iface_("Lost: {frames} frames, {readings} readings")
        column.label(
            text=text.format(frames=status.frames_lost, readings=counters.dropped),
            icon="ERROR" if status.frames_lost or counters.dropped else "CHECKMARK",
        )
        malformed = counters.malformed + counters.oversized
        text = iface_("Late {late}, duplicate {duplicate}, malformed {malformed}")
        column.label(
            text=text.format(late=counters.late, duplicate=counters.duplicate, malformed=malformed),
            icon="ERROR" if malformed else "BLANK1",
        )
    if current.message:
        draw_wrapped_text(layout, context, current.message, icon="INFO")


def _draw_calibration(
    layout: bpy.types.UILayout, context: bpy.types.Context, current: capture.Capture
) -> None:
    setup, live = setup_of(scene_of(context)), live_of(scene_of(context))
    pose = _reference_name(setup)
    if current.guide is not None:
        _draw_guide(layout, current, current.guide, pose)
        return
    if current.status.countdown > 0.0:
        row = layout.row()
        row.scale_y = 1.5
        row.operator(
            "ssrhmr.live_calibrate",
            text=f"{pose}! {current.countdown_text}",
            icon="TIME",
            depress=True,
        )
        return
    layout.prop(live, "countdown")
    layout.prop(setup, "reference")
    layout.operator(
        "ssrhmr.live_calibrate",
        text=iface_("Calibrate in {pose}").format(pose=pose),
        icon="OUTLINER_OB_ARMATURE",
    )
    row = layout.row(align=True)
    row.operator("ssrhmr.live_guide", icon="ARMATURE_DATA")
    row.prop(live, "sound", text="", icon="SOUND" if live.sound else "MUTE_IPO_ON")
    column = layout.column(align=True)
    draw_tracker_fits(column, setup)
    draw_measures(layout.column(align=True), setup, current.unit)
    layout.prop(setup, "correct_floor")
    if setup.assumed:
        draw_wrapped_text(layout, context, setup.assumed, icon="INFO")
    for warning in setup.warnings:
        draw_wrapped_text(layout, context, warning.name, icon="ERROR")
        draw_swap_buttons(layout, warning)


def _draw_guide(
    layout: bpy.types.UILayout, current: capture.Capture, guide: Guide, pose: str
) -> None:
    """Draw how far a guided calibration is, and the ways out of it."""
    phase = guide.calibration.phase
    if phase == "POSE":
        text = f"{pose}! {current.countdown_text}"
    elif phase == "MOVEMENT":
        text = iface_("Copy the figure")
    else:
        text = iface_("Measuring")
    row = layout.row()
    row.scale_y = 1.5
    row.progress(factor=guide.share, text=text)
    row = layout.row(align=True)
    row.operator("ssrhmr.live_guide_skip", icon="TRACKING_FORWARDS_SINGLE")
    row.operator("ssrhmr.live_guide", text="Cancel", icon="X")


def draw_header(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """Draw the capture's figures in the header of each 3D view, behind its menus."""
    current = capture.running()
    if current is None:
        return
    status = current.status
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
    if current.countdown_text:
        text = iface_("In {wait} s").format(wait=current.countdown_text) + f"  {text}"
    layout_of(self).label(text=text, icon="REC" if recording else "PLAY", translate=False)


def why_silent(current: capture.Capture) -> str:
    """Say what to do while no device is heard."""
    port, packets = current.receiver.port, current.receiver.counters.datagrams
    if current.is_steamvr:
        text = iface_("No device of SteamVR is on yet: start SteamVR and switch devices on")
    elif packets:
        text = iface_(
            "No tracker in {packets:,} packets on port {port}: choose the protocol that is sent"
            " there"
        )
    else:
        text = iface_(
            "Nothing heard yet on port {port}: start the tracking software and let it send there"
        )
    return text.format(port=port, packets=packets)


def _reference_name(setup: SSRHMR_Setup) -> str:
    """Return the name of the reference pose in the user's language."""
    reference: Any = setup.bl_rna.properties["reference"]
    return iface_(reference.enum_items[setup.reference].name)


class SSRHMR_PT_record(SidebarPanel, bpy.types.Panel):
    """Recording takes."""

    bl_label = "Record"
    bl_idname = "SSRHMR_PT_record"
    bl_parent_id = "SSRHMR_PT_live"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the button and the choices."""
        layout, live = layout_of(self), live_of(scene_of(context))
        current = capture.running()
        layout.use_property_split = True
        layout.use_property_decorate = False
        row = layout.row()
        row.scale_y = 1.5
        recording = current is not None and current.recording
        text = "Record"
        if current is not None and current.recording:
            wait, done = current.countdown_text, current.status.recorded_seconds
            text = iface_("In {wait} s") if current.pre_roll else iface_("Stop  ({done:.1f} s)")
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


CLASSES = (SSRHMR_PT_live, *devices.PANELS, SSRHMR_PT_record)
