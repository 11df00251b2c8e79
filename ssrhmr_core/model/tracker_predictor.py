# SPDX-License-Identifier: GPL-3.0-or-later
"""Predict a lost tracker from the others with a small net.

Six trackers enter the model whatever is missing. The net predicts one that is lost, or that the
performer does not use, from the others, from how they moved, from where the lost one was last
valid, and from what is known of the performer (:mod:`ssrhmr_core.model.context`). So head and hands
alone are enough, and one set of weights serves any subset.

All inputs are relative to a reference frame that stands upright: at the pelvis tracker and with its
heading, or at the head where the pelvis is lost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import TRACKERS
from ..geometry.arrays import Array, constant, namespace
from ..geometry.rotations import IDENTITY_6D, from_6d, heading, rotate, to_6d, transpose
from .context import CONTEXT
from .features import BODY_FEATURES
from .layers import residual_net

AGO = (0, 2, 4, 8, 16, 32)
"""Ages, in frames of 60 Hz, of the frames that the net reads."""

_MOMENT_FEATURES = len(AGO) * len(TRACKERS) * (3 + 6 + 1)
_INPUTS = _MOMENT_FEATURES + 2 + BODY_FEATURES + CONTEXT
_WIDTH, _BLOCKS = 256, 2
_FLOOR_RANGE = 4.0
"""Heights over the floor beyond this many sizes of the body say nothing: there is no floor."""
_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the weights; matrices are (inputs, outputs)."""
    layers = {"filling.in": (_INPUTS, _WIDTH)}
    for block in range(_BLOCKS):
        layers[f"filling.{block}.a"] = layers[f"filling.{block}.b"] = (_WIDTH, _WIDTH)
    layers["filling.out"] = (_WIDTH, len(TRACKERS) * 9)
    sizes: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs) in layers.items():
        sizes[f"{name}.w"], sizes[f"{name}.b"] = (inputs, outputs), (outputs,)
    return sizes


class TrackerHistory(NamedTuple):
    """Trackers now and at the earlier frames of :data:`AGO`; leading axes are frames.

    Attributes:
        positions: (..., 6, 6, 3) positions by moment and tracker, metres; anything finite where
            not valid.
        rotations: (..., 6, 6, 3, 3) rotations by moment and tracker.
        valid: (..., 6, 6) floats, 1 where the tracker was valid, else 0.
    """

    positions: Array
    rotations: Array
    valid: Array


def predict_trackers(
    weights: dict[str, Array],
    history: TrackerHistory,
    offsets: Array,
    size: Array,
    context: Array,
) -> tuple[Array, Array]:
    """Predict where all six trackers are from those that are valid.

    Args:
        weights: Arrays or tensors as :func:`shapes` names them.
        history: The trackers over time. Pelvis or head must be valid now.
        offsets: (..., 22, 3) or (22, 3) offsets of the body, metres.
        size: (...) or scalar size of the body, see :attr:`Skeleton.size`.
        context: (..., 64) or (64,) context of the performer, zeros where nothing is known.

    Returns:
        Positions (..., 6, 3) and rotations (..., 6, 3, 3). The caller ignores those of valid
        trackers.
    """
    xp = namespace(history.positions)
    lead = history.positions.shape[:-3]
    size = xp.broadcast_to(size, lead) if np.ndim(size) == 0 else size
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
        moments.reshape(*lead, _MOMENT_FEATURES),
        with_pelvis,
        height,
        body[..., 1:, :].reshape(*lead, BODY_FEATURES),
        xp.broadcast_to(context, (*lead, CONTEXT)),
    ]
    out = residual_net(weights, "filling", _BLOCKS, xp.concatenate(inputs, -1))
    out = out.reshape(*lead, len(TRACKERS), 9)
    steps = rotate(facing[..., None, :, :], out[..., :3]) * scale[..., 0]
    rotations = facing[..., None, :, :] @ from_6d(out[..., 3:] + constant(IDENTITY_6D, out))
    return origin[..., None, :] + steps, rotations


def _reference_frame(history: TrackerHistory, with_pelvis: Array) -> tuple[Array, Array]:
    """Return position (..., 3) and heading (..., 3, 3) of the pelvis, or else of the head."""
    xp = namespace(history.positions)
    positions, rotations = history.positions[..., 0, :, :], history.rotations[..., 0, :, :, :]
    origin = xp.where(with_pelvis > 0.5, positions[..., _PELVIS, :], positions[..., _HEAD, :])
    facing = xp.where(
        with_pelvis[..., None] > 0.5, rotations[..., _PELVIS, :, :], rotations[..., _HEAD, :, :]
    )
    return origin, heading(facing)
