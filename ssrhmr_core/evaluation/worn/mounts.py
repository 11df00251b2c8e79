# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw how a performer wears trackers, and compute what their sensors report.

Offsets are typical of products and straps, in metres on an adult along the joint's own axes in the
canonical T-pose: outwards, up, to the front. They are not the numbers of the calibration's prior
(:mod:`ssrhmr_core.tracking.reference_pose`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.extra_trackers import EXTRA_TRACKERS, SEGMENTED_TRACKERS, Measurement, Segment
from ...body.motion import Motion
from ...body.skeleton import ADULT_SIZE, TRACKERS, Skeleton
from ...tracking.extras.readings import ExtraReadings
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
_CHESTS = {
    "strap round the chest, in front": (0.0, 0.02, 0.14),
    "strap round the chest, behind": (0.01, 0.05, -0.12),
    "harness, on the breastbone": (0.02, 0.09, 0.11),
}
_SHOULDERS = {
    "pad on the shoulder": (-0.03, 0.06, 0.0),
    "strap over the collarbone": (-0.07, 0.05, 0.04),
}
_ELBOWS_ABOVE = {
    "strap just above the elbow": (-0.06, 0.03, -0.035),
    "strap round the middle of the upper arm": (-0.14, 0.05, 0.0),
}
_ELBOWS_BELOW = {"strap round the forearm": (0.09, 0.04, -0.01)}
_KNEES_ABOVE = {
    "strap just above the knee": (0.01, 0.10, 0.08),
    "strap round the thigh": (0.05, 0.19, 0.07),
}
_KNEES_BELOW = {"strap round the shin": (0.01, -0.12, 0.06)}
_TOES = {"clip on the toe cap": (0.0, 0.03, 0.01)}
_PRODUCTS = (_PELVES, _HEADS, _HANDS, _HANDS, _FEET, _FEET)
_EXTRA_PRODUCTS: dict[str, tuple[tuple[Segment, str], ...]] = {
    "chest": tuple(("upper", name) for name in _CHESTS),
    "shoulder": tuple(("upper", name) for name in _SHOULDERS),
    "elbow": (
        *(("upper", name) for name in _ELBOWS_ABOVE),
        *(("lower", name) for name in _ELBOWS_BELOW),
    ),
    "knee": (
        *(("upper", name) for name in _KNEES_ABOVE),
        *(("lower", name) for name in _KNEES_BELOW),
    ),
    "toe": tuple(("upper", name) for name in _TOES),
}
"""Products for each optional tracker, and the bones that they sit on."""
_EXTRA_OFFSETS = (
    _CHESTS | _SHOULDERS | _ELBOWS_ABOVE | _ELBOWS_BELOW | _KNEES_ABOVE | _KNEES_BELOW | _TOES
)
_SPREAD = 0.012
"""Standard deviation of an offset about that of its product, metres on an adult."""
_SLIP, _SLIP_ANGLE = 0.01, np.radians(2.0)
"""The largest slip of a strap during a take, metres and radians."""
_SLIP_SECONDS = 4.0
"""Seconds that a slip takes."""


@dataclass(frozen=True, eq=False)
class Mounts:
    """How a performer wears some trackers: the six, or the nine optional ones.

    Attributes:
        products: The product at each of the N trackers.
        offsets: (N, 3) from joint to tracker, in the axes of the bone that carries it, metres.
        rotations: (N, 4) quaternions of the trackers in these axes.
        slips: (N, 3) displacement of each tracker at the end of a take, metres.
        slip_rotvecs: (N, 3) its rotation by then, rotation vectors in radians.
        extras: How the performer wears optional trackers; None without any.
    """

    products: tuple[str, ...]
    offsets: np.ndarray
    rotations: np.ndarray
    slips: np.ndarray
    slip_rotvecs: np.ndarray
    extras: WornExtras | None = None

    def mount_offsets(self) -> np.ndarray:
        """Return the true mount offsets (N, 3) as a calibration has them, metres."""
        return -quat.mul_vec(quat.inverse(self.rotations), self.offsets)

    def mount_rotations(self) -> np.ndarray:
        """Return the true mount rotations (N, 4) as a calibration has them."""
        return quat.inverse(self.rotations)

    def to_trackers(self, joints: Take, slipping: bool = False) -> Take:
        """Return what the trackers report while the joints move.

        Args:
            joints: The tracked joints themselves, as :meth:`find_joints` returns them.
            slipping: Whether the straps slip somewhere in the middle of the take.
        """
        times = joints.times if slipping else None
        positions, rotations = self.attach(joints.positions, joints.rotations, times)
        extras = joints.extras
        if extras is not None and self.extras is not None:
            devices = self.extras.mounts.attach(extras.positions, extras.rotations, times)
            # Which bone a device sits on is for the calibration to infer from its place. Of one
            # that has no place, performers say it.
            said = extras.lower & ~extras.has_position.any(0)
            extras = ExtraReadings(*devices, extras.has_position, extras.has_rotation, said)
        return Take(joints.times, positions, rotations, joints.valid, extras)

    def find_joints(self, motion: Motion) -> Take:
        """Return the joints of a motion that the trackers sit on, as ideal trackers."""
        joints = Take.from_motion(motion)
        if self.extras is None:
            return joints
        names = [name for name, _ in self.extras.trackers]
        extras = ExtraReadings.from_motion(motion, names, self.extras.segments)
        return replace(joints, extras=extras.measuring(self.extras.trackers))

    def attach(
        self, positions: np.ndarray, rotations: np.ndarray, slip_times: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return positions (F, N, 3) and rotations (F, N, 4) of trackers on moving joints.

        Args:
            positions: (F, N, 3) positions of the joints in metres.
            rotations: (F, N, 4) rotations of the bones that carry the trackers.
            slip_times: (F,) seconds of the frames, in whose middle straps slip; None if they hold.
        """
        progress = np.zeros((len(positions), 1, 1))
        if slip_times is not None:
            middle = 0.5 * (slip_times[0] + slip_times[-1])
            share = np.clip((slip_times - middle) / _SLIP_SECONDS + 0.5, 0.0, 1.0)
            progress = share[:, None, None]
        offsets = self.offsets + progress * self.slips
        slipped = quat.from_scaled_angle_axis(
            np.broadcast_to(progress * self.slip_rotvecs, offsets.shape)
        )
        rotations = rotations.astype(np.float64)
        positions = positions + quat.mul_vec(rotations, offsets)
        mounts = quat.mul(slipped, np.broadcast_to(self.rotations, rotations.shape))
        turned = quat.normalize(quat.mul(rotations, mounts))
        return positions.astype(np.float32), turned.astype(np.float32)


@dataclass(frozen=True, eq=False)
class WornExtras:
    """How a performer wears optional trackers.

    Attributes:
        trackers: Names of the trackers that are worn, and what each measures.
        segments: The bones that trackers at elbows and knees sit on.
        mounts: How all nine would be worn.
    """

    trackers: tuple[tuple[str, Measurement], ...]
    segments: dict[str, Segment]
    mounts: Mounts


def draw_mounts(body: Skeleton, random: np.random.Generator) -> Mounts:
    """Draw the products that a performer wears, how they sit, and how they slip."""
    # Both hands wear the same product, and both feet.
    picked = [random.integers(len(products)) for products in _PRODUCTS]
    picked[3], picked[5] = picked[2], picked[4]
    names = tuple(
        list(products)[number] for products, number in zip(_PRODUCTS, picked, strict=True)
    )
    offsets = np.array([products[name] for products, name in zip(_PRODUCTS, names, strict=True)])
    for role in ("right_hand", "right_foot"):
        offsets[TRACKERS.index(role), 0] *= -1.0
    return _draw_fit(names, offsets, body, random)


def draw_extra_mounts(
    body: Skeleton,
    trackers: Iterable[tuple[str, Measurement]],
    random: np.random.Generator,
) -> WornExtras:
    """Draw how a performer wears optional trackers.

    Args:
        body: The performer's body.
        trackers: Names of the trackers that are worn, and what each measures.
        random: The generator, not that of the six: they are worn alike with and without these.
    """
    segments: dict[str, Segment] = {}
    names: list[str] = []
    offsets = []
    for tracker in EXTRA_TRACKERS:
        products = _EXTRA_PRODUCTS[tracker.rsplit("_", 1)[-1]]
        segment, product = products[random.integers(len(products))]
        twin = tracker.replace("right", "left")
        if twin != tracker:
            # Both sides wear the same product.
            product = names[EXTRA_TRACKERS.index(twin)]
            segment = segments.get(twin, "upper")
        if tracker in SEGMENTED_TRACKERS:
            segments[tracker] = segment
        mirror = -1.0 if tracker.startswith("right") else 1.0
        names.append(product)
        offsets.append(np.array(_EXTRA_OFFSETS[product]) * (mirror, 1.0, 1.0))
    mounts = _draw_fit(tuple(names), np.array(offsets), body, random)
    return WornExtras(tuple(trackers), segments, mounts)


def _draw_fit(
    names: tuple[str, ...], offsets: np.ndarray, body: Skeleton, random: np.random.Generator
) -> Mounts:
    """Draw how some products sit, and how they slip, given their usual offsets (N, 3)."""
    adult, count = body.size / ADULT_SIZE, len(names)
    offsets = adult * (offsets + _SPREAD * random.standard_normal((count, 3)))
    directions = random.standard_normal((2, count, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    amounts = random.uniform(0.0, 1.0, (2, count, 1))
    return Mounts(
        names,
        offsets,
        quat.normalize(random.standard_normal((count, 4))),
        adult * _SLIP * amounts[0] * directions[0],
        _SLIP_ANGLE * amounts[1] * directions[1],
    )
