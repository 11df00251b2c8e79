# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Blender window on a display, with the built extension installed, and a mouse and keys."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ssrhmr_core import Calibration, Motion
from ssrhmr_core.body.skeleton import JOINTS, PARENTS
from ssrhmr_core.formats import load_motion
from ssrhmr_core.streaming import Receiver
from tests.core.conftest import CORPUS
from tests.mixamo_names import mixamo_name
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "window"
"""Inside the checkout, so that a Blender in a container sees it under the same name."""
PATIENCE = 600.0
"""Seconds; generous, as other work may keep all cores busy."""
_DRAG_STEPS = 4
_ROUNDS = 4
"""Rounds of the event loop in which all earlier events have been handled."""


@pytest.fixture(scope="session")
def performance() -> Motion:
    """Seconds of a validation take; of the made sample where the corpus is not at hand."""
    listing = CORPUS / "split.json"
    if listing.is_file():
        paths = [CORPUS / path for path in json.loads(listing.read_text())["validation"]]
        path = next(path for path in paths if path.name.startswith("05_"))
    else:
        path = ROOT / "examples" / "sample_take.bvh"
    motion = load_motion(path).resampled()
    print(f"plays {path.name}")
    begin, end = 60, min(len(motion), 60 + 8 * 60)
    return Motion(
        motion.skeleton,
        motion.times[begin:end] - motion.times[begin],
        motion.rotations[begin:end],
        motion.root[begin:end],
    )


class Window:
    """Blender's window: gives orders to the script inside, moves the mouse, takes pictures."""

    def __init__(self, process: subprocess.Popen, display: str, port: int) -> None:
        self._process, self.port, self._number = process, port, 0
        self._environment = {**os.environ, "DISPLAY": display}

    def order(self, do: str, **values: object) -> None:
        """Let the script in Blender do something, and wait for it."""
        self._number += 1
        partial = FOLDER / "order.partial"
        partial.write_text(json.dumps({"number": self._number, "do": do, **values}))
        partial.replace(FOLDER / "order.json")
        if do != "quit":
            number = self._number
            self.until(lambda seen: seen["done"] >= number, do)

    def seen(self) -> dict[str, Any]:
        """The newest state that the script wrote."""
        assert self._process.poll() is None, (FOLDER / "blender.log").read_text()[-3000:]
        file = FOLDER / "seen.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def until(self, true: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until the state is as wanted."""
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            seen = self.seen()
            if seen and true(seen):
                return seen
            time.sleep(0.1)
        self.picture("timeout")
        raise AssertionError(f"waited in vain: {what}; {self.seen()}")

    def quit(self) -> None:
        """Let Blender quit, and see that it does so without an error."""
        if self._process.poll() is None:
            self.order("quit")
        assert self._process.wait(PATIENCE) == 0, (FOLDER / "blender.log").read_text()[-3000:]

    def move(self, x: float, y: float) -> None:
        """Move the real pointer to a place."""
        self._xdotool("mousemove", str(round(x)), str(round(y)))
        time.sleep(0.3)

    def press(self) -> None:
        """Press the left button down."""
        self._xdotool("mousedown", "1")

    def release(self) -> None:
        """Let the left button go."""
        self._xdotool("mouseup", "1")

    def click(self, x: float, y: float) -> None:
        """Press the left button there."""
        self.move(x, y)
        self._xdotool("click", "1")

    def key(self, name: str, x: float, y: float) -> None:
        """Press a key with the pointer at a place."""
        self.move(x, y)
        self._xdotool("key", name)

    def focus(self) -> None:
        """Let keys come to Blender's window, and not to another one on the display."""
        self._xdotool("search", "--name", "Blender [0-9]", "windowfocus")

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Pull something with the left button.

        A drag begins with the first move after the press, in the event loop's next round: each
        event waits until Blender has handled the one before, however slowly it draws.
        """
        self.move(start[0] + 1.0, start[1])
        self.move(*start)
        self.settle()
        self.press()
        self.settle()
        for step in range(1, _DRAG_STEPS + 1):
            share = step / _DRAG_STEPS
            self.move(*(a + share * (b - a) for a, b in zip(start, end, strict=True)))
            self.settle()
        self.release()
        self.settle()

    def settle(self) -> None:
        """Wait until Blender has gone through its events, and drawn."""
        looks = self.seen()["looks"]
        self.until(lambda seen: seen["looks"] > looks + _ROUNDS, "Blender's event loop")

    def picture(self, name: str) -> Path:
        """Take a picture of the whole window."""
        path = FOLDER / f"{name}.png"
        command = ["import", "-window", "root", str(path)]
        subprocess.run(command, env=self._environment, check=True)
        return path

    def _xdotool(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], env=self._environment, check=True)


LEFT = ("threads", "handlers", "files", "children")
"""What a capture must not leave behind, as :func:`tests.window.drive.look` counts it."""


def escape(window: Window) -> None:
    """Press Esc, which stops all captures."""
    window.key("Escape", 300, 400)
    window.until(lambda seen: not seen["running"], "Esc to stop the capture")
    assert_free(window)


def assert_free(window: Window) -> None:
    """See that the port is free again, for UDP and TCP."""
    with Receiver("json", window.port):
        pass


def blender_command() -> list[str]:
    """Start Blender with this: ``SSRHMR_BLENDER``, or the one on the path."""
    return shlex.split(os.environ.get("SSRHMR_BLENDER", "blender"))


@contextmanager
def opened(job: dict[str, object], height: int = 800) -> Iterator[Window]:
    """Blender with the extension of ``dist`` and :mod:`tests.window.drive`, which gets the job.

    The window is 1280 pixels wide and this high.
    """
    (package,) = (ROOT / "dist").glob("ssrhmr-*.zip")
    clear_folder()
    shutil.copy(package, FOLDER / "extension.zip")
    install = ["--command", "extension", "install-file", "-r", "user_default", "-e"]
    installed = subprocess.run(
        [*blender_command(), *install, str(FOLDER / "extension.zip")],
        env=home(),
        capture_output=True,
        text=True,
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    port = free_port()
    job = {**job, "port": port, "takes": str(FOLDER / "takes")}
    (FOLDER / "job.json").write_text(json.dumps(job))
    size = 1280, height
    with displayed(*size) as display, driven("drive.py", display, *size, port) as made:
        yield made


def clear_folder() -> None:
    """Make the folder anew, with an empty home of Blender's in it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "user").mkdir(parents=True)


