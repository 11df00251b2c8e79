# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside Blender's window: does what the test asks for in files, and writes what it sees.

``blender --python tests/window/drive.py -- FOLDER``. The folder holds ``job.json``; orders come as
``order.json`` with a rising number, and after each tick of a timer ``seen.json`` tells the state.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import bpy

MODULE = "bl_ext.user_default.ssrhmr"
FOLDER = Path(sys.argv[sys.argv.index("--") + 1])
JOB = json.loads((FOLDER / "job.json").read_text())
TO_BLENDER = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
STATE: dict[str, Any] = {"phase": "begin", "done": 0, "samples": [], "number": 0}
STATUS = (
    *("rate", "model_ms", "latency_ms", "frames", "frames_lost"),
    *("recording", "recorded_seconds"),
)
STATE |= {"probe": 0, "timers": 0}
LIVE_PANELS = ("SSRHMR_PT_live", "SSRHMR_PT_devices", "SSRHMR_PT_record")


class SSRHMR_OT_probe(bpy.types.Operator):
    """Counts what timers the window has: each makes events, whoever began it."""

    bl_idname = "wm.ssrhmr_probe"
    bl_label = "Probe"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        STATE["probe"] += 1
        self.number, STATE["timers"] = STATE["probe"], 0
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        if self.number != STATE["probe"]:
            return {"CANCELLED", "PASS_THROUGH"}
        STATE["timers"] += event.type == "TIMER"
        return {"PASS_THROUGH"}


def turned(vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in TO_BLENDER]


def build_character(name: str = "Hero") -> bpy.types.Object:
    """Make an armature with Mixamo's names and the performer's proportions."""
    data = bpy.data.armatures.new(name)
    hero = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(hero)
    bpy.context.view_layer.objects.active = hero
    bpy.ops.object.mode_set(mode="EDIT")
    heads: list[list[float]] = []
    for number, (name, offset, parent) in enumerate(
        zip(JOB["bones"], JOB["offsets"], JOB["parents"], strict=True)
    ):
        above = heads[parent] if parent >= 0 else [0.0, 0.0, 0.0]
        heads.append([a + b for a, b in zip(above, turned(offset), strict=True)])
        bone = data.edit_bones.new(name)
        bone.head = heads[number]
        bone.tail = [heads[number][0], heads[number][1], heads[number][2] + 0.08]
        if parent >= 0:
            bone.parent = data.edit_bones[JOB["bones"][parent]]
    bpy.ops.object.mode_set(mode="OBJECT")
    data.display_type = "STICK"
    return hero


def prepare() -> None:
    scene = bpy.context.scene
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.context.preferences.view.show_splash = False
    bpy.ops.preferences.addon_enable(module=MODULE)
    if "bones" in JOB:
        # A software renderer draws each sample of the view once more.
        bpy.context.preferences.system.viewport_aa = "OFF"
        build_character()
        scene.render.fps = 60
        scene.frame_start, scene.frame_end = 1, 600
        setup = scene.ssrhmr
        setup.armature = bpy.data.objects["Hero"]
        bpy.ops.ssrhmr.detect_bones()
        setup.calibration = JOB["calibration"]
    live = scene.ssrhmr_live
    live.port, live.folder, live.bake = JOB["port"], JOB["takes"], True
    live.port = JOB["port"]
    hide_panels(*LIVE_PANELS)
    bpy.utils.register_class(SSRHMR_OT_probe)
    _, area, _ = view()
    area.spaces.active.show_region_ui = True


def hide_panels(*shown: str) -> None:
    """Leave some panels alone, so that they are in sight, and the mouse finds their buttons."""
    addon = importlib.import_module(MODULE)
    STATE["hidden"] = [
        cls
        for cls in addon.CLASSES
        if issubclass(cls, bpy.types.Panel) and cls.bl_idname not in shown
    ]
    for cls in reversed(STATE["hidden"]):
        bpy.utils.unregister_class(cls)


def show_panels() -> None:
    for cls in STATE["hidden"]:
        bpy.utils.register_class(cls)


def view() -> tuple[Any, Any, Any]:
    window = bpy.context.window_manager.windows[0]
    area = max(
        (a for a in window.screen.areas if a.type == "VIEW_3D"), key=lambda a: a.width * a.height
    )
    sidebar = next(region for region in area.regions if region.type == "UI")
    return window, area, sidebar


def bone_heads() -> list[list[float]]:
    hero = bpy.data.objects["Hero"]
    heads = [hero.matrix_world @ hero.pose.bones[name].head for name in JOB["bones"]]
    return [list(head) for head in heads]


