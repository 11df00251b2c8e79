# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of detecting a rig's bones, and what its confidence means."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..body.skeleton import INDEX, JOINTS, REQUIRED_JOINTS

NONE = -1
"""Stands in a mapping for a joint without a bone."""

ASKED = 0.7
"""Confidence below which the user is asked: about one such bone in three is wrong."""
TOLERANT = 0.9
"""Confidence in a bone whose name matches except for its prefix or spelling."""
COUNTED = 0.8
"""Confidence in a bone of the trunk identified only by what it carries."""
SHAPE = 0.75
"""Confidence in a bone identified by hierarchy and position, where only one body fits."""
DOUBTFUL = 0.5
"""Confidence in a bone identified by position where another would fit almost as well, in limbs
whose side follows from the usual axes alone, and in bones that names and shape disagree about."""
GUESSED = 0.2
"""Confidence in limbs whose side follows from no name, no foot and no convention."""
CONTRADICTED = 0.5
"""Factor on the confidence in a bone whose place in the hierarchy does not fit."""
LOOSE = 0.85
"""Factor on the confidence in limb bones of both sides that hang on no bone of their limb."""

LOPSIDED = 0.65
"""Factor on the confidence in bones whose names differ by more than the side."""

TRUNK = tuple(INDEX[name] for name in ("hips", "lower_spine", "middle_spine", "chest", "neck"))
SPINE = TRUNK[1:4]
HIPS, CHEST, NECK, HEAD = (INDEX[name] for name in ("hips", "chest", "neck", "head"))
SIDES = ("left", "right")
LEGS, ARMS = (
    tuple(tuple(INDEX[f"{side}_{part}"] for part in parts) for side in SIDES)
    for parts in (("hip", "knee", "ankle", "toe"), ("clavicle", "shoulder", "elbow", "wrist"))
)
"""Joints of the left and the right leg, and of the left and the right arm."""


@dataclass(frozen=True, eq=False)
class BoneMapping:
    """The bones of a rig that stand for the 22 joints.

    Attributes:
        family: Name of the table that fits best; "unknown" where shape alone decided.
        bones: (22,) int, index of the bone of each joint, or :data:`NONE`.
        confidence: (22,) float32 in 0..1, how sure each one is: 1 for a name of the family in its
            right place, 0.9 for a name that had to be stripped, 0.8 for a bone of the trunk
            identified by what it carries, 0.75 for a bone identified by shape; below
            :data:`ASKED` where several bones fit or names, hierarchy and shape contradict each
            other; 0.2 where left and right are a guess; 0 without a bone.
        ambiguous: Joints to ask the user about, with the bones to choose from. A joint whose bones
            fit equally well has no bone; another has a bone of low confidence, which is the first
            of them.
        mirrored: Whether the names call the body's left side right; the bones go by the body.
        warnings: Sentences about joints that names and shape disagree about.
    """

    family: str
    bones: np.ndarray
    confidence: np.ndarray
    ambiguous: dict[int, list[int]] = field(default_factory=dict)
    mirrored: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Names of the required joints that have no bone."""
        return [JOINTS[joint] for joint in REQUIRED_JOINTS if self.bones[joint] == NONE]


def empty_mapping() -> BoneMapping:
    """Return a mapping without any bone."""
    return BoneMapping("unknown", np.full(len(JOINTS), NONE), np.zeros(len(JOINTS), np.float32))
