# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts with the floor: between a setup's ranges of frames and the core's ranges of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..common.axes import core_axes, metre

if TYPE_CHECKING:
    import bpy
    import numpy as np

    from ssrhmr_core.tracking.contacts import ContactRange
    from ssrhmr_core.tracking.foot_planting import ContactOptions

    from ..properties.contacts import SSRHMR_Contacts
    from ..rig.reading import Character


def read_contact_options(contacts: SSRHMR_Contacts) -> ContactOptions:
    """Return how a setup wants contacts to be detected."""
    from ssrhmr_core.tracking.foot_planting import ContactOptions

    return ContactOptions(
        sensitivity=contacts.sensitivity,
        largest_gap=contacts.gap,
        release=contacts.release,
        whole_body=contacts.whole_body,
        above_floor=contacts.above_floor,
    )


def listed_ranges(
    contacts: SSRHMR_Contacts, start: int, rate: float
) -> tuple[ContactRange, ...] | None:
    """Return the ranges of a setup's list; None if contacts are to be detected.

    Args:
        contacts: Contacts of the setup.
        start: First frame to bake.
        rate: Frames per second.
    """
    from ssrhmr_core.tracking.contacts import ContactRange

    if contacts.source != "LIST":
        return None
    return tuple(
        ContactRange(
            entry.part, (entry.frame_start - start) / rate, (entry.frame_end - start) / rate
        )
        for entry in contacts.entries
    )


def store_ranges(
    contacts: SSRHMR_Contacts, ranges: Iterable[ContactRange], start: int, rate: float
) -> None:
    """Replace a setup's list by ranges, and let it count."""
    contacts.entries.clear()
    for each in sorted(ranges, key=lambda each: (each.begin, each.part)):
        entry = contacts.entries.add()
        entry.part = each.part
        entry.frame_start = start + round(each.begin * rate)
        entry.frame_end = start + round(each.end * rate)
    contacts.source, contacts.active = "LIST", 0


def foot_bones(character: Character) -> list[str]:
    """Return the bones at ankle and ball of the left and the right foot.

    The ankle stands for a ball that the character lacks.
    """
    from ssrhmr_core.body.skeleton import INDEX

    pairs = [
        (character.bones[INDEX[f"{side}_ankle"]], character.bones[INDEX[f"{side}_toe"]])
        for side in ("left", "right")
    ]
    return [name for ankle, toe in pairs for name in (ankle, toe or ankle)]


def ranges_of_feet(
    scene: bpy.types.Scene, heads: np.ndarray, size: float, options: ContactOptions
) -> Sequence[ContactRange]:
    """Detect contacts from the feet of a character that is animated already.

    Args:
        scene: Scene of the window.
        heads: (F, 4, 3) positions of :func:`foot_bones` on consecutive frames, in the world.
        size: Size of the character in scene units.
        options: How to detect them.
    """
    import numpy as np

    from ssrhmr_core.body.interpolation import MODEL_RATE, interpolate, regular_times
    from ssrhmr_core.tracking.contacts import ranges_of
    from ssrhmr_core.tracking.foot_planting import detect_foot_contacts

    unit = metre(scene)
    seconds = np.arange(len(heads)) / (scene.render.fps / scene.render.fps_base)
    clock = regular_times(seconds, MODEL_RATE)
    positions = interpolate(seconds, heads @ core_axes().T / unit, clock)
    feet = [(positions[:, side], positions[:, side + 1]) for side in (0, 2)]
    return ranges_of(detect_foot_contacts(feet, size / unit, options), clock)
