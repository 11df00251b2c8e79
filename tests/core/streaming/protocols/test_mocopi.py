# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_ROLES
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.streaming.devices import DeviceTable, guess_roles
from ssrhmr_core.streaming.protocols.mocopi import PORT, MocopiDecoder
from ssrhmr_core.streaming.readings import Reading
from tests.core.streaming.conftest import turn_between

# Bones of mocopi by joint of the core; four of the torso's seven do not move here.
JOINTS = {
    0: "hips",
    1: "lower_spine",
    3: "middle_spine",
    7: "chest",
    9: "neck",
    10: "head",
    11: "left_clavicle",
    12: "left_shoulder",
    13: "left_elbow",
    14: "left_wrist",
    15: "right_clavicle",
    16: "right_shoulder",
    17: "right_elbow",
    18: "right_wrist",
    19: "left_hip",
    20: "left_knee",
    21: "left_ankle",
    22: "left_toe",
    23: "right_hip",
    24: "right_knee",
    25: "right_ankle",
    26: "right_toe",
}
ENDS = {
    "Bone Hips": "hips",
    "Bone Head": "head",
    "Bone LeftHand": "left_wrist",
    "Bone RightHand": "right_wrist",
    "Bone LeftFoot": "left_ankle",
    "Bone RightFoot": "right_ankle",
}
POINTS = {
    f"Bone {''.join(word.title() for word in name.split('_'))}": role
    for name, role in EXTRA_ROLES.items()
}


def field(name: bytes, value: bytes) -> bytes:
    return struct.pack("<I", len(value)) + name + value


HEAD = field(b"head", field(b"ftyp", b"sony motion format") + field(b"vrsn", b"\x01"))
SENDER = field(b"sndf", field(b"ipad", bytes(8)) + field(b"rcvp", struct.pack("<H", PORT)))


def bone(number: int, numbers: Iterable[float]) -> bytes:
    tran = field(b"tran", struct.pack("<7f", *numbers))
    return field(b"btdt", field(b"bnid", struct.pack("<H", number)) + tran)


def frame(bones: bytes, times: bytes = b"") -> bytes:
    number = field(b"fnum", struct.pack("<I", 5))
    return HEAD + SENDER + field(b"fram", number + times + field(b"btrs", bones))


def bones_of(motion: Motion, row: int) -> bytes:
    local = motion.local_rotations()[row]
    packed = b""
    for number in range(27):
        numbers = (0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
        if number in JOINTS:
            joint = INDEX[JOINTS[number]]
            place = motion.root[row] if joint == 0 else motion.skeleton.offsets[joint]
            w, x, y, z = local[joint].tolist()
            numbers = (x, y, z, w, *place.tolist())
        packed += bone(number, numbers)
    return packed


def decode(packet: bytes) -> tuple[list[Reading], int]:
    decoder = MocopiDecoder()
    return decoder.decode(packet, 1.0), decoder.malformed


@pytest.mark.parametrize("row", [0, 70, 149])
def test_ends_are_where_the_performer_has_them(motion: Motion, row: int) -> None:
    readings, malformed = decode(frame(bones_of(motion, row)))
    assert malformed == 0 and len(readings) == len(ENDS) + len(POINTS)
    assert {reading.device for reading in readings} == {*ENDS, *POINTS}
    positions = motion.positions()[row]
    for reading in readings:
        if reading.device in ENDS:
            joint = turned = INDEX[ENDS[reading.device]]
        else:
            joint, turned = POINTS[reading.device].position, POINTS[reading.device].rotation()
        assert reading.kind == "bone" and reading.valid
        np.testing.assert_allclose(reading.position, positions[joint], atol=1e-5)
        assert turn_between(reading.rotation, motion.rotations[row, turned]) < 0.01


def test_roles_follow_from_names(motion: Motion) -> None:
    table = DeviceTable()
    readings, _ = decode(frame(bones_of(motion, 0)))
    table.add([reading._replace(time=1.0, arrival=1.0) for reading in readings])
    assert guess_roles(table.list_devices(1.0), {}) == {
        "pelvis": "Bone Hips",
        "head": "Bone Head",
        "left_hand": "Bone LeftHand",
        "right_hand": "Bone RightHand",
        "left_foot": "Bone LeftFoot",
        "right_foot": "Bone RightFoot",
    }


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        (field(b"time", struct.pack("<f", 2.5)), 2.5),
        (field(b"time", struct.pack("<f", 2.5)) + field(b"uttm", struct.pack("<d", 1.8e9)), 1.8e9),
        (field(b"uttm", struct.pack("<d", math.nan)) + field(b"tmcd", bytes(6)), math.nan),
        (b"", math.nan),
        (field(b"time", b"\x00"), math.nan),
    ],
)
def test_times(motion: Motion, times: bytes, wanted: float) -> None:
    readings, _ = decode(frame(bones_of(motion, 0), times))
    assert len(readings) == len(ENDS) + len(POINTS)
    for reading in readings:
        assert reading.time == pytest.approx(wanted, nan_ok=True)


