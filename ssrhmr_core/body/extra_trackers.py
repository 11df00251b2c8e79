# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional trackers beyond the six: their roles, and what each of them measures.

A tracker at an elbow or a knee sits on the bone above the joint or on the one below it. Either way
it measures where the joint is, and how the bone that carries the tracker is turned. So an optional
tracker measures the position of one joint and the rotation of one joint, and these need not be the
same: a tracker on the upper arm measures the position of the elbow and the rotation of the shoulder
joint, which turns the upper arm.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from .skeleton import INDEX, TRACKERS

Segment = Literal["upper", "lower"]
"""The bone that a tracker at an elbow or a knee sits on: above the joint or below it."""

Measurement = Literal["pose", "position", "rotation"]
"""What a tracker measures: an IMU, for instance, measures only its rotation."""
_POSE: Measurement = "pose"
WHOLE_POSES = (_POSE,) * len(TRACKERS)
"""What six trackers measure that have positions and rotations."""

EXTRA_JOINTS = tuple(
    INDEX[name]
    for name in (
        "chest",
        *(
            f"{side}_{part}"
            for part in ("clavicle", "shoulder", "elbow", "hip", "knee", "toe")
            for side in ("left", "right")
        ),
    )
)
"""The joints that optional trackers measure, 13."""
EXTRA_INDEX = {joint: index for index, joint in enumerate(EXTRA_JOINTS)}
"""Index among :data:`EXTRA_JOINTS` of each joint there."""


class ExtraRole(NamedTuple):
    """What an optional tracker measures.

    Attributes:
        position: The joint whose position it measures.
        upper: The joint whose rotation it measures; at an elbow or a knee, if worn above it.
        lower: The same, if worn below the elbow or the knee; elsewhere the same as ``upper``.
    """

    position: int
    upper: int
    lower: int

    def rotation(self, segment: Segment = "upper") -> int:
        """Return the joint whose rotation a tracker on that segment measures."""
        return self.lower if segment == "lower" else self.upper


def _roles() -> dict[str, ExtraRole]:
    chest = INDEX["chest"]
    roles = {"chest": ExtraRole(chest, chest, chest)}
    for role, upper, lower in (
        ("shoulder", "clavicle", "clavicle"),
        ("elbow", "shoulder", "elbow"),
        ("knee", "hip", "knee"),
        ("toe", "toe", "toe"),
    ):
        for side in ("left", "right"):
            roles[f"{side}_{role}"] = ExtraRole(
                INDEX[f"{side}_{role}"], INDEX[f"{side}_{upper}"], INDEX[f"{side}_{lower}"]
            )
    return roles


EXTRA_ROLES = _roles()
"""What each optional tracker measures, by name."""
EXTRA_TRACKERS = tuple(EXTRA_ROLES)
"""Names of the optional trackers: chest, shoulders, elbows, knees, toes."""
SEGMENTED_TRACKERS = tuple(name for name, role in EXTRA_ROLES.items() if role.upper != role.lower)
"""Optional trackers that may sit above or below their joint: elbows and knees."""

EXTRA_GROUPS = {
    "chest": ("chest",),
    **{
        f"{part}s": (f"left_{part}", f"right_{part}")
        for part in ("shoulder", "elbow", "knee", "toe")
    },
}
"""Optional trackers that are mostly worn together, by the name of both."""
