# SPDX-License-Identifier: GPL-3.0-or-later
"""The body that every part of the core agrees on: 22 joints, six trackers, one canonical T-pose.

In the canonical T-pose the body faces +Z with +Y up and its left side towards +X; thighs and shins
hang straight down, upper arms, forearms and hands point straight out along X; spine, clavicles,
hips and feet are as the skeleton has them. All joint rotations are global and measured from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..geometry.arrays import Array, constant
from ..geometry.rotations import rotate

ADULT_SIZE = 1.4
"""About the :attr:`Skeleton.size` of an adult, for whom limits in metres are meant."""

JOINTS = (
    "hips",
    "left_hip",
    "left_knee",
    "left_ankle",
    "left_toe",
    "right_hip",
    "right_knee",
    "right_ankle",
    "right_toe",
    "lower_spine",
    "middle_spine",
    "chest",
    "neck",
    "head",
    "left_clavicle",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_clavicle",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
)
PARENTS = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 12, 11, 14, 15, 16, 11, 18, 19, 20)
"""Index of the parent of each joint; parents come first."""
INDEX = {name: index for index, name in enumerate(JOINTS)}

TRACKERS = ("pelvis", "head", "left_hand", "right_hand", "left_foot", "right_foot")
TRACKER_JOINTS = tuple(
    INDEX[name]
    for name in ("hips", "head", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
)
"""The joint that each tracker sits on, in the order of :data:`TRACKERS`."""
FOOT_TRACKERS = (TRACKERS.index("left_foot"), TRACKERS.index("right_foot"))
HAND_TRACKERS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))

REQUIRED_JOINTS = tuple(
    INDEX[name]
    for name in JOINTS
    if name not in {"lower_spine", "middle_spine", "neck"} and "toe" not in name
    if "clavicle" not in name
)
"""Joints that every skeleton has; the others may be missing."""

MIRROR = tuple(
    INDEX[
        name.replace("left_", "right_")
        if name.startswith("left_")
        else name.replace("right_", "left_")
    ]
    for name in JOINTS
)
"""For each joint, its counterpart on the other side of the body."""

LIMB_DIRECTIONS = {
    **{INDEX[n]: (0.0, -1.0, 0.0) for n in ("left_hip", "left_knee", "right_hip", "right_knee")},
    **{INDEX[n]: (1.0, 0.0, 0.0) for n in ("left_shoulder", "left_elbow", "left_wrist")},
    **{INDEX[n]: (-1.0, 0.0, 0.0) for n in ("right_shoulder", "right_elbow", "right_wrist")},
}
"""Direction of each limb bone, from its joint to the next one, in the canonical T-pose."""

LEG_BONES = tuple(
    INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle")
)
"""Joints at the ends of thighs and shins."""
TRUNK = tuple(INDEX[name] for name in ("lower_spine", "middle_spine", "chest", "neck", "head"))
_ARM_BONES = tuple(
    INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist")
)

_SOLE = 0.02
"""Thickness of the sole under the ball of the foot, metres on an adult."""
_SMALLEST, _LARGEST = 0.25, 1.5
"""Sizes, as shares of an adult's, between which a body is taken to be measured in metres."""


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The proportions of one body.

    Attributes:
        offsets: (22, 3) float32 position of each joint relative to its parent in the canonical
            T-pose, metres; the first row is zero.
        present: (22,) bool, False where the source has no such joint. The joint then lies on the
            next joint down its chain (see :mod:`ssrhmr_core.body.rest_pose`) and turns with its
            parent.
        sole: Height of the lowest joint of the feet over the ground on which the body stands,
            metres; None where nothing shows it, see :attr:`sole_height`.
    """

    offsets: np.ndarray
    present: np.ndarray = field(default_factory=lambda: np.ones(len(JOINTS), bool))
    sole: float | None = None

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            ValueError: An offset is not finite, the shape is wrong or a limb has no length.
        """
        offsets = np.array(self.offsets, np.float32)
        if offsets.shape != (len(JOINTS), 3):
            raise ValueError(f"offsets must have the shape (22, 3), not {offsets.shape}")
        if not np.isfinite(offsets).all():
            raise ValueError("offsets hold values that are not finite")
        offsets[0] = 0.0
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "present", np.array(self.present, bool))
        lengths = np.linalg.norm(offsets, axis=-1)
        for joint in (*LEG_BONES, *_ARM_BONES):
            if lengths[joint] <= 1e-3 * self.size:
                raise ValueError(
                    f"the bone that ends at {JOINTS[joint]} has no length: choose another bone"
                )

    @property
    def size(self) -> float:
        """The length of a leg plus the height of the head over the hips, metres.

        The network divides lengths by it, so that bodies of any size look alike.
        """
        lengths = np.linalg.norm(self.offsets, axis=-1)
        legs = 0.5 * float(lengths[list(LEG_BONES)].sum())
        return legs + float(np.linalg.norm(self.offsets[list(TRUNK)].sum(0)))

    @property
    def sole_height(self) -> float:
        """Height of the lowest joint of the feet over the ground, metres: 2 cm on an adult."""
        return _SOLE * self.size / ADULT_SIZE if self.sole is None else self.sole

    def t_pose(self) -> np.ndarray:
        """Return the joint positions (22, 3) of the canonical T-pose, metres from the hips."""
        return forward_kinematics(
            np.broadcast_to(np.eye(3, dtype=np.float32), (len(JOINTS), 3, 3)),
            np.zeros(3, np.float32),
            self.offsets,
        )

    def scaled(self, factor: float) -> Skeleton:
        """Return a body of the same proportions, ``factor`` times as large."""
        sole = None if self.sole is None else self.sole * factor
        return Skeleton(self.offsets * np.float32(factor), self.present, sole)


