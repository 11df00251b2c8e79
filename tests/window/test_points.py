# SPDX-License-Identifier: GPL-3.0-or-later
"""More points than six in a real window: calibrated, recorded, baked, stopped.

VMC with eleven points, and three points, are among the senders.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from ssrhmr_core import Motion, Take
from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import INDEX, JOINTS, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.streaming import ProtocolName
from ssrhmr_core.streaming.sender import device_names
from tests.window.conftest import FOLDER, ROOT, Window, assert_free, escape
from tests.window.test_live import TO_BLENDER, send, sending

EXTRAS = ("chest", "left_elbow", "right_elbow", "left_knee", "right_knee")
_SECONDS = 2.0


class Case(NamedTuple):
    """Who sends what.

    Attributes:
        protocol: The protocol of the sender.
        setting: The same in the panel.
        six: Those of the six that are worn.
        extras: Optional trackers that are worn.
    """

    protocol: ProtocolName
    setting: str
    six: tuple[str, ...]
    extras: tuple[str, ...]


CASES = {
    "JSON's points": Case("json", "JSON", TRACKERS, EXTRAS),
    # SlimeVR has no hands, and its points are numbered.
    "SlimeVR's points": Case(
        "vrchat", "VRCHAT", ("pelvis", "head", "left_foot", "right_foot"), EXTRAS
    ),
}


def standing(performance: Motion, extras: tuple[str, ...]) -> Take:
    """The performer in the T-pose, for two seconds."""
    frames = 120
    identity = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (frames, len(JOINTS), 1))
    at_origin = performance.skeleton.t_pose()
    root = np.zeros((frames, 3), np.float32)
    root[:, 1] = performance.skeleton.sole_height - at_origin[:, 1].min()
    times = np.arange(frames) / 60.0
    return Take.from_motion(Motion(performance.skeleton, times, identity, root), extras)


@contextmanager
def looping(command: list[str]) -> Iterator[None]:
    """Send over and over; a test that fails ends it too."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def stopped(window: Window) -> Iterator[None]:
    """A test that fails leaves nothing to the next one."""
    yield
    if window.seen()["captures"]:
        escape(window)


@pytest.mark.parametrize("name", CASES)
def test_points_from_the_sender_to_the_keys(
    name: str, window: Window, performance: Motion, tmp_path: Path
) -> None:
    case = CASES[name]
    frames = slice(0, round(_SECONDS * 60.0))
    moving = Motion(
        performance.skeleton,
        performance.times[frames],
        performance.rotations[frames],
        performance.root[frames],
    )
    take = Take.from_motion(moving, case.extras)
    save_trackers(tmp_path / "stands.csv", standing(performance, case.extras))
    save_trackers(tmp_path / "moves.csv", take)
    devices = device_names(case.protocol, take.extras)
    worn = {device: role for role, device in devices.items() if role in case.six + case.extras}
    # What is not worn is a device without a role.
    window.order("protocol", protocol=case.setting, worn=worn)
    window.order("set", values={"countdown": 0.5, "bake": True, "certainty": True})
    window.order("look")
    # The splash screen goes away with a click.
    window.click(300, 400)
    window.order("operator", name="live_start")
    with looping(sending(tmp_path / "stands.csv", case.protocol, window.port, "--loop")):
        window.until(lambda seen: seen["status"]["rate"] > 0, "readings")
        # The same performer in the same trackers gives the same calibration: they are counted.
        before = window.seen()["calibrations"]
        window.order("operator", name="live_calibrate")
        seen = window.until(lambda seen: seen["calibrations"] > before, "a calibration")
        window.picture(f"points, calibrated, {name}")
    calibration = json.loads(seen["calibration"])
    tracked = [role for role, is_on in zip(TRACKERS, calibration["tracked"], strict=True) if is_on]
    # Wrists are hands by their names, whatever is worn.
    assert set(case.six) <= set(tracked)
    mounts = calibration.get("extras")
    found = mounts["has_position"] if mounts else [False] * len(EXTRA_TRACKERS)
    assert [role for role, has in zip(EXTRA_TRACKERS, found, strict=True) if has] == list(
        case.extras
    )

    # A program that sends the same devices is another performer until the former one is silent.
    window.until(lambda seen: seen["status"]["rate"] == 0.0, "silence")
    action = window.seen()["action"]
    window.order("operator", name="record")
    window.until(lambda seen: seen["status"]["recording"] >= 0, "recording")
    send(tmp_path / "moves.csv", case.protocol, window.port)
    sent = len(worn) * len(take)
    window.until(lambda seen: seen["status"]["recording"] >= sent, "all readings")
    window.picture(f"points, live, {name}")
    window.order("operator", name="record")
    window.until(lambda seen: seen["action"] != action and not seen["baking"], "the bake")
    escape(window)
    assert_free(window)
    window.order("read action")
    places = np.array(json.loads((FOLDER / "action.json").read_text())["places"])
    # The take begins with what came before the performance, so it is compared from its end.
    truth = moving.positions() @ TO_BLENDER.T
    count = min(len(places), len(truth)) - 30
    away = 1000.0 * np.linalg.norm(places[-count:] - truth[-count:], axis=-1)
    joints = [TRACKER_JOINTS[TRACKERS.index(role)] for role in case.six]
    joints += [INDEX[role] for role in case.extras]
    print(
        f"{name}: {len(worn)} devices, {len(places)} frames; tracked joints off by"
        f" {np.median(away[:, joints]):.1f} mm, all by {away.mean():.1f} mm on average"
    )
    assert np.median(away[:, joints]) < 60.0
    assert np.isfinite(places).all() and away.mean() < 100.0
