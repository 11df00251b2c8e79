# SPDX-License-Identifier: GPL-3.0-or-later
"""SSR-HMR: reconstruct a whole animated body from six trackers, using NumPy alone.

Examples:
    >>> from ssrhmr_core import Reconstructor, Take, load_motion
    >>> performance = load_motion("take.bvh")
    >>> body = Reconstructor(performance.skeleton).clip(Take.from_motion(performance))
"""

from .body.motion import Motion
from .body.skeleton import JOINTS, TRACKERS, Skeleton
from .formats import load_motion, load_take
from .model.weights import WeightsError, default_weights
from .pipeline import ReconstructionOptions, Reconstructor
from .tracking.calibration import (
    Calibration,
    CalibrationOptions,
    calibrate,
    calibrate_to_pose,
)
from .tracking.denoising import Smoothing
from .tracking.reference_pose import ReferencePose
from .tracking.take import Take, TrackerError

__version__ = "0.1.0"
"""The one place of the version: wheel, extension and tag take it from here."""

__all__ = [
    "JOINTS",
    "TRACKERS",
    "Calibration",
    "CalibrationOptions",
    "Motion",
    "ReconstructionOptions",
    "Reconstructor",
    "ReferencePose",
    "Skeleton",
    "Smoothing",
    "Take",
    "TrackerError",
    "WeightsError",
    "calibrate",
    "calibrate_to_pose",
    "default_weights",
    "load_motion",
    "load_take",
]
