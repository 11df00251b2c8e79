"""A mannequin to animate: an armature with Mixamo's bone names and a mesh that moves with it."""

from __future__ import annotations

import bpy
import numpy as np

from ssrhmr_core.skeleton import INDEX, JOINTS, PARENTS, Skeleton

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

# Parts of the mesh: joint whose bone carries it, joint that it reaches to (or an offset in metres
# on an adult), radii at both ends, width and depth of its section, and its material.
_BODY, _JOINT = 0, 1
_Part = tuple[str, "str | tuple[float, float, float]", float, float, float, float, int]
_HALF: tuple[_Part, ...] = (
    ("hip", "knee", 0.078, 0.050, 1.0, 1.0, _BODY),
    ("knee", "ankle", 0.050, 0.032, 0.95, 1.0, _BODY),
    ("knee", (0.0, -0.005, 0.006), 0.052, 0.052, 1.0, 1.0, _JOINT),
    ("ankle", "toe", 0.036, 0.030, 1.15, 0.9, _BODY),
    ("ankle", (0.0, -0.045, -0.03), 0.036, 0.034, 1.0, 1.0, _BODY),
    ("toe", (0.0, -0.004, 0.062), 0.030, 0.020, 1.35, 0.75, _BODY),
    ("clavicle", "shoulder", 0.040, 0.048, 1.0, 1.0, _BODY),
    ("shoulder", (0.004, 0.0, 0.0), 0.054, 0.052, 1.0, 1.0, _JOINT),
    ("shoulder", "elbow", 0.046, 0.036, 1.0, 1.0, _BODY),
    ("elbow", (0.004, 0.0, 0.0), 0.038, 0.037, 1.0, 1.0, _JOINT),
    ("elbow", "wrist", 0.037, 0.024, 1.0, 1.0, _BODY),
    ("wrist", (0.095, 0.0, 0.0), 0.026, 0.032, 0.6, 1.25, _BODY),
    ("wrist", (0.165, 0.0, 0.006), 0.022, 0.014, 0.7, 1.7, _BODY),
    ("wrist", (0.075, -0.005, 0.055), 0.016, 0.012, 1.0, 1.0, _BODY),
)
_MIDDLE: tuple[_Part, ...] = (
    ("hips", (0.0, -0.045, 0.0), 0.098, 0.092, 1.42, 1.0, _BODY),
    ("lower_spine", "middle_spine", 0.092, 0.090, 1.22, 0.92, _JOINT),
    ("middle_spine", "chest", 0.096, 0.108, 1.25, 0.90, _BODY),
    ("chest", (0.0, 0.115, 0.010), 0.118, 0.098, 1.38, 0.92, _BODY),
    ("neck", "head", 0.046, 0.043, 1.0, 1.0, _JOINT),
    ("head", (0.0, 0.098, 0.012), 0.070, 0.084, 0.98, 1.15, _BODY),
)
_SIDES, _RINGS = 20, 7
_ADULT = 1.45


def bone_name(joint: str) -> str:
    """Mixamo's name of one of the 22 joints."""
    side, _, part = joint.partition("_")
    return side.title() + _BONES[part] if side in ("left", "right") else _BONES[joint]


def build_character(name: str, skeleton: Skeleton) -> bpy.types.Object:
    """Make the armature in the canonical T-pose, feet on the floor, with its mesh.

    Args:
        name: of the armature object; the mesh object is called "NAME Body".
        skeleton: proportions, metres.

    Returns:
        The armature object.
    """
    points = skeleton.t_pose().astype(float)
    points[:, 1] -= min(points[INDEX["left_toe"], 1], points[INDEX["right_toe"], 1]) - 0.02
    armature = _build_armature(name, points)
    _build_mesh(name, armature, points, skeleton.size / _ADULT)
    return armature


