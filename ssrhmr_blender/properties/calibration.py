# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels show of a calibration."""

from __future__ import annotations

import bpy


class SSRHMR_TrackerFit(bpy.types.PropertyGroup):
    """How well one tracker fitted at the calibration frame."""

    name: bpy.props.StringProperty(name="Tracker")
    optional: bpy.props.BoolProperty(
        name="Optional", description="Whether it is one of the optional trackers"
    )
    mount_distance: bpy.props.FloatProperty(
        name="Mount Distance",
        description="Distance from the tracker to its joint",
        unit="LENGTH",
    )
    error: bpy.props.FloatProperty(
        name="Error",
        description="Distance in centimetres between the tracker and where it is usually worn in"
        " that pose; of an optional tracker, from its joint",
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
    deviation: bpy.props.FloatProperty(
        name="Uncertainty",
        description="Distance in centimetres within which a movement has shown the joint to be; 0"
        " if only a pose was used",
        min=0.0,
    )


class SSRHMR_BodyMeasure(bpy.types.PropertyGroup):
    """One measure of the performer, beside what is typical of people of that height."""

    name: bpy.props.StringProperty(name="Measure")
    length: bpy.props.FloatProperty(
        name="Length", description="Measured length", unit="LENGTH", precision=2
    )
    low: bpy.props.FloatProperty(
        name="Shortest", description="Least that is typical", unit="LENGTH", precision=2
    )
    high: bpy.props.FloatProperty(
        name="Longest", description="Most that is typical", unit="LENGTH", precision=2
    )


class SSRHMR_Slip(bpy.types.PropertyGroup):
    """A slip of a tracker within a take, which bakes take back."""

    tracker: bpy.props.StringProperty(name="Tracker")
    frame: bpy.props.FloatProperty(name="Frame", description="Frame at which the tracker slipped")
    distance: bpy.props.FloatProperty(
        name="Distance", description="Centimetres by which the tracker slipped"
    )
    offset: bpy.props.FloatVectorProperty(
        name="Offset",
        description="How the tracker is moved from there on, along its own axes",
        size=3,
        unit="LENGTH",
    )
    rotation: bpy.props.FloatVectorProperty(
        name="Rotation",
        description="How it is rotated from there on: axis times angle, about its own axes",
        size=3,
    )
    way: bpy.props.FloatVectorProperty(
        name="Way",
        description="How far the tracker goes from just before to just after, along its own axes:"
        " a slip is taken back as long as it still does",
        size=3,
        unit="LENGTH",
    )


class SSRHMR_Warning(bpy.types.PropertyGroup):
    """A line about something that looks wrong."""

    name: bpy.props.StringProperty(name="Warning")
    pair: bpy.props.StringProperty(
        name="Pair", description="Pairs of trackers that look swapped, separated by commas"
    )


CLASSES = (SSRHMR_TrackerFit, SSRHMR_BodyMeasure, SSRHMR_Slip, SSRHMR_Warning)
