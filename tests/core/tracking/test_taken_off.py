# SPDX-License-Identifier: GPL-3.0-or-later
"""Trackers that were taken off are found, told, and left out; those that are worn are not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats import load_motion
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.tracking.take import Take
from ssrhmr_core.tracking.taken_off import (
    TakenOff,
    describe_taken_off,
    find_taken_off,
    leave_out,
)

SAMPLE = Path(__file__).parents[3] / "examples" / "sample_take.bvh"
EVERY = (*TRACKERS, *EXTRA_TRACKERS)
OFF = 10.0
"""Seconds at which a tracker is taken off: the performer walks then."""
PLACES = {"table": (0.5, 0.75, 0.4), "floor": (-0.3, 0.03, 0.5)}
"""Metres from the performer, who is on the floor below the hips."""


@cache
def performance() -> Motion:
    """Twenty seconds of walking and standing."""
    return load_motion(SAMPLE).resampled().part(slice(0, 1200))


def wear(roles: tuple[str, ...] = ()) -> Take:
    """Ideal trackers of the performance."""
    return Take.from_motion(performance(), roles)


def lay_down(take: Take, role: str, place: str, carried: float, again: float = np.inf) -> float:
    """Let a tracker lie about from ten seconds on, changed in place; return when it lies there.

    Args:
        take: The take.
        role: The tracker.
        place: Where it is laid down.
        carried: Seconds for which it is carried there; 0 to jump.
        again: Seconds at which it jumps back onto the body.
    """
    index = EVERY.index(role)
    poses = take if index < len(TRACKERS) else take.extras
    assert poses is not None
    row = index if index < len(TRACKERS) else index - len(TRACKERS)
    random = np.random.default_rng(8)
    begin = int(np.searchsorted(take.times, OFF))
    end = int(np.searchsorted(take.times, again))
    count = end - begin
    goal = performance().root[begin] * (1.0, 0.0, 1.0) + PLACES[place]
    way = np.clip(np.arange(count) / 60.0 / max(carried, 1e-6), 0.0, 1.0)[:, None]
    way = way * way * (3.0 - 2.0 * way)
    path = poses.positions[begin, row] + way * (goal - poses.positions[begin, row])
    path += 0.0003 * random.standard_normal((count, 3))
    turns = quat.from_scaled_angle_axis(0.001 * random.standard_normal((count, 3)))
    rotation = np.broadcast_to(poses.rotations[begin, row].astype(float), (count, 4))
    poses.positions[begin:end, row] = path.astype(np.float32)
    poses.rotations[begin:end, row] = quat.mul(rotation, turns).astype(np.float32)
    return OFF + carried


@pytest.mark.parametrize("carried", [0.0, 1.0])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("role", EVERY)
def test_a_tracker_that_lies_about_is_found(role: str, place: str, carried: float) -> None:
    take = wear((role,) if role in EXTRA_TRACKERS else ())
    lies = lay_down(take, role, place, carried)
    (found,) = find_taken_off(take, performance().skeleton)
    assert found.tracker == role and np.isinf(found.end)
    assert found.begin == pytest.approx(lies, abs=0.2)


def test_all_that_is_worn_is_believed() -> None:
    assert find_taken_off(wear(EXTRA_TRACKERS), performance().skeleton) == ()


@pytest.mark.parametrize(
    "six", [("head", "left_hand", "right_hand"), ("pelvis", "head", "left_hand", "right_hand")]
)
def test_fewer_that_are_worn_are_believed_and_others_found(six: tuple[str, ...]) -> None:
    worn = np.isin(TRACKERS, six)
    take = wear()
    assert find_taken_off(take.with_masks(take.valid & worn, take.valid & worn)) == ()
    lay_down(take, "left_hand", "table", 1.0)
    found = find_taken_off(take.with_masks(take.valid & worn, take.valid & worn))
    assert [each.tracker for each in found] == ["left_hand"]


def test_somebody_who_sits_and_waves_wears_all() -> None:
    """Neither does a head that looks ahead, nor does a hand on a desk while others move."""
    take = wear().part(slice(0, 600))
    take.positions[:] = take.positions[:1]
    take.rotations[:] = take.rotations[:1]
    wave = 0.4 * np.sin(3.0 * take.times)
    take.positions[:, TRACKERS.index("left_hand"), 0] += wave
    assert find_taken_off(take) == ()
    take.positions[:, TRACKERS.index("right_hand"), 2] += wave
    assert find_taken_off(take) == ()
    # Leaning forward moves the head alone.
    take.positions[:, TRACKERS.index("head"), 2] += wave
    assert find_taken_off(take) == ()


def shift(way: float, *planted: str, trembles: bool = False) -> Take:
    """Shift the performer, who does not move otherwise, but for some trackers.

    Args:
        way: Metres to the left.
        planted: Trackers that stay where they are.
        trembles: Whether they do so as sensors have it, not exactly.
    """
    take = wear().part(slice(0, 600))
    take.positions[:] = take.positions[:1]
    take.rotations[:] = take.rotations[:1]
    others = ~np.isin(TRACKERS, planted)
    take.positions[:, others, 0] += np.clip(0.3 * take.times, 0.0, way)[:, None]
    if trembles:
        noise = np.random.default_rng(4).standard_normal((len(take), (~others).sum(), 3))
        take.positions[:, ~others] += (0.0003 * noise).astype(np.float32)
    return take


@pytest.mark.parametrize(
    ("role", "worn", "reach"), [("left_hand", 0.6, 1.3), ("right_foot", 1.0, 2.0)]
)
def test_what_is_keyed_may_stay_planted_as_far_as_limbs_reach(
    role: str, worn: float, reach: float
) -> None:
    """A hand on a rail while the body, or the tram around it, goes on; a lunge."""
    for trembles, way in ((True, worn), (False, reach)):
        assert find_taken_off(shift(way, role, trembles=trembles)) == ()
        farther = find_taken_off(shift(way + 0.3, role, trembles=trembles))
        assert [each.tracker for each in farther] == [role]


def test_all_that_is_keyed_to_a_seat_may_stay_there() -> None:
    """The trunk leans from one side to the other and a leg swings; a vehicle moves all alike."""
    seated = shift(0.9, "pelvis", "left_foot", "left_hand", "right_hand")
    assert find_taken_off(seated) == ()
    drive = np.zeros((600, 1, 3), np.float32)
    drive[:, 0, 2] = 20.0 * seated.times
    assert find_taken_off(replace(seated, positions=seated.positions + drive)) == ()
    # A swivel chair turns with all that is on it, over feet that stand.
    chair = shift(0.0, *TRACKERS)
    angles = 2.0 * np.sin(chair.times)
    turns = quat.from_angle_axis(angles[:, None], np.array([0.0, 1.0, 0.0]))
    middle, feet = chair.positions[0, 0], [4, 5]
    for tracker in np.setdiff1d(np.arange(6), feet):
        away = chair.positions[:, tracker].astype(np.float64) - middle
        chair.positions[:, tracker] = quat.mul_vec(turns, away) + middle
        chair.rotations[:, tracker] = quat.mul(turns, chair.rotations[:, tracker].astype(float))
    assert find_taken_off(chair) == ()
    # Somebody on a swing kicks off the ground with one foot.
    swing = shift(0.0, *TRACKERS)
    swing.positions[:, :5, 2] += (0.7 * np.sin(2.0 * swing.times))[:, None]
    assert find_taken_off(swing) == ()


def test_a_tracker_that_is_handed_to_somebody_blames_no_other() -> None:
    """The one who hands it over stands still; the pelvis' tracker walks away."""
    take = wear().part(slice(0, 600))
    others = np.arange(6) != TRACKERS.index("pelvis")
    take.positions[:, others] = take.positions[:1, others]
    take.positions[:, 0, 0] += np.clip(take.times - 2.0, 0.0, 3.0)
    assert find_taken_off(take) == ()


