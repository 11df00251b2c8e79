# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and presets that the former version wrote: every setting in its new place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest
from hypothesis import given, strategies

from ssrhmr_blender.common.compat import stored_properties
from ssrhmr_blender.presets.kinds import KINDS, read_preset
from ssrhmr_blender.properties import characters
from ssrhmr_blender.properties.contacts import SSRHMR_Contacts
from ssrhmr_blender.properties.keys import SSRHMR_Keys
from ssrhmr_blender.properties.migration import PRESET_FORMAT, migrate_file, migrate_preset
from ssrhmr_blender.properties.root_motion import SSRHMR_RootMotion
from ssrhmr_blender.properties.tracker import EXTRA_TRACKERS, TRACKERS, SSRHMR_Tracker
from ssrhmr_blender.properties.values import read_values
from ssrhmr_blender.trackers.stored_calibration import stored_calibration
from ssrhmr_core.tracking.calibration import Calibration

FORMER = Path(__file__).resolve().parents[1] / "former"
EXPECTED: dict[str, Any] = json.loads((FORMER / "former_expected.json").read_text("utf-8"))
FILES = ["former_4.2.blend", "former_4.5.blend"]


def defaults(group: type[bpy.types.PropertyGroup]) -> dict[str, Any]:
    """Return the defaults of a group of settings that former versions lack."""
    declared = [prop for prop in group.bl_rna.properties if prop.identifier != "rna_type"]
    return {prop.identifier: default_of(prop) for prop in declared}


def default_of(prop: Any) -> Any:
    if prop.type == "COLLECTION":
        return []
    if prop.type == "POINTER":
        return None
    return list(prop.default_array) if getattr(prop, "is_array", False) else prop.default


def in_new_places(setup: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a former setup where this version has them."""
    setup = dict(setup)
    setup["trackers"] = {
        role: {
            "name": "",
            "object": setup.pop(role),
            "weight": setup.pop(f"{role}_weight"),
            "offset": setup.pop(f"{role}_offset"),
            "rotation": setup.pop(f"{role}_turn"),
            # The six are always worn so.
            "segment": "AUTO",
            "measures": "BOTH",
        }
        for role in TRACKERS
    } | {"name": ""}
    # Former versions have no optional trackers.
    setup["trackers"] |= {role: defaults(SSRHMR_Tracker) for role in EXTRA_TRACKERS}
    setup["contacts"] = defaults(SSRHMR_Contacts)
    setup["keyframes"] = defaults(SSRHMR_Keys)
    setup["root_motion"] = defaults(SSRHMR_RootMotion)
    setup["proportions"] = setup.pop("scale")
    setup["adjusted_tracker"] = setup.pop("nudged")
    setup["fits"] = [
        {("mount_distance" if name == "arm" else name): value for name, value in fit.items()}
        | {"deviation": 0.0, "optional": False}
        for fit in setup["fits"]
    ]
    # Former versions have none of these.
    for name in ("has_constraints", "key_muting", "correct_floor", "write_certainty"):
        setup[name] = False
    setup["assumed"], setup["measures"], setup["slips"] = "", [], []
    return setup


NEW_LIVE = {
    "allowed": "",
    "announce": True,
    "sound": True,
    "certainty": False,
    "sender": "",
    "details": False,
}
"""Live settings that former versions lack."""


def with_roles(batch: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a former batch; its takes have all six trackers in their order."""
    takes = [
        take
        | {
            kind: [entry | {"role": ""} for entry in take[kind]]
            for kind in ("trackers", "parts")
            if kind in take
        }
        for take in batch["takes"]
    ]
    return batch | {"takes": takes}


def without_objects(value: Any) -> Any:
    """Return values with the names of data-blocks in the place of these."""
    if isinstance(value, bpy.types.ID):
        return value.name
    if isinstance(value, dict):
        return {name: without_objects(entry) for name, entry in value.items()}
    return [without_objects(entry) for entry in value] if isinstance(value, list) else value


def stored_settings() -> dict[str, Any]:
    """Return all settings of the open file, by scene."""
    return {
        scene.name: {
            "setups": [without_objects(read_values(s)) for s in characters.all_setups(scene)],
            "names": [entry.name for entry in scene.ssrhmr_characters.entries],
            "active": scene.ssrhmr_characters.active,
            "live": without_objects(read_values(scene.ssrhmr_live)),
            "batch": without_objects(read_values(scene.ssrhmr_batch)),
        }
        for scene in bpy.data.scenes
    }


def expected_settings(file: str) -> dict[str, Any]:
    return {
        name: {
            **scene,
            "setups": [in_new_places(setup) for setup in scene["setups"]],
            "live": scene["live"] | NEW_LIVE,
            "batch": with_roles(scene["batch"]),
        }
        for name, scene in EXPECTED[file].items()
    }


def former_names(scene: bpy.types.Scene) -> set[str]:
    """Return names of the former version that the file still stores of a scene's setups."""
    stored: Any = stored_properties(scene)["ssrhmr_characters"]
    endings = ("", "_weight", "_offset", "_turn")
    former = {"scale", "nudged", *(f"{role}{ending}" for role in TRACKERS for ending in endings)}
    setups = [stored.get("base"), *(entry.get("setup") for entry in stored.get("entries", ()))]
    return {name for setup in setups if setup for name in former if name in setup}


@pytest.mark.parametrize("file", FILES)
def test_every_setting_of_a_former_file(file: str, tmp_path: Path) -> None:
    """Exactly as the former version read it, at once and after saving; nothing is reported."""
    bpy.ops.wm.open_mainfile(filepath=str(FORMER / file))
    for again in range(2):
        assert stored_settings() == expected_settings(file)
        assert [scene.ssrhmr.message for scene in bpy.data.scenes] == ["", ""]
        for scene in bpy.data.scenes:
            assert former_names(scene) == set()
        if not again:
            bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "again.blend"))
            bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "again.blend"))


