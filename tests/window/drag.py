# SPDX-License-Identifier: GPL-3.0-or-later
"""Drag the button of the repository's page from a browser into Blender's window.

``python -m tests.window.drag [--browser chromium]`` serves a repository with the built zip on
loopback, and does what the page says with the mouse, on a fresh profile: a drag that asks for
online access, one that asks for the repository, one that installs. Then the next version is
published and updated to with settings kept, and the extension is uninstalled. It prints the files
that each step adds; pictures are in ``build/window``. The tests do not run it: they need no
browser.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_addon import find_extension_tool
from scripts.extension_repository import publish
from tests.install.archives import NEXT, built_zip, files_below, rewrite
from tests.install.web_server import served
from tests.window.conftest import FOLDER, ROOT, Window, clear_folder, displayed, driven

REPOSITORY = FOLDER / "repository"
BLENDER, PAGE = (900, 860), (660, 700)
"""Pixels of both windows, which stand side by side."""
GAP = 20
DROP = (400.0, 420.0)
_STEPS = 20
"""Moves of a drag: the first ones are still inside the browser, which begins it there."""
_SETTLING = 3.0
"""Seconds that a dialog or a page gets to appear."""


@contextmanager
def browsed(browser: str, address: str, display: str) -> Iterator[None]:
    """The page in a browser, beside Blender's window."""
    options = ["--no-first-run", "--disable-gpu", f"--user-data-dir={FOLDER / 'browser'}"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")
    place = [f"--window-position={BLENDER[0] + GAP},0", f"--window-size={PAGE[0]},{PAGE[1]}"]
    with (FOLDER / "browser.log").open("w") as log:
        process = subprocess.Popen(
            [browser, *options, *place, f"--app={address}"],
            env={**os.environ, "DISPLAY": display},
            stdout=log,
            stderr=log,
        )
        try:
            time.sleep(3.0 * _SETTLING)
            yield
        finally:
            process.terminate()
            process.wait(60.0)


def find_button(picture: Path) -> tuple[float, float]:
    """Return the middle of the page's blue button in a picture of the display."""
    command = ["convert", str(picture), "-crop", f"{PAGE[0]}x{PAGE[1]}+{BLENDER[0] + GAP}+0"]
    command += ["-fuzz", "3%", "-fill", "black", "+opaque", "#0a5fb4", "-trim", "-format", "%@ %O"]
    said = subprocess.run([*command, "info:"], check=True, capture_output=True, text=True).stdout
    size, page = said.split()
    width, height = (int(each) for each in size.split("+")[0].split("x"))
    left, top = (int(each) for each in page.strip("+").split("+"))
    return left + width / 2.0, top + height / 2.0


def drag_button(window: Window, name: str) -> None:
    """Drag the button into Blender's window, and take a picture of what Blender asks."""
    start = find_button(window.picture("page"))
    window.move(*start)
    window.press()
    for step in range(1, _STEPS + 1):
        share = step / _STEPS
        window.move(*(a + share * (b - a) for a, b in zip(start, DROP, strict=True)))
    time.sleep(_SETTLING)
    window.release()
    time.sleep(_SETTLING)
    window.picture(name)


def agree(window: Window, times: int = 1) -> None:
    """Press Enter in the dialog under the pointer, which chooses its blue button."""
    window.focus()
    for _ in range(times):
        window.key("Return", *DROP)
        time.sleep(_SETTLING)


def tell(what: str, before: set[str]) -> set[str]:
    """Print how many files there are more than before; all of them."""
    files = files_below(FOLDER / "user")
    added, gone = sorted(files - before), sorted(before - files)
    print(f"{what}: {len(files)} files, {len(added)} added, {len(gone)} gone", flush=True)
    return files


def check(window: Window) -> None:
    """Do all steps."""
    first = tell("before", set())
    drag_button(window, "drag_1")
    agree(window)
    window.until(lambda seen: seen["windows"] == 2, "the preferences, to allow online access")
    window.picture("drag_1_preferences")
    window.order("online")
    window.order("close preferences")
    drag_button(window, "drag_2")
    agree(window, 3)
    window.until(lambda seen: bool(seen["repository"]), "the repository")
    drag_button(window, "drag_3")
    agree(window)
    seen = window.until(lambda seen: seen["enabled"], "the extension")
    print(f"installed by a drag: {seen['version']}")
    tell("installed", first)
    window.order("settings")
    window.order("use")
    chosen = window.until(lambda seen: bool(seen["core"]), "the core")["settings"]
    with_preset = tell("a preset saved", first)

    built = built_zip(ROOT / "dist")
    newer = FOLDER / f"ssrhmr-{NEXT}.zip"
    newer.write_bytes(rewrite(built.read_bytes(), seen["version"], NEXT))
    publish_zip(newer)
    window.order("update")
    seen = window.until(lambda seen: seen["version"] == NEXT and seen["enabled"], "the update")
    window.order("use")
    seen = window.until(lambda seen: seen["core"] == NEXT, "the new core")
    assert seen["settings"] == chosen, seen["settings"]
    print(f"updated: {seen['version']} with the core {seen['core']}, settings kept: {chosen}")
    tell("updated", with_preset)

    window.order("uninstall")
    seen = window.until(lambda seen: not seen["version"], "the extension to go")
    assert not seen["enabled"] and not seen["modules"], seen["modules"]
    left = tell("uninstalled", first)
    assert left == first, sorted(left ^ first)


def publish_zip(archive: Path) -> None:
    """Publish a zip in the repository."""
    tool = find_extension_tool()
    assert tool is not None, "run tasks.py first: the repository needs Blender's extension tool"
    publish(archive, REPOSITORY, tool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default="chromium", help="a browser of Chromium's family")
    chosen = parser.parse_args()
    if shutil.which(chosen.browser) is None:
        parser.error(f"there is no {chosen.browser} here: install it, or name another --browser")
    clear_folder()
    publish_zip(built_zip(ROOT / "dist"))
    width, height = BLENDER[0] + GAP + PAGE[0], max(BLENDER[1], PAGE[1])
    with (
        displayed(width, height) as display,
        served(REPOSITORY) as address,
        driven("drive_preferences.py", display, *BLENDER) as window,
        browsed(chosen.browser, f"{address}/index.html", display),
    ):
        check(window)
    print(f"all as expected; pictures: {FOLDER}")


if __name__ == "__main__":
    main()
