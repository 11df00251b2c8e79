# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading the example."""

from __future__ import annotations

import math

import bpy
from bpy.app.translations import pgettext_tip as tip_

from ..common.typed import OperatorResult, addon_operators, armature_of, scene_of
from ..properties import characters
from ..properties.setup import setup_of

_NAME = "SSR-HMR Example"


class SSRHMR_OT_load_example(bpy.types.Operator):
    """Add a character and six animated trackers to this file, ready for Calibrate and Bake."""

    bl_idname = "ssrhmr.load_example"
    bl_label = "Load Example"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Return whether objects can be added."""
        if context.mode != "OBJECT":
            cls.poll_message_set(tip_("Leave the mode you are in first: object mode is needed"))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorResult:
        """Build everything in a collection of its own and fill a setup."""
        from mathutils import Vector

        from ssrhmr_core.body.skeleton import INDEX

        from ..common.axes import metre
        from ..trackers.empties import make_empties
        from .character import TO_BLENDER, bone_name, build_character
        from .performance import T_POSE_SECONDS, load_performance, worn_trackers

        scene = scene_of(context)
        collection = bpy.data.collections.new(_NAME)
        scene.collection.children.link(collection)
        rate = scene.render.fps / scene.render.fps_base
        performance = load_performance()
        armature = build_character("Mannequin", performance.skeleton, collection)
        armature.scale = (metre(scene),) * 3
        trackers = make_empties(scene, "Tracker", worn_trackers(performance), collection)

        setup = setup_of(scene)
        if setup.armature is not None:
            setup = characters.add_setup(scene, armature.name)
        setup.armature = armature
        for role, tracker in trackers.items():
            setattr(setup, role, tracker)
        addon_operators().detect_bones()
        setup.calibration_frame = scene.frame_start + round(T_POSE_SECONDS * rate)
        # The character stands where the performer does in the T-pose, so the fit is exact.
        row = round(T_POSE_SECONDS * performance.rate)
        stands = TO_BLENDER @ performance.positions()[row, INDEX["hips"]].astype(float)
        hips = armature_of(armature).bones[bone_name("hips")].head_local
        armature.location = (Vector(stands) - hips) * metre(scene)
        setup.reference, setup.range = "CHARACTER", "TRACKERS"
        seconds = float(performance.times[-1] - performance.times[0])
        last = scene.frame_start + math.ceil(seconds * rate)
        text = "Example loaded: press Calibrate, then Bake"
        if scene.frame_end < last:
            scene.frame_end = last
            text += f" (the scene ends at frame {last} now, so that it can be played)"
        self.report({"INFO"}, text)
        return {"FINISHED"}


CLASSES = (SSRHMR_OT_load_example,)
