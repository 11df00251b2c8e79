"""Live capture in a real window: the mouse starts it, `send` performs, the character follows."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core import TRACKERS, Motion, Reconstructor, Take
from ssrhmr_core.feed import ProtocolName
from ssrhmr_core.feed.sender import device_names
from ssrhmr_core.formats.trackers_csv import load_trackers, save_trackers

from .conftest import FOLDER, ROOT, Window

TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


@pytest.fixture(scope="module")
def take_file(performance: Motion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("take") / "take.csv"
    save_trackers(path, Take.from_motion(performance))
    return path


def send(take_file: Path, protocol: str, port: int) -> None:
    command = [sys.executable, "-m", "ssrhmr_core", "send", str(take_file)]
    options = ["--protocol", protocol, "--port", str(port), "--rate", "60"]
    subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True)


def click_start(window: Window) -> None:
    """Find the button as people do: it is the large one below the three choices."""
    left, top, width, _ = window.seen()["sidebar"]
    for down in range(150, 60, -8):
        window.click(left + 0.5 * width - 10, top + down)
        # Blender may be drawing just then.
        limit = time.monotonic() + 2.0
        while time.monotonic() < limit:
            if window.seen()["running"]:
                return
            time.sleep(0.1)
    window.picture("no start button")
    raise AssertionError("the mouse did not find Start Live")


def escape(window: Window) -> None:
    window.key("Escape", 300, 400)
    window.until(lambda seen: not seen["running"], "Esc to stop the capture")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", window.port))


@pytest.mark.parametrize(
    ("protocol", "setting"), [("vmc", "VMC"), ("json", "JSON"), ("vrchat", "VRCHAT")]
)
def test_the_character_follows(
    protocol: ProtocolName, setting: str, window: Window, performance: Motion, take_file: Path
) -> None:
    window.order("look")
    # Numbered trackers say nothing of where they are worn: the table does.
    worn = {name: role for role, name in device_names(protocol).items()}
    window.order("protocol", protocol=setting, worn=worn)
    click_start(window)
    begin = time.monotonic()
    send(take_file, protocol, window.port)
    assert time.monotonic() - begin > 0.9 * performance.times[-1]
    window.picture(f"live {protocol}")
    status = window.seen()["status"]
    window.order("samples")
    samples = json.loads((FOLDER / "samples.json").read_text())
    escape(window)

    times = np.array([time for time, _ in samples])
    places = np.array([heads for _, heads in samples])
    fresh = np.concatenate([[True], np.diff(times) > 0.0])
    times, places = times[fresh], places[fresh]
    # A software renderer draws about once a second; every draw shows the newest pose.
    assert len(times) >= 4
    # The session's clock has a zero of its own: find it, then everything must fit at once.
    body = Reconstructor(performance.skeleton).clip(Take.from_motion(performance))
    paths = (body.positions() @ TO_BLENDER.T).transpose(1, 2, 0)

    def missed(zero: float) -> np.ndarray:
        inside = (times - zero > 0.2) & (times - zero < performance.times[-1] - 0.1)
        then = times[inside] - zero
        wanted = [[np.interp(then, body.times, path) for path in joint] for joint in paths]
        if inside.sum() < 3:
            return np.full(1, np.inf)
        return np.linalg.norm(places[inside].transpose(1, 2, 0) - np.array(wanted), axis=1)

    zeros = np.arange(times[-1] - performance.times[-1] - 0.2, times[0] + 0.2, 0.02)
    best = min(zeros, key=lambda zero: missed(zero).mean())
    for step in (4e-3, 1e-3, 2e-4):
        best = min(best + step * np.arange(-6, 7), key=lambda zero: missed(zero).mean())
    away = 1000.0 * missed(best)
    print(
        f"{protocol}: {len(times)} poses, joints off by {away.mean():.2f} mm on average,"
        f" {np.percentile(away, 95):.2f} mm at the 95th percentile; {status}"
    )
    assert status["frames_lost"] == 0
    assert away.mean() < 1.0


def test_record_and_bake(window: Window, performance: Motion, take_file: Path) -> None:
    window.order("protocol", protocol="JSON", worn={role: role for role in TRACKERS})
    click_start(window)
    window.order("operator", name="record")
    window.until(lambda seen: seen["status"]["recording"] >= 0, "recording")
    send(take_file, "json", window.port)
    sent = 6 * len(performance)
    seen = window.until(lambda seen: seen["status"]["recording"] >= sent, "all readings")
    assert seen["status"]["recording"] == sent
    window.picture("recording")
    window.order("operator", name="record")
    window.until(lambda seen: seen["action"] == "take_001" and not seen["baking"], "the bake")
    escape(window)
    window.order("read action")
    window.picture("baked")
    found = json.loads((FOLDER / "action.json").read_text())
    take = load_trackers(FOLDER / "takes" / "take_001.csv")
    frames = len(found["places"])
    body = Reconstructor(performance.skeleton).clip(take, take.times[0] + np.arange(frames) / 60.0)
    away = np.abs(np.array(found["places"]) - body.positions() @ TO_BLENDER.T)
    print(f"{sent} of {sent} readings; baked {frames} frames, off by {1000 * away.max():.3f} mm")
    assert 1000.0 * away.max() < 0.1
