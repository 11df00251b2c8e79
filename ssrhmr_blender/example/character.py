# SPDX-License-Identifier: GPL-3.0-or-later
"""A mannequin to animate: an armature with Mixamo's bone names and a mesh that moves with it.

The mesh is made of lofts: rows of rounded cross-sections along a bone, as a turner would make the
parts of an artist's mannequin. Every part follows one bone; trunk parts blend into the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, Skeleton

from ..common.typed import view_layer_of

TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""The core's axes (Y up, facing +Z) to Blender's (Z up, facing -Y)."""

_BONES = {
    "hips": "Hips",
    "lower_spine": "Spine",
    "middle_spine": "Spine1",
    "chest": "Spine2",
    "neck": "Neck",
    "head": "Head",
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "toe": "ToeBase",
    "clavicle": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
}

_BODY, _JOINT = 0, 1
_X, _Y, _Z = np.eye(3)
_SIDES, _SUBDIVISIONS = 24, 4
_ADULT = 1.45
"""Size of the skeleton (see :attr:`Skeleton.size`) that the measures below are for, metres."""

Rows = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class BodyPart:
    """One loft. All measures in metres on an adult, in the T-pose, of the left side.

    Attributes:
        joint: Joint whose bone carries the part.
        to: Joint that its axis points to and whose distance is 1, or a direction.
        front: Direction in which the depth of a section counts; its width counts across.
        rows: Position along the axis, half width, half depth, shift to the front.
        start: Start of the axis, from the joint.
        material: Index of the material.
        blend: Joint whose bone takes over between two positions along the axis.
        span: These two positions.
    """

    joint: str
    to: str | np.ndarray
    front: np.ndarray
    rows: Rows
    start: tuple[float, float, float] = (0.0, 0.0, 0.0)
    material: int = _BODY
    blend: str = ""
    span: tuple[float, float] = (0.0, 1.0)


def _ball(
    joint: str,
    radius: float,
    along: np.ndarray,
    start: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> BodyPart:
    """Return a joint's ball, as rows of sections."""
    angles = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 9)
    section = radius * np.cos(angles)
    rows = tuple(zip(radius * np.sin(angles), section, section, 0.0 * section, strict=True))
    front = _Z if along is not _Z else _Y
    return BodyPart(joint=joint, to=along, front=front, rows=rows, start=start, material=_JOINT)


