# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets: saved and loaded, named anything, broken and hostile files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from ssrhmr_blender.presets import files
from ssrhmr_blender.presets.files import PresetFile
from ssrhmr_blender.presets.kinds import KINDS, folder_of, read_preset
from ssrhmr_blender.properties.values import read_values
from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, make_armature, make_trackers
from tests.core.formats.fuzz import damaged_text
from tests.mixamo_names import mixamo_name

ops = bpy.ops.ssrhmr


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Presets in a folder of the test."""

    def resource(kind: str, path: str, create: bool) -> str:
        folder = tmp_path / kind / path
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    monkeypatch.setattr(bpy.utils, "user_resource", resource)
    return tmp_path / "SCRIPTS" / "presets" / "ssrhmr"


@pytest.fixture
def hero(performance: Motion) -> bpy.types.Object:
    armature = make_armature("Hero", performance.skeleton)
    choose(armature, make_trackers(Take.from_motion(performance)))
    bpy.context.scene.ssrhmr.calibration_frame = 20
    ops.calibrate()
    return armature


def save_all(name: str = "Mine") -> None:
    for kind in KINDS:
        assert ops.preset_save(kind=kind, name=name) == {"FINISHED"}


def test_a_setup_comes_back_in_another_file(hero: bpy.types.Object, tmp_path: Path) -> None:
    setup = bpy.context.scene.ssrhmr
    setup.bones[4].bone = ""
    ops.calibrate()
    setup.smoothing, setup.cutoff, setup.tracker("head").weight = "CUTOFF", 3.25, 0.3
    expected = read_values(setup)
    save_all()
    scene = tmp_path / "objects.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    ops.setup_remove()
    setup = bpy.context.scene.ssrhmr
    setup.armature = bpy.data.objects["Hero"]
    for kind in KINDS:
        assert ops.preset_load(kind=kind, name="Mine") == {"FINISHED"}
    found = read_values(setup)
    # Only the table's selection and the range are no part of presets.
    for slot in (*expected["bones"], *found["bones"]):
        slot.pop("confidence")
    assert found == {**expected, "range": found["range"]}
    setup.frame_start, setup.frame_end = 1, 30
    assert ops.bake() == {"FINISHED"}


def test_devices_and_where_they_are_worn(hero: bpy.types.Object) -> None:
    live = bpy.context.scene.ssrhmr_live
    live.protocol, live.port, live.countdown = "JSON", 40123, 7.0
    for name, role in (("LHR-1", "pelvis"), ("LHR-2", "head"), ("LHR-3", "NONE")):
        device = live.devices.add()
        device.name, device.role = name, role
    expected = read_values(live)
    assert ops.preset_save(kind="live", name="Studio") == {"FINISHED"}
    live.protocol = "VMC"
    live.devices.clear()
    assert ops.preset_load(kind="live", name="Studio") == {"FINISHED"}
    assert read_values(live) == expected


def test_two_devices_at_one_place_are_refused(hero: bpy.types.Object, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    devices = [{"name": "a", "role": "head"}, {"name": "b", "role": "head"}]
    path.write_text(header(kind="live", values={"devices": devices}))
    with pytest.raises(RuntimeError, match="two devices"):
        ops.preset_import(kind="live", filepath=str(path))


def test_the_folder_is_the_users(hero: bpy.types.Object, own_folder: Path) -> None:
    save_all("Studio: A/B")
    assert [path.name for path in (own_folder / "bones").iterdir()] == ["Studio%3A A%2FB.json"]
    assert files.names_in(own_folder / "bones") == ["Studio: A/B"]
    held = json.loads((own_folder / "bones" / "Studio%3A A%2FB.json").read_text())
    assert held["ssrhmr_preset"] == 2 and held["name"] == "Studio: A/B"
    assert held["values"]["bones"]["hips"] == mixamo_name("hips")
    assert ops.preset_delete(kind="bones", name="Studio: A/B") == {"FINISHED"}
    assert files.names_in(own_folder / "bones") == []
    with pytest.raises(RuntimeError, match="cannot be deleted"):
        ops.preset_delete(kind="bones", name="Studio: A/B")


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../../x",
        "a\\b",
        "CON",
        "nul.txt",
        "com1",
        ".hidden",
        "*?<>|:",
        "名前",
        "a.json",
        "x%2Fy",
    ],
)
def test_any_name_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    path = files.path_of(tmp_path, name)
    assert path.parent == tmp_path
    assert not set(path.name) & set('<>:"/\\|?*') and not path.name.startswith(".")
    assert path.name.split(".")[0].lower() not in ("con", "nul", "com1")
    files.save(path, PresetFile("bones", name, 2, {}))
    assert files.names_in(tmp_path) == [name]
    assert read_preset(path, "bones").name == name


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 64, " x"])
def test_what_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(files.PresetError, match="name of 1 to 63"):
        files.path_of(tmp_path, name)


def test_export_and_import(hero: bpy.types.Object, tmp_path: Path, own_folder: Path) -> None:
    path = tmp_path / "shared.json"
    assert ops.preset_export(kind="calibration", filepath=str(path)) == {"FINISHED"}
    setup = bpy.context.scene.ssrhmr
    calibration = setup.calibration
    setup.calibration = ""
    # The slips of one take are not those of another.
    setup.slips.add().tracker = "head"
    for _ in range(2):
        assert ops.preset_import(kind="calibration", filepath=str(path)) == {"FINISHED"}
    assert setup.calibration == calibration and len(setup.fits) == 6 and not setup.slips
    assert files.names_in(own_folder / "calibration") == ["shared", "shared 2"]
    with pytest.raises(RuntimeError, match="preset of 'calibration', not of 'bones'"):
        ops.preset_import(kind="bones", filepath=str(path))


def header(**changes: Any) -> str:
    held = {"ssrhmr_preset": 2, "kind": "calibration", "name": "x", "values": {}}
    return json.dumps({**held, **changes})


BROKEN: list[tuple[str | bytes, str]] = [
    (b"", "not a JSON"),
    (b"\xff\xfe\x00", "not a JSON"),
    (b"import os", "not a JSON"),
    (b"[" * 200_000, "not a JSON"),
    (b'{"a":' * 100_000, "not a JSON"),
    (b"9" * 10_000, "not a JSON"),
    (b" " * 1_000_001, "too large"),
    ("[]", "not a preset of this add-on"),
    ("{}", "not a preset of this add-on"),
    (header(ssrhmr_preset=True), "version is not a number"),
    (header(ssrhmr_preset=99), "newer version"),
    (header(kind=["x"] * 50), "not of 'calibration'"),
    (header(values=[]), "holds no values"),
    (header(), "holds no calibration"),
    (header(values={"calibration": 3}), "'calibration' must be text"),
    (header(values={"calibration": "{}"}), "calibrate again"),
    (header(values={"calibration": "x" * 200_000}), "must be text"),
    (header(values={"calibration": "["[:1] * 90_000}), "calibrate again"),
    (header(values={"calibration_frame": 1e300, "calibration": "{}"}), "'calibration_frame'"),
    (header(values={"calibration_frame": 2.5, "calibration": "{}"}), "whole number"),
    (header(values={"reference": "NONE", "calibration": "{}"}), "'reference' cannot be 'NONE'"),
    (header(values={"fits": [{"mount_distance": "long"}]}), "'mount_distance' must be a number"),
    (header(values={"fits": [{}] * 1001}), "'fits' must be a list"),
    (header(values={"fits": [3]}), "pairs of names"),
    (header(values={"warnings": [{"name": "\ud800"}]}), "broken characters"),
    (header(values={"calibration": "x"}).replace('"x"}', "NaN}"), "not a JSON"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_broken_and_hostile_files(
    hero: bpy.types.Object, tmp_path: Path, content: str | bytes, message: str, own_folder: Path
) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = read_values(bpy.context.scene.ssrhmr)
    with pytest.raises(RuntimeError, match=message) as caught:
        ops.preset_import(kind="calibration", filepath=str(path))
    assert "Traceback" not in str(caught.value)
    assert read_values(bpy.context.scene.ssrhmr) == before
    assert files.names_in(own_folder / "calibration") == []


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("bones", {"bones": ["a"]}, "no names of bones"),
        ("bones", {"bones": {"hips": 3}}, "no names of bones"),
        ("bones", {"bones": {"hips": "Nothing"}}, "None of the preset's bones is on 'Hero'"),
        ("trackers", {"trackers": 5}, "pairs of names"),
        ("trackers", {"trackers": {"head": 5}}, "pairs of names"),
        ("trackers", {"trackers": {"head": {"object": 5}}}, "no names of trackers"),
        ("trackers", {"trackers": {"head": {"weight": 2.0}}}, "from 0 to 1"),
        ("trackers", {"settings": {"between_frames": 1}}, "true or false"),
        ("calibration", {"trackers": {"head": {"offset": [1, 2]}}}, "holds no calibration"),
    ],
)
def test_values_of_the_other_kinds(
    hero: bpy.types.Object, tmp_path: Path, kind: str, values: dict, message: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(header(kind=kind, values=values))
    before = read_values(bpy.context.scene.ssrhmr)
    with pytest.raises(RuntimeError, match=message):
        ops.preset_import(kind=kind, filepath=str(path))
    assert read_values(bpy.context.scene.ssrhmr) == before


def test_what_a_newer_version_added_is_left_out(hero: bpy.types.Object, tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    ops.preset_export(kind="trackers", filepath=str(path))
    held = json.loads(path.read_text())
    held["values"]["settings"]["invented"] = {"a": [1]}
    held["values"]["settings"]["armature"] = "Hero"
    path.write_text(json.dumps(held))
    assert ops.preset_import(kind="trackers", filepath=str(path)) == {"FINISHED"}


def test_missing_objects_and_bones_are_named(
    hero: bpy.types.Object, capfd: pytest.CaptureFixture[str]
) -> None:
    save_all()
    bpy.context.scene.ssrhmr.head.name = "Hat"
    bpy.context.scene.ssrhmr.head = None
    hero.data.bones[mixamo_name("neck")].name = "Hals"
    capfd.readouterr()
    for kind in ("bones", "trackers"):
        assert ops.preset_load(kind=kind, name="Mine") == {"FINISHED"}
    said = capfd.readouterr().out
    assert "not in this scene: Head ('Tracker head')" in said
    assert f"'Hero' has no {mixamo_name('neck')}" in said
    setup = bpy.context.scene.ssrhmr
    assert setup.bones[12].bone == "" and setup.bones[13].bone == mixamo_name("head")
    assert setup.head is None and setup.left_hand is not None


NOTHING: list[tuple[str, Callable[[Any], object], str]] = [
    ("bones", lambda setup: setup.bones.clear(), "press Detect Bones"),
    ("calibration", lambda setup: setattr(setup, "calibration", ""), "press Calibrate"),
]


@pytest.mark.parametrize(("kind", "spoil", "message"), NOTHING)
def test_nothing_to_save(
    hero: bpy.types.Object, kind: str, spoil: Callable[[Any], object], message: str
) -> None:
    spoil(bpy.context.scene.ssrhmr)
    with pytest.raises(RuntimeError, match=message):
        ops.preset_save(kind=kind, name="Mine")
    assert not folder_of(kind).exists()


def test_a_folder_that_cannot_be_written(hero: bpy.types.Object, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot be written"):
        ops.preset_export(kind="bones", filepath=str(tmp_path / "no" / "such" / "x.json"))
    with pytest.raises(RuntimeError, match="does not exist any more"):
        ops.preset_load(kind="bones", name="Never Saved")


JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(max_size=8),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = {
    "bones": ("family", "bones"),
    "trackers": ("trackers", "settings"),
    "calibration": ("calibration", "fits", "warnings", "reference", "trackers"),
    "live": ("protocol", "port", "devices", "countdown", "bake"),
}
# Three times as many as elsewhere: they take no time.
FUZZ = settings(max_examples=3 * settings().max_examples)


@FUZZ
@given(content=strategies.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.json"
    path.write_bytes(content)
    with pytest.raises(files.PresetError, match=r"'any\.json'"):
        read_preset(path, "bones")


@FUZZ
@given(data=strategies.data())
def test_any_values_are_applied_whole_or_refused(hero: bpy.types.Object, data: Any) -> None:
    setup = bpy.context.scene.ssrhmr
    kind = data.draw(strategies.sampled_from(list(KINDS)))
    names = strategies.sampled_from(FIELDS[kind])
    before = read_values(setup)
    try:
        KINDS[kind].apply(setup, data.draw(strategies.dictionaries(names, JSON)))
    except ValueError:
        assert read_values(setup) == before


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_presets_are_applied_whole_or_refused(
    hero: bpy.types.Object, own_folder: Path, kind: str
) -> None:
    """Files that were good once: cut, garbled, with other numbers, nested, in other encodings."""
    save_all()
    setup = bpy.context.scene.ssrhmr
    path = files.path_of(own_folder / kind, "Mine")
    damaged, random = damaged_text(path.read_bytes()), np.random.default_rng(5)
    loaded = 0
    for _ in range(4 * settings().max_examples):
        path.write_bytes(damaged(random))
        before = read_values(setup), read_values(bpy.context.scene.ssrhmr_live)
        try:
            KINDS[kind].apply(setup, read_preset(path, kind).values)
            loaded += 1
        except ValueError as error:
            assert str(error)
            assert (read_values(setup), read_values(bpy.context.scene.ssrhmr_live)) == before
    assert loaded > 5
