# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact solve: the body meets the trackers, and the prediction changes as little as possible.

Tracked joints take the measured rotations. The spine bends by the smallest rotations, in the sense
of least squares, that bring the head onto its tracker. Clavicles give only as far as a hand is out
of reach. Arms and legs are closed onto their trackers in closed form and bend towards the predicted
side.

All functions take NumPy arrays and torch tensors (see :mod:`ssrhmr_core.geometry`), one frame or
many, and are differentiable: training runs through them. All positions are relative to the hips:
far from the origin single precision would cost the ends their last hundredth of a millimetre.
"""

from .body import (
    ARMS,
    CLAVICLES,
    LEGS,
    LIMBS,
    SPINE,
    SPINE_STEPS,
    Limb,
    LimbRotations,
    SolverSkeleton,
    solver_skeleton,
)
from .full_body import (
    assemble,
    carry_clavicles,
    close_limbs,
    hip_positions,
    meet_ends,
    meet_hands,
    meet_head,
    reach_with_clavicles,
    solve,
    solve_spine,
)
from .measured import Measured, attach_ends, limb_trust

__all__ = [
    "ARMS",
    "CLAVICLES",
    "LEGS",
    "LIMBS",
    "SPINE",
    "SPINE_STEPS",
    "Limb",
    "LimbRotations",
    "Measured",
    "SolverSkeleton",
    "assemble",
    "attach_ends",
    "carry_clavicles",
    "close_limbs",
    "hip_positions",
    "limb_trust",
    "meet_ends",
    "meet_hands",
    "meet_head",
    "reach_with_clavicles",
    "solve",
    "solve_spine",
    "solver_skeleton",
]
