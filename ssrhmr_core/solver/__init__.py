# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact solve: the body obeys what was measured, with little change to what was learned.

Measured rotations are copied through. The spine bends by the least-squares smallest turns that
bring the head onto its tracker, clavicles give only as far as a hand is out of reach, and arms and
legs are closed in closed form onto their trackers, bending towards the predicted side.

Everything here takes NumPy arrays and torch tensors (see :mod:`ssrhmr_core.geometry`), one frame
or many, and is differentiable: training runs through it. All positions are relative to the hips:
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
    SolverSkeleton,
    solver_skeleton,
)
from .full_body import (
    assemble,
    carry_clavicles,
    close_limbs,
    hip_positions,
    reach_with_clavicles,
    solve,
    solve_spine,
)

__all__ = [
    "ARMS",
    "CLAVICLES",
    "LEGS",
    "LIMBS",
    "SPINE",
    "SPINE_STEPS",
    "Limb",
    "SolverSkeleton",
    "assemble",
    "carry_clavicles",
    "close_limbs",
    "hip_positions",
    "reach_with_clavicles",
    "solve",
    "solve_spine",
    "solver_skeleton",
]
