# SPDX-License-Identifier: GPL-3.0-or-later
"""Implausible readings of optional trackers are left out of whole takes, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.formats import load_motion
from ssrhmr_core.tracking.dropout import (
    describe_ignored_extra,
    find_ignored_extras,
    mark_dropouts,
)
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

SAMPLE = Path(__file__).parents[4] / "examples" / "sample_take.bvh"
INDICES = {name: index for index, name in enumerate(EXTRA_TRACKERS)}


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=420), EXTRA_TRACKERS)


def change(take: Take, spoil: Callable[[ExtraReadings], None]) -> Take:
    assert take.extras is not None
    readings = ExtraReadings.concatenate([take.extras])
    spoil(readings)
    return replace(take, extras=readings)


def find_lost(take: Take, tracker: str, body: Skeleton | None) -> list[int]:
    """The frames in which a tracker is lost; all others and the six are believed throughout."""
    cleaned = mark_dropouts(take, body)
    assert cleaned.extras is not None and cleaned.valid.all()
    placed, turned = cleaned.extras.has_position, cleaned.extras.has_rotation
    np.testing.assert_array_equal(placed, turned)
    assert np.delete(placed, INDICES[tracker], 1).all()
    return np.flatnonzero(~placed[:, INDICES[tracker]]).tolist()


def test_good_takes_are_left_alone(take: Take, skeleton: Skeleton) -> None:
    assert mark_dropouts(take, skeleton) is take
    assert find_ignored_extras(take, mark_dropouts(take, skeleton)) == ()
    motion = load_motion(SAMPLE)
    sample = Take.from_motion(motion, EXTRA_TRACKERS)
    assert mark_dropouts(sample, motion.skeleton) is sample
    plain = replace(take, extras=None)
    assert mark_dropouts(plain, skeleton) is plain
    assert find_ignored_extras(plain, plain) == ()


@pytest.mark.parametrize("name", ["chest", "left_elbow", "right_knee", "left_toe"])
@pytest.mark.parametrize("frames", [1, 5, 40])
def test_a_leap_is_marked(take: Take, skeleton: Skeleton, name: str, frames: int) -> None:
    def leap(readings: ExtraReadings) -> None:
        readings.positions[100 : 100 + frames, INDICES[name], 1] += 0.9

    for body in (None, skeleton):
        lost = find_lost(change(take, leap), name, body)
        assert lost == list(range(100, 100 + frames))


def test_a_frozen_tracker_is_marked(take: Take) -> None:
    def freeze(readings: ExtraReadings) -> None:
        tracker = INDICES["left_knee"]
        readings.positions[101:160, tracker] = readings.positions[100, tracker]
        readings.rotations[101:160, tracker] = readings.rotations[100, tracker]

    assert find_lost(change(take, freeze), "left_knee", None) == list(range(101, 160))


def test_a_frozen_imu_is_marked(take: Take) -> None:
    def freeze(readings: ExtraReadings) -> None:
        readings.has_position[:] = False
        tracker = INDICES["left_elbow"]
        readings.rotations[101:180, tracker] = readings.rotations[100, tracker]
        readings.positions[:] = np.nan

    cleaned = mark_dropouts(change(take, freeze)).extras
    assert cleaned is not None
    lost = np.flatnonzero(~cleaned.has_rotation[:, INDICES["left_elbow"]])
    assert lost.tolist() == list(range(101, 180))
    assert np.delete(cleaned.has_rotation, INDICES["left_elbow"], 1).all()


def test_a_place_out_of_reach_is_marked(take: Take, skeleton: Skeleton) -> None:
    """An elbow that glides away from its wrist, no faster than elbows are."""

    def glide(readings: ExtraReadings) -> None:
        away = np.interp(np.arange(420), [100, 140, 200, 240], [0.0, 0.8, 0.8, 0.0])
        readings.positions[:, INDICES["left_elbow"], 0] += away.astype(np.float32)

    gliding = change(take, glide)
    assert find_lost(gliding, "left_elbow", None) == []
    lost = find_lost(gliding, "left_elbow", skeleton)
    assert set(range(140, 200)) <= set(lost) <= set(range(101, 240))


def test_the_trunk_limits_an_elbow_without_its_hand(take: Take, skeleton: Skeleton) -> None:
    def glide(readings: ExtraReadings) -> None:
        away = np.interp(np.arange(420), [100, 140, 200, 240], [0.0, 1.5, 1.5, 0.0])
        readings.positions[:, INDICES["left_elbow"], 0] += away.astype(np.float32)

    gliding = change(take, glide)
    gliding.valid[:, 2] = False
    cleaned = mark_dropouts(gliding, skeleton).extras
    assert cleaned is not None
    assert not cleaned.has_position[140:200, INDICES["left_elbow"]].any()


def test_a_tracker_left_on_a_table_is_ignored(take: Take, skeleton: Skeleton) -> None:
    def put_down(readings: ExtraReadings) -> None:
        noise = 0.001 * np.random.default_rng(3).standard_normal((420, 3))
        readings.positions[:, INDICES["left_knee"]] = noise + np.array([9.0, 0.8, 2.0])

    left = change(take, put_down)
    assert find_lost(left, "left_knee", skeleton) == list(range(420))
    (ignored,) = find_ignored_extras(left, mark_dropouts(left, skeleton))
    assert describe_ignored_extra(ignored).startswith("left_knee is ignored")


def test_swapped_twins_are_out_of_reach(take: Take, skeleton: Skeleton) -> None:
    """Arms are far enough apart most of the time."""

    def swap(readings: ExtraReadings) -> None:
        left, right = INDICES["left_elbow"], INDICES["right_elbow"]
        readings.positions[:, [left, right]] = readings.positions[:, [right, left]]

    swapped = change(take, swap)
    cleaned = mark_dropouts(swapped, skeleton).extras
    assert cleaned is not None and {"left_elbow", "right_elbow"}.isdisjoint(cleaned.worn)


def test_a_cut_is_no_leap(take: Take, skeleton: Skeleton) -> None:
    assert take.extras is not None
    positions = take.positions.copy()
    positions[200:] += np.float32(1.5)

    def cut(readings: ExtraReadings) -> None:
        readings.positions[200:] += np.float32(1.5)

    moved = change(replace(take, positions=positions), cut)
    assert mark_dropouts(moved, skeleton) is moved


@pytest.mark.parametrize("size", [0.7, 1.0, 1.3])
def test_bodies_of_other_builds_are_believed(skeleton: Skeleton, size: float) -> None:
    """A performer of another size than the character, calibrated in one pose."""
    motion = make_motion(skeleton.scaled(size), frames=300)
    take = Take.from_motion(motion, EXTRA_TRACKERS)
    assert mark_dropouts(take, skeleton.scaled(max(size, 1.0))) is take
