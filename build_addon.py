# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the Blender extension: ``python build_addon.py`` writes ``dist/ssrhmr-VERSION.zip``.

The zip holds the add-on and, as wheels, all that it imports: the core with its weights,
upc-pymotion and python-osc. pip builds the first and fetches the others; the same sources always
give the same bytes.
"""

from __future__ import annotations

import lzma
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ADDON = ROOT / "ssrhmr_blender"


def pip(*arguments: str | Path) -> None:
    """Run pip quietly; its failure ends the build."""
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        sys.exit("build_addon: pip failed.")


def make_wheels(folder: Path) -> list[Path]:
    """Put the wheels of the extension into ``folder`` and return them."""
    pip("wheel", "--no-deps", "--wheel-dir", folder, ROOT)
    locked = ["--no-deps", "--require-hashes", "--only-binary=:all:"]
    pip("download", *locked, "--dest", folder, "--requirement", "requirements/addon-wheels.txt")
    return sorted(folder.glob("*.whl"))


def check_wheels(manifest: dict[str, object], wheels: list[Path]) -> None:
    """End the build unless the manifest names exactly ``wheels``, and they run on any platform."""
    built = [f"./wheels/{wheel.name}" for wheel in wheels]
    if manifest["wheels"] != built:
        listed = "\n".join(f'    "{name}",' for name in built)
        sys.exit(
            f"build_addon: blender_manifest.toml names other wheels than those built:\n{listed}"
        )
    for wheel in wheels:
        if not wheel.name.endswith("-py3-none-any.whl"):
            sys.exit(f"build_addon: {wheel.name} is not for every platform.")


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
    made = folder / f"{path.name}.xz"
    made.write_bytes(lzma.compress(path.read_bytes(), preset=9))
    return made


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


def main() -> None:
    """Build and validate the zip."""
    manifest = tomllib.loads((ADDON / "blender_manifest.toml").read_text(encoding="utf-8"))
    target = ROOT / "dist" / f"{manifest['id']}-{manifest['version']}.zip"
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)  # a failed build must not leave the last one's zip behind

    files = {
        path.relative_to(ADDON).as_posix(): path
        for path in ADDON.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files["LICENSE"] = ROOT / "LICENSE"
    with tempfile.TemporaryDirectory() as folder:
        files["example/sample_take.bvh.xz"] = compress(
            ROOT / "examples" / "sample_take.bvh", Path(folder)
        )
        wheels = make_wheels(Path(folder))
        check_wheels(manifest, wheels)
        files |= {f"wheels/{wheel.name}": wheel for wheel in wheels}
        write_zip(target, files)
    print(f"{target.relative_to(ROOT).as_posix()}: {target.stat().st_size / 1e6:.2f} MB")

    tool = find_extension_tool()
    if tool is None:
        print("Not validated: Blender's extension tool comes with the bpy wheel, which is missing.")
    elif subprocess.run([sys.executable, tool, "validate", target]).returncode != 0:
        sys.exit("build_addon: Blender's extension tool refuses the zip.")


if __name__ == "__main__":
    main()
