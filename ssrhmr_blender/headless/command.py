# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command ssrhmr_bake``: takes and characters from files, results to files.

Each take on each character is a job of its own with a record beside its results. A job whose record
fits its inputs is not done again, so a run that was interrupted goes on where it stopped, and
several machines may share a folder.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..common.errors import UserError, plain_message

if TYPE_CHECKING:
    import argparse

NAME = "ssrhmr_bake"
_TAKES = (".csv", ".bvh")
_FORMATS = ("blend", "bvh")
_RECORD = 1

_handle: Any = None


class HeadlessError(UserError):
    """Something about the files or the command; the message says what to do."""


@dataclass(frozen=True)
class BakeTask:
    """One take on one character.

    Attributes:
        take: tracker .csv, or .bvh whose joints are the trackers.
        character: .blend.
        out: folder for this character's results.
    """

    take: Path
    character: Path
    out: Path

    def result(self, suffix: str) -> Path:
        """Return a file of the results."""
        return self.out / f"{self.take.stem}.{suffix}"


def run(arguments: list[str]) -> int:
    """Do what the command line says.

    Args:
        arguments: after the command's name.

    Returns:
        0 if everything is done, 1 if something failed, 2 if the command is wrong.
    """
    try:
        chosen = _parser().parse_args(arguments)
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else 2
    try:
        jobs = _jobs(chosen)
    except UserError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2
    failed = 0
    for number, job in enumerate(jobs, 1):
        label = f"[{number}/{len(jobs)}] {job.take.stem} on {job.character.stem}"
        begin = time.monotonic()
        try:
            key = _fingerprint(job, chosen)
            if not chosen.force and _is_done(job, key, chosen.write):
                print(f"{label}: done already", flush=True)
                continue
            notes = _bake(job, chosen)
            _record(job, key)
        except (UserError, ValueError, OSError, RuntimeError) as error:
            # RuntimeError is how Blender's operators fail, such as on a file that is no .blend.
            failed += 1
            print(f"{label}: FAILED: {plain_message(error)}", file=sys.stderr, flush=True)
            continue
        seconds = time.monotonic() - begin
        print("; ".join([f"{label}: baked in {seconds:.1f} s", *notes]), flush=True)
    print(f"{len(jobs) - failed} of {len(jobs)} done", flush=True)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    import argparse  # with gettext a tenth of what enabling the add-on takes

    parser = argparse.ArgumentParser(
        prog=f"blender --command {NAME}",
        description="Bake takes onto characters without a window."
        " What is done already is not done again.",
    )
    parser.add_argument(
        *("--takes", "-t"),
        nargs="+",
        type=Path,
        required=True,
        help="tracker .csv files, .bvh files whose joints become the trackers, or folders of them",
    )
    parser.add_argument(
        *("--characters", "-c"),
        nargs="+",
        type=Path,
        required=True,
        help=".blend files, each with the setup that it was saved with",
    )
    parser.add_argument("--out", "-o", type=Path, required=True, help="folder for the results")
    parser.add_argument(
        "--write",
        nargs="+",
        choices=_FORMATS,
        default=["blend"],
        help="what to write of each take (default: blend)",
    )
    parser.add_argument(
        "--calibrate-at",
        type=float,
        metavar="SECONDS",
        help="calibrate every take at this time after its start; else a .csv uses the calibration"
        " saved with the character, and a .bvh needs none",
    )
    parser.add_argument("--force", action="store_true", help="bake again what is done")
    return parser


def _jobs(chosen: argparse.Namespace) -> list[BakeTask]:
    takes: list[Path] = []
    for path in chosen.takes:
        if path.is_dir():
            takes += sorted(file for file in path.iterdir() if file.suffix.lower() in _TAKES)
        elif path.suffix.lower() not in _TAKES:
            raise HeadlessError(f"{path}: a take is a .csv or a .bvh file, choose one")
        else:
            takes.append(path)
    if not takes:
        raise HeadlessError("no takes in these folders: name some that hold .csv or .bvh files")
    out = chosen.out.resolve()
    jobs = [
        BakeTask(take.resolve(), character.resolve(), out / character.stem)
        for character in chosen.characters
        for take in takes
    ]
    seen: dict[Path, BakeTask] = {}
    for job in jobs:
        path = job.result("json")
        other = seen.setdefault(path, job)
        if other != job:
            raise HeadlessError(
                f"{other.take} on {other.character} and {job.take} on {job.character} would both"
                f" be written to {path.with_suffix('')}: give them other names"
            )
    return list(seen.values())


