# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that describe control rigs: what is read, and what is said about mistakes in them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest

import ssrhmr_blender
from ssrhmr_blender.rig import control_schemes
from ssrhmr_blender.rig.control_schemes import SchemeError, load_scheme, schemes
from ssrhmr_core import Motion, Skeleton
from ssrhmr_core.body.skeleton import JOINTS
from tests.blender.rig.control_rig import Names, parts
from tests.blender.rig.test_control_rigs import calibrated, keyed_bones, misses

PAGE = Path(__file__).resolve().parents[3] / "docs/control_rigs.md"
BUNDLED = sorted(Path(control_schemes.__file__).with_name(control_schemes.FOLDER).glob("*.json"))
# The rig that the page describes.
STUDIO = Names(
    marks=("L", "R"),
    fk={
        "hips": "body",
        "lower_spine": "belly",
        "chest": "ribs",
        **parts(
            "neck head clavicle_$ upperarm_fk_$ forearm_fk_$ hand_fk_$ thigh_fk_$ shin_fk_$"
            " foot_fk_$ toe_fk_$"
        ),
    },
    deform=parts(
        "def_neck def_head def_clavicle_$ def_upperarm_$ def_forearm_$ def_hand_$ def_thigh_$"
        " def_shin_$ def_foot_$ def_toe_$"
    ),
    ends=(("hand_ik_$", "elbow_pole_$"), ("foot_ik_$", "knee_pole_$")),
    root="god",
    switch=(("settings", "@_arm_fk"), ("settings", "@_leg_fk")),
    fk_value=1.0,
)


def example() -> dict[str, Any]:
    """Return the scheme of the page."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.M)
    scheme: dict[str, Any] = json.loads(text)
    return scheme


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_the_bundled_schemes_are_right(path: Path) -> None:
    scheme = load_scheme(path)
    assert scheme.fk.controls and scheme.ik.controls and scheme.fk.switches
    # The mapping of a complete body leaves no joint without a control.
    rotated = {joint for control in scheme.fk.controls for joint in control.rotation}
    limbs = {joint for joint in JOINTS if joint.startswith(("left", "right"))}
    assert limbs | {"hips", "neck", "head"} <= rotated


def test_the_add_on_knows_three_families() -> None:
    names = {scheme.name for scheme in schemes()[0]}
    assert names == {"Rigify", "CloudRig", "Auto-Rig Pro"} and schemes()[1] == []


def test_the_example_of_the_page_bakes_its_rig(
    tmp_path: Path, schemes_folder: Path, skeleton: Skeleton, performance: Motion
) -> None:
    """The file is added with the operator, and its rig follows what is keyed."""
    path = tmp_path / "studio.json"
    path.write_text(json.dumps(example()), encoding="utf-8")
    assert bpy.ops.ssrhmr.add_control_rig(filepath=str(path)) == {"FINISHED"}
    assert [file.name for file in schemes_folder.iterdir()] == ["studio.json"]
    armature = calibrated(skeleton, STUDIO, performance)
    setup = bpy.context.scene.ssrhmr
    setup.ik_controls = True
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    assert {"body", "ribs", "upperarm_fk_L", "foot_fk_R", "hand_ik_L", "knee_pole_R"} <= (
        keyed_bones(armature)
    )
    assert max(misses(armature, STUDIO).values()) < 1.0


def broken(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Return the example with a mistake."""
    scheme = copy.deepcopy(example())
    change(scheme)
    return scheme


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "number": (lambda s: s.pop("control_rig"), '"control_rig": 1'),
    "newer": (lambda s: s.update(control_rig=2), "update the add-on"),
    "odd number": (lambda s: s.update(control_rig="1"), "must be 1"),
    "key": (lambda s: s.update(contols=[]), 'unknown key "contols": known are'),
    "name": (lambda s: s.update(name=" "), '"name" must be a text'),
    "recognition": (lambda s: s.pop("recognized_by"), "must name a"),
    "bones": (lambda s: s.update(recognized_by={"bones": "god"}), "must be a list of names"),
    "marks": (lambda s: s.update(marks={"left": "L"}), '"marks" must say'),
    "controls": (lambda s: s.update(controls={}), '"controls" must be a list'),
    "entry": (lambda s: s["controls"].append("neck"), 'entry 14 of "controls" must be an object'),
    "no bone": (
        lambda s: s["controls"].append({"rotation": "neck"}),
        'entry 14 of "controls" needs a "control"',
    ),
    "nothing to do": (
        lambda s: s["controls"].append({"control": "tail"}),
        'entry 14 of "controls" needs a "rotation"',
    ),
    "joint": (
        lambda s: s["controls"].append({"control": "tail", "rotation": "pelvis"}),
        "unknown joint 'pelvis': use hips,",
    ),
    "control key": (
        lambda s: s["controls"].append({"control": "tail", "rotation": "neck", "axis": "X"}),
        'unknown key "axis"',
    ),
    "pole": (
        lambda s: s["controls"].append({"control": "pole", "pole": "left_knee"}),
        "begins at one of left_hip",
    ),
    "placeholder": (
        lambda s: s["controls"].append({"control": "tail.{Mark}", "rotation": "neck"}),
        "placeholder {Mark}: use {side} or {mark}",
    ),
    "twice": (
        lambda s: s["controls"].append({"control": "head", "rotation": "neck"}),
        "control 'head' has two entries",
    ),
    "stays": (lambda s: s["controls"][0].pop("location"), "the body would stay where it is"),
    "spaces": (lambda s: s.update(spaces=["god"]), '"spaces" must be pairs'),
    "space": (lambda s: s.update(spaces={"a": 1}), "must be a name or a list of names"),
    "empty list": (lambda s: s.update(spaces={"a": []}), "has an empty list"),
    "switch": (
        lambda s: s["switches"].append({"bone": "settings", "property": "x", "value": "FK"}),
        'entry 3 of "switches": "value" must be a number',
    ),
    "no property": (
        lambda s: s["switches"].append({"bone": "settings", "value": 1}),
        'entry 3 of "switches", "property", must be a name',
    ),
    "ik": (lambda s: s["ik"].update(name="IK"), '"ik" has the unknown key "name"'),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake: str, tmp_path: Path) -> None:
    change, expected = MISTAKES[mistake]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(broken(change)), encoding="utf-8")
    with pytest.raises(SchemeError) as caught:
        load_scheme(path)
    assert expected in str(caught.value) and "mine.json" in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", '"control_rig"', "7"])
