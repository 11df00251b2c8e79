# SPDX-License-Identifier: GPL-3.0-or-later
"""Predict a lost tracker from the others with a small net.

Six trackers enter the model whatever is missing. The net predicts one that is lost, or that the
performer does not use, from the others, from how they moved, from where the lost one was last
valid, and from what is known of the performer. So head and hands alone are enough, and one set of
weights serves any subset.

There are two such nets. The live one reads the past, and the performer context of
:mod:`ssrhmr_core.model.context`, which needs all six trackers. The one for whole takes reads the
future too, and has a context of its own, which any trackers will do for.

All inputs are relative to a reference frame that stands upright: at the pelvis tracker and with its
heading, or at the head where the pelvis is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..body.skeleton import TRACKERS
from ..geometry.arrays import Array, constant, namespace
from ..geometry.rotations import IDENTITY_6D, from_6d, heading, rotate, to_6d, transpose
from .context import CONTEXT
from .features import BODY_FEATURES
from .layers import linear, residual_net, silu


class PredictorNet(NamedTuple):
    """The size of a net.

    Attributes:
        name: Prefix of the names of its weights.
        ago: Ages, in frames of 60 Hz, of the frames that it reads: first 0, the present; those of
            the future are negative.
        width: Width of its hidden layers.
        blocks: Number of its residual blocks.
    """

    name: str
    ago: tuple[int, ...]
    width: int
    blocks: int


AGO = (0, 2, 4, 8, 16, 32)
"""Ages, in frames of 60 Hz, of the frames that the live net reads."""
LIVE = PredictorNet("filling", AGO, 256, 2)
"""The net for frames as they come."""
WHOLE = PredictorNet("whole", (0, *AGO[1:], 48, *(-ago for ago in AGO[1:]), -48), 384, 3)
"""The net for whole takes."""

_FRAME_FEATURES = len(TRACKERS) * (3 + 6 + 1)
_CODE = 128
_SMALLEST_VARIANCE = np.float32(1e-4)
_FLOOR_RANGE = 4.0
"""Heights over the floor beyond this many sizes of the body say nothing: there is no floor."""
_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the live net's weights; matrices are (inputs, outputs)."""
    return _net_shapes(LIVE)


