# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw bakes on ten kinds of bodies, from the front and from the side, to be looked at.

``python -m tests.blender.rig.draw_bodies OUT.png [FRAME ...]`` bakes the sample take onto each body
and draws it with Blender's workbench. The bodies are made here, each with a mesh of rounded parts
that hang on the bones of one joint each, so that a part that stays behind or tears off shows.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

import ssrhmr_blender
from ssrhmr_blender.example.performance import T_POSE_SECONDS, load_performance, worn_trackers
from ssrhmr_blender.trackers.empties import make_empties
from ssrhmr_core import Skeleton
from ssrhmr_core.body.skeleton import JOINTS
from tests.blender.rig.control_rig import AUTO_RIG_PRO, CLOUDRIG, make_control_rig
from tests.blender.rig.test_control_rigs import deform_bones
from tests.blender.rig.test_families import build
from tests.core.conftest import make_skeleton
from tests.core.example_rigs import RIGS

_WIDTH, _HEIGHT = 150, 250
_COLUMNS = 5
_RADII = {
    "hips": 0.11,
    "chest": 0.12,
    "neck": 0.05,
    "hip": 0.075,
    "knee": 0.055,
    "clavicle": 0.05,
    "shoulder": 0.045,
    "elbow": 0.038,
}
_NEXT = {
    "hips": ("chest",),
    "chest": ("neck", "head"),
    "neck": ("head",),
    "hip": ("knee",),
    "knee": ("ankle",),
    "clavicle": ("shoulder",),
    "shoulder": ("elbow",),
    "elbow": ("wrist",),
}
"""Where the part of a joint ends: at the first of these that the body has."""

Body = tuple[bpy.types.Object, dict[str, str]]
"""An armature, and the bone that carries the part of each joint."""


def scaled(legs: float = 1.0, arms: float = 1.0, trunk: float = 1.0) -> Skeleton:
    """Return a skeleton with other proportions."""
    skeleton = make_skeleton()
    factors = [
        legs if joint.endswith(("knee", "ankle")) else arms if joint.endswith(("elbow", "wrist"))
        else trunk
        for joint in JOINTS
    ]  # fmt: skip
    return replace(skeleton, offsets=skeleton.offsets * np.array(factors, np.float32)[:, None])


def of_family(kind: str, skeleton: Skeleton, scale: float = 1.0) -> Callable[[], Body]:
    """Return what builds a rig of a family."""

    def make() -> Body:
        rig, joints = RIGS[kind]
        armature = build(rig, joints, skeleton, kind)
        armature.scale = (scale,) * 3
        bpy.context.view_layer.update()
        return armature, joints

    return make


def control_rig(names: Any) -> Callable[[], Body]:
    """Return what builds a control rig."""

    def make() -> Body:
        trunk = {joint: bone for joint, bone in names.fk.items() if joint in ("hips", "chest")}
        return make_control_rig(make_skeleton(), names), trunk | deform_bones(names)

    return make


BODIES: dict[str, Callable[[], Body]] = {
    "Mixamo": of_family("Mixamo and HumanIK", make_skeleton()),
    "a child": of_family("VRM humanoid", scaled(0.6, 0.65, 0.72)),
    "long limbs": of_family("Blender", scaled(1.2, 1.25, 1.0)),
    "stocky": of_family("KayKit", scaled(0.55, 0.75, 1.05)),
    "voxels": of_family("Roblox R15", scaled(0.8, 0.9, 0.95)),
    "robot": of_family("Unitree G1", make_skeleton()),
    "A-pose, centimetres": of_family("Unreal mannequin: UE5", make_skeleton(), 0.5),
    "MMD": of_family("MikuMikuDance", scaled(1.05, 0.9, 0.9)),
    "CloudRig": control_rig(CLOUDRIG),
    "Auto-Rig Pro": control_rig(AUTO_RIG_PRO),
}


