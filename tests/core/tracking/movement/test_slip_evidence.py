# SPDX-License-Identifier: GPL-3.0-or-later
"""Slips are taken back where the movement bears them out, and left where it cannot or denies it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import TRACKERS, Skeleton
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_mounts
from ssrhmr_core.evaluation.worn.movement import (
    draw_habits,
    hold_reference,
    make_guided_movement,
)
from ssrhmr_core.tracking.calibration import Calibration, CalibrationOptions, calibrate_at_stillest
from ssrhmr_core.tracking.movement.calibration import MovementOptions, calibrate_from_movement
from ssrhmr_core.tracking.movement.slip_evidence import (
    CorrectedTake,
    correct_slips,
    correct_slips_in_steps,
)
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_skeleton

SECONDS, MIDDLE = 20.0, 10.0


@dataclass(frozen=True, eq=False)
class Session:
    """A performer whose straps hold, and how the reference pose calibrates the trackers."""

    body: Skeleton
    mounts: Mounts
    reference: Take
    take: Take
    calibration: Calibration

    def slip(self, role: str, offset: tuple[float, float, float], at: float = MIDDLE) -> Take:
        """Return the take in which a tracker slips along its own axes."""
        tracker, positions = TRACKERS.index(role), self.take.positions.copy()
        after = self.take.times >= at
        rotations = self.take.rotations[after, tracker].astype(np.float64)
        positions[after, tracker] += quat.mul_vec(rotations, np.array([offset])).astype("f4")
        return replace(self.take, positions=positions)

    def hold(self, take: Take) -> CorrectedTake:
        return correct_slips(self.body, take, self.calibration)


@cache
def session(seed: int = 2) -> Session:
    random, body = np.random.default_rng([seed, 11]), make_skeleton()
    mounts, habits = draw_mounts(body, random), draw_habits(random)
    reference = mounts.to_trackers(Take.from_motion(hold_reference(body, habits, 0.0, random)))
    motion = make_guided_movement(body, habits, random)
    calibration, _ = calibrate_at_stillest(body, reference, CalibrationOptions("MATCH"))
    take = mounts.to_trackers(Take.from_motion(motion))
    take = take.part(np.flatnonzero(take.times <= SECONDS))
    return Session(body, mounts, reference, take, calibration)


def away(take: Take, role: str) -> float:
    """Return how far a tracker is from where it would be if it had held, after the slip, metres."""
    own, tracker = session(), TRACKERS.index(role)
    after = own.take.times > MIDDLE + 0.2
    distances = np.linalg.norm(take.positions - own.take.positions, axis=-1)
    return float(distances[after, tracker].mean())


@pytest.mark.parametrize("role", ("pelvis", "head", "left_hand", "right_foot"))
def test_a_slip_is_taken_back(role: str) -> None:
    held = session().hold(session().slip(role, (0.03, 0.0, -0.03)))
    (correction,) = held.corrections
    assert correction.slip.tracker == role
    assert correction.slip.time == pytest.approx(MIDDLE, abs=0.06)
    assert not held.left and away(held.take, role) < 0.006


def test_straps_that_hold_are_left_alone() -> None:
    held = session().hold(session().take)
    assert held.take is session().take and held.corrections == () and held.left == ()


def test_a_take_without_the_slip_refines_better() -> None:
    own, errors = session(), []
    slipped = own.slip("pelvis", (0.0, 0.05, 0.0))
    for take in (slipped, own.hold(slipped).take):
        options = MovementOptions(guided=False)
        result = calibrate_from_movement(own.body, own.reference, take, own.calibration, options)
        assert result.refined
        true = own.mounts.mount_offsets()[0]
        errors.append(np.linalg.norm(result.calibration.mount_offsets[0] - true))
    assert errors[1] < errors[0]


def test_a_pelvis_that_stays_where_it_was_is_left() -> None:
    """It jumps, and drifts back within two seconds: the strap held, the tracking did not."""
    own = session()
    slipped = own.slip("pelvis", (0.06, 0.06, 0.0))
    share = np.clip(1.0 - (own.take.times - MIDDLE - 0.7) / 1.3, 0.0, 1.0)[:, None, None]
    back = share * (slipped.positions - own.take.positions)
    held = own.hold(replace(slipped, positions=(own.take.positions + back).astype("f4")))
    assert held.corrections == () and [slip.tracker for slip in held.left] == ["pelvis"]


def test_trackers_that_jump_together_are_left() -> None:
    own = session()
    positions = own.slip("left_hand", (0.05, 0.0, 0.0)).positions.copy()
    head = TRACKERS.index("head")
    positions[:, head] = own.slip("head", (0.05, 0.0, 0.0)).positions[:, head]
    held = own.hold(replace(own.take, positions=positions))
    assert held.corrections == () and len(held.left) == 2


@pytest.mark.parametrize("at", (2.5, SECONDS - 2.5))
def test_a_part_that_is_too_short_to_tell_is_left(at: float) -> None:
    held = session().hold(session().slip("pelvis", (0.05, 0.0, 0.0), at))
    assert held.corrections == () and len(held.left) == 1


def test_a_slip_that_is_left_bounds_what_tells_of_the_next() -> None:
    """The second is taken back although the part before it begins with another mount."""
    own = session()
    first = own.slip("left_hand", (0.0, 0.0, 0.08), 2.5)
    both = replace(own, take=first).slip("left_hand", (0.05, 0.0, 0.0))
    held = own.hold(both)
    (left,), (correction,) = held.left, held.corrections
    assert left.time == pytest.approx(2.5, abs=0.06)
    assert correction.slip.time == pytest.approx(MIDDLE, abs=0.06)


def test_slips_before_the_reference_pose_are_left() -> None:
    own = session()
    take = own.slip("pelvis", (0.05, 0.0, 0.0))
    results: list[CorrectedTake] = []

    def keep() -> Iterator[float]:
        since = MIDDLE + 3.0
        results.append((yield from correct_slips_in_steps(own.body, take, own.calibration, since)))

    assert list(keep()) == [0.0]
    (held,) = results
    assert held.take is take and held.corrections == () and len(held.left) == 1


def test_swapped_trackers_are_left_as_they_are() -> None:
    own = session()
    take = own.slip("pelvis", (0.05, 0.0, 0.0))
    swapped = replace(own.calibration, swapped=("hands",))
    held = correct_slips(own.body, take, swapped)
    assert held.take is take and held.corrections == () and len(held.left) == 1
