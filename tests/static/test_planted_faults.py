# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that mypy must find: all of them are planted into one copy of the sources, checked once.

Without this, a silenced error code or a plugin that no longer works would go unnoticed: mypy would
report nothing, as it does for sources without faults.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Fault:
    """A line of the add-on with a fault in it.

    Attributes:
        kind: What is wrong.
        file: Path below ``ssrhmr_blender``.
        right: Part of the line as it is; it occurs once in the file.
        wrong: The same part with the fault.
        code: mypy's code of the error.
    """

    kind: str
    file: str
    right: str
    wrong: str
    code: str


FAULTS = (
    Fault(
        kind="misspelt property of the setup",
        file="baking/plan.py",
        right="planting=setup.planting,",
        wrong="planting=setup.plantng,",
        code="attr-defined",
    ),
    Fault(
        kind="misspelt property of an item of a collection",
        file="trackers/stored_calibration.py",
        right="line.pair = ",
        wrong="line.pairs = ",
        code="attr-defined",
    ),
    Fault(
        kind="misspelt item of an enumeration",
        file="bake/panel.py",
        right='setup.smoothing == "CUTOFF"',
        wrong='setup.smoothing == "CUTOF"',
        code="comparison-overlap",
    ),
    Fault(
        kind="misspelt attribute of an object",
        file="animation/assignment.py",
        right="data = obj.animation_data\n",
        wrong="data = obj.animation_dta\n",
        code="attr-defined",
    ),
    Fault(
        kind="misspelt method of a Blender type",
        file="calibration/ops.py",
        right="scene_of(context).frame_set(frame)",
        wrong="scene_of(context).frame_sett(frame)",
        code="attr-defined",
    ),
    Fault(
        kind="misspelt icon",
        file="characters/panel.py",
        right='"ssrhmr.setup_add", icon="ADD"',
        wrong='"ssrhmr.setup_add", icon="ADDD"',
        code="arg-type",
    ),
    Fault(
        kind="number for a text",
        file="characters/ops.py",
        right="characters.add_setup(scene_of(context), armature.name)\n",
        wrong="characters.add_setup(scene_of(context), 5)\n",
        code="arg-type",
    ),
    Fault(
        kind="text for an object",
        file="baking/plan.py",
        right="key_of(armature)",
        wrong="key_of(armature.name)",
        code="arg-type",
    ),
    Fault(
        kind="missing argument",
        file="characters/ops.py",
        right="number = characters.find_setup(scene_of(context), armature)",
        wrong="number = characters.find_setup(scene_of(context))",
        code="call-arg",
    ),
    Fault(
        kind="text returned for a number",
        file="live/recording.py",
        right="return scene.frame_preview_start if scene.use_preview_range else scene.frame_start",
        wrong="return scene.name",
        code="return-value",
    ),
    Fault(
        kind="use of what may be None without a check",
        file="live/devices.py",
        right="heard = set(current.heard) if current else set()",
        wrong="heard = set(current.heard)",
        code="union-attr",
    ),
    Fault(
        kind="misspelt result of an operator",
        file="characters/ops.py",
        right='duplicate_setup(scene_of(context))\n        return {"FINISHED"}',
        wrong='duplicate_setup(scene_of(context))\n        return {"FINISHD"}',
        code="arg-type",
    ),
)


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], str]:
    """Codes of mypy's errors in a copy with all faults, by file and line."""
    copy = tmp_path_factory.mktemp("planted")
    for package in ("ssrhmr_core", "ssrhmr_blender"):
        # Byte code comes and goes while other tests run.
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    if (ROOT / ".mypy_cache").is_dir():
        # What mypy knows of files that are the same: it looks at their contents.
        shutil.copytree(ROOT / ".mypy_cache", copy / "cache")
    (copy / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "mypy_bpy.py", copy / "scripts")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for fault in FAULTS:
        path = copy / "ssrhmr_blender" / fault.file
        text = path.read_text(encoding="utf-8")
        assert text.count(fault.right) == 1, f"{fault.kind}: choose another line of {fault.file}"
        path.write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(copy / "cache"), "ssrhmr_blender"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found = re.finditer(r"^(\S+?):(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    return {(Path(match[1]).as_posix(), int(match[2])): match[3] for match in found}


def line_of(fault: Fault) -> int:
    """Number of the faulty line: the last one of the part that is replaced."""
    text = (ROOT / "ssrhmr_blender" / fault.file).read_text(encoding="utf-8")
    return text[: text.index(fault.right) + len(fault.right.rstrip())].count("\n") + 1


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.kind for fault in FAULTS])
def test_a_fault_is_found(errors: dict[tuple[str, int], str], fault: Fault) -> None:
    assert errors.get((f"ssrhmr_blender/{fault.file}", line_of(fault))) == fault.code


def test_nothing_else_is_found(errors: dict[tuple[str, int], str]) -> None:
    assert set(errors) == {(f"ssrhmr_blender/{fault.file}", line_of(fault)) for fault in FAULTS}