class _Mesh:
    """Collects parts, each on one bone."""

    def __init__(self, armature: bpy.types.Object, bones: dict[str, str]) -> None:
        self._armature, self._bones = armature, bones
        self._heads = {
            joint: np.array(armature.data.bones[bone].head_local) for joint, bone in bones.items()
        }
        height = max(head[2] for head in self._heads.values())
        self._size = (height - min(head[2] for head in self._heads.values())) / 1.5
        self._vertices: list[np.ndarray] = []
        self._faces: list[tuple[int, ...]] = []
        self._groups: dict[str, list[int]] = {}

    def make(self) -> bpy.types.Object:
        """Return the mesh object, bound to its armature."""
        for joint in self._heads:
            side, _, part = joint.partition("_")
            part = part if side in ("left", "right") else joint
            self._add_part(joint, part, f"{side}_" if part != joint else "")
        mesh = bpy.data.meshes.new("Body")
        mesh.from_pydata(np.concatenate(self._vertices).tolist(), [], self._faces)
        mesh.polygons.foreach_set("use_smooth", [True] * len(self._faces))
        body = bpy.data.objects.new("Body", mesh)
        bpy.context.scene.collection.objects.link(body)
        body.parent = self._armature
        for bone, vertices in self._groups.items():
            body.vertex_groups.new(name=bone).add(vertices, 1.0, "REPLACE")
        body.modifiers.new("Armature", "ARMATURE").object = self._armature
        return body

    def _add_part(self, joint: str, part: str, side: str) -> None:
        head, size = self._heads[joint], self._size
        if part == "head":
            up = np.array([0.0, -0.02, 0.11]) * size
            self._add_loft(joint, head + 0.2 * up, head + 1.3 * up, 0.085 * size)
        elif part == "wrist":
            along = head - self._heads[f"{side}elbow"]
            along = 0.12 * size * along / np.linalg.norm(along)
            self._add_loft(joint, head, head + along, 0.035 * size)
        elif part == "ankle":
            down = np.array([0.0, 0.0, -0.045]) * size
            ahead = np.array([0.0, -0.16, -0.045]) * size
            self._add_loft(joint, head + down, head + ahead, 0.035 * size)
        elif part in _NEXT:
            ends = [self._heads[side + name] for name in _NEXT[part] if side + name in self._heads]
            if ends:
                self._add_loft(joint, head, ends[0], _RADII[part] * size)

    def _add_loft(self, joint: str, start: np.ndarray, end: np.ndarray, radius: float) -> None:
        """Add a rounded part from one point to another."""
        axis = end - start
        length = float(np.linalg.norm(axis))
        if length < 1e-6:
            return
        axis = axis / length
        across = np.cross(axis, [0.0, 1.0, 0.0] if abs(axis[1]) < 0.9 else [1.0, 0.0, 0.0])
        across /= np.linalg.norm(across)
        other = np.cross(axis, across)
        bulge = np.sin(np.linspace(0.0, 0.5 * np.pi, 6))
        places = np.concatenate([(bulge - 1.0) * radius, length + (1.0 - bulge[::-1]) * radius])
        radii = radius * np.concatenate(
            [np.cos(np.arcsin(1.0 - bulge)), np.cos(np.arcsin(1.0 - bulge))[::-1]]
        )
        angles = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
        ring = np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * other
        rings = (start + places[:, None] * axis)[:, None] + radii[:, None, None] * ring
        first = sum(len(vertices) for vertices in self._vertices)
        self._vertices.append(rings.reshape(-1, 3))
        for row in range(len(places) - 1):
            for n in range(16):
                corners = (row * 16 + n, row * 16 + (n + 1) % 16)
                quad = (*corners, corners[1] + 16, corners[0] + 16)
                self._faces.append(tuple(first + corner for corner in quad))
        group = self._groups.setdefault(self._bones[joint], [])
        group += range(first, first + rings.shape[0] * 16)


