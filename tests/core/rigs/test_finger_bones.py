# SPDX-License-Identifier: GPL-3.0-or-later
"""Finger bones by their names in usual rigs."""

from __future__ import annotations

import pytest

from ssrhmr_core.rigs.finger_bones import FINGER_BONES, find_finger_bones

FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
PARTS = ("Proximal", "Intermediate", "Distal")


def chain(pattern: str, numbers: range) -> list[tuple[str, int]]:
    """Bones of all fingers, one below the other."""
    words = ("Thumb", "Index", "Middle", "Ring", "Pinky")
    return [
        (pattern.format(finger=word, lower=word.lower(), number=number), depth)
        for word in words
        for depth, number in enumerate(numbers, 1)
    ]


@pytest.mark.parametrize(
    ("bones", "first", "last"),
    [
        # Mixamo has tips, VRoid ends, Unreal metacarpals, Rigify palms and helpers.
        (chain("mixamorig:LeftHand{finger}{number}", range(1, 5)), "{0}1", "{0}3"),
        (chain("J_Bip_L_{finger}{number}", range(1, 4)), "{0}1", "{0}3"),
        (
            [("index_metacarpal_l", 1), *chain("{lower}_0{number}_l", range(1, 4))],
            "{1}_01",
            "{1}_03",
        ),
        (
            [
                ("palm.01.L", 0),
                *chain("f_{lower}.0{number}.L", range(1, 4)),
                *chain("DEF-f_{lower}.0{number}.L", range(1, 4)),
                *chain("f_{lower}.0{number}_end.L", range(3, 4)),
            ],
            "{1}.01",
            "{1}.03",
        ),
    ],
)
def test_all_fingers_are_found(bones: list[tuple[str, int]], first: str, last: str) -> None:
    named = find_finger_bones("Left", bones)
    assert set(named) == {f"Left{finger}{part}" for finger in FINGERS for part in PARTS}
    assert len(set(named.values())) == 15
    for finger, word in zip(FINGERS, ("Thumb", "Index", "Middle", "Ring", "Pinky"), strict=True):
        assert first.format(word, word.lower()) in named[f"Left{finger}Proximal"]
        assert last.format(word, word.lower()) in named[f"Left{finger}Distal"]


def test_japanese_names_and_short_fingers() -> None:
    named = find_finger_bones(
        "Right", [("右親指１", 1), ("右親指２", 2), ("右小指１", 1), ("右袖", 1)]
    )
    assert named == {
        "RightThumbProximal": "右親指１",
        "RightThumbIntermediate": "右親指２",
        "RightLittleProximal": "右小指１",
    }


def test_names_are_those_of_unity() -> None:
    assert len(FINGER_BONES) == 30
    assert {"LeftThumbProximal", "RightLittleDistal"} < set(FINGER_BONES)
