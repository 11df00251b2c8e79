# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts with the floor as ranges of time, which people can read and correct."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..body.interpolation import find_runs
from ..body.skeleton import INDEX
from .foot_planting import Contacts

RESTING_JOINTS = {
    "left_foot": (INDEX["left_ankle"], INDEX["left_toe"]),
    "left_toes": (INDEX["left_toe"],),
    "right_foot": (INDEX["right_ankle"], INDEX["right_toe"]),
    "right_toes": (INDEX["right_toe"],),
    "left_hand": (INDEX["left_wrist"],),
    "right_hand": (INDEX["right_wrist"],),
    "hips": (INDEX["hips"],),
}
"""The joints that stay in place while a part of the body rests, by its name."""
PARTS = tuple(RESTING_JOINTS)
_SIDES = ("left", "right")


@dataclass(frozen=True)
class ContactRange:
    """A time in which a part of the body rests on the floor.

    Attributes:
        part: Name of the part, one of :data:`PARTS`.
        begin: Seconds from the take's first frame.
        end: Seconds from the take's first frame; the part still rests then.
    """

    part: str
    begin: float
    end: float


def ranges_of(contacts: Contacts, seconds: np.ndarray) -> list[ContactRange]:
    """Return contacts as ranges, by part and by time.

    Toes have ranges of their own only where the heel is up.

    Args:
        contacts: The contacts of F frames.
        seconds: (F,) seconds of the frames from the take's first one.
    """
    masks = {}
    for side, name in enumerate(_SIDES):
        flat = contacts.flat[:, side]
        masks[f"{name}_foot"] = flat
        masks[f"{name}_toes"] = contacts.ball[:, side] & ~flat
        if contacts.hands is not None:
            masks[f"{name}_hand"] = contacts.hands[:, side]
    if contacts.hips is not None:
        masks["hips"] = contacts.hips
    return [
        ContactRange(part, float(seconds[begin]), float(seconds[end - 1]))
        for part in PARTS
        if part in masks
        for begin, end in find_runs(masks[part])
    ]


def contacts_from_ranges(ranges: Iterable[ContactRange], seconds: np.ndarray) -> Contacts:
    """Return the contacts that ranges mean; they hold more firmly than detected ones.

    Args:
        ranges: The ranges, in any order; they may overlap.
        seconds: (F,) seconds of the frames from the take's first one.
    """
    masks = {part: np.zeros(len(seconds), bool) for part in PARTS}
    half = 0.5 * float(seconds[1] - seconds[0]) if len(seconds) > 1 else 0.0
    for each in ranges:
        masks[each.part] |= (seconds > each.begin - half) & (seconds < each.end + half)
    return Contacts(
        ball=np.stack([masks[f"{side}_foot"] | masks[f"{side}_toes"] for side in _SIDES], -1),
        flat=np.stack([masks[f"{side}_foot"] for side in _SIDES], -1),
        hands=np.stack([masks[f"{side}_hand"] for side in _SIDES], -1),
        hips=masks["hips"],
        listed=True,
    )
