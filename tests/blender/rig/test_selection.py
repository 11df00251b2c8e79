# SPDX-License-Identifier: GPL-3.0-or-later
"""Which armature is meant by somebody who has chosen none."""

from __future__ import annotations

import bpy
import pytest

from ssrhmr_blender.rig.selection import meant_armature, selected_armature
from ssrhmr_core import Skeleton
from tests.blender.conftest import make_armature


@pytest.fixture
def hero(skeleton: Skeleton) -> bpy.types.Object:
    return make_armature("Hero", skeleton)


def deselect() -> None:
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None


def mesh_on(armature: bpy.types.Object) -> bpy.types.Object:
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    bpy.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = armature
    return mesh


def test_the_active_one_if_it_is_selected(hero: bpy.types.Object, skeleton: Skeleton) -> None:
    deselect()
    other = make_armature("Other", skeleton)
    bpy.context.view_layer.objects.active = hero
    hero.select_set(True)
    assert selected_armature(bpy.context) == meant_armature(bpy.context) == hero
    hero.select_set(False)
    assert selected_armature(bpy.context) is None
    other.select_set(True)
    assert meant_armature(bpy.context) == other


def test_a_mesh_stands_for_its_armature(hero: bpy.types.Object, skeleton: Skeleton) -> None:
    """As after an import, which selects all that it makes."""
    make_armature("Other", skeleton)
    deselect()
    mesh = mesh_on(hero)
    mesh.select_set(True)
    assert selected_armature(bpy.context) is None and meant_armature(bpy.context) == hero
    hero.select_set(True)
    bpy.context.view_layer.objects.active = mesh
    assert selected_armature(bpy.context) == meant_armature(bpy.context) == hero


def test_the_only_one(hero: bpy.types.Object, skeleton: Skeleton) -> None:
    deselect()
    mesh_on(hero)
    assert meant_armature(bpy.context) == hero
    assert bpy.ops.ssrhmr.detect_bones() == {"FINISHED"}
    setup = bpy.context.scene.ssrhmr
    assert setup.armature == hero and all(slot.bone for slot in setup.bones)
    setup.armature = None
    make_armature("Other", skeleton)
    deselect()
    assert meant_armature(bpy.context) is None
    with pytest.raises(RuntimeError, match="choose or select an armature first"):
        bpy.ops.ssrhmr.detect_bones()


def test_a_chosen_character_stays(hero: bpy.types.Object, skeleton: Skeleton) -> None:
    bpy.context.scene.ssrhmr.armature = hero
    other = make_armature("Other", skeleton)
    other.select_set(True)
    bpy.context.view_layer.objects.active = other
    bpy.ops.ssrhmr.detect_bones()
    assert bpy.context.scene.ssrhmr.armature == hero


def test_nothing_to_mean() -> None:
    assert meant_armature(bpy.context) is None and selected_armature(bpy.context) is None
