"""The main job from end to end: six animated empties become keyframes on a character.

``python tasks.py demo`` runs this with Blender as a Python module. It writes
``demo_output/ssrhmr_demo.blend`` and ``demo_output/ssrhmr_demo.png``, and prints how far the
character's joints are from those of the performance that the trackers were taken from.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector

ROOT = Path(__file__).resolve().parents[1]

import ssrhmr_blender  # noqa: E402
from examples.character import TO_BLENDER, bone_name, build_character  # noqa: E402
from ssrhmr_core import Motion, load_motion  # noqa: E402
from ssrhmr_core.skeleton import JOINTS, TRACKER_JOINTS, TRACKERS  # noqa: E402

OUTPUT = ROOT / "demo_output"
COLOURS = {
    "pelvis": (1.0, 0.55, 0.05),
    "head": (0.95, 0.15, 0.25),
    "left_hand": (0.10, 0.55, 1.0),
    "right_hand": (0.10, 0.85, 0.45),
    "left_foot": (0.55, 0.30, 1.0),
    "right_foot": (1.0, 0.80, 0.10),
}
POSES = 7
_SPACING, _TURNED = 1.0, 0.45


def main() -> None:
    """Make the scene, bake, measure, save, render."""
    begin = time.perf_counter()
    performance = load_motion(ROOT / "examples" / "sample_take.bvh")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ssrhmr_blender.register()
    scene = bpy.context.scene
    scene.render.fps = round(performance.rate)
    scene.frame_start, scene.frame_end = 1, len(performance)

    print(f"Sample take: {len(performance)} frames, made by this project, no motion capture")
    armature = build_character("Mannequin", performance.skeleton)
    make_trackers(performance)
    setup = scene.ssrhmr
    setup.armature = armature
    bpy.ops.ssrhmr.detect_bones()
    bpy.ops.ssrhmr.assign_trackers()
    # The character stands in its T-pose; put it where the performer does the same.
    setup.calibration_frame = round(0.5 * performance.rate)
    hips = armature.data.bones[bone_name("hips")].head_local
    stands = TO_BLENDER @ performance.root[setup.calibration_frame - 1].astype(float)
    armature.location = Vector(stands) - hips
    setup.reference = "CHARACTER"
    bpy.ops.ssrhmr.calibrate()
    bpy.ops.ssrhmr.bake()
    measure(armature, performance)

    OUTPUT.mkdir(exist_ok=True)
    scene.frame_set(scene.frame_start)
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "ssrhmr_demo.blend"), compress=True)
    print(f"Saved {OUTPUT / 'ssrhmr_demo.blend'}")
    print("Rendering ...", flush=True)
    render(armature, performance, OUTPUT / "ssrhmr_demo.png")
    print(f"Saved {OUTPUT / 'ssrhmr_demo.png'}; {time.perf_counter() - begin:.0f} s in all")


def make_trackers(performance: Motion) -> None:
    """Key six empties that sit oddly on the performer's joints, as real trackers do."""
    random = np.random.default_rng(7)
    spots = performance.positions()
    for role, joint in zip(TRACKERS, TRACKER_JOINTS, strict=True):
        empty = bpy.data.objects.new(f"Tracker {role}", None)
        empty.empty_display_type, empty.empty_display_size = "ARROWS", 0.12
        empty.rotation_mode = "QUATERNION"
        bpy.context.scene.collection.objects.link(empty)
        mount = Matrix.LocRotScale(
            0.03 * random.standard_normal(3),
            Quaternion(random.standard_normal(4)).normalized(),
            None,
        )
        last = None
        for frame, (spot, turn) in enumerate(
            zip(spots[:, joint], performance.rotations[:, joint], strict=True), 1
        ):
            w, x, y, z = (float(value) for value in turn)
            place = Matrix.LocRotScale(TO_BLENDER @ spot, Quaternion((w, x, -z, y)), None)
            empty.matrix_basis = place @ mount
            if last is not None:
                empty.rotation_quaternion.make_compatible(last)
            last = empty.rotation_quaternion.copy()
            empty.keyframe_insert("location", frame=frame)
            empty.keyframe_insert("rotation_quaternion", frame=frame)


def measure(armature: bpy.types.Object, performance: Motion) -> None:
    """Print how far the baked bones are from the performer's joints."""
    scene = bpy.context.scene
    found = np.empty((len(performance), len(JOINTS), 3))
    for row in range(len(performance)):
        scene.frame_set(row + 1)
        for joint, name in enumerate(JOINTS):
            found[row, joint] = armature.matrix_world @ armature.pose.bones[bone_name(name)].head
    away = 1000.0 * np.linalg.norm(found - performance.positions() @ TO_BLENDER.T, axis=-1)
    ends = away[:, list(TRACKER_JOINTS[1:])]
    print(f"Accuracy over {len(JOINTS)} joints: MPJPE {away.mean():.1f} mm")
    print(f"Accuracy at head, hands and feet: MPEEPE {ends.mean():.1f} mm")


