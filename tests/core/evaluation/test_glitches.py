# SPDX-License-Identifier: GPL-3.0-or-later
"""The body bears glitches: hundreds of drawn ones, and the ones that threw it away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKER_JOINTS, TRACKERS
from ssrhmr_core.cli import main
from ssrhmr_core.evaluation.glitches import (
    KINDS,
    MODES,
    GlitchResult,
    draw_case,
    has_own_glitches,
    judge,
    reconstruct,
    summarize_glitches,
)
from ssrhmr_core.formats import load_motion
from ssrhmr_core.formats.bvh import save_bvh
from ssrhmr_core.geometry.rotations import from_quat
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.tracking.dropout import mark_dropouts
from ssrhmr_core.tracking.gap_filling import GapFiller
from ssrhmr_core.tracking.live_dropout import LiveDropoutDetector
from ssrhmr_core.tracking.take import Take
from tests.core.tracking.glitch_cases import LEFT_FOOT, fly_off, shake

SAMPLE = Path(__file__).parents[3] / "examples" / "sample_take.bvh"
END_EFFECTORS = list(TRACKER_JOINTS)


@pytest.fixture(scope="module")
def motion() -> Motion:
    motion = load_motion(SAMPLE).resampled()
    return motion.at(motion.times[:1100])


def fill(motion: Motion, take: Take, mode: str) -> np.ndarray:
    """Return the joints that the body is posed to: trackers with glitches left out and filled in.

    The solve puts joints exactly on these, so that hundreds of glitches take seconds.
    """
    joints = motion.positions().copy()
    filler = GapFiller(load_weights(), motion.skeleton)
    if mode == "baked":
        joints[:, END_EFFECTORS] = filler.clip(mark_dropouts(take)).positions
        return joints
    detector, matrices = LiveDropoutDetector(), from_quat(take.rotations)
    for frame in range(len(take)):
        positions, valid = take.positions[frame], take.valid[frame]
        valid = detector.frame(positions, take.rotations[frame], valid, filler)
        joints[frame, END_EFFECTORS] = filler.frame(positions, matrices[frame], valid)[0]
    return joints


def draw_results(motion: Motion, mode: str, seeds: range) -> Iterator[GlitchResult]:
    for seed in seeds:
        case = draw_case(motion, seed)
        joints, without = (fill(motion, take, mode) for take in (case.take, case.without))
        yield from judge(case, mode, joints, without, motion.positions())


@pytest.mark.parametrize("mode", MODES)
def test_hundreds_of_drawn_glitches(motion: Motion, mode: str) -> None:
    results = list(draw_results(motion, mode, range(24)))
    assert len(results) > 150
    for result in results:
        # No single one throws the body away, or keeps it away.
        assert result.recovery_mm < 10.0, result
        assert result.peak_mm < result.dropout_mm + 1000.0, result
    overall = next(row for row in summarize_glitches(results) if row["kind"] == "all")
    assert overall["bound"] > 0.95 and overall["speed"] > 0.98


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("role", ["left_hand", "right_foot", "pelvis"])
@pytest.mark.parametrize(("speed", "frames"), [(5.0, 12), (10.0, 12), (15.0, 10)])
def test_a_tracker_flies_off(
    motion: Motion, mode: str, role: str, speed: float, frames: int
) -> None:
    part = motion.at(motion.times[240:560])
    tracker = TRACKERS.index(role)
    take = fly_off(Take.from_motion(part), tracker, 200, frames, speed)
    joints = reconstruct(Reconstructor(part.skeleton), take, mode)[:, TRACKER_JOINTS[tracker]]
    distances = np.linalg.norm(joints - part.positions()[:, TRACKER_JOINTS[tracker]], axis=-1)
    assert distances.max() < 0.15
    assert distances[200 + frames + 30 :].max() < 0.001


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_a_foot_shakes_three_times(motion: Motion, mode: str, seed: int) -> None:
    part = motion.at(motion.times[240:640])
    take = Take.from_motion(part)
    for number, begin in enumerate((120, 180, 240)):
        take = shake(take, LEFT_FOOT, begin, 18, 10 * seed + number)
    joints = reconstruct(Reconstructor(part.skeleton), take, mode)[:, TRACKER_JOINTS[LEFT_FOOT]]
    distances = np.linalg.norm(joints - part.positions()[:, TRACKER_JOINTS[LEFT_FOOT]], axis=-1)
    assert distances.max() < 0.4
    assert distances[258 + 30 :].max() < 0.001


def test_cases_are_reproducible_and_of_every_kind(motion: Motion) -> None:
    one, other = draw_case(motion, 3), draw_case(motion, 3)
    np.testing.assert_array_equal(one.take.positions, other.take.positions)
    events = [event for seed in range(20) for event in draw_case(motion, seed).events]
    assert {glitch.kind for event in events for glitch in event} == set(KINDS[:-1])
    exact = Take.from_motion(motion)
    glitched = ~one.without.valid
    np.testing.assert_array_equal(one.take.positions[~glitched], exact.positions[~glitched])
    np.testing.assert_array_equal(one.take.rotations[~glitched], exact.rotations[~glitched])


def test_judgement_is_by_the_criteria(motion: Motion) -> None:
    case = draw_case(motion, 1, ("teleport",))
    truth = motion.positions()
    (event, *_) = case.events
    (glitch,) = event
    joint = TRACKER_JOINTS[glitch.tracker]

    def result(frame: int, metres: float) -> GlitchResult:
        joints = truth.copy()
        joints[frame, joint, 0] += metres
        return next(judge(case, "live", joints, truth, truth))

    assert all(result(glitch.begin, 0.0).passed.values())
    assert result(glitch.begin, 0.06).passed == {"recovery": True, "bound": False, "speed": True}
    assert result(glitch.end + 29, 0.06).passed["recovery"]
    assert result(glitch.end + 30, 0.02).passed == {
        "recovery": False,
        "bound": True,
        "speed": True,
    }
    assert not result(glitch.end + 5, 0.3).passed["speed"]


def test_a_truth_that_jumps_is_recognised(motion: Motion) -> None:
    assert not has_own_glitches(motion)
    root = motion.root.copy()
    root[500:] += 0.4
    assert has_own_glitches(replace(motion, root=root))


def test_the_command_prints_and_writes_the_shares(
    motion: Motion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "take.bvh", tmp_path / "glitches.json"
    save_bvh(path, motion.at(motion.times[:400]))
    assert main(["evaluate", str(path), "--glitches", "3", "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    assert figures["glitches"] >= 3 and figures["clean"] == {"baked": 0.0, "live": 0.0}
    overall = [row for row in figures["rows"] if row["kind"] == "all"]
    assert [row["mode"] for row in overall] == list(MODES)
    assert all(row["recovery"] == 1.0 for row in overall)
    assert "glitches. Of clean readings" in capsys.readouterr().out


def test_clips_that_are_too_short_are_reported(
    motion: Motion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "short.bvh"
    save_bvh(path, motion.at(motion.times[:60]))
    assert main(["evaluate", str(path), "--glitches", "3"]) == 1
    assert "no clip is long enough" in capsys.readouterr().err
