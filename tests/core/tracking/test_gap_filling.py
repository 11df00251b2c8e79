# SPDX-License-Identifier: GPL-3.0-or-later
"""Loss of tracking: found where it is hidden, filled in, seamless at both ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.interpolation import MODEL_RATE
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKERS, Skeleton
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.dropout import DropoutDetector, mark_dropouts
from ssrhmr_core.tracking.gap_filling import GapFiller
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.conftest import make_motion

PELVIS, HEAD, LEFT_HAND, LEFT_FOOT = 0, 1, 2, 4


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=420))


def without(take: Take, begin: int, end: int, *trackers: int) -> Take:
    valid, spots, turns = take.valid.copy(), take.positions.copy(), take.rotations.copy()
    for tracker in trackers:
        valid[begin:end, tracker] = False
        # Sources leave rubbish where they see nothing.
        spots[begin:end, tracker] = np.nan
        turns[begin:end, tracker] = 0.0
    return Take(take.times, spots, turns, valid)


def test_a_good_take_is_left_alone(take: Take) -> None:
    assert mark_dropouts(take) is take


@pytest.mark.parametrize("frames", [1, 5, 20])
def test_a_jump_by_metres_is_found(take: Take, frames: int) -> None:
    spots = take.positions.copy()
    spots[100 : 100 + frames, LEFT_HAND] += (1.5, 0.5, 0.0)
    found = mark_dropouts(replace(take, positions=spots))
    lost = np.argwhere(~found.valid)
    assert lost.tolist() == [[frame, LEFT_HAND] for frame in range(100, 100 + frames)]


def test_a_tracker_that_stays_elsewhere_is_believed_in_the_end(take: Take) -> None:
    spots = take.positions.copy()
    spots[100:, HEAD] += (0.0, 0.0, 1.0)
    valid = mark_dropouts(replace(take, positions=spots)).valid[:, HEAD]
    assert valid[:100].all() and not valid[100:110].any() and valid[200:].all()


def test_a_frozen_tracker_is_found_and_a_resting_one_is_not(take: Take) -> None:
    spots, turns = take.positions.copy(), take.rotations.copy()
    for tracker in (LEFT_HAND, LEFT_FOOT):
        spots[100:160, tracker], turns[100:160, tracker] = (
            spots[100, tracker],
            turns[100, tracker],
        )
    # The foot goes on from where it rested, as keyed ones do; the hand is somewhere else by then.
    spots[160:, LEFT_FOOT] += spots[100, LEFT_FOOT] - spots[160, LEFT_FOOT]
    valid = mark_dropouts(replace(take, positions=spots, rotations=turns)).valid
    assert valid[:101, LEFT_HAND].all() and valid[160:, LEFT_HAND].all()
    assert not valid[101:160, LEFT_HAND].any()
    assert valid[:, LEFT_FOOT].all()


def test_a_cut_is_no_loss(take: Take) -> None:
    """A reference pose held at the beginning, then the action somewhere else."""
    spots, turns = take.positions.copy(), take.rotations.copy()
    spots[:60], turns[:60] = spots[0], turns[0]
    spots[60:] += (1.0, 0.0, 0.5)
    cut = replace(take, positions=spots, rotations=turns)
    assert mark_dropouts(cut) is cut


@pytest.mark.parametrize("trackers", [(PELVIS,), (LEFT_HAND, LEFT_FOOT), (PELVIS, HEAD), (4, 5)])
def test_frame_by_frame_equals_the_whole_take(
    take: Take, skeleton: Skeleton, trackers: tuple[int, ...]
) -> None:
    worse = without(take, 60, 150, *trackers)
    completion = GapFiller(load_weights(), skeleton)
    whole = completion.clip(worse)
    assert whole.valid.all()
    for frame in range(len(take)):
        turns = quat.to_matrix(worse.rotations[frame])
        spots, turned = completion.frame(worse.positions[frame], turns, worse.valid[frame])
        np.testing.assert_allclose(spots, whole.positions[frame], atol=1e-4)
        np.testing.assert_allclose(
            turned, quat.to_matrix(whole.rotations[frame]), atol=2e-3, err_msg=str(frame)
        )


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("tracker", range(6))
def test_no_seams(take: Take, skeleton: Skeleton, tracker: int, seconds: float) -> None:
    """A tracker that goes and comes back never leaps: 3 cm a frame at most, beside its own way."""
    worse = without(take, 120, 120 + round(60 * seconds), tracker)
    whole = GapFiller(load_weights(), skeleton).clip(worse)
    steps = np.linalg.norm(np.diff(whole.positions[:, tracker], axis=0), axis=-1)
    own = np.linalg.norm(np.diff(take.positions[:, tracker], axis=0), axis=-1)
    assert steps.max() < own.max() + 0.03
    # A quarter of a second later nothing is left of the gap, half a second after a long one.
    later = 120 + round(60 * seconds) + 90
    np.testing.assert_allclose(whole.positions[later:], take.positions[later:], atol=2e-3)
    np.testing.assert_array_equal(whole.positions[:120], take.positions[:120])


@pytest.mark.parametrize("tracker", [PELVIS, LEFT_HAND, LEFT_FOOT])
def test_seams_keep_their_speed(take: Take, skeleton: Skeleton, tracker: int) -> None:
    """A fast tracker neither stops dead when it is lost nor is jerked back when it is seen."""
    fast = replace(take, positions=take.positions.copy())
    sweep = 0.4 * np.sin(2.0 * np.pi * 0.8 * take.times)
    fast.positions[:, tracker, 2] += sweep
    found = GapFiller(load_weights(), skeleton).clip(without(fast, 150, 210, tracker))
    moved = MODEL_RATE * np.diff(found.positions[:, tracker], axis=0)
    own = MODEL_RATE * np.diff(fast.positions[:, tracker], axis=0)
    changes = np.linalg.norm(np.diff(moved - own, axis=0), axis=-1)
    for seam in (150, 210):
        assert changes[seam - 2 : seam + 3].max() < 0.8, "metres a second, from frame to frame"


@pytest.mark.parametrize(
    ("tracker", "others", "metres"),
    [(PELVIS, [4, 5], -0.3), (LEFT_FOOT, [0, 1, 2, 3], 0.3)],
)
def test_legs_are_not_stretched_by_what_is_filled_in(
    take: Take, skeleton: Skeleton, tracker: int, others: list[int], metres: float
) -> None:
    """Feet that go 30 cm away take the pelvis along; a lost foot stays within reach."""
    spots = take.positions.copy()
    spots[:, others, 1] += metres * np.clip((take.times - 2.5) / 0.5, 0.0, 1.0)[:, None]
    gap = without(replace(take, positions=spots), 120, 270, tracker)
    found = GapFiller(load_weights(), skeleton).clip(gap)
    hip, knee, ankle = (INDEX[f"left_{joint}"] for joint in ("hip", "knee", "ankle"))
    turns = quat.to_matrix(found.rotations[:, PELVIS])
    start = found.positions[:, PELVIS] + turns @ skeleton.offsets[hip]
    length = np.linalg.norm(skeleton.offsets[[knee, ankle]], axis=-1).sum()
    stretch = np.linalg.norm(found.positions[:, LEFT_FOOT] - start, axis=-1) / length
    assert 0.9 < stretch[150:270].max() < 0.9995


def test_a_short_gap_goes_on_as_it_moved(take: Take, skeleton: Skeleton) -> None:
    whole = GapFiller(load_weights(), skeleton).clip(without(take, 120, 123, LEFT_HAND))
    missed = np.linalg.norm(whole.positions - take.positions, axis=-1)[120:123, LEFT_HAND]
    assert missed.max() < 0.02


@pytest.mark.parametrize(
    "worn", [("head", "left_hand", "right_hand"), ("pelvis", "head", "left_hand", "right_hand")]
)
def test_a_body_from_few_trackers(motion: Motion, worn: tuple[str, ...]) -> None:
    unseen = [number for number, name in enumerate(TRACKERS) if name not in worn]
    take = without(Take.from_motion(motion), 0, len(motion), *unseen)
    body = Reconstructor(motion.skeleton).clip(take)
    assert np.isfinite(body.rotations).all() and np.isfinite(body.root).all()
    missed = np.linalg.norm(body.positions()[:, 13] - motion.positions()[:, 13], axis=-1)
    assert missed.mean() < 0.005, "the head is where it was measured"


def test_trust_is_a_share_between_both(take: Take, skeleton: Skeleton) -> None:
    unseen = without(take, 0, len(take), LEFT_HAND)
    free = GapFiller(load_weights(), skeleton).clip(unseen).positions[:, LEFT_HAND]
    for share in (0.0, 0.5, 1.0):
        trust = [share if tracker == LEFT_HAND else 1.0 for tracker in range(6)]
        completion = GapFiller(load_weights(), skeleton, trust)
        found = completion.clip(take)
        wanted = free + share * (take.positions[:, LEFT_HAND] - free)
        np.testing.assert_allclose(found.positions[:, LEFT_HAND], wanted, atol=1e-4)
        others = [tracker for tracker in range(6) if tracker != LEFT_HAND]
        np.testing.assert_allclose(found.positions[:, others], take.positions[:, others], atol=1e-5)
        for frame in range(40):
            turns = quat.to_matrix(take.rotations[frame])
            spots, turned = completion.frame(take.positions[frame], turns, take.valid[frame])
            np.testing.assert_allclose(spots, found.positions[frame], atol=1e-4)
            np.testing.assert_allclose(turned, quat.to_matrix(found.rotations[frame]), atol=2e-3)


def test_something_must_be_trusted(skeleton: Skeleton) -> None:
    with pytest.raises(TrackerError, match="pelvis or head"):
        GapFiller(load_weights(), skeleton, (0.5, 0.9, 1.0, 1.0, 1.0, 1.0))


def test_nothing_to_go_by_is_said(motion: Motion) -> None:
    take = without(Take.from_motion(motion), 0, len(motion), PELVIS, HEAD)
    with pytest.raises(TrackerError, match="pelvis and head"):
        Reconstructor(motion.skeleton).clip(take)
    feetless = without(Take.from_motion(motion), 0, len(motion), LEFT_FOOT)
    with pytest.raises(TrackerError, match="left_foot"):
        Reconstructor(motion.skeleton, ReconstructionOptions(preset="ik")).clip(feetless)


def test_live_frames_may_miss_trackers(take: Take, skeleton: Skeleton) -> None:
    worse = without(take, 30, 60, LEFT_HAND)
    reconstructor = Reconstructor(skeleton)
    for frame in range(90):
        rotations, root = reconstructor.frame(
            worse.positions[frame], worse.rotations[frame], worse.valid[frame]
        )
        assert np.isfinite(rotations).all() and np.isfinite(root).all()


def watched(take: Take) -> np.ndarray:
    """What the causal twin believes of each frame (F, 6)."""
    watch = DropoutDetector()
    frames = zip(take.positions, take.rotations, take.valid, strict=True)
    return np.array([watch.frame(*frame) for frame in frames])


def test_watch_believes_a_good_take(take: Take) -> None:
    assert watched(take).all()


@pytest.mark.parametrize("frames", [1, 5, 20])
def test_watch_finds_jumps_as_whole_takes_do(take: Take, frames: int) -> None:
    spots = take.positions.copy()
    spots[100 : 100 + frames, LEFT_HAND] += (1.5, 0.5, 0.0)
    worse = replace(take, positions=spots)
    np.testing.assert_array_equal(watched(worse), mark_dropouts(worse).valid)


def test_watch_finds_frozen_trackers_after_a_while(take: Take) -> None:
    spots, turns = take.positions.copy(), take.rotations.copy()
    spots[100:160, LEFT_HAND], turns[100:160, LEFT_HAND] = spots[100, 2], turns[100, 2]
    valid = watched(replace(take, positions=spots, rotations=turns))
    assert valid[:110, LEFT_HAND].all() and not valid[114:160, LEFT_HAND].any()
    assert valid[200:, LEFT_HAND].all()
    others = [tracker for tracker in range(6) if tracker != LEFT_HAND]
    assert valid[:, others].all()


def test_watch_lets_pauses_and_cuts_pass(take: Take) -> None:
    spots, turns = take.positions.copy(), take.rotations.copy()
    spots[100:160], turns[100:160] = spots[100], turns[100]
    spots[200:] += (2.0, 0.0, 0.0)
    assert watched(replace(take, positions=spots, rotations=turns)).all()


def test_live_frames_with_rubbish_marked_as_seen(take: Take, skeleton: Skeleton) -> None:
    reconstructor = Reconstructor(skeleton)
    spots, turns = take.positions.copy(), take.rotations.copy()
    spots[40:60, LEFT_FOOT], turns[50:55, HEAD] = np.nan, 0.0
    for frame in range(90):
        rotations, root = reconstructor.frame(spots[frame], turns[frame])
        assert np.isfinite(rotations).all() and np.isfinite(root).all()
