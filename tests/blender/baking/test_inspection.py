# SPDX-License-Identifier: GPL-3.0-or-later
"""What the meshes of a character look like after a bake is told with the bone's name."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Vector

from ssrhmr_core import Motion
from tests.blender.bake.test_bake import calibrated, run
from tests.blender.conftest import make_armature
from tests.blender.skins import add_bone, add_boxes, add_skin, lowest
from tests.mixamo_names import mixamo_name


@pytest.fixture
def hero(performance: Motion) -> bpy.types.Object:
    return make_armature("Hero", performance.skeleton)


def baked(hero: bpy.types.Object, performance: Motion) -> str:
    """Bake, and return what it tells."""
    calibrated(hero, performance)
    run(1, len(performance))
    notes: str = bpy.context.scene.ssrhmr.notes
    return notes


def test_a_skin_that_follows_is_not_mentioned(hero: bpy.types.Object, performance: Motion) -> None:
    body = add_skin(hero)
    body.modifiers.new("Subdivision", "SUBSURF").levels = 2
    ring = add_bone(hero, "Ring", (0.75, 0.0, 0.55), mixamo_name("left_wrist"))
    box = bpy.data.objects.new("Glove", body.data.copy())
    bpy.context.scene.collection.objects.link(box)
    box.parent, box.parent_type, box.parent_bone = hero, "BONE", ring.name
    # A prop of the scene, which hangs on the object alone.
    plate = bpy.data.objects.new("Plate", body.data.copy())
    bpy.context.scene.collection.objects.link(plate)
    plate.parent = hero
    state = hero.data.pose_position
    assert baked(hero, performance) == ""
    assert hero.data.pose_position == state
    assert [scene.name for scene in bpy.data.scenes] == ["Scene"]


def test_what_is_hidden_is_not_looked_at(hero: bpy.types.Object, performance: Motion) -> None:
    add_bone(hero, "Belly", (0.0, 0.0, 0.1))
    add_skin(hero).hide_viewport = True
    assert baked(hero, performance) == ""


@pytest.mark.parametrize("weights", [True, False])
def test_what_stays_behind(hero: bpy.types.Object, performance: Motion, weights: bool) -> None:
    """A belt on a bone that hangs on nothing that is mapped, or on none at all."""
    belt = add_bone(hero, "Belt", (0.0, 0.0, 0.1))
    body = add_boxes(hero, {"Belt": Vector((0.0, 0.0, 0.1))}, 0.05)
    if not weights:
        body.vertex_groups.clear()
    notes = baked(hero, performance)
    name = belt.name if weights else "Body"
    assert notes.startswith(f"the skin of '{name}' stays up to ")
    far = np.linalg.norm(performance.root - performance.root[0], axis=-1).max()
    assert far > 0.3
    told = float(notes.partition("up to ")[2].partition(" cm")[0])
    assert 20.0 < told < 300.0


def test_what_hangs_on_a_hand_but_is_held_elsewhere(
    hero: bpy.types.Object, performance: Motion
) -> None:
    head = hero.data.bones[mixamo_name("left_wrist")].head_local.copy()
    glove = add_bone(hero, "Glove", head.to_tuple(), mixamo_name("left_wrist"))
    add_skin(hero)
    nail = bpy.data.objects.new("Nail", None)
    bpy.context.scene.collection.objects.link(nail)
    nail.location = head
    glove.constraints.new("COPY_LOCATION").target = nail
    assert baked(hero, performance).startswith("the skin of 'Glove' stays up to ")


def test_what_is_torn(hero: bpy.types.Object, performance: Motion) -> None:
    """A sleeve from the hand to a bone that stays."""
    hand = hero.data.bones[mixamo_name("left_wrist")].head_local.copy()
    aside = hand + Vector((0.1, 0.0, 0.0))
    add_bone(hero, "Hook", aside.to_tuple())
    sleeve = add_boxes(hero, {mixamo_name("left_wrist"): hand, "Hook": aside}, 0.02)
    mesh = sleeve.data
    mesh.edges.add(1)
    mesh.edges[-1].vertices = (4, 8)
    notes = baked(hero, performance)
    assert "the skin at 'Hook' is stretched to more than twice its length" in notes


def raised(hero: bpy.types.Object, body: bpy.types.Object) -> list[float]:
    """Heights of the soles in the T-pose and while standing, in metres."""
    return [lowest(body, frame) for frame in (10, 20, 30)]


@pytest.mark.parametrize("proportions", ["MATCH", "FIT", "RETARGET"])
@pytest.mark.parametrize("sole", [0.0, 0.06, 0.12])
def test_soles_stand_on_the_floor(performance: Motion, proportions: str, sole: float) -> None:
    """Shoes with thick soles, whatever the tails of the feet's bones are."""
    hero = make_armature("Hero", performance.skeleton)
    feet = {}
    for side in ("left", "right"):
        toe = hero.data.bones[mixamo_name(f"{side}_toe")].head_local.copy()
        feet[mixamo_name(f"{side}_ankle")] = toe + Vector((0.0, 0.05, 0.03 - sole))
    bpy.context.view_layer.objects.active = hero
    bpy.ops.object.mode_set(mode="EDIT")
    for side in ("left", "right"):
        bones = hero.data.edit_bones
        bones.remove(bones[mixamo_name(f"{side}_toe")])
        foot = bones[mixamo_name(f"{side}_ankle")]
        foot.tail = foot.head + Vector((0.0, -0.7, -0.3))
    bpy.ops.object.mode_set(mode="OBJECT")
    body = add_boxes(hero, feet, 0.05)
    bpy.context.scene.ssrhmr.proportions = proportions
    notes = baked(hero, performance)
    assert np.abs(raised(hero, body)).max() < 0.02
    assert "soles" not in notes


def test_soles_that_float_are_told(hero: bpy.types.Object, performance: Motion) -> None:
    body = add_skin(hero)
    trackers = calibrated(hero, performance)
    for obj in trackers.values():
        obj.delta_location.z = 0.1
    run(1, len(performance))
    height = lowest(body, 20)
    notes = bpy.context.scene.ssrhmr.notes
    assert height == pytest.approx(0.1, abs=0.02)
    told = f"the soles of '{mixamo_name('left_ankle')}', '{mixamo_name('right_ankle')}' are 10 cm"
    assert notes.startswith(f"{told} above the floor")
