# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading a BVH file can raise."""

from __future__ import annotations

from ..errors import MotionFileError


class BVHError(MotionFileError):
    """A file is not a complete BVH motion of a human body; the message says where and why."""