def render(armature: bpy.types.Object, performance: Motion, path: Path) -> None:
    """Render moments of the take side by side, the trackers as coloured beads."""
    scene = bpy.context.scene
    body = bpy.data.objects[f"{armature.name} Body"]
    moments = np.linspace(2.2, performance.times[-1] - 1.0, 600)
    frames = pick_moments(performance, moments)
    for column, frame in enumerate(frames):
        scene.frame_set(int(frame))
        graph = bpy.context.evaluated_depsgraph_get()
        x = _SPACING * (column - 0.5 * (len(frames) - 1))
        hips = armature.matrix_world @ armature.pose.bones[bone_name("hips")].head
        # Turned towards the camera, whichever way the performer faces just then.
        front = performance.matrices()[frame - 1, 0, :, 2]
        turn = Matrix.Rotation(_TURNED - np.arctan2(front[0], front[2]), 4, "Z")
        shift = (
            Matrix.Translation((x, 0.0, 0.0)) @ turn @ Matrix.Translation((-hips.x, -hips.y, 0.0))
        )
        mesh = bpy.data.meshes.new_from_object(body.evaluated_get(graph))
        copy = bpy.data.objects.new(f"Moment {column}", mesh)
        copy.matrix_world = shift @ body.matrix_world
        scene.collection.objects.link(copy)
        for role in TRACKERS:
            place = bpy.data.objects[f"Tracker {role}"].matrix_world.translation
            make_bead(role, shift @ place)
    body.hide_render = True
    make_stage()
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples = "CPU", 8
    scene.cycles.use_denoising, scene.cycles.max_bounces = True, 3
    scene.render.resolution_x, scene.render.resolution_y = 1280, 720
    scene.view_settings.view_transform = "AgX"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def pick_moments(performance: Motion, times: np.ndarray) -> np.ndarray:
    """Frames in order of time whose poses differ most from one another (farthest points)."""
    rows = np.clip(np.searchsorted(performance.times, times), 0, len(performance) - 1)
    poses = (performance.positions()[rows] - performance.root[rows, None]).reshape(len(rows), -1)
    chosen = [0]
    while len(chosen) < POSES:
        gaps = np.linalg.norm(poses[:, None] - poses[chosen], axis=-1).min(1)
        chosen.append(int(gaps.argmax()))
    return np.sort(rows[chosen]) + 1


def make_bead(role: str, place: object) -> None:
    """A coloured sphere where a tracker is."""
    name = f"Bead {role}"
    mesh = bpy.data.meshes.get(name)
    if mesh is None:
        bpy.ops.mesh.primitive_uv_sphere_add(radius=0.036, segments=24, ring_count=12)
        made = bpy.context.active_object
        mesh = made.data
        mesh.name = name
        bpy.data.objects.remove(made)
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
        material = bpy.data.materials.new(name)
        material.use_nodes = True
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Base Color"].default_value = (*COLOURS[role], 1.0)
        shader.inputs["Emission Color"].default_value = (*COLOURS[role], 1.0)
        shader.inputs["Emission Strength"].default_value = 0.6
        mesh.materials.append(material)
    bead = bpy.data.objects.new(name, mesh)
    bead.location = place
    bpy.context.scene.collection.objects.link(bead)


def make_stage() -> None:
    """Floor, lights and camera."""
    scene = bpy.context.scene
    # A sweep without a corner, as photographers use it.
    angles = np.linspace(0.0, 0.5 * np.pi, 24)
    profile = [(-30.0, 0.0), *((4.0 + 6.0 * np.sin(a), 6.0 - 6.0 * np.cos(a)) for a in angles)]
    profile.append((10.0, 40.0))
    vertices = [(x, y, z) for y, z in profile for x in (-40.0, 40.0)]
    faces = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(profile) - 1)]
    mesh = bpy.data.meshes.new("Sweep")
    mesh.from_pydata(vertices, [], faces)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    floor = bpy.data.objects.new("Sweep", mesh)
    scene.collection.objects.link(floor)
    material = bpy.data.materials.new("Floor")
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.36, 0.42, 0.47, 1.0)
    shader.inputs["Roughness"].default_value = 0.7
    floor.data.materials.append(material)
    world = bpy.data.worlds.new("Studio")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.42, 0.48, 0.55, 1.0)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.7
    scene.world = world
    for energy, size, place in ((700.0, 4.0, (-4.0, -5.0, 5.5)), (260.0, 6.0, (5.0, -3.0, 3.0))):
        light = bpy.data.lights.new("Softbox", "AREA")
        light.energy, light.size = energy, size
        lamp = bpy.data.objects.new("Softbox", light)
        lamp.location = place
        lamp.rotation_euler = (-lamp.location).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(lamp)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 66.0
    camera.location = (0.0, -13.2, 1.75)
    camera.rotation_euler = (1.515, 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # The bpy wheel may hang when the interpreter ends.
