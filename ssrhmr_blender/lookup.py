"""Data-blocks that are found again at each step of a long job.

A reference that Blender gave out is void after undo, or after the user deleted the object: using
it then crashes Blender. Jobs keep these instead.
"""

from __future__ import annotations

from typing import NamedTuple

import bpy
from bpy.types import Object, Scene

from .errors import UserError


class ObjectRef(NamedTuple):
    """An object by what survives renaming and undo."""

    uid: int
    name: str

    @classmethod
    def to(cls, obj: Object) -> ObjectRef:
        """Return a reference to ``obj``."""
        return cls(obj.session_uid, obj.name)

    def get(self) -> Object:
        """Return the object.

        Raises:
            UserError: if it is no longer there.
        """
        for obj in bpy.data.objects:
            if obj.session_uid == self.uid:
                return obj
        raise UserError(f"'{self.name}' was removed while SSR-HMR was at work: start again")


class SceneRef(NamedTuple):
    """A scene by what survives renaming and undo."""

    uid: int
    name: str

    @classmethod
    def to(cls, scene: Scene) -> SceneRef:
        """Return a reference to ``scene``."""
        return cls(scene.session_uid, scene.name)

    def find(self) -> Scene | None:
        """Return the scene, or None if it is no longer there."""
        return next((scene for scene in bpy.data.scenes if scene.session_uid == self.uid), None)

    def get(self) -> Scene:
        """Return the scene.

        Raises:
            UserError: if it is no longer there.
        """
        scene = self.find()
        if scene is None:
            raise UserError(f"scene '{self.name}' was removed while SSR-HMR was at work")
        return scene
