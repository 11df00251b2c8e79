# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the README's pictures of every step from a real Blender window.

The script needs the built zip, Blender (SSRHMR_BLENDER names another one than that on the path),
Xvfb, xdotool and ImageMagick. It sets up, calibrates and bakes the example character as a user
does; then `send` performs the sample take live.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from ssrhmr_core import TRACKERS  # noqa: E402
from ssrhmr_core.streaming import PORTS  # noqa: E402
from tests.window.conftest import ROOT, Window, opened  # noqa: E402

_STANDS = 15.0
"""Seconds that the performer waits in the T-pose to be calibrated."""
_TURNED = 16.0
"""Seconds after which the performer has walked and turned round."""
_WIDER = 90.0
"""Pixels by which the script widens the sidebar, so that no label is cut off."""
_VIEW = 400.0
"""Pixels of the view that a picture shows next to the sidebar."""
_COLOURS = "128"
_BESIDE = (0.42, 0.0, -0.55)
"""Metres from the hips to the middle of the view, which is behind the sidebar."""
_OTHER_SIDE = {"follow": (-0.42, 0.0, -0.55), "turn": (-0.18, -0.14, 0.60, 0.77)}
"""The view of a performer who has turned round."""
_LIVE = ("SSRHMR_PT_live", "SSRHMR_PT_devices", "SSRHMR_PT_record")


def shoot(window: Window, name: str, height: float) -> None:
    """Save the top of the sidebar and the view next to it as a picture."""
    time.sleep(2.0)
    left, top, width, _ = window.seen()["sidebar"]
    crop = f"{width + _VIEW - 22:.0f}x{height:.0f}+{left - _VIEW:.0f}+{top:.0f}"
    picture = HERE.parent / "docs" / "pictures" / f"{name}.png"
    options = ["-crop", crop, "+repage", "-dither", "None", "-colors", _COLOURS, "-strip"]
    subprocess.run(["convert", window.picture(name), *options, f"PNG8:{picture}"], check=True)
    print(f"{picture.name}: {picture.stat().st_size // 1024} KB", flush=True)


def shoot_bake(window: Window) -> None:
    """Take the pictures of the five steps of a bake."""
    window.order("operator", name="load_example", how="EXEC_DEFAULT")
    window.order("look", follow=_BESIDE)
    steps = {"bake_1": ("character", 420), "bake_2": ("trackers", 300)}
    for name, (panel, height) in steps.items():
        window.order("panels", panels=[f"SSRHMR_PT_{panel}"])
        shoot(window, name, height)
    window.order("panels", panels=["SSRHMR_PT_calibration"])
    window.order("frame", frame=13)
    window.order("operator", name="calibrate", how="EXEC_DEFAULT")
    shoot(window, "bake_3", 420)
    window.order("panels", panels=["SSRHMR_PT_bake", "SSRHMR_PT_cleanup"])
    window.order("operator", name="bake")
    window.until(lambda seen: seen["progress"] > 0.5, "half of the bake")
    shoot(window, "bake_4", 420)
    window.until(lambda seen: not seen["baking"], "the bake")
    window.order("frame", frame=24 * 4)
    window.order("look", follow=_BESIDE)
    shoot(window, "bake_5", 420)


def shoot_live(window: Window) -> None:
    """Take the pictures of the three steps of a live performance."""
    window.order("panels", panels=_LIVE[:1])
    window.order("protocol", protocol="VMC", worn={role: role for role in TRACKERS})
    window.order("set", values={"countdown": 5.0, "folder": "", "port": PORTS["vmc"]})
    window.order("set", of="ssrhmr", values={"reference": "T_POSE", "message": ""})
    window.order("frame", frame=1)
    window.order("look", follow=_BESIDE)
    shoot(window, "live_1", 300)
    command = [sys.executable, "-m", "ssrhmr_core", "send", "examples/sample_take.bvh"]
    window.order("operator", name="live_start")
    with subprocess.Popen([*command, "--stand", str(_STANDS)], cwd=ROOT) as performer:
        window.until(lambda seen: seen["status"]["rate"] > 50.0, "trackers")
        begin = time.monotonic()
        window.order("panels", panels=_LIVE[:2])
        window.order("operator", name="live_calibrate")
        shoot(window, "live_2", 560)
        window.until(lambda seen: seen["status"]["frames"] > 0, "poses")
        window.order("panels", panels=(_LIVE[0], _LIVE[2]))
        window.order("operator", name="record")
        time.sleep(begin + _STANDS + _TURNED - time.monotonic())
        window.order("look", **_OTHER_SIDE)
        shoot(window, "live_3", 560)
        window.order("operator", name="live_stop")
        performer.terminate()


def main() -> None:
    """Take all pictures."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with opened({}) as window:
        left, top, narrow, height = window.seen()["sidebar"]
        # Close the splash screen.
        window.key("Escape", 100, 600)
        edge = (left, top + 0.6 * height)
        window.drag(edge, (edge[0] - _WIDER, edge[1]))
        window.until(lambda seen: seen["sidebar"][2] > narrow + 0.5 * _WIDER, "a wide sidebar")
        shoot_bake(window)
        shoot_live(window)


if __name__ == "__main__":
    main()
