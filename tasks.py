# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of a newcomer, with all the set-up that they need.

``python tasks.py demo`` animates a character from the included sample take.
``python tasks.py test`` runs every check of the project; ``--quick`` skips all versions of Blender
except the one that the add-on is developed in, ``--blender VERSION`` all but that one. The version
``newest`` is whatever the package index has.
``python tasks.py lint`` runs the checks that need no Blender and take seconds.
``python tasks.py docs`` builds the documentation site, and fails at a broken link.
``python tasks.py release VERSION`` makes a release and changes nothing; see ``scripts/release.py``.

Each environment is built from hash-locked requirement files and reused until one of them changes.
This file needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent
REQUIREMENTS = ROOT / "requirements"

# The Python that each Blender is built for: its wheel runs on no other.
BLENDERS = {"4.2": "3.11", "4.5": "3.11", "5.0": "3.11", "5.2": "3.13", "5.3": "3.13"}
MAIN_BLENDER = "4.5"
"""The one that the add-on is developed in, which is part of ``.venv``."""
MAIN_PYTHON = BLENDERS[MAIN_BLENDER]
NEWEST = "newest"
"""Whatever bpy the package index has last, as the name of a Blender."""


# Recipes for a Blender with a window on a bare machine, where they lie beside the checkout.
WINDOW_RECIPES = ROOT.parent / "shared" / "blender"
# Releases of Debian by the Blender that they have. The newest of sid changes from day to day.
WINDOW_BLENDERS = {"4.3": "trixie", "5.2": "sid"}
_LEAVE_TRIES = 15


class MissingRequirementError(Exception):
    """A stage needs something that this machine does not have."""


def ask(python: list[str], question: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python in another interpreter; its output is read, whatever letters it has."""
    return subprocess.run(
        [*python, "-c", question],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


def find_python(version: str) -> Path:
    """Return an interpreter of ``version``: this one, the launcher's, PATH's or pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        [sys.executable],
        ["py", f"-{version}"],
        [f"python{version}"],
        *([str(folder / "bin" / "python")] for folder in sorted(pyenv.glob(f"{version}.*"))),
    ]
    # The base executable: an environment must not be made by an interpreter inside itself.
    probe = "import sys; print(*sys.version_info[:2], sep='.'); print(sys._base_executable)"
    for candidate in candidates:
        if shutil.which(candidate[0]) is None:
            continue
        found = ask(candidate, probe)
        lines = found.stdout.splitlines()
        if found.returncode == 0 and lines[0] == version:
            return Path(lines[1])
    raise MissingRequirementError(f"needs Python {version}")


