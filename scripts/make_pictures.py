# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the README's pictures of every step from a real Blender window.

The script needs the built zip, Blender (SSRHMR_BLENDER overrides the one on the path),
Xvfb, xdotool and ImageMagick. It sets up, calibrates and bakes the example character as a user
does; then `send` performs the sample take live, and the guided movement.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from ssrhmr_core import TRACKERS, Take, load_motion  # noqa: E402
from ssrhmr_core.body.interpolation import MODEL_RATE  # noqa: E402
from ssrhmr_core.body.skeleton import TRACKER_JOINTS  # noqa: E402
from ssrhmr_core.evaluation.worn.mounts import draw_mounts  # noqa: E402
from ssrhmr_core.formats.trackers_csv import save_trackers  # noqa: E402
from ssrhmr_core.geometry.rotations import to_quat  # noqa: E402
from ssrhmr_core.streaming import PORTS  # noqa: E402
from ssrhmr_core.tracking.movement.guided import MOVEMENT_SECONDS, pose_figure  # noqa: E402
from ssrhmr_core.tracking.proportions import make_adult  # noqa: E402
from tests.window.conftest import FOLDER, ROOT, Window, opened  # noqa: E402

_TAKE = ROOT / "examples" / "sample_take.bvh"
_STANDS = 15.0
"""Seconds that the performer waits in the T-pose to be calibrated."""
_STANDS_LONG = 300.0
"""The same where the picture is of the T-pose itself, on a machine that may be busy."""
_TURNED = 16.0
"""Seconds after which the performer has walked and turned round."""
_WIDER = 90.0
"""Pixels by which the script widens the sidebar, so that no label is cut off."""
_VIEW = 400.0
"""Pixels of the view that a picture shows next to the sidebar."""
_TABS = 22.0
"""Pixels that the tabs take at the right of the sidebar; pictures leave them out."""
_MARGIN = 8.0
_BORDER = 4.0
"""Pixels of the frame that Blender draws around regions."""
_LEAST = 300.0
"""Least height of a picture, so that the character fits in."""
_PULLS = 5
_SIDES = ("left", "right")
_THREE = ("head", "left_hand", "right_hand")
_COLOURS = "128"
_BESIDE = (0.42, 0.0, -0.55)
"""Metres from the hips to the middle of the view, which is behind the sidebar."""
_OTHER_SIDE = {"follow": (-0.42, 0.0, -0.55), "turn": (-0.18, -0.14, 0.60, 0.77)}
"""The view of a performer who has turned round."""
_CLOSE: dict[str, object] = {"follow": (0.33, 0.0, -0.13), "distance": 3.4}
"""The view of a performer with many trackers."""
_WHOLE = 700.0
"""Least height of a picture that shows such a performer whole."""
_HIGHER = 1180
"""Pixels of a window in which a list of eleven trackers is seen whole."""
_COUNTDOWN, _LATE, _GOES_ON, _SEED = 3.0, 0.3, 20.0, 3
"""Of the guided way: seconds of the countdown, by how much performers are late, and for how long
they go on; and the seed of how they wear the trackers."""
_MOMENTS = (-1.2, 12.2, MOVEMENT_SECONDS - 0.9)
"""Seconds from the figure's begin at which pictures are taken."""
_SHOWN = 2.0
"""Seconds after which a panel shows what has changed."""
_BESIDE_GUIDE = 620.0
"""Pixels of the view next to the sidebar in which the figure is shown."""
_AHEAD = {"follow": (0.0, 0.0, -0.1)}
_LIVE = ("SSRHMR_PT_live", "SSRHMR_PT_devices", "SSRHMR_PT_record")
_BAKE = ("SSRHMR_PT_bake", "SSRHMR_PT_cleanup")
_MORE = ("SSRHMR_PT_trackers", "SSRHMR_PT_more_trackers")


def shoot(window: Window, name: str, least: float = _LEAST) -> None:
    """Save the panels of the sidebar and the view next to them, at least so high, as a picture."""
    window.settle()
    time.sleep(1.0)
    screen = window.picture(name)
    left, top, width, height = window.seen()["sidebar"]
    shown = max(least, min(height, _used_height(window) + _MARGIN))
    save_part(screen, name, (left - _VIEW, top), (width - _TABS + _VIEW, shown))


