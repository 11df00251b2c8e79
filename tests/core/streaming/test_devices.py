# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of devices, and who is worn where."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.streaming import (
    Device,
    DeviceTable,
    Reading,
    StreamingError,
    assign_role,
    guess_roles,
)
from ssrhmr_core.streaming.devices import validate_roles


def readings(
    name: str, seconds: float, rate: float, shaken: float = 0.0, noise: float = 0.0
) -> list[Reading]:
    random = np.random.default_rng(len(name))
    found = []
    for number in range(round(seconds * rate)):
        time = number / rate
        x = shaken * math.sin(9.0 * time)
        place = (np.array([x, 1.0, 0.0]) + noise * random.standard_normal(3)).tolist()
        found.append(
            Reading(name, (place[0], place[1], place[2]), (1, 0, 0, 0), time, arrival=time + 0.01)
        )
    return found


def test_rates_and_last_seen() -> None:
    table = DeviceTable()
    table.add(readings("slow", 5.0, 30.0))
    table.add(readings("fast", 4.0, 120.0))
    fast, slow = table.list_devices(5.0)
    assert (fast.name, slow.name) == ("fast", "slow")
    assert slow.rate == pytest.approx(30.0, rel=0.02)
    assert fast.rate == pytest.approx(120.0, rel=0.02)
    assert fast.age == pytest.approx(1.0, abs=0.03) and not fast.valid
    assert slow.valid and slow.position == (0.0, 1.0, 0.0)


def test_a_device_that_is_not_seen_stays_where_it_was() -> None:
    table = DeviceTable()
    table.add(readings("a", 1.0, 60.0))
    for moment in (1.0, 3.0):
        table.add([Reading("a", (0, 0, 0), (1, 0, 0, 0), moment, False, arrival=moment)])
    (device,) = table.list_devices(3.0)
    assert not device.valid and device.position == (0.0, 1.0, 0.0)
    # Heard all the time, but not seen.
    assert device.age == pytest.approx(2.0, abs=0.03)


def test_a_device_that_was_never_seen() -> None:
    table = DeviceTable()
    table.add([Reading("a", (0, 0, 0), (1, 0, 0, 0), 1.0, False, arrival=1.0)])
    (device,) = table.list_devices(1.0)
    assert not device.valid and device.age == math.inf


def test_devices_are_forgotten_and_never_too_many() -> None:
    table = DeviceTable()
    table.add(readings("old", 1.0, 60.0))
    assert table.list_devices(70.0) == []
    for number in range(1000):
        table.add([Reading(str(number), (0, 0, 0), (1, 0, 0, 0), number, arrival=number)])
    assert len(table.list_devices(0.0)) == 64


def test_a_flood_of_names_does_not_push_devices_out() -> None:
    table = DeviceTable()
    table.add(readings("real", 2.0, 60.0, shaken=0.2))
    for number in range(3000):
        table.add([Reading(f"no {number}", (0, 0, 0), (1, 0, 0, 0), 2.0, arrival=2.01)])
    assert len(table.list_devices(2.0)) == 64
    assert "real" in [device.name for device in table.list_devices(2.0)]
    assert table.find_shaken(2.0) == "real"


@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_the_one_that_is_shaken_is_found(noise: float) -> None:
    table = DeviceTable()
    for name in ("one", "other", "third"):
        shaken = {"other": 0.15, "third": 0.02}.get(name, 0.0)
        table.add(readings(name, 3.0, 90.0, shaken, noise))
    assert table.find_shaken(3.0) == "other"
    # And no longer when it has come to rest.
    assert table.find_shaken(5.5) is None


def test_nobody_is_shaken() -> None:
    table = DeviceTable()
    assert table.find_shaken(0.0) is None
    table.add(readings("one", 3.0, 90.0, noise=0.005))
    table.add(readings("other", 3.0, 90.0, noise=0.005))
    assert table.find_shaken(3.0) is None
    both = DeviceTable()
    both.add(readings("one", 3.0, 90.0, 0.15))
    both.add(readings("other", 3.0, 90.0, 0.15))
    assert both.find_shaken(3.0) is None


def device(name: str, kind: str = "tracker") -> Device:
    return Device(name, kind, 60.0, 0.0, True, (0, 0, 0), (1, 0, 0, 0))


RAW = [
    device("LHR-1A2B", "tracker"),
    device("LHR-HEADLESS", "hmd"),
    device("left_hand", "controller"),
    device("Waist"),
    device("left foot 1"),
    device("left foot 2"),
]
BONES = [
    device(f"Bone {end}", "bone")
    for end in ("Hips", "Head", "LeftHand", "RightHand", "LeftFoot", "RightFoot")
]


