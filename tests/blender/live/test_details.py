# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers, faces and props: shown live, recorded, and baked from the take."""

from __future__ import annotations

import math
import socket
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Euler, Quaternion, Vector

from ssrhmr_blender.common.typed import action_of
from ssrhmr_blender.rig.details import read_finger_bones
from ssrhmr_blender.rig.reading import read_character
from ssrhmr_core import Motion
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.streaming.protocols.osc import write_bundle
from tests.blender.conftest import TO_BLENDER
from tests.blender.live.conftest import Sender, start, stream, wait_for

_FINGERS = ("Index", "Thumb")
_ROLLS = (0.3, -1.2)


def add_fingers(armature: bpy.types.Object) -> list[str]:
    """Give both hands two fingers of three bones, straight out and rolled any way."""
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    names = []
    for side, joint in (("Left", "left_wrist"), ("Right", "right_wrist")):
        hand = bones[bpy.context.scene.ssrhmr.bones[INDEX[joint]].bone]
        outwards = Vector((1.0 if side == "Left" else -1.0, 0.0, 0.0))
        for finger, roll in zip(_FINGERS, _ROLLS, strict=True):
            parent = hand
            aside = Vector((0.0, -0.03 if finger == "Thumb" else 0.0, 0.0))
            for number in range(1, 4):
                bone = bones.new(f"{side}Hand{finger}{number}")
                bone.head = hand.head + aside + outwards * (0.05 + 0.03 * number)
                bone.tail = bone.head + outwards * 0.03
                bone.roll, bone.parent = roll, parent
                parent = bone
                names.append(bone.name)
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, mode in zip(names, ("XYZ", "QUATERNION", "AXIS_ANGLE") * 4, strict=True):
        armature.pose.bones[name].rotation_mode = mode
    return names


def add_face(armature: bpy.types.Object) -> bpy.types.Object:
    """Give the character a head with shape keys, one of them driven."""
    mesh = bpy.data.meshes.new("Face")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    face = bpy.data.objects.new("Face", mesh)
    bpy.context.scene.collection.objects.link(face)
    face.parent, face.parent_type = armature, "ARMATURE"
    for name in ("Basis", "joy", "表情", "Driven", "Left Alone"):
        # From Blender 5.0 on, new shape keys are not at zero.
        face.shape_key_add(name=name).value = 0.0
    mesh.shape_keys.key_blocks["Driven"].driver_add("value").driver.expression = "0.125"
    mesh.shape_keys.key_blocks["Left Alone"].value = 0.5
    return face


class Details:
    """Sends what a VMC sender sends besides trackers."""

    def __init__(self, port: int) -> None:
        self._socket, self._port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), port
        self.bend = 0.0

    def send(self, joy: float) -> None:
        """Bend all fingers of the left hand by half a radian a joint, thumbs aside."""
        half = 0.25 * joy
        bones = []
        for part in ("Proximal", "Intermediate", "Distal"):
            # Unity's axes: down is about +Z on the left hand of a T-pose, mirrored X.
            bones.append((f"LeftIndex{part}", 0, 0, 0, 0.0, 0.0, math.sin(half), math.cos(half)))
            bones.append((f"LeftThumb{part}", 0, 0, 0, 0.0, math.sin(half), 0.0, math.cos(half)))
        messages = [("/VMC/Ext/Bone/Pos", tuple(map(float_or_text, bone))) for bone in bones]
        messages += [("/VMC/Ext/Blend/Val", (name, joy)) for name in ("Joy", "表情", "Driven")]
        messages.append(("/VMC/Ext/Blend/Val", ("Unknown", joy)))
        messages.append(("/VMC/Ext/Tra/Pos", ("Sword", -joy, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0)))
        self._socket.sendto(write_bundle(messages), ("127.0.0.1", self._port))

    def close(self) -> None:
        self._socket.close()


def float_or_text(value: object) -> object:
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def direction_of(armature: bpy.types.Object, bone: str) -> np.ndarray:
    """Direction of a bone from head to tail, relative to the hand's pose in the T-pose's axes."""
    bpy.context.view_layer.update()
    hand = armature.pose.bones[bpy.context.scene.ssrhmr.bones[INDEX["left_wrist"]].bone]
    turned = hand.matrix.to_3x3() @ hand.bone.matrix_local.to_3x3().inverted()
    pose = armature.pose.bones[bone]
    return np.array(turned.inverted() @ (pose.tail - pose.head).normalized())


