# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a tracker that is not seen would be: a small net that looks at those that are.

Six trackers go on into the model whatever is missing: a lost one, or one that the performer does
not wear, is replaced by what this net says of the others, of how they moved, and of where the lost
one was last seen. So head and hands alone are enough, and one set of weights serves any subset.

Everything is seen from a reference frame that stands upright: at the pelvis tracker, heading as it
does, or at the head where the pelvis is lost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import JOINTS, TRACKERS
from ..geometry.arrays import Array, constant, namespace
from ..geometry.rotations import UNIT_6D, from_6d, heading, rotate, to_6d, transpose
from .layers import residual_net

AGO = (0, 2, 4, 8, 16, 32)
"""How many frames of 60 Hz ago the net looks at."""

_MOMENT_FEATURES = len(AGO) * len(TRACKERS) * (3 + 6 + 1)
_BODY_FEATURES = 3 * (len(JOINTS) - 1)
_INPUTS = _MOMENT_FEATURES + 2 + _BODY_FEATURES
_WIDTH, _BLOCKS = 256, 2
_FLOOR_RANGE = 4.0
"""Heights over the floor beyond this many sizes of the body say nothing: there is no floor."""


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights. Matrices are (inputs, outputs)."""
    sizes = {"filling.in": (_INPUTS, _WIDTH)}
    for block in range(_BLOCKS):
        sizes[f"filling.{block}.a"] = sizes[f"filling.{block}.b"] = (_WIDTH, _WIDTH)
    sizes["filling.out"] = (_WIDTH, len(TRACKERS) * 9)
    found: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs) in sizes.items():
        found[f"{name}.w"], found[f"{name}.b"] = (inputs, outputs), (outputs,)
    return found


class TrackerHistory(NamedTuple):
    """Trackers now and at the earlier frames of :data:`AGO`; leading axes are frames.

    Attributes:
        positions: (..., 6, 6, 3) moments by trackers, metres. Of what was not seen: anything
            finite.
        rotations: (..., 6, 6, 3, 3).
        valid: (..., 6, 6) 1 where the tracker was seen, else 0, as floats.
    """

    positions: Array
    rotations: Array
    valid: Array


def fill(
    weights: dict[str, Array], seen: TrackerHistory, offsets: Array, size: Array
) -> tuple[Array, Array]:
    """Say where all six trackers are from those that are seen.

    Args:
        weights: as :func:`shapes` names them.
        seen: the trackers over time. Pelvis or head must be seen now.
        offsets: (..., 22, 3) or (22, 3) of the body, metres.
        size: (...) or scalar, size of the body.

    Returns:
        Positions (..., 6, 3) and rotations (..., 6, 3, 3). Those of seen trackers are to be
        ignored.
    """
    xp = namespace(seen.positions)
    lead = seen.positions.shape[:-3]
    size = xp.broadcast_to(size, lead) if np.ndim(size) == 0 else size
    with_pelvis = seen.valid[..., 0, :1]
    share = with_pelvis[..., None]
    origin = xp.where(with_pelvis > 0.5, seen.positions[..., 0, 0, :], seen.positions[..., 0, 1, :])
    turn = heading(
        xp.where(share > 0.5, seen.rotations[..., 0, 0, :, :], seen.rotations[..., 0, 1, :, :])
    )
    inverse = transpose(turn)[..., None, None, :, :]
    scale = size[..., None, None, None]
    places = rotate(inverse, seen.positions - origin[..., None, None, :]) / scale
    sixes = to_6d(inverse @ seen.rotations)
    known = seen.valid[..., None]
    moments = xp.concatenate([places * known, sixes * known, known], -1)
    height = origin[..., 1:2] / size[..., None]
    height = height * (abs(height) < _FLOOR_RANGE)
    body = xp.broadcast_to(offsets / size[..., None, None], (*lead, *offsets.shape[-2:]))
    inputs = [
        moments.reshape(*lead, _MOMENT_FEATURES),
        with_pelvis,
        height,
        body[..., 1:, :].reshape(*lead, _BODY_FEATURES),
    ]
    out = residual_net(weights, "filling", _BLOCKS, xp.concatenate(inputs, -1))
    out = out.reshape(*lead, len(TRACKERS), 9)
    positions = origin[..., None, :] + rotate(turn[..., None, :, :], out[..., :3]) * scale[..., 0]
    rotations = turn[..., None, :, :] @ from_6d(out[..., 3:] + constant(UNIT_6D, out))
    return positions, rotations
