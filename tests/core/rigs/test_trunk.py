# SPDX-License-Identifier: GPL-3.0-or-later
"""Hips and chest by what they carry."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import INDEX, Skeleton
from ssrhmr_core.rigs.bone_tree import BoneTree
from tests.core.example_rigs import LR, RIGS, Rig, both, place_bones

LIMBS = ("thigh.$ shin.$ foot.$", "shoulder.$ upper_arm.$ forearm.$ hand.$")


def make_rig(*trunk: str, legs_on: str, arms_on: str) -> Rig:
    """Return a rig with the given chains for a trunk."""
    return Rig(*trunk, *both(LR, f"{legs_on} {LIMBS[0]}", f"{arms_on} {LIMBS[1]}"))


def place(rig: Rig, skeleton: Skeleton, heights: dict[str, float]) -> np.ndarray:
    """Return heads: limbs as in the T-pose, bones of the trunk at their heights over the hips."""
    joints = {joint: bone for joint, bone in RIGS["Blender"][1].items() if bone in rig.names[-14:]}
    heads = place_bones(rig, joints, skeleton)
    for bone, height in heights.items():
        heads[rig.names.index(bone)] = [0.0, height, 0.0]
    return heads


def test_hips_are_the_bone_that_carries_legs_and_spine(skeleton: Skeleton) -> None:
    """As in many low-poly packs: "hips" carries the spine alone."""
    rig = make_rig("base body hips spine chest neck head", legs_on="body", arms_on="chest")
    heights = dict(
        zip(
            ["base", "body", "hips", "spine", "chest", "neck", "head"],
            (-0.95, 0.0, 0.02, 0.15, 0.35, 0.5, 0.6),
            strict=True,
        )
    )
    for heads in (None, place(rig, skeleton, heights)):
        mapping = rig.map(heads)
        joints = rig.named(mapping)
        assert [joints[j] for j in ("hips", "lower_spine", "middle_spine", "chest")] == [
            *("body", "hips", "spine", "chest")
        ]
        assert mapping.confidence[INDEX["hips"]] == pytest.approx(0.8)
        assert not mapping.ambiguous


def test_a_root_on_the_floor_is_not_the_hips(skeleton: Skeleton) -> None:
    rig = make_rig("base spine chest neck head", "base hips", legs_on="hips", arms_on="chest")
    heights = dict(
        zip(
            ["base", "spine", "chest", "neck", "head", "hips"],
            (-0.95, 0.1, 0.3, 0.5, 0.6, 0.0),
            strict=True,
        )
    )
    joints = rig.named(rig.map(place(rig, skeleton, heights)))
    assert joints["hips"] == "hips" and joints["chest"] == "chest"


def test_a_bone_with_another_name_is_the_hips(skeleton: Skeleton) -> None:
    rig = make_rig("cog belly chest neck head", legs_on="cog", arms_on="chest")
    joints = rig.named(rig.map())
    assert joints["hips"] == "cog" and joints["lower_spine"] == "belly"


def test_a_trunk_of_one_bone_is_the_chest() -> None:
    rig = make_rig("root trunk neck head", "trunk hips", legs_on="hips", arms_on="trunk")
    mapping = rig.map()
    joints = rig.named(mapping)
    assert joints["hips"] == "hips" and joints["chest"] == "trunk"
    assert not mapping.missing and not mapping.ambiguous


def test_the_chest_carries_the_arms() -> None:
    """Bones between the arms and the neck belong to the neck."""
    rig = make_rig("hips spine ribs throat neck head", legs_on="hips", arms_on="ribs")
    joints = rig.named(rig.map())
    assert joints["lower_spine"] == "spine" and joints["chest"] == "ribs"
    rig = make_rig("hips spine ribs throat head", legs_on="hips", arms_on="ribs")
    joints = rig.named(rig.map())
    assert joints["chest"] == "ribs" and joints["neck"] == "throat"


@pytest.mark.parametrize("kind", ["Rigify deform bones", "3ds Max Biped"])
def test_hips_that_only_look_wrong_stay(kind: str) -> None:
    """A generated rig's deform bones hang on their doubles; Biped's thighs hang on the spine."""
    rig, joints = RIGS[kind]
    mapping = rig.map()
    assert rig.named(mapping)["hips"] == joints["hips"]
    assert mapping.confidence[INDEX["hips"]] == 1.0


@pytest.mark.parametrize("prefix", ["", "Hero_"])
def test_a_double_in_another_layer_is_no_joint_of_its_own(prefix: str) -> None:
    """``FK-Chest`` carries ``Chest``, which arms and head hang on: both are the chest."""
    rig, joints = RIGS["CloudRig controls"]
    prefixed = Rig()
    for name, parent in zip(rig.names, rig.parents, strict=True):
        prefixed.add(prefix + name, parent)
    named = prefixed.named(prefixed.map())
    assert named == {joint: prefix + bone for joint, bone in joints.items()}


def test_marks_of_layers_are_taken_off() -> None:
    names = ["FK-Chest", "Hero_FK-Chest", "Chest", "Fk Chest", "Orchid", "MCH-FK-Chest"]
    without = ["Chest", "Hero_Chest", "Chest", "Chest", "Orchid", "Chest"]
    assert BoneTree(names, [-1] * 6).names_without_layer == without
