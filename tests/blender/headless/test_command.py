# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking without a window: results, resuming, errors, and the farm's job type."""

from __future__ import annotations

import gc
import io
import json
import lzma
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from ssrhmr_blender.baking import job
from ssrhmr_blender.common.compat import curve_owner
from ssrhmr_blender.headless import command
from ssrhmr_blender.trackers.empties import TrackerKeys
from ssrhmr_core import Motion, Take, load_motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.formats.trackers_csv import save_trackers
from tests.blender.conftest import enable, joint_worlds, make_armature

SCRIPT = Path(__file__).parents[3] / "examples" / "flamenco" / "ssrhmr_bake.js"


@pytest.fixture
def files(tmp_path: Path, performance: Motion) -> Path:
    """A character that knows nothing yet, and the same take twice."""
    enable("io_anim_bvh")
    make_armature("Hero", performance.skeleton)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    (tmp_path / "takes").mkdir()
    save_bvh(tmp_path / "takes" / "walk.bvh", performance)
    save_trackers(tmp_path / "takes" / "run.csv", Take.from_motion(performance))
    return tmp_path


def arguments(files: Path, *more: str) -> list[str]:
    return [
        *("--takes", str(files / "takes"), "--characters", str(files / "hero.blend")),
        *("--out", str(files / "out"), *more),
    ]


def times(files: Path) -> dict[str, int]:
    return {
        path.name: path.stat().st_mtime_ns for path in (files / "out").rglob("*") if path.is_file()
    }


def test_the_page_lists_all_options() -> None:
    page = (SCRIPT.parents[2] / "docs" / "farm.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
    options = {word for action in command.make_parser()._actions for word in action.option_strings}
    assert listed == {word for word in options if word.startswith("--")} - {"--help"}


def test_takes_are_baked_once(files: Path, performance: Motion) -> None:
    begun = arguments(files, "--calibrate-at", "0.33", "--write", "blend", "bvh")
    assert command.run(begun) == 0
    first = times(files)
    assert sorted(first) == [
        *("run.blend", "run.bvh", "run.json"),
        *("walk.blend", "walk.bvh", "walk.json"),
    ]
    assert command.run(begun) == 0
    assert times(files) == first, "what is done is not done again"
    # Interrupted, changed or incomplete: only that one is done again.
    (files / "out" / "hero" / "run.bvh").unlink()
    assert command.run(begun) == 0
    second = times(files)
    assert {name for name in first if first[name] != second[name]} == {
        *("run.blend", "run.bvh", "run.json")
    }
    save_bvh(files / "takes" / "walk.bvh", performance.at(performance.times[:100]))
    assert command.run(begun) == 0
    third = times(files)
    assert {name for name in first if second[name] != third[name]} == {
        *("walk.blend", "walk.bvh", "walk.json")
    }

    bpy.ops.wm.open_mainfile(filepath=str(files / "out" / "hero" / "run.blend"))
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end) == (1, len(performance))
    hero = bpy.data.objects["Hero"]
    assert hero.animation_data.action.name == "run"
    frames = np.arange(1, len(performance) + 1, 10)
    positions, _ = joint_worlds(hero, frames)
    x, y, z = np.moveaxis(performance.positions()[frames - 1], -1, 0)
    away = np.linalg.norm(positions - np.stack([x, -z, y], -1), axis=-1)
    assert 1000.0 * away[:, list(TRACKER_JOINTS)].mean() < 5.0
    assert len(load_motion(files / "out" / "hero" / "walk.bvh")) == 100


def test_trackers_can_be_left_out(files: Path) -> None:
    """The keys are the same; a change of mind bakes again."""

    def hero_keys(name: str) -> list[float]:
        bpy.ops.wm.open_mainfile(filepath=str(files / "out" / "hero" / f"{name}.blend"))
        assert [scene.name for scene in bpy.data.scenes] == ["Scene"], "no scene for saving is left"
        bag = curve_owner(bpy.data.actions[name])
        return [key.co[1] for curve in bag.fcurves for key in curve.keyframe_points]

    assert command.run(arguments(files, "--calibrate-at", "0.33")) == 0
    kept = {name: hero_keys(name) for name in ("walk", "run")}
    assert len(bpy.data.actions) == 7
    setup = bpy.context.scene.ssrhmr
    assert setup.range == "TRACKERS" and setup.pelvis.name == "run Tracker Pelvis"
    first = times(files)
    assert command.run(arguments(files, "--calibrate-at", "0.33", "--no-trackers")) == 0
    assert not first.items() & times(files).items(), "both takes are baked again"
    assert kept == {name: hero_keys(name) for name in kept}
    assert [action.name for action in bpy.data.actions] == ["run"]
    assert [obj.type for obj in bpy.data.objects] == ["ARMATURE"] and not bpy.data.collections
    assert bpy.context.scene.ssrhmr.pelvis is None