def units_per_metre(size: float) -> float:
    """Infer the unit in which a body is measured.

    Nobody is half as large again as an adult, or a quarter as large: such bodies are measured in
    other units than metres, or trackers were scaled to them.

    Args:
        size: The :attr:`Skeleton.size` of the body.

    Returns:
        The length of a metre in those units; 1 for a body of human size.
    """
    adult = float(size) / ADULT_SIZE
    return 1.0 if _SMALLEST < adult < _LARGEST else adult


def forward_kinematics(rotations: Array, root: Array, offsets: Array) -> Array:
    """Compute joint positions from global rotations.

    Args:
        rotations: (..., 22, 3, 3) global rotations, measured from the canonical T-pose.
        root: (..., 3) positions of the hips, metres.
        offsets: (22, 3) offsets of a skeleton, or (..., 22, 3) where every item has its own body;
            metres.

    Returns:
        (..., 22, 3) positions, metres.
    """
    bones = rotate(rotations[..., list(PARENTS[1:]), :, :], offsets[..., 1:, :])
    return root[..., None, :] + constant(_CHAINS, bones) @ bones


def _chains() -> np.ndarray:
    """Return (22, 21): 1 for each bone on the way from the hips to each joint."""
    chains = np.zeros((len(JOINTS), len(JOINTS)), np.float32)
    for joint, parent in enumerate(PARENTS[1:], 1):
        chains[joint] = chains[parent]
        chains[joint, joint] = 1.0
    return chains[:, 1:]


_CHAINS = _chains()


def inherit_missing(rotations: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Let joints that the skeleton lacks turn with their parent.

    Args:
        rotations: (F, 22, ...) global rotations of any kind, which are changed in place.
        present: (22,) bool, see :class:`Skeleton`. The tracked joints are always present.

    Returns:
        The array ``rotations`` itself.
    """
    for joint in np.flatnonzero(~present):
        rotations[:, joint] = rotations[:, PARENTS[joint]]
    return rotations
