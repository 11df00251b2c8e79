# SPDX-License-Identifier: GPL-3.0-or-later
"""Where objects are evaluated at other frames: alone in a scene of their own, if that is possible.

Setting the frame of the user's scene evaluates all that it shows: dense meshes, simulations, other
characters. A scene that holds a few objects evaluates these and what they depend on, and leaves
the user's scene and the objects themselves at their frame.
"""

from __future__ import annotations

import builtins
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy

_NAME = "SSR-HMR Sampling"
_PACKAGE = __package__.rpartition(".")[0] if __package__ else ""
_SIMULATED = frozenset(
    (
        *("CLOTH", "COLLISION", "DYNAMIC_PAINT", "EXPLODE", "FLUID", "PARTICLE_INSTANCE"),
        *("PARTICLE_SYSTEM", "SOFT_BODY"),
    )
)
"""Types of modifiers whose results depend on frames before, or on the scene."""
_PLAIN_NAMES = frozenset((*dir(builtins), *dir(math), "frame", "lerp", "clamp", "smoothstep"))
"""Names in the expressions of drivers that mean the same in every scene."""


class Stage:
    """A scene whose frame can be set, and what it shows then."""

    def __init__(self, scene: bpy.types.Scene, isolated: bool) -> None:
        """Use a scene, which is the window's or holds a few objects only."""
        self._scene, self._isolated = scene, isolated

    def set_frame(self, frame: float) -> bpy.types.Depsgraph:
        """Go to a frame, with a fraction for sub-frames, and return what is evaluated there."""
        whole = int(frame // 1)
        self._scene.frame_set(whole, subframe=frame - whole)
        if not self._isolated:
            return bpy.context.evaluated_depsgraph_get()
        depsgraph = self._scene.view_layers[0].depsgraph
        if depsgraph is None:
            raise RuntimeError("Blender evaluates nothing of a new scene")
        return depsgraph


@contextmanager
def open_stage(scene: bpy.types.Scene, objects: Sequence[bpy.types.Object]) -> Iterator[Stage]:
    """Provide a stage for some objects of a scene, and remove every trace of it afterwards.

    Args:
        scene: The window's scene.
        objects: Objects that will be read.
    """
    if foreign_handlers():
        with _in_window(scene) as stage:
            yield stage
        return
    own = _isolate(scene, objects)
    name = own.name
    try:
        stage = Stage(own, isolated=True)
        alone = _stands_alone(stage.set_frame(scene.frame_current_final))
        if alone:
            yield stage
    finally:
        if name in bpy.data.scenes:
            bpy.data.scenes.remove(bpy.data.scenes[name])
    if not alone:
        with _in_window(scene) as stage:
            yield stage


@contextmanager
def _in_window(scene: bpy.types.Scene) -> Iterator[Stage]:
    """Provide the window's scene itself; return to its frame afterwards."""
    name, before = scene.name, (scene.frame_current, scene.frame_subframe)
    try:
        yield Stage(scene, isolated=False)
    finally:
        if name in bpy.data.scenes:
            bpy.data.scenes[name].frame_set(before[0], subframe=before[1])


def _isolate(scene: bpy.types.Scene, objects: Sequence[bpy.types.Object]) -> bpy.types.Scene:
    """Return a new scene with the same clock that holds nothing but some objects."""
    own = bpy.data.scenes.new(_NAME)
    for name in ("fps", "fps_base", "frame_map_old", "frame_map_new"):
        setattr(own.render, name, getattr(scene.render, name))
    own.frame_start, own.frame_end = scene.frame_start, scene.frame_end
    # Constraints may follow what a camera or a clip shows.
    own.camera, own.active_clip = scene.camera, scene.active_clip
    for obj in dict.fromkeys(objects):
        own.collection.objects.link(obj)
    return own


def foreign_handlers() -> list[str]:
    """Return the modules of the user or of other add-ons that act when the frame changes."""
    handlers = bpy.app.handlers
    modules = [
        str(getattr(handler, "__module__", ""))
        for handler in (*handlers.frame_change_pre, *handlers.frame_change_post)
    ]
    return [module for module in dict.fromkeys(modules) if not module.startswith(_PACKAGE)]


def _stands_alone(depsgraph: bpy.types.Depsgraph) -> bool:
    """Return whether all that is evaluated is the same in any scene."""
    for block in depsgraph.ids:
        data = getattr(block, "animation_data", None)
        if data and any(_asks_for_scene(curve.driver) for curve in data.drivers):
            return False
        if isinstance(block, bpy.types.Object) and is_simulated(block):
            return False
    return True


def _asks_for_scene(driver: bpy.types.Driver | None) -> bool:
    """Return whether the value of a driver may depend on the scene in which it is evaluated."""
    if driver is None:
        return False
    for variable in driver.variables:
        if variable.type == "CONTEXT_PROP":
            return True
        if any(isinstance(target.id, bpy.types.Scene) for target in variable.targets):
            return True
    if driver.type != "SCRIPTED":
        return False
    names = set(re.findall(r"[A-Za-z_]\w*", driver.expression))
    return not names <= _PLAIN_NAMES | {variable.name for variable in driver.variables}


def is_simulated(obj: bpy.types.Object) -> bool:
    """Return whether what an object shows depends on the frames before."""
    if obj.rigid_body is not None or obj.rigid_body_constraint is not None:
        return True
    return any(modifier.type in _SIMULATED for modifier in obj.modifiers)
