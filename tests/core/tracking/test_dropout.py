# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole takes: glitches are left out from where they begin, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.formats import load_motion
from ssrhmr_core.tracking.dropout import mark_dropouts
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion
from tests.core.tracking.glitch_cases import (
    HEAD,
    LEFT_FOOT,
    LEFT_HAND,
    PELVIS,
    RIGHT_FOOT,
    fly_off,
    freeze,
    shake,
    shift,
    teleport,
)

SAMPLE = Path(__file__).parents[3] / "examples" / "sample_take.bvh"
ALL_TRACKERS = range(6)


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=420))


def lost_frames(take: Take, tracker: int) -> list[int]:
    valid = mark_dropouts(take).valid
    others = [other for other in ALL_TRACKERS if other != tracker]
    assert valid[:, others].all()
    return np.flatnonzero(~valid[:, tracker]).tolist()


def test_a_good_take_is_left_alone(take: Take) -> None:
    assert mark_dropouts(take) is take
    sample = Take.from_motion(load_motion(SAMPLE))
    assert mark_dropouts(sample) is sample


@pytest.mark.parametrize("frames", [1, 5, 20, 60])
@pytest.mark.parametrize("tracker", ALL_TRACKERS)
def test_a_teleport_is_marked(take: Take, tracker: int, frames: int) -> None:
    glitched = teleport(take, tracker, 100, frames, 1.6)
    assert lost_frames(glitched, tracker) == list(range(100, 100 + frames))


@pytest.mark.parametrize(("speed", "frames"), [(5.0, 12), (10.0, 12), (15.0, 10)])
@pytest.mark.parametrize("tracker", [PELVIS, LEFT_HAND, RIGHT_FOOT])
def test_a_fly_off_is_marked_from_where_it_begins(
    take: Take, tracker: int, speed: float, frames: int
) -> None:
    glitched = fly_off(take, tracker, 200, frames, speed)
    assert lost_frames(glitched, tracker) == list(range(200, 200 + frames))


@pytest.mark.parametrize("rate", [30.0, 120.0])
def test_a_fly_off_is_marked_at_any_rate(skeleton: Skeleton, rate: float) -> None:
    take = Take.from_motion(make_motion(skeleton, frames=int(7 * rate), rate=rate))
    frames = int(0.2 * rate)
    glitched = fly_off(take, LEFT_HAND, 100, frames, 10.0 * 60.0 / rate)
    assert lost_frames(glitched, LEFT_HAND) == list(range(100, 100 + frames))


def test_a_fly_off_that_begins_slowly_is_marked(take: Take) -> None:
    """It gains speed as a hand could, and only its end shows that no hand did it."""
    travel = 1.2 * np.linspace(0.0, 1.0, 25) ** 2
    positions = take.positions.copy()
    positions[200:225, LEFT_HAND, 0] += travel.astype(np.float32)
    marked = lost_frames(replace(take, positions=positions), LEFT_HAND)
    assert marked[-1] == 224 and marked == list(range(marked[0], 225))
    assert travel[marked[0] - 200] < 0.15, "metres that are not left out"


@pytest.mark.parametrize("seed", range(5))
def test_a_shake_is_marked_whole(take: Take, seed: int) -> None:
    assert lost_frames(shake(take, LEFT_FOOT, 150, 18, seed), LEFT_FOOT) == list(range(150, 168))


def test_several_glitches_of_one_tracker(take: Take) -> None:
    glitched = fly_off(teleport(take, LEFT_HAND, 100, 5, 1.0), LEFT_HAND, 130, 10, 8.0)
    marked = lost_frames(shake(glitched, LEFT_HAND, 180, 12, 1), LEFT_HAND)
    assert marked == [*range(100, 105), *range(130, 140), *range(180, 192)]


def test_a_tracker_that_stays_elsewhere_is_believed_in_the_end(take: Take) -> None:
    positions = take.positions.copy()
    positions[100:, HEAD] += (0.0, 0.0, 1.0)
    valid = mark_dropouts(replace(take, positions=positions)).valid[:, HEAD]
    assert valid[:100].all() and not valid[100:110].any() and valid[200:].all()


def test_a_frozen_tracker_is_marked_and_a_resting_one_is_not(take: Take) -> None:
    glitched = freeze(take, 101, 160, LEFT_HAND, LEFT_FOOT)
    positions = glitched.positions
    # The foot continues from where it rested, as keyed ones do; the hand is somewhere else by then.
    positions[160:, LEFT_FOOT] += positions[100, LEFT_FOOT] - positions[160, LEFT_FOOT]
    assert lost_frames(replace(glitched, positions=positions), LEFT_HAND) == list(range(101, 160))


def test_a_tracker_that_freezes_while_it_moves_is_marked(skeleton: Skeleton) -> None:
    """Even if it is where it was when it moves again."""
    take = Take.from_motion(make_motion(skeleton, frames=420))
    circle = 2.0 * np.pi * np.arange(420) / 30.0
    take.positions[:, LEFT_HAND, 0] += 0.2 * np.cos(circle).astype(np.float32)
    take.positions[:, LEFT_HAND, 1] += 0.2 * np.sin(circle).astype(np.float32)
    marked = lost_frames(freeze(take, 101, 131, LEFT_HAND), LEFT_HAND)
    assert marked == list(range(101, 131))


