# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job from end to end: six animated empties become keyframes on a character.

``python tasks.py demo`` runs this with Blender as a Python module. It writes
``demo_output/ssrhmr_demo.blend`` and ``demo_output/ssrhmr_demo.png``, and prints how far the
character's joints are from those of the performance that the trackers were taken from.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

ROOT = Path(__file__).resolve().parents[1]

import ssrhmr_blender  # noqa: E402
from ssrhmr_blender.common.typed import scene_of, view_layer_of  # noqa: E402
from ssrhmr_blender.example.character import TO_BLENDER, bone_name, build_character  # noqa: E402
from ssrhmr_blender.example.performance import (  # noqa: E402
    T_POSE_SECONDS,
    load_performance,
    worn_trackers,
)
from ssrhmr_blender.trackers.empties import make_empties  # noqa: E402
from ssrhmr_core import Motion  # noqa: E402
from ssrhmr_core.body.skeleton import JOINTS, TRACKER_JOINTS, TRACKERS  # noqa: E402

OUTPUT = ROOT / "demo_output"
COLOURS = {
    "pelvis": (1.0, 0.10, 0.60),
    "head": (1.0, 0.16, 0.04),
    "left_hand": (0.04, 0.42, 1.0),
    "right_hand": (0.02, 0.85, 0.30),
    "left_foot": (0.48, 0.16, 1.0),
    "right_foot": (1.0, 0.78, 0.03),
}
MOMENTS = (
    # seconds into the take, place in the picture in metres, angle to the camera in degrees
    (5.72, -2.72, 62.0),
    (6.56, -1.68, 50.0),
    (16.60, -0.72, 16.0),
    (19.75, 0.36, -16.0),
    (22.85, 1.32, 50.0),
    (26.25, 2.78, -14.0),
)


def main() -> None:
    """Make the scene, bake, measure, save, render."""
    begin = time.perf_counter()
    armature, performance = make_scene()
    measure(armature, performance)

    scene = scene_of(bpy.context)
    OUTPUT.mkdir(exist_ok=True)
    make_stage()
    scene.frame_set(scene.frame_start)
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "ssrhmr_demo.blend"), compress=True)
    print(f"Saved {OUTPUT / 'ssrhmr_demo.blend'}")
    print("Rendering ...", flush=True)
    render(armature, performance, OUTPUT / "ssrhmr_demo.png")
    print(f"Saved {OUTPUT / 'ssrhmr_demo.png'}; {time.perf_counter() - begin:.0f} s in all")


def make_scene() -> tuple[bpy.types.Object, Motion]:
    """Bake the sample take onto a character; return the character and the performance."""
    performance = load_performance()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    scene = scene_of(bpy.context)
    scene.render.fps = round(performance.rate)
    scene.frame_start, scene.frame_end = 1, len(performance)

    print(f"Sample take: {len(performance)} frames, made by this project, no motion capture")
    armature = build_character("Mannequin", performance.skeleton, scene.collection)
    make_empties(scene, "Tracker", worn_trackers(performance), scene.collection)
    setup = scene.ssrhmr
    setup.armature = armature
    bpy.ops.ssrhmr.detect_bones()
    bpy.ops.ssrhmr.assign_trackers()
    # The character stands in its T-pose; put it where the performer does the same.
    setup.calibration_frame = 1 + round(T_POSE_SECONDS * performance.rate)
    hips = armature.data.bones[bone_name("hips")].head_local
    stands = TO_BLENDER @ performance.root[setup.calibration_frame - 1].astype(float)
    armature.location = Vector(stands) - hips
    setup.reference = "CHARACTER"
    bpy.ops.ssrhmr.calibrate()
    bpy.ops.ssrhmr.bake()
    return armature, performance


def measure(armature: bpy.types.Object, performance: Motion) -> None:
    """Print how far the baked bones are from the performer's joints."""
    scene = scene_of(bpy.context)
    found = np.empty((len(performance), len(JOINTS), 3))
    for row in range(len(performance)):
        scene.frame_set(row + 1)
        for joint, name in enumerate(JOINTS):
            found[row, joint] = armature.matrix_world @ armature.pose.bones[bone_name(name)].head
    away = 1000.0 * np.linalg.norm(found - performance.positions() @ TO_BLENDER.T, axis=-1)
    ends = away[:, list(TRACKER_JOINTS[1:])]
    print(f"Accuracy over {len(JOINTS)} joints: MPJPE {away.mean():.1f} mm")
    print(f"Accuracy at head, hands and feet: MPEEPE {ends.mean():.1f} mm")


