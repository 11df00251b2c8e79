# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a release: ``python tasks.py release VERSION``, which changes nothing by itself.

Version and changelog are set in a clone, where everything is built twice and must give the same
bytes. The wheel is installed into an empty environment and used. The files, their checksums and the
notes lie in ``dist/release-VERSION`` afterwards.

``--apply`` brings the release's commit and tag into this checkout; pushing them is up to you.
``--upload blender`` and ``--upload pypi`` send the files, with a token from the environment.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import build_addon  # noqa: E402

PLATFORM = "https://extensions.blender.org"
TOKENS = {"blender": "SSRHMR_BLENDER_TOKEN", "pypi": "SSRHMR_PYPI_TOKEN"}
"""Where to upload to, and the variable of the environment with the token for it."""
UNRELEASED = "## Unreleased\n"
_CORE = "ssrhmr_core/__init__.py"


class ReleaseError(Exception):
    """The release cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Files:
    """The built files of a release.

    Attributes:
        extension: The zip for Blender.
        wheel: The core.
        sdist: The core's sources.
    """

    extension: Path
    wheel: Path
    sdist: Path

    def all(self) -> tuple[Path, ...]:
        """Return all files."""
        return (self.extension, self.wheel, self.sdist)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it prints.

    Raises:
        ReleaseError: The command fails.
    """
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    )
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(map(str, command))} fails:\n{done.stdout}")
    return done.stdout


def next_version(current: str, wanted: str) -> str:
    """Return the wanted version.

    Raises:
        ReleaseError: It is not three numbers, or older than the current one.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", wanted):
        raise ReleaseError(f"{wanted} is no version: name three numbers, such as 1.2.0")
    if [*map(int, wanted.split("."))] < [*map(int, current.split("."))]:
        raise ReleaseError(f"{wanted} is older than {current}: name a newer version")
    return wanted


def split_changelog(text: str) -> tuple[str, str, str]:
    """Return a changelog as what is before its unreleased changes, these, and what is after.

    Raises:
        ReleaseError: There are no unreleased changes.
    """
    before, heading, rest = text.partition(UNRELEASED)
    changes, next_heading, after = rest.partition("\n## ")
    if not heading or not changes.strip():
        raise ReleaseError("CHANGELOG.md has nothing under Unreleased: write what is new")
    return before, changes.strip("\n") + "\n", next_heading.lstrip("\n") + after


def roll_changelog(text: str, version: str, date: str) -> str:
    """Return a changelog whose unreleased changes are those of a version."""
    before, changes, after = split_changelog(text)
    return f"{before}{UNRELEASED}\n## {version} - {date}\n\n{changes.lstrip()}\n{after}"


def find_problems(root: Path, version: str, upload: list[str]) -> list[str]:
    """Return what must be put right before a release can be made."""
    problems = []
    if run("git", "status", "--porcelain", cwd=root).strip():
        problems.append("the checkout has changes that are not committed: commit or stash them")
    if run("git", "tag", "--list", f"v{version}", cwd=root).strip():
        problems.append(f"the tag v{version} exists: name a newer version")
    if upload and build_addon.read_website(root) is None:
        problems.append("the project has no address: set Homepage in [project.urls]")
    problems += [
        f"{TOKENS[target]} is not set: put a token for {target} there"
        for target in upload
        if not os.environ.get(TOKENS[target])
    ]
    return problems


def make_clone(root: Path, clone: Path, version: str, date: str) -> None:
    """Clone a checkout, and commit and tag the release there."""
    run("git", "clone", "--quiet", root, clone, cwd=root)
    core, changelog = clone / _CORE, clone / "CHANGELOG.md"
    current = build_addon.read_version(clone)
    text = core.read_text(encoding="utf-8")
    text = text.replace(f'__version__ = "{current}"', f'__version__ = "{version}"')
    core.write_text(text, encoding="utf-8", newline="\n")
    text = roll_changelog(changelog.read_text(encoding="utf-8"), version, date)
    changelog.write_text(text, encoding="utf-8", newline="\n")
    for key in ("name", "email"):
        value = run("git", "log", "-1", f"--format=%a{key[0]}", cwd=root).strip()
        run("git", "config", f"user.{key}", value, cwd=clone)
    run("git", "commit", "--quiet", "--all", "--message", f"Release {version}", cwd=clone)
    run("git", "tag", "--annotate", f"v{version}", "--message", f"Release {version}", cwd=clone)


def build_files(clone: Path, out: Path) -> Files:
    """Build all files of a release from a clone."""
    run(sys.executable, "build_addon.py", "--out", out, cwd=clone)
    run(sys.executable, "-m", "hatchling", "build", "-d", out, cwd=clone)
    (extension,), (wheel,), (sdist,) = (out.glob(p) for p in ("*.zip", "*.whl", "*.tar.gz"))
    return Files(extension, wheel, sdist)


def check_same(first: Files, second: Files) -> None:
    """Raise ``ReleaseError`` unless two builds have the same bytes."""
    for one, other in zip(first.all(), second.all(), strict=True):
        if one.read_bytes() != other.read_bytes():
            raise ReleaseError(f"a second build gives another {one.name}: it is not reproducible")


def check_sdist(files: Files, folder: Path) -> None:
    """Raise ``ReleaseError`` unless the core's sources build the same wheel, licences included."""
    with tarfile.open(files.sdist) as packed:
        packed.extractall(folder, filter="data")
    (sources,) = folder.iterdir()
    for name in ("LICENSE", "weights/MODEL_CARD.md"):
        if not (sources / name).is_file():
            raise ReleaseError(f"{files.sdist.name} lacks {name}")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=sources)
    if (sources / "dist" / files.wheel.name).read_bytes() != files.wheel.read_bytes():
        raise ReleaseError(f"{files.sdist.name} builds another wheel than {files.wheel.name}")