def whole_shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the weights of the net for whole takes and its context."""
    sizes = _net_shapes(WHOLE)
    for layer, inputs, outputs in (
        (0, _FRAME_FEATURES + 2 + BODY_FEATURES, _CODE),
        (1, _CODE, _CODE),
        (2, 2 * _CODE, CONTEXT),
    ):
        sizes[f"whole.context.{layer}.w"] = (inputs, outputs)
        sizes[f"whole.context.{layer}.b"] = (outputs,)
    return sizes


def has_whole_net(weights: Mapping[str, Array]) -> bool:
    """Return whether weights hold a net for whole takes; those of earlier versions do not."""
    return bool(weights) and bool(weights["whole.out.w"].any())


def _net_shapes(net: PredictorNet) -> dict[str, tuple[int, ...]]:
    inputs = len(net.ago) * _FRAME_FEATURES + 2 + BODY_FEATURES + CONTEXT
    layers = {f"{net.name}.in": (inputs, net.width)}
    for block in range(net.blocks):
        layers[f"{net.name}.{block}.a"] = (net.width, net.width)
        layers[f"{net.name}.{block}.b"] = (net.width, net.width)
    layers[f"{net.name}.out"] = (net.width, len(TRACKERS) * 9)
    sizes: dict[str, tuple[int, ...]] = {}
    for name, (rows, columns) in layers.items():
        sizes[f"{name}.w"], sizes[f"{name}.b"] = (rows, columns), (columns,)
    return sizes


class TrackerHistory(NamedTuple):
    """Trackers at the M moments that a net reads, the present first; leading axes are frames.

    Attributes:
        positions: (..., M, 6, 3) positions by moment and tracker, metres; anything finite where
            not valid.
        rotations: (..., M, 6, 3, 3) rotations by moment and tracker.
        valid: (..., M, 6) floats, 1 where the tracker was valid, else 0.
    """

    positions: Array
    rotations: Array
    valid: Array


def predict_trackers(
    weights: Mapping[str, Array],
    history: TrackerHistory,
    offsets: Array,
    size: Array,
    context: Array,
    net: PredictorNet = LIVE,
) -> tuple[Array, Array]:
    """Predict where all six trackers are from those that are valid.

    Args:
        weights: Arrays or tensors as :func:`shapes` and :func:`whole_shapes` name them.
        history: The trackers over time. Pelvis or head must be valid now.
        offsets: (..., 22, 3) or (22, 3) offsets of the body, metres.
        size: (...) or scalar size of the body, see :attr:`Skeleton.size`.
        context: (..., 64) or (64,) context of the performer, zeros where nothing is known: for
            whole takes that of :func:`encode_whole`.
        net: The net.

    Returns:
        Positions (..., 6, 3) and rotations (..., 6, 3, 3). The caller ignores those of valid
        trackers.
    """
    xp = namespace(history.positions)
    lead = history.positions.shape[:-3]
    size = xp.broadcast_to(size, lead) if np.ndim(size) == 0 else size
    origin, facing, inputs = _read_moments(history, offsets, size)
    joined = xp.concatenate([inputs, xp.broadcast_to(context, (*lead, CONTEXT))], -1)
    out = residual_net(weights, net.name, net.blocks, joined).reshape(*lead, len(TRACKERS), 9)
    steps = rotate(facing[..., None, :, :], out[..., :3]) * size[..., None, None]
    rotations = facing[..., None, :, :] @ from_6d(out[..., 3:] + constant(IDENTITY_6D, out))
    return origin[..., None, :] + steps, rotations


def encode_whole(
    weights: Mapping[str, Array], frames: TrackerHistory, offsets: Array, size: Array
) -> Array:
    """Compute the contexts of performers for the net for whole takes.

    Args:
        weights: Arrays or tensors as :func:`whole_shapes` names them.
        frames: K single moments (..., K, 1, 6, ...) of each performer. Pelvis or head must be
            valid in each.
        offsets: (..., K, 22, 3) or (22, 3) offsets of the bodies, metres.
        size: (..., K) or scalar size of the bodies.

    Returns:
        (..., 64).
    """
    xp = namespace(frames.positions)
    size = xp.broadcast_to(size, frames.positions.shape[:-3]) if np.ndim(size) == 0 else size
    _, _, inputs = _read_moments(frames, offsets, size)
    codes = silu(linear(weights, "whole.context.0", inputs))
    codes = silu(linear(weights, "whole.context.1", codes))
    mean = codes.mean(-2)
    variance = ((codes - mean[..., None, :]) ** 2).mean(-2)
    spread = (variance + _SMALLEST_VARIANCE) ** 0.5
    return linear(weights, "whole.context.2", xp.concatenate([mean, spread], -1))


def _read_moments(
    history: TrackerHistory, offsets: Array, size: Array
) -> tuple[Array, Array, Array]:
    """Return the reference frame, position (..., 3) and heading (..., 3, 3), and the inputs."""
    xp = namespace(history.positions)
    lead = history.positions.shape[:-3]
    with_pelvis = history.valid[..., 0, _PELVIS, None]
    origin, facing = _reference_frame(history, with_pelvis)
    inverse = transpose(facing)[..., None, None, :, :]
    scale = size[..., None, None, None]
    relative = rotate(inverse, history.positions - origin[..., None, None, :]) / scale
    sixes = to_6d(inverse @ history.rotations)
    valid = history.valid[..., None]
    moments = xp.concatenate([relative * valid, sixes * valid, valid], -1)
    height = origin[..., 1:2] / size[..., None]
    height = height * (abs(height) < _FLOOR_RANGE)
    body = xp.broadcast_to(offsets / size[..., None, None], (*lead, *offsets.shape[-2:]))
    inputs = [
        moments.reshape(*lead, moments.shape[-3] * _FRAME_FEATURES),
        with_pelvis,
        height,
        body[..., 1:, :].reshape(*lead, BODY_FEATURES),
    ]
    return origin, facing, xp.concatenate(inputs, -1)


def _reference_frame(history: TrackerHistory, with_pelvis: Array) -> tuple[Array, Array]:
    """Return position (..., 3) and heading (..., 3, 3) of the pelvis, or else of the head."""
    xp = namespace(history.positions)
    positions, rotations = history.positions[..., 0, :, :], history.rotations[..., 0, :, :, :]
    origin = xp.where(with_pelvis > 0.5, positions[..., _PELVIS, :], positions[..., _HEAD, :])
    facing = xp.where(
        with_pelvis[..., None] > 0.5, rotations[..., _PELVIS, :, :], rotations[..., _HEAD, :, :]
    )
    return origin, heading(facing)
