"""SSR-HMR: a whole animated body from six tracked points. Runs on NumPy alone.

>>> from ssrhmr_core import Reconstructor, Take, load_motion
>>> performance = load_motion("take.bvh")
>>> body = Reconstructor(performance.skeleton).clip(Take.from_motion(performance))
"""

from .calibration import Calibration, calibrate, calibrate_to_pose
from .formats import load_motion
from .motion import Motion
from .reconstruct import Reconstructor
from .skeleton import JOINTS, TRACKERS, Skeleton
from .trackers import Take, TrackerError
from .weights import WeightsError, default_weights

__version__ = "0.1.0"

__all__ = [
    "JOINTS",
    "TRACKERS",
    "Calibration",
    "Motion",
    "Reconstructor",
    "Skeleton",
    "Take",
    "TrackerError",
    "WeightsError",
    "calibrate",
    "calibrate_to_pose",
    "default_weights",
    "load_motion",
]