@pytest.mark.parametrize("file", FILES)
def test_a_former_file_can_be_used_at_once(file: str) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(FORMER / file))
    scene: Any = bpy.data.scenes["First"]
    bpy.context.window.scene = scene
    scene.ssrhmr_characters.active = 0
    setup = scene.ssrhmr
    assert setup.armature.name == "Hero" and setup.left_hand.name == "Tracker left_hand"
    calibration = stored_calibration(setup)
    assert calibration.performer is not None
    # One of the two must count fully where it is baked.
    setup.tracker("head").weight = 1.0
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message


def test_values_under_the_new_names_win() -> None:
    """A former file that was appended, and changed before it is opened again."""
    bpy.ops.wm.open_mainfile(filepath=str(FORMER / FILES[0]))
    scene: Any = bpy.data.scenes["Second"]
    other = bpy.data.objects["Hero"]
    scene.ssrhmr.pelvis, scene.ssrhmr.proportions = other, "FIT"
    stored = stored_properties(scene)["ssrhmr_characters"]["base"]
    stored["pelvis"], stored["pelvis_weight"] = bpy.data.objects["Tracker head"], 0.5
    stored["scale"] = 2
    migrate_file()
    assert scene.ssrhmr.pelvis == other and scene.ssrhmr.proportions == "FIT"
    assert scene.ssrhmr.tracker("pelvis").weight == 0.5
    assert former_names(scene) == set()


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("name", ["First", "Second"])
def test_a_scene_of_a_former_file_is_appended_or_linked(
    name: str, link: bool, tmp_path: Path
) -> None:
    with bpy.data.libraries.load(str(FORMER / FILES[0]), link=link) as (_, into):
        into.scenes = [name]
    if not hasattr(bpy.app.handlers, "blend_import_post"):
        # Blender 4.2 calls nothing then: it is seen when the file is opened again.
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "with.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "with.blend"))
    settings, expected = stored_settings()[name], expected_settings(FILES[0])[name]
    assert settings["setups"] == expected["setups"]


PRESETS = {
    "former_mapping.json": ("bones", 0),
    "former_trackers.json": ("trackers", 0),
    "former_calibration.json": ("calibration", 0),
    "former_calibration_fit.json": ("calibration", 1),
}


