# SPDX-License-Identifier: GPL-3.0-or-later
"""Live frames: glitches are noticed as they come, and exact readings are believed at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.geometry.rotations import from_quat
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.tracking.dropout import mark_dropouts
from ssrhmr_core.tracking.gap_filling import GapFiller
from ssrhmr_core.tracking.live_dropout import LiveDropoutDetector
from ssrhmr_core.tracking.plausibility import limits_of
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion
from tests.core.tracking.glitch_cases import (
    HEAD,
    LEFT_FOOT,
    LEFT_HAND,
    PELVIS,
    fly_off,
    freeze,
    lose,
    shake,
    shift,
    teleport,
)


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=420))


def detect(take: Take, skeleton: Skeleton | None = None) -> np.ndarray:
    """Return what is believed (F, 6); with the body's help if there is a skeleton."""
    detector = LiveDropoutDetector()
    filler = GapFiller(load_weights(), skeleton) if skeleton else None
    matrices = from_quat(take.rotations)
    believed = np.zeros_like(take.valid)
    for frame in range(len(take)):
        believed[frame] = detector.frame(
            take.positions[frame], take.rotations[frame], take.valid[frame], filler
        )
        if filler:
            filler.frame(take.positions[frame], matrices[frame], believed[frame])
    return believed


def test_a_good_take_is_believed(take: Take, skeleton: Skeleton) -> None:
    assert detect(take).all() and detect(take, skeleton).all()


@pytest.mark.parametrize("frames", [1, 5, 20])
def test_teleports_are_noticed_as_in_whole_takes(take: Take, frames: int) -> None:
    glitched = teleport(take, LEFT_HAND, 100, frames, 1.6)
    np.testing.assert_array_equal(detect(glitched), mark_dropouts(glitched).valid)


@pytest.mark.parametrize("speed", [5.0, 10.0, 15.0])
@pytest.mark.parametrize("tracker", [PELVIS, HEAD, LEFT_HAND, LEFT_FOOT])
def test_a_fly_off_is_noticed_at_once_and_so_is_the_return(
    take: Take, skeleton: Skeleton, tracker: int, speed: float
) -> None:
    believed = detect(fly_off(take, tracker, 200, 12, speed), skeleton)[:, tracker]
    assert believed[:200].all() and not believed[200:212].any() and believed[214:].all()


@pytest.mark.parametrize("seed", range(4))
def test_a_shake_is_noticed(take: Take, skeleton: Skeleton, seed: int) -> None:
    believed = detect(shake(take, LEFT_FOOT, 150, 18, seed), skeleton)[:, LEFT_FOOT]
    assert believed[:150].all() and believed[150:168].sum() <= 1 and believed[171:].all()


def test_a_return_from_an_unnoticed_excursion_is_believed(take: Take, skeleton: Skeleton) -> None:
    """The pelvis leaves at a speed that it may have, and snaps back by 40 cm."""
    away = np.linspace(0.0, 0.4, 25)[:, None] * np.array([1.0, 0.0, 0.0])
    believed = detect(shift(take, PELVIS, 200, away), skeleton)[:, PELVIS]
    assert believed[228:].all()


def test_a_frozen_tracker_is_noticed_within_frames(take: Take) -> None:
    believed = detect(freeze(take, 101, 160, LEFT_HAND))
    assert believed[:101, LEFT_HAND].all() and not believed[106:160, LEFT_HAND].any()
    assert believed[165:, LEFT_HAND].all()
    others = [tracker for tracker in range(6) if tracker != LEFT_HAND]
    assert believed[:, others].all()


def test_sources_that_repeat_readings_are_believed(skeleton: Skeleton) -> None:
    """20 readings a second, each sent three times: that is no tracker that freezes and jumps."""
    take = Take.from_motion(make_motion(skeleton, frames=420))
    repeated = np.arange(420) // 3 * 3
    slow = replace(take, positions=take.positions[repeated], rotations=take.rotations[repeated])
    assert detect(slow)[60:].all()


def test_pauses_and_cuts_pass(take: Take) -> None:
    positions, rotations = take.positions.copy(), take.rotations.copy()
    positions[100:160], rotations[100:160] = positions[100], rotations[100]
    positions[200:] += (2.0, 0.0, 0.0)
    assert detect(replace(take, positions=positions, rotations=rotations)).all()


@pytest.mark.parametrize("recorded", [24.0, 30.0])
def test_a_cut_between_slow_readings_passes(take: Take, recorded: float) -> None:
    """The model's clock crosses it in two or three frames."""
    positions = take.positions.copy()
    positions[60:] += (2.0, 0.0, 0.0)
    slow = Take(np.arange(420) / recorded, positions, take.rotations, take.valid)
    assert detect(slow.resampled()).all()


