# SPDX-License-Identifier: GPL-3.0-or-later
"""Slips within a take: found with tracker and time, and nothing found where nothing slips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.evaluation.worn import mounts as worn_mounts
from ssrhmr_core.evaluation.worn.mounts import draw_mounts
from ssrhmr_core.formats import load_motion
from ssrhmr_core.tracking.slips import Slip, describe_slips, find_slips
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton

BODY = make_skeleton()
SECONDS, RATE = 6.0, 60.0
MIDDLE = 0.5 * (SECONDS - 1.0 / RATE)


def make_take(
    slips: dict[str, float],
    seconds: float,
    rate: float = RATE,
    seed: int = 1,
    noise: float = 0.0003,
) -> Take:
    """Trackers on a gently moving body that slip by some metres in the middle of the take."""
    random = np.random.default_rng(seed)
    mounts = draw_mounts(BODY, random)
    directions = random.standard_normal((6, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    amounts = np.array([slips.get(role, 0.0) for role in TRACKERS])[:, None]
    mounts = replace(mounts, slips=amounts * directions, slip_rotvecs=np.zeros((6, 3)))
    joints = Take.from_motion(make_motion(BODY, round(SECONDS * rate), rate, seed=seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worn_mounts, "_SLIP_SECONDS", seconds)
        take = mounts.to_trackers(joints, slipping=True)
    shaken = take.positions + noise * random.standard_normal(take.positions.shape)
    return replace(take, positions=shaken.astype(np.float32))


@pytest.mark.parametrize("seconds", [0.001, 0.03])
@pytest.mark.parametrize("role", TRACKERS)
def test_a_sudden_slip_is_found_with_its_time(role: str, seconds: float) -> None:
    (slip,) = find_slips(make_take({role: 0.03}, seconds))
    assert slip.tracker == role
    assert slip.time == pytest.approx(MIDDLE, abs=0.06)
    assert slip.distance == pytest.approx(0.03, rel=0.3)


def test_two_trackers_slip_at_once() -> None:
    slips = find_slips(make_take({"head": 0.05, "left_foot": 0.03}, 0.001))
    assert {slip.tracker for slip in slips} == {"head", "left_foot"}


def test_a_bumped_base_station_moves_everything() -> None:
    (slip,) = find_slips(make_take(dict.fromkeys(TRACKERS, 0.04), 0.001))
    assert slip.tracker == "" and slip.distance == pytest.approx(0.04, rel=0.2)
    (text,) = describe_slips((slip,))
    assert text.startswith("the whole tracking space slipped by 4 cm at 3.0 s")


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_found_where_nothing_slips(seed: int) -> None:
    assert find_slips(make_take({}, 1.0, seed=seed)) == ()


def test_slow_slides_and_small_steps_are_not_found() -> None:
    assert find_slips(make_take({"head": 0.03}, 4.0)) == ()
    assert find_slips(make_take({"head": 0.005}, 0.001)) == ()


def test_a_tracker_that_was_lost_there_says_nothing() -> None:
    take = make_take({"head": 0.1}, 0.001)
    valid = take.valid.copy()
    valid[np.abs(take.times - MIDDLE) < 0.1, TRACKERS.index("head")] = False
    assert find_slips(replace(take, valid=valid)) == ()


def test_slow_and_short_takes_show_nothing() -> None:
    assert find_slips(make_take({"head": 0.1}, 0.001, rate=24.0)) == ()
    take = make_take({}, 1.0)
    assert find_slips(take.at(take.times[:5])) == ()
    assert find_slips(take.at(take.times[:1])) == ()


def test_a_slip_is_described() -> None:
    (text,) = describe_slips((Slip("left_foot", 12.34, 0.031),))
    assert text.startswith("left_foot slipped by 3 cm at 12.3 s")


def test_a_real_clip_has_no_slips(corpus: Path) -> None:
    motion = load_motion(corpus / "accad" / "Female1" / "Female1_A01_Stand.bvh.xz")
    assert find_slips(Take.from_motion(motion)) == ()
