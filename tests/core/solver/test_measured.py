# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional trackers in the exact solve: measured joints end on their trackers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssrhmr_core.body.extra_trackers import EXTRA_JOINTS, EXTRA_ROLES, EXTRA_TRACKERS, Segment
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, forward_kinematics
from ssrhmr_core.geometry.rotations import rotation_angle, transpose
from ssrhmr_core.solver import Measured, solve, solver_skeleton
from ssrhmr_core.tracking.extras.joints import measure_joints
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from tests.core.solver.test_full_body import disturbed, trackers, true_poles

ENDS = list(TRACKER_JOINTS)


def measure(motion: Motion, names: list[str], segment: Segment = "upper") -> Measured:
    segments = dict.fromkeys(names, segment)
    readings = ExtraReadings.from_motion(motion, names, segments)
    return measure_joints(
        readings,
        readings.has_position.astype(np.float32),
        readings.has_rotation.astype(np.float32),
        motion.root,
    )


def without(measured: Measured, part: str) -> Measured:
    field = f"{part}_trust"
    return measured._replace(**{field: np.zeros_like(getattr(measured, field))})


def solved(motion: Motion, measured: Measured | None, degrees: float = 10.0) -> np.ndarray:
    positions, rotations = trackers(motion)
    return solve(
        disturbed(motion, degrees),
        true_poles(motion) + 0.05,
        positions,
        rotations,
        solver_skeleton(motion.skeleton.offsets),
        measured,
    )


def distances(motion: Motion, rotations: np.ndarray) -> np.ndarray:
    """Return (F, 22) distances from the truth in millimetres."""
    joints = forward_kinematics(rotations, motion.root, motion.skeleton.offsets)
    return 1000.0 * np.linalg.norm(joints - motion.positions(), axis=-1)


def angles(motion: Motion, rotations: np.ndarray) -> np.ndarray:
    return np.degrees(rotation_angle(transpose(motion.matrices()) @ rotations))


@pytest.mark.parametrize("segment", ["upper", "lower"])
@pytest.mark.parametrize("names", [[name] for name in EXTRA_TRACKERS] + [list(EXTRA_TRACKERS)])
def test_measured_joints_end_on_their_trackers(
    motion: Motion, names: list[str], segment: Segment
) -> None:
    measured = measure(motion, names, segment)
    result = solved(motion, measured)
    for name in names:
        role = EXTRA_ROLES[name]
        turned = role.lower if segment == "lower" else role.upper
        assert np.percentile(distances(motion, result)[:, role.position], 99) < 1.0, name
        assert np.percentile(angles(motion, result)[:, turned], 99) < 1.0, name
    # The six are met as before.
    assert np.percentile(distances(motion, result)[:, ENDS], 99) < 1.0


@pytest.mark.parametrize("names", [["left_elbow", "right_elbow"], ["left_knee", "right_knee"]])
def test_positions_alone_are_met(motion: Motion, names: list[str]) -> None:
    result = solved(motion, without(measure(motion, names), "rotation"))
    for name in names:
        assert np.percentile(distances(motion, result)[:, EXTRA_ROLES[name].position], 99) < 1.0


@pytest.mark.parametrize("segment", ["upper", "lower"])
@pytest.mark.parametrize("name", ["chest", "left_shoulder", "right_knee", "left_toe"])
def test_rotations_alone_are_met(motion: Motion, name: str, segment: Segment) -> None:
    result = solved(motion, without(measure(motion, [name], segment), "position"))
    role = EXTRA_ROLES[name]
    turned = role.lower if segment == "lower" else role.upper
    assert np.percentile(angles(motion, result)[:, turned], 95) < 0.5


@pytest.mark.parametrize("segment", ["upper", "lower"])
def test_rotations_alone_bring_elbows_closer(motion: Motion, segment: Segment) -> None:
    """The shoulder may give to an upper arm's rotation, and then the rotation is exact."""
    names = ["left_elbow", "right_elbow"]
    measured = without(measure(motion, names, segment), "position")
    before, after = (distances(motion, solved(motion, each)) for each in (None, measured))
    elbows = [EXTRA_ROLES[name].position for name in names]
    assert after[:, elbows].mean() < 0.7 * before[:, elbows].mean()


