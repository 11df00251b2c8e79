# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies and motions that the core's tests share, the same in every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, Skeleton

# Examples are the same in every run, and few enough to wait for. The profiles long and longer
# (--hypothesis-profile) try more of them.
settings.register_profile(
    "bounded",
    derandomize=True,
    deadline=None,
    max_examples=50,
    # The fixtures make folders and scenes that serve all examples of a test alike.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile(
    "long", settings.get_profile("bounded"), derandomize=False, max_examples=2000
)
settings.register_profile("longer", settings.get_profile("long"), max_examples=20000)
settings.load_profile("bounded")

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "data" / "mocap"


def make_skeleton() -> Skeleton:
    """Return an adult of 1.75 m."""
    offsets = np.zeros((22, 3), np.float32)
    half = {
        "hip": (0.09, -0.07, 0.01),
        "knee": (0.0, -0.42, 0.0),
        "ankle": (0.0, -0.42, 0.0),
        "toe": (0.01, -0.06, 0.13),
        "clavicle": (0.03, 0.16, 0.01),
        "shoulder": (0.14, 0.01, -0.02),
        "elbow": (0.28, 0.0, 0.0),
        "wrist": (0.25, 0.0, 0.0),
    }
    for name, offset in half.items():
        offsets[INDEX[f"left_{name}"]] = offset
        offsets[INDEX[f"right_{name}"]] = np.array(offset) * (-1.0, 1.0, 1.0)
    for name, height, depth in (
        ("lower_spine", 0.09, -0.01),
        ("middle_spine", 0.12, 0.0),
        ("chest", 0.13, -0.01),
        ("neck", 0.21, 0.0),
        ("head", 0.1, 0.02),
    ):
        offsets[INDEX[name]] = (0.0, height, depth)
    return Skeleton(offsets)


def make_motion(skeleton: Skeleton, frames: int = 150, rate: float = 60.0, seed: int = 3) -> Motion:
    """Return a smooth wandering of all joints within what people can do."""
    random = np.random.default_rng(seed)
    times = np.arange(frames) / rate
    angles = np.zeros((frames, len(JOINTS), 3))
    for joint, name in enumerate(JOINTS):
        spread = 0.15 if "spine" in name or name in ("chest", "neck") else 0.35
        for axis in range(3):
            speed, phase = random.uniform(0.5, 3.0), random.uniform(0.0, 6.28)
            angles[:, joint, axis] = spread * np.sin(speed * times + phase)
    angles[:, 0] = np.stack([0.1 * np.sin(times), 0.8 * np.sin(0.7 * times), 0.05 * times], -1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bend = 0.9 + 0.6 * np.sin(2.0 * times + sign)
        angles[:, INDEX[f"{side}_knee"]] = np.stack([bend, 0 * bend, 0 * bend], -1)
        angles[:, INDEX[f"{side}_elbow"]] = np.stack([0 * bend, -sign * bend, 0 * bend], -1)
        angles[:, INDEX[f"{side}_hip"], 0] -= 0.6
        angles[:, INDEX[f"{side}_shoulder"], 2] -= sign * 0.9
    rotations = to_global(quat.from_scaled_angle_axis(angles))
    root = np.stack([0.5 * times, 0.95 + 0.05 * np.sin(3.0 * times), 0.2 * np.sin(times)], -1)
    return Motion(skeleton, times, rotations.astype("f4"), root.astype("f4"))


def to_global(local: np.ndarray) -> np.ndarray:
    """Return the global quaternions (F, 22, 4) of local ones (F, 22, 4)."""
    rotations = local.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        rotations[:, joint] = quat.mul(rotations[:, parent], local[:, joint])
    return rotations


@pytest.fixture
def skeleton() -> Skeleton:
    """An adult of 1.75 m."""
    return make_skeleton()


@pytest.fixture
def motion(skeleton: Skeleton) -> Motion:
    """Two and a half seconds of that adult at 60 frames a second."""
    return make_motion(skeleton)


@pytest.fixture
def corpus() -> Path:
    """The motion corpus next to the checkout."""
    if not (CORPUS / "split.json").is_file():
        pytest.skip("the motion corpus is not next to this checkout (../shared/data/mocap)")
    return CORPUS