def check_wheel(files: Files, root: Path, folder: Path, version: str) -> None:
    """Install the wheel into an empty environment, and reconstruct the sample take with it."""
    venv.create(folder / "venv", with_pip=True)
    bin_folder = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = bin_folder / "python"
    pip = (python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps")
    lock = root / "requirements" / "core.txt"
    run(*pip, "--require-hashes", "--only-binary=:all:", "--requirement", lock, cwd=folder)
    run(*pip, files.wheel, cwd=folder)
    run(python, "-m", "pip", "check", cwd=folder)
    ask = "import ssrhmr_core; print(ssrhmr_core.__version__)"
    installed = run(python, "-I", "-c", ask, cwd=folder).strip()
    if installed != version:
        raise ReleaseError(f"{files.wheel.name} installs version {installed}")
    sample = root / "examples" / "sample_take.bvh"
    run(bin_folder / "ssrhmr", "reconstruct", sample, "-o", folder / "out.bvh", cwd=folder)
    if not (folder / "out.bvh").is_file():
        raise ReleaseError("the installed core writes nothing")


def write_checksums(files: Files, folder: Path) -> None:
    """Write ``SHA256SUMS``, which ``sha256sum --check`` reads."""
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in files.all()]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8", newline="\n")


def make_release(root: Path, version: str, date: str, work: Path) -> Path:
    """Make all files of a release and check them.

    Args:
        root: The checkout.
        version: The version.
        date: The day of the release, as in 2026-11-30.
        work: An empty folder; the clone with the release's commit is left in "first".

    Returns:
        The folder with the files.

    Raises:
        ReleaseError, build_addon.BuildError: Something is wrong with them.
    """
    made = []
    for name in ("first", "second"):
        print(f"Building ({name} time) ...", flush=True)
        make_clone(root, work / name, version, date)
        made.append(build_files(work / name, work / f"{name}-files"))
    files = made[0]
    check_same(*made)
    print("Checking ...", flush=True)
    tool = build_addon.find_extension_tool()
    if tool is None:
        raise ReleaseError("Blender's extension tool is missing: run python tasks.py demo once")
    build_addon.validate(files.extension, tool)
    run(sys.executable, "-m", "twine", "check", "--strict", *files.all()[1:], cwd=root)
    check_sdist(files, work / "sdist")
    (work / "installed").mkdir()
    check_wheel(files, root, work / "installed", version)
    out = root / "dist" / f"release-{version}"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(work / "first-files", out)
    kept = Files(*(out / path.name for path in files.all()))
    write_checksums(kept, out)
    _, notes, _ = split_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    (out / "NOTES.md").write_text(notes.lstrip(), encoding="utf-8", newline="\n")
    return out


