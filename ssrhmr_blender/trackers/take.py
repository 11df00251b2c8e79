# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampled trackers as the core's takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..common.axes import core_axes, split_transforms
from ..common.errors import UserError
from ..properties.tracker import TRACKERS

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.tracking.take import Take


class SamplingError(UserError):
    """Trackers that cannot be used; the message names the tracker and the frame."""


def take_from_samples(
    worlds: np.ndarray, frames: np.ndarray, rate: float, trackers: Mapping[str, str]
) -> Take:
    """Turn world transforms into a take in the core's axes.

    Args:
        worlds: (F, n, 4, 4) in Blender's world, scene units.
        frames: (F,) frame numbers.
        rate: Frames per second.
        trackers: Names of the n objects by role, in the order of ``worlds``. Roles that are not
            among them are never valid in the take.

    Raises:
        SamplingError: if a transform is not a number, or an object is scaled to nothing.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    from ssrhmr_core.tracking.take import Take

    names = list(trackers.values())
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
    count, columns = len(worlds), [TRACKERS.index(role) for role in trackers]
    take = Take(
        times=(frames - frames[0]) / rate,
        positions=np.zeros((count, len(TRACKERS), 3), np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, len(TRACKERS), 1)),
        valid=np.zeros((count, len(TRACKERS)), bool),
    )
    take.positions[:, columns] = positions @ axes.T
    take.rotations[:, columns] = quat.unroll(quats, axis=0)
    take.valid[:, columns] = True
    return take


def _is_sheared(rotations: np.ndarray) -> bool:
    import numpy as np

    return bool(np.abs(rotations @ rotations.swapaxes(-1, -2) - np.eye(3)).max() > 1e-5)
