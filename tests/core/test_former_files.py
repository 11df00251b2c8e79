# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibrations and takes that the former version wrote (tests/blender/former)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ssrhmr_core.formats.trackers_csv import load_trackers
from ssrhmr_core.tracking.calibration import Calibration

FORMER = Path(__file__).resolve().parents[1] / "blender" / "former"
EXPECTED: dict[str, Any] = json.loads((FORMER / "former_expected.json").read_text("utf-8"))


def test_a_former_calibration_is_read() -> None:
    """Rotations, lever arms and deviations had other names."""
    text = (FORMER / "former_calibration_core.json").read_text("utf-8")
    expected = EXPECTED["former_calibration_core.json"]
    calibration = Calibration.from_json(text)
    for again in (calibration, Calibration.from_json(calibration.to_json())):
        np.testing.assert_array_equal(again.mount_rotations, np.float32(expected["rotations"]))
        np.testing.assert_array_equal(again.mount_offsets, np.float32(expected["arms"]))
        np.testing.assert_array_equal(again.deviations, np.float32(expected["misses"]))
        assert again.scale == expected["scale"]
        assert again.warnings == tuple(expected["warnings"])
        assert again.swapped == tuple(expected["swapped"])
        assert again.performer is not None
        np.testing.assert_array_equal(again.performer.offsets, np.float32(expected["performer"]))


def test_a_former_take_is_read() -> None:
    expected = EXPECTED["former_take.csv"]
    take = load_trackers(FORMER / "former_take.csv")
    assert len(take) == expected["frames"]
    assert [float(take.times[0]), float(take.times[-1])] == [expected["first"], expected["last"]]
    assert take.valid.sum(0).tolist() == expected["seen"]
    rows = expected["rows"]
    np.testing.assert_array_equal(take.positions[rows], np.float32(expected["positions"]))
    np.testing.assert_array_equal(take.rotations[rows], np.float32(expected["rotations"]))