@pytest.mark.parametrize("leans", [0.0, 0.6])
def test_fingers_faces_and_props(
    hero: bpy.types.Object,
    sender: Sender,
    port: int,
    performance: Motion,
    tmp_path: Path,
    leans: float,
) -> None:
    scene = bpy.context.scene
    names, face = add_fingers(hero), add_face(hero)
    hero.rotation_euler = Euler((0.0, 0.0, leans))
    keys = face.data.shape_keys.key_blocks
    live = scene.ssrhmr_live
    live.folder, live.details = str(tmp_path), True
    row = live.devices.add()
    row.name, row.role = "Sword", "PROP"
    details = Details(port)
    current = start()
    stream(current, sender, range(60, 64))
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    for number in range(30):
        before = current.receiver.counters.readings
        details.send(number / 29.0)
        wait_for(lambda: current.receiver.counters.readings >= before + 11)  # noqa: B023
        stream(current, sender, range(64 + number, 65 + number))
    # Live: the last values; a whole radian from joint to joint would be 0.5 each.
    assert keys["joy"].value == pytest.approx(1.0) and keys["表情"].value == pytest.approx(1.0)
    assert keys["Driven"].value != pytest.approx(1.0) and keys["Left Alone"].value == 0.5
    shown = [direction_of(hero, f"LeftHandIndex{number}") for number in (1, 2, 3)]
    for number, direction in enumerate(shown, 1):
        # Down, in the plane of the T-pose: Unity turns left-handedly.
        wanted = (math.cos(0.5 * number), 0.0, -math.sin(0.5 * number))
        np.testing.assert_allclose(direction, wanted, atol=2e-3)
    thumb = direction_of(hero, "LeftHandThumb1")
    np.testing.assert_allclose(np.abs(thumb), (math.cos(0.5), math.sin(0.5), 0.0), atol=2e-3)

    assert bpy.ops.ssrhmr.record() == {"FINISHED"}, scene.ssrhmr.message
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    details.close()
    for attempt in range(2):
        check_baked(hero, face, shown, names)
        if not attempt:
            # Again from the take, on another character's face: nothing else is needed.
            for animated in (hero, face.data.shape_keys, bpy.data.objects["Sword"]):
                animated.animation_data.action = None
            path = str(tmp_path / "take_001.csv")
            begin = scene.frame_start
            assert bpy.ops.ssrhmr.bake_take(filepath=path, frame_start=begin) == {"FINISHED"}
    assert "6 of 6 finger bones, 2 of 4 shapes, 1 of 1 props" in scene.ssrhmr.notes


def check_baked(
    hero: bpy.types.Object, face: bpy.types.Object, shown: list[np.ndarray], names: list[str]
) -> None:
    scene, keys = bpy.context.scene, face.data.shape_keys.key_blocks
    first, last = (int(frame) for frame in action_of(hero).frame_range)
    assert last - first == 29
    scene.frame_set(last)
    assert keys["joy"].value == pytest.approx(1.0, abs=0.01)
    for number, direction in enumerate(shown, 1):
        baked = direction_of(hero, f"LeftHandIndex{number}")
        np.testing.assert_allclose(baked, direction, atol=0.02)
    sword = bpy.data.objects["Sword"].matrix_world
    np.testing.assert_allclose(np.array(sword.translation), TO_BLENDER @ (1.0, 1.0, 2.0), atol=0.03)
    scene.frame_set(first + 15)
    assert 0.45 < keys["表情"].value < 0.6
    np.testing.assert_allclose(
        np.array(bpy.data.objects["Sword"].matrix_world.translation),
        TO_BLENDER @ (keys["表情"].value, 1.0, 2.0),
        atol=0.02,
    )
    # The right hand, which was not sent, stays free.
    paths = {curve.data_path for curve in curves(hero)}
    assert any("LeftHandIndex1" in path for path in paths)
    assert not any("RightHand" in path for path in paths if any(n in path for n in names))


def curves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    from ssrhmr_blender.animation.actions import curves_of

    return list(curves_of(obj))


def test_stopping_restores_fingers_and_face(
    hero: bpy.types.Object, sender: Sender, port: int
) -> None:
    add_fingers(hero)
    face = add_face(hero)
    bpy.context.scene.ssrhmr_live.details = True
    bone = hero.pose.bones["LeftHandIndex2"]
    before = bone.matrix_basis.copy()
    details = Details(port)
    current = start()
    details.send(1.0)
    wait_for(lambda: current.receiver.counters.readings >= 11)
    stream(current, sender, range(60, 64))
    assert bone.matrix_basis != before and face.data.shape_keys.key_blocks["joy"].value == 1.0
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert bone.matrix_basis == before and face.data.shape_keys.key_blocks["joy"].value == 0.0
    details.close()


def test_nothing_of_it_unless_chosen(hero: bpy.types.Object, sender: Sender, port: int) -> None:
    add_fingers(hero)
    details = Details(port)
    current = start()
    details.send(1.0)
    stream(current, sender, range(60, 64))
    assert not current.session.details
    assert hero.pose.bones["LeftHandIndex2"].rotation_quaternion == Quaternion()
    details.close()


def test_axes_of_fingers_are_rotations(hero: bpy.types.Object) -> None:
    add_fingers(hero)
    bones = tuple(slot.bone for slot in bpy.context.scene.ssrhmr.bones)
    fingers = read_finger_bones(hero, read_character(hero, bones))
    assert len(fingers) == 12
    for bone in fingers.values():
        np.testing.assert_allclose(bone.axes @ bone.axes.T, np.eye(3), atol=1e-5)
