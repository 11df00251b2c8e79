# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every command of the README in an empty place: ``python tests/replay_readme.py``.

A fresh clone of what is committed, in a temporary folder with an empty home, and of the environment
nothing but a path with Python and what every system has. The commands are read from the README
itself: indented lines in their order, then those within sentences, which take for granted what the
indented ones set up. Names in capitals stand for files, the sample take comes in for them; what
would run for an hour or for ever is cut short. Ends with an error if a command does.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SAMPLES = {"TAKE.bvh": "examples/sample_take.bvh", "FOLDER": "examples"}
OUTPUTS = {"OUT.bvh", "OUT.json"}
SHORTER = {"--minutes 60": "--minutes 0.2"}
ACTIVATE = ". .venv/bin/activate"
LOOP_SECONDS = 20.0
"""How long a command that never ends is watched."""


class Command(NamedTuple):
    """A command of the README.

    Attributes:
        line: in the README, counted from 1.
        shown: as it stands there.
        run: as it is run.
    """

    line: int
    shown: str
    run: str


def commands(text: str) -> list[Command]:
    """List the commands of a README.

    Raises:
        ValueError: if one has a name in capitals that nothing is known to stand in for.
    """
    blocks, sentences = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r" {4}(python|\.) ", line):
            blocks.append((number, line.strip()))
        sentences += [(number, found) for found in re.findall(r"`(python [^`]+)`", line)]
    return [Command(number, shown, _made_real(shown)) for number, shown in blocks + sentences]


def _made_real(shown: str) -> str:
    words = [SAMPLES.get(word, word) for word in shown.split()]
    unknown = [w for w in words if re.fullmatch(r"[A-Z]+(\.\w+)?", w) and w not in OUTPUTS]
    if unknown:
        raise ValueError(f"nothing is known to stand in for {', '.join(unknown)} of '{shown}'")
    run = " ".join(words)
    for long, short in SHORTER.items():
        run = run.replace(long, short)
    return run


def bare_environment(folder: Path) -> dict[str, str]:
    """A path that has ``python`` and the other Pythons that checks can use; an empty home."""
    sys.path.insert(0, str(ROOT))
    import tasks

    programs, home = folder / "bin", folder / "home"
    programs.mkdir()
    home.mkdir()
    for version in sorted(set(tasks.BLENDERS.values())):
        try:
            python = tasks.find_python(version)
        except tasks.MissingRequirementError as reason:
            print(f"{reason}: some checks will be skipped")
            continue
        names = [f"python{version}", *(["python"] if version == tasks.MAIN_PYTHON else [])]
        for name in names:
            (programs / name).symlink_to(python)
    return {"PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "HOME": str(home)}


def replay(command: str, place: Path, environment: dict[str, str]) -> str:
    """Run a command; return what went wrong, or nothing."""
    endless = "--loop" in command.split()
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=LOOP_SECONDS if endless else None)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate()
        # The exit code of what was stopped by hand.
        return "" if process.returncode == 130 else f"exit code {process.returncode} when stopped"
    finally:
        process.kill()
    # What fails is shown whole.
    print(said if process.returncode else said[-3000:], flush=True)
    if endless:
        return "it ended by itself"
    return f"exit code {process.returncode}" if process.returncode else ""


def main() -> None:
    """Replay and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="only show what would be run")
    parser.add_argument("--skip", default="", metavar="WORD", help="leave out commands with it")
    chosen = parser.parse_args()
    found = commands(README.read_text(encoding="utf-8"))
    if chosen.list:
        for command in found:
            print(f"README.md:{command.line}: {command.run}")
        return
    # Started in the background it would be deaf to this signal, and all that it starts too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="ssrhmr-readme-"))
    place, rows = folder / "clone", []
    try:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place)], check=True)
        environment = bare_environment(folder)
        for command in found:
            print(f"\n=== README.md:{command.line}: {command.run} ===", flush=True)
            began, wrong = time.monotonic(), ""
            if chosen.skip and chosen.skip in command.shown:
                result = "left out"
            elif command.shown == ACTIVATE:
                # What the script does, for the commands that follow.
                inside = place / ".venv/bin"
                environment["PATH"] = f"{inside}:{environment['PATH']}"
                result = "passed" if (inside / "activate").is_file() else "FAILED: no environment"
            else:
                wrong = replay(command.run, place, environment)
                result = f"FAILED: {wrong}" if wrong else "passed"
            rows.append((command, result, time.monotonic() - began))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{'line':>4} {'seconds':>8}  {'result':<24} command")
    for command, result, seconds in rows:
        print(f"{command.line:>4} {seconds:>8.1f}  {result:<24} {command.run}")
    if any(result.startswith("FAILED") for _, result, _ in rows):
        sys.exit("A command of the README fails.")


if __name__ == "__main__":
    main()