@pytest.mark.parametrize(("more", "keys"), [([], 1), (["--no-trackers"], 0)])
def test_takes_are_forgotten_before_keys_are_written(
    files: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], keys: int
) -> None:
    """Blender needs the memory for the keys; of an hour, each copy of a take has 50 MB."""
    alive: list[int] = []
    write = job._write_channels

    def count(*arguments: Any) -> Any:
        gc.collect()
        held = [each for each in gc.get_objects() if isinstance(each, (Take, TrackerKeys))]
        assert not [each for each in held if isinstance(each, Take)]
        alive.append(len(held))
        return (yield from write(*arguments))

    monkeypatch.setattr(job, "_write_channels", count)
    (files / "takes" / "walk.bvh").unlink()
    assert command.run(arguments(files, "--calibrate-at", "0.33", *more)) == 0
    assert alive == [keys]


def test_a_bvh_needs_no_calibration_and_a_csv_says_so(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(arguments(files)) == 1
    said = capsys.readouterr()
    assert "run on hero: FAILED: nothing says how the trackers are worn" in said.err
    assert "walk on hero: baked" in said.out and "1 of 2 done" in said.out
    assert command.run(arguments(files, "--calibrate-at", "0.33")) == 0


def test_takes_of_all_kinds_and_what_was_assumed(
    files: Path, performance: Motion, capsys: pytest.CaptureFixture[str]
) -> None:
    """The unit of a giant is a guess, which is printed; body shapes of AMASS are no takes."""
    takes = files / "takes"
    (takes / "walk.bvh.xz").write_bytes(lzma.compress((takes / "walk.bvh").read_bytes()))
    (takes / "walk.bvh").unlink()
    giant = performance.skeleton.scaled(3.0)
    root = 3.0 * performance.root
    save_bvh(takes / "giant.bvh", Motion(giant, performance.times, performance.rotations, root))
    (takes / "shape.npz").write_bytes(b"")
    (takes / "run.csv").rename(takes / "run.tsv")
    assert command.run(arguments(files)) == 1
    said = capsys.readouterr()
    assert "giant on hero: baked" in said.out and "set the unit" in said.out
    assert "2 of 3 done" in said.out and "run on hero: FAILED: nothing says" in said.err
    assert {"walk.blend", "walk.json", "giant.blend", "giant.json"} == set(times(files))
    # The saved file says how its trackers were used, so that it can be baked again as it is.
    bpy.ops.wm.open_mainfile(filepath=str(files / "out" / "hero" / "walk.blend"))
    setup = bpy.context.scene.ssrhmr
    assert (setup.reference, setup.proportions) == ("JOINTS", "FIT")
    before = setup.calibration
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"} and setup.calibration == before


def test_the_calibration_saved_with_the_character(files: Path, performance: Motion) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(files / "hero.blend"))
    setup = bpy.context.scene.ssrhmr
    setup.armature = bpy.data.objects["Hero"]
    setup.calibration = '{"rotations": 3}'
    bpy.ops.ssrhmr.detect_bones()
    from ssrhmr_core import Calibration

    setup.calibration = Calibration.none().to_json()
    bpy.ops.wm.save_as_mainfile(filepath=str(files / "hero.blend"))
    assert command.run(arguments(files)) == 0


def test_broken_inputs_fail_alone(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "takes" / "broken.bvh").write_text("HIERARCHY\nROOT")
    (files / "bad.blend").write_bytes(b"no blend at all")
    more = ["--characters", str(files / "hero.blend"), str(files / "bad.blend")]
    assert command.run([*arguments(files, "--calibrate-at", "0.33"), *more]) == 1
    said = capsys.readouterr()
    assert said.err.count("FAILED") == 4 and "Traceback" not in said.err
    assert "2 of 6 done" in said.out
    assert not list((files / "out").rglob("*partial*"))


