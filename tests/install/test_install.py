# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip in a Blender that has nothing else of this project: installed, used, removed.

Offline: no socket connects while these tests run. They build on each other, in order.
"""

from __future__ import annotations

import importlib
import math
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import addon_utils
import bpy
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
REPOSITORY = "user_default"
MODULE = f"bl_ext.{REPOSITORY}.ssrhmr"

# A T-pose in Blender's axes: facing -Y, left at +X. Bone: (parent, head).
MIDDLE = {
    "Hips": ("", (0.0, 0.0, 0.95)),
    "Spine": ("Hips", (0.0, 0.0, 1.05)),
    "Spine1": ("Spine", (0.0, 0.0, 1.18)),
    "Spine2": ("Spine1", (0.0, 0.0, 1.31)),
    "Neck": ("Spine2", (0.0, 0.0, 1.48)),
    "Head": ("Neck", (0.0, 0.0, 1.58)),
}
SIDE = {
    "UpLeg": ("Hips", (0.1, 0.0, 0.9)),
    "Leg": ("LeftUpLeg", (0.1, 0.0, 0.48)),
    "Foot": ("LeftLeg", (0.1, 0.0, 0.08)),
    "ToeBase": ("LeftFoot", (0.1, -0.14, 0.02)),
    "Shoulder": ("Spine2", (0.04, 0.0, 1.44)),
    "Arm": ("LeftShoulder", (0.18, 0.0, 1.44)),
    "ForeArm": ("LeftArm", (0.46, 0.0, 1.44)),
    "Hand": ("LeftForeArm", (0.71, 0.0, 1.44)),
}
TRACKERS = {
    "pelvis": "Hips",
    "head": "Head",
    "left_hand": "LeftHand",
    "right_hand": "RightHand",
    "left_foot": "LeftFoot",
    "right_foot": "RightFoot",
}


def bones() -> dict[str, tuple[str, tuple[float, float, float]]]:
    """Return parent and head of all 22 bones, parents first."""
    table = dict(MIDDLE)
    for name, (parent, (x, y, z)) in SIDE.items():
        table[f"Left{name}"] = (parent, (x, y, z))
        table[f"Right{name}"] = (parent.replace("Left", "Right"), (-x, y, z))
    return table


def make_armature() -> Any:
    """Add a character with Mixamo's bone names to the scene."""
    data = bpy.data.armatures.new("Character")
    armature = bpy.data.objects.new("Character", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    table = bones()
    for name, (parent, head) in table.items():
        bone = data.edit_bones.new(name)
        bone.head = head
        children = [place for above, place in table.values() if above == name]
        if parent:
            bone.parent = data.edit_bones[parent]
        if name not in ("Hips", "Spine2") and children:
            bone.tail = children[0]
        else:
            bone.tail = (head[0], head[1], head[2] + 0.08)
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def make_trackers() -> None:
    """Add six empties that stand in the T-pose at frame 1 and sway together afterwards."""
    table = bones()
    for tracker, bone in TRACKERS.items():
        empty = bpy.data.objects.new(tracker, None)
        bpy.context.scene.collection.objects.link(empty)
        x, y, z = table[bone][1]
        for frame in range(1, 11):
            phase = (frame - 1) / 9 * math.pi
            empty.location = (x + 0.05 * math.sin(phase), y, z)
            empty.keyframe_insert("location", frame=frame)


def keyed_bones(action: Any) -> set[str]:
    """Return the names of the bones whose rotation ``action`` keys."""
    # Blender 5 has curves only in the channel bags of layers, 4.2 has no layers.
    curves = (
        action.fcurves
        if hasattr(action, "fcurves")
        else [
            curve
            for layer in action.layers
            for strip in layer.strips
            for bag in strip.channelbags
            for curve in bag.fcurves
        ]
    )
    return {
        curve.data_path.split('"')[1]
        for curve in curves
        if ".rotation" in curve.data_path and len(curve.keyframe_points) > 0
    }


def extension_folder() -> Path:
    """Return the folder of the local repository of extensions."""
    repository = next(r for r in bpy.context.preferences.extensions.repos if r.module == REPOSITORY)
    return Path(repository.directory)


def policy_warnings() -> dict[str, list[str]]:
    """Return what Blender now holds against the extensions that are enabled."""
    addon_utils._is_first_reset()
    warnings: dict[str, list[str]] = addon_utils._extensions_warnings_get()
    return warnings


def left_in_blender() -> list[str]:
    """Return whatever of the add-on Blender still knows: classes, properties, handlers."""
    classes = [name for name in dir(bpy.types) if name.upper().startswith("SSRHMR_")]
    properties = [
        f"{owner.__name__}.{name}"
        for owner in (bpy.types.Scene, bpy.types.Object, bpy.types.WindowManager)
        for name in dir(owner)
        if name.startswith("ssrhmr")
    ]
    handlers = [
        f"{name}: {handler}"
        for name in dir(bpy.app.handlers)
        if isinstance(handlers := getattr(bpy.app.handlers, name), list)
        for handler in handlers
        if handler.__module__.startswith((MODULE, "ssrhmr"))
    ]
    return classes + properties + handlers


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def functions_of_addon() -> list[Any]:
    """Return every function of the loaded add-on, each of which might be a timer."""
    return [
        value
        for name, module in list(sys.modules.items())
        if name.startswith(MODULE)
        for value in vars(module).values()
        if callable(value) and str(getattr(value, "__module__", "")).startswith(MODULE)
    ]


_written: list[str] = []


def _note_writing(event: str, arguments: tuple[Any, ...]) -> None:
    """Note the files that Python opens for writing, makes or removes."""
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path, mode, flags = arguments
        if (mode and set(mode) & set("wax+")) or (flags or 0) & (os.O_WRONLY | os.O_RDWR):
            _written.append(os.fsdecode(path))
    elif event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir"):
        _written.append(os.fsdecode(arguments[0]))


@pytest.fixture(scope="module")
def audit() -> None:
    """Note what is written from now on; there is no way to take an audit hook back."""
    sys.addaudithook(_note_writing)


@pytest.fixture
def written(audit: None) -> Callable[[], list[Path]]:
    """Return what a test has written, without the byte code that Python keeps of modules."""
    start = len(_written)
    return lambda: [Path(name) for name in _written[start:] if "__pycache__" not in name]


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    """Refuse every connection."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was tried")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, refuse)
        look_up = socket.getaddrinfo

        def look_up_loopback(host: str, *arguments: Any, **named: Any) -> Any:
            assert host in ("127.0.0.1", "::1"), f"{host} was looked up"
            return look_up(host, *arguments, **named)

        patch.setattr(socket, "getaddrinfo", look_up_loopback)
        yield


def test_installs_enabled_and_without_warnings() -> None:
    archives = list((CHECKOUT / "dist").glob("ssrhmr-*.zip"))
    assert len(archives) == 1, "run build_addon.py first, with no other version in dist/"
    before = left_in_blender()
    bpy.ops.extensions.package_install_files(
        filepath=str(archives[0]), repo=REPOSITORY, enable_on_install=True
    )
    assert addon_utils.check(MODULE) == (True, True)
    assert policy_warnings() == {}
    assert before == [] and left_in_blender() != []


@pytest.mark.parametrize("name", ["ssrhmr_core", "pymotion", "pythonosc"])
def test_wheels_come_from_the_extension(name: str) -> None:
    module = importlib.import_module(name)
    assert Path(module.__path__[0]).is_relative_to(extension_folder().parent / ".local")


def test_weights_are_inside() -> None:
    core = importlib.import_module("ssrhmr_core")
    weights = Path(core.default_weights())
    assert weights.is_file()
    assert weights.is_relative_to(extension_folder().parent / ".local")


def test_languages_are_inside() -> None:
    languages = extension_folder() / "ssrhmr" / "translations"
    assert sorted(path.stem for path in languages.glob("*.json")) == ["ja_JP", "zh_HANS"]


def test_blender_is_offline_in_background_and_at_its_factory_settings() -> None:
    """What these tests show holds under --offline-mode, --background and --factory-startup."""
    assert not bpy.app.online_access and bpy.app.background
    assert {addon.module for addon in bpy.context.preferences.addons} >= {MODULE}


def test_bakes_and_writes_nothing(written: Callable[[], list[Path]]) -> None:
    armature = make_armature()
    make_trackers()
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 10
    settings = scene.ssrhmr
    settings.armature = armature
    settings.frame_start, settings.frame_end, settings.calibration_frame = 1, 10, 1
    for operator in ("assign_trackers", "detect_bones", "calibrate", "bake"):
        assert getattr(bpy.ops.ssrhmr, operator)() == {"FINISHED"}, operator
    assert {tracker: getattr(settings, tracker).name for tracker in TRACKERS} == {
        tracker: tracker for tracker in TRACKERS
    }
    assert keyed_bones(armature.animation_data.action) == set(bones())
    assert policy_warnings() == {}
    assert written() == []


def test_writes_presets_and_takes_into_its_own_folder(written: Callable[[], list[Path]]) -> None:
    """And nowhere else; the folder that it is installed in may be read-only."""
    own = Path(bpy.utils.extension_path_user(MODULE))
    assert not own.is_relative_to(extension_folder() / "ssrhmr")
    bpy.ops.ssrhmr.preset_save(kind="live", name="Mine")
    takes = importlib.import_module(f"{MODULE}.live.takes")
    assert takes.takes_folder(bpy.context.scene.ssrhmr_live) == own / "takes"
    assert [path for path in written() if path.is_relative_to(own)]
    # Blender makes the folders above.
    assert not [p for p in written() if not (p.is_relative_to(own) or own.is_relative_to(p))]


def test_bakes_beside_all_add_ons_of_blender() -> None:
    """It is enabled after them, and disabled and enabled again while they run."""
    before = {addon.module for addon in bpy.context.preferences.addons}
    list_modules: Any = addon_utils.modules  # The stubs say that it returns nothing.
    shipped = {module.__name__ for module in list_modules(refresh=False)}
    others = sorted(name for name in shipped - before if not name.startswith("bl_ext."))
    bpy.ops.preferences.addon_disable(module=MODULE)
    running = [name for name in others if addon_utils.enable(name) is not None]
    assert len(running) > 3, running
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=MODULE)
        bpy.ops.preferences.addon_enable(module=MODULE)
    for operator in ("detect_bones", "calibrate", "bake"):
        assert getattr(bpy.ops.ssrhmr, operator)() == {"FINISHED"}, operator
    assert policy_warnings() == {}
    for name in running:
        addon_utils.disable(name)
        assert addon_utils.check(MODULE) == (True, True), name


def test_offline_it_refuses_to_open_the_network() -> None:
    live = bpy.context.scene.ssrhmr_live
    live.everywhere = True
    with pytest.raises(RuntimeError, match="Online Access"):
        bpy.ops.ssrhmr.live_start()
    live.everywhere = False


def test_disabling_ends_a_capture_with_its_threads() -> None:
    before = set(threading.enumerate())
    bpy.context.scene.ssrhmr_live.port = free_port()
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    assert set(threading.enumerate()) - before
    bpy.ops.preferences.addon_disable(module=MODULE)
    assert set(threading.enumerate()) == before
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert set(threading.enumerate()) == before


def test_disables_enables_and_uninstalls() -> None:
    functions = functions_of_addon()
    assert functions
    bpy.ops.preferences.addon_disable(module=MODULE)
    assert left_in_blender() == []
    assert not [f for f in functions if bpy.app.timers.is_registered(f)]
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert addon_utils.check(MODULE) == (True, True)

    repositories = bpy.context.preferences.extensions.repos
    index = [repository.module for repository in repositories].index(REPOSITORY)
    bpy.ops.extensions.package_uninstall(repo_index=index, pkg_id="ssrhmr")
    assert left_in_blender() == []
    assert not [f for f in functions if bpy.app.timers.is_registered(f)]
    assert not [
        name
        for name, module in sys.modules.items()
        if name.startswith(MODULE) and getattr(module, "__addon_enabled__", False)
    ]
    assert addon_utils.check(MODULE) == (False, False)
    assert not (extension_folder() / "ssrhmr").exists()
    assert not list((extension_folder().parent / ".local").rglob("ssrhmr_core"))