def test_other_json_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SchemeError, match="must be an object"):
        load_scheme(path)


def test_what_is_no_json_is_refused_with_its_line(tmp_path: Path, schemes_folder: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"control_rig": 1,\n "name" "a"\n}', encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"not valid JSON \(line 2\): correct it"):
        bpy.ops.ssrhmr.add_control_rig(filepath=str(path))
    assert list(schemes_folder.iterdir()) == []
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(SchemeError, match="not valid JSON"):
        load_scheme(path)
    path.write_bytes(b" " * 300_000)
    with pytest.raises(SchemeError, match="too large"):
        load_scheme(path)
    with pytest.raises(RuntimeError, match=r"gone.json' cannot be copied"):
        bpy.ops.ssrhmr.add_control_rig(filepath=str(tmp_path / "gone.json"))


def test_a_damaged_file_in_the_folder_is_reported_and_harms_nothing(schemes_folder: Path) -> None:
    (schemes_folder / "damaged.json").write_text("{", encoding="utf-8")
    (schemes_folder / "mine.json").write_text(json.dumps(example()), encoding="utf-8")
    loaded, problems = schemes()
    assert loaded[0].name == "My studio's rig" and len(loaded) == 4
    assert len(problems) == 1 and "'damaged.json' is not valid JSON" in problems[0]
    # A file that has changed is read again.
    (schemes_folder / "damaged.json").write_text(
        json.dumps({**example(), "name": "Second"}), "utf-8"
    )
    assert [scheme.name for scheme in schemes()[0]][:2] == ["Second", "My studio's rig"]


def test_schemes_are_part_of_the_add_on() -> None:
    package = Path(ssrhmr_blender.__file__).parent
    assert all(package in path.parents for path in BUNDLED) and len(BUNDLED) == 3
