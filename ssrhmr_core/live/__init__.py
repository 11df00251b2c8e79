# SPDX-License-Identifier: GPL-3.0-or-later
"""Live capture without Blender: tracker readings in, poses and recorded takes out."""

from .recording import RawTake
from .session import LivePose, LiveSession, ReadingSource, TrackerState
from .statistics import LiveStatus

__all__ = ["LivePose", "LiveSession", "LiveStatus", "RawTake", "ReadingSource", "TrackerState"]
