# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed access to Blender's data says what is missing, instead of failing on None later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from ssrhmr_blender.common import typed
from ssrhmr_core import Motion
from tests.blender.conftest import make_armature


def test_what_is_there_is_returned(performance: Motion) -> None:
    context = bpy.context
    assert typed.scene_of(context) == context.scene
    assert typed.view_layer_of(context) == context.view_layer
    assert typed.window_manager_of(context) == context.window_manager
    assert typed.ui_scale_of(context) == context.preferences.system.ui_scale
    armature = make_armature("Hero", performance.skeleton)
    assert typed.armature_of(armature) == armature.data and typed.pose_of(armature) == armature.pose
    armature.keyframe_insert("location", frame=1)
    assert typed.action_of(armature) == armature.animation_data.action
    assert typed.addon_operators().bake.idname() == "SSRHMR_OT_bake"


def test_what_is_missing_is_named() -> None:
    empty = bpy.data.objects.new("Empty", None)
    nothing: Any = SimpleNamespace(scene=None, layout=None)
    with pytest.raises(TypeError, match="'Empty' is not an armature"):
        typed.armature_of(empty)
    with pytest.raises(RuntimeError, match="a pose of 'Empty'"):
        typed.pose_of(empty)
    with pytest.raises(RuntimeError, match="an action of 'Empty'"):
        typed.action_of(empty)
    with pytest.raises(RuntimeError, match="a scene"):
        typed.scene_of(nothing)
    with pytest.raises(RuntimeError, match="a scene"):
        typed.scene_property(None, "ssrhmr")
    with pytest.raises(RuntimeError, match="a layout"):
        typed.layout_of(nothing)
