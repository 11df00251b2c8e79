# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer's measures beside typical ones."""

from __future__ import annotations

import pytest

from ssrhmr_core.body.skeleton import INDEX, Skeleton
from ssrhmr_core.tracking.body_measures import measure_body
from ssrhmr_core.tracking.proportions import make_adult


def test_an_adult_is_typical() -> None:
    measures = {measure.name: measure for measure in measure_body(make_adult())}
    assert list(measures) == ["Height", "Leg", "Arm", "Trunk", "Shoulders"]
    assert all(m.low < m.length < m.high for m in measures.values())
    assert measures["Height"].length == pytest.approx(1.75, abs=0.03)
    assert measures["Leg"].length == pytest.approx(0.83, abs=1e-3)
    assert measures["Arm"].length == pytest.approx(0.53, abs=1e-3)
    assert measures["Shoulders"].length == pytest.approx(0.34, abs=1e-3)


def test_long_arms_are_not_typical_of_their_height() -> None:
    offsets = make_adult().offsets.copy()
    for name in ("left_elbow", "left_wrist", "right_elbow", "right_wrist"):
        offsets[INDEX[name]] *= 1.2
    odd = [m.name for m in measure_body(Skeleton(offsets)) if not m.low < m.length < m.high]
    assert odd == ["Arm"]


def test_centimetres_are_measured_in_centimetres() -> None:
    metres, centimetres = measure_body(make_adult()), measure_body(make_adult().scaled(100.0))
    for one, other in zip(metres, centimetres, strict=True):
        assert other[1:] == pytest.approx([100.0 * value for value in one[1:]], rel=0.02)
