# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels show of a calibration."""

from __future__ import annotations

import bpy


class SSRHMR_TrackerFit(bpy.types.PropertyGroup):
    """How well one tracker fitted at the calibration frame."""

    name: bpy.props.StringProperty(name="Tracker")
    mount_distance: bpy.props.FloatProperty(
        name="Mount Distance",
        description="Distance from the tracker to its joint",
        unit="LENGTH",
    )
    error: bpy.props.FloatProperty(
        name="Error",
        description="Distance in centimetres between the tracker and where it is usually worn in"
        " that pose",
    )
    speed: bpy.props.FloatProperty(
        name="Speed",
        description="Speed of the tracker at that frame in metres per second; calibrate while it"
        " stands still",
    )
    quality: bpy.props.FloatProperty(
        name="Quality",
        description="Plausibility of the fit: 1 where the reference pose expects the tracker, 0"
        " if implausible",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


class SSRHMR_Warning(bpy.types.PropertyGroup):
    """A line about something that looks wrong."""

    name: bpy.props.StringProperty(name="Warning")
    pair: bpy.props.StringProperty(
        name="Pair", description="Pairs of trackers that look swapped, separated by commas"
    )


CLASSES = (SSRHMR_TrackerFit, SSRHMR_Warning)