def _used_height(window: Window) -> int:
    """Return the height that the panels fill.

    An opaque sidebar has one colour below its panels; the usual one lets the view shine through.
    """
    set_overlap(window, overlap=False)
    screen = window.picture("opaque")
    left, top, width, height = window.seen()["sidebar"]
    set_overlap(window, overlap=True)
    size = f"{width - _TABS - 2 * _BORDER:.0f}x{height - 2 * _BORDER:.0f}"
    panels = f"{size}+{left + _BORDER:.0f}+{top + _BORDER:.0f}"
    command = ["convert", str(screen), "-crop", panels, "+repage", "-fuzz", "2%", "-format", "%@"]
    said = subprocess.run([*command, "info:"], check=True, capture_output=True, encoding="utf-8")
    box = said.stdout
    _, used, _, above = map(int, re.split(r"[x+]", box.strip()))
    return above + used + int(_BORDER)


def set_overlap(window: Window, *, overlap: bool) -> None:
    """Choose whether the sidebar lies over the view or takes room from it."""
    window.order("preferences", of="system", values={"use_region_overlap": overlap})
    window.settle()
    time.sleep(1.0)


def widen_sidebar(window: Window) -> None:
    """Pull the edge of the sidebar, which only an opaque one has all along its height.

    A window that is slow to draw may miss the first pull.
    """
    narrow = window.seen()["sidebar"][2]
    set_overlap(window, overlap=False)
    for _ in range(_PULLS):
        left, top, width, height = window.seen()["sidebar"]
        if width > narrow + 0.5 * _WIDER:
            set_overlap(window, overlap=True)
            return
        edge = (left, top + 0.6 * height)
        window.drag(edge, (edge[0] - _WIDER, edge[1]))
    window.picture("narrow")
    raise RuntimeError("the sidebar stays narrow: see build/window/narrow.png")


def shoot_bake(window: Window) -> None:
    """Take the pictures of the five steps of a bake."""
    window.order("look", follow=_BESIDE)
    for name, panel in (("bake_1", "character"), ("bake_2", "trackers")):
        window.order("panels", panels=[f"SSRHMR_PT_{panel}"])
        shoot(window, name)
    window.order("panels", panels=["SSRHMR_PT_calibration"])
    window.order("frame", frame=13)
    window.order("operator", name="calibrate", how="EXEC_DEFAULT")
    shoot(window, "bake_3")
    window.order("panels", panels=_BAKE)
    # At once, as a bake that shows its progress waits for the view at each step.
    window.order("operator", name="bake", how="EXEC_DEFAULT")
    window.order("frame", frame=24 * 4)
    window.order("look", follow=_BESIDE)
    shoot(window, "bake_5")
    window.order("frame", frame=13)
    window.order("look", follow=_BESIDE)
    window.order("operator", name="bake")
    window.until(lambda seen: seen["progress"] > 0.5, "half of the bake")
    shoot(window, "bake_4")
    window.key("Escape", 200, 500)
    window.until(lambda seen: not seen["baking"], "the end of the bake")


def shoot_live(window: Window) -> None:
    """Take the pictures of the three steps of a live performance."""
    window.order("panels", panels=_LIVE[:1])
    window.order("protocol", protocol="VMC", worn={role: role for role in TRACKERS})
    window.order("set", values={"countdown": 5.0, "folder": "", "port": PORTS["vmc"]})
    window.order("set", of="ssrhmr", values={"reference": "T_POSE", "message": ""})
    window.order("frame", frame=1)
    window.order("look", follow=_BESIDE)
    shoot(window, "live_1")
    send = [sys.executable, "-m", "ssrhmr_core", "send", str(_TAKE), "--loop"]
    window.order("operator", name="live_start")
    with subprocess.Popen([*send, "--stand", str(_STANDS)], cwd=ROOT) as performer:
        window.until(lambda seen: seen["status"]["rate"] > 50.0, "trackers")
        begin = time.monotonic()
        window.order("panels", panels=_LIVE[:2])
        window.order("operator", name="live_calibrate")
        shoot(window, "live_2")
        window.until(lambda seen: seen["status"]["frames"] > 0, "poses")
        window.order("panels", panels=(_LIVE[0], _LIVE[2]))
        window.order("operator", name="record")
        # On a busy machine the moment has passed, and comes again.
        wait = (begin + _STANDS + _TURNED - time.monotonic()) % (_STANDS + take_seconds())
        time.sleep(wait)
        window.order("look", **_OTHER_SIDE)
        shoot(window, "live_3")
        window.order("operator", name="live_stop")
        performer.terminate()