def test_a_folder_that_cannot_be_written_is_noticed_before_the_bake(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bake(*_: object) -> list[str]:
        raise AssertionError("a take was baked for nothing")

    monkeypatch.setattr(command, "bake_task", bake)
    (files / "out").write_text("a file where the folder should be", encoding="utf-8")
    assert command.run(arguments(files)) == 1
    said = capsys.readouterr().err
    assert said.count("cannot be written") == 2 and "choose another folder with --out" in said


@pytest.mark.parametrize("held", ["blend", "json"])
def test_a_result_that_another_program_holds_stays_as_it_is(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """Windows refuses to replace an open file; the take counts as not done."""
    (files / "takes" / "run.csv").unlink()
    (files / "out" / "hero").mkdir(parents=True)
    kept = files / "out" / "hero" / f"walk.{held}"
    kept.write_text("old", encoding="utf-8")
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target == kept:
            raise PermissionError(13, "The process cannot access the file", str(self))
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        assert command.run(arguments(files)) == 1
    said = capsys.readouterr().err
    assert f"'{kept}' cannot be replaced (The process cannot access the file): close the" in said
    assert kept.read_text(encoding="utf-8") == "old"
    assert not list(kept.parent.glob("*partial*"))
    assert command.run(arguments(files)) == 0 and "baked" in capsys.readouterr().out


def test_names_that_the_output_cannot_show(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, output that goes to a file has the letters of one region."""
    (files / "takes" / "run.csv").unlink()
    (files / "takes" / "walk.bvh").rename(files / "takes" / "走る.bvh")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    assert command.run(arguments(files)) == 0
    assert b"[1/1] \\u8d70\\u308b on hero: baked in" in written.getvalue()
    assert (files / "out" / "hero" / "走る.blend").is_file()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (["--takes", "x.fbx"], "not a take: choose a file"),
        (["--takes", "a/x.csv", "b/x.bvh"], "give them other names"),
        # Windows and macOS have one file for each of these pairs.
        (["--takes", "a/Walk.csv", "b/walk.bvh"], "give them other names"),
        (["--takes", "a/\u00fcbung.csv", "b/u\u0308bung.bvh"], "give them other names"),
    ],
)
def test_commands_that_are_wrong(
    files: Path, capsys: pytest.CaptureFixture[str], spoil: list[str], message: str
) -> None:
    assert command.run([*arguments(files), *spoil]) == 2
    assert message in capsys.readouterr().err
    (files / "empty").mkdir()
    assert command.run([*arguments(files), "--takes", str(files / "empty")]) == 2
    assert command.run(["--takes"]) == 2 and command.run(["--help"]) == 0


def test_a_file_with_several_armatures(files: Path, performance: Motion) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(files / "hero.blend"))
    make_armature("Other", performance.skeleton)
    bpy.ops.wm.save_as_mainfile(filepath=str(files / "hero.blend"))
    assert command.run(arguments(files)) == 1
    setup = bpy.context.scene.ssrhmr
    bpy.ops.wm.open_mainfile(filepath=str(files / "hero.blend"))
    setup = bpy.context.scene.ssrhmr
    setup.armature = bpy.data.objects["Other"]
    bpy.ops.wm.save_as_mainfile(filepath=str(files / "hero.blend"))
    assert command.run(arguments(files, "--calibrate-at", "0.33")) == 0


def test_flamenco_makes_a_task_for_each_take_and_character(tmp_path: Path) -> None:
    """Its script, run with stand-ins for what the Manager offers to scripts."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("the farm's script is JavaScript: Node.js is not installed")
    settings = {
        "takes": "/s/a.csv; /s/b.bvh;",
        "characters": "/s/hero.blend",
        "out": "/s/out",
        "write": "blend bvh",
        "calibrate_at": 0.5,
    }
    harness = f"""
    const path = {{ stem: (p) => p.split("/").pop().replace(/\\.[^.]*$/, "") }};
    const author = {{
        Task: (name, type) => ({{ name, type, commands: [],
            addCommand(c) {{ this.commands.push(c); }} }}),
        Command: (name, parameters) => ({{ name, parameters }}),
    }};
    {SCRIPT.read_text(encoding="utf-8")}
    const job = {{ settings: {json.dumps(settings)}, tasks: [],
        addTask(t) {{ this.tasks.push(t); }} }};
    compileJob(job);
    console.log(JSON.stringify({{ tasks: job.tasks, keys: JOB_TYPE.settings.map(s => s.key) }}));
    """
    done = subprocess.run([node, "-e", harness], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert set(made["keys"]) == set(settings)
    assert [task["name"] for task in made["tasks"]] == ["a on hero", "b on hero"]
    (first,) = made["tasks"][0]["commands"]
    assert first["name"] == "exec" and first["parameters"]["exe"] == "{blender}"
    args = first["parameters"]["args"]
    assert args[:2] == ["--command", command.NAME]
    chosen = command.make_parser().parse_args(args[2:])
    assert chosen.takes == [Path("/s/a.csv")] and chosen.write == ["blend", "bvh"]
    assert chosen.calibrate_at == 0.5
