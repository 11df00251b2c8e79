# SPDX-License-Identifier: GPL-3.0-or-later
"""From tracker frames to poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_ROLES, EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, TRACKERS, Skeleton
from ssrhmr_core.pipeline import Preset, ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.denoising import Smoothing
from ssrhmr_core.tracking.foot_planting import ContactOptions
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

END_EFFECTORS = list(TRACKER_JOINTS)
SMOOTHED = ReconstructionOptions(
    smoothing=Smoothing(cutoff=2.0), tracker_weights=(1.0, 1.0, 1.0, 0.5, 1.0, 0.0)
)


def test_frame_by_frame_equals_the_whole_clip(motion: Motion) -> None:
    take = Take.from_motion(motion)
    reconstructor = Reconstructor(motion.skeleton, ReconstructionOptions(causal=True))
    whole = reconstructor.clip(take)
    for frame in range(len(take)):
        rotations, root = reconstructor.frame(take.positions[frame], take.rotations[frame])
        same = np.abs((rotations * whole.rotations[frame]).sum(-1))
        assert np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0))).max() < 0.2
        np.testing.assert_allclose(root, whole.root[frame], atol=1e-6)


def test_only_whole_takes_know_the_performer_from_the_future(motion: Motion) -> None:
    take = Take.from_motion(motion)
    half = len(take) // 2
    rows = slice(half)
    first = Take(take.times[rows], take.positions[rows], take.rotations[rows], take.valid[rows])

    def difference(causal: bool) -> float:
        reconstructor = Reconstructor(motion.skeleton, ReconstructionOptions(causal=causal))
        whole, part = reconstructor.clip(take), reconstructor.clip(first)
        return float(np.abs(whole.positions()[: half - 1] - part.positions()[:-1]).max())

    assert difference(causal=True) < 1e-6
    assert difference(causal=False) > 1e-4


@pytest.mark.parametrize("extras", [(), ("left_elbow", "right_knee")])
@pytest.mark.parametrize("role", ["pelvis", "left_hand", "right_foot"])
def test_a_tracker_without_weight_is_as_none(
    motion: Motion, role: str, extras: tuple[str, ...]
) -> None:
    """In poses, contacts and expected errors, in whole takes and live, though it lies about."""
    take = Take.from_motion(motion, extras)
    absent = TRACKERS.index(role)
    noise = np.random.default_rng(3).standard_normal(take.positions.shape)
    take.positions[:] += (0.004 * noise).astype(np.float32)
    take.positions[:, absent] = (3.0, 0.7, 2.0) + 0.1 * noise[:, absent]
    valid = take.valid.copy()
    valid[:, absent] = False
    lost = replace(take, valid=valid)
    weights = tuple(0.0 if name == role else 1.0 for name in TRACKERS)
    options = ReconstructionOptions(certainty=True, planting=1.0)
    without = Reconstructor(motion.skeleton, options)
    unweighted = Reconstructor(motion.skeleton, replace(options, tracker_weights=weights))

    expected, result = without.clip(lost), unweighted.clip(take)
    np.testing.assert_allclose(result.positions(), expected.positions(), atol=1e-4)
    assert without.expected_errors is not None and unweighted.expected_errors is not None
    np.testing.assert_allclose(unweighted.expected_errors, without.expected_errors, rtol=1e-2)
    assert unweighted.find_contacts(take) == without.find_contacts(lost)

    without.reset()
    unweighted.reset()
    for frame in range(60):
        own = take.positions[frame], take.rotations[frame]
        more = take.extras_at(frame)
        expected_pose = without.frame(*own, valid[frame], more)
        pose = unweighted.frame(*own, take.valid[frame], more)
        np.testing.assert_allclose(pose[1], expected_pose[1], atol=1e-4)
        away = quat.to_matrix(pose[0]) - quat.to_matrix(expected_pose[0])
        assert np.abs(away).max() < 2e-3
        np.testing.assert_array_equal(unweighted.believed, without.believed)
        assert without.expected_errors is not None and unweighted.expected_errors is not None
        np.testing.assert_allclose(unweighted.expected_errors, without.expected_errors, rtol=1e-2)


@pytest.mark.parametrize("options", [ReconstructionOptions(), SMOOTHED])
@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_a_replay_equals_its_frames(
    motion: Motion, options: ReconstructionOptions, unit: float
) -> None:
    """With glitches and losses, smoothing and weights, on another body in any unit."""
    take = Take.from_motion(motion)
    take.positions[60:70, TRACKERS.index("left_hand")] += 0.8
    take.valid[30:50, TRACKERS.index("head")] = False
    performer = motion.skeleton.scaled(1.1 * unit)
    take = replace(take, positions=take.positions * np.float32(unit))
    reconstructor = Reconstructor(motion.skeleton.scaled(unit), options, performer=performer)
    replayed, believed = reconstructor.replay(take)
    for frame in range(len(take)):
        rotations, root = reconstructor.frame(
            take.positions[frame], take.rotations[frame], take.valid[frame]
        )
        np.testing.assert_array_equal(reconstructor.believed, believed[frame])
        np.testing.assert_allclose(root, replayed.root[frame], atol=1e-5 * unit)
        angles = quat.to_matrix(rotations) - quat.to_matrix(replayed.rotations[frame])
        assert np.abs(angles).max() < 2e-3


def test_reset_forgets(motion: Motion) -> None:
    take = Take.from_motion(motion)
    reconstructor = Reconstructor(motion.skeleton)
    first = reconstructor.frame(take.positions[0], take.rotations[0])[0]
    reconstructor.frame(take.positions[50], take.rotations[50])
    reconstructor.reset()
    np.testing.assert_array_equal(
        reconstructor.frame(take.positions[0], take.rotations[0])[0], first
    )


def test_an_interruption_keeps_the_performer(motion: Motion) -> None:
    take = Take.from_motion(motion)
    reconstructor = Reconstructor(motion.skeleton)
    first = reconstructor.frame(take.positions[0], take.rotations[0])[0]
    for frame in range(len(take)):
        reconstructor.frame(take.positions[frame], take.rotations[frame])
    reconstructor.interrupt()
    known = reconstructor.frame(take.positions[0], take.rotations[0])[0]
    assert np.abs(known - first).max() > 1e-4
    reconstructor.reset()
    unknown = reconstructor.frame(take.positions[0], take.rotations[0])[0]
    np.testing.assert_array_equal(unknown, first)


@pytest.mark.parametrize("preset", ["ssrhmr", "ik"])
def test_ends_are_on_their_trackers(motion: Motion, preset: Preset) -> None:
    options = ReconstructionOptions(preset=preset)
    body = Reconstructor(motion.skeleton, options).clip(Take.from_motion(motion))
    distances = np.linalg.norm(
        body.positions()[:, END_EFFECTORS] - motion.positions()[:, END_EFFECTORS], axis=-1
    )
    assert 1000.0 * distances.mean() < 0.5
    assert np.isfinite(body.rotations).all()


@pytest.mark.parametrize("rate", [24.0, 30.0, 50.0, 59.94, 120.0])
def test_any_rate_comes_back_at_its_own_times_with_exact_ends(
    skeleton: Skeleton, rate: float
) -> None:
    motion = make_motion(skeleton, frames=int(3 * rate), rate=rate)
    body = Reconstructor(skeleton).clip(Take.from_motion(motion))
    np.testing.assert_array_equal(body.times, motion.times)
    distances = np.linalg.norm(
        body.positions()[:, END_EFFECTORS] - motion.positions()[:, END_EFFECTORS], axis=-1
    )
    assert 1000.0 * distances.mean() < 0.5


def test_wanted_times_may_differ_from_the_take(motion: Motion) -> None:
    take = Take.from_motion(motion)
    times = np.arange(0.0, 2.0, 1.0 / 24.0)
    body = Reconstructor(motion.skeleton).clip(take, times)
    np.testing.assert_array_equal(body.times, times)
    assert body.rotations.shape == (len(times), 22, 4)


def test_progress_rises_to_one(skeleton: Skeleton) -> None:
    seen: list[float] = []
    motion = make_motion(skeleton, frames=2500)
    Reconstructor(skeleton).clip(Take.from_motion(motion), progress=seen.append)
    assert len(seen) >= 2 and seen == sorted(seen) and seen[-1] == 1.0


def test_progress_rises_while_trackers_are_filled_in(skeleton: Skeleton) -> None:
    """So that long takes with many gaps can be cancelled, whatever the weights of trackers."""
    take = Take.from_motion(make_motion(skeleton, frames=1500))
    for begin in range(300, 1500, 200):
        take.valid[begin : begin + 50, 2 + begin % 3] = False
    for share in (1.0, 0.5):
        seen: list[float] = []
        weights = (1.0, 1.0, 1.0, share, 1.0, 1.0)
        options = ReconstructionOptions(tracker_weights=weights)
        Reconstructor(skeleton, options).clip(take, progress=seen.append)
        assert sorted(seen) == seen and seen[-1] == 1.0
        assert sum(value < 0.5 for value in seen) > 3


def test_one_frame_is_a_take(motion: Motion) -> None:
    take = Take.from_motion(motion)
    single = Take(take.times[:1], take.positions[:1], take.rotations[:1], take.valid[:1])
    assert len(Reconstructor(motion.skeleton).clip(single)) == 1


def test_joints_that_a_body_lacks_turn_with_their_parent(motion: Motion) -> None:
    offsets, present = motion.skeleton.offsets.copy(), np.ones(22, bool)
    middle = INDEX["middle_spine"]
    offsets[middle] += offsets[middle + 1]
    offsets[middle + 1] = 0.0
    present[middle] = False
    body = Reconstructor(Skeleton(offsets, present)).clip(Take.from_motion(motion))
    np.testing.assert_array_equal(body.rotations[:, middle], body.rotations[:, middle - 1])


def test_stage_network_leaves_the_ends_free(motion: Motion) -> None:
    take = Take.from_motion(motion)
    free = Reconstructor(motion.skeleton, ReconstructionOptions(stage="network")).clip(take)
    distances = np.linalg.norm(
        free.positions()[:, END_EFFECTORS] - motion.positions()[:, END_EFFECTORS], axis=-1
    )
    assert distances.mean() > 1e-3


def test_no_sign_flips_in_time(motion: Motion) -> None:
    """Poses are continuous: no joint turns by more than 30 degrees within 1/60 s here."""
    body = Reconstructor(motion.skeleton).clip(Take.from_motion(motion))
    same = np.abs((body.rotations[1:] * body.rotations[:-1]).sum(-1))
    assert np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0))).max() < 30.0


@pytest.mark.parametrize("unit", [0.01, 39.4, 100.0])
def test_units_other_than_metres(motion: Motion, unit: float) -> None:
    """Scenes in centimetres or inches give the same body, with lost and noisy trackers too."""
    take = Take.from_motion(motion)
    rng = np.random.default_rng(3)
    positions = take.positions + rng.normal(0.0, 0.004, take.positions.shape).astype(np.float32)
    valid = take.valid.copy()
    valid[30:60, 3] = False
    scaled = Take(take.times, positions * np.float32(unit), take.rotations, valid)
    reconstructor = Reconstructor(motion.skeleton.scaled(unit), ReconstructionOptions(planting=1.0))
    result = reconstructor.clip(scaled).positions() / unit
    same = Reconstructor(motion.skeleton, ReconstructionOptions(planting=1.0)).clip(
        Take(take.times, positions, take.rotations, valid)
    )
    # Noise is told from motion by millimetres on an adult, which this body is not quite.
    assert np.linalg.norm(result - same.positions(), axis=-1).mean() < 5e-3
    root = reconstructor.frame(scaled.positions[0], scaled.rotations[0])[1]
    np.testing.assert_allclose(root, scaled.positions[0, 0], rtol=1e-5)


EXTRAS = ("chest", "left_elbow", "right_elbow", "left_knee", "right_knee")
MEASURED = [EXTRA_ROLES[name].position for name in EXTRAS]


def test_optional_trackers_are_met(motion: Motion) -> None:
    take = Take.from_motion(motion, EXTRAS)
    result = Reconstructor(motion.skeleton).clip(take)
    errors = np.linalg.norm(result.positions() - motion.positions(), axis=-1)
    joints = [*MEASURED, *END_EFFECTORS]
    assert np.percentile(errors[:, joints], 99) < 0.001
    bare = Reconstructor(motion.skeleton).clip(replace(take, extras=None))
    before = np.linalg.norm(bare.positions() - motion.positions(), axis=-1)
    assert errors.mean() < 0.3 * before.mean()


@pytest.mark.parametrize("rate", [24.0, 90.0])
def test_optional_trackers_are_met_at_any_rate(motion: Motion, rate: float) -> None:
    truth = motion.resampled(rate)
    result = Reconstructor(motion.skeleton).clip(Take.from_motion(truth, EXTRAS))
    errors = np.linalg.norm(result.positions() - truth.positions(), axis=-1)
    assert np.percentile(errors[:, MEASURED], 95) < 0.002


def test_frames_with_optional_trackers_equal_the_whole_clip(motion: Motion) -> None:
    take = Take.from_motion(motion, EXTRAS)
    assert take.extras is not None
    reconstructor = Reconstructor(motion.skeleton, ReconstructionOptions(causal=True))
    whole = reconstructor.clip(take)
    replayed, _ = reconstructor.replay(take)
    np.testing.assert_allclose(replayed.positions(), whole.positions(), atol=1e-4)
    for frame in range(30):
        rotations, _ = reconstructor.frame(
            take.positions[frame],
            take.rotations[frame],
            extras=take.extras.part(slice(frame, frame + 1)),
        )
        same = np.abs((rotations * whole.rotations[frame]).sum(-1))
        assert np.degrees(2.0 * np.arccos(np.clip(same, 0.0, 1.0))).max() < 0.3


def test_optional_trackers_without_weight_are_as_none(motion: Motion) -> None:
    take = Take.from_motion(motion, EXTRAS)
    options = ReconstructionOptions(extra_weights=(0.0,) * len(EXTRA_TRACKERS))
    expected = Reconstructor(motion.skeleton).clip(replace(take, extras=None))
    result = Reconstructor(motion.skeleton, options).clip(take)
    np.testing.assert_allclose(result.positions(), expected.positions(), atol=1e-4)


def test_optional_trackers_in_other_units(motion: Motion) -> None:
    """Bodies in centimetres, with trackers in centimetres."""
    take = Take.from_motion(motion, EXTRAS)
    assert take.extras is not None
    expected = Reconstructor(motion.skeleton).clip(take)
    scaled = replace(take, positions=100.0 * take.positions, extras=take.extras.scaled(100.0))
    result = Reconstructor(motion.skeleton.scaled(100.0)).clip(scaled)
    np.testing.assert_allclose(result.positions(), 100.0 * expected.positions(), atol=0.05)


@pytest.mark.parametrize("live", [False, True])
def test_optional_trackers_come_and_go_without_a_jump(motion: Motion, live: bool) -> None:
    take = Take.from_motion(motion, EXTRAS)
    assert take.extras is not None
    lost = slice(60, 90)
    take.extras.has_position[lost] = take.extras.has_rotation[lost] = False
    reconstructor = Reconstructor(motion.skeleton, ReconstructionOptions(causal=live))
    result = reconstructor.replay(take)[0] if live else reconstructor.clip(take)
    errors = np.linalg.norm(result.positions() - motion.positions(), axis=-1)[:, MEASURED]
    assert np.percentile(errors[:45], 99) < 0.001 and np.percentile(errors[105:], 99) < 0.001
    assert errors[70:80].max() > 0.005
    # Neither in a frame of the loss nor of the return does a joint leap.
    steps = np.abs(np.diff(errors, axis=0)).max(1)
    assert steps.max() < 0.5 * errors.max()


def test_implausible_optional_trackers_break_nothing(motion: Motion) -> None:
    """A knee that was left on the floor two metres away is not believed."""
    take = Take.from_motion(motion, EXTRAS)
    assert take.extras is not None
    take.extras.positions[:, EXTRA_TRACKERS.index("left_knee")] = (2.0, 0.0, 2.0)
    without = Take.from_motion(motion, [name for name in EXTRAS if name != "left_knee"])
    result, expected = (Reconstructor(motion.skeleton).clip(each) for each in (take, without))
    knee = INDEX["left_knee"]
    errors, bare = (
        np.linalg.norm(each.positions() - motion.positions(), axis=-1)
        for each in (result, expected)
    )
    others = [joint for joint in MEASURED if joint != knee]
    assert np.percentile(errors[:, others], 99) < 0.001
    assert errors[:, knee].max() < bare[:, knee].max() + 0.1


@pytest.mark.parametrize("live", [False, True])
def test_ignored_optional_trackers_are_named(motion: Motion, live: bool) -> None:
    take = Take.from_motion(motion, EXTRAS)
    assert take.extras is not None
    reconstructor = Reconstructor(motion.skeleton)
    pose = reconstructor.replay if live else reconstructor.clip
    pose(take)
    assert not reconstructor.ignored_extras
    take.extras.positions[:, EXTRA_TRACKERS.index("left_knee")] += (2.0, 0.0, 2.0)
    if live:
        # A replay forgets in the end what it has seen.
        for frame in range(len(take)):
            extras = take.extras.part(slice(frame, frame + 1))
            reconstructor.frame(take.positions[frame], take.rotations[frame], None, extras)
    else:
        reconstructor.clip(take)
    assert reconstructor.ignored_extras == ("left_knee",)


@pytest.mark.parametrize("live", [False, True])
def test_a_guessed_hand_hangs_on_a_measured_elbow(motion: Motion, live: bool) -> None:
    """Senders of the VRChat protocol have elbows and no hands: the elbow is met all the same."""
    take = Take.from_motion(motion, ("left_elbow", "right_knee"))
    take.valid[:, [TRACKERS.index("left_hand"), TRACKERS.index("right_foot")]] = False
    reconstructor = Reconstructor(motion.skeleton, ReconstructionOptions(causal=live))
    result = reconstructor.replay(take)[0] if live else reconstructor.clip(take)
    errors = np.linalg.norm(result.positions() - motion.positions(), axis=-1)
    assert np.percentile(errors[:, [INDEX["left_elbow"], INDEX["right_knee"]]], 95) < 0.002


@pytest.mark.parametrize("extras", [(), ("chest", "left_elbow")])
def test_hands_and_hips_rest_with_and_without_optional_trackers(
    motion: Motion, extras: tuple[str, ...]
) -> None:
    """Nothing of this take rests on them, so that it stays as it is without the option."""
    take = Take.from_motion(motion, extras)
    results = [
        Reconstructor(
            motion.skeleton,
            ReconstructionOptions(planting=0.7, contact_options=ContactOptions(whole_body=whole)),
        ).clip(take)
        for whole in (False, True)
    ]
    np.testing.assert_allclose(results[0].positions(), results[1].positions(), atol=1e-5)
