# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure a bake is of each frame: a curve of the character, and markers where it is least so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from ..properties.bones import joint_label

if TYPE_CHECKING:
    import numpy as np

    from ..animation.actions import ActionWriter

MEAN, WORST = "ssrhmr_expected_error", "ssrhmr_expected_error_worst"
"""Custom properties of the character, in millimetres: of the mean of all joints, and of the joint
that is the least certain."""
PATHS = tuple(f'["{name}"]' for name in (MEAN, WORST))
"""Their data paths."""
_DESCRIPTIONS = {
    MEAN: "Expected distance of a joint from where the performer's was, in millimetres",
    WORST: "The same of the joint that is the least certain",
}
_GROUP = "SSR-HMR"
_MOST_MARKERS = 5
_APART = 1.0
"""Seconds between two markers."""
_NOTABLE, _UNUSUAL = 0.5, 1.25
"""Share of the largest error, and multiple of the median, below which a moment is not marked."""


def write_certainty(
    writer: ActionWriter, errors: np.ndarray, keyed_at: np.ndarray, rate: float
) -> None:
    """Write the expected errors of joints as curves of a new action, and mark the largest.

    Markers are those of the action, not of the scene, and named by joint.

    Args:
        writer: Writer of the action.
        errors: (F, 22) expected errors of the joints in metres.
        keyed_at: (F,) times of the frames on curves.
        rate: Frames per second.
    """
    millimetres = 1000.0 * errors
    for path, values in zip(PATHS, (millimetres.mean(-1), millimetres.max(-1)), strict=True):
        writer.write(_GROUP, path, keyed_at, values[:, None])
    _mark_least_certain(writer.action, errors, keyed_at, max(1, round(_APART * rate)))


def _mark_least_certain(
    action: bpy.types.Action, errors: np.ndarray, keyed_at: np.ndarray, apart: int
) -> None:
    from ssrhmr_core.body.skeleton import JOINTS

    for row in find_least_certain(errors.max(-1), apart):
        joint = int(errors[row].argmax())
        name = f"{joint_label(JOINTS[joint])} {1000.0 * errors[row, joint]:.0f} mm"
        action.pose_markers.new(name).frame = round(float(keyed_at[row]))


def find_least_certain(worst: np.ndarray, apart: int) -> list[int]:
    """Return the rows, in order, at which errors (F,) are largest within some rows around them."""
    import numpy as np

    left = np.array(worst, np.float64)
    limit = max(_NOTABLE * left.max(), _UNUSUAL * float(np.median(left)))
    rows: list[int] = []
    while len(rows) < _MOST_MARKERS:
        row = int(left.argmax())
        if not left[row] > limit:
            break
        rows.append(row)
        left[max(0, row - apart + 1) : row + apart] = -np.inf
    return sorted(rows)


def add_properties(armature: bpy.types.Object) -> tuple[str, ...]:
    """Give a character the properties that the curves animate; return those that it lacked."""
    # The stubs know no custom properties.
    owner: Any = armature
    added = tuple(name for name in (MEAN, WORST) if name not in owner)
    for name in added:
        owner[name] = 0.0
        owner.id_properties_ui(name).update(description=_DESCRIPTIONS[name], min=0.0)
    return added