def apply_release(root: Path, clone: Path, version: str) -> None:
    """Bring the release's commit and tag into the checkout."""
    tag = f"refs/tags/v{version}"
    run("git", "fetch", "--quiet", clone, f"{tag}:{tag}", cwd=root)
    run("git", "merge", "--quiet", "--ff-only", f"v{version}", cwd=root)


def upload_extension(archive: Path, notes: str, token: str, platform: str = PLATFORM) -> None:
    """Send a version to Blender's extensions platform.

    Raises:
        ReleaseError: The platform refuses it.
    """
    boundary = secrets.token_hex(16)
    parts = [
        (b'name="release_notes"\r\n', notes.encode("utf-8")),
        (f'name="version_file"; filename="{archive.name}"\r\n'.encode(), archive.read_bytes()),
    ]
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n%b\r\n" % (boundary.encode(), head, held)
        for head, held in parts
    )
    request = urllib.request.Request(
        f"{platform}/api/v1/extensions/{build_addon.ID}/versions/upload/",
        data=body + b"--%b--\r\n" % boundary.encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        },
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            print(json.dumps(json.load(answer)))
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")[:500]
        raise ReleaseError(f"the platform refuses the upload ({error.code}): {said}") from error
    except (OSError, ValueError) as error:
        raise ReleaseError(f"the platform gives no answer: {error}") from error


def upload_core(files: list[Path], token: str) -> None:
    """Send wheel and sources of the core to the Python package index."""
    environment = {**os.environ, "TWINE_USERNAME": "__token__", "TWINE_PASSWORD": token}
    command = [sys.executable, "-m", "twine", "upload", "--non-interactive", *map(str, files)]
    if subprocess.run(command, env=environment).returncode != 0:
        raise ReleaseError("twine upload fails: see above")


def upload(out: Path, targets: list[str]) -> None:
    """Send the files of a release to the targets that were asked for."""
    for target in targets:
        token = os.environ[TOKENS[target]]
        if target == "blender":
            (archive,) = out.glob("*.zip")
            upload_extension(archive, (out / "NOTES.md").read_text(encoding="utf-8"), token)
        else:
            upload_core([*out.glob("*.whl"), *out.glob("*.tar.gz")], token)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> None:
    """Make, and if asked apply and upload, a release."""
    parser = argparse.ArgumentParser(prog="release", description=__doc__.splitlines()[0])
    parser.add_argument("version", help="three numbers, such as 1.2.0")
    parser.add_argument("--apply", action="store_true", help="commit and tag in this checkout")
    parser.add_argument("--upload", action="append", choices=TOKENS, default=[], help="send it")
    chosen = parser.parse_args(arguments)
    if chosen.upload and not chosen.apply:
        parser.error("--upload needs --apply: only a tagged release is uploaded")
    try:
        version = next_version(build_addon.read_version(root), chosen.version)
        if problems := find_problems(root, version, chosen.upload):
            raise ReleaseError("; ".join(problems))
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        with tempfile.TemporaryDirectory(prefix="ssrhmr-release-") as work:
            out = make_release(root, version, today, Path(work))
            if chosen.apply:
                apply_release(root, Path(work) / "first", version)
        print((out / "SHA256SUMS").read_text(encoding="utf-8"), end="")
        upload(out, chosen.upload)
    except (ReleaseError, build_addon.BuildError) as error:
        sys.exit(f"release: {error}.")
    print(f"Release {version} is in {out}.")
    if not chosen.apply:
        print("Nothing else was changed: --apply commits and tags it here.")
    elif not chosen.upload:
        print(f"Push the branch and v{version} when you are ready.")


if __name__ == "__main__":
    main()
