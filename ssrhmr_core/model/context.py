# SPDX-License-Identifier: GPL-3.0-or-later
"""The performer context: what the frames of a take say about who performs it.

People differ in ways that no single frame shows: towards which side their elbows point, how they
hold trackers, how their spine is laid out. A small net encodes single frames; the mean and the
spread of the codes over many frames of one performer become a few numbers, which the other nets
read in every frame. Zeros stand for a performer of whom nothing is known.

A whole take is its own context. Live, the context grows with the frames so far.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..geometry.arrays import Array, namespace
from .features import BODY_FEATURES, FRAME_FEATURES, BodyFeatures, frame_features
from .layers import linear, silu

CONTEXT = 64
"""Number of values of a context."""
UNKNOWN = np.zeros(CONTEXT, np.float32)
"""The context of a performer of whom nothing is known."""
WIDTH = 128
_MOST_FRAMES = 256
"""Number of frames, spread over the take, that make up the context of a whole take."""
_STRIDE = 8
"""Live, every so many frames count: those between them say nearly the same."""
_SMALLEST_VARIANCE = np.float32(1e-4)


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the weights; matrices are (inputs, outputs)."""
    return {
        "context.0.w": (FRAME_FEATURES + BODY_FEATURES, WIDTH),
        "context.0.b": (WIDTH,),
        "context.1.w": (WIDTH, WIDTH),
        "context.1.b": (WIDTH,),
        "context.2.w": (2 * WIDTH, CONTEXT),
        "context.2.b": (CONTEXT,),
    }


def encode_context(weights: Mapping[str, Array], features: Array, joints: Array) -> Array:
    """Compute the contexts of performers.

    Args:
        weights: Arrays or tensors as :func:`shapes` names them.
        features: (..., K, 48) features of K frames of each performer, see
            :func:`ssrhmr_core.model.features.frame_features`.
        joints: (..., 63) proportions of the bodies, see
            :class:`ssrhmr_core.model.features.BodyFeatures`.

    Returns:
        (..., 64).
    """
    codes = _encode_frames(weights, features, joints)
    mean = codes.mean(-2)
    variance = ((codes - mean[..., None, :]) ** 2).mean(-2)
    return _summarize(weights, mean, variance)


def encode_take(
    weights: Mapping[str, np.ndarray],
    body: BodyFeatures,
    positions: np.ndarray,
    rotations: np.ndarray,
    valid: np.ndarray,
) -> np.ndarray:
    """Compute the context (64,) of a whole take.

    Args:
        weights: Arrays as :func:`shapes` names them.
        body: The proportions of the body.
        positions: (F, 6, 3) positions of the tracked joints at 60 Hz, metres.
        rotations: (F, 6, 3, 3) rotations of the tracked joints.
        valid: (F, 6) bool. Frames in which a tracker is not valid do not count.
    """
    rows = np.flatnonzero(valid.all(1))
    if not len(rows):
        return UNKNOWN
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, _MOST_FRAMES).astype(int))]
    features = frame_features(positions[rows], rotations[rows], body.size)
    return encode_context(weights, features, body.joints)


class GrowingContext:
    """The context of the frames so far."""

    def __init__(self, weights: Mapping[str, np.ndarray], body: BodyFeatures) -> None:
        """Begin with a performer of whom nothing is known.

        Args:
            weights: Arrays as :func:`shapes` names them.
            body: The proportions of the body.
        """
        self._weights, self._body = weights, body
        self._sum, self._squares = np.zeros(WIDTH), np.zeros(WIDTH)
        self._frames = self._counted = 0
        self._value = UNKNOWN

    def add(self, positions: np.ndarray, rotations: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Add the next frame of 60 Hz.

        Args:
            positions: (6, 3) positions of the tracked joints, metres.
            rotations: (6, 3, 3) rotations of the tracked joints.
            valid: (6,) bool. A frame in which a tracker is not valid does not count.

        Returns:
            The context (64,) with this frame.
        """
        due = self._frames % _STRIDE == 0
        self._frames += 1
        if due and valid.all():
            features = frame_features(positions, rotations, self._body.size)
            code = _encode_frames(self._weights, features, self._body.joints).astype(np.float64)
            self._sum += code
            self._squares += code * code
            self._counted += 1
            mean = self._sum / self._counted
            variance = np.maximum(self._squares / self._counted - mean * mean, 0.0)
            self._value = _summarize(
                self._weights, mean.astype(np.float32), variance.astype(np.float32)
            )
        return self._value


def _encode_frames(weights: Mapping[str, Array], features: Array, joints: Array) -> Array:
    """Return the codes (..., 128) of frames (..., 48) of bodies."""
    xp = namespace(features)
    if features.ndim > joints.ndim:
        joints = xp.broadcast_to(joints[..., None, :], (*features.shape[:-1], joints.shape[-1]))
    hidden = silu(linear(weights, "context.0", xp.concatenate([features, joints], -1)))
    return silu(linear(weights, "context.1", hidden))


def _summarize(weights: Mapping[str, Array], mean: Array, variance: Array) -> Array:
    """Return contexts (..., 64) from the mean and the variance (..., 128) of the codes."""
    spread = (variance + _SMALLEST_VARIANCE) ** 0.5
    return linear(weights, "context.2", namespace(mean).concatenate([mean, spread], -1))
