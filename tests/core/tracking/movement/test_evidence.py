# SPDX-License-Identifier: GPL-3.0-or-later
"""What is usual of a movement weighs as much as a few frames of one person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssrhmr_core.tracking.movement.evidence import GUIDED, UNGUIDED, Evidence, usual_angles
from ssrhmr_core.tracking.movement.holds import Holds
from ssrhmr_core.tracking.pose_model import DEGREE_INDEX, DEGREES
from ssrhmr_core.tracking.pose_priors import moving_angles, personal_spreads

ANKLE_TURN = DEGREE_INDEX["left_ankle.y"]


def evidence_of(frames: int) -> Evidence:
    """Return a movement of some frames after three of a reference pose."""
    total = frames + 3
    return Evidence(
        np.zeros((total, 6, 3)),
        np.tile(np.eye(3), (total, 6, 1, 1)),
        np.arange(total) < 3,
        np.ones(total - 1, bool),
        0.0,
        GUIDED,
        Holds.none(total),
    )


def together(spreads: np.ndarray) -> np.ndarray:
    """Return the spread (D,) of a constant change of all angles in frames (F, D)."""
    return (1.0 / np.maximum(1.0 / spreads**2, 1e-12).sum(0)) ** 0.5


@pytest.mark.parametrize("frames", (60, 120))
def test_no_number_of_frames_says_more_of_a_person_than_people_differ(frames: int) -> None:
    spreads = usual_angles(evidence_of(frames)).spread[3:]
    constant = together(spreads)[ANKLE_TURN]
    expected = np.hypot(
        moving_angles().spread[ANKLE_TURN] / np.sqrt(GUIDED.independent_frames), np.radians(9.0)
    )
    assert constant == pytest.approx(expected, rel=1e-6)
    assert constant > np.radians(9.0)


def test_a_frame_alone_says_no_more_than_what_is_usual_of_frames() -> None:
    spread = usual_angles(evidence_of(1)).spread[3]
    assert (spread >= moving_angles().spread).all()


def test_takes_are_worth_fewer_frames_than_guided_movements() -> None:
    guided = evidence_of(80)
    take = replace(guided, habits=UNGUIDED)
    finite = np.isfinite(moving_angles().spread)
    spreads = [together(usual_angles(seen).spread[3:])[finite] for seen in (take, guided)]
    assert (spreads[0] > spreads[1]).all()


def test_both_sides_differ_alike_between_people() -> None:
    spreads = personal_spreads()
    assert spreads.shape == (DEGREES,) and spreads[ANKLE_TURN] > 0.0
    for name, number in DEGREE_INDEX.items():
        assert spreads[number] == spreads[DEGREE_INDEX[name.replace("left_", "right_")]]
