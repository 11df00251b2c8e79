# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, as a user calls it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS
from ssrhmr_core.cli import main
from ssrhmr_core.formats import load_motion
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.model.weights import load_weights, weights_header
from ssrhmr_core.streaming import ProtocolName, Receiver
from ssrhmr_core.tracking.take import Take


@pytest.fixture
def clip(tmp_path: Path, motion: Motion) -> Path:
    path = tmp_path / "set" / "subject" / "clip.bvh"
    path.parent.mkdir(parents=True)
    save_bvh(path, motion)
    return path


def test_reconstruct_from_a_motion(clip: Path, motion: Motion, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.bvh"
    assert main(["reconstruct", str(clip), "-o", str(out)]) == 0
    made = load_motion(out)
    ends = list(TRACKER_JOINTS)
    away = np.linalg.norm(made.positions()[:, ends] - motion.positions()[:, ends], axis=-1)
    assert 1000.0 * away.mean() < 1.0


def test_reconstruct_from_trackers_needs_a_body(
    clip: Path, motion: Motion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take, out = tmp_path / "take.csv", tmp_path / "out.bvh"
    save_trackers(take, Take.from_motion(motion))
    assert main(["reconstruct", str(take), "-o", str(out)]) == 1
    assert "--skeleton" in capsys.readouterr().err
    assert main(["reconstruct", str(take), "-o", str(out), "--skeleton", str(clip)]) == 0
    assert len(load_motion(out)) == len(motion)


@pytest.mark.parametrize("preset", ["ssrhmr", "ik"])
def test_evaluate_writes_what_others_rely_on(
    clip: Path, tmp_path: Path, preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "split.json"
    listed.write_text(json.dumps({"validation": [str(clip.relative_to(tmp_path))]}))
    out = tmp_path / "figures.json"
    arguments = ["evaluate", f"{listed}#validation", "--preset", preset, "--json", str(out)]
    assert main([*arguments, "--noise", "5,1", "--drop", "pelvis:0.2"]) == 0
    figures = json.loads(out.read_text())
    names = "mpjpe_mm mpeepe_mm mpeepe_p95_mm mpjre_deg mpjve_cm_s jitter jitter_gt frames"
    for name in (*names.split(), "ms_per_frame_median", "ms_per_frame_p99"):
        assert figures["pooled"][name] > 0.0, name
    assert figures["clips"][0]["path"].endswith("clip.bvh")
    assert list(figures["sets"]) == ["set/subject"]
    assert "MPJPE" in capsys.readouterr().out


def test_noise_makes_it_worse_and_the_solve_better(clip: Path, tmp_path: Path) -> None:
    def mpjpe(*arguments: str) -> float:
        out = tmp_path / "figures.json"
        assert main(["evaluate", str(clip), "--json", str(out), *arguments]) == 0
        return json.loads(out.read_text())["pooled"]["mpjpe_mm"]

    exact = mpjpe()
    assert mpjpe("--noise", "20,5") > exact
    assert mpjpe("--stage", "network") > exact


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "nowhere.bvh"],
        ["reconstruct", "nowhere.bvh", "-o", "out.bvh"],
        ["evaluate", "nothing.json#validation"],
        ["train", "--data", "nowhere", "--out", "w.npz"],
    ],
)
def test_errors_are_explained(
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_train_evaluate_and_go_on(clip: Path, tmp_path: Path) -> None:
    """A few steps of training give weights that load and can be scored and trained on."""
    out = tmp_path / "run" / "weights.npz"
    arguments = ["train", "--data", str(clip.parent), "--out", str(out), "--steps", "3"]
    assert main(arguments) == 0
    assert set(load_weights(out))
    header = weights_header(out)
    assert header["steps"] == 3 and header["clips"] == 1
    assert not out.with_suffix(".checkpoint.pt").exists()
    assert main(["evaluate", str(clip), "--weights", str(out)]) == 0
    again = [*arguments[:4], str(tmp_path / "again.npz"), "--steps", "2", "--start", str(out)]
    assert main(again) == 0
    assert weights_header(tmp_path / "again.npz")["start"] == out.name


@pytest.mark.parametrize(
    ("protocol", "stream"), [("vmc", False), ("vrchat", False), ("json", False), ("json", True)]
)
def test_send(
    clip: Path, protocol: ProtocolName, stream: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Receiver(protocol, 0) as receiver:
        arguments = ["send", str(clip), "--protocol", protocol, "--port", str(receiver.port)]
        arguments += ["--tcp"] if stream else []
        assert main([*arguments, "--rate", "240", "--seconds", "0.25", "--noise", "1,1"]) == 0
        for _ in range(1000):
            if receiver.counters.datagrams == 60:
                break
            time.sleep(0.005)
        assert receiver.counters.readings == 360
    out = capsys.readouterr().out
    assert "60 packets sent" in out


def test_a_performer_who_stands_first(clip: Path) -> None:
    with Receiver("json", 0) as receiver:
        arguments = ["send", str(clip), "--protocol", "json", "--port", str(receiver.port)]
        assert main([*arguments, "--stand", "0.3", "--seconds", "0.6"]) == 0
        time.sleep(0.1)
        heads = [reading for reading in receiver.drain() if reading.device == "head"]
    places = np.array([head.position for head in heads])
    still = np.linalg.norm(np.diff(places, axis=0), axis=-1) == 0.0
    rate = load_motion(clip).rate
    # The first frame itself comes once more after it.
    assert still.tolist() == [True] * round(0.3 * rate) + [False] * (len(still) - round(0.3 * rate))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tcp"], "--tcp goes with --protocol json"),
        (["--rate", "0.5"], "--rate is 1 to 1000"),
        (["--stand", "-1"], "--stand is 0 to 3600"),
        (["--protocol", "json", "--tcp", "--port", "1"], "cannot send to 127.0.0.1, port 1"),
        (["--host", "no.such.host.invalid"], "cannot send to no.such.host.invalid"),
    ],
)
def test_what_cannot_be_sent(
    clip: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", str(clip), *arguments]) == 1
    assert message in capsys.readouterr().err