def render(
    armature: bpy.types.Object,
    performance: Motion,
    path: Path,
    size: tuple[int, int] = (1280, 720),
) -> None:
    """Render moments of the take side by side, the trackers as glowing beads."""
    scene = scene_of(bpy.context)
    body = bpy.data.objects[f"{armature.name} Body"]
    headings = performance.matrices()[:, 0, :, 2]
    for seconds, x, angle in MOMENTS:
        row = round(seconds * performance.rate)
        scene.frame_set(row + 1)
        hips = armature.matrix_world @ armature.pose.bones[bone_name("hips")].head
        # Seen from the wanted angle, whichever way the performer faces just then.
        heading = float(np.arctan2(headings[row, 0], headings[row, 2]))
        shift = (
            Matrix.Translation((x, 0.0, 0.0))
            @ Matrix.Rotation(np.radians(angle) - heading, 4, "Z")
            @ Matrix.Translation((-hips.x, -hips.y, 0.0))
        )
        mesh = bpy.data.meshes.new_from_object(
            body.evaluated_get(bpy.context.evaluated_depsgraph_get())
        )
        copy = bpy.data.objects.new("Moment", mesh)
        copy.matrix_world = shift @ body.matrix_world
        scene.collection.objects.link(copy)
        for role in TRACKERS:
            place = getattr(scene.ssrhmr, role).matrix_world.translation
            make_bead(role, shift @ place)
    body.hide_render = True
    render: Any = scene.render  # the stubs know one engine
    render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", 6
    scene.cycles.use_denoising, scene.cycles.max_bounces = True, 1
    scene.cycles.denoising_prefilter, scene.cycles.denoising_quality = "FAST", "BALANCED"
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(path)
    with quiet():
        bpy.ops.render.render(write_still=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what Blender itself prints, which for one picture is two hundred lines."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def make_bead(role: str, place: Vector) -> None:
    """Put a coloured, glowing sphere where a tracker is."""
    name = f"Bead {role}"
    mesh = bpy.data.meshes.get(name)
    if mesh is None:
        bpy.ops.mesh.primitive_uv_sphere_add(radius=0.038, segments=24, ring_count=12)
        made = view_layer_of(bpy.context).objects.active
        assert made is not None
        mesh = made.data
        mesh.name = name
        bpy.data.objects.remove(made)
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
        mesh.materials.append(make_material(name, COLOURS[role], glow=0.75))
    bead = bpy.data.objects.new(name, mesh)
    bead.location = place
    bpy.context.scene.collection.objects.link(bead)


def make_material(
    name: str, colour: tuple[float, float, float], glow: float = 0.0
) -> bpy.types.Material:
    """Make a plain material of one colour, which may glow."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.6
    shader.inputs["Emission Color"].default_value = (*colour, 1.0)
    shader.inputs["Emission Strength"].default_value = glow
    return material


def make_stage() -> None:
    """Backdrop, lights and camera."""
    scene = scene_of(bpy.context)
    # A sweep without a corner, as photographers use it.
    angles = np.linspace(0.0, 0.5 * np.pi, 24)
    profile = [(-30.0, 0.0), *((3.0 + 5.0 * np.sin(a), 5.0 - 5.0 * np.cos(a)) for a in angles)]
    profile.append((8.0, 30.0))
    vertices = [(x, y, z) for y, z in profile for x in (-40.0, 40.0)]
    faces = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(profile) - 1)]
    mesh = bpy.data.meshes.new("Sweep")
    mesh.from_pydata(vertices, [], faces)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    mesh.materials.append(make_material("Sweep", (0.050, 0.085, 0.120)))
    scene.collection.objects.link(bpy.data.objects.new("Sweep", mesh))

    world = bpy.data.worlds.new("Studio")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.45, 0.60, 0.80, 1.0)
    background.inputs["Strength"].default_value = 0.35
    scene.world = world
    # Key from the left, warm; a cool rim from behind on the right; a spot on the backdrop.
    for energy, size, spread, colour, place, target in (
        (900.0, 3.0, 180.0, (1.0, 0.93, 0.84), (-4.5, -5.5, 5.5), (0.0, 0.0, 1.0)),
        (300.0, 2.5, 100.0, (0.55, 0.78, 1.0), (5.5, 4.5, 4.6), (0.0, 0.0, 1.0)),
        (300.0, 2.5, 180.0, (0.60, 0.80, 1.0), (0.0, 2.5, 4.5), (0.0, 8.0, 2.0)),
    ):
        light = bpy.data.lights.new("Softbox", "AREA")
        light.energy, light.size, light.color = energy, size, colour
        light.spread = np.radians(spread)
        lamp = bpy.data.objects.new("Softbox", light)
        lamp.location = place
        lamp.rotation_euler = (Vector(target) - lamp.location).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(lamp)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 62.0
    camera.location = (0.0, -11.2, 1.55)
    camera.rotation_euler = (np.radians(87.6), 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # The bpy wheel may hang when the interpreter ends.
