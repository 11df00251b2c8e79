# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure a bake is of each frame: a curve of the character, and markers where it is least so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
_NOTABLE = 0.5
"""Share of the largest error below which a moment is not marked."""


def write_errors(writer: ActionWriter, errors: np.ndarray, keyed_at: np.ndarray) -> None:
    """Write the expected errors of joints as curves of a new action.

    Args:
        writer: Writer of the action.
        errors: (F, 22) expected errors of the joints in metres.
        keyed_at: (F,) times of the frames on curves.
    """
    millimetres = 1000.0 * errors
    for path, values in zip(PATHS, (millimetres.mean(-1), millimetres.max(-1)), strict=True):
        writer.write(_GROUP, path, keyed_at, values[:, None])


def mark_least_certain(
    action: bpy.types.Action, errors: np.ndarray, keyed_at: np.ndarray, rate: float
) -> None:
    """Add markers to an action where its joints are the least certain, named by joint.

    Args:
        action: The action.
        errors: (F, 22) expected errors of the joints in metres.
        keyed_at: (F,) times of the frames on curves.
        rate: Frames per second.
    """
    from ssrhmr_core.body.skeleton import JOINTS

    for row in find_least_certain(errors.max(-1), max(1, round(_APART * rate))):
        joint = int(errors[row].argmax())
        name = f"{joint_label(JOINTS[joint])} {1000.0 * errors[row, joint]:.0f} mm"
        action.pose_markers.new(name).frame = round(float(keyed_at[row]))


def find_least_certain(worst: np.ndarray, apart: int) -> list[int]:
    """Return the rows, in order, at which errors (F,) are largest within some rows around them."""
    import numpy as np

    left = np.array(worst, np.float64)
    limit = _NOTABLE * left.max(initial=0.0)
    rows: list[int] = []
    while len(rows) < _MOST_MARKERS:
        row = int(left.argmax())
        if not left[row] > limit:
            break
        rows.append(row)
        left[max(0, row - apart + 1) : row + apart] = -np.inf
    return sorted(rows)


@contextmanager
def properties_for(armature: bpy.types.Object) -> Iterator[None]:
    """Give a character the properties that the curves animate; take them back at an error."""
    added = [name for name in (MEAN, WORST) if name not in armature]
    for name in added:
        armature[name] = 0.0
        armature.id_properties_ui(name).update(description=_DESCRIPTIONS[name], min=0.0)
    try:
        yield
    except BaseException:
        for name in added:
            del armature[name]
        raise