def choose_protocol(order: dict[str, Any]) -> None:
    live = bpy.context.scene.ssrhmr_live
    live.protocol, live.port = order["protocol"], JOB["port"]
    live.devices.clear()
    for name, role in order["worn"].items():
        device = live.devices.add()
        device.name, device.role = name, role
    STATE["samples"] = []


def call_operator(order: dict[str, Any]) -> None:
    module, _, name = order["name"].rpartition(".")
    window, area, _ = view()
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        operator = getattr(getattr(bpy.ops, module or "ssrhmr"), name)
        operator(order.get("how", "INVOKE_DEFAULT"), **order.get("values", {}))


def set_values(order: dict[str, Any]) -> None:
    for name, value in order["values"].items():
        setattr(getattr(bpy.context.scene, order.get("of", "ssrhmr_live")), name, value)


def set_preferences(order: dict[str, Any]) -> None:
    for name, value in order["values"].items():
        setattr(getattr(bpy.context.preferences, order["of"]), name, value)


def choose_workspace(order: dict[str, Any]) -> None:
    bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces[order["name"]]


def add_scene(order: dict[str, Any]) -> None:
    bpy.context.window_manager.windows[0].scene = bpy.data.scenes.new("Other")


def delete_objects(order: dict[str, Any]) -> None:
    for name in order.get("names", ["Hero"]):
        bpy.data.objects.remove(bpy.data.objects[name])


def disable_addon(order: dict[str, Any]) -> None:
    show_panels()
    bpy.ops.preferences.addon_disable(module=MODULE)


def enable_addon(order: dict[str, Any]) -> None:
    bpy.ops.preferences.addon_enable(module=MODULE)
    hide_panels(*LIVE_PANELS)


def choose_panels(order: dict[str, Any]) -> None:
    show_panels()
    hide_panels(*order["panels"])
    for name in order.get("open", ()):
        panel = getattr(bpy.types, name)
        bpy.utils.unregister_class(panel)
        # A panel that is registered for the first time is as closed as it says.
        panel.bl_options = panel.bl_options - {"DEFAULT_CLOSED"}
        bpy.utils.register_class(panel)


def go_to_frame(order: dict[str, Any]) -> None:
    bpy.context.scene.frame_set(order["frame"])


def add_partner(order: dict[str, Any]) -> None:
    """Add a character with a performer of its own, which becomes active."""
    scene = bpy.context.scene
    bpy.ops.ssrhmr.setup_add()
    setup = scene.ssrhmr
    setup.armature = build_character("Partner")
    bpy.ops.ssrhmr.detect_bones()
    setup.calibration = JOB["calibration"]
    characters = scene.ssrhmr_characters
    entry = characters.entries[characters.active]
    entry.own_source = True
    live = entry.live
    live.protocol, live.port = order["protocol"], order["port"]
    live.folder, live.bake, live.countdown = JOB["takes"], True, order["countdown"]


def activate(order: dict[str, Any]) -> None:
    bpy.context.scene.ssrhmr_characters.active = order["character"]


def remove_partner(order: dict[str, Any]) -> None:
    bpy.ops.ssrhmr.setup_remove()
    bpy.data.objects.remove(bpy.data.objects["Partner"])


def choose_openvr(order: dict[str, Any]) -> None:
    bpy.context.preferences.addons[MODULE].preferences.openvr = order["folder"]


def read_action(order: dict[str, Any]) -> None:
    action = bpy.data.objects["Hero"].animation_data.action
    first, last = (round(frame) for frame in action.frame_range)
    places = []
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        places.append(bone_heads())
    STATE["action"] = {"name": action.name, "first": first, "places": places}


def bring_to_front(order: dict[str, Any]) -> None:
    """Let empties be seen through the body."""
    for obj in bpy.data.objects:
        obj.show_in_front = obj.type == "EMPTY"


def turn_view(order: dict[str, Any]) -> None:
    _, area, _ = view()
    area.spaces.active.show_gizmo_navigate = False
    space = area.spaces.active.region_3d
    space.view_location, space.view_distance = (0.0, 0.0, 0.9), order.get("distance", 4.2)
    space.view_rotation = order.get("turn", (0.77, 0.60, 0.14, 0.18))
    hero = bpy.context.scene.ssrhmr.armature
    if order.get("follow"):
        bpy.context.view_layer.update()
        hips = hero.matrix_world @ hero.pose.bones[0].head
        space.view_location = [at + by for at, by in zip(hips, order["follow"], strict=True)]