# fmt: off
_MIDDLE = (
    BodyPart("hips", _Y, _Z, (
        (-0.118, 0.0, 0.0, 0.0), (-0.108, 0.045, 0.052, 0.0), (-0.070, 0.108, 0.088, -0.004),
        (-0.020, 0.146, 0.104, -0.006), (0.030, 0.143, 0.100, -0.004), (0.062, 0.126, 0.088, 0.0),
        (0.076, 0.108, 0.074, 0.002), (0.079, 0.0, 0.0, 0.002))),
    BodyPart("lower_spine", _Y, _Z, (
        (-0.035, 0.0, 0.0, 0.020), (-0.020, 0.096, 0.068, 0.020), (0.030, 0.107, 0.076, 0.022),
        (0.080, 0.106, 0.078, 0.022), (0.130, 0.104, 0.076, 0.020), (0.155, 0.0, 0.0, 0.018)),
        material=_JOINT, blend="middle_spine", span=(0.03, 0.14)),
    BodyPart("middle_spine", _Y, _Z, (
        (-0.016, 0.0, 0.0, 0.014), (-0.010, 0.098, 0.070, 0.014), (0.012, 0.118, 0.086, 0.016),
        (0.070, 0.131, 0.099, 0.018), (0.130, 0.143, 0.110, 0.016), (0.190, 0.152, 0.112, 0.010),
        (0.235, 0.146, 0.098, 0.002), (0.268, 0.112, 0.076, -0.006), (0.290, 0.066, 0.056, -0.010),
        (0.303, 0.046, 0.044, -0.012), (0.306, 0.0, 0.0, -0.012)),
        blend="chest", span=(0.06, 0.19)),
    BodyPart("neck", "head", _Z, (
        (-0.30, 0.0, 0.0, 0.0), (-0.25, 0.052, 0.052, 0.0), (0.15, 0.048, 0.050, 0.0),
        (0.80, 0.046, 0.050, -0.002), (1.20, 0.044, 0.048, -0.004), (1.40, 0.0, 0.0, -0.004)),
        material=_JOINT, blend="head", span=(0.2, 1.2)),
    BodyPart("head", _Y, _Z, (
        (-0.058, 0.0, 0.0, 0.058), (-0.054, 0.026, 0.028, 0.057), (-0.032, 0.050, 0.060, 0.042),
        (0.005, 0.064, 0.079, 0.028), (0.048, 0.075, 0.096, 0.017), (0.090, 0.079, 0.102, 0.009),
        (0.125, 0.071, 0.089, 0.006), (0.150, 0.048, 0.060, 0.004), (0.162, 0.018, 0.024, 0.003),
        (0.164, 0.0, 0.0, 0.003))),
    BodyPart("head", _X, _Z, (
        (-0.068, 0.0, 0.0, -0.024), (-0.063, 0.011, 0.012, -0.022), (-0.043, 0.016, 0.016, 0.0),
        (0.0, 0.018, 0.018, 0.014), (0.043, 0.016, 0.016, 0.0), (0.063, 0.011, 0.012, -0.022),
        (0.068, 0.0, 0.0, -0.024)),
        start=(0.0, 0.062, 0.087), material=_JOINT),
)
_HALF = (
    BodyPart("hip", "knee", _Z, (
        (-0.10, 0.0, 0.0, 0.0), (-0.08, 0.044, 0.050, 0.0), (0.0, 0.070, 0.080, 0.0),
        (0.18, 0.075, 0.083, 0.004), (0.42, 0.065, 0.073, 0.008), (0.68, 0.053, 0.058, 0.006),
        (0.86, 0.047, 0.050, 0.003), (0.925, 0.040, 0.042, 0.002), (0.935, 0.0, 0.0, 0.0))),
    _ball("knee", 0.046, _Y),
    BodyPart("knee", "ankle", _Z, (
        (0.055, 0.0, 0.0, 0.0), (0.065, 0.036, 0.038, 0.0), (0.13, 0.044, 0.047, -0.004),
        (0.30, 0.049, 0.056, -0.012), (0.50, 0.042, 0.048, -0.010), (0.72, 0.032, 0.036, -0.005),
        (0.88, 0.027, 0.031, -0.003), (0.935, 0.025, 0.028, -0.002), (0.945, 0.0, 0.0, 0.0))),
    _ball("ankle", 0.030, _Y),
    BodyPart("ankle", _Z, _Y, (
        (-0.062, 0.0, 0.0, -0.012), (-0.056, 0.018, 0.020, -0.014), (-0.035, 0.031, 0.034, -0.001),
        (0.0, 0.034, 0.042, 0.007), (0.035, 0.037, 0.040, 0.005), (0.075, 0.043, 0.032, -0.003),
        (0.110, 0.047, 0.026, -0.009), (0.126, 0.044, 0.020, -0.014), (0.129, 0.0, 0.0, -0.016)),
        start=(0.002, -0.045, 0.0)),
    BodyPart("toe", _Z, _Y, (
        (-0.004, 0.0, 0.0, 0.0), (0.0, 0.043, 0.020, 0.0), (0.020, 0.046, 0.020, 0.0),
        (0.045, 0.041, 0.017, -0.003), (0.068, 0.027, 0.012, -0.008), (0.077, 0.012, 0.007, -0.012),
        (0.079, 0.0, 0.0, -0.013))),
    BodyPart("clavicle", "shoulder", _Y, (
        (-0.10, 0.0, 0.0, 0.010), (0.0, 0.036, 0.028, 0.008), (0.40, 0.047, 0.040, 0.000),
        (0.70, 0.050, 0.047, -0.006), (0.84, 0.046, 0.044, -0.006), (0.88, 0.0, 0.0, -0.006))),
    _ball("shoulder", 0.052, _X, (0.006, 0.0, 0.0)),
    BodyPart("shoulder", "elbow", _Y, (
        (0.125, 0.0, 0.0, 0.0), (0.135, 0.038, 0.038, 0.0), (0.25, 0.042, 0.044, 0.0),
        (0.50, 0.039, 0.042, 0.002), (0.75, 0.033, 0.034, 0.0), (0.88, 0.031, 0.031, 0.0),
        (0.915, 0.027, 0.027, 0.0), (0.925, 0.0, 0.0, 0.0))),
    _ball("elbow", 0.033, _X),
    BodyPart("elbow", "wrist", _Y, (
        (0.065, 0.0, 0.0, 0.0), (0.075, 0.027, 0.027, 0.0), (0.18, 0.037, 0.035, 0.0),
        (0.38, 0.037, 0.034, 0.0), (0.70, 0.028, 0.025, 0.0), (0.88, 0.025, 0.020, 0.0),
        (0.935, 0.023, 0.018, 0.0), (0.945, 0.0, 0.0, 0.0))),
    _ball("wrist", 0.022, _X),
    BodyPart("wrist", _X, _Y, (
        (0.014, 0.0, 0.0, 0.0), (0.018, 0.022, 0.015, 0.0), (0.045, 0.035, 0.018, 0.0),
        (0.075, 0.043, 0.018, 0.0), (0.092, 0.042, 0.015, -0.002), (0.097, 0.0, 0.0, -0.002))),
    BodyPart("wrist", _X, _Y, (
        (0.094, 0.0, 0.0, -0.003), (0.098, 0.038, 0.011, -0.003), (0.125, 0.039, 0.012, -0.006),
        (0.152, 0.036, 0.010, -0.014), (0.172, 0.028, 0.008, -0.023), (0.183, 0.012, 0.005, -0.029),
        (0.185, 0.0, 0.0, -0.030))),
    BodyPart("wrist", np.array([0.80, -0.12, 0.60]), _Y, (
        (0.0, 0.0, 0.0, 0.0), (0.004, 0.012, 0.012, 0.0), (0.030, 0.014, 0.013, 0.0),
        (0.055, 0.012, 0.011, -0.002), (0.068, 0.006, 0.006, -0.004), (0.070, 0.0, 0.0, -0.004)),
        start=(0.030, -0.006, 0.024)),
)
# fmt: on