def test_what_lies_about_shows_nothing_of_others() -> None:
    take = wear()
    lay_down(take, "pelvis", "table", 0.0)
    lay_down(take, "left_hand", "table", 1.0)
    assert {each.tracker for each in find_taken_off(take)} == {"pelvis", "left_hand"}


def test_a_tracker_that_is_put_on_again_counts_again() -> None:
    take = wear()
    lay_down(take, "left_hand", "table", 1.0, again=15.0)
    (found,) = find_taken_off(take, performance().skeleton)
    assert found.begin == pytest.approx(11.0, abs=0.2) and 15.0 < found.end < 17.5
    left = leave_out(take, (found,))
    hand = left.valid[:, TRACKERS.index("left_hand")]
    # From before it was laid down, until it is certainly worn.
    expected = (take.times < found.begin - 1.0) | (take.times > found.end)
    np.testing.assert_array_equal(hand, expected)
    assert left.valid[:, TRACKERS.index("head")].all()


@pytest.mark.parametrize("role", ["right_foot", "left_elbow"])
def test_before_a_tracker_freezes_it_is_worn(role: str) -> None:
    take = wear(("left_elbow",))
    poses, row = (take, 5) if role in TRACKERS else (take.extras, 3)
    assert poses is not None and EVERY[row + 6 * (role not in TRACKERS)] == role
    begin = int(np.searchsorted(take.times, OFF))
    poses.positions[begin:, row] = poses.positions[begin, row]
    poses.rotations[begin:, row] = poses.rotations[begin, row]
    left = leave_out(take, find_taken_off(take, performance().skeleton))
    seen = left if role in TRACKERS else left.extras
    assert seen is not None
    kept = seen.has_position
    assert kept[: begin - 15, row].all() and not kept[begin + 6 :, row].any()


