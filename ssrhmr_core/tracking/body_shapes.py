# SPDX-License-Identifier: GPL-3.0-or-later
"""What bodies of performers look like: the mean, and how bodies differ from it.

Principal components of the training performers' bodies, brought to adult size. They differ by build
and by what each recording system takes for a joint: wrists and necks most of all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..body.skeleton import INDEX, Skeleton
from .pose_priors import BONE_GROUPS, bone_group_joints
from .stance_average import BodyPrior

# Mean offset, then one change a component; tenths of a millimetre, left side. Printed by
# scripts/measure_bodies.py.
_SHAPES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "hip": (
        (873, -425, 87),
        (0, 460, -178),
        (98, -63, 65),
        (-45, 5, -81),
        (20, -140, -15),
        (-5, -1, 17),
        (0, -19, -48),
    ),
    "knee": (
        (0, -3941, 0),
        (0, 189, 0),
        (0, 39, 0),
        (0, -129, 0),
        (0, -79, 0),
        (0, 72, 0),
        (0, -20, 0),
    ),
    "ankle": (
        (0, -4108, 0),
        (0, 154, 0),
        (0, 250, 0),
        (0, 216, 0),
        (0, -7, 0),
        (0, 66, 0),
        (0, 21, 0),
    ),
    "toe": (
        (116, -468, 1292),
        (12, -73, 60),
        (-6, -24, 84),
        (26, -133, 105),
        (-41, 18, -63),
        (-21, 35, -32),
        (8, -64, 39),
    ),
    "lower_spine": (
        (0, 570, -51),
        (0, 460, -37),
        (0, -471, -24),
        (0, -267, -21),
        (0, -39, -132),
        (0, 0, 62),
        (0, 47, 93),
    ),
    "middle_spine": (
        (0, 1341, -26),
        (0, 186, 51),
        (0, 426, 59),
        (0, 46, 29),
        (0, -142, 14),
        (0, 123, -2),
        (0, 87, -25),
    ),
    "chest": (
        (0, 786, -14),
        (0, -445, 9),
        (0, -127, 23),
        (0, 144, -11),
        (0, 221, 24),
        (0, 44, -5),
        (0, -13, -47),
    ),
    "neck": (
        (0, 1944, -48),
        (0, 454, -99),
        (0, 36, -32),
        (0, 285, 29),
        (0, 17, 115),
        (0, -117, -42),
        (0, -78, -59),
    ),
    "head": (
        (0, 1305, 92),
        (0, -315, 51),
        (0, 426, -83),
        (0, -120, 62),
        (0, -144, 67),
        (0, 87, 30),
        (0, -40, 25),
    ),
    "clavicle": (
        (205, 1553, -93),
        (79, 381, -183),
        (-129, 367, 9),
        (90, -50, 84),
        (93, 66, 126),
        (95, -99, -48),
        (-46, -58, 9),
    ),
    "shoulder": (
        (1369, 283, -73),
        (-294, -311, 85),
        (293, -144, 56),
        (-89, 187, -107),
        (33, -314, 64),
        (-43, -42, 0),
        (41, -65, -57),
    ),
    "elbow": (
        (2738, 0, 0),
        (-138, 0, 0),
        (-5, 0, 0),
        (-125, 0, 0),
        (-93, 0, 0),
        (-125, 0, 0),
        (78, 0, 0),
    ),
    "wrist": (
        (2231, 0, 0),
        (139, 0, 0),
        (-47, 0, 0),
        (96, 0, 0),
        (92, 0, 0),
        (-2, 0, 0),
        (119, 0, 0),
    ),
}
_TRUNK_CHAINS = (
    [INDEX[name] for name in ("lower_spine", "middle_spine", "chest")],
    [INDEX[name] for name in ("neck", "head")],
)
"""Joints at the ends of bones that follow each other between two places that trackers show."""
_SIZE_SPREAD = 0.12
"""Spread of the logarithm of the size about the size that fits the usual body best."""


_FREE_BONES = 0.02
"""Spread of the logarithms of bone lengths about those of the shapes above."""


def free_body_prior(size: float) -> BodyPrior:
    """Return the same for a movement, which also shows bones that are like nobody's.

    Args:
        size: The size that is most probable, relative to an adult.
    """
    prior = body_prior(size)
    own = np.zeros((len(BONE_GROUPS), *prior.skeleton.offsets.shape))
    for group, joints in enumerate(bone_group_joints()):
        own[group, joints] = _FREE_BONES * prior.skeleton.offsets[joints]
    return replace(prior, components=np.concatenate([prior.components, own]))


def straighten_trunk(skeleton: Skeleton, fitted: Skeleton) -> Skeleton:
    """Return a fitted body with no bone of spine or neck that runs against that of another body.

    Six trackers show where chest and head are, hardly how the bones up to them share the way: a fit
    may turn one of them around, and a network that never saw such a body folds its trunk. The bones
    of that part then share the way as those of the other body do. The lowest bone may run either
    way: it begins wherever a rig has its hips.

    Args:
        skeleton: A body of usual build.
        fitted: The body that was fitted.
    """
    offsets = fitted.offsets.astype(np.float64)
    for chain in _TRUNK_CHAINS:
        usual = skeleton.offsets[chain].astype(np.float64)
        along = (offsets[chain] * usual).sum(-1)
        own = [joint != INDEX["lower_spine"] for joint in chain]
        if (along[own] >= 0.0).all():
            continue
        lengths = np.linalg.norm(usual, axis=-1, keepdims=True)
        missing = offsets[chain].sum(0) - usual.sum(0)
        offsets[chain] = usual + lengths / max(lengths.sum(), 1e-9) * missing
    return Skeleton(offsets.astype(np.float32), fitted.present)


def body_prior(size: float = 1.0) -> BodyPrior:
    """Return what is known of a performer's body before any tracker is looked at.

    Args:
        size: The size that is most probable, relative to an adult.
    """
    shapes = np.zeros((len(next(iter(_SHAPES.values()))), len(INDEX), 3))
    for name, vectors in _SHAPES.items():
        own = np.array(vectors) / 10000.0
        if name in INDEX:
            shapes[:, INDEX[name]] = own
            continue
        for side, sign in (("left", 1.0), ("right", -1.0)):
            shapes[:, INDEX[f"{side}_{name}"]] = own * [sign, 1.0, 1.0]
    shapes *= size
    return BodyPrior(Skeleton(shapes[0].astype(np.float32)), shapes[1:], _SIZE_SPREAD)