@pytest.mark.parametrize("file", PRESETS)
def test_former_presets_hold_what_the_former_file_holds(file: str) -> None:
    """The setup it was saved from has the same values after it has lost and loaded them."""
    kind, number = PRESETS[file]
    bpy.ops.wm.open_mainfile(filepath=str(FORMER / "former_4.5.blend"))
    scene: Any = bpy.data.scenes["First"]
    scene.ssrhmr_characters.active = number
    setup = scene.ssrhmr
    stored = KINDS[kind].collect(setup)
    for name in ("contacts", "keyframes", "root_motion"):
        # Former versions have none of them.
        stored.get("settings", {}).pop(name, None)
    for name in ("assumed", "correct_floor", "measures"):
        stored.get("settings", stored).pop(name, None)
    for role in EXTRA_TRACKERS:
        stored.get("trackers", {}).pop(role, None)
    for tracker in stored.get("trackers", {}).values():
        # Every tracker measured both.
        assert tracker.pop("measures", "BOTH") == "BOTH"
    for fit in stored.get("settings", stored).get("fits", ()):
        fit.pop("deviation", None)
        fit.pop("optional", None)
    assert stored == read_preset(FORMER / file, kind).values
    expected = KINDS[kind].collect(setup)
    spoil: dict[str, Callable[[], object]] = {
        "bones": setup.bones.clear,
        "trackers": lambda: setup.property_unset("trackers"),
        "calibration": setup.clear_calibration,
    }
    spoil[kind]()
    for role in TRACKERS:
        setup.tracker(role).offset = setup.tracker(role).rotation = (1.0, 1.0, 1.0)
    notes = KINDS[kind].apply(setup, read_preset(FORMER / file, kind).values)
    assert KINDS[kind].collect(setup) == expected and notes == []


def test_a_former_live_preset() -> None:
    scene: Any = bpy.context.scene
    preset = read_preset(FORMER / "former_live.json", "live")
    assert KINDS["live"].apply(scene.ssrhmr, preset.values) == []
    expected = EXPECTED["former_4.5.blend"]["First"]["live"]
    # A folder is a matter of the machine, and the selected row of the table.
    new = {"folder": "", "active_device": 0}
    assert read_values(scene.ssrhmr_live) == {**expected, **NEW_LIVE, **new}


def test_an_imported_former_preset_is_kept_in_the_new_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_, **__: str(tmp_path))
    bpy.context.scene.ssrhmr.armature = bpy.data.objects.new("A", bpy.data.armatures.new("A"))
    path = FORMER / "former_calibration.json"
    assert bpy.ops.ssrhmr.preset_import(kind="calibration", filepath=str(path)) == {"FINISHED"}
    (kept,) = tmp_path.glob("*.json")
    held = json.loads(kept.read_text(encoding="utf-8"))
    assert held["ssrhmr_preset"] == PRESET_FORMAT == 2
    assert held["values"]["proportions"] == "RETARGET" and "scale" not in held["values"]
    assert bpy.context.scene.ssrhmr.tracker("head").offset[0] == pytest.approx(0.013108, abs=1e-6)


def test_a_calibration_preset_without_adjustments() -> None:
    """The first presets had none: they are reset."""
    setup = bpy.context.scene.ssrhmr
    setup.tracker("head").offset = (1.0, 2.0, 3.0)
    values = migrate_preset("calibration", 1, {"calibration": Calibration.none().to_json()})
    KINDS["calibration"].apply(setup, values)
    assert setup.calibration and not any(setup.tracker("head").offset)


ANYTHING = strategies.recursive(
    strategies.none() | strategies.integers() | strategies.text(max_size=4),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.sampled_from(["arm", "head", "x"]), inner)
    ),
    max_leaves=5,
)
FIELDS = ("objects", "settings", "fits", "scale", "head_offset", "nudged", "trackers")


@given(
    kind=strategies.sampled_from(list(KINDS)),
    values=strategies.dictionaries(strategies.sampled_from(FIELDS), ANYTHING),
)
def test_any_former_values_are_applied_or_refused_in_a_sentence(kind: str, values: Any) -> None:
    setup = bpy.context.scene.ssrhmr
    try:
        KINDS[kind].apply(setup, migrate_preset(kind, 1, values))
    except ValueError as error:
        assert str(error)
