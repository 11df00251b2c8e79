# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracker names as people write them."""

from __future__ import annotations

import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS, SEGMENTED_TRACKERS
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.roles import (
    ALL_ROLES,
    assign,
    name_of_role,
    role_from_name,
    segment_from_name,
    strip_role,
)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Head", "head"),
        ("HMD", "head"),
        ("Headset.001", "head"),
        ("tracker_pelvis", "pelvis"),
        ("Waist", "pelvis"),
        ("hip tracker", "pelvis"),
        ("LeftHand", "left_hand"),
        ("Controller (left)", "left_hand"),
        ("hand.R", "right_hand"),
        ("r_wrist", "right_hand"),
        ("RightController", "right_hand"),
        ("foot_l", "left_foot"),
        ("Left Ankle", "left_foot"),
        ("vive_r_foot.002", "right_foot"),
        ("rightfoot", "right_foot"),
        ("Fred:LHand", "left_hand"),
        ("RFoot", "right_foot"),
        ("rankle_2", "right_foot"),
        ("LeftHand für den Tänzer", "left_hand"),
        ("left right hand", None),
        ("lhead", None),
        ("Camera", None),
        ("hand", None),
        ("Left", None),
        ("forehead light", None),
        # Optional trackers.
        ("human://CHEST", "chest"),
        ("human://LEFT_ELBOW", "left_elbow"),
        ("human://RIGHT_KNEE", "right_knee"),
        ("vive_tracker_chest", "chest"),
        ("vive_tracker_left_elbow", "left_elbow"),
        ("vive_tracker_right_knee", "right_knee"),
        ("vive_tracker_left_shoulder", "left_shoulder"),
        ("LHR-1A2B3C4D right elbow", "right_elbow"),
        ("UpperArm.L", "left_elbow"),
        ("LeftForeArm", "left_elbow"),
        ("Fred:RForeArm", "right_elbow"),
        ("right lower arm 2", "right_elbow"),
        ("LeftUpLeg", "left_knee"),
        ("thigh.R.001", "right_knee"),
        ("l_shin", "left_knee"),
        ("RCalf", "right_knee"),
        ("left_lower_leg", "left_knee"),
        ("clavicle_l", "left_shoulder"),
        ("Right Collar Bone", "right_shoulder"),
        ("LeftToeBase", "left_toe"),
        ("toes.R", "right_toe"),
        ("knee", None),
        ("lchest", None),
        ("left knee elbow", None),
        ("left right knee", None),
        ("left arm", None),
        ("upper left arm", None),
        ("Tiptoe", None),
        # What names one of the six stays one of them.
        ("left hip", "pelvis"),
        ("left_hand chest", "left_hand"),
        ("LeftFoot toe", "left_foot"),
        ("rknee left hand", "left_hand"),
        ("hand knee", None),
    ],
)
def test_role_from_name(name: str, role: str | None) -> None:
    assert role_from_name(name) == role


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("vive_tracker_left_elbow", None),
        ("UpperArm.L", "upper"),
        ("Left Bicep", "upper"),
        ("LeftForeArm", "lower"),
        ("right lower arm", "lower"),
        ("thigh.R", "upper"),
        ("RShin", "lower"),
        ("left upper leg, lower leg", None),
        ("chest", None),
        ("LeftHand forearm", None),
        ("lamp", None),
    ],
)
def test_segment_from_name(name: str, segment: str | None) -> None:
    assert segment_from_name(name) == segment


def test_names_of_roles_say_role_and_segment() -> None:
    assert (*TRACKERS, *EXTRA_TRACKERS) == ALL_ROLES
    for role in ALL_ROLES:
        assert name_of_role(role) == role
        assert role_from_name(role) == role
        lower = name_of_role(role, "lower")
        assert role_from_name(lower) == role
        assert segment_from_name(lower) == ("lower" if role in SEGMENTED_TRACKERS else None)


def test_of_trackers_above_and_below_a_joint_the_upper_one_is_taken() -> None:
    names = ["LeftShin", "LeftThigh", "RightShin", "right_elbow", "RightForeArm"]
    clear, unclear = assign(names)
    assert clear == {
        "left_knee": "LeftThigh",
        "right_knee": "RightShin",
        "right_elbow": "right_elbow",
    }
    assert unclear == {}
    assert assign([*names, "upper leg left"])[1] == {"left_knee": ["LeftThigh", "upper leg left"]}


def test_assign_looks_for_the_roles_that_are_wanted() -> None:
    names = ["Head", "LeftKnee", "Chest 1", "Chest 2"]
    assert assign(names, TRACKERS) == ({"head": "Head"}, {})


def test_assign_keeps_apart_what_is_clear_and_what_is_not() -> None:
    sure, unsure = assign(["Head", "HMD", "Left Foot", "Lamp"])
    assert sure == {"left_foot": "Left Foot"}
    assert unsure == {"head": ["Head", "HMD"]}


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("Walk 2_LeftFoot", "walk 2"),
        ("walk 2 head", "walk 2"),
        ("Take1_RHand", "take1"),
        ("left turn", "left turn"),
        ("Walk 2_LeftUpperArm", "walk 2"),
        ("walk 2 chest", "walk 2"),
        ("knee bend_LeftFoot", "knee bend"),
    ],
)
def test_strip_role(name: str, rest: str) -> None:
    assert strip_role(name) == rest
