# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and shape together."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, Skeleton
from ssrhmr_core.rigs import bone_mapping
from ssrhmr_core.rigs.bone_mapping import NONE, families, map_bones
from tests.core.example_rigs import LR, RIGS, Rig, both, place_bones


def forget_family(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Leave a table out, as if nobody had written it yet."""
    left = tuple(family for family in families() if family.name != name)
    assert len(left) == len(families()) - 1
    monkeypatch.setattr(bone_mapping, "families", lambda: left)


@pytest.mark.parametrize(
    ("kind", "differ"),
    [
        ("SOMA (Kimodo)", {"left_knee", "right_knee"}),  # its "leg" is the thigh
        ("MocapNET", set()),
        ("iPi Mocap Studio", set()),
    ],
)
def test_names_that_no_table_knows(
    monkeypatch: pytest.MonkeyPatch, skeleton: Skeleton, kind: str, differ: set[str]
) -> None:
    """The better of both mappings, with a warning about each joint that they differ about."""
    forget_family(monkeypatch, kind)
    rig, joints = RIGS[kind]
    mapping = rig.map(place_bones(rig, joints, skeleton))
    assert rig.named(mapping) == joints
    assert {JOINTS[joint] for joint in mapping.ambiguous} == differ
    assert len(mapping.warnings) == len(differ)
    for joint in differ:
        label = joint.replace("_", " ")
        assert any(f"the {label} by its name, '{joints[joint]}' by" in w for w in mapping.warnings)
        assert mapping.bones[INDEX[joint]] == mapping.ambiguous[INDEX[joint]][0]


def test_known_names_are_not_questioned(skeleton: Skeleton) -> None:
    for kind in ("MikuMikuDance", "Auto-Rig Pro export", "Second Life"):
        rig, joints = RIGS[kind]
        mapping = rig.map(place_bones(rig, joints, skeleton))
        assert not mapping.warnings and not mapping.ambiguous


@pytest.mark.parametrize("joint", ["clavicle", "elbow", "hip", "wrist", "toe"])
def test_a_bone_with_an_odd_name_is_as_on_the_other_side(joint: str) -> None:
    names = list(JOINTS)
    names[INDEX[f"right_{joint}"]] = "Knochen"
    mapping = map_bones(names, PARENTS)
    assert mapping.bones.tolist() == list(range(22))
    assert mapping.confidence[INDEX[f"right_{joint}"]] == pytest.approx(0.8)


def test_sides_with_different_names_are_asked_about() -> None:
    """The left hip is a twist bone's parent, the right one the twist bone."""
    rig, joints = RIGS["Auto-Rig Pro export"]
    names = [name.replace("thigh_twist.l", "node") for name in rig.names]
    mapping = map_bones(names, rig.parents)
    assert names[mapping.bones[INDEX["left_hip"]]] == "thigh_stretch.l"
    assert names[mapping.bones[INDEX["right_hip"]]] == joints["right_hip"]
    assert {INDEX["left_hip"], INDEX["right_hip"]} == set(mapping.ambiguous)


def test_the_bones_around_are_offered() -> None:
    """A knee that hangs on the head: asked, with what hangs around it."""
    names, parents = [*JOINTS, "x", "y"], [*PARENTS, INDEX["left_knee"], INDEX["left_knee"]]
    parents[INDEX["left_knee"]] = INDEX["head"]
    mapping = map_bones(names, parents)
    assert mapping.ambiguous[INDEX["left_knee"]] == [INDEX["left_knee"], 22, 23]


def test_toes_are_no_ends_of_feet(skeleton: Skeleton) -> None:
    """Importers put a bone at the end of each chain."""
    rig = Rig(
        "hips spine chest neck head head_end",
        *both(
            LR,
            "hips thigh.$ shin.$ foot.$ foot.$_end",
            "chest shoulder.$ upper_arm.$ forearm.$ hand.$ hand.$_end",
        ),
    )
    joints = {j: b for j, b in RIGS["Blender"][1].items() if b in rig.names}
    joints |= {"chest": "chest", "lower_spine": "spine"}
    heads = place_bones(rig, joints, skeleton)
    mapping = rig.map(heads)
    assert mapping.bones[INDEX["left_toe"]] == NONE
    assert rig.named(mapping)["head"] == "head"
    assert np.isfinite(mapping.confidence).all()