def bone_name(joint: str) -> str:
    """Return Mixamo's name of one of the 22 joints."""
    side, _, part = joint.partition("_")
    return side.title() + _BONES[part] if side in ("left", "right") else _BONES[joint]


def build_character(
    name: str, skeleton: Skeleton, collection: bpy.types.Collection
) -> bpy.types.Object:
    """Build the armature in the canonical T-pose, feet on the floor, with its mesh.

    Args:
        name: Name of the armature object; the mesh object is called "NAME Body".
        skeleton: Proportions in metres.
        collection: Collection of the scene that gets both.

    Returns:
        The armature object.
    """
    positions = skeleton.t_pose().astype(float)
    positions[:, 1] -= min(positions[INDEX["left_toe"], 1], positions[INDEX["right_toe"], 1]) - 0.02
    armature = _build_armature(name, positions, collection)
    _build_mesh(armature, positions, skeleton.size / _ADULT)
    return armature


def _build_armature(
    name: str, positions: np.ndarray, collection: bpy.types.Collection
) -> bpy.types.Object:
    data = bpy.data.armatures.new(name)
    data.display_type = "STICK"
    armature = bpy.data.objects.new(name, data)
    collection.objects.link(armature)
    view_layer_of(bpy.context).objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for joint, joint_name in enumerate(JOINTS):
        bone = data.edit_bones.new(bone_name(joint_name))
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        # Of several children the last is the middle one: the spine, the neck.
        middle = [c for c in children if "_" not in JOINTS[c] or "spine" in JOINTS[c]]
        bone.head = TO_BLENDER @ positions[joint]
        if children:
            bone.tail = TO_BLENDER @ positions[(middle or children)[0]]
        else:
            along = positions[joint] - positions[PARENTS[joint]]
            bone.tail = TO_BLENDER @ (positions[joint] + 0.12 * along / np.linalg.norm(along))
        if PARENTS[joint] >= 0:
            bone.parent = data.edit_bones[bone_name(JOINTS[PARENTS[joint]])]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _build_mesh(armature: bpy.types.Object, positions: np.ndarray, size: float) -> None:
    vertices: list[np.ndarray] = []
    faces: list[tuple[int, ...]] = []
    materials: list[int] = []
    weights: dict[str, dict[int, float]] = {}
    parts = [("", part) for part in _MIDDLE]
    parts += [(side, part) for side in ("left_", "right_") for part in _HALF]
    for side, part in parts:
        part_vertices, along, quads = _loft(part, side, positions, size)
        first = sum(len(v) for v in vertices)
        vertices.append(part_vertices)
        faces += [tuple(first + v for v in quad) for quad in quads]
        materials += [part.material] * len(quads)
        share = np.clip((along - part.span[0]) / (part.span[1] - part.span[0]), 0.0, 1.0)
        share = share * share * (3.0 - 2.0 * share) if part.blend else 0.0 * share
        for joint, weight in ((part.joint, 1.0 - share), (part.blend, share)):
            if joint:
                group = weights.setdefault(bone_name(side + joint), {})
                group.update(enumerate(weight.tolist(), first))

    mesh = bpy.data.meshes.new(f"{armature.name} Body")
    mesh.from_pydata((np.concatenate(vertices) @ TO_BLENDER.T).tolist(), [], faces)
    mesh.materials.append(_make_material("Porcelain", (0.82, 0.77, 0.70, 1.0), 0.42))
    mesh.materials.append(_make_material("Slate", (0.030, 0.085, 0.120, 1.0), 0.35))
    mesh.polygons.foreach_set("material_index", materials)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    body = bpy.data.objects.new(f"{armature.name} Body", mesh)
    armature.users_collection[0].objects.link(body)
    _bind(body, armature, weights)


