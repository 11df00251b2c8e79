# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw how a performer wears six trackers, and compute what their sensors report.

Offsets are typical of products and straps, in metres on an adult along the joint's own axes in the
canonical T-pose: outwards, up, to the front. They are not the numbers of the calibration's prior
(:mod:`ssrhmr_core.tracking.reference_pose`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.skeleton import ADULT_SIZE, TRACKERS, Skeleton
from ...tracking.take import Take

_HEADS = {
    "headset with its origin between the eyes": (0.0, 0.07, 0.10),
    "headset with its origin in the front shell": (0.0, 0.08, 0.15),
    "tracker on the forehead": (0.0, 0.13, 0.10),
    "tracker on a cap": (0.0, 0.19, 0.01),
    "tracker at the back of the head": (0.0, 0.09, -0.11),
    "glasses": (0.0, 0.06, 0.09),
}
_HANDS = {
    "controller with its origin in the grip": (0.08, -0.03, 0.01),
    "controller with a tracking ring": (0.10, -0.02, 0.05),
    "controller strapped to the palm": (0.07, -0.05, 0.0),
    "tracker on the back of the hand": (0.07, 0.035, 0.005),
    "glove with a tracker over the wrist": (0.01, 0.04, 0.0),
    "strap round the forearm": (-0.04, 0.035, 0.0),
}
_PELVES = {
    "belt, in front": (0.0, 0.0, 0.13),
    "belt, behind": (0.01, 0.05, -0.11),
    "belt, at the left hip": (0.16, 0.03, 0.02),
    "belt, at the right hip": (-0.16, 0.03, 0.02),
    "low on the back": (0.0, -0.02, -0.13),
    "clipped to a front pocket": (0.09, -0.03, 0.10),
}
_FEET = {
    "on the instep": (0.0, -0.02, 0.10),
    "on the outside of the ankle": (0.05, 0.04, 0.01),
    "on the front of the ankle": (0.01, 0.05, 0.05),
    "on the toe cap": (0.0, -0.045, 0.15),
    "on the heel": (0.0, -0.02, -0.06),
    "on the lower shin": (0.01, 0.09, 0.04),
}
_PRODUCTS = (_PELVES, _HEADS, _HANDS, _HANDS, _FEET, _FEET)
_SPREAD = 0.012
"""Standard deviation of an offset about that of its product, metres on an adult."""
_SLIP, _SLIP_ANGLE = 0.01, np.radians(2.0)
"""The largest slip of a strap during a take, metres and radians."""
_SLIP_SECONDS = 4.0
"""Seconds that a slip takes."""


@dataclass(frozen=True, eq=False)
class Mounts:
    """How a performer wears six trackers.

    Attributes:
        products: The product at each tracker.
        offsets: (6, 3) from joint to tracker in the joint's axes, metres.
        rotations: (6, 4) quaternions of the trackers in the joints' axes.
        slips: (6, 3) displacement of each tracker at the end of a take, metres.
        slip_rotvecs: (6, 3) its rotation by then, rotation vectors in radians.
    """

    products: tuple[str, ...]
    offsets: np.ndarray
    rotations: np.ndarray
    slips: np.ndarray
    slip_rotvecs: np.ndarray

    def mount_offsets(self) -> np.ndarray:
        """Return the true mount offsets (6, 3) as a calibration has them, metres."""
        return -quat.mul_vec(quat.inverse(self.rotations), self.offsets)

    def mount_rotations(self) -> np.ndarray:
        """Return the true mount rotations (6, 4) as a calibration has them."""
        return quat.inverse(self.rotations)

    def to_trackers(self, joints: Take, slipping: bool = False) -> Take:
        """Return what the trackers report while the joints move.

        Args:
            joints: The tracked joints themselves, as :meth:`Take.from_motion` returns them.
            slipping: Whether the straps slip somewhere in the middle of the take.
        """
        frames = len(joints)
        progress = np.zeros((frames, 1, 1))
        if slipping:
            middle = 0.5 * (joints.times[0] + joints.times[-1])
            share = np.clip((joints.times - middle) / _SLIP_SECONDS + 0.5, 0.0, 1.0)
            progress = share[:, None, None]
        offsets = self.offsets + progress * self.slips
        slipped = quat.from_scaled_angle_axis(
            np.broadcast_to(progress * self.slip_rotvecs, offsets.shape)
        )
        rotations = joints.rotations.astype(np.float64)
        positions = joints.positions + quat.mul_vec(rotations, offsets)
        mounts = quat.mul(slipped, np.broadcast_to(self.rotations, rotations.shape))
        return Take(
            joints.times,
            positions.astype(np.float32),
            quat.normalize(quat.mul(rotations, mounts)).astype(np.float32),
            joints.valid,
        )


def draw_mounts(body: Skeleton, random: np.random.Generator) -> Mounts:
    """Draw the products that a performer wears, how they sit, and how they slip."""
    adult = body.size / ADULT_SIZE
    # Both hands wear the same product, and both feet.
    picked = [random.integers(len(products)) for products in _PRODUCTS]
    picked[3], picked[5] = picked[2], picked[4]
    names = tuple(
        list(products)[number] for products, number in zip(_PRODUCTS, picked, strict=True)
    )
    offsets = np.array([products[name] for products, name in zip(_PRODUCTS, names, strict=True)])
    for role in ("right_hand", "right_foot"):
        offsets[TRACKERS.index(role), 0] *= -1.0
    offsets = adult * (offsets + _SPREAD * random.standard_normal((6, 3)))
    directions = random.standard_normal((2, 6, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    amounts = random.uniform(0.0, 1.0, (2, 6, 1))
    return Mounts(
        names,
        offsets,
        quat.normalize(random.standard_normal((6, 4))),
        adult * _SLIP * amounts[0] * directions[0],
        _SLIP_ANGLE * amounts[1] * directions[1],
    )
