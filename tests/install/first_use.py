# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender of its own for ``test_surroundings.py``: ``python first_use.py install ZIP``, or
``python first_use.py use FOLDER``, which bakes the example and a table of trackers in FOLDER.

Errors of Python end it with a traceback and the exit code 1; the last line is "done".
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path

import bpy

REPOSITORY = "user_default"
MODULE = f"bl_ext.{REPOSITORY}.ssrhmr"


def install(archive: str) -> None:
    """Install a zip and tell where it lies."""
    bpy.ops.extensions.package_install_files(
        filepath=archive, repo=REPOSITORY, enable_on_install=True
    )
    repositories = bpy.context.preferences.extensions.repos
    repository = next(each for each in repositories if each.module == REPOSITORY)
    print(f"installed in {Path(repository.directory).parent}")
    bpy.ops.wm.save_userpref()


def use(folder: Path) -> None:
    """Do what a first session does: the example, a preset, a table, and a take without a window."""
    if MODULE not in {addon.module for addon in bpy.context.preferences.addons}:
        bpy.ops.preferences.addon_enable(module=MODULE)
    scene = bpy.context.scene
    assert bpy.ops.ssrhmr.load_example() == {"FINISHED"}
    scene.ssrhmr.calibration_frame = 13
    for operator in ("detect_bones", "calibrate"):
        assert getattr(bpy.ops.ssrhmr, operator)() == {"FINISHED"}, operator
    scene.frame_end = 20
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
    assert bpy.ops.ssrhmr.preset_save(kind="trackers", name="Für alle 走") == {"FINISHED"}
    blend = folder / "Héros 走.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))

    table = write_table(folder / "Aufnahme ü 走.csv")
    assert bpy.ops.ssrhmr.import_take(filepath=str(table)) == {"FINISHED"}
    command = importlib.import_module(f"{MODULE}.headless.command")
    words = ["--takes", str(table), "--characters", str(blend), "--out", str(folder / "fertig ü")]
    assert command.run(words) == 0
    results = {path.suffix for path in (folder / "fertig ü" / blend.stem).iterdir()}
    assert results == {".blend", ".json"}, results


def write_table(path: Path) -> Path:
    """Write half a second of the six trackers at rest as a table with the line ends of Windows."""
    places = {
        "pelvis": (0.0, 0.95, 0.0),
        "head": (0.0, 1.6, 0.0),
        "left_hand": (0.7, 1.44, 0.0),
        "right_hand": (-0.7, 1.44, 0.0),
        "left_foot": (0.1, 0.08, 0.0),
        "right_foot": (-0.1, 0.08, 0.0),
    }
    rows = ["time,tracker,x,y,z,qw,qx,qy,qz,valid"]
    for frame in range(30):
        rows += [
            f"{frame / 60.0:.4f},{role},{x},{y},{z},1,0,0,0,1" for role, (x, y, z) in places.items()
        ]
    path.write_bytes(("\r\n".join(rows) + "\r\n").encode("utf-8"))
    return path


if __name__ == "__main__":
    code = 1
    try:
        kind, argument = sys.argv[1:]
        install(argument) if kind == "install" else use(Path(argument))
        print("done")
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the bpy wheel may hang when the interpreter ends
