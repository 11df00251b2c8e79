# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files, read as tolerantly as programs write them, and written through upc-pymotion.

``text`` decodes a file, ``hierarchy`` and ``rows`` parse it, ``clip`` puts both together,
``fitting`` makes the 22 joints of what was parsed, ``reading`` and ``writing`` are the way in and
out.
"""

from __future__ import annotations

from .errors import BVHError
from .reading import load_bvh
from .writing import save_bvh

__all__ = ["BVHError", "load_bvh", "save_bvh"]
