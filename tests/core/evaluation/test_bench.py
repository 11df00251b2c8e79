# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's cases and figures; no test can know how fast they should be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.cli import main
from ssrhmr_core.evaluation import bench


def test_a_table_and_its_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "CASES", (("frame", "solve"), ("clip", "1")))
    out = tmp_path / "bench.json"
    assert main(["bench", "--json", str(out)]) == 0
    frame, clip = json.loads(out.read_text())
    assert 0.0 < frame["median_ms"] <= frame["p99_ms"]
    np.testing.assert_allclose(clip["frames_per_second"], 60.0 / clip["seconds"], rtol=1e-6)
    assert "solve alone" in capsys.readouterr().out


def test_single_frames_are_timed_in_turn_and_the_fastest_round_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = []

    def run_alone(case: str, argument: str) -> dict:
        order.append(argument)
        slow = {"ssrhmr": (3.0, 1.0, 2.0), "ik": (2.0, 3.0, 0.5)}.get(argument, (4.0,))
        median = slow[order.count(argument) - 1]
        return {"median_ms": median} if case == "frame" else {"seconds": median}

    cases = (("frame", "ssrhmr"), ("frame", "ik"), ("clip", "10"))
    monkeypatch.setattr(bench, "CASES", cases)
    monkeypatch.setattr(bench, "_run_alone", run_alone)
    rows = bench.measure_speed(lambda share, case: None)
    assert order == [*("ssrhmr", "ik") * 3, "10"]
    assert [row.get("median_ms", row.get("seconds")) for row in rows] == [1.0, 0.5, 4.0]


def test_a_case_that_fails_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "CASES", (("clip", "nonsense"),))
    assert main(["bench"]) == 1
    assert "clip nonsense failed" in capsys.readouterr().err


def test_the_performance_moves_like_a_body() -> None:
    motion = bench.make_performance(2.0)
    assert len(motion) == 120 and motion.skeleton.present.all()
    speed = np.linalg.norm(np.diff(motion.positions(), axis=0), axis=-1) * 60.0
    assert 0.05 < speed.max() < 8.0


@pytest.mark.parametrize("model", ["ssrhmr", "ssrhmr+elbows", "ssrhmr+all", "ik", "solve"])
def test_each_model_computes_frames(model: str) -> None:
    compute = bench._frame_function(model)
    first, second = compute(0), compute(1)
    rotations = [np.asarray(result[0]) for result in (first, second)]  # type: ignore[index]
    assert all(np.isfinite(array).all() for array in rotations)
    assert np.abs(rotations[0] - rotations[1]).max() > 1e-4
