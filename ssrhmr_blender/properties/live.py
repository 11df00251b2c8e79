# SPDX-License-Identifier: GPL-3.0-or-later
"""Where live trackers come from, and what happens to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..common.typed import scene_property
from .tracker import TRACKER_ITEMS

PORTS = {"VMC": 39539, "VRCHAT": 9000, "MOCOPI": 12351, "JSON": 39560}
"""The port to which each protocol is usually sent."""
NO_ROLE, PROP_ROLE = "NONE", "PROP"
_chosen_folders: set[Path] = set()
"""Folders of takes that the user chose in this session; what files say does not count."""


def _use_default_port(live: SSRHMR_Live, _context: bpy.types.Context) -> None:
    live.port = PORTS.get(live.protocol, live.port)


def _choose_folder(live: SSRHMR_Live, _context: bpy.types.Context) -> None:
    if live.folder:
        note_chosen_folder(Path(bpy.path.abspath(live.folder)))


def note_chosen_folder(folder: Path) -> None:
    """Note that the user wants takes to be written into a folder."""
    _chosen_folders.add(folder.resolve())


def is_chosen_folder(folder: Path) -> bool:
    """Return whether the user chose a folder in this session."""
    return folder.resolve() in _chosen_folders


def _take_role(chosen: SSRHMR_Device, _context: bpy.types.Context) -> None:
    """Free the role on other devices: it belongs to the one that was chosen last."""
    if chosen.role in (NO_ROLE, PROP_ROLE):
        return
    scene: Any = chosen.id_data
    source = chosen.path_from_id().rpartition(".devices")[0]
    for device in scene.path_resolve(source).devices:
        if device.role == chosen.role and device.name != chosen.name:
            device.role = NO_ROLE


class SSRHMR_Device(bpy.types.PropertyGroup):
    """A tracking device that has sent readings, and the tracker that it is."""

    name: bpy.props.StringProperty(name="Device", description="Name or serial number of the device")
    role: bpy.props.EnumProperty(
        name="Worn On",
        description="Where on the body this device is worn",
        items=(
            (NO_ROLE, "Not Used", "Listed, but ignored by the capture"),
            *TRACKER_ITEMS,
            (PROP_ROLE, "Prop", "Not worn: recorded, and baked as an empty of its own"),
        ),
        update=_take_role,
    )


class SSRHMR_Live(bpy.types.PropertyGroup):
    """The source of live trackers, and the options of capture and recording."""

    protocol: bpy.props.EnumProperty(
        name="Protocol",
        description="Protocol that the tracking software sends",
        items=(
            ("VMC", "VMC", "Virtual Motion Capture protocol (OSC): VMC, VSeeFace, Warudo, ..."),
            ("VRCHAT", "VRChat OSC", "OSC trackers as sent to VRChat: SlimeVR, AXIS, ..."),
            (
                "STEAMVR",
                "SteamVR",
                "Headset, controllers and trackers of SteamVR on this computer, without another"
                " program. Needs the package openvr, see the add-on's preferences",
            ),
            (
                "MOCOPI",
                "mocopi",
                "What mocopi's app sends to a computer. Needs Other Computers",
            ),
            (
                "JSON",
                "JSON Lines",
                "For scripts of your own: one JSON object per line, over UDP or TCP",
            ),
        ),
        update=_use_default_port,
    )
    port: bpy.props.IntProperty(
        name="Port",
        description="Number of the port that the tracking software sends to",
        default=PORTS["VMC"],
        min=1,
        max=65535,
    )
    everywhere: bpy.props.BoolProperty(
        name="Other Computers",
        description="Also receive from other computers on the network. If off, only software on"
        " this computer is heard. Needs Allow Online Access in Blender's preferences",
    )
    allowed: bpy.props.StringProperty(
        name="Allowed IPs",
        description="Addresses of the computers that may send, such as 192.168.1.20, or networks"
        " such as 192.168.1.0/24. If empty: all computers on the network",
    )
    sender: bpy.props.StringProperty(
        name="Only From",
        description="Address of the sender of this performer where several send to one port, such"
        " as 192.168.1.20 or 192.168.1.20:5000. If empty: whoever sends a device first keeps it",
    )
    announce: bpy.props.BoolProperty(
        name="Announce Blender",
        description="Announce the port (OSCQuery), so that SlimeVR, Amethyst and others send to it"
        " by themselves. Without Allow Online Access only on this computer's internal network",
        default=True,
    )
    details: bpy.props.BoolProperty(
        name="Fingers and Face",
        description="Also show and record the fingers that VMC sends, on the character's fingers,"
        " and its blend shapes, on shape keys of the same names. Lists the camera as a device",
    )
    devices: bpy.props.CollectionProperty(type=SSRHMR_Device)
    active_device: bpy.props.IntProperty(name="Device", description="Selected device")
    countdown: bpy.props.FloatProperty(
        name="Countdown",
        description="Time to get into the pose and stand still before calibration",
        default=3.0,
        min=0.0,
        soft_max=10.0,
        max=60.0,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
    overlay: bpy.props.BoolProperty(
        name="Overlay",
        description="Draw trackers, floor and skeleton in the 3D view while capturing",
        default=True,
    )
    certainty: bpy.props.BoolProperty(
        name="Colour by Certainty",
        description="Colour the skeleton of the overlay by how far each joint is expected to be"
        " off: green up to 2 cm, yellow, red from 10 cm",
    )
    sound: bpy.props.BoolProperty(
        name="Sound",
        description="Beep at each second of the countdown and at each exercise of the movement",
        default=True,
    )
    folder: bpy.props.StringProperty(
        name="Takes",
        description="Folder for recorded takes, one CSV file each. If empty: a folder 'takes' next"
        " to the saved file, or in Blender's user folder",
        subtype="DIR_PATH",
        update=_choose_folder,
    )
    pre_roll: bpy.props.FloatProperty(
        name="Pre-Roll",
        description="Time between pressing Record and the first recorded frame",
        default=0.0,
        min=0.0,
        soft_max=10.0,
        max=60.0,
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
    )
    play: bpy.props.BoolProperty(
        name="Play Timeline",
        description="Play from the scene's first frame while recording, to act along with music"
        " and other characters",
    )
    bake: bpy.props.BoolProperty(
        name="Bake Afterwards",
        description="Turn each take into keyframes as soon as it is recorded",
        default=True,
    )


def live_of(scene: bpy.types.Scene | None) -> SSRHMR_Live:
    """Return the settings of the active character's source."""
    live: SSRHMR_Live = scene_property(scene, "ssrhmr_source")
    return live


CLASSES = (SSRHMR_Device, SSRHMR_Live)
