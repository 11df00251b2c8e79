"""The six trackers as the user sees them, in the core's order.

Spelt out here because property groups need them when the add-on is enabled, long before the core
may be imported; a test compares them with the core's.
"""

from __future__ import annotations

TRACKERS = {
    "pelvis": "Pelvis",
    "head": "Head",
    "left_hand": "Left Hand",
    "right_hand": "Right Hand",
    "left_foot": "Left Foot",
    "right_foot": "Right Foot",
}
"""Property name -> label."""


def joint_label(joint: str) -> str:
    """Return how a joint is shown: ``left_hip`` -> ``Left Hip``."""
    return joint.replace("_", " ").title()


def with_labels(text: str) -> str:
    """Put labels in the place of the core's names of trackers in one of its messages."""
    for name, label in TRACKERS.items():
        if "_" in name:
            text = text.replace(name, label)
    return text[:1].upper() + text[1:]
