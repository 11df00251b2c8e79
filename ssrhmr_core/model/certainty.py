# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure the model is: the expected error of each joint.

A small net reads what the generator knows of a frame, and which trackers were filled in for how
long. It was trained to predict the logarithm of the position errors of the finished poses.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..body.skeleton import JOINTS, TRACKERS
from ..geometry.arrays import Array, clamp, namespace
from .layers import linear, silu

HIDDEN = 384
"""Width of the generator's hidden layers."""
_WIDTH = 64
LONGEST = 0.5
"""Seconds: trackers that are missing for longer count the same."""
_TYPICAL = float(np.log(0.006))
"""Logarithm of an error that is about the mean, in sizes of the body."""


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the weights; matrices are (inputs, outputs)."""
    return {
        "certainty.0.w": (HIDDEN + 2 * len(TRACKERS), _WIDTH),
        "certainty.0.b": (_WIDTH,),
        "certainty.1.w": (_WIDTH, _WIDTH),
        "certainty.1.b": (_WIDTH,),
        "certainty.2.w": (_WIDTH, len(JOINTS)),
        "certainty.2.b": (len(JOINTS),),
    }


def expect_log_errors(weights: Mapping[str, Array], hidden: Array, missing: Array) -> Array:
    """Predict the logarithms of position errors, in sizes of the body.

    Args:
        weights: Arrays or tensors as :func:`shapes` names them.
        hidden: (..., 384) from :class:`ssrhmr_core.model.network.Prediction`.
        missing: (..., 6) seconds since each tracker was last valid, 0 where it is.

    Returns:
        (..., 22).
    """
    xp = namespace(hidden)
    age = clamp(missing, 0.0, LONGEST) * (1.0 / LONGEST)
    is_missing = clamp(missing * 1e6, 0.0, 1.0)
    inputs = xp.concatenate([hidden, is_missing, age], -1)
    inner = silu(linear(weights, "certainty.0", inputs))
    inner = silu(linear(weights, "certainty.1", inner))
    return linear(weights, "certainty.2", inner) + _TYPICAL


def seconds_missing(valid: np.ndarray, rate: float) -> np.ndarray:
    """Return (F, 6) seconds since each tracker was last valid.

    Args:
        valid: (F, 6) bool.
        rate: Frames per second.
    """
    frames = np.arange(len(valid))[:, None]
    last = np.maximum.accumulate(np.where(valid, frames, -1), axis=0)
    age = np.where(last < 0, np.inf, (frames - last) / rate)
    return age.astype(np.float32)
