# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampled trackers as the core's takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.axes import core_axes, split_transforms
from ..common.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.tracking.take import Take


class SamplingError(UserError):
    """Trackers that cannot be used; the message names the tracker and the frame."""


def take_from_samples(
    worlds: np.ndarray, frames: np.ndarray, rate: float, names: list[str]
) -> Take:
    """Turn world transforms into a take in the core's axes.

    Args:
        worlds: (F, 6, 4, 4) in Blender's world, scene units.
        frames: (F,) frame numbers.
        rate: frames a second.
        names: of the six objects, for messages.

    Raises:
        TakeError: if a transform is not a number, or an object is scaled to nothing.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    from ssrhmr_core.tracking.take import Take

    bad = np.argwhere(~np.isfinite(worlds).all((-1, -2)))
    if len(bad):
        row, tracker = bad[0]
        raise SamplingError(
            f"tracker '{names[tracker]}' is not a number at frame {frames[row]:g}:"
            " mend its keys, driver or constraint there"
        )
    places, turns, scales = split_transforms(worlds)
    flat = np.argwhere((np.abs(scales) < 1e-9).any(-1))
    if len(flat):
        row, tracker = flat[0]
        raise SamplingError(
            f"tracker '{names[tracker]}' has no size at frame {frames[row]:g}, so no rotation:"
            " give it a scale other than zero"
        )
    # Scaled parents shear what they carry: the nearest rotation is what the tracker shows.
    u, _, vt = np.linalg.svd(turns) if _sheared(turns) else (turns, None, np.eye(3))
    axes = core_axes()
    turned = axes @ (u @ vt) @ axes.T
    return Take(
        (frames - frames[0]) / rate,
        (places @ axes.T).astype(np.float32),
        quat.unroll(quat.normalize(quat.from_matrix(turned)), axis=0).astype(np.float32),
        np.ones(worlds.shape[:2], bool),
    )


def _sheared(turns: np.ndarray) -> bool:
    import numpy as np

    return bool(np.abs(turns @ turns.swapaxes(-1, -2) - np.eye(3)).max() > 1e-5)