def bake_body(name: str) -> bpy.types.Object:
    """Bake the sample take onto a body in a new scene; return its mesh."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    scene: Any = bpy.context.scene
    scene.render.fps = 30
    armature, bones = BODIES[name]()
    body = _Mesh(armature, bones).make()
    setup = scene.ssrhmr
    for role, empty in make_empties(scene, "T", worn_trackers(load_performance()), None).items():
        setattr(setup, role, empty)
    setup.armature = armature
    bpy.ops.ssrhmr.detect_bones()
    setup.calibration_frame, setup.proportions = 1 + round(30 * T_POSE_SECONDS), "FIT"
    bpy.ops.ssrhmr.calibrate()
    setup.range, setup.frame_start, setup.frame_end = "CUSTOM", 1, 300
    bpy.ops.ssrhmr.bake()
    print(f"{name}: {setup.family}; {setup.message}; {setup.notes}")
    return body


def draw_views(body: bpy.types.Object, frame: int, folder: Path) -> np.ndarray:
    """Return pictures (height, 2 width, 4) of a body from the front and from its left."""
    scene: Any = bpy.context.scene
    scene.frame_set(frame)
    scene.view_settings.view_transform = "Standard"
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.array([evaluated.matrix_world @ v.co for v in evaluated.data.vertices])
    middle = 0.5 * (points.min(0) + points.max(0))
    ground = bpy.data.meshes.new("Floor")
    height = float(points[:, 2].max())
    size = 0.4 * height
    ground.from_pydata([(-size, -size, 0), (size, -size, 0), (size, size, 0), (-size, size, 0)],
                       [], [(0, 1, 2, 3)])  # fmt: skip
    floor = bpy.data.objects.new("Floor", ground)
    floor.location = (middle[0], middle[1], 0.0)
    floor.color = (0.35, 0.42, 0.5, 1.0)
    body.color = (0.95, 0.62, 0.32, 1.0)
    scene.collection.objects.link(floor)
    data = bpy.data.cameras.new("Camera")
    data.type, data.ortho_scale = "ORTHO", 1.2 * height
    camera = bpy.data.objects.new("Camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    render = scene.render
    render.engine = "BLENDER_WORKBENCH"
    render.resolution_x, render.resolution_y, render.resolution_percentage = _WIDTH, _HEIGHT, 100
    shading = scene.display.shading
    shading.light, shading.color_type, shading.show_cavity = "STUDIO", "OBJECT", True
    world = bpy.data.worlds.new("World")
    scene.world, world.color = world, (0.93, 0.93, 0.93)
    centre = Vector((middle[0], middle[1], 0.5 * height))
    pictures = []
    for view, away in (("front", (0.0, -8.0, 1.2)), ("side", (8.0, 0.0, 1.2))):
        camera.location = centre + Vector(away)
        target = centre - camera.location
        camera.rotation_euler = target.to_track_quat("-Z", "Y").to_euler()
        render.filepath = str(folder / f"{view}.png")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(render.filepath)
        stored: Any = image.pixels  # the stubs call it a number
        pixels = np.array(stored[:], np.float32).reshape(_HEIGHT, _WIDTH, 4)
        bpy.data.images.remove(image)
        pictures.append(pixels)
    for obj in (floor, camera):
        bpy.data.objects.remove(obj)
    return np.concatenate(pictures, axis=1)


def draw(path: Path, frames: Sequence[int]) -> None:
    """Write one picture: a body a field, a row of fields a frame."""
    fields: dict[int, list[np.ndarray]] = {frame: [] for frame in frames}
    with tempfile.TemporaryDirectory() as folder:
        for name in BODIES:
            body = bake_body(name)
            for frame in frames:
                fields[frame].append(draw_views(body, frame, Path(folder)))
            ssrhmr_blender.unregister()
    rows = [
        np.concatenate(fields[frame][start : start + _COLUMNS], axis=1)
        for frame in frames
        for start in range(0, len(BODIES), _COLUMNS)
    ]
    sheet = np.concatenate(rows[::-1], axis=0)  # Blender's pictures begin at the bottom
    image = bpy.data.images.new("Bodies", sheet.shape[1], sheet.shape[0])
    stored: Any = image.pixels  # the stubs call it a number
    stored[:] = sheet.ravel().tolist()
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


if __name__ == "__main__":
    draw(Path(sys.argv[1]).resolve(), [int(frame) for frame in sys.argv[2:]] or [120])
    sys.stdout.flush()
    os._exit(0)