def _build_armature(name: str, points: np.ndarray) -> bpy.types.Object:
    data = bpy.data.armatures.new(name)
    data.display_type = "STICK"
    armature = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for joint, joint_name in enumerate(JOINTS):
        bone = data.edit_bones.new(bone_name(joint_name))
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        # Of several children the last is the middle one: the spine, the neck.
        middle = [c for c in children if "_" not in JOINTS[c] or "spine" in JOINTS[c]]
        bone.head = TO_BLENDER @ points[joint]
        if children:
            bone.tail = TO_BLENDER @ points[(middle or children)[0]]
        else:
            along = points[joint] - points[PARENTS[joint]]
            bone.tail = TO_BLENDER @ (points[joint] + 0.12 * along / np.linalg.norm(along))
        if PARENTS[joint] >= 0:
            bone.parent = data.edit_bones[bone_name(JOINTS[PARENTS[joint]])]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _build_mesh(name: str, armature: bpy.types.Object, points: np.ndarray, size: float) -> None:
    vertices: list[np.ndarray] = []
    faces: list[tuple[int, ...]] = []
    materials: list[int] = []
    groups: dict[str, list[int]] = {}
    parts = [*_MIDDLE]
    for side in ("left", "right"):
        parts += [(f"{side}_{joint}", *rest) for joint, *rest in _HALF]
    for joint, to, radius, end_radius, width, depth, material in parts:
        mirror = np.array([-1.0 if joint.startswith("right") else 1.0, 1.0, 1.0])
        start = points[INDEX[joint]]
        if isinstance(to, str):
            side = joint.partition("_")[0] + "_" if joint.startswith(("left_", "right_")) else ""
            end = points[INDEX[side + to]]
        else:
            end = start + size * np.array(to) * mirror
        ring, quads = _capsule(start, end, size * radius, size * end_radius, width, depth)
        first = sum(len(v) for v in vertices)
        vertices.append(ring)
        faces += [tuple(first + v for v in quad) for quad in quads]
        materials += [material] * len(quads)
        groups.setdefault(bone_name(joint), []).extend(range(first, first + len(ring)))

    mesh = bpy.data.meshes.new(f"{name} Body")
    mesh.from_pydata((np.concatenate(vertices) @ TO_BLENDER.T).tolist(), [], faces)
    mesh.materials.append(_material("Porcelain", (0.80, 0.76, 0.70, 1.0), 0.45))
    mesh.materials.append(_material("Slate", (0.07, 0.16, 0.20, 1.0), 0.35))
    mesh.polygons.foreach_set("material_index", materials)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    body = bpy.data.objects.new(f"{name} Body", mesh)
    bpy.context.scene.collection.objects.link(body)
    body.parent = armature
    for bone, indices in groups.items():
        body.vertex_groups.new(name=bone).add(indices, 1.0, "REPLACE")
    modifier = body.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature


def _capsule(
    start: np.ndarray, end: np.ndarray, radius: float, end_radius: float, width: float, depth: float
) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Tapered capsule from ``start`` to ``end``: vertices (V, 3) and faces."""
    axis = end - start
    length = np.linalg.norm(axis)
    axis = axis / length
    # Width counts along the body's left for upright parts, along its front for the arms.
    across = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.7 else np.array([0.0, 1.0, 0.0])
    across -= (across @ axis) * axis
    across /= np.linalg.norm(across)
    beside = np.cross(axis, across)
    bend = np.linspace(0.0, 0.5 * np.pi, _RINGS)
    along = np.concatenate([-radius * np.cos(bend), length + end_radius * np.sin(bend)])
    radii = np.concatenate([radius * np.sin(bend), end_radius * np.cos(bend)])
    angles = np.linspace(0.0, 2.0 * np.pi, _SIDES, endpoint=False)
    circle = width * np.cos(angles)[:, None] * across + depth * np.sin(angles)[:, None] * beside
    rings = start + along[:, None, None] * axis + radii[:, None, None] * circle
    count = len(along)
    quads: list[tuple[int, ...]] = [
        (
            r * _SIDES + s,
            r * _SIDES + (s + 1) % _SIDES,
            (r + 1) * _SIDES + (s + 1) % _SIDES,
            (r + 1) * _SIDES + s,
        )
        for r in range(count - 1)
        for s in range(_SIDES)
    ]
    return rings.reshape(-1, 3), quads


def _material(name: str, color: tuple[float, ...], roughness: float) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.diffuse_color = color
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = color
    shader.inputs["Roughness"].default_value = roughness
    return material
