# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the Blender extension: ``python build_addon.py`` writes ``dist/ssrhmr-VERSION.zip``.

The zip holds the add-on and, as wheels, all that it imports: the core with its weights,
upc-pymotion and python-osc. pip builds the first and fetches the others; the same sources always
give the same bytes. ``--repository FOLDER`` also publishes the zip in a folder that any web server
can serve as a repository of extensions.
"""

from __future__ import annotations

import argparse
import lzma
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

from scripts.extension_repository import RepositoryError, publish

ROOT = Path(__file__).resolve().parent
ADDON = ROOT / "ssrhmr_blender"
ID = "ssrhmr"
GENERATED = "# build_addon.py writes version, website and wheels here.\n"
"""Line of the manifest in the sources that the build replaces."""


class BuildError(Exception):
    """The zip cannot be built; the message says why."""


def read_version(root: Path = ROOT) -> str:
    """Return the version of the project, which is written in the core and nowhere else."""
    text = (root / "ssrhmr_core" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', text, re.MULTILINE)
    if match is None:
        raise BuildError("ssrhmr_core/__init__.py has no __version__ of three numbers")
    return match[1]


def read_website(root: Path = ROOT) -> str | None:
    """Return the project's public address from ``pyproject.toml``, None while it has none."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    website: str | None = project["urls"].get("Homepage")
    return website


def complete_manifest(text: str, version: str, website: str | None, wheels: Iterable[str]) -> str:
    """Return the manifest of the zip.

    Args:
        text: The manifest in the sources.
        version: Three numbers.
        website: The project's public address, if it has one.
        wheels: Names of the wheels in the zip.
    """
    if text.count(GENERATED) != 1:
        raise BuildError(f"blender_manifest.toml lacks the line {GENERATED!r}")
    listed = "".join(f'    "./wheels/{name}",\n' for name in wheels)
    lines = f'version = "{version}"\n'
    lines += f'website = "{website}"\n' if website else ""
    lines += f"wheels = [\n{listed}]\n"
    return text.replace(GENERATED, lines)


def pip(*arguments: str | Path) -> None:
    """Run pip quietly; its failure ends the build."""
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise BuildError("pip failed")


def make_wheels(folder: Path) -> list[Path]:
    """Put the wheels of the extension into ``folder`` and return them."""
    pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    locked = ["--no-deps", "--require-hashes", "--only-binary=:all:"]
    pip("download", *locked, "--dest", folder, "--requirement", "requirements/addon-wheels.txt")
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        if not wheel.name.endswith("-py3-none-any.whl"):
            raise BuildError(f"{wheel.name} is not for every platform")
    return wheels


def write_zip(path: Path, files: dict[str, Path]) -> None:
    """Write ``files`` (name in the zip: file), sorted and without times or owners."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every system
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[name].read_bytes(), compresslevel=9)


def compress(path: Path, folder: Path) -> Path:
    """Write ``path`` into ``folder`` as .xz, a third smaller than the zip would make it."""
    packed = folder / f"{path.name}.xz"
    packed.write_bytes(lzma.compress(path.read_bytes(), preset=9))
    return packed


def collect_files(folder: Path) -> dict[str, Path]:
    """Return the files of the zip by their names in it; generated ones are put into ``folder``."""
    files = {
        path.relative_to(ADDON).as_posix(): path
        for path in ADDON.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files["LICENSE"] = ROOT / "LICENSE"
    files["MODEL_CARD.md"] = ROOT / "weights" / "MODEL_CARD.md"
    files["example/sample_take.bvh.xz"] = compress(ROOT / "examples" / "sample_take.bvh", folder)
    wheels = make_wheels(folder)
    files |= {f"wheels/{wheel.name}": wheel for wheel in wheels}
    manifest = complete_manifest(
        (ADDON / "blender_manifest.toml").read_text(encoding="utf-8"),
        read_version(),
        read_website(),
        [wheel.name for wheel in wheels],
    )
    completed = folder / "blender_manifest.toml"
    completed.write_text(manifest, encoding="utf-8", newline="\n")
    files["blender_manifest.toml"] = completed
    return files


def find_extension_tool() -> Path | None:
    """Return Blender's extension tool from a bpy wheel: this interpreter's or that of .venv."""
    sites = [
        Path(sysconfig.get_path("purelib")),
        *ROOT.glob(".venv/lib/python*/site-packages"),
        ROOT / ".venv/Lib/site-packages",
    ]
    tools = (
        tool
        for site in sites
        for tool in site.glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    )
    return next(tools, None)


def validate(path: Path, tool: Path) -> None:
    """Let Blender's extension tool check the zip, with the tags that Blender knows."""
    (tags,) = tool.parents[3].glob("modules/_bpy_internal/extensions/tags.py")
    done = subprocess.run([sys.executable, tool, "validate", "--valid-tags", tags, path])
    if done.returncode != 0:
        raise BuildError("Blender's extension tool refuses the zip")


def build(out: Path) -> Path:
    """Build the zip in folder ``out`` and return it.

    Raises:
        BuildError: The zip cannot be built.
    """
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{ID}-{read_version()}.zip"
    target.unlink(missing_ok=True)  # a failed build must not leave the last one's zip behind
    with tempfile.TemporaryDirectory() as folder:
        write_zip(target, collect_files(Path(folder)))
    return target


def main() -> None:
    """Build, validate and, if asked, publish the zip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zip")
    parser.add_argument(
        "--repository",
        type=Path,
        metavar="FOLDER",
        help="publish the zip in this folder too, beside the versions that it has already",
    )
    chosen = parser.parse_args()
    tool = find_extension_tool()
    try:
        target = build(chosen.out)
        print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB")
        if tool is None:
            print("Not validated: Blender's extension tool comes with the missing bpy wheel.")
        else:
            validate(target, tool)
        if chosen.repository is not None:
            if tool is None:
                raise BuildError("a repository needs Blender's extension tool: run tasks.py first")
            publish(target, chosen.repository, tool)
            print(f"{chosen.repository / 'index.html'}: the page to drag from")
    except (BuildError, RepositoryError) as error:
        sys.exit(f"build_addon: {error}.")


if __name__ == "__main__":
    main()
