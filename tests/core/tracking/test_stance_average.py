# SPDX-License-Identifier: GPL-3.0-or-later
"""The average of all stances is nearer to performers than the most probable one."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import ADULT_SIZE, TRACKERS, Skeleton
from ssrhmr_core.evaluation.worn.mounts import draw_mounts
from ssrhmr_core.evaluation.worn.movement import draw_habits, hold_reference
from ssrhmr_core.geometry.rotations import from_quat, rotation_about
from ssrhmr_core.tracking.body_shapes import body_prior, free_body_prior
from ssrhmr_core.tracking.mount_kinds import MOUNT_ROLES, place_kind
from ssrhmr_core.tracking.proportions import estimate_performer, make_adult
from ssrhmr_core.tracking.reference_pose import ReferencePose, estimate_stance
from ssrhmr_core.tracking.stance_average import BodyPrior, average_stances
from tests.core.mounts import MOUNT_SETS, mount_trackers

PELVIS = TRACKERS.index("pelvis")


def average_error(
    body: Skeleton, mounts: tuple[str, ...], reference: ReferencePose
) -> tuple[float, float]:
    """Return the mean errors of joints, mm: of the average, and of the most probable stance."""
    averages: list[np.ndarray] = []
    likeliest: list[np.ndarray] = []
    for seed in range(6):
        trackers = mount_trackers(body, mounts, seed, reference)
        stance = estimate_stance(body, trackers.positions, reference)
        assert stance is not None and not stance.on_joints
        average = average_stances(BodyPrior(body), trackers.positions, stance, reference)
        for errors, positions in (
            (averages, average.positions),
            (likeliest, stance.positions),
        ):
            errors.append(np.linalg.norm(positions - trackers.joint_positions, axis=-1))
    return 1000.0 * float(np.mean(averages)), 1000.0 * float(np.mean(likeliest))


@pytest.mark.parametrize("reference", list(ReferencePose))
def test_the_average_beats_the_most_probable_stance(reference: ReferencePose) -> None:
    errors = np.array([average_error(make_adult(), mounts, reference) for mounts in MOUNT_SETS])
    average, likeliest = errors.mean(0)
    assert average < likeliest and average < 40.0, errors


@pytest.mark.parametrize("heading", [0.0, 2.5, -1.0])
def test_heading_and_position_in_the_room_do_not_matter(heading: float) -> None:
    body = make_adult()
    trackers = mount_trackers(body, MOUNT_SETS[0], 1)
    turn = rotation_about(1, np.array(heading))
    moved = trackers.positions @ turn.T + [3.0, 0.0, -1.0]

    def joints(positions: np.ndarray) -> np.ndarray:
        stance = estimate_stance(body, positions)
        assert stance is not None
        return average_stances(BodyPrior(body), positions, stance).positions

    expected = joints(trackers.positions) @ turn.T + [3.0, 0.0, -1.0]
    np.testing.assert_allclose(joints(moved), expected, atol=5e-4)


def test_lengths_scale_with_the_body() -> None:
    body = make_adult()
    trackers = mount_trackers(body, MOUNT_SETS[2], 3)
    results = []
    for factor in (1.0, 100.0):
        scaled = body.scaled(factor)
        stance = estimate_stance(scaled, factor * trackers.positions)
        assert stance is not None
        average = average_stances(BodyPrior(scaled), factor * trackers.positions, stance)
        results.append(average.positions / factor)
    np.testing.assert_allclose(results[1], results[0], atol=1e-3)


def test_trackers_that_nobody_wears_say_nothing() -> None:
    body = make_adult()
    positions = mount_trackers(body, MOUNT_SETS[0], 2).positions.copy()
    positions[PELVIS] = np.nan
    stance = estimate_stance(body, positions)
    assert stance is not None
    average = average_stances(BodyPrior(body), positions, stance)
    assert np.isfinite(average.positions).all()


def test_a_measured_body_is_near_the_real_one() -> None:
    """The adult of textbooks, from trackers on belt, head, hands and feet."""
    body, off = make_adult(), []
    for seed in range(8):
        trackers = mount_trackers(body, MOUNT_SETS[seed % 4], seed)
        performer = estimate_performer(trackers.positions)
        assert performer is not None
        off.append(performer.skeleton.size / body.size - 1.0)
        assert np.abs(quat.from_matrix(performer.rotations)).max() <= 1.0 + 1e-6
    assert np.abs(np.mean(off)) < 0.03 and np.abs(off).max() < 0.08, off


def test_shapes_are_read_back_from_bodies() -> None:
    prior = free_body_prior(1.1)
    shape = np.random.default_rng(3).standard_normal(prior.unknowns)
    offsets = prior.offsets(shape)
    nearest = prior.offsets(prior.nearest_shape(Skeleton(offsets)))
    assert np.abs(nearest - offsets).max() < 0.002
    step = 1e-6
    for unknown in range(prior.unknowns):
        moved = shape + step * np.eye(prior.unknowns)[unknown]
        slope = (prior.offsets(moved) - offsets) / step
        np.testing.assert_allclose(slope, prior.derivatives(shape)[unknown], atol=1e-5)


def test_usual_bodies_are_symmetric_adults() -> None:
    prior = body_prior()
    assert prior.skeleton.size == pytest.approx(ADULT_SIZE, rel=0.05)
    for offsets in (prior.skeleton.offsets, *prior.components):
        left, right = offsets[[1, 2, 3, 4, 14, 15, 16, 17]], offsets[[5, 6, 7, 8, 18, 19, 20, 21]]
        np.testing.assert_allclose(left * [-1.0, 1.0, 1.0], right, atol=1e-6)


def test_right_sides_are_mirrored() -> None:
    for role in MOUNT_ROLES:
        for kind in role.kinds:
            mean, spread = place_kind(role, kind)
            assert mean.shape == spread.shape == (len(role.trackers), 3)
            if len(role.trackers) == 2:
                np.testing.assert_array_equal(mean[0] * [-1.0, 1.0, 1.0], mean[1])


def test_elbows_that_should_be_straight_bend_a_little() -> None:
    """Forearms point to the front by more than the arms do, as in the simulated performers."""
    body = make_adult()
    to_the_front = []
    for seed in range(24):
        random = np.random.default_rng(seed)
        mounts = draw_mounts(body, random)
        posed = hold_reference(body, draw_habits(random), 0.0, random)
        joints = mounts.find_joints(posed)
        trackers = mounts.to_trackers(joints).positions[60].astype(np.float64)
        stance = estimate_stance(body, trackers)
        assert stance is not None
        average = average_stances(BodyPrior(body), trackers, stance)
        for name, sign in (("left_hand", 1.0), ("right_hand", -1.0)):
            hand = TRACKERS.index(name)
            true = from_quat(joints.rotations[60, hand].astype(np.float64))
            along = true[:, 0] * sign
            found = average.rotations[hand][:, 0] * sign
            to_the_front.append(np.degrees(np.arcsin((found - along) @ true[:, 2])))
    # Straight arms would be 3 degrees too far back on average.
    assert abs(np.mean(to_the_front)) < 1.2
