# SPDX-License-Identifier: GPL-3.0-or-later
"""Detecting bones and assigning trackers."""

from __future__ import annotations

from typing import ClassVar

import bpy

from ..properties.settings import LIKELY, TRACKER_LABELS, TRACKERS, label_of, question, setup_of
from ..rig.obstacles import obstacles
from ..rig.rigify import find_controls


class SSRHMR_OT_detect_bones(bpy.types.Operator):
    """Find the bones of the character's 22 joints by their names and hierarchy."""

    bl_idname = "ssrhmr.detect_bones"
    bl_label = "Detect Bones"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the table of bones."""
        setup = setup_of(context.scene)
        armature = setup.armature
        if armature is None:
            self.report({"ERROR"}, "Choose a character first: an armature")
            return {"CANCELLED"}
        from ssrhmr_core.body.skeleton import JOINTS, REQUIRED_JOINTS
        from ssrhmr_core.rigs.bone_mapping import NONE, map_bones

        bones = armature.data.bones
        names = [bone.name for bone in bones]
        index = {name: number for number, name in enumerate(names)}
        parents = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
        import numpy as np

        heads = np.array([list(bone.head_local) for bone in bones]).reshape(-1, 3)
        mapping = map_bones(names, parents, heads)
        setup.bones.clear()
        setup.calibration = ""
        for joint, name in enumerate(JOINTS):
            slot = setup.bones.add()
            slot.name, slot.required = name, joint in REQUIRED_JOINTS
            slot.bone = names[mapping.bones[joint]] if mapping.bones[joint] != NONE else ""
            slot.confidence = float(mapping.confidence[joint])
            slot.choices = "\n".join(names[bone] for bone in mapping.ambiguous.get(joint, ()))
        setup.family = mapping.family
        setup.obstacles = _obstacles(armature, [slot.bone for slot in setup.bones])
        if mapping.ambiguous:
            joint, found = next(iter(mapping.ambiguous.items()))
            others = len(mapping.ambiguous) - 1
            self.report(
                {"WARNING"},
                question(JOINTS[joint], [names[bone] for bone in found])
                + (f" ({others} more below the table of bones)" if others else ""),
            )
        elif mapping.missing:
            missing = ", ".join(label_of(name) for name in mapping.missing)
            self.report({"WARNING"}, f"No bone found for: {missing}. Choose them in the table")
        elif mapping.mirrored:
            self.report(
                {"WARNING"},
                "The names call the body's left side right: sides go by where the toes point."
                " Check them in the table",
            )
        elif mapping.confidence[mapping.bones != NONE].min() < LIKELY:
            self.report({"WARNING"}, "Some bones are guesses: check those marked in the table")
        else:
            count = int((mapping.bones != NONE).sum())
            self.report({"INFO"}, f"{mapping.family} rig: {count} of {len(JOINTS)} joints found")
        return {"FINISHED"}


def _obstacles(armature: bpy.types.Object, bones: list[str]) -> str:
    """What the rig has against being keyed, one sentence a line."""
    controls = find_controls(armature, tuple(bones))
    keyed = [*controls.places, *controls.joints] if controls else [bone for bone in bones if bone]
    return "\n".join(obstacles(armature, keyed, keyed[0])) if keyed else ""


class SSRHMR_OT_choose_bone(bpy.types.Operator):
    """Take this bone for the joint."""

    bl_idname = "ssrhmr.choose_bone"
    bl_label = "Choose Bone"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    joint: bpy.props.StringProperty(name="Joint", description="Joint that the bone stands for")
    bone: bpy.props.StringProperty(name="Bone", description="Bone of the character")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the slot."""
        setup = setup_of(context.scene)
        slot = setup.bones.get(self.joint)
        if slot is None or setup.armature is None:
            self.report({"ERROR"}, "The bones are not known yet: press Detect Bones")
            return {"CANCELLED"}
        if self.bone not in setup.armature.data.bones:
            self.report(
                {"ERROR"},
                f"'{setup.armature.name}' has no bone '{self.bone}': press Detect Bones again",
            )
            return {"CANCELLED"}
        slot.bone = self.bone
        setup.obstacles = _obstacles(setup.armature, [slot.bone for slot in setup.bones])
        return {"FINISHED"}


class SSRHMR_OT_assign_trackers(bpy.types.Operator):
    """Fill the six trackers by the names of objects: the selected ones, else all of the scene."""

    bl_idname = "ssrhmr.assign_trackers"
    bl_label = "Assign from Names"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Assign those that are clear, report the others."""
        from ssrhmr_core.tracking.roles import assign

        setup = setup_of(context.scene)
        candidates = [
            obj for obj in context.scene.objects if obj.type != "ARMATURE" and obj != setup.armature
        ]
        chosen = [obj for obj in candidates if obj.select_get()]
        # Empties are what importers and tracking tools make; other objects only if asked for.
        empties = [obj for obj in candidates if obj.type == "EMPTY"]
        sure, unsure = assign(obj.name for obj in chosen)
        if not sure and not unsure:
            sure, unsure = assign(obj.name for obj in empties)
        for role, name in sure.items():
            setattr(setup, role, context.scene.objects[name])
        left = [TRACKER_LABELS[role] for role in TRACKERS if getattr(setup, role) is None]
        if unsure:
            role, names = next(iter(unsure.items()))
            self.report(
                {"WARNING"},
                f"{TRACKER_LABELS[role]} could be {' or '.join(names)}:"
                " choose it, or select the six trackers first",
            )
        elif left:
            self.report(
                {"WARNING"}, f"No object's name fits: {', '.join(left)}. Choose the objects"
            )
        else:
            self.report({"INFO"}, "All six trackers assigned")
        return {"FINISHED"} if sure else {"CANCELLED"}


CLASSES = (SSRHMR_OT_detect_bones, SSRHMR_OT_choose_bone, SSRHMR_OT_assign_trackers)
