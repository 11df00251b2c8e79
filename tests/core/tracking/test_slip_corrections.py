# SPDX-License-Identifier: GPL-3.0-or-later
"""Slips are measured to a fraction of them, and taken back from there on alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.slip_corrections import (
    SlipCorrection,
    measure_slip,
    take_back,
)
from ssrhmr_core.tracking.slips import Slip, find_slips
from ssrhmr_core.tracking.take import Take
from tests.core.tracking.test_slips import MIDDLE, make_take

TURN = np.radians(8.0) * np.array([0.0, 0.6, 0.8])


def slip_and_turn(role: str, distance: float, seconds: float) -> tuple[Take, Take, int]:
    """Return a take in which a tracker slips and turns, the same held, and which tracker."""
    held, slipped = make_take({}, seconds), make_take({role: distance}, seconds)
    tracker = TRACKERS.index(role)
    share = np.clip((held.times - MIDDLE) / seconds + 0.5, 0.0, 1.0)[:, None]
    rotations = slipped.rotations.copy()
    turns = quat.from_scaled_angle_axis(share * TURN)
    rotations[:, tracker] = quat.mul(rotations[:, tracker].astype(np.float64), turns)
    return replace(slipped, rotations=rotations), held, tracker


def turns(take: Take, other: Take) -> np.ndarray:
    """Return the angles (F, 6) between the trackers of two takes, degrees."""
    same = np.abs((take.rotations * other.rotations).sum(-1))
    return np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0)))


@pytest.mark.parametrize("seconds", (0.001, 0.04))
@pytest.mark.parametrize("role", ("pelvis", "head", "left_hand", "right_foot"))
def test_a_slip_is_measured_and_taken_back(role: str, seconds: float) -> None:
    slipped, held, tracker = slip_and_turn(role, 0.04, seconds)
    (slip,) = find_slips(slipped)
    correction = measure_slip(slipped, slip)
    assert correction is not None and correction.tracker == tracker
    assert np.linalg.norm(correction.offset) == pytest.approx(0.04, abs=0.006)
    np.testing.assert_allclose(correction.rotvec, -TURN, atol=np.radians(1.5))
    back = take_back(slipped, [correction])
    away = np.linalg.norm(back.positions - held.positions, axis=-1)[:, tracker]
    before, after = held.times < MIDDLE - 0.1, held.times > MIDDLE + 0.1
    assert away[after].mean() < 0.006 and turns(back, held)[after, tracker].mean() < 1.5
    # What came before, and the other trackers, are as they were.
    np.testing.assert_array_equal(back.positions[before], slipped.positions[before])
    others = np.arange(6) != tracker
    np.testing.assert_array_equal(back.positions[:, others], slipped.positions[:, others])
    np.testing.assert_array_equal(back.rotations[:, others], slipped.rotations[:, others])


def test_a_slip_is_taken_back_without_a_jump() -> None:
    slipped, held, tracker = slip_and_turn("head", 0.05, 0.04)
    (slip,) = find_slips(slipped)
    correction = measure_slip(slipped, slip)
    assert correction is not None
    near = np.abs(held.times - slip.time) < 0.08
    # How far the tracker's path bends from frame to frame, beyond what the limb's does.
    before, after = (
        np.linalg.norm(
            np.diff((take.positions - held.positions)[near, tracker], n=2, axis=0), axis=-1
        ).max()
        for take in (slipped, take_back(slipped, [correction]))
    )
    assert after < 0.6 * before


def test_two_slips_of_a_tracker_add_up() -> None:
    random = np.random.default_rng(3)
    take = make_take({}, 1.0)
    first, second = (
        SlipCorrection(Slip("head", time, 0.02), *random.normal(0.0, 0.02, (2, 3)))
        for time in (2.0, 4.0)
    )
    both = take_back(take, [first, second])
    one_by_one = take_back(take_back(take, [first]), [second])
    np.testing.assert_array_equal(both.positions, one_by_one.positions)
    np.testing.assert_array_equal(both.rotations, one_by_one.rotations)
    assert take_back(take, ()) is take
    head = TRACKERS.index("head")
    moved = np.linalg.norm(both.positions - take.positions, axis=-1)[:, head]
    assert moved[take.times < 1.9].max() == 0.0
    np.testing.assert_allclose(
        moved[(take.times > 2.1) & (take.times < 3.9)], np.linalg.norm(first.offset), rtol=1e-3
    )


def test_a_bump_is_not_measured() -> None:
    take = make_take(dict.fromkeys(TRACKERS, 0.04), 0.001)
    (slip,) = find_slips(take)
    assert measure_slip(take, slip) is None


def test_a_quick_movement_is_no_step() -> None:
    """The tracker goes somewhere else within a sixth of a second."""
    take = make_take({}, 1.0)
    positions = take.positions.copy()
    share = np.clip((take.times - MIDDLE) / 0.17 + 0.5, 0.0, 1.0)
    positions[:, 2, 1] += 0.05 * share
    assert measure_slip(replace(take, positions=positions), Slip("left_hand", MIDDLE, 0.05)) is None


def test_a_step_at_the_end_or_in_a_gap_is_not_measured() -> None:
    slipped, _, tracker = slip_and_turn("head", 0.05, 0.001)
    (slip,) = find_slips(slipped)
    short = slipped.part(np.flatnonzero(slipped.times < slip.time + 0.05))
    assert measure_slip(short, slip) is None
    valid = slipped.valid.copy()
    valid[np.abs(slipped.times - slip.time) < 0.03, tracker] = False
    assert measure_slip(replace(slipped, valid=valid), slip) is None


def test_readings_without_a_rotation_stay_as_they_are() -> None:
    take, head = make_take({}, 1.0), TRACKERS.index("head")
    lost = np.abs(take.times - 4.0) < 0.5
    take.rotations[lost, head] = np.nan
    whole = take.valid.copy()
    whole[:, head] = ~lost
    placed = replace(take, valid=whole, placed=~whole)
    own = SlipCorrection(Slip("head", 2.0, 0.02), np.array([0.02, 0.0, 0.0]), np.zeros(3))
    back = take_back(placed, [own])
    moved = np.linalg.norm(back.positions - take.positions, axis=-1)[:, head]
    assert back.has_position.all() and moved[lost].max() == 0.0
    np.testing.assert_allclose(moved[(take.times > 2.1) & ~lost], 0.02, rtol=1e-3)