def _fingerprint(job: BakeTask, chosen: argparse.Namespace) -> str:
    """Return a digest of all that the results depend on."""
    import hashlib

    from ssrhmr_core import __file__ as core
    from ssrhmr_core.model.weights import default_weights

    digest = hashlib.sha256(f"{_RECORD} {chosen.calibrate_at} {bpy.app.version_string}".encode())
    code = (Path(core).parent, Path(__file__).resolve().parents[1])
    sources = sorted(file for folder in code for file in folder.rglob("*.py"))
    for path in (job.take, job.character, default_weights(), *sources):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_done(job: BakeTask, key: str, formats: list[str]) -> bool:
    try:
        held = json.loads(job.result("json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    known = isinstance(held, dict) and held.get("key") == key
    return known and all(job.result(each).is_file() for each in formats)


def _record(job: BakeTask, key: str) -> None:
    """Written last: results without it count as not done."""
    path = job.result("json")
    partial = _partial(path)
    held = {"take": job.take.name, "character": job.character.name, "key": key}
    partial.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def _bake(job: BakeTask, chosen: argparse.Namespace) -> list[str]:
    """Bake one job and write its results; returns what the user should know."""
    from ..baking.job import BakeSource, bake
    from ..properties.tracker import TRACKERS
    from ..trackers.empties import make_empties
    from ..trackers.stored_calibration import clear_adjustments

    take, performer = _read_take(job.take)
    # Files may come from anywhere: what is written in them is not run.
    bpy.ops.wm.open_mainfile(filepath=str(job.character), load_ui=False, use_scripts=False)
    scene: Any = bpy.context.scene
    setup = _setup(scene, job.character)
    rate = scene.render.fps / scene.render.fps_base
    calibration = setup.calibration
    made = make_empties(scene, f"{job.take.stem} Tracker", take)
    for role in TRACKERS:
        setattr(setup, role, made.get(role))
    bpy.context.view_layer.update()
    setup.range = "TRACKERS"
    if chosen.calibrate_at is not None:
        setup.calibration_frame = scene.frame_start + round(chosen.calibrate_at * rate)
        bpy.ops.ssrhmr.calibrate()
    elif performer is not None:
        clear_adjustments(setup)
        setup.calibration = _of_joints(scene, setup, performer)
    elif calibration:
        setup.calibration = calibration
    else:
        raise HeadlessError(
            "nothing says how the trackers are worn: name a T-pose with --calibrate-at, or save"
            f" {job.character.name} with a calibration"
        )
    steps = bake(scene, BakeSource(action=job.take.stem))
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            report = finished.value
            break
    action = bpy.data.actions[report.action]
    scene.frame_start, scene.frame_end = (round(frame) for frame in action.frame_range)
    scene.frame_set(scene.frame_start)
    job.out.mkdir(parents=True, exist_ok=True)
    for each in chosen.write:
        partial = _partial(job.result(each))
        try:
            _WRITERS[each](partial, setup.armature)
            partial.replace(job.result(each))
        finally:
            partial.unlink(missing_ok=True)
    return list(report.notes)


def _read_take(path: Path) -> tuple[Any, Any]:
    """Return the trackers, and the performer's skeleton if the file says anything of it."""
    from ssrhmr_core import Take, load_motion
    from ssrhmr_core.formats.trackers_csv import load_trackers

    if path.suffix.lower() == ".csv":
        return load_trackers(path), None
    performance = load_motion(path)
    return Take.from_motion(performance), performance.skeleton


def _setup(scene: bpy.types.Scene, character: Path) -> Any:
    """Return the setup that the file was saved with, or make one of its only armature."""
    from ..properties.setup import setup_of

    setup = setup_of(scene)
    if setup.armature is None:
        armatures = [obj for obj in scene.objects if obj.type == "ARMATURE"]
        if len(armatures) != 1:
            raise HeadlessError(
                f"{character.name} holds {len(armatures)} armatures: open it, choose the character"
                " in the SSR-HMR tab, and save"
            )
        setup.armature = armatures[0]
    if not setup.bones:
        bpy.ops.ssrhmr.detect_bones()
    return setup


def _of_joints(scene: bpy.types.Scene, setup: Any, performer: Any) -> str:
    """Calibration for trackers that are the performer's joints, scaled to the character."""
    from dataclasses import replace

    from ssrhmr_core import Calibration

    from ..common.axes import metre
    from ..rig.reading import read_character

    character = read_character(setup.armature, tuple(slot.bone for slot in setup.bones))
    scale = character.rest.skeleton.size / (performer.size * metre(scene))
    return replace(Calibration.none(), scale=scale).to_json()


def _write_blend(path: Path, armature: bpy.types.Object) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True)


def _write_bvh(path: Path, armature: bpy.types.Object) -> None:
    import addon_utils

    if not hasattr(bpy.types, "EXPORT_ANIM_OT_bvh"):
        addon_utils.enable("io_anim_bvh")
    layer: Any = bpy.context.view_layer
    for obj in layer.objects:
        obj.select_set(obj == armature)
    layer.objects.active = armature
    scene: Any = bpy.context.scene
    bpy.ops.export_anim.bvh(
        filepath=str(path), frame_start=scene.frame_start, frame_end=scene.frame_end
    )


_WRITERS = {"blend": _write_blend, "bvh": _write_bvh}


def _partial(path: Path) -> Path:
    """Where to write first: two machines at the same job do not meet."""
    return path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")


def register() -> None:
    """Add the command to Blender's command line."""
    global _handle
    _handle = bpy.utils.register_cli_command(NAME, run)


def unregister() -> None:
    """Take it back."""
    bpy.utils.unregister_cli_command(_handle)
