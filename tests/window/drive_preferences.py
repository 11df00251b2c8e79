# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside Blender's window: what a user does in the preferences, for :mod:`tests.window.drag`.

``blender --python tests/window/drive_preferences.py -- FOLDER``; orders and answers are files, as
those of :mod:`tests.window.drive`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import addon_utils
import bpy

ID = "ssrhmr"
FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
STATE: dict[str, Any] = {"done": 0, "looks": 0}


def repository() -> tuple[int, Any] | None:
    """Return number and settings of the repository on loopback, if it was added."""
    repositories = enumerate(bpy.context.preferences.extensions.repos)
    return next((each for each in repositories if "127.0.0.1" in each[1].remote_url), None)


def module() -> str:
    """Return the name of the extension's module."""
    found = repository()
    return f"bl_ext.{found[1].module}.{ID}" if found else ""


def version() -> str:
    """Return the version in the manifest of the installed extension, "" without one."""
    found = repository()
    manifest = Path(found[1].directory) / ID / "blender_manifest.toml" if found else None
    if manifest is None or not manifest.is_file():
        return ""
    lines = manifest.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("version = ")).split('"')[1]


def close_preferences(order: dict[str, Any]) -> None:
    for window in bpy.context.window_manager.windows[1:]:
        with bpy.context.temp_override(window=window):
            bpy.ops.wm.window_close()


def go_online(order: dict[str, Any]) -> None:
    bpy.context.preferences.system.use_online_access = True


def change_settings(order: dict[str, Any]) -> None:
    scene = bpy.context.scene
    scene.ssrhmr.planting, scene.ssrhmr_live.port = 0.25, 40001
    bpy.ops.ssrhmr.preset_save(kind="live", name="Mine")
    bpy.context.preferences.addons[module()].preferences.log_level = "DEBUG"


def use(order: dict[str, Any]) -> None:
    """Do something that needs the core, which the add-on loads at first use alone."""
    if bpy.context.scene.ssrhmr.armature is None:
        bpy.ops.ssrhmr.load_example()
    bpy.ops.ssrhmr.detect_bones()


def update(order: dict[str, Any]) -> None:
    found = repository()
    assert found is not None
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.extensions.repo_sync("EXEC_DEFAULT", repo_index=found[0])
        bpy.ops.extensions.package_upgrade_all("EXEC_DEFAULT", use_active_only=False)


def uninstall(order: dict[str, Any]) -> None:
    found = repository()
    assert found is not None
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.extensions.package_uninstall("EXEC_DEFAULT", repo_index=found[0], pkg_id=ID)


def quit_blender(order: dict[str, Any]) -> None:
    sys.stdout.flush()
    bpy.ops.wm.quit_blender()


ORDERS = {
    "close preferences": close_preferences,
    "online": go_online,
    "quit": quit_blender,
    "settings": change_settings,
    "uninstall": uninstall,
    "update": update,
    "use": use,
}
"""What the check may ask for."""


def look() -> None:
    """Write what the check wants to know."""
    STATE["looks"] += 1
    preferences, scene = bpy.context.preferences, bpy.context.scene
    seen: dict[str, Any] = {
        **STATE,
        "windows": len(bpy.context.window_manager.windows),
        "online": bpy.app.online_access,
        "repository": module(),
        "enabled": addon_utils.check(module()) == (True, True),
        "version": version(),
        "modules": [name for name in sys.modules if module() and name.startswith(module())],
    }
    core = sys.modules.get("ssrhmr_core")
    seen["core"] = core.__version__ if core else ""
    if seen["enabled"] and hasattr(scene, "ssrhmr"):
        seen["settings"] = [
            round(scene.ssrhmr.planting, 3),
            scene.ssrhmr_live.port,
            preferences.addons[module()].preferences.log_level,
        ]
    partial = FOLDER / "seen.partial"
    partial.write_text(json.dumps(seen))
    partial.replace(FOLDER / "seen.json")


def step() -> float | None:
    try:
        file = FOLDER / "order.json"
        if file.exists():
            order = json.loads(file.read_text())
            if order["number"] > STATE["done"]:
                ORDERS[order["do"]](order)
                STATE["done"] = order["number"]
        look()
        return 0.05
    except Exception:
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(9)


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(step, first_interval=1.5, persistent=True)