def test_names_and_kinds_tell_roles() -> None:
    expected = {"pelvis": "Waist", "head": "LHR-HEADLESS", "left_hand": "left_hand"}
    assert guess_roles(RAW, {}) == expected
    # In whatever order they come.
    assert guess_roles(RAW[::-1], {}) == expected
    # What was chosen stays, and is not given away again.
    assert guess_roles(RAW, {"right_hand": "left_hand"}) == {
        "pelvis": "Waist",
        "head": "LHR-HEADLESS",
        "right_hand": "left_hand",
    }


def test_devices_may_be_optional_trackers() -> None:
    names = {
        "left_elbow": "human://LEFT_ELBOW",
        "right_elbow": "human://RIGHT_ELBOW",
        "left_knee": "human://LEFT_KNEE",
        "chest": "human://CHEST",
    }
    devices = [*RAW, *map(device, names.values())]
    devices.append(replace(device("LHR-7F"), hint="right knee"))
    expected = {**guess_roles(RAW, {}), **names, "right_knee": "LHR-7F"}
    assert guess_roles(devices, {}) == expected
    # What was chosen stays.
    known = {"left_knee": "human://LEFT_ELBOW"}
    assert guess_roles(devices, known)["left_knee"] == "human://LEFT_ELBOW"
    assert "left_elbow" not in guess_roles(devices, known)
    # Two at one place are for the user to tell apart.
    twice = [*devices, device("chest 2")]
    assert "chest" not in guess_roles(twice, {})


def test_points_of_an_avatar_are_used_only_where_somebody_chooses_them() -> None:
    points = [device("Bone LeftElbow", "bone"), device("Bone Chest", "bone")]
    roles = guess_roles([*BONES, *points], {})
    assert set(roles) == set(TRACKERS)
    chosen = {"left_elbow": "Bone LeftElbow"}
    assert guess_roles([*BONES, *points], chosen) == {**roles, **chosen}
    # Many points do not make devices give way to bones, or bones to devices.
    assert guess_roles([*BONES, *points, *RAW], {}) == guess_roles([*BONES, *RAW], {})


def test_roles_come_from_devices_or_from_bones_but_never_from_both() -> None:
    """Bones are those of an avatar that is scaled and moved."""
    bones = dict(zip(TRACKERS, (bone.name for bone in BONES), strict=True))
    assert guess_roles([*RAW, *BONES], {}) == bones
    # As many of both: devices are what is measured.
    assert guess_roles([*RAW, *BONES[:3]], {}) == guess_roles(RAW, {})
    # What was chosen decides.
    assert guess_roles([*RAW, *BONES], {"head": "LHR-HEADLESS"}) == guess_roles(RAW, {})
    assert guess_roles([*RAW, *BONES], {"head": "Bone Hips"}) == {
        **{role: bone for role, bone in bones.items() if role != "pelvis"},
        "head": "Bone Hips",
    }


def test_of_two_heads_the_one_with_rotations_is_meant() -> None:
    """SlimeVR sends a head without rotation, VRChat its headset."""
    head = replace(device("head", "hmd"), has_rotation=False)
    assert guess_roles([head], {}) == {"head": "head"}
    assert guess_roles([head, device("headset", "hmd")], {}) == {"head": "headset"}
    assert guess_roles([device("head"), device("headset")], {}) == {}


def test_numbers_tell_nothing() -> None:
    assert guess_roles([device("tracker 1"), device("tracker 2")], {}) == {}


def test_assigning_moves_a_device() -> None:
    roles = {"head": "a", "pelvis": "b"}
    assert assign_role(roles, "left_hand", "a") == {"pelvis": "b", "left_hand": "a"}
    assert assign_role(roles, "head", "c") == {"pelvis": "b", "head": "c"}
    assert assign_role(roles, "head", "") == {"pelvis": "b"}
    assert roles == {"head": "a", "pelvis": "b"}
    with pytest.raises(StreamingError, match="'nose' is no tracker; they are pelvis, head"):
        assign_role(roles, "nose", "a")


def test_roles_are_checked() -> None:
    assert validate_roles({"head": "a", "pelvis": ""}) == {"head": "a"}
    with pytest.raises(StreamingError, match="a has two roles"):
        validate_roles({"head": "a", "pelvis": "a"})
