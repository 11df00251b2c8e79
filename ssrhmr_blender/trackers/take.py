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
        rate: Frames per second.
        names: Names of the six objects, for messages.

    Raises:
        SamplingError: if a transform is not a number, or an object is scaled to nothing.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    from ssrhmr_core.tracking.take import Take

    invalid = np.argwhere(~np.isfinite(worlds).all((-1, -2)))
    if len(invalid):
        row, tracker = invalid[0]
        raise SamplingError(
            f"tracker '{names[tracker]}' is not a number at frame {frames[row]:g}:"
            " mend its keys, driver or constraint there"
        )
    positions, rotations, scales = split_transforms(worlds)
    flat = np.argwhere((np.abs(scales) < 1e-9).any(-1))
    if len(flat):
        row, tracker = flat[0]
        raise SamplingError(
            f"tracker '{names[tracker]}' has no size at frame {frames[row]:g}, so no rotation:"
            " give it a scale other than zero"
        )
    # Scaled parents shear their children: the nearest rotation is the tracker's.
    if _is_sheared(rotations):
        u, _, vt = np.linalg.svd(rotations)
        rotations = u @ vt
    axes = core_axes()
    quats = quat.normalize(quat.from_matrix(axes @ rotations @ axes.T))
    return Take(
        times=(frames - frames[0]) / rate,
        positions=(positions @ axes.T).astype(np.float32),
        rotations=quat.unroll(quats, axis=0).astype(np.float32),
        valid=np.ones(worlds.shape[:2], bool),
    )


def _is_sheared(rotations: np.ndarray) -> bool:
    import numpy as np

    return bool(np.abs(rotations @ rotations.swapaxes(-1, -2) - np.eye(3)).max() > 1e-5)