def shoot_more(window: Window) -> None:
    """Take the pictures of the panel *More Trackers* and of a bake with eleven trackers."""
    values = {"filepath": str(_TAKE), "more": "ELEVEN"}
    window.order("operator", name="import_take", how="EXEC_DEFAULT", values=values)
    # At joints, some are inside of the body.
    window.order("front")
    window.order("frame", frame=13)
    window.order("look", **_CLOSE)
    window.order("panels", panels=_MORE, open=_MORE[1:])
    shoot(window, "more_1")
    window.order("panels", panels=_BAKE, open=_BAKE[1:])
    window.order("set", of="ssrhmr", values={"write_certainty": True})
    window.order("operator", name="bake", how="EXEC_DEFAULT")
    window.order("frame", frame=24 * 7)
    window.order("look", **_CLOSE)
    shoot(window, "more_2", _WHOLE)


def shoot_points(window: Window) -> None:
    """Take the picture of eleven trackers, with the skeleton coloured by certainty."""
    names = (*TRACKERS, *(f"{side}_{part}" for part in ("elbow", "knee") for side in _SIDES))
    send = [sys.executable, "-m", "ssrhmr_core", "send", str(_TAKE), "--protocol", "json"]
    more = ["--extra", "elbows,knees,chest", "--stand", str(_STANDS_LONG), "--loop"]
    with subprocess.Popen([*send, *more], cwd=ROOT) as performer:
        _shoot_calibrated(window, "points", (*names, "chest"))
        performer.terminate()


