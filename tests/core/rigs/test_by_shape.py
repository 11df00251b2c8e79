# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies whose names mean nothing."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, Skeleton
from ssrhmr_core.rigs.bone_mapping import NONE, BoneMapping, map_bones


class Body:
    """Our own skeleton under names that mean nothing, to which bones can be added."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.names = [f"bone_{joint}" for joint in range(len(JOINTS))]
        self.parents = list(PARENTS)
        self.heads = list(skeleton.t_pose().astype(float))

    def add_chains(
        self, joint: str, start: list[float], step: list[float], count: int, name: str = ""
    ) -> None:
        """Add a chain on the left and its mirror image on the right."""
        for side, sign in (("left", 1.0), ("right", -1.0)):
            mirror = np.array([sign, 1.0, 1.0])
            bone = INDEX[f"{side}_{joint}" if f"{side}_{joint}" in INDEX else joint]
            position = self.heads[bone] + mirror * start
            for number in range(count):
                label = f"{name or 'bone'}_{side[0].upper() if name else ''}{len(self.names)}"
                self.names.append(label)
                self.parents.append(bone)
                self.heads.append(position + number * mirror * step)
                bone = len(self.names) - 1

    def map(self) -> BoneMapping:
        """Detect the joints' bones."""
        return map_bones(self.names, self.parents, np.array(self.heads))


@pytest.fixture
def body(skeleton: Skeleton) -> Body:
    return Body(skeleton)


@pytest.mark.parametrize("name", ["", "Hair", "髪"])
def test_hair_that_is_longer_than_arms(body: Body, name: str) -> None:
    body.add_chains("head", [0.1, 0.1, -0.05], [0.02, -0.13, -0.02], 8, name)
    assert body.map().bones.tolist() == list(range(22))


@pytest.mark.parametrize("name", ["", "Skirt"])
def test_skirts_beside_the_legs(body: Body, name: str) -> None:
    for forward in (0.1, -0.1):
        body.add_chains("hips", [0.12, -0.05, forward], [0.03, -0.12, 0.0], 5, name)
    body.add_chains("elbow", [0.0, -0.05, 0.0], [0.02, -0.08, 0.0], 2, name)
    assert body.map().bones.tolist() == list(range(22))


def test_copies_of_a_leg_are_no_pair(body: Body) -> None:
    """Legs that deform lie on top of those that are keyed, as in MikuMikuDance."""
    for side in ("left", "right"):
        parent = 0
        for part in ("hip", "knee", "ankle"):
            body.names.append(f"copy_{side}_{part}")
            body.parents.append(parent)
            body.heads.append(body.heads[INDEX[f"{side}_{part}"]].copy())
            parent = len(body.names) - 1
    heads, mapping = np.array(body.heads), body.map()
    for side in ("left", "right"):
        for part in ("hip", "knee", "ankle"):
            joint = INDEX[f"{side}_{part}"]
            assert np.allclose(heads[mapping.bones[joint]], heads[joint])


def test_the_wrist_carries_the_fingers(body: Body) -> None:
    """However long fingers are, and with a twist bone within the forearm."""
    for forward in (-0.04, 0.0, 0.04):
        body.add_chains("wrist", [0.1, 0.0, forward], [0.11, 0.0, 0.0], 3)
    for side in ("left", "right"):
        wrist, elbow = INDEX[f"{side}_wrist"], INDEX[f"{side}_elbow"]
        body.names.append(f"bone_x{side}")
        body.parents.append(elbow)
        body.heads.append(0.5 * (body.heads[elbow] + body.heads[wrist]))
        body.parents[wrist] = len(body.names) - 1
    assert body.map().bones.tolist() == list(range(22))


def test_side_words_count_before_the_feet(body: Body) -> None:
    """Names that call the left side right are asked about, not overruled."""
    for joint, name in enumerate(JOINTS):
        if name.startswith(("left", "right")):
            body.names[joint] = f"{'R' if name.startswith('left') else 'L'}_{joint}"
    mapping = body.map()
    wrist = INDEX["left_wrist"]
    assert mapping.mirrored and mapping.confidence[wrist] < 0.7
    assert mapping.ambiguous[wrist] == [INDEX["left_wrist"], INDEX["right_wrist"]]


def test_arms_whose_side_words_contradict_the_legs(body: Body) -> None:
    for joint, name in enumerate(JOINTS):
        side, _, part = name.partition("_")
        if side in ("left", "right"):
            swapped = part in ("clavicle", "shoulder", "elbow", "wrist")
            body.names[joint] = f"{'L' if (side == 'left') != swapped else 'R'}_{joint}"
    mapping = body.map()
    assert mapping.bones[INDEX["left_wrist"]] == INDEX["right_wrist"]  # as named
    assert {INDEX["left_wrist"], INDEX["left_knee"]} <= set(mapping.ambiguous)


def test_two_bodies_that_fit_alike_are_asked_about(body: Body) -> None:
    """Four arms: either pair may be the arms."""
    start = len(body.names)
    for side in ("left", "right"):
        parent = INDEX["chest"]
        for part in ("clavicle", "shoulder", "elbow", "wrist"):
            body.names.append(f"bone_{len(body.names)}")
            body.parents.append(parent)
            body.heads.append(body.heads[INDEX[f"{side}_{part}"]] - [0.0, 0.12, 0.0])
            parent = len(body.names) - 1
    mapping = body.map()
    wrist = INDEX["left_wrist"]
    assert mapping.bones[wrist] in (wrist, start + 3)
    assert wrist in mapping.ambiguous and mapping.confidence[wrist] < 0.7


def test_an_end_is_no_toe(body: Body) -> None:
    for side in ("left", "right"):
        body.names[INDEX[f"{side}_toe"]] = f"{side}_foot_end"
    mapping = body.map()
    assert mapping.bones[INDEX["left_toe"]] == NONE
    assert mapping.bones[INDEX["left_ankle"]] == INDEX["left_ankle"]