def _bind(
    body: bpy.types.Object, armature: bpy.types.Object, weights: dict[str, dict[int, float]]
) -> None:
    """Let bones move a mesh.

    Args:
        body: Mesh object.
        armature: Armature object.
        weights: Weight by vertex, by name of the bone.
    """
    body.parent = armature
    for bone, group in weights.items():
        vertex_group = body.vertex_groups.new(name=bone)
        for index, amount in group.items():
            if amount > 0.0:
                vertex_group.add([index], amount, "REPLACE")
    modifier = body.modifiers.new("Armature", "ARMATURE")
    if not isinstance(modifier, bpy.types.ArmatureModifier):
        raise TypeError("Blender has created another kind of modifier")
    modifier.object = armature


def _loft(
    part: BodyPart, side: str, positions: np.ndarray, size: float
) -> tuple[np.ndarray, np.ndarray, list[tuple[int, ...]]]:
    """Return the vertices (V, 3) of a part, their positions along its axis (V,), and its faces."""
    mirror = np.array([-1.0 if side == "right_" else 1.0, 1.0, 1.0])
    start = positions[INDEX[side + part.joint]] + size * mirror * part.start
    if isinstance(part.to, str):
        axis = positions[INDEX[side + part.to]] - start
        unit = float(np.linalg.norm(axis))
    else:
        axis, unit = mirror * part.to, size
    axis = axis / np.linalg.norm(axis)
    front = part.front - (part.front @ axis) * axis
    front /= np.linalg.norm(front)
    across = np.cross(front, axis)

    rows = _smooth_rows(np.array(part.rows))
    angles = np.linspace(0.0, 2.0 * np.pi, _SIDES, endpoint=False)
    width, depth = rows[:, 1:2] * np.cos(angles), rows[:, 2:3] * np.sin(angles) + rows[:, 3:4]
    rings = (start + unit * rows[:, :1] * axis)[:, None] + size * (
        width[..., None] * across + depth[..., None] * front
    )
    quads: list[tuple[int, ...]] = [
        (
            r * _SIDES + s,
            r * _SIDES + (s + 1) % _SIDES,
            (r + 1) * _SIDES + (s + 1) % _SIDES,
            (r + 1) * _SIDES + s,
        )
        for r in range(len(rows) - 1)
        for s in range(_SIDES)
    ]
    return rings.reshape(-1, 3), np.repeat(rows[:, 0], _SIDES), quads


def _smooth_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows (R, 4) with interpolated ones between them (Catmull-Rom, radii not negative)."""
    padded = np.concatenate([2.0 * rows[:1] - rows[1:2], rows, 2.0 * rows[-1:] - rows[-2:-1]])
    a, b, c, d = (padded[k : len(padded) - 3 + k, None] for k in range(4))
    s = np.linspace(0.0, 1.0, _SUBDIVISIONS, endpoint=False)[None, :, None]
    between = b + 0.5 * s * (
        c - a + s * (2.0 * a - 5.0 * b + 4.0 * c - d + s * (3.0 * (b - c) + d - a))
    )
    smooth = np.concatenate([between.reshape(-1, rows.shape[1]), rows[-1:]])
    smooth[:, 1:3] = np.maximum(smooth[:, 1:3], 0.0)
    return smooth


def _make_material(
    name: str, color: tuple[float, float, float, float], roughness: float
) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    # Since 5.0 every material has nodes.
    if material.node_tree is None:
        material.use_nodes = True
    material.diffuse_color = color
    # By type: its name is in the user's language.
    nodes = material.node_tree.nodes if material.node_tree else ()
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    inputs: Any = shader.inputs
    inputs["Base Color"].default_value = color
    inputs["Roughness"].default_value = roughness
    return material