def test_the_skeleton_is_no_reading_and_no_fault() -> None:
    definition = field(b"bndt", field(b"bnid", b"\x00\x00") + field(b"pbid", b"\xff\xff"))
    assert decode(HEAD + SENDER + field(b"skdf", field(b"bons", definition))) == ([], 0)


def test_a_bad_bone_costs_what_hangs_from_it(motion: Motion) -> None:
    good = bones_of(motion, 0)
    size = len(good) // 27
    elbow = bone(13, (math.nan,) * 7)
    readings, malformed = decode(frame(good[: 13 * size] + elbow + good[14 * size :]))
    assert malformed == 1
    arm = {"Bone LeftElbow", "Bone LeftHand"}
    assert {reading.device for reading in readings} == {*ENDS, *POINTS} - arm
    # Without the hips nothing has a place.
    assert decode(frame(good[size:])) == ([], 0)


def test_far_away_is_not_seen(motion: Motion) -> None:
    size = len(bones_of(motion, 0)) // 27
    far = bone(0, (0.0, 0.0, 0.0, 1.0, 999.0, 0.0, 0.0)) + bones_of(motion, 0)[size:]
    readings, _ = decode(frame(far))
    assert len(readings) == len(ENDS) + len(POINTS) and not any(
        reading.valid for reading in readings
    )


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x00" * 4,
        SENDER,
        field(b"head", field(b"ftyp", b"another format")) + SENDER,
        HEAD + struct.pack("<I", 4096) + b"fram",
        HEAD + b"\x01\x02\x03",
        HEAD + field(b"fram", field(b"btrs", b"\x00" * 8 * 500)),
        HEAD + field(b"fram", field(b"btrs", field(b"btdt", b"\x00\x00\x00\x00tran"))),
        HEAD + field(b"fram", field(b"btrs", field(b"btdt", field(b"bnid", b"\x00")))),
    ],
)
def test_what_cannot_be_read_is_counted(packet: bytes) -> None:
    readings, malformed = decode(packet)
    assert readings == [] and malformed > 0


def test_any_bytes_are_read_or_counted(motion: Motion) -> None:
    random.seed(3)
    whole = frame(bones_of(motion, 10), field(b"uttm", struct.pack("<d", 5.0)))
    decoder = MocopiDecoder()
    for _ in range(2000):
        packet = bytearray(whole[: random.choice((len(whole), random.randrange(len(whole))))])
        for _ in range(random.randrange(5)):
            packet[random.randrange(len(packet))] = random.randrange(256)
        for reading in decoder.decode(bytes(packet), 1.0):
            assert all(map(math.isfinite, (*reading.position, *reading.rotation)))
            assert abs(math.hypot(*reading.rotation) - 1.0) < 1e-4
    assert decoder.malformed > 200
