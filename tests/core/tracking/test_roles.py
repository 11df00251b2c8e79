# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracker names as people write them."""

from __future__ import annotations

import pytest

from ssrhmr_core.tracking.roles import assign, role_from_name, strip_role


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
    ],
)
def test_role_from_name(name: str, role: str | None) -> None:
    assert role_from_name(name) == role


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
    ],
)
def test_strip_role(name: str, rest: str) -> None:
    assert strip_role(name) == rest
