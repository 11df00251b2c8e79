# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each kind of device sits on its joint.

Offsets are seen from the joint in its own axes in the canonical T-pose: outwards, up, to the front,
metres on an adult. Spreads cover makes, straps and bodies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..body.skeleton import FOOT_TRACKERS, TRACKERS

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))


class MountKind(NamedTuple):
    """A way to wear a tracker.

    Attributes:
        offset: From joint to tracker, metres on an adult; for the left side of the body.
        spread: Standard deviations of it.
        share: How many people wear it like that, relative to the other kinds.
    """

    offset: tuple[float, float, float]
    spread: tuple[float, float, float]
    share: float = 1.0


class MountRole(NamedTuple):
    """Trackers that are worn alike.

    Attributes:
        trackers: Their indices, left before right.
        kinds: The ways to wear them.
    """

    trackers: tuple[int, ...]
    kinds: tuple[MountKind, ...]


MOUNT_ROLES = (
    MountRole(
        (_PELVIS,),
        (
            MountKind((0.0, 0.01, 0.12), (0.03, 0.03, 0.025), 2.0),
            MountKind((0.0, 0.02, -0.12), (0.03, 0.04, 0.025), 2.0),
            MountKind((0.15, 0.01, 0.02), (0.025, 0.04, 0.03)),
            MountKind((-0.15, 0.01, 0.02), (0.025, 0.04, 0.03)),
        ),
    ),
    MountRole(
        (_HEAD,),
        (
            # A headset or glasses, a band round the forehead, a cap, the back of the head.
            MountKind((0.0, 0.07, 0.11), (0.015, 0.025, 0.03), 4.0),
            MountKind((0.0, 0.13, 0.09), (0.015, 0.03, 0.03)),
            MountKind((0.0, 0.18, 0.0), (0.015, 0.025, 0.03)),
            MountKind((0.0, 0.09, -0.10), (0.015, 0.03, 0.025)),
        ),
    ),
    MountRole(
        _HANDS,
        (
            # In the fist, on the back of the hand, over the wrist, round the forearm.
            MountKind((0.085, -0.03, 0.02), (0.025, 0.025, 0.025), 2.0),
            MountKind((0.07, 0.035, 0.0), (0.02, 0.015, 0.02)),
            MountKind((0.0, 0.035, 0.0), (0.02, 0.015, 0.02)),
            MountKind((-0.05, 0.035, 0.0), (0.025, 0.015, 0.02)),
        ),
    ),
    MountRole(
        FOOT_TRACKERS,
        (
            # The instep, the toes, the outside of the ankle, its front, the heel.
            MountKind((0.0, -0.01, 0.09), (0.02, 0.025, 0.025), 2.0),
            MountKind((0.0, -0.04, 0.15), (0.02, 0.02, 0.025)),
            MountKind((0.05, 0.03, 0.01), (0.02, 0.03, 0.025)),
            MountKind((0.01, 0.07, 0.05), (0.025, 0.03, 0.025)),
            MountKind((0.0, -0.02, -0.06), (0.02, 0.025, 0.02), 0.5),
        ),
    ),
)
"""Both hands, and both feet, wear the same kind of device."""


ON_JOINTS = tuple(
    MountRole(role.trackers, (MountKind((0.0, 0.0, 0.0), (0.02, 0.02, 0.02)),))
    for role in MOUNT_ROLES
)
"""The only way to wear trackers that are the joints themselves."""


def place_kind(role: MountRole, kind: MountKind) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets and spreads (trackers, 3) of a kind on each side, metres on an adult."""
    mirrored = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])[: len(role.trackers)]
    return mirrored * kind.offset, np.tile(kind.spread, (len(role.trackers), 1))