def test_linear_keys_with_a_hold_are_not_frozen(take: Take) -> None:
    times = np.arange(len(take))
    x = np.interp(times, [0, 100, 140, 240, 420], [0.0, 1.0, 1.0, 2.0, 2.0])
    take.positions[:, LEFT_HAND] = np.stack([x, 0 * x + 1.0, 0 * x], -1)
    take.rotations[:, LEFT_HAND] = (1.0, 0.0, 0.0, 0.0)
    assert mark_dropouts(take) is take


def test_a_cut_is_not_a_loss(take: Take) -> None:
    """A reference pose held at the beginning, then the action somewhere else."""
    positions, rotations = take.positions.copy(), take.rotations.copy()
    positions[:60], rotations[:60] = positions[0], rotations[0]
    positions[60:] += (1.0, 0.0, 0.5)
    cut = replace(take, positions=positions, rotations=rotations)
    assert mark_dropouts(cut) is cut


@pytest.mark.parametrize("recorded", [24.0, 30.0, 60.0])
@pytest.mark.parametrize("rate", [60.0, 90.0, 144.0, 240.0])
def test_a_cut_is_not_a_loss_when_it_is_sampled_finely(
    take: Take, recorded: float, rate: float
) -> None:
    """Finer clocks cross a cut in several steps."""
    positions = take.positions.copy()
    positions[60:] += (1.0, 0.0, 0.5)
    slow = Take(np.arange(420) / recorded, positions, take.rotations, take.valid)
    fine = slow.resampled(rate)
    assert mark_dropouts(fine) is fine


def test_kicks_and_punches_are_not_marked(take: Take) -> None:
    """From rest to 12 m/s within a tenth of a second, and stopped dead."""
    for tracker in (LEFT_HAND, LEFT_FOOT):
        speed = np.zeros(420)
        speed[200:206], speed[206:210] = np.linspace(2.0, 12.0, 6), 12.0
        speed[212:222] = -8.0
        speed[210:212], speed[222:224] = -3.0, -3.0
        take.positions[:, tracker, 2] += (np.cumsum(speed) / 60.0).astype(np.float32)
    assert mark_dropouts(take) is take


def test_a_take_that_begins_in_a_glitch(take: Take) -> None:
    assert lost_frames(teleport(take, HEAD, 0, 20, 1.0), HEAD) == list(range(20))


def test_a_cut_that_is_sampled_between_its_frames_is_a_cut(motion: Motion) -> None:
    """Blender samples scenes of 30 frames a second twice as often, and so in the middle of cuts."""
    ideal = Take.from_motion(motion)
    stands = np.concatenate([np.zeros(40, int), np.arange(60)])
    positions = ideal.positions[stands].copy()
    positions[:40] += np.array([0.4, 0.1, -0.2], np.float32)
    valid = np.ones((100, 6), bool)
    scene = Take(np.arange(100) / 30.0, positions, ideal.rotations[stands], valid)
    assert mark_dropouts(scene) is scene
    sampled = scene.at(np.arange(199) / 60.0)
    assert mark_dropouts(sampled) is sampled


def test_a_slow_fly_off_is_marked_from_where_it_begins(take: Take) -> None:
    """It is within what a foot can do until it snaps back, but leads out of the body's reach."""
    glitched = fly_off(take, LEFT_FOOT, 200, 29, 4.0)
    assert lost_frames(glitched, LEFT_FOOT) == list(range(200, 229))


@pytest.mark.parametrize("frames", [12, 25, 60])
def test_what_no_body_reaches_is_not_believed_between_two_jumps(take: Take, frames: int) -> None:
    """The head is at one wrong position, at another one, and at the first one again."""
    glitched = teleport(teleport(take, HEAD, 100, 2 * frames, 1.5), HEAD, 110, frames, 1.5)
    assert lost_frames(glitched, HEAD) == list(range(100, 100 + 2 * frames))


def test_a_first_wrong_reading_that_is_plausible_is_left_out_too(take: Take) -> None:
    away = np.array([[0.05], [0.5], [0.9], [0.6], [0.4]]) * np.array([1.0, 0.0, 0.0])
    glitched = shift(take, LEFT_HAND, 200, away)
    assert lost_frames(glitched, LEFT_HAND) == list(range(200, 205))


def test_large_bodies_with_glitches_are_not_out_of_reach(take: Take) -> None:
    giant = teleport(replace(take, positions=2.5 * take.positions), LEFT_HAND, 100, 10, 1.6)
    assert lost_frames(giant, LEFT_HAND) == list(range(100, 110))


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_trackers_with_hardly_any_readings_pass(take: Take, frames: int) -> None:
    take.valid[frames:, LEFT_FOOT] = False
    glitched = teleport(take, HEAD, 100, 20, 1.0)
    marked = mark_dropouts(glitched).valid
    assert not marked[100:120, HEAD].any() and marked[:frames, LEFT_FOOT].all()


@pytest.mark.parametrize("end", range(150, 162))
def test_a_fast_body_with_a_frozen_tracker_is_not_cut(take: Take, end: int) -> None:
    """All trackers accelerate by up to 80 m/s2 while one of them is read again."""
    swing = 0.13 * np.sin(2.0 * np.pi * 4.0 * take.times)
    take.positions[:, :, 1] += swing[:, None].astype(np.float32)
    glitched = freeze(take, 100, end, LEFT_HAND)
    assert not mark_dropouts(glitched).valid[100:end, LEFT_HAND].any()
