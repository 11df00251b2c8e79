"""SSR-HMR for Blender: a whole animated character out of six tracked points.

The order of imports inside the add-on: ``errors``, ``trackers``, ``lookup``, ``settings``,
``notes`` know nothing of the rest; ``rig`` (armatures and their keys) and ``tracking`` (trackers
over time) build on them; the features ``setup``, ``calibrate`` and ``bake`` build on those and
never on each other. The core and all NumPy code are imported on first use.
"""

from __future__ import annotations

import bpy

from . import bake, calibrate, settings, setup

_CLASSES = (
    *settings.CLASSES,
    *setup.CLASSES,
    *calibrate.CLASSES,
    *bake.CLASSES,
)


def register() -> None:
    """Enable the add-on."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    settings.register()


def unregister() -> None:
    """Disable the add-on: nothing of it stays behind."""
    bake.stop()
    settings.unregister()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
