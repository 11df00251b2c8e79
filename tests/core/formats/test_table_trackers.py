# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of what ``python -m tests.core.formats.table_trackers`` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.formats.table_trackers import (
    Case,
    columns,
    encodings,
    faults,
    formats_by_units_and_axes,
    motive_and_trc,
    read_case,
    smpl_archives,
    smpl_faults,
    times,
)

SOME = [
    *list(formats_by_units_and_axes())[::5],
    *encodings(),
    *times(),
    *columns(),
    *motive_and_trc(),
    *faults(),
    *smpl_archives(),
    *smpl_faults(),
]
MAY_BE_REFUSED = {
    # Commas cannot separate both columns and decimals.
    "delimiters: decimal commas and commas",
    "delimiters: quoted decimal commas",
}
KEPT_IN_METRES = {
    # The own format is in metres; its characters may be giants.
    f"own: {unit}, {up} up"
    for unit in ("ft", "dm")
    for up in ("y", "z", "x", "-y", "-z")
}


@pytest.mark.parametrize("case", SOME, ids=[case.name for case in SOME])
def test_outcome(case: Case, tmp_path: Path) -> None:
    outcome, said = read_case(case, tmp_path)
    if case.refused or case.name in MAY_BE_REFUSED:
        assert outcome == "refused", said
        assert said.startswith(("take", str(tmp_path)))
    elif case.name in KEPT_IN_METRES:
        assert outcome == "wrong, said"
    else:
        assert outcome.startswith("right"), said
