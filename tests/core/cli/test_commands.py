# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, as a user calls it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, TRACKERS
from ssrhmr_core.cli import main
from ssrhmr_core.formats import load_motion
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.formats.trackers_csv import save_trackers
from ssrhmr_core.model.weights import load_weights, weights_header
from ssrhmr_core.streaming import ProtocolName, Receiver
from ssrhmr_core.tracking.take import Take
from tests.core.formats.tracker_files import NAMES, ROLES, Style, long_table, standing_take


@pytest.fixture
def clip(tmp_path: Path, motion: Motion) -> Path:
    path = tmp_path / "set" / "subject" / "clip.bvh"
    path.parent.mkdir(parents=True)
    save_bvh(path, motion)
    return path


def test_reconstruct_from_a_motion(clip: Path, motion: Motion, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out.bvh"
    assert main(["reconstruct", str(clip), "-o", str(out)]) == 0
    result = load_motion(out)
    ends = list(TRACKER_JOINTS)
    distances = np.linalg.norm(result.positions()[:, ends] - motion.positions()[:, ends], axis=-1)
    assert 1000.0 * distances.mean() < 1.0


def test_reconstruct_from_trackers_needs_a_body(
    clip: Path, motion: Motion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take, out = tmp_path / "take.csv", tmp_path / "out.bvh"
    save_trackers(take, Take.from_motion(motion))
    assert main(["reconstruct", str(take), "-o", str(out)]) == 1
    assert "--skeleton" in capsys.readouterr().err
    assert main(["reconstruct", str(take), "-o", str(out), "--skeleton", str(clip)]) == 0
    assert len(load_motion(out)) == len(motion)


def test_reconstruct_uses_optional_trackers(clip: Path, motion: Motion, tmp_path: Path) -> None:
    """Those of a file, or joints of a motion that are asked for."""
    worn = ("left_elbow", "right_elbow")
    take, out = tmp_path / "take.csv", tmp_path / "out.bvh"
    save_trackers(take, Take.from_motion(motion, worn))
    joints = [INDEX[name] for name in worn]

    def error(*arguments: str) -> float:
        assert main(["reconstruct", *arguments, "-o", str(out), "--skeleton", str(clip)]) == 0
        away = load_motion(out).positions()[:, joints] - motion.positions()[:, joints]
        return 1000.0 * float(np.linalg.norm(away, axis=-1).mean())

    alone = error(str(clip))
    assert error(str(take)) < 0.5 * alone
    assert error(str(clip), "--extra", "elbows") == pytest.approx(error(str(take)), abs=0.1)
    # Rotations alone leave more open, and what is left out of a file is not used.
    assert error(str(clip), "--extra", "elbows:rotation") < alone
    assert error(str(take), "--extra", "left_elbow") > error(str(take))
    assert main(["reconstruct", str(take), "-o", str(out), "--extra", "knees"]) == 1


def test_reconstruct_with_what_the_user_says_of_a_table(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table of serials in centimetres and milliseconds, Z up."""
    truth, take, out = standing_take(60), tmp_path / "steam.csv", tmp_path / "out.bvh"
    style = Style(
        names=NAMES["serials"], up="-z", unit="cm", time=lambda seconds: f"{1e3 * seconds:.0f}"
    )
    header = "t,id,px,py,pz,rx,ry,rz"
    take.write_text(long_table(truth, style, header, "euler yxz", valid=False))
    command = ["reconstruct", str(take), "-o", str(out), "--skeleton", str(clip)]
    said = ["--up", "-z", "--unit", "cm", "--columns", f"time=t:ms,order=yxz,{ROLES}"]
    assert main([*command, *said]) == 0
    assert "steam.csv" not in capsys.readouterr().err
    ends = load_motion(out).positions()[:, list(TRACKER_JOINTS)]
    assert 1000.0 * np.linalg.norm(ends - truth.positions, axis=-1).mean() < 5.0
    assert main([*command, *said[4:]]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "steam.csv" in line]
    assert len(lines) == 2
    assert lines[0].startswith("steam.csv: the trackers are up to ") and "assumed cm" in lines[0]
    assert lines[1].startswith("steam.csv: the body stands along -z: assumed that this is up")
    assert main([*command, "--columns", "time=t:ms,order=yxz"]) == 1
    assert "no device is named like a tracker" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--up", "w"], "choose one of"),
        (["--unit", "ell"], "choose m, cm"),
        (["--columns", "speed=v"], "'speed' is unknown"),
    ],
)
def test_wrong_options(
    clip: Path, option: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(["reconstruct", str(clip), "-o", "out.bvh", *option])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def smpl_clip(path: Path, frames: int = 60) -> Path:
    """Write somebody who stands in an archive of SMPL with Y up."""
    poses = np.zeros((frames, 72))
    np.savez(path, poses=poses, trans=poses[:, :3] + (0.0, 1.2, 0.0), mocap_framerate=60.0)
    return path


def test_evaluate_scores_what_it_can(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = clip.parent, tmp_path / "figures.json"
    (folder / "broken.bvh").write_text("HIERARCHY\n")
    np.savez(folder / "weights.npz", layer=np.zeros(3))
    smpl_clip(folder / "smpl.npz")
    command = ["evaluate", str(folder), "--preset", "ik", "--json", str(out)]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.err.count("smpl.npz: the body stands along y: assumed") == 1
    assert "2 clips" in captured.out and "2 files could not be read:" in captured.out
    figures = json.loads(out.read_text())
    unreadable = {Path(each["path"]).name: each["reason"] for each in figures["unreadable"]}
    assert set(unreadable) == {"broken.bvh", "weights.npz"}
    assert unreadable["weights.npz"].startswith("no SMPL motion; it holds layer")
    assert all(
        f"{each['path']}: {each['reason']}" in captured.out for each in figures["unreadable"]
    )
    assert main([*command, "--strict"]) == 1
    assert json.loads(out.read_text())["clips"] == figures["clips"]
    assert main(["evaluate", str(clip), "--preset", "ik", "--strict"]) == 0
    assert main(["evaluate", str(folder / "weights.npz")]) == 1
    assert "no file could be read; the first" in capsys.readouterr().err


def test_evaluate_with_what_the_user_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = smpl_clip(tmp_path / "smpl.npz")
    assert main(["evaluate", str(path), "--preset", "ik", "--up", "y", "--unit", "1.0"]) == 0
    assert "smpl.npz" not in capsys.readouterr().err


def test_the_name_of_the_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for program, name in (("/bin/ssrhmr", "ssrhmr"), ("x/__main__.py", "python -m ssrhmr_core")):
        monkeypatch.setattr("sys.argv", [program, "evaluate", "--help"])
        with pytest.raises(SystemExit) as error:
            main()
        assert error.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: {name} evaluate ")


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


def test_some_trackers_only(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    arguments = ["evaluate", str(clip), "--json", str(out), "--only"]
    assert main([*arguments, "head,left_hand,right_hand"]) == 0
    figures = json.loads(out.read_text())["pooled"]
    assert figures["lost_mpjpe_mm"] == figures["mpjpe_mm"] > 10.0
    for roles, reason in (
        ("head,tail", "trackers are pelvis, head"),
        ("left_hand,left_foot", "neither pelvis nor head is tracked"),
    ):
        with pytest.raises(SystemExit):
            main([*arguments, roles])
        assert reason in capsys.readouterr().err


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


def test_train_evaluate_and_resume(clip: Path, tmp_path: Path) -> None:
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


def sent(said: str) -> int:
    """How many packets the command says that it has sent."""
    match = re.search(r"([\d,]+) packets sent", said)
    assert match is not None, said
    return int(match[1].replace(",", ""))


def wait_for_packets(receiver: Receiver, packets: int) -> None:
    """What was sent to this computer does come, however busy it is."""
    limit = time.monotonic() + 600.0
    while receiver.counters.datagrams < packets and time.monotonic() < limit:
        time.sleep(0.001)
    assert receiver.counters.datagrams == packets


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
        wait_for_packets(receiver, 60)
        assert receiver.counters.readings == 360
    out = capsys.readouterr().out
    assert "60 packets sent" in out


def test_send_optional_trackers(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver("json", 0) as receiver:
        arguments = ["send", str(clip), "--protocol", "json", "--port", str(receiver.port)]
        arguments += ["--extra", "elbows,chest:rotation", "--stand", "0.1", "--seconds", "0.2"]
        assert main(arguments) == 0
        said = capsys.readouterr().out
        wait_for_packets(receiver, sent(said))
        readings = receiver.drain()
    parts = {r.device: (r.valid, r.has_position, r.has_rotation) for r in readings}
    whole = (True, True, True)
    extras = {"left_elbow": whole, "right_elbow": whole, "chest": (True, False, True)}
    assert parts == {**dict.fromkeys(TRACKERS, whole), **extras}
    assert "right_elbow: right_elbow" in said


def test_a_performer_who_stands_first(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver("json", 0) as receiver:
        arguments = ["send", str(clip), "--protocol", "json", "--port", str(receiver.port)]
        assert main([*arguments, "--stand", "0.3", "--seconds", "0.6"]) == 0
        wait_for_packets(receiver, sent(capsys.readouterr().out))
        heads = [reading for reading in receiver.drain() if reading.device == "head"]
    positions = np.array([head.position for head in heads])
    still = np.linalg.norm(np.diff(positions, axis=0), axis=-1) == 0.0
    rate = load_motion(clip).rate
    # The first frame itself comes once more after it.
    assert still.tolist() == [True] * round(0.3 * rate) + [False] * (len(still) - round(0.3 * rate))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tcp"], "--tcp goes with --protocol json"),
        (["--rate", "0.5"], "--rate is 1 to 1000"),
        (["--stand", "-1"], "--stand is 0 to 3600"),
        (
            ["--protocol", "vrchat", "--extra", "elbows,knees,chest,toes"],
            "VRChat OSC has 8 trackers, and 10 are to be sent",
        ),
        (["--protocol", "json", "--tcp", "--port", "1"], "cannot send to 127.0.0.1, port 1"),
        (["--host", "no.such.host.invalid"], "cannot send to no.such.host.invalid"),
    ],
)
def test_what_cannot_be_sent(
    clip: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["send", str(clip), *arguments]) == 1
    assert message in capsys.readouterr().err
