# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned stages: NumPy equal to torch, and invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import MIRROR, TRACKER_JOINTS, Skeleton, forward_kinematics
from ssrhmr_core.model.context import encode_context
from ssrhmr_core.model.features import HISTORY, body_features, frame_features, step_features
from ssrhmr_core.model.network import NetworkInputs, Prediction, fold_body, predict
from ssrhmr_core.model.weights import load_weights
from ssrhmr_core.solver import Measured
from ssrhmr_core.training.model import Stages
from tests.core.solver.test_measured import measure

ENDS = list(TRACKER_JOINTS)


def run(
    weights: dict,
    motion: Motion,
    library: type,
    measured: Measured | None = None,
    *,
    folded: bool = False,
    frame: int | None = None,
) -> Prediction:
    """Predict a clip, or one frame of it, with arrays or tensors of 32 bits."""

    def convert(array: np.ndarray) -> np.ndarray | torch.Tensor:
        array = np.ascontiguousarray(array, np.float32)
        return torch.as_tensor(array) if library is torch.Tensor else array

    positions = convert(motion.positions()[:, ENDS])
    rotations = convert(motion.matrices()[:, ENDS])
    size = np.float32(motion.skeleton.size)
    features = frame_features(positions, rotations, size)
    moments = np.maximum(np.arange(len(motion))[:, None] - np.array([0, *HISTORY]), 0)
    steps = step_features(
        features, features[moments[:, 1:]], positions[moments, 0], rotations[moments, 0], size
    )
    body = body_features(convert(motion.skeleton.offsets), size)
    context = encode_context(weights, features, body.joints)
    if measured is not None:
        measured = Measured(*(convert(each) for each in measured))
    if folded:
        body = body._replace(
            joints=body.joints[..., :0], torso=body.torso[..., :0], limbs=body.limbs[..., :0]
        )
    if frame is not None:
        row = slice(frame, frame + 1)
        features, steps, positions, rotations = (
            values[row] for values in (features, steps, positions, rotations)
        )
        measured = measured and measured.part(row)
    inputs = NetworkInputs(features, steps, context, measured)
    return predict(weights, inputs, positions, rotations, body)


@pytest.fixture
def stages() -> Stages:
    """The shipped model in torch."""
    shipped = Stages(seed=5)
    shipped.load(load_weights())
    return shipped


def test_numpy_equals_torch(stages: Stages, motion: Motion) -> None:
    arrays = run(stages.export(), motion, np.ndarray)
    with torch.no_grad():
        tensors = run(stages.named(), motion, torch.Tensor)
    for array, tensor in ((arrays.guess, tensors.guess), (arrays.learned, tensors.learned)):
        np.testing.assert_allclose(array, tensor.numpy(), atol=1e-5)
        assert array.dtype == np.float32
    # Positions count too: the solve amplifies the last bit of the angles of a straight spine.
    root, offsets = motion.root, motion.skeleton.offsets
    joints = [forward_kinematics(np.asarray(r.exact), root, offsets) for r in (arrays, tensors)]
    np.testing.assert_allclose(joints[0], joints[1], atol=1e-5)
    np.testing.assert_allclose(arrays.exact, tensors.exact.numpy(), atol=1e-5)


def test_same_seed_same_weights() -> None:
    first, second = Stages(7).export(), Stages(7).export()
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != array).any() for name, array in Stages(8).export().items())


def test_position_heading_and_size_mean_nothing(stages: Stages, motion: Motion) -> None:
    weights = stages.export()
    turn = quat.from_angle_axis(np.array([1.1]), np.array([0.0, 1.0, 0.0]))
    factor = 1.6
    moved = Motion(
        motion.skeleton.scaled(factor),
        motion.times,
        quat.mul(np.broadcast_to(turn, motion.rotations.shape), motion.rotations),
        quat.mul_vec(np.tile(turn, (len(motion), 1)), motion.root * factor) + 3.0,
    )
    here = run(weights, motion, np.ndarray).exact
    there = run(weights, moved, np.ndarray).exact
    np.testing.assert_allclose(there, quat.to_matrix(turn) @ here, atol=2e-3)


def test_the_right_side_is_mirrored(stages: Stages, motion: Motion) -> None:
    """With the generator silenced, a mirrored body moves its other limbs in the same way."""
    weights = stages.export()
    for name in ("generator.out.w", "generator.out.b", "torso.2.w", "torso.2.b"):
        weights[name] = np.zeros_like(weights[name])
    turn = np.array([-1.0, 1.0, 1.0], np.float32)
    mirrored = Motion(
        Skeleton(motion.skeleton.offsets[list(MIRROR)] * turn),
        motion.times,
        motion.rotations[:, list(MIRROR)] * np.array([1, 1, -1, -1], np.float32),
        motion.root * turn,
    )
    here = run(weights, motion, np.ndarray).learned
    there = run(weights, mirrored, np.ndarray).learned
    expected = turn[:, None] * here[:, list(MIRROR)] * turn
    np.testing.assert_allclose(there, expected, atol=1e-4)


def test_numpy_equals_torch_with_optional_trackers(stages: Stages, motion: Motion) -> None:
    measured = measure(motion, list(EXTRA_TRACKERS))
    arrays = run(stages.export(), motion, np.ndarray, measured)
    with torch.no_grad():
        tensors = run(stages.named(), motion, torch.Tensor, measured)
    np.testing.assert_allclose(arrays.learned, tensors.learned.numpy(), atol=1e-5)
    np.testing.assert_allclose(arrays.exact, tensors.exact.numpy(), atol=1e-4)
    assert arrays.exact.dtype == np.float32


def test_optional_trackers_are_read(stages: Stages, motion: Motion) -> None:
    """They change what is predicted, not only what the solve makes of it."""
    weights = stages.export()
    without = run(weights, motion, np.ndarray).learned
    elbows = run(weights, motion, np.ndarray, measure(motion, ["left_elbow"])).learned
    assert np.abs(elbows - without).max() > 1e-3


def test_nothing_measured_is_as_without(stages: Stages, motion: Motion) -> None:
    nothing = measure(motion, [])
    weights = stages.export()
    expected = run(weights, motion, np.ndarray)
    result = run(weights, motion, np.ndarray, nothing)
    np.testing.assert_allclose(result.learned, expected.learned, atol=1e-4)


@pytest.mark.parametrize("names", [None, list(EXTRA_TRACKERS)])
def test_a_folded_body_poses_the_same(
    stages: Stages, motion: Motion, names: list[str] | None
) -> None:
    """Many frames and single ones, which take other ways through the nets and the solve."""
    weights, size = stages.export(), np.float32(motion.skeleton.size)
    measured = None if names is None else measure(motion, names)
    expected = run(weights, motion, np.ndarray, measured)
    folded, rest = fold_body(weights, body_features(motion.skeleton.offsets, size))
    assert not rest.joints.size and not rest.torso.size and not rest.limbs.size
    many = run(folded, motion, np.ndarray, measured, folded=True)
    np.testing.assert_allclose(many.learned, expected.learned, atol=1e-5)
    np.testing.assert_allclose(many.exact, expected.exact, atol=2e-5)
    for frame in range(0, len(motion), 7):
        one = run(folded, motion, np.ndarray, measured, folded=True, frame=frame)
        np.testing.assert_allclose(one.learned[0], expected.learned[frame], atol=1e-5)
        np.testing.assert_allclose(one.exact[0], expected.exact[frame], atol=1e-3)