def home() -> dict[str, str]:
    """Return the variables with which Blender keeps all that is the user's in the folder."""
    return {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(FOLDER / "user"),
        # The state of SteamVR's stand-in, for the test that chooses it.
        "STAND_IN": str(FOLDER / "steamvr.json"),
    }


@contextmanager
def displayed(width: int, height: int) -> Iterator[str]:
    """A display of some pixels that is free; its name."""
    # The server tells which one it took when it is ready.
    screen = ["-screen", "0", f"{width}x{height}x24", "+extension", "GLX", "-nolisten", "tcp"]
    with (FOLDER / "xvfb.log").open("w") as quiet:
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", *screen], stdout=subprocess.PIPE, stderr=quiet, text=True
        )
        try:
            assert server.stdout is not None
            yield f":{int(server.stdout.readline())}"
        finally:
            server.terminate()
            server.wait(PATIENCE)


@contextmanager
def driven(script: str, display: str, width: int, height: int, port: int = 0) -> Iterator[Window]:
    """Blender's window in the corner of a display, with a script of this folder inside."""
    shutil.copy(Path(__file__).parent / script, FOLDER)
    size = [str(width), str(height)]
    with (FOLDER / "blender.log").open("w") as log:
        blender = subprocess.Popen(
            [
                *(*blender_command(), "--factory-startup", "--window-geometry", "0", "0", *size),
                *("--python", str(FOLDER / script), "--", str(FOLDER)),
            ],
            env={**home(), "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"},
            stdout=log,
            stderr=log,
        )
        try:
            made = Window(blender, display, port)
            made.until(lambda seen: bool(seen), "Blender's window")
            # The splash screen would take the first key for itself.
            made.key("Escape", 300, 400)
            made.settle()
            yield made
            made.quit()
        finally:
            blender.kill()


@pytest.fixture(scope="module")
def window(performance: Motion) -> Iterator[Window]:
    """A window with a character that has the performer's proportions, calibrated."""
    for tool in (blender_command()[0], "Xvfb", "xdotool", "import"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}, which is not on this machine")
    job: dict[str, object] = {
        "bones": [mixamo_name(joint) for joint in JOINTS],
        "offsets": performance.skeleton.offsets.tolist(),
        "parents": list(PARENTS),
        "calibration": Calibration.none().to_json(),
    }
    with opened(job) as made:
        yield made