def quit_blender(order: dict[str, Any]) -> None:
    show_panels()
    sys.stdout.flush()
    bpy.ops.wm.quit_blender()


ORDERS = {
    "activate": activate,
    "delete": delete_objects,
    "disable": disable_addon,
    "enable": enable_addon,
    "frame": go_to_frame,
    "front": bring_to_front,
    "look": turn_view,
    "operator": call_operator,
    "openvr": choose_openvr,
    "panels": choose_panels,
    "partner": add_partner,
    "preferences": set_preferences,
    "protocol": choose_protocol,
    "quit": quit_blender,
    "read action": read_action,
    "remove partner": remove_partner,
    "scene": add_scene,
    "set": set_values,
    "workspace": choose_workspace,
}
"""What a test may ask for."""


def count_children() -> int:
    """Return the number of processes that Blender has started and that still run."""
    lists = Path("/proc/self/task").glob("*/children")
    return sum(len(each.read_text().split()) for each in lists)


def look() -> None:
    """Write what the test wants to know."""
    STATE["looks"] = STATE.get("looks", 0) + 1
    capture = importlib.import_module(f"{MODULE}.live.capture")
    jobs = importlib.import_module(f"{MODULE}.common.modal_job")
    found = capture.running()
    window, _, sidebar = view()
    scene = bpy.context.scene
    lists = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    seen: dict[str, Any] = {
        "done": STATE["done"],
        "looks": STATE["looks"],
        "running": found is not None,
        "captures": len(capture.all_running()),
        "baking": jobs.is_running(),
        "progress": scene.ssrhmr.progress if hasattr(scene, "ssrhmr") else 0.0,
        "message": scene.ssrhmr.message if hasattr(scene, "ssrhmr") else "",
        "calibration": scene.ssrhmr.calibration if hasattr(scene, "ssrhmr") else "",
        "timers": STATE["timers"],
        "threads": sum(thread.name.startswith("ssrhmr") for thread in threading.enumerate()),
        "handlers": sum(len(handlers) for handlers in lists if isinstance(handlers, list)),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "children": count_children(),
        "frame": scene.frame_current,
        "playing": window.screen.is_animation_playing,
        "workspace": window.workspace.name,
        # From the top of the window, as the mouse counts.
        "sidebar": [
            sidebar.x,
            window.height - sidebar.y - sidebar.height,
            sidebar.width,
            sidebar.height,
        ],
        "samples": len(STATE["samples"]),
        "action": None,
        "actions": {
            obj.name: obj.animation_data.action.name
            for obj in bpy.data.objects
            if obj.animation_data and obj.animation_data.action
        },
    }
    hero = bpy.data.objects.get("Hero")
    if hero and hero.animation_data and hero.animation_data.action:
        seen["action"] = hero.animation_data.action.name
    if found is not None:
        status = found.status
        seen["status"] = {key: getattr(status, key) for key in STATUS}
        seen["counters"] = found.receiver.counters.readings
        seen["calibrations"] = found.session.calibrations
        seen["roles"] = dict(found.session.roles)
        seen["live message"] = found.message
        active = found.guide is not None and found.guide.active
        seen["guided"] = str(found.guide.calibration.phase) if active else ""
        if hero and found.pose is not None and not found.status.paused:
            bpy.context.view_layer.update()
            STATE["samples"].append([found.pose.time, bone_heads()])
    if "action" in STATE:
        (FOLDER / "action.json").write_text(json.dumps(STATE.pop("action")))
    partial = FOLDER / "seen.partial"
    partial.write_text(json.dumps(seen))
    partial.replace(FOLDER / "seen.json")


def step() -> float | None:
    try:
        if STATE["phase"] == "begin":
            prepare()
            STATE["phase"] = "tab"
            return 1.0
        if STATE["phase"] == "tab":
            _, _, sidebar = view()
            sidebar.active_panel_category = "SSR-HMR"
            STATE["phase"] = "run"
            return 0.5
        file = FOLDER / "order.json"
        if file.exists():
            order = json.loads(file.read_text())
            if order["number"] > STATE["number"]:
                STATE["number"] = order["number"]
                if order["do"] == "samples":
                    (FOLDER / "samples.json").write_text(json.dumps(STATE["samples"]))
                else:
                    ORDERS[order["do"]](order)
                STATE["done"] = order["number"]
        look()
        return 0.05
    except Exception:
        traceback.print_exc()
        sys.stdout.flush()
        os._exit(9)


bpy.app.timers.register(step, first_interval=1.5, persistent=True)