def test_a_tracker_that_stays_elsewhere_is_believed_in_the_end(
    take: Take, skeleton: Skeleton
) -> None:
    away = np.tile([0.0, 0.0, 1.0], (320, 1))
    believed = detect(shift(take, HEAD, 100, away), skeleton)[:, HEAD]
    assert not believed[100:200].any() and believed[300:].all()


@pytest.mark.parametrize("frames", [1, 10, 60, 200])
def test_the_end_of_a_reported_loss_is_believed_at_once(
    take: Take, skeleton: Skeleton, frames: int
) -> None:
    believed = detect(lose(take, 100, 100 + frames, LEFT_FOOT), skeleton)[:, LEFT_FOOT]
    assert not believed[100 : 100 + frames].any() and believed[100 + frames + 5 :].all()


def test_noise_is_not_a_glitch(take: Take) -> None:
    random = np.random.default_rng(3)
    noise = 0.005 * random.standard_normal(take.positions.shape)
    noisy = replace(take, positions=(take.positions + noise).astype(np.float32))
    assert detect(noisy).mean() > 0.995


def test_a_tracker_that_leaves_the_reach_of_the_body_is_lost(
    take: Take, skeleton: Skeleton
) -> None:
    """At a speed that a foot may have; when it snaps back it is believed within frames."""
    away = np.cumsum(np.linspace(0.0, 5.0, 40))[:, None] / 60.0 * np.array([1.0, 0.0, 0.0])
    believed = detect(shift(take, LEFT_FOOT, 200, away), skeleton)
    assert believed[:210, LEFT_FOOT].all() and not believed[235:240, LEFT_FOOT].any()
    assert believed[243:, LEFT_FOOT].all()
    assert believed[:, [tracker for tracker in range(6) if tracker != LEFT_FOOT]].all()


def test_a_pelvis_that_leaves_is_lost_rather_than_everything_else(
    take: Take, skeleton: Skeleton
) -> None:
    away = np.cumsum(np.linspace(0.0, 5.0, 40))[:, None] / 60.0 * np.array([1.0, 0.0, 0.0])
    believed = detect(shift(take, PELVIS, 200, away), skeleton)
    assert not believed[238:240, PELVIS].any() and believed[245:, PELVIS].all()
    assert believed[:, PELVIS + 1 :].mean() > 0.99


def test_bodies_beyond_all_reach_are_believed_in_the_end(skeleton: Skeleton) -> None:
    """Trackers of a giant are lost a few times, while nothing says how large it is."""
    take = Take.from_motion(make_motion(skeleton, frames=900))
    believed = detect(replace(take, positions=1.6 * take.positions))
    assert believed[700:].all() and believed.mean() > 0.75


def test_bodies_known_to_be_large_reach_farther(skeleton: Skeleton) -> None:
    giant = skeleton.scaled(1.45)
    assert detect(Take.from_motion(make_motion(giant, frames=900)), giant).all()


def test_a_moving_tracker_is_frozen_at_once(take: Take) -> None:
    """It would be centimetres farther within a frame, and this source never repeats readings."""
    take.positions[:, :, 0] += 0.05 * np.arange(420, dtype=np.float32)[:, None]
    believed = detect(freeze(take, 101, 130, LEFT_HAND))[:, LEFT_HAND]
    assert believed[:101].all() and not believed[101:130].any()


def test_a_second_jump_soon_after_a_right_return_is_refused(take: Take, skeleton: Skeleton) -> None:
    twice = teleport(teleport(take, LEFT_HAND, 100, 3, 0.7), LEFT_HAND, 112, 25, 0.9)
    believed = detect(twice, skeleton)[:, LEFT_HAND]
    assert not believed[100:103].any() and believed[104:112].all()
    assert not believed[112:137].any() and believed[140:].all()


@pytest.mark.parametrize("frames", [20, 80])
def test_a_reported_loss_ends_soon_even_far_from_the_prediction(
    take: Take, skeleton: Skeleton, frames: int
) -> None:
    metres = 1.2 * limits_of(HEAD).uncertainty_limit
    moved = shift(take, HEAD, 100, np.tile([0.0, 0.0, metres], (320, 1)))
    believed = detect(lose(moved, 100, 100 + frames, HEAD), skeleton)[:, HEAD]
    assert not believed[100 : 100 + frames].any() and believed[106 + frames :].all()
