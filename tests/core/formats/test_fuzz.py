# SPDX-License-Identifier: GPL-3.0-or-later
"""A little of what ``python -m tests.core.formats.fuzz`` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.formats.fuzz import run, targets


@pytest.mark.parametrize(
    "name",
    [
        *(
            "bvh",
            "unusual bvh",
            "bvh.xz",
            "smpl",
            "smpl groups",
            "frames",
            "readings",
            "long",
            "wide",
        ),
        *("matrices", "motive", "trc", "weights", "calibration", "listing"),
    ],
)
def test_hostile_files(tmp_path: Path, name: str) -> None:
    outcome = run(targets(tmp_path)[name], tmp_path, 400, 7)
    assert outcome.accepted + outcome.refused == 400
    # Some of each kind, or else the files are too tame, or too wild.
    assert outcome.accepted >= 10
    assert outcome.refused > 100
    assert outcome.grown < 100.0
