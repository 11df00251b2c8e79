# SPDX-License-Identifier: GPL-3.0-or-later
"""How names are taken apart."""

from __future__ import annotations

import pytest

from ssrhmr_core.rigs.bone_tree import BoneTree, layer_of
from ssrhmr_core.rigs.families import vocabulary
from ssrhmr_core.rigs.mapping import NONE

BODY = ["Hips", "Spine", "Head", "LeftArm", "RightArm", "LeftLeg", "RightLeg", "LeftHand", "Neck"]


def keys_of(names: list[str]) -> list[list[tuple[str, str]]]:
    """Return the keys of every reading."""
    tree = BoneTree(names, [NONE] * len(names), vocabulary())
    return [reading.keys for reading in tree.readings]


PLAIN = keys_of(BODY)[0]


@pytest.mark.parametrize(
    "form",
    [
        *("{}", "Hero_{}", "a|Hero:{}", "mixamorig:{}", "{}.001", "{}_jnt", "Hero_{}_bind"),
        *("Unity Chan {}", "Rig007{}", "Hero_DEF-{}", "İpek {}"),
    ],
)
def test_what_all_names_share_goes_first(form: str) -> None:
    assert keys_of([form.format(name) for name in BODY])[0] == PLAIN


@pytest.mark.parametrize("form", ["UnityChan_{}", "Bot {}_jnt", "{}.014", "Bot Bip001 {}"])
def test_what_a_part_of_the_names_shares_goes_in_a_later_reading(form: str) -> None:
    """Hair and skirts are the majority, and have other names."""
    hair = [f"J_{side}_Hair{part}_{n}" for side in "LR" for part in "AB" for n in "abcdefg"]
    readings = keys_of([*(form.format(name) for name in BODY), *hair])
    assert any(reading[: len(BODY)] == PLAIN for reading in readings)


def test_words_of_bodies_are_no_prefix() -> None:
    others = [f"x{n}" for n in "abcdefghijk"]
    for word, readings in (("Gem", 2), ("Finger", 1), ("Thigh", 1), ("tweak", 1), ("L", 1)):
        more = [f"{word}{part}_{n}" for part in "ABC" for n in "abcd"]
        assert len(keys_of([*BODY, *more, *others])) == readings, word


def test_layers_of_generated_rigs() -> None:
    names = ["DEF-spine", "ORG-spine", "Hero_MCH-torso", "FK-Arm.L", "spine_fk", "defender", "hips"]
    assert [layer_of(name) for name in names] == ["def", "org", "mch", "fk", "", "", ""]


def test_the_lowest_bone_that_carries_others() -> None:
    #  0 - 1 - 2
    #      |   4
    #      3       5
    tree = BoneTree(list("abcdef"), [NONE, 0, 1, 1, 2, NONE])
    assert tree.carrier_of([2, 3]) == 1 and tree.carrier_of([3, 4]) == 1
    assert tree.carrier_of([1, 4]) == 1 and tree.carrier_of([4]) == 4
    assert tree.carrier_of([4, 5]) == NONE
    assert tree.path_between(0, 4) == [1, 2] and tree.path_between(3, 4) is None