def shoot_three(window: Window) -> None:
    """Take the picture of a headset and two controllers, the rest filled in."""
    take = Take.from_motion(load_motion(_TAKE))
    seen = np.isin(TRACKERS, _THREE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "three.csv"
        save_trackers(path, replace(take, valid=np.tile(seen, (len(take), 1))))
        send = [sys.executable, "-m", "ssrhmr_core", "send", str(path), "--protocol", "json"]
        more = ["--stand", str(_STANDS_LONG), "--loop"]
        with subprocess.Popen([*send, *more], cwd=ROOT) as performer:
            _shoot_calibrated(window, "three", _THREE)
            performer.terminate()


def _shoot_calibrated(window: Window, name: str, roles: tuple[str, ...]) -> None:
    """Calibrate trackers that are sent as JSON lines, and take the picture of a performer."""
    window.order("panels", panels=_LIVE[:2])
    window.order("protocol", protocol="JSON", worn={role: role for role in roles})
    window.order("set", values={"countdown": 2.0, "port": PORTS["json"], "certainty": True})
    window.order("set", of="ssrhmr", values={"reference": "T_POSE", "message": ""})
    window.order("operator", name="live_start")
    window.until(lambda seen: seen["status"]["rate"] > 50.0, "trackers")
    window.order("operator", name="live_calibrate")
    window.until(lambda seen: seen["status"]["frames"] > 0, "poses")
    window.order("look", **_CLOSE)
    shoot(window, name, _WHOLE)
    window.order("operator", name="live_stop")


def shoot_guide(window: Window) -> None:
    """Take the pictures of the way from putting trackers on to recording; print its time."""
    window.order("panels", panels=_LIVE[:2])
    window.order("protocol", protocol="JSON", worn={role: role for role in TRACKERS})
    values = {"countdown": _COUNTDOWN, "port": PORTS["json"], "certainty": False, "folder": ""}
    window.order("set", values=values)
    window.order("set", of="ssrhmr", values={"reference": "T_POSE", "message": ""})
    window.order("look", **_AHEAD)
    take = FOLDER / "guided.csv"
    save_trackers(take, perform_guide())
    send = [sys.executable, "-m", "ssrhmr_core", "send", str(take), "--protocol", "json"]
    window.order("operator", name="live_start")
    with subprocess.Popen([*send, "--stand", str(_STANDS)], cwd=ROOT) as performer:
        window.until(lambda seen: seen["status"]["rate"] > 50.0, "trackers")
        begin = time.monotonic() + _STANDS
        time.sleep(_SHOWN)
        shoot_region(window, "guide_1")
        window.order("panels", panels=_LIVE[:1])
        # Performers are a little late when the figure begins.
        time.sleep(max(0.0, begin - _LATE - _COUNTDOWN - time.monotonic()))
        pressed = time.monotonic()
        window.order("operator", name="live_guide")
        for number, moment in enumerate(_MOMENTS, 2):
            time.sleep(max(0.0, pressed + _COUNTDOWN + moment - time.monotonic()))
            shoot_region(window, f"guide_{number}")
        window.until(lambda seen: seen["guided"] == "COMPUTING", "the end of the movement")
        # Takes hold raw readings, so that nobody has to wait for the result.
        window.order("operator", name="record")
        recording = time.monotonic()
        window.until(lambda seen: not seen["guided"], "what the movement tells")
        print(
            f"from the button to recording {recording - pressed:.1f} s, to the result"
            f" {time.monotonic() - pressed:.1f} s",
            flush=True,
        )
        window.order("panels", panels=(_LIVE[0], _LIVE[2]))
        time.sleep(_SHOWN)
        shoot_region(window, f"guide_{len(_MOMENTS) + 2}")
        window.order("operator", name="live_stop")
        performer.terminate()


def perform_guide() -> Take:
    """Return the trackers of somebody who copies the figure, then lifts the arms again."""
    body = make_adult()
    times = np.arange(0.0, MOVEMENT_SECONDS + _GOES_ON, 1.0 / MODEL_RATE)
    figure = np.where(times > MOVEMENT_SECONDS + 1.0, times - MOVEMENT_SECONDS + 1.0, times)
    poses = [pose_figure(body, seconds) for seconds in figure]
    tracked = list(TRACKER_JOINTS)
    positions = np.array([pose[0][tracked] for pose in poses], np.float32)
    rotations = to_quat(np.array([pose[1][tracked] for pose in poses])).astype(np.float32)
    joints = Take(times, positions, rotations, np.ones((len(times), len(tracked)), bool))
    return draw_mounts(body, np.random.default_rng(_SEED)).to_trackers(joints)


def shoot_region(window: Window, name: str) -> None:
    """Save the sidebar and the view next to it, all of it, as a picture."""
    screen = window.picture(name)
    left, top, width, height = window.seen()["sidebar"]
    save_part(screen, name, (left - _BESIDE_GUIDE, top), (width - _TABS + _BESIDE_GUIDE, height))


def save_part(
    screen: Path, name: str, corner: tuple[float, float], size: tuple[float, float]
) -> None:
    """Save a part of a picture of the display, in pixels from its upper left corner, for docs."""
    crop = "{:.0f}x{:.0f}+{:.0f}+{:.0f}".format(*size, *corner)
    picture = HERE.parent / "docs" / "pictures" / f"{name}.png"
    options = ["-crop", crop, "+repage", "-dither", "None", "-colors", _COLOURS, "-strip"]
    subprocess.run(["convert", screen, *options, f"PNG8:{picture}"], check=True)
    print(f"{picture.name}: {size[1]:.0f} px, {picture.stat().st_size // 1024} KB", flush=True)


def take_seconds() -> float:
    """Return how long the performer moves."""
    return float(load_motion(_TAKE).times[-1])


def main() -> None:
    """Take all pictures, or those of a part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=_PARTS, help="take only these pictures")
    only = parser.parse_args().only
    for height, parts in _PARTS_BY_HEIGHT.items():
        chosen = [part for part in parts if only in (None, part)]
        if not chosen:
            continue
        with opened({}, height) as window:
            # Close the splash screen.
            window.key("Escape", 100, 600)
            widen_sidebar(window)
            window.order("operator", name="load_example", how="EXEC_DEFAULT")
            if height == _HIGHER:
                window.order("delete", names=_EXAMPLE)
            for part in chosen:
                _PARTS[part](window)


_PARTS = {
    "bake": shoot_bake,
    "live": shoot_live,
    "guide": shoot_guide,
    "points": shoot_points,
    "three": shoot_three,
    "more": shoot_more,
}
_EXAMPLE = [f"Tracker {role.replace('_', ' ').title()}" for role in TRACKERS]
"""The example's own trackers."""
_PARTS_BY_HEIGHT = {800: ("bake", "live", "guide"), _HIGHER: ("points", "three", "more")}
"""Parts by the height of the window that they need."""


if __name__ == "__main__":
    main()