def test_the_six_win_where_trackers_disagree(motion: Motion) -> None:
    """A knee that lies on the floor, an elbow by the wall: ends are met, nothing breaks."""
    measured = measure(motion, list(EXTRA_TRACKERS))
    for name in ("left_knee", "right_elbow", "chest"):
        index = EXTRA_JOINTS.index(EXTRA_ROLES[name].position)
        measured.positions[:, index] += (2.0, -0.4, 1.0)
    result = solved(motion, measured)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(np.linalg.det(result), 1.0, atol=1e-4)
    feet = [INDEX["left_ankle"], INDEX["right_ankle"], INDEX["head"]]
    assert np.percentile(distances(motion, result)[:, feet], 99) < 1.0


def test_without_trust_nothing_is_measured(motion: Motion) -> None:
    measured = without(without(measure(motion, list(EXTRA_TRACKERS)), "position"), "rotation")
    np.testing.assert_allclose(solved(motion, measured), solved(motion, None), atol=2e-4)


def test_trust_fades_without_a_jump(motion: Motion) -> None:
    """Each hundredth of the trust moves joints by about a hundredth of the way."""
    still = Motion(
        motion.skeleton,
        np.arange(101) / 60.0,
        np.repeat(motion.rotations[70:71], 101, 0),
        np.repeat(motion.root[70:71], 101, 0),
    )
    measured = measure(still, list(EXTRA_TRACKERS))
    trust = np.linspace(0.0, 1.0, 101, dtype=np.float32)[:, None, None]
    measured = measured._replace(
        position_trust=measured.position_trust * trust,
        rotation_trust=measured.rotation_trust * trust,
    )
    positions, rotations = trackers(still)
    wrong = np.repeat(disturbed(still, 10.0)[:1], 101, 0)
    result = solve(
        wrong,
        true_poles(still),
        positions,
        rotations,
        solver_skeleton(still.skeleton.offsets),
        measured,
    )
    joints = forward_kinematics(result, still.root, still.skeleton.offsets)
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    whole = np.linalg.norm(joints[-1] - joints[0], axis=-1)
    assert steps.max() < 0.1 * whole.max()
    joints = list(EXTRA_JOINTS)
    errors = distances(still, result)[:, joints].max(1)
    assert errors[-1] < 1.0 < 10.0 < errors[0]


def test_arrays_and_tensors_agree(motion: Motion) -> None:
    positions, rotations = trackers(motion)
    measured = measure(motion, list(EXTRA_TRACKERS))
    arrays = (disturbed(motion, 10.0), true_poles(motion), positions, rotations)
    expected = solve(
        arrays[0],
        arrays[1],
        arrays[2],
        arrays[3],
        solver_skeleton(motion.skeleton.offsets),
        measured,
    )
    tensors = [torch.as_tensor(np.ascontiguousarray(array)) for array in arrays]
    result = solve(
        tensors[0],
        tensors[1],
        tensors[2],
        tensors[3],
        solver_skeleton(torch.as_tensor(motion.skeleton.offsets)),
        Measured(*(torch.as_tensor(each) for each in measured)),
    )
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-4)


def test_gradients_are_finite(motion: Motion) -> None:
    positions, rotations = (torch.as_tensor(each.copy()) for each in trackers(motion))
    measured = Measured(*(torch.as_tensor(each) for each in measure(motion, list(EXTRA_TRACKERS))))
    wrong = torch.as_tensor(disturbed(motion, 10.0)).requires_grad_()
    skeleton = solver_skeleton(torch.as_tensor(motion.skeleton.offsets))
    result = solve(
        wrong, torch.as_tensor(true_poles(motion)), positions, rotations, skeleton, measured
    )
    result.square().sum().backward()
    assert wrong.grad is not None
    assert bool(torch.isfinite(wrong.grad).all())
