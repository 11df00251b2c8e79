# SPDX-License-Identifier: GPL-3.0-or-later
"""Corrections of lost trackers that the take itself teaches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.interpolation import MODEL_RATE
from ssrhmr_core.body.skeleton import Skeleton
from ssrhmr_core.geometry.rotations import from_rotvec
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.tracking import gap_corrections
from ssrhmr_core.tracking.gap_corrections import (
    SEAMLESS,
    Corrections,
    Gap,
    find_gaps,
    mark_seamless,
)
from ssrhmr_core.tracking.gap_filling import GapFiller
from ssrhmr_core.tracking.past_readings import MEMORY, Readings
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion
from tests.core.tracking.glitch_cases import HEAD, LEFT_FOOT, LEFT_HAND, PELVIS, lose

HAND = np.arange(6) == LEFT_HAND


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=900))


def readings_of(take: Take, lost: np.ndarray | None = None) -> Readings:
    known = take.valid.copy() if lost is None else ~lost
    return Readings(take.positions, quat.to_matrix(take.rotations).astype(np.float32), known)


def lose_hand(take: Take, begin: int, end: int) -> np.ndarray:
    lost = np.zeros(take.valid.shape, bool)
    lost[begin:end, LEFT_HAND] = True
    return lost


class HabitualNet:
    """Predicts a hand wrongly: by the same step and turn always, and by the height of the head."""

    def __init__(self, take: Take) -> None:
        self._take = readings_of(take)
        self.seen: list[Readings] = []

    def predict(self, history: Readings) -> tuple[np.ndarray, np.ndarray]:
        self.seen.append(history)
        heads = history.positions[:, 0, HEAD]
        distances = [
            np.linalg.norm(self._take.positions[:, HEAD] - head, axis=-1) for head in heads
        ]
        truth = self._take.part(np.array([distance.argmin() for distance in distances]))
        positions, rotations = truth.positions.copy(), truth.rotations.copy()
        positions[:, LEFT_HAND, 1] += 0.1 + 0.5 * (heads[:, 1] - 1.6)
        turn = from_rotvec(np.array([0.0, 0.4, 0.0], np.float32))
        rotations[:, LEFT_HAND] = turn @ rotations[:, LEFT_HAND]
        return positions, rotations


def correct(
    take: Take, begin: int, end: int, causal: bool, until: int | None = None
) -> tuple[np.ndarray, np.ndarray, Corrections]:
    """Return errors of positions, metres, and of rotations in a gap."""
    net, lost = HabitualNet(take), lose_hand(take, begin, end)
    readings = readings_of(take, lost).part(slice(until))
    gap = Gap(HAND, np.arange(begin, end))
    corrections = Corrections.learn(readings, gap, causal, net.predict, 1.7)
    assert corrections is not None
    frames = np.arange(begin, end)
    positions, rotations = corrections.apply(
        readings_of(take, lost).before(frames), frames / MODEL_RATE, net.predict
    )
    truth = readings_of(take)
    assert all(not history.known[..., LEFT_HAND].any() for history in net.seen), "it is hidden"
    return (
        np.linalg.norm(positions[:, LEFT_HAND] - truth.positions[frames, LEFT_HAND], axis=-1),
        np.abs(rotations[:, LEFT_HAND] - truth.rotations[frames, LEFT_HAND]).max((1, 2)),
        corrections,
    )


@pytest.mark.parametrize("causal", [False, True])
def test_habits_are_learned(take: Take, causal: bool) -> None:
    steps, turns, corrections = correct(take, 600, 700, causal)
    np.testing.assert_array_equal(corrections.corrected, HAND)
    assert steps.max() < 0.035 and steps.mean() < 0.02, "it was a decimetre"
    assert turns.max() < 0.1, "it was 0.4"


def test_a_whole_take_meets_both_ends(take: Take) -> None:
    steps, _, corrections = correct(take, 600, 700, causal=False)
    assert max(steps[0], steps[-1]) < 0.002
    assert corrections.meets(LEFT_HAND, 599) and corrections.meets(LEFT_HAND, 700)
    assert not corrections.meets(LEFT_HAND, 590)


def test_live_use_knows_nothing_of_what_follows(take: Take) -> None:
    until_then = correct(take, 600, 700, causal=True, until=601)
    with_the_rest = correct(take, 600, 700, causal=True)
    np.testing.assert_array_equal(until_then[0], with_the_rest[0])
    assert not with_the_rest[2].meets(LEFT_HAND, 700)


def test_live_use_remembers_a_minute(skeleton: Skeleton) -> None:
    """What was before it teaches nothing."""
    long = Take.from_motion(make_motion(skeleton, frames=MEMORY + 900))
    changed = replace(long, positions=long.positions.copy())
    changed.positions[:200, LEFT_HAND] += 1.0
    net, begin = HabitualNet(long), MEMORY + 600
    results = []
    for own in (long, changed):
        gap = Gap(HAND, np.arange(begin, begin + 60))
        lost = lose_hand(own, begin, begin + 60)
        learned = Corrections.learn(readings_of(own, lost), gap, True, net.predict, 1.7)
        assert learned is not None
        history = readings_of(own, lost).before(gap.frames)
        results.append(learned.apply(history, gap.frames / MODEL_RATE, net.predict)[0])
    np.testing.assert_array_equal(results[0], results[1])


def test_too_little_teaches_nothing(take: Take) -> None:
    net = HabitualNet(take)
    lost = lose_hand(take, 40, len(take))
    gap = Gap(HAND, np.arange(40, len(take)))
    assert Corrections.learn(readings_of(take, lost), gap, False, net.predict, 1.7) is None
    assert not net.seen


def test_frames_without_the_others_teach_nothing(take: Take) -> None:
    """A hand that is predicted without the head says nothing of one that is predicted with it."""
    net, lost = HabitualNet(take), lose_hand(take, 600, 700)
    lost[:300, HEAD] = True
    gap = Gap(HAND, np.arange(600, 700))
    Corrections.learn(readings_of(take, lost), gap, False, net.predict, 1.7)
    assert all(history.known[:, 0, HEAD].all() for history in net.seen)


def test_a_correction_is_never_larger_than_an_error_that_was_seen(take: Take) -> None:
    net, lost = HabitualNet(take), lose_hand(take, 600, 700)
    gap = Gap(HAND, np.arange(600, 700))
    readings = readings_of(take, lost)
    corrections = Corrections.learn(readings, gap, False, net.predict, 1.7)
    assert corrections is not None
    history = readings.before(gap.frames)
    seconds = gap.frames / MODEL_RATE
    corrected = corrections.apply(history, seconds, net.predict)[0][:, LEFT_HAND]
    plain = net.predict(history)[0][:, LEFT_HAND]
    known = np.flatnonzero(~lost[:, LEFT_HAND])
    seen = net.predict(readings.before(known))[0][:, LEFT_HAND] - take.positions[known, LEFT_HAND]
    largest = np.linalg.norm(seen, axis=-1).max()
    assert np.linalg.norm(corrected - plain, axis=-1).max() < largest + 1e-5


def test_a_long_take_costs_no_more_than_a_short_one(skeleton: Skeleton) -> None:
    long = Take.from_motion(make_motion(skeleton, frames=6000))
    lost = lose_hand(long, 3000, 3100)
    # And a hand that is lost in every other frame for twenty seconds.
    lost[3200:4400:2, LEFT_HAND] = True
    for gap in find_gaps(lost, causal=False):
        net = HabitualNet(long)
        Corrections.learn(readings_of(long, lost), gap, False, net.predict, 1.7)
        assert len(net.seen[0].known) <= 700


def test_gaps_that_lack_the_same_are_joined_if_they_are_near(take: Take) -> None:
    lost = lose_hand(take, 10, 20) | lose_hand(take, 25, 30)
    lost[28:40, LEFT_FOOT] = True
    whole = {tuple(np.flatnonzero(gap.lost)): gap.frames.tolist() for gap in find_gaps(lost, False)}
    assert whole == {
        (LEFT_HAND,): [*range(10, 20), *range(25, 28)],
        (LEFT_HAND, LEFT_FOOT): [28, 29],
        (LEFT_FOOT,): [*range(30, 40)],
    }
    live = [gap.frames.tolist() for gap in find_gaps(lost, causal=True)]
    assert sorted(live) == [[*range(10, 20)], [*range(25, 28)], [28, 29], [*range(30, 40)]]
    far = np.zeros((4000, 6), bool)
    far[100:110, PELVIS] = far[3000:3010, PELVIS] = True
    assert [len(gap.frames) for gap in find_gaps(far, causal=False)] == [10, 10]


def test_gaps_that_meet_both_ends_are_seamless(take: Take) -> None:
    _, _, corrections = correct(take, 600, 700, causal=False)
    lost = lose_hand(take, 600, 700)
    numbers = lost.astype(int)

    def mark(numbers: np.ndarray, moved: tuple[int, ...] = ()) -> np.ndarray:
        learned = {1: corrections, 2: corrections}
        return mark_seamless(numbers, ~lost, learned, lambda tracker, frame: frame in moved)

    marked = mark(numbers)
    assert (marked[600:700, LEFT_HAND] == SEAMLESS).all()
    assert not np.delete(marked, np.arange(600, 700), 0).any()
    np.testing.assert_array_equal(mark(numbers, moved=(650,)), marked)
    for frame in (600, 699):
        np.testing.assert_array_equal(mark(numbers, moved=(frame,)), numbers)
    # Where other corrections take over within the gap, they do not meet.
    numbers[650:700, LEFT_HAND] = 2
    np.testing.assert_array_equal(mark(numbers), numbers)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("tracker", [PELVIS, HEAD, LEFT_HAND, LEFT_FOOT])
def test_lost_trackers_are_nearer_to_the_truth(
    take: Take,
    skeleton: Skeleton,
    tracker: int,
    causal: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the shipped weights, even of a motion whose joints know nothing of each other."""
    worse = lose(take, 500, 620, tracker)

    def error() -> float:
        filled = GapFiller(load_weights(), skeleton).clip(worse, causal=causal)
        errors = np.linalg.norm(filled.positions - take.positions, axis=-1)
        return float(errors[500:620, tracker].mean())

    corrected = error()
    monkeypatch.setattr(gap_corrections, "_FEWEST", len(take))
    assert corrected < 0.9 * error()


