# SPDX-License-Identifier: GPL-3.0-or-later
"""Gap filling: lost trackers follow the body, without seams at either end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.interpolation import MODEL_RATE
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import FOOT_TRACKERS, INDEX, TRACKERS, Skeleton
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.gap_filling import GapFiller
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.conftest import make_motion
from tests.core.tracking.glitch_cases import HEAD, LEFT_FOOT, LEFT_HAND, PELVIS, lose


@pytest.fixture
def take(skeleton: Skeleton) -> Take:
    return Take.from_motion(make_motion(skeleton, frames=420))


@pytest.mark.parametrize("trackers", [(PELVIS,), (LEFT_HAND, LEFT_FOOT), (PELVIS, HEAD), (4, 5)])
def test_frame_by_frame_equals_the_whole_take(
    take: Take, skeleton: Skeleton, trackers: tuple[int, ...]
) -> None:
    worse = lose(take, 60, 150, *trackers)
    filler = GapFiller(load_weights(), skeleton)
    whole = filler.clip(worse, causal=True)
    assert whole.valid.all()
    for frame in range(len(take)):
        positions, rotations = filler.frame(
            worse.positions[frame], quat.to_matrix(worse.rotations[frame]), worse.valid[frame]
        )
        np.testing.assert_allclose(positions, whole.positions[frame], atol=1e-4)
        expected = quat.to_matrix(whole.rotations[frame])
        np.testing.assert_allclose(rotations, expected, atol=2e-3, err_msg=str(frame))


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("tracker", range(6))
def test_no_seams(take: Take, skeleton: Skeleton, tracker: int, seconds: float) -> None:
    """A lost tracker never leaps: it is hardly faster than it takes to be back in time."""
    worse = lose(take, 120, 120 + round(60 * seconds), tracker)
    whole = GapFiller(load_weights(), skeleton).clip(worse)
    steps = np.linalg.norm(np.diff(whole.positions[:, tracker], axis=0), axis=-1)
    own = np.linalg.norm(np.diff(take.positions[:, tracker], axis=0), axis=-1)
    back = 120 + round(60 * seconds)
    distance = np.linalg.norm(whole.positions[back - 1] - take.positions[back - 1], axis=-1)
    # Half a second after its return the tracker is where it is read.
    fastest = max(0.03, 1.875 * distance[tracker] / 0.45 / MODEL_RATE + 0.01)
    assert steps.max() < own.max() + fastest
    later = back + 30
    np.testing.assert_allclose(whole.positions[later:], take.positions[later:], atol=2e-3)
    np.testing.assert_array_equal(whole.positions[:120], take.positions[:120])


@pytest.mark.parametrize("tracker", [PELVIS, LEFT_HAND, LEFT_FOOT])
def test_seams_keep_their_speed(take: Take, skeleton: Skeleton, tracker: int) -> None:
    """A fast tracker neither stops dead when it is lost nor is jerked back when it returns."""
    fast = replace(take, positions=take.positions.copy())
    sweep = 0.4 * np.sin(2.0 * np.pi * 0.8 * take.times)
    fast.positions[:, tracker, 2] += sweep
    filled = GapFiller(load_weights(), skeleton).clip(lose(fast, 150, 210, tracker))
    moved = MODEL_RATE * np.diff(filled.positions[:, tracker], axis=0)
    own = MODEL_RATE * np.diff(fast.positions[:, tracker], axis=0)
    changes = np.linalg.norm(np.diff(moved - own, axis=0), axis=-1)
    for seam in (150, 210):
        assert changes[seam - 2 : seam + 3].max() < 0.8, "metres a second, from frame to frame"


@pytest.mark.parametrize(
    ("tracker", "others", "metres"),
    [(PELVIS, list(FOOT_TRACKERS), -0.3), (LEFT_FOOT, [0, 1, 2, 3], 0.3)],
)
def test_legs_are_not_stretched_by_what_is_filled_in(
    take: Take, skeleton: Skeleton, tracker: int, others: list[int], metres: float
) -> None:
    """Feet that move 30 cm away take the pelvis along; a lost foot stays within reach."""
    positions = take.positions.copy()
    positions[:, others, 1] += metres * np.clip((take.times - 2.5) / 0.5, 0.0, 1.0)[:, None]
    gap = lose(replace(take, positions=positions), 120, 270, tracker)
    filled = GapFiller(load_weights(), skeleton).clip(gap)
    hip, knee, ankle = (INDEX[f"left_{joint}"] for joint in ("hip", "knee", "ankle"))
    rotations = quat.to_matrix(filled.rotations[:, PELVIS])
    start = filled.positions[:, PELVIS] + rotations @ skeleton.offsets[hip]
    length = np.linalg.norm(skeleton.offsets[[knee, ankle]], axis=-1).sum()
    stretch = np.linalg.norm(filled.positions[:, LEFT_FOOT] - start, axis=-1) / length
    assert 0.9 < stretch[150:270].max() < 0.9995


def test_a_short_gap_continues_the_motion(take: Take, skeleton: Skeleton) -> None:
    whole = GapFiller(load_weights(), skeleton).clip(lose(take, 120, 123, LEFT_HAND))
    distances = np.linalg.norm(whole.positions - take.positions, axis=-1)[120:123, LEFT_HAND]
    assert distances.max() < 0.02


@pytest.mark.parametrize(
    "roles", [("head", "left_hand", "right_hand"), ("pelvis", "head", "left_hand", "right_hand")]
)
def test_a_body_from_few_trackers(motion: Motion, roles: tuple[str, ...]) -> None:
    missing = [number for number, name in enumerate(TRACKERS) if name not in roles]
    take = lose(Take.from_motion(motion), 0, len(motion), *missing)
    body = Reconstructor(motion.skeleton).clip(take)
    assert np.isfinite(body.rotations).all() and np.isfinite(body.root).all()
    distances = np.linalg.norm(body.positions()[:, 13] - motion.positions()[:, 13], axis=-1)
    assert distances.mean() < 0.005, "the head is where it was measured"


def test_a_tracker_weight_is_a_share_between_both(take: Take, skeleton: Skeleton) -> None:
    without = lose(take, 0, len(take), LEFT_HAND)
    free = GapFiller(load_weights(), skeleton).clip(without).positions[:, LEFT_HAND]
    for share in (0.0, 0.5, 1.0):
        weights = [share if tracker == LEFT_HAND else 1.0 for tracker in range(6)]
        filler = GapFiller(load_weights(), skeleton, weights)
        filled = filler.clip(take)
        wanted = free + share * (take.positions[:, LEFT_HAND] - free)
        np.testing.assert_allclose(filled.positions[:, LEFT_HAND], wanted, atol=1e-4)
        others = [tracker for tracker in range(6) if tracker != LEFT_HAND]
        unchanged = take.positions[:, others]
        np.testing.assert_allclose(filled.positions[:, others], unchanged, atol=1e-5)
        for frame in range(40):
            positions, rotations = filler.frame(
                take.positions[frame], quat.to_matrix(take.rotations[frame]), take.valid[frame]
            )
            expected = quat.to_matrix(filled.rotations[frame])
            np.testing.assert_allclose(positions, filled.positions[frame], atol=1e-4)
            np.testing.assert_allclose(rotations, expected, atol=2e-3)


def test_an_anchor_must_count_fully(skeleton: Skeleton) -> None:
    with pytest.raises(TrackerError, match="pelvis or head"):
        GapFiller(load_weights(), skeleton, (0.5, 0.9, 1.0, 1.0, 1.0, 1.0))


def test_missing_anchors_are_reported(motion: Motion) -> None:
    take = lose(Take.from_motion(motion), 0, len(motion), PELVIS, HEAD)
    with pytest.raises(TrackerError, match="pelvis and head"):
        Reconstructor(motion.skeleton).clip(take)
    feetless = lose(Take.from_motion(motion), 0, len(motion), LEFT_FOOT)
    with pytest.raises(TrackerError, match="left_foot"):
        Reconstructor(motion.skeleton, ReconstructionOptions(preset="ik")).clip(feetless)


def test_live_frames_may_miss_trackers(take: Take, skeleton: Skeleton) -> None:
    worse = lose(take, 30, 60, LEFT_HAND)
    reconstructor = Reconstructor(skeleton)
    for frame in range(90):
        rotations, root = reconstructor.frame(
            worse.positions[frame], worse.rotations[frame], worse.valid[frame]
        )
        assert np.isfinite(rotations).all() and np.isfinite(root).all()


def test_live_frames_with_rubbish_marked_as_valid(take: Take, skeleton: Skeleton) -> None:
    reconstructor = Reconstructor(skeleton)
    positions, rotations = take.positions.copy(), take.rotations.copy()
    positions[40:60, LEFT_FOOT], rotations[50:55, HEAD] = np.nan, 0.0
    for frame in range(90):
        pose, root = reconstructor.frame(positions[frame], rotations[frame])
        assert np.isfinite(pose).all() and np.isfinite(root).all()
        assert reconstructor.believed[LEFT_FOOT] == (not 40 <= frame < 60)


@pytest.mark.parametrize("seed", range(4))
def test_blends_never_run_away(take: Take, skeleton: Skeleton, seed: int) -> None:
    """Whatever is believed in between, a joint stays near its sources and is back in time."""
    random = np.random.default_rng(seed)
    valid, positions = take.valid.copy(), take.positions.copy()
    valid[120:180, LEFT_FOOT] = random.random(60) < 0.5
    steps = random.normal(0.0, 0.25, (60, 3))
    positions[120:180, LEFT_FOOT] += np.cumsum(steps, 0).astype(np.float32)
    worse = Take(take.times, positions, take.rotations, valid)
    filled = GapFiller(load_weights(), skeleton).clip(worse).positions[:, LEFT_FOOT]
    wrong = np.linalg.norm(positions[:, LEFT_FOOT] - take.positions[:, LEFT_FOOT], axis=-1).max()
    distances = np.linalg.norm(filled - take.positions[:, LEFT_FOOT], axis=-1)
    assert distances.max() < wrong + 1.0
    # A blend that leads back over two metres takes up to 0.7 s.
    assert distances[225:].max() < 0.01
    # And no output is faster than what the sources do or a blend adds.
    fastest = MODEL_RATE * np.linalg.norm(np.diff(filled[180:], axis=0), axis=-1).max()
    assert fastest < 12.0


def test_a_body_without_anchors_waits_and_catches_up(take: Take, skeleton: Skeleton) -> None:
    """Pelvis and head are held while both are lost; then they return without a leap."""
    walk = np.linspace(0.0, 2.0, 420)[:, None, None] * np.array([0.0, 0.0, 1.0])
    walking = replace(take, positions=(take.positions + walk).astype(np.float32))
    filled = GapFiller(load_weights(), skeleton).clip(lose(walking, 120, 180, PELVIS, HEAD))
    for tracker in (PELVIS, HEAD):
        speeds = MODEL_RATE * np.linalg.norm(np.diff(filled.positions[:, tracker], axis=0), axis=-1)
        assert speeds.max() < 8.0
    np.testing.assert_allclose(filled.positions[210:], walking.positions[210:], atol=0.01)


def test_a_tracker_is_predicted_from_the_others(take: Take, skeleton: Skeleton) -> None:
    """Its own readings do not count, however wrong they are."""
    filler = GapFiller(load_weights(), skeleton)
    assert filler.predict_from_others(PELVIS) is None and filler.expected is None
    far = take.positions.copy()
    far[:, PELVIS] += 5.0
    predictions: list[np.ndarray] = []
    for positions in (take.positions, far):
        filler.reset()
        for frame in range(40):
            filler.frame(positions[frame], quat.to_matrix(take.rotations[frame]), take.valid[frame])
        predicted = filler.predict_from_others(PELVIS)
        assert predicted is not None
        predictions.append(predicted)
    np.testing.assert_allclose(predictions[0], predictions[1], atol=1e-6)
    assert np.linalg.norm(predictions[0] - take.positions[39, PELVIS]) < 0.3


def test_without_a_network_lost_trackers_stay(take: Take, skeleton: Skeleton) -> None:
    reconstructor = Reconstructor(skeleton, ReconstructionOptions(preset="ik"))
    gap = lose(take, 30, 60, LEFT_HAND)
    for frame in range(120):
        pose, root = reconstructor.frame(
            gap.positions[frame], gap.rotations[frame], gap.valid[frame]
        )
        assert np.isfinite(pose).all() and np.isfinite(root).all()


@pytest.mark.parametrize("first", [PELVIS, HEAD])
def test_a_lost_hand_does_not_leap_when_an_anchor_returns(
    take: Take, skeleton: Skeleton, first: int
) -> None:
    """Nor does the body when one of both anchors returns that were lost at once."""
    gap = lose(lose(take, 100, 200, LEFT_HAND), 120, 150, first)
    other = HEAD if first == PELVIS else PELVIS
    gap = lose(lose(gap, 220, 260, first), 222, 230, other)
    filled = GapFiller(load_weights(), skeleton).clip(gap)
    velocities = MODEL_RATE * np.diff(filled.positions, axis=0)
    changes = np.linalg.norm(np.diff(velocities, axis=0), axis=-1)
    assert changes.max() < 3.5, "metres a second, from frame to frame"


def test_forgotten_readings_do_not_count(take: Take, skeleton: Skeleton) -> None:
    """A lost hand is predicted as if it had been lost all along."""
    predictions: list[np.ndarray] = []
    for metres in (0.0, 0.8):
        filler = GapFiller(load_weights(), skeleton)
        positions = take.positions.copy()
        positions[:, LEFT_HAND, 1] += metres
        for frame in range(40):
            filler.frame(positions[frame], quat.to_matrix(take.rotations[frame]), take.valid[frame])
        filler.forget(LEFT_HAND)
        valid = np.arange(6) != LEFT_HAND
        for frame in range(40, 80):
            filled = filler.frame(positions[frame], quat.to_matrix(take.rotations[frame]), valid)
        predictions.append(filled[0][LEFT_HAND])
    np.testing.assert_allclose(predictions[0], predictions[1], atol=0.01)
