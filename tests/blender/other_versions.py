# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other versions of the add-on: ``python other_versions.py FIRST|LATER FILE.blend``.

Runs in a process of its own, which knows the settings of another version under the names of ours
and nothing of this checkout.
"""

from __future__ import annotations

import os
import sys

import bpy

ROLES = ("pelvis", "head", "left_hand", "right_hand", "left_foot", "right_foot")
# What the first version declared, where it matters to what is stored: type, limits, order of items.
TEXT, WHOLE, NUMBER, YES = "StringProperty", "IntProperty", "FloatProperty", "BoolProperty"


def declare(kind: str, **facts: object) -> object:
    return getattr(bpy.props, kind)(**facts)


def items(*names: str) -> list[tuple[str, str, str]]:
    return [(name, name.title(), "") for name in names]


def group(name: str, fields: dict[str, object]) -> type[bpy.types.PropertyGroup]:
    """Make and register a property group."""
    made = type(name, (bpy.types.PropertyGroup,), {"__annotations__": fields})
    bpy.utils.register_class(made)
    return made


def first_setup() -> type[bpy.types.PropertyGroup]:
    """What ``scene.ssrhmr`` was in the first version."""
    fields = {role: declare("PointerProperty", type=bpy.types.Object) for role in ROLES}
    fields["armature"] = declare("PointerProperty", type=bpy.types.Object)
    name, numbers = {"name": declare(TEXT)}, ("arm", "speed", "quality")
    slot = {"bone": declare(TEXT), "confidence": declare(NUMBER), "required": declare(YES)}
    for several, kind in (
        ("bones", group("SSRHMR_BoneSlot", name | slot)),
        ("fits", group("SSRHMR_TrackerFit", name | {n: declare(NUMBER) for n in numbers})),
        ("warnings", group("SSRHMR_Warning", name)),
    ):
        fields[several] = declare("CollectionProperty", type=kind)
    for kind_of, names in (
        (TEXT, ("family", "calibration")),
        (WHOLE, ("active_bone", "calibration_frame", "frame_start", "frame_end")),
        (NUMBER, ("cutoff", "planting", *(f"{role}_weight" for role in ROLES))),
    ):
        fields |= {each: declare(kind_of) for each in names}
    fields["between_frames"] = declare(YES, default=True)
    fields["reference"] = declare("EnumProperty", items=items("T_POSE", "CHARACTER"))
    fields["scale"] = declare("EnumProperty", items=items("MATCH", "FIT"))
    ranges = items("SCENE", "PREVIEW", "TRACKERS", "CUSTOM")
    fields["range"] = declare("EnumProperty", items=ranges)
    fields["smoothing"] = declare("EnumProperty", items=items("AUTO", "OFF", "CUTOFF"))
    return group("SSRHMR_Setup", fields)


def write_first() -> None:
    """Settings of the first version, none of them as it was at first."""
    bpy.types.Scene.ssrhmr = bpy.props.PointerProperty(type=first_setup())
    setup = bpy.context.scene.ssrhmr
    collection = bpy.context.scene.collection
    setup.armature = bpy.data.objects.new("Hero", bpy.data.armatures.new("Hero"))
    for number, role in enumerate(ROLES):
        setattr(setup, role, bpy.data.objects.new(f"Tracker {role}", None))
        setattr(setup, f"{role}_weight", 0.1 * number)
    for obj in bpy.data.objects:
        collection.objects.link(obj)
    slot = setup.bones.add()
    slot.name, slot.bone, slot.confidence, slot.required = "hips", "Hips", 0.9, True
    fit = setup.fits.add()
    fit.name, fit.arm, fit.speed, fit.quality = "head", 0.11, 0.02, 0.75
    setup.warnings.add().name = "the character is 1.20 times the performer's size"
    setup.family, setup.calibration = "Rokoko", '{"scale": 1.0}'
    setup.active_bone, setup.calibration_frame = 3, 42
    setup.frame_start, setup.frame_end = -10, 77
    setup.cutoff, setup.planting, setup.between_frames = 5.5, 0.25, False
    setup.reference, setup.scale, setup.range = "CHARACTER", "FIT", "TRACKERS"
    setup.smoothing = "CUTOFF"


def later_tracker(role: str, size: int) -> type[bpy.types.PropertyGroup]:
    """What a later version might hold of a tracker."""
    fields = {
        "object": declare("PointerProperty", type=bpy.types.Object),
        "weight": declare(NUMBER),
        "offset": declare("FloatVectorProperty", size=size),
    }
    return group(f"SSRHMR_Tracker_{role}", fields)


def write_later() -> None:
    """Settings of a later version: more of them, other types, items and limits."""
    texts = ("planting", "calibration_frame", "key_switches")
    numbers = ("cutoff", "height")
    fields = {name: declare(TEXT) for name in ("new_text", *texts)}
    fields |= {name: declare(NUMBER) for name in ("new_number", *numbers)}
    fields |= {name: declare(WHOLE) for name in ("bones", "frame_end")}
    trackers = {
        role: declare("PointerProperty", type=later_tracker(role, size))
        for role, size in (("pelvis", 3), ("head", 3), ("left_hand", 4))
    }
    fields["trackers"] = declare("PointerProperty", type=group("SSRHMR_Trackers", trackers))
    more = items(*(f"KIND_{number}" for number in range(9)))
    for name in ("reference", "proportions", "smoothing", "range"):
        fields[name] = declare("EnumProperty", items=more)
    fields["armature"] = declare("PointerProperty", type=bpy.types.Object)
    setup_kind = group("SSRHMR_Setup", fields)
    holds = {
        "base": declare("PointerProperty", type=setup_kind),
        "active": declare(WHOLE),
        "newer": declare("PointerProperty", type=setup_kind),
    }
    live = {"port": declare(WHOLE), "protocol": declare("EnumProperty", items=more)}
    for name, declared in (("characters", holds), ("live", live)):
        kind = group(f"SSRHMR_{name.title()}", declared)
        setattr(bpy.types.Scene, f"ssrhmr_{name}", bpy.props.PointerProperty(type=kind))
    scene = bpy.context.scene
    setup = scene.ssrhmr_characters.base
    setup.armature = bpy.data.objects.new("Hero", bpy.data.armatures.new("Hero"))
    scene.collection.objects.link(setup.armature)
    for name in texts:
        setattr(setup, name, "much")
    setup.new_text, setup.new_number, setup.bones, setup.frame_end = "new", 3.5, 7, 77
    setup.cutoff, setup.height = 1e6, float("nan")
    trackers = setup.trackers
    trackers.head.weight, trackers.pelvis.weight = -3.0, 0.25
    trackers.head.offset = (0.01, 0.02, 0.03)
    trackers.left_hand.offset = (1.0, 2.0, 3.0, 4.0)
    setup.proportions = setup.smoothing = setup.reference = "KIND_7"
    setup.range = "KIND_3"
    scene.ssrhmr_characters.active = -4
    scene.ssrhmr_characters.newer.new_number = 1.0
    scene.ssrhmr_live.port, scene.ssrhmr_live.protocol = 10**6, "KIND_8"


if __name__ == "__main__":
    bpy.ops.wm.read_factory_settings(use_empty=True)
    {"FIRST": write_first, "LATER": write_later}[sys.argv[1]]()
    bpy.ops.wm.save_as_mainfile(filepath=sys.argv[2])
    sys.stdout.flush()
    os._exit(0)  # the wheel hangs in Python's own way out
