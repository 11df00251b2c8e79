# SPDX-License-Identifier: GPL-3.0-or-later
"""What turns between two joints is shared out among the bones in between."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, Skeleton
from ssrhmr_core.geometry.rotations import from_rotvec
from ssrhmr_core.rigs.bone_mapping import NONE
from ssrhmr_core.rigs.twist_bones import Segment, drop_bones, find_segments, share_rotations

ELBOW, WRIST, SHOULDER = (INDEX[f"left_{part}"] for part in ("elbow", "wrist", "shoulder"))


def rig(
    skeleton: Skeleton, *more: tuple[str, str, str, float, float]
) -> tuple[list[str], list[int], np.ndarray]:
    """Our own skeleton and more bones: name, parent, towards which joint, how far, how far off."""
    names, parents, heads = [*JOINTS], [*PARENTS], list(skeleton.t_pose().astype(float))
    for name, parent, towards, place, off in more:
        start = heads[PARENTS[INDEX[towards]]]
        heads.append(start + place * (heads[INDEX[towards]] - start) + [0.0, off, 0.0])
        names.append(name)
        parents.append(names.index(parent))
    return names, parents, np.array(heads)


@pytest.mark.parametrize(
    ("bone", "shares"),
    [
        (("arm twist", "left_elbow", "left_wrist", 0.4, 0.0), [0.4]),
        (("ForeArmRoll", "left_elbow", "left_wrist", 0.4, 0.0), [0.4]),
        (("knee_TWIST", "right_knee", "right_ankle", 0.0, 0.0), [0.0]),
        (("bracelet", "left_elbow", "left_wrist", 0.4, 0.0), None),  # not a twist bone by name
        (("twist", "left_elbow", "left_wrist", 0.4, 0.2), None),  # nor by its place
        (("heel roll", "left_knee", "left_ankle", 1.0, 0.0), None),
        (("twist", "left_wrist", "left_wrist", 0.4, 0.0), None),
    ],
)
def test_twist_bones_are_known_by_name_and_place(
    skeleton: Skeleton, bone: tuple[str, str, str, float, float], shares: list[float] | None
) -> None:
    found = find_segments(*rig(skeleton, bone), np.arange(len(JOINTS)))
    if shares is None:
        assert not found
    else:
        (segment,) = found
        assert segment.bones == (bone[0],) and not segment.bends
        np.testing.assert_allclose(segment.shares, shares, atol=1e-6)


def test_bones_within_a_limb_and_a_spine(skeleton: Skeleton) -> None:
    names, parents, heads = rig(
        skeleton,
        ("arm.001", "left_shoulder", "left_elbow", 0.5, 0.0),
        ("neck.001", "neck", "head", 0.5, 0.0),
    )
    parents[ELBOW], parents[INDEX["head"]] = names.index("arm.001"), names.index("neck.001")
    arm, neck = find_segments(names, parents, heads, np.arange(len(JOINTS)))
    assert arm.bones == ("left_shoulder", "arm.001")
    np.testing.assert_allclose(arm.shares, [0.5, 1.0], atol=1e-6)
    assert neck.bones == ("neck", "neck.001") and neck.bends
    np.testing.assert_allclose(neck.shares, [0.0, 0.5], atol=1e-6)
    fewer = drop_bones(arm, {"arm.001"})
    assert fewer is not None and fewer.bones == ("left_shoulder",)
    assert drop_bones(neck, {"neck.001"}) is None
    assert drop_bones(arm, {"head"}) is arm
    joints = np.arange(len(JOINTS))
    joints[[ELBOW, INDEX["neck"]]] = NONE
    # Without a neck all would start from the chest, which carries the arms.
    assert not find_segments(names, parents, heads, joints)


def test_twists_come_whole_and_without_jumps() -> None:
    """A wrist that turns on and on: half of it at mid forearm, whichever way it is bent."""
    angles = np.linspace(0.0, 7.0, 200)
    bend = from_rotvec(np.array([[0.0, 0.0, 0.9]]))
    elbow = from_rotvec(np.outer(np.sin(angles), [0.3, 1.0, -0.5]))
    x = np.array([1.0, 0.0, 0.0])
    rotations = np.tile(np.eye(3), (200, 22, 1, 1))
    rotations[:, ELBOW] = elbow
    rotations[:, WRIST] = elbow @ from_rotvec(angles[:, None] * x) @ bend
    segment = Segment(ELBOW, WRIST, ("twist",), np.array([0.5]), 0.25 * x[None])
    found = share_rotations(segment, lambda joint: rotations[:, joint])[:, 0]
    np.testing.assert_allclose(found, elbow @ from_rotvec(0.5 * angles[:, None] * x), atol=1e-6)


def test_upper_arms_untwist_towards_the_shoulder() -> None:
    x = np.array([1.0, 0.0, 0.0])
    swing = from_rotvec(np.array([[0.0, 0.4, 0.7]]))
    clavicle = from_rotvec(np.array([[0.2, 0.1, 0.0]]))
    rotations = np.tile(np.eye(3), (1, 22, 1, 1))
    rotations[:, SHOULDER - 1] = clavicle
    rotations[:, SHOULDER] = clavicle @ swing @ from_rotvec(0.8 * x[None])
    segment = Segment(SHOULDER, ELBOW, ("a", "b"), np.array([0.0, 1.0]), 0.3 * x[None])
    found = share_rotations(segment, lambda joint: rotations[:, joint])[0]
    np.testing.assert_allclose(found[0], (clavicle @ swing)[0], atol=1e-6)
    np.testing.assert_allclose(found[1], rotations[0, SHOULDER], atol=1e-6)


def test_a_spine_bends_evenly_and_keeps_its_direction() -> None:
    low, high = INDEX["lower_spine"], INDEX["chest"]
    rotations = np.tile(np.eye(3), (1, 22, 1, 1))
    rotations[:, high] = from_rotvec(np.array([[0.6, 0.0, 0.0]]))
    steps = np.tile([0.0, 0.1, 0.0], (3, 1))
    found = share_rotations(
        Segment(low, high, ("a", "b", "c"), np.arange(3) / 3.0, steps),
        lambda joint: rotations[:, joint],
    )[0]
    angles = np.arcsin([*found[:, 2, 1], rotations[0, high, 2, 1]])
    np.testing.assert_allclose(np.diff(angles), 0.3, atol=1e-6)  # 0.6 in three equal bends, twice
    end = (found @ steps[..., None])[..., 0].sum(0)
    np.testing.assert_allclose(end[[0, 2]], 0.0, atol=1e-7)
    assert 0.29 < end[1] < 0.3
