# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL, SMPL+H and SMPL-X motion in archives (.npz), in the spellings that projects use.

AMASS, smplx, AIST++, GVHMR, WHAM and 4D-Humans name and shape the same things differently:
``spellings`` finds the arrays of an archive, ``arrays`` checks them, ``body`` has the joints that
they move, ``reading`` makes a motion of all that. Only the rotations of the 22 body joints and the
translation are read. Body models are licensed, so none comes with this package.
"""

from __future__ import annotations

from .reading import SmplError, load_smpl

__all__ = ["SmplError", "load_smpl"]
