# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip of ``dist``: what is in it, whose it is, and that its bytes depend on nothing else."""

from __future__ import annotations

import email
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import tasks
from tests.static.platform_rules import check_manifest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 10_000_000
"""Bytes; the weights are two thirds of what is there."""
SUFFIXES = {".py", ".typed", ".toml", ".md", ".json", ".whl", ".xz", ""}
SOURCES = (
    *("ssrhmr_core", "ssrhmr_blender", "weights", "scripts", "requirements", "examples"),
    *("build_addon.py", "pyproject.toml", "README.md", "LICENSE"),
)


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    """The built zip."""
    archives = list((ROOT / "dist").glob("ssrhmr-*.zip"))
    assert len(archives) == 1, "run build_addon.py first, with no other version in dist/"
    return zipfile.ZipFile(archives[0])


def wheels(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipFile]:
    """Return the wheels inside by the name of their project."""
    opened = {}
    for name in archive.namelist():
        if name.endswith(".whl"):
            wheel = zipfile.ZipFile(io.BytesIO(archive.read(name)))
            opened[str(metadata(wheel)["Name"])] = wheel
    return opened


def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_installed_paths_are_short_enough_for_windows(archive: zipfile.ZipFile) -> None:
    """A user's name of 64 letters, Blender's folder of extensions, and byte code beside sources."""
    home = r"C:\Users\\" + 64 * "n" + r"\AppData\Roaming\Blender Foundation\Blender\5.2\extensions"
    inside = [rf"{home}\user_default\ssrhmr\{name}" for name in archive.namelist()]
    for wheel in wheels(archive).values():
        packages = rf"{home}\.local\lib\python3.13\site-packages"
        inside += [rf"{packages}\{name}" for name in wheel.namelist()]
    inside += [
        f"{folder}\\__pycache__\\{name.removesuffix('.py')}.cpython-313.pyc"
        for folder, _, name in (re.sub("/", r"\\", path).rpartition("\\") for path in inside)
        if name.endswith(".py")
    ]
    assert len(inside) > 400
    longest = max(inside, key=len)
    assert len(longest) < 260, longest


def test_the_manifest_is_complete(archive: zipfile.ZipFile) -> None:
    manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    oldest = min(tasks.BLENDERS, key=lambda version: tuple(map(int, version.split("."))))
    assert check_manifest(manifest, oldest) == []
    listed = {name.removeprefix("./") for name in manifest["wheels"]}
    assert listed == {name for name in archive.namelist() if name.startswith("wheels/")}
    assert {metadata(wheel)["Version"] for wheel in wheels(archive).values()} >= {
        manifest["version"]
    }


def test_nothing_is_in_it_that_cannot_be_reviewed(archive: zipfile.ZipFile) -> None:
    names = [*archive.namelist(), *(n for w in wheels(archive).values() for n in w.namelist())]
    assert not [name for name in names if re.search(r"__pycache__|\.(pyc|pyd|so|dll|exe)$", name)]
    assert {PurePosixPath(name).suffix for name in archive.namelist()} <= SUFFIXES
    assert sum(entry.compress_size for entry in archive.infolist()) < LARGEST
    # Two names that differ in case alone are one file on Windows and macOS.
    assert len({name.lower() for name in archive.namelist()}) == len(archive.namelist())


def test_licences_of_all_that_is_inside(archive: zipfile.ZipFile) -> None:
    assert archive.read("LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert archive.read("MODEL_CARD.md") == (ROOT / "weights" / "MODEL_CARD.md").read_bytes()
    text = archive.read("THIRD_PARTY.md").decode()
    rows = [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines() if "|" in row
    ]
    listed = {row[1].strip("`"): row[2] for row in rows[2:]}
    packed = [name for name in archive.namelist() if name.startswith("wheels/")]
    assert len(packed) == 3
    for name in packed:
        (licence,) = (held for place, held in listed.items() if PurePosixPath(name).match(place))
        wheel = zipfile.ZipFile(io.BytesIO(archive.read(name)))
        said = metadata(wheel)
        words = f"{said['License-Expression']} {said['License']} {said.get_all('License-File')}"
        short = licence.split(",")[0].split(" (")[0]
        assert short in words, (name, licence)
        holds_text = any("/licenses/" in n or n.endswith("LICENSE") for n in wheel.namelist())
        assert holds_text or "free and unencumbered" in words, name


def test_the_core_brings_its_licence_model_card_and_weights(archive: zipfile.ZipFile) -> None:
    names = wheels(archive)["ssrhmr-core"].namelist()
    for end in ("licenses/LICENSE", "licenses/weights/MODEL_CARD.md", "weights/ssrhmr.npz"):
        assert [name for name in names if name.endswith(end)], end
    assert not [name for name in names if "tests" in name]


def test_a_build_elsewhere_gives_the_same_bytes(archive: zipfile.ZipFile, tmp_path: Path) -> None:
    """In another folder, with a blank and other letters, in another zone, with another umask."""
    copy = tmp_path / "Ünïcode 工程 folder"
    copy.mkdir()
    ignore = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, copy)
    umask = os.umask(0o077)
    try:
        done = subprocess.run(
            [sys.executable, "build_addon.py", "--out", str(tmp_path / "out")],
            cwd=copy,
            env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"},
            capture_output=True,
            text=True,
        )
    finally:
        os.umask(umask)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (tmp_path / "out").iterdir()
    assert archive.filename is not None
    digests = [hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in (archive.filename, built)]
    assert digests[0] == digests[1]