def test_whole_takes_need_no_blends(take: Take, skeleton: Skeleton) -> None:
    """The last filled in frame leads to the reading, and what is read is kept from there on."""
    filled = GapFiller(load_weights(), skeleton).clip(lose(take, 500, 620, LEFT_HAND))
    np.testing.assert_array_equal(filled.positions[620:], take.positions[620:])
    steps = np.diff(filled.positions[:, LEFT_HAND], axis=0)
    own = np.diff(take.positions[:, LEFT_HAND], axis=0)
    jumps = np.linalg.norm(steps - own, axis=-1)[[499, 619]]
    assert jumps.max() < 0.02


def test_live_frames_equal_a_causal_take_after_more_than_a_minute(skeleton: Skeleton) -> None:
    take = Take.from_motion(make_motion(skeleton, frames=MEMORY + 700))
    worse = lose(take, MEMORY + 500, MEMORY + 600, LEFT_HAND, LEFT_FOOT)
    filler = GapFiller(load_weights(), skeleton)
    whole = filler.clip(worse, causal=True)
    matrices = quat.to_matrix(worse.rotations)
    for frame in range(len(worse)):
        filled = filler.frame(worse.positions[frame], matrices[frame], worse.valid[frame])
        np.testing.assert_allclose(filled[0], whole.positions[frame], atol=1e-4)


def test_an_interruption_forgets_the_movement_but_not_the_performer(
    take: Take, skeleton: Skeleton
) -> None:
    matrices = quat.to_matrix(take.rotations)

    def error(forgets: str) -> float:
        filler = GapFiller(load_weights(), skeleton)
        errors = []
        for frame in range(500):
            filler.frame(take.positions[frame], matrices[frame], take.valid[frame])
        getattr(filler, forgets)()
        for frame in range(560, 680):
            filled, _ = filler.frame(take.positions[frame], matrices[frame], ~HAND)
            errors.append(np.linalg.norm(filled[LEFT_HAND] - take.positions[frame, LEFT_HAND]))
        return float(np.mean(errors))

    assert error("interrupt") < 0.9 * error("reset")
