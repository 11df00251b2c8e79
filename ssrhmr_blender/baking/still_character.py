# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters that stand still apart from what a bake keys: they are read once, not at each frame.

Evaluating a control rig or a dense mesh takes far longer than reading six trackers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import curves_of
from ..common.axes import flatten_matrix
from ..common.typed import pose_of
from ..trackers.stage import foreign_handlers

if TYPE_CHECKING:
    import numpy as np

_OF_BONE = re.compile(r'pose\.bones\["(.+)"\]')


def read_still(armature: bpy.types.Object, bones: Sequence[tuple[str, bool]]) -> np.ndarray | None:
    """Read a character whose object and some of whose bones nothing moves.

    Args:
        armature: Armature object.
        bones: Names of bones, and whether their constraints and drivers count.

    Returns:
        (1 + bones, 4, 4) world transform of the object, and poses of the bones in their own space;
        None if something may move one of them.
    """
    import numpy as np

    names = {name for name, _ in bones}
    if foreign_handlers() or any(held for _, held in bones) or _is_moved(armature, names):
        return None
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    poses = [pose_of(evaluated).bones[name].matrix_basis for name, _ in bones]
    rows = [flatten_matrix(matrix) for matrix in (evaluated.matrix_world, *poses)]
    return np.array(rows).reshape(-1, 4, 4)


def _is_moved(armature: bpy.types.Object, bones: Collection[str]) -> bool:
    """Return whether anything may move an object or some of its bones."""
    if armature.parent is not None or armature.rigid_body is not None:
        return True
    if any(not constraint.mute for constraint in armature.constraints):
        return True
    data = armature.animation_data
    if data is None:
        return False
    if len(data.nla_tracks):
        return True
    paths = [curve.data_path for curve in (*data.drivers, *curves_of(armature))]
    return any(_moves(path, bones) for path in paths)


def _moves(path: str, bones: Collection[str]) -> bool:
    """Return whether a data path of an armature object may belong to it or to some bones."""
    if ".constraints[" in path:
        return False
    match = _OF_BONE.match(path)
    return match is None or match[1] in bones