def digest(path: Path) -> str:
    """Return the checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


_STAGE = threading.local()
"""Where a stage that runs beside others collects its output: ``_STAGE.output``, a file."""


def run(*command: str | Path, more: Mapping[str, str] | None = None) -> None:
    """Run a command in the checkout; its output is shown, its failure raises.

    Args:
        command: Program and arguments.
        more: Environment variables that it gets besides those of this process.
    """
    output = getattr(_STAGE, "output", None)
    errors = subprocess.STDOUT if output else None
    variables = {**os.environ, **(more or {})}
    subprocess.run(command, cwd=ROOT, check=True, stdout=output, stderr=errors, env=variables)


def interpreter(name: str) -> Path:
    """Return the interpreter of environment ``name``."""
    return ROOT / name / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def stamp(name: str) -> Path:
    """Return the file in environment ``name`` that tells what is installed."""
    return ROOT / name / "locks.json"


def installed_locks(name: str) -> dict[str, str]:
    """Return the lock files that environment ``name`` has installed, and their checksums."""
    # A folder without a stamp was left half made; one without Python lost the one it was made from.
    usable = stamp(name).exists() and interpreter(name).exists()
    locks: dict[str, str] = json.loads(stamp(name).read_text(encoding="utf-8")) if usable else {}
    return locks


def environment(name: str, version: str, *locks: str) -> Path:
    """Return the interpreter of environment ``name``, made or completed from lock files."""
    python = interpreter(name)
    wanted = {lock: digest(REQUIREMENTS / lock) for lock in locks}
    done = installed_locks(name)
    if not done or any(done.get(lock, checksum) != checksum for lock, checksum in wanted.items()):
        base = find_python(version)
        print(f"Making {name} with Python {version} ...", flush=True)
        if (ROOT / name).exists():
            shutil.rmtree(ROOT / name)
        run(base, "-m", "venv", name)
        done = {}
    for lock in [lock for lock in locks if lock not in done]:
        print(f"Installing requirements/{lock} (once; downloads take a while) ...", flush=True)
        # The locks are complete, so pip has nothing to resolve. -qq shows errors only.
        options = ["-qq", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        locked = ["--require-hashes", "--requirement", f"requirements/{lock}"]
        run(python, "-m", "pip", "install", *options, *locked)
        done[lock] = wanted[lock]
        stamp(name).write_text(json.dumps(done), encoding="utf-8")
    return python


def site_packages(python: Path) -> Path:
    """Return the folder from which the interpreter of an environment imports."""
    found = ask([str(python)], "import sysconfig; print(sysconfig.get_path('purelib'))")
    found.check_returncode()
    return Path(found.stdout.strip())


def import_from(python: Path, *folders: Path) -> None:
    """Let the interpreter of an environment import from further folders, the checkout or others."""
    lines = "".join(f"{folder}\n" for folder in folders)
    # Python 3.11 reads such a file in the encoding of the system, newer ones in that one too.
    (site_packages(python) / "ssrhmr-checkout.pth").write_text(lines, encoding="locale")


def main_environment(*locks: str) -> Path:
    """Return the interpreter of ``.venv``, which also imports the packages of this checkout."""
    python = environment(".venv", MAIN_PYTHON, *locks)
    import_from(python, ROOT)
    return python


def python_of(blender: str) -> str:
    """Return the version of Python that a Blender is built for; the newest has the newest."""
    return BLENDERS.get(blender, max(BLENDERS.values()))


def newest_environment() -> Path:
    """Return the interpreter of an environment with the newest Blender, which no lock file names.

    It is made anew each time: what is newest may have changed.
    """
    name = f".venv-blender-{NEWEST}"
    if (ROOT / name).exists():
        shutil.rmtree(ROOT / name)
    run(find_python(python_of(NEWEST)), "-m", "venv", name)
    python = interpreter(name)
    options = ["-qq", "--disable-pip-version-check", "--only-binary=:all:"]
    run(python, "-m", "pip", "install", *options, "bpy", "hypothesis", "pytest")
    return python


def blender_environment(blender: str) -> Path:
    """Return the interpreter of an environment that has a Blender and nothing of this checkout."""
    if blender == NEWEST:
        return interpreter(f".venv-blender-{NEWEST}")  # made by the first of its stages
    return environment(f".venv-blender-{blender}", BLENDERS[blender], f"blender-{blender}.txt")


def make_test_environment() -> None:
    """Make ``.venv`` with torch as well, which training and its tests need."""
    main_environment("dev.txt")
    if sys.platform == "linux" and "train.txt" not in installed_locks(".venv"):
        try:
            main_environment("dev.txt", "train-cpu.txt")
            return
        except subprocess.CalledProcessError:
            print(
                "pip finds no CPU build of torch here: CUDA comes with it, several GB.", flush=True
            )
    main_environment("dev.txt", "train.txt")


def blender_test(blender: str) -> None:
    """Run the add-on of this checkout in a Blender."""
    if blender == MAIN_BLENDER:
        python = interpreter(".venv")
    else:
        # What the zip brings along is in an environment of its own, on top of that with Blender:
        # the install tests would not miss it in the zip if they found it beside Blender.
        if blender == NEWEST:
            newest_environment()
        python = environment(f".venv-addon-{blender}", python_of(blender), "addon-wheels.txt")
        import_from(python, ROOT, site_packages(blender_environment(blender)))
    run(python, "tests/run_pytest_bpy.py", "tests/blender")


def install_test(blender: str) -> None:
    """Install the built zip in a Blender that has nothing of this checkout, and use it."""
    run(blender_environment(blender), "tests/run_pytest_bpy.py", "tests/install")


def has_window() -> bool:
    """Return whether this machine has a Blender: on the path, or named in ``SSRHMR_BLENDER``."""
    return bool(os.environ.get("SSRHMR_BLENDER") or shutil.which("blender"))


def window_test(more: Mapping[str, str] | None = None) -> None:
    """Use the built zip in a real Blender window, with mouse and keys, on a display of its own."""
    run(interpreter(".venv"), "-m", "pytest", "-s", "tests/window", more=more)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other run uses a folder that all checkouts of this machine share."""
    if sys.platform == "win32":
        raise NotImplementedError("Linux alone shares folders")
    import fcntl

    with folder.with_name(f"{folder.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, or this process ends
        yield


def debian_window_test(release: str) -> None:
    """Do the same with the Blender of a release of Debian, in a folder of its own.

    The recipes set it up: on Linux, as root.
    """
    blender = Path(tempfile.gettempdir()) / f"ssrhmr-blender-{release}"
    setup, start, leave = (
        WINDOW_RECIPES / f"{name}.sh"
        for name in ("setup_chroot_blender", "chroot_run", "chroot_umount")
    )
    if not setup.exists() or sys.platform != "linux" or os.geteuid() != 0:
        raise MissingRequirementError(
            "needs Blender with a window: put it on the path, or into SSRHMR_BLENDER"
        )
    with alone(blender):
        try:
            run(setup, release, blender)
        except (subprocess.CalledProcessError, OSError) as error:
            raise MissingRequirementError(
                "Blender with a window could not be set up here"
            ) from error
        try:
            window_test({"SSRHMR_BLENDER": f"{start} {blender} blender", "BIND": str(ROOT)})
        finally:
            # What has just ended may hold a mounted folder for a moment longer.
            for _ in range(_LEAVE_TRIES):
                if subprocess.run([leave, blender]).returncode == 0:
                    break
                time.sleep(1.0)
            else:
                raise subprocess.CalledProcessError(1, str(leave))


def demo() -> None:
    """Run the main job on the sample take."""
    run(main_environment("dev.txt"), "examples/demo.py")


def release_environment() -> Path:
    """Return the interpreter of an environment that builds, checks and uploads releases."""
    python = environment(".venv-release", MAIN_PYTHON, "release.txt")
    import_from(python, ROOT)
    return python


def release_test() -> None:
    """Make a release of a copy of this checkout."""
    run(release_environment(), "-m", "pytest", "tests/release")


def lint_stages(python: Path) -> dict[str, list[str | Path]]:
    """Return the commands of the checks that read the sources without running them."""
    return {
        "format": [python, "-m", "ruff", "format", "--check", "."],
        "lint": [python, "-m", "ruff", "check", "."],
        "imports": [python.with_name("lint-imports"), "--no-logo"],
        "types": [python, "-m", "mypy"],
    }


def lint() -> None:
    """Check format, style, import contracts and types."""
    make_test_environment()  # mypy reads torch, too.
    for command in lint_stages(interpreter(".venv")).values():
        run(*command)


def build_docs() -> None:
    """Build the documentation site; a broken link or anchor fails."""
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")
    # Not --quiet: MkDocs counts no warning then, and nothing would fail.
    run(environment(".venv-docs", MAIN_PYTHON, "docs.txt"), "-m", "mkdocs", "build", "--strict")
    print(f"The site is in {ROOT / 'build' / 'site'}: open index.html.")


def _try(action: Callable[[], object]) -> tuple[str, float]:
    """Run a stage; return its result in words and the seconds it took."""
    start = time.monotonic()
    try:
        action()
        result = "passed"
    except MissingRequirementError as reason:
        result = f"skipped: {reason}"
    except subprocess.CalledProcessError as error:
        result = f"FAILED with exit code {error.returncode}"
    return result, time.monotonic() - start


def _collect(action: Callable[[], object]) -> tuple[str, str, float]:
    """Run a stage in a thread; return its output, its result and the seconds it took."""
    with tempfile.TemporaryFile() as output:
        _STAGE.output = output
        try:
            result, seconds = _try(action)
        finally:
            _STAGE.output = None
        output.seek(0)
        return output.read().decode(errors="replace"), result, seconds


@dataclass
class Stages:
    """The checks that ran, with their results; a failing stage does not stop the others."""

    rows: list[tuple[str, str, float]] = field(default_factory=list)

    def run(self, name: str, action: Callable[[], object]) -> bool:
        """Run one stage; return whether it passed."""
        print(f"\n=== {name} ===", flush=True)
        return self._note(name, *_try(action))

    def run_side_by_side(
        self,
        stages: Mapping[str, Callable[[], object]],
        after: Mapping[str, tuple[str, ...]],
        workers: int,
    ) -> None:
        """Run stages that need one core each on all cores; show the output of each at its end.

        Args:
            stages: What to run, by name. Those at the top begin first.
            after: Stages that have to be over, passed or not, before one begins, by its name.
            workers: How many run at once.
        """
        print(f"\n=== side by side: {', '.join(stages)} ===", flush=True)
        waiting, running = dict(stages), dict[Future[tuple[str, str, float]], str]()
        with ThreadPoolExecutor(max_workers=workers) as pool:
            while waiting or running:
                open_ones = {*waiting, *running.values()}
                ready = [name for name in waiting if not open_ones & {*after.get(name, ())}]
                for name in ready[: workers - len(running)]:
                    running[pool.submit(_collect, waiting.pop(name))] = name
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(done)
                    output, result, seconds = done.result()
                    print(f"\n=== {name} ===\n{output}", flush=True)
                    self._note(name, result, seconds)

    def _note(self, name: str, result: str, seconds: float) -> bool:
        self.rows.append((name, result, seconds))
        print(f"=== {name}: {result}, {seconds:.1f} s ===", flush=True)
        return result == "passed"

    def summarize(self) -> bool:
        """Print the table of stages; return whether none failed."""
        print(f"\n{'stage':<14}{'seconds':>8}  result")
        for name, result, seconds in self.rows:
            print(f"{name:<14}{seconds:>8.1f}  {result}")
        skipped = [name for name, result, _ in self.rows if result.startswith("skipped")]
        failed = [name for name, result, _ in self.rows if result.startswith("FAILED")]
        if skipped:
            print(f"NOT CHECKED HERE: {', '.join(skipped)}")
        print(f"FAILED: {', '.join(failed)}" if failed else "Every stage that ran passed.")
        return not failed


def side_by_side(
    python: Path, types: list[str | Path], blenders: list[str]
) -> tuple[dict[str, Callable[[], object]], dict[str, tuple[str, ...]]]:
    """Return the stages that run beside each other, and which of them wait for which.

    The longest begin first, and what depends on the zip has it early: so no core is idle at the
    end.
    """
    checks: dict[str, Callable[[], object]] = {
        "zip": partial(run, python, "build_addon.py"),
        "types": partial(run, *types),
        "core": partial(run, python, "-m", "pytest", "tests/core"),
        "static": partial(run, python, "-m", "pytest", "tests/static"),
    }
    if has_window():
        windows: dict[str, Callable[[], object]] = {"window": window_test}
    else:
        windows = {
            f"window-{blender}": partial(debian_window_test, release)
            for blender, release in WINDOW_BLENDERS.items()
        }
    checks |= windows
    checks |= {f"blender-{blender}": partial(blender_test, blender) for blender in blenders}
    checks["docs"] = build_docs
    checks["package"] = partial(run, python, "-m", "pytest", "tests/package")
    checks["release"] = release_test
    checks |= {f"install-{blender}": partial(install_test, blender) for blender in blenders}
    # One of the static tests goes on from what mypy has found out.
    after: dict[str, tuple[str, ...]] = {"package": ("zip",), "static": ("types",)}
    # Each makes the environment of its Blender if there is none yet.
    after |= {f"install-{blender}": ("zip", f"blender-{blender}") for blender in blenders}
    # They write into one folder.
    after |= {name: ("zip", *list(windows)[:number]) for number, name in enumerate(windows)}
    return checks, after


def test(blenders: list[str]) -> bool:
    """Run every stage, in some Blenders, and print a summary; return whether none failed."""
    find_python(MAIN_PYTHON)  # the only one whose absence is an error: the rest would be skipped
    # The arrays are small: threads of their products only wait for each other on busy cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    stages = Stages()
    if stages.run("setup", make_test_environment):
        python = interpreter(".venv")
        lints = lint_stages(python)
        types = lints.pop("types")  # the only slow one
        for name, command in lints.items():
            stages.run(name, partial(run, *command))
        checks, after = side_by_side(python, types, blenders)
        stages.run_side_by_side(checks, after, os.cpu_count() or 1)
    return stages.summarize()


def main() -> None:
    """Read the command line and run the task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("demo", help="animate a character from the sample take")
    tasks.add_parser("lint", help="check format, style, import contracts and types")
    tasks.add_parser("docs", help="build the documentation site")
    checks = tasks.add_parser("test", help="run every check")
    which = checks.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help=f"only in Blender {MAIN_BLENDER}")
    known = [*BLENDERS, NEWEST]
    which.add_argument("--blender", action="append", choices=known, help="only in this Blender")
    making = tasks.add_parser("release", help="make a release, without changing anything")
    making.add_argument("arguments", nargs=argparse.REMAINDER, help="see: release --help")
    arguments = parser.parse_args()
    try:
        if arguments.task == "demo":
            demo()
        elif arguments.task == "release":
            run(release_environment(), "scripts/release.py", *arguments.arguments)
        elif arguments.task == "lint":
            lint()
        elif arguments.task == "docs":
            build_docs()
        elif not test([MAIN_BLENDER] if arguments.quick else arguments.blender or [*BLENDERS]):
            sys.exit(1)
    except (MissingRequirementError, subprocess.CalledProcessError) as error:
        sys.exit(f"{arguments.task}: {error}")


if __name__ == "__main__":
    main()