def test_rates_do_not_matter() -> None:
    take = wear()
    lay_down(take, "right_hand", "table", 0.0)
    for rate in (24.0, 30.0, 250.0):
        (found,) = find_taken_off(take.resampled(rate), performance().skeleton)
        assert found.tracker == "right_hand" and found.begin == pytest.approx(OFF, abs=0.2)


def test_words() -> None:
    assert describe_taken_off(TakenOff("left_hand", 10.04, np.inf)) == (
        "left_hand lies still from 10.0 s while the body moves, as if it were taken off: it does"
        " not count there"
    )
    named = describe_taken_off(TakenOff("head", 1.0, 2.0), lambda time: f"frame {time:.0f}")
    assert named.startswith("head lies still from frame 1 to frame 2 while")


def mean_error(take: Take) -> np.ndarray:
    """Bake, and return errors (F,), means over the joints in metres."""
    result = Reconstructor(performance().skeleton).clip(take)
    away = np.linalg.norm(result.positions() - performance().positions(), axis=-1)
    mean: np.ndarray = away.mean(1)
    return mean


@pytest.mark.parametrize("role", TRACKERS)
def test_bakes_are_as_if_it_were_lost(role: str) -> None:
    take = wear()
    lost = replace(
        take, valid=take.valid & ((take.times < OFF)[:, None] | (EVERY.index(role) != np.arange(6)))
    )
    lies = wear()
    lay_down(lies, role, "table", 1.0)
    assert np.abs(mean_error(lies) - mean_error(lost)).max() < 0.02


@pytest.mark.parametrize("unit", [1.0, 100.0])
@pytest.mark.parametrize("role", ["pelvis", "left_hand", "right_foot", "chest", "left_knee"])
def test_live_it_is_told_and_fades(role: str, unit: float) -> None:
    take = wear((role,) if role in EXTRA_TRACKERS else ())
    lay_down(take, role, "table", 0.0)
    take = replace(
        take,
        positions=take.positions * np.float32(unit),
        extras=take.extras and take.extras.scaled(unit),
    )
    body = Reconstructor(performance().skeleton.scaled(unit))
    told = None
    joints = []
    for frame, time in enumerate(take.times):
        rotations, root = body.frame(
            take.positions[frame], take.rotations[frame], take.valid[frame], take.extras_at(frame)
        )
        pose = Motion(body.skeleton, np.zeros(1), rotations[None], root[None])
        joints.append(pose.positions()[0] / unit)
        if told is None and body.lying:
            told = time
            assert body.lying == (role,)
    assert told is not None and OFF < told < OFF + 3.0
    assert body.believed[: len(TRACKERS)].all() == (role in EXTRA_TRACKERS)
    away = np.linalg.norm(np.array(joints) - performance().positions(), axis=-1).mean(1)
    late = take.times > told + 0.5
    assert away[late].mean() < 0.03
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(1) * 60.0
    assert steps[take.times[1:] > told - 0.1].max() < 8.0
