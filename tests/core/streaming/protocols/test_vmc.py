# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMC protocol."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_ROLES
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, forward_kinematics
from ssrhmr_core.streaming.axes import mirror_position, mirror_rotation
from ssrhmr_core.streaming.protocols.osc import write_bundle
from ssrhmr_core.streaming.protocols.vmc import VmcDecoder, encode
from ssrhmr_core.streaming.protocols.vmc_bones import POINTS
from ssrhmr_core.streaming.readings import Reading
from ssrhmr_core.tracking.proportions import make_adult
from ssrhmr_core.tracking.roles import role_from_name, segment_from_name
from tests.core.conftest import make_motion, make_skeleton
from tests.core.streaming.conftest import same_place, turn_between

Message = tuple[str, tuple[object, ...]]


def device(word: str, serial: str, x: float = 0.0, local: bool = False) -> Message:
    address = f"/VMC/Ext/{word}/Pos" + ("/Local" if local else "")
    return address, (serial, x, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0)


def decoded(decoder: VmcDecoder, *messages: Message, arrival: float = 0.0) -> list[Reading]:
    return decoder.decode(write_bundle(messages), arrival)


def test_round_trip() -> None:
    sent = [
        Reading("head", (0.1, 1.7, 0.2), (0.5, 0.5, -0.5, 0.5), 12.5, True, "hmd"),
        Reading("left_hand", (0.7, 1.4, -0.1), (0.6, 0.0, 0.8, 0.0), 12.5, True, "controller"),
        Reading("LHR-1", (0.0, 0.9, 0.0), (1.0, 0.0, 0.0, 0.0), 12.5, True, "tracker"),
    ]
    (packet,) = encode(sent)
    got = VmcDecoder().decode(packet, 3.0)
    assert len(got) == len(sent)
    for one, other in zip(sent, got, strict=True):
        assert same_place(one, other)
        assert (other.time, other.kind) == (12.5, one.kind)


def test_what_is_not_seen_arrives_as_not_seen() -> None:
    (packet,) = encode([Reading("a", (0, 0, 0), (1, 0, 0, 0), 1.0, False)])
    assert [reading.valid for reading in VmcDecoder().decode(packet, 0.0)] == [False]


def test_a_step_to_the_right_in_unity_is_one_along_minus_x() -> None:
    (reading,) = decoded(VmcDecoder(), device("Tra", "a", 0.25))
    assert reading.position == (-0.25, 1.0, 2.0)
    assert math.isnan(reading.time)


def test_raw_places_count_rather_than_those_scaled_to_an_avatar() -> None:
    decoder = VmcDecoder()
    assert len(decoded(decoder, device("Tra", "a"), device("Tra", "b"))) == 2
    both = decoded(decoder, device("Tra", "a", 9.0), device("Tra", "a", 1.0, local=True))
    # The raw one was not known when the first came.
    assert [reading.position[0] for reading in both] == [-9.0, -1.0]
    both = decoded(decoder, device("Tra", "a", 9.0), device("Tra", "a", 1.0, local=True))
    assert [reading.position[0] for reading in both] == [-1.0]
    assert len(decoded(decoder, device("Tra", "b"))) == 1
    # A sender that ceases to send it raw is followed.
    (late,) = decoded(decoder, device("Tra", "a", 9.0), arrival=1.5)
    assert late.position[0] == -9.0


@pytest.mark.parametrize("state", [(1,), (1, 3, 0), (1, 3, 0, 1), (1, 3, 0, 0), (0,), (), ("?",)])
def test_the_state_of_tracking_says_nothing_about_devices(state: tuple[object, ...]) -> None:
    """Version 0.61 of Virtual Motion Capture sends 0 when one of them is lost, or for bones."""
    decoder = VmcDecoder()
    (reading,) = decoded(decoder, ("/VMC/Ext/OK", state), device("Hmd", "h"))
    assert reading.valid and decoder.malformed == 0
    suit = Suit(0)
    for _ in range(3):
        readings = decoded(decoder, *suit.messages(), ("/VMC/Ext/OK", state))
        assert all(reading.valid for reading in readings)
    assert len(readings) == len(DEVICES)


@pytest.mark.parametrize("place", [0, 1])
def test_the_time_of_a_bundle_is_that_of_all_in_it(place: int) -> None:
    messages = [device("Hmd", "h")]
    messages.insert(place, ("/VMC/Ext/T", (7.5,)))
    (reading,) = decoded(VmcDecoder(), *messages)
    assert reading.time == 7.5


@pytest.mark.parametrize(
    "message",
    [
        ("/VMC/Ext/Hmd/Pos", ("h", 0.0, 0.0)),
        ("/VMC/Ext/Hmd/Pos", (1.0, *[0.0] * 7)),
        ("/VMC/Ext/Hmd/Pos", ("h", "x", *[0.0] * 6)),
        ("/VMC/Ext/Hmd/Pos", ("h", math.nan, *[0.5] * 6)),
        ("/VMC/Ext/Hmd/Pos", ("", *[0.5] * 7)),
        ("/VMC/Ext/Hmd/Pos", ("h" * 100, *[0.5] * 7)),
        ("/VMC/Ext/Bone/Pos", ("Hips", 0.0)),
        ("/VMC/Ext/Bone/Pos", (1.0, *[0.5] * 7)),
        ("/VMC/Ext/Root/Pos", ("root", math.inf, *[0.5] * 6)),
    ],
)
def test_a_bad_message_costs_nothing_but_itself(message: Message) -> None:
    decoder = VmcDecoder()
    readings = decoded(decoder, device("Tra", "a"), message, device("Tra", "b"))
    assert [reading.device for reading in readings] == ["a", "b"]
    assert decoder.malformed == 1


@pytest.mark.parametrize("time", [(), ("late",), (True,), (None,)])
def test_a_bad_time_is_none(time: tuple[object, ...]) -> None:
    tags = {str: b",s", bool: b",T", type(None): b",N"}.get(type(time[0]) if time else int, b",")
    text = b"late\x00\x00\x00\x00" if tags == b",s" else b""
    message = b"/VMC/Ext/T\x00\x00" + tags + bytes(4 - len(tags) % 4) + text
    packet = write_bundle([device("Tra", "a")])
    packet += len(message).to_bytes(4, "big") + message
    (reading,) = VmcDecoder().decode(packet, 0.0)
    assert reading.device == "a" and math.isnan(reading.time)


def test_surplus_arguments_are_ignored() -> None:
    address, values = device("Tra", "a")
    root = ("/VMC/Ext/Root/Pos", ("root", *values[1:], 1.0, 1.0, 1.0, 0.0, 0.0, 0.0))
    decoder = VmcDecoder()
    readings = decoded(decoder, root, (address, (*values, 3, "more")), ("/VMC/Ext/T", (7.5, 1)))
    assert [(reading.position, reading.time) for reading in readings] == [((-0.0, 1.0, 2.0), 7.5)]
    assert decoder.malformed == 0


@pytest.mark.parametrize("place", [-999.0, 1000.0, 9999.0, 3e38, 100.5])
def test_parking_places_are_not_valid(place: float) -> None:
    """XR Animator hides what it lost at y = -999; no room is so large."""
    (reading,) = decoded(VmcDecoder(), ("/VMC/Ext/Tra/Pos", ("a", 0.0, place, *[0.0] * 4, 1.0)))
    assert not reading.valid
    (near,) = decoded(VmcDecoder(), ("/VMC/Ext/Tra/Pos", ("a", 0.0, 99.0, *[0.0] * 4, 1.0)))
    assert near.valid


def test_devices_that_were_never_seen_lie_at_the_origin() -> None:
    origin: Message = ("/VMC/Ext/Tra/Pos", ("a", *[0.0] * 6, 1.0))
    turned: Message = ("/VMC/Ext/Tra/Pos", ("b", *[0.0] * 3, 0.0, 0.6, 0.0, 0.8))
    assert [reading.valid for reading in decoded(VmcDecoder(), origin, turned)] == [False, True]


# --- Bones -----------------------------------------------------------------------------------

CHAINS = {
    "Head": ("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head"),
    **{
        f"{side}Hand": (
            *("Hips", "Spine", "Chest", "UpperChest"),
            *(f"{side}{bone}" for bone in ("Shoulder", "UpperArm", "LowerArm", "Hand")),
        )
        for side in ("Left", "Right")
    },
    **{
        f"{side}Toes": (
            "Hips",
            *(f"{side}{bone}" for bone in ("UpperLeg", "LowerLeg", "Foot", "Toes")),
        )
        for side in ("Left", "Right")
    },
}
NAMES = list(dict.fromkeys(name for chain in CHAINS.values() for name in chain))


class Suit:
    """A body of random bones, and where its ends are: in Unity's axes, by matrices."""

    def __init__(self, seed: int, without: tuple[str, ...] = ()) -> None:
        random = np.random.default_rng(seed)
        self.names = [name for name in NAMES if name not in without]
        self.local = {
            name: (
                random.uniform(-0.3, 0.3, 3),
                quat.from_scaled_angle_axis(random.uniform(-1.5, 1.5, 3)),
            )
            for name in ("root", *self.names)
        }

    def message(self, name: str) -> Message:
        position, (w, x, y, z) = self.local[name]
        address = "/VMC/Ext/Root/Pos" if name == "root" else "/VMC/Ext/Bone/Pos"
        values = [float(value) for value in (*position, x, y, z, w)]
        return address, (name, *values)

    def messages(self) -> list[Message]:
        return [self.message(name) for name in ("root", *self.names)]

    def expected(self, device: str) -> Reading:
        """Return the reading of an end or a point, put together from two bones."""
        position_bone, rotation_bone = POINTS.get(device, (device, device))
        reading = self._compose(position_bone)
        rotation = self._compose(rotation_bone).rotation
        return reading._replace(device=f"Bone {device}", rotation=rotation)

    def _compose(self, bone: str) -> Reading:
        world = np.eye(4)
        chain = next((chain for chain in CHAINS.values() if bone in chain), ("Hips",))
        for name in ("root", *chain[: chain.index(bone) + 1]):
            if name in self.local:
                step = np.eye(4)
                step[:3, 3] = self.local[name][0]
                step[:3, :3] = quat.to_matrix(self.local[name][1])
                world = world @ step
        mirror = np.diag([-1.0, 1.0, 1.0])
        turn = quat.from_matrix(mirror @ world[:3, :3] @ mirror)
        x, y, z = (mirror @ world[:3, 3]).tolist()
        w, a, b, c = turn.tolist()
        return Reading(bone, (x, y, z), (w, a, b, c), kind="bone")


ENDS = ("Hips", "Head", "LeftHand", "RightHand", "LeftFoot", "RightFoot")
"""The bones that the six trackers sit on."""
DEVICES = (*ENDS, *POINTS)


def check(suit: Suit, readings: list[Reading]) -> None:
    there = [*suit.names, "Hips"]
    chest = "UpperChest" if "UpperChest" in there else "Chest"
    devices = [
        device
        for device in DEVICES
        if all(
            (chest if bone == "UpperChest" else bone) in there for bone in POINTS.get(device, ())
        )
    ]
    assert [reading.device for reading in readings] == [f"Bone {device}" for device in devices]
    for device, reading in zip(devices, readings, strict=True):
        assert same_place(suit.expected(device), reading, 1e-5, 1e-3)
        assert reading.kind == "bone"


@pytest.mark.parametrize(
    "without",
    [
        (),
        ("UpperChest",),
        ("Chest", "UpperChest", "Neck"),
        ("LeftShoulder", "RightToes"),
    ],
)
def test_bones_in_one_bundle(without: tuple[str, ...]) -> None:
    decoder = VmcDecoder()
    first, second, third = (Suit(seed, without) for seed in range(3))
    assert decoded(decoder, *first.messages()) == []
    # Only now it is known how many bones there are.
    both = decoded(decoder, *second.messages())
    assert len(both) % 2 == 0
    check(second, both[len(both) // 2 :])
    check(third, decoded(decoder, *third.messages()))


@pytest.mark.parametrize("size", [1, 5, 9])
def test_bones_in_several_packets_wait_for_the_last_of_their_frame(size: int) -> None:
    decoder = VmcDecoder()
    # The root comes with the hips, or before them.
    for number in range(6):
        suit = Suit(number)
        got: list[list[Reading]] = []
        messages = suit.messages()
        for begin in range(0, len(messages), size):
            got.append(decoded(decoder, *messages[begin : begin + size], arrival=float(number)))
        if number >= 2:
            assert not any(got[:-1])
            check(suit, got[-1])


def test_hearing_from_the_middle_of_a_frame_on() -> None:
    decoder = VmcDecoder()
    decoded(decoder, *Suit(0).messages()[8:])
    for number in range(1, 5):
        suit = Suit(number)
        got = decoded(decoder, *suit.messages()[:8]) + decoded(decoder, *suit.messages()[8:])
        if number >= 3:
            check(suit, got)


def test_lost_packets_of_a_frame_do_not_mix_up_later_ones() -> None:
    decoder = VmcDecoder()
    for number in range(9):
        suit = Suit(number)
        now = number / 60.0
        got = [] if number == 4 else decoded(decoder, *suit.messages()[:8], arrival=now)
        if number != 6:
            got += decoded(decoder, *suit.messages()[8:], arrival=now)
        if number in (3, 8):
            check(suit, got)
        # An unfinished frame is handed over when the next begins, as of its own time.
        for reading in got:
            assert reading.arrival in (now, (number - 1) / 60.0)


def test_fingers_and_eyes_are_no_matter() -> None:
    decoder = VmcDecoder()
    finger: Message = ("/VMC/Ext/Bone/Pos", ("LeftIndexDistal", *[0.5] * 7))
    for number in range(3):
        suit = Suit(number)
        got = decoded(decoder, *suit.messages(), finger)
    check(suit, got)


def test_bones_of_a_former_avatar_are_forgotten() -> None:
    decoder = VmcDecoder()
    for number in range(3):
        decoded(decoder, *Suit(number).messages(), arrival=number / 60.0)
    # Another one has no chest: what the former one's was must not be between its bones.
    got: list[list[Reading]] = []
    for number in range(120):
        suit = Suit(number, ("Chest", "UpperChest"))
        got.append(decoded(decoder, *suit.messages(), arrival=1.0 + number / 60.0))
    check(suit, got[-1])
    # And a frame is over again with its last packet.
    assert all(len(readings) == len(DEVICES) - 1 for readings in got[70:])


def test_the_root_needs_no_name() -> None:
    decoder = VmcDecoder()
    for number in range(3):
        suit = Suit(number)
        (address, (_, *values)), *bones = suit.messages()
        got = decoded(decoder, (address, ("", *values)), *bones)
    check(suit, got)
    assert decoder.malformed == 0


def test_without_hips_the_root_is_the_hips() -> None:
    """SnekStudio sends the hips as the root."""
    decoder = VmcDecoder()
    got: list[Reading] = []
    for number in range(40):
        suit = Suit(number, ("Hips",))
        got = decoded(decoder, *suit.messages(), arrival=number / 60.0) or got
    check(suit, got[-len(DEVICES) :])
    assert "sends bones but no hips" in decoder.notice
    # Until they come after all.
    for number in range(3):
        suit = Suit(number)
        got = decoded(decoder, *suit.messages(), arrival=1.0 + number / 60.0)
    check(suit, got)
    assert decoder.notice == ""


BODY = make_skeleton()
UNITY = {
    "Hips": "hips",
    "Head": "head",
    "Neck": "neck",
    "Spine": "lower_spine",
    "Chest": "middle_spine",
    "UpperChest": "chest",
    **{
        f"{side}{bone}": f"{side.lower()}_{joint}"
        for side in ("Left", "Right")
        for bone, joint in (
            ("Shoulder", "clavicle"),
            ("UpperArm", "shoulder"),
            ("LowerArm", "elbow"),
            ("Hand", "wrist"),
            ("UpperLeg", "hip"),
            ("LowerLeg", "knee"),
            ("Foot", "ankle"),
            ("Toes", "toe"),
        )
    },
}


def avatar(frame: int, globally: bool = False, lengths: bool = True) -> list[Message]:
    """Bones of the test body, as an avatar without rotations of its own in the T-pose sends it."""
    motion = make_motion(BODY, 60)
    local = motion.local_rotations()[frame]
    positions = motion.positions()[frame] if globally else BODY.offsets
    rotations = motion.rotations[frame] if globally else local
    messages: list[Message] = []
    for name, joint in UNITY.items():
        index = INDEX[joint]
        place = motion.root[frame] if name == "Hips" else positions[index]
        x, y, z = mirror_position(place.tolist()) if lengths else (0.0, 0.0, 0.0)
        w, a, b, c = mirror_rotation(rotations[index].tolist())
        messages.append(("/VMC/Ext/Bone/Pos", (name, x, y, z, a, b, c, w)))
    return messages


@pytest.mark.parametrize("size", [1, 50])
def test_bones_in_room_coordinates_are_refused_with_a_message(size: int) -> None:
    """ALVR sends each bone globally, and in axes of its own."""
    decoder = VmcDecoder()
    for frame in range(30):
        messages = avatar(frame, globally=True)
        for begin in range(0, len(messages), size):
            part = messages[begin : begin + size]
            assert decoded(decoder, *part, arrival=frame / 60.0) == []
    assert "sends bones in room coordinates" in decoder.notice
    # Another avatar that sends them as it should is read soon.
    got: list[Reading] = []
    for frame in range(60):
        got = decoded(decoder, *avatar(frame), arrival=1.0 + frame / 60.0)
    assert len(got) == len(DEVICES) and decoder.notice == ""


def test_rotations_without_lengths_are_put_on_a_usual_body() -> None:
    decoder = VmcDecoder()
    for frame in range(30):
        got = decoded(decoder, *avatar(frame, lengths=False), arrival=frame / 60.0)
    assert "rotations of bones but no lengths" in decoder.notice
    body = make_adult()
    rotations = quat.to_matrix(make_motion(BODY, 60).rotations[29])
    root = np.array([0.0, -body.t_pose()[[INDEX["left_toe"], INDEX["right_toe"]], 1].mean(), 0.0])
    expected = forward_kinematics(rotations[None], root[None], body.offsets)[0]
    joints = [*TRACKER_JOINTS, *(role.position for role in EXTRA_ROLES.values())]
    for reading, joint in zip(got, joints, strict=True):
        np.testing.assert_allclose(reading.position, expected[joint], atol=1e-5)


def test_points_measure_what_optional_trackers_do() -> None:
    """Where the joint is, and how the bone above it is turned."""
    decoder = VmcDecoder()
    for frame in range(3):
        got = decoded(decoder, *avatar(frame), arrival=frame / 60.0)
    motion = make_motion(BODY, 60)
    points = {role_from_name(reading.device): reading for reading in got[6:]}
    assert points.keys() == EXTRA_ROLES.keys()
    for name, role in EXTRA_ROLES.items():
        expected = motion.positions()[2, role.position]
        np.testing.assert_allclose(points[name].position, expected, atol=1e-5)
        assert turn_between(points[name].rotation, motion.rotations[2, role.rotation()]) < 0.01
        assert points[name].kind == "bone" and segment_from_name(points[name].device) is None


def test_an_avatar_that_is_hidden_is_not_valid() -> None:
    """XR Animator moves the root of what it lost to y = -999."""
    decoder = VmcDecoder()
    for frame in range(4):
        y = -999.0 if frame == 3 else 0.0
        root: Message = ("/VMC/Ext/Root/Pos", ("root", 0.0, y, *[0.0] * 4, 1.0))
        got = decoded(decoder, root, *avatar(frame), arrival=frame / 60.0)
        assert all(reading.valid is (frame < 3) for reading in got)
    assert len(got) == len(DEVICES)


def detail_packet(value: float, stamp: float) -> bytes:
    turned = (0.0, 0.0, 0.0, 0.6, 0.0, 0.0, 0.8)
    return write_bundle(
        [
            ("/VMC/Ext/T", (stamp,)),
            ("/VMC/Ext/Root/Pos", ("root", *ORIGIN_POSE)),
            ("/VMC/Ext/Bone/Pos", ("LeftIndexProximal", *turned)),
            ("/VMC/Ext/Bone/Pos", ("LeftEye", *turned)),
            ("/VMC/Ext/Blend/Val", ("Joy", value)),
            ("/VMC/Ext/Blend/Val", ("表情", 0.25)),
            ("/VMC/Ext/Cam", ("Camera", 1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0, 60.0)),
        ]
    )


ORIGIN_POSE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def test_details_are_read_where_they_are_wanted() -> None:
    decoder = VmcDecoder(details=True)
    # The second one is read by its layout.
    for number in range(1, 4):
        value = 0.125 * number
        readings = {r.device: r for r in decoder.decode(detail_packet(value, number), number)}
        assert set(readings) == {
            *("finger:LeftIndexProximal", "shape:Joy", "shape:表情", "Camera"),
        }
        finger = readings["finger:LeftIndexProximal"]
        assert finger.rotation == pytest.approx((0.8, 0.6, 0.0, 0.0)) and finger.time == number
        assert readings["shape:Joy"].position[0] == value
        assert readings["Camera"].kind == "camera"
        assert readings["Camera"].position == pytest.approx((-1.0, 2.0, 3.0))
    assert decoder.malformed == 0
    assert VmcDecoder().decode(detail_packet(0.5, 1.0), 0.0) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e6])
def test_impossible_shapes_are_counted(value: float) -> None:
    decoder = VmcDecoder(details=True)
    for number in range(2):
        decoder.decode(detail_packet(0.5, number), number)
    readings = decoder.decode(detail_packet(value, 2.0), 2.0)
    assert "shape:Joy" not in {r.device for r in readings} and len(readings) == 3
    assert decoder.malformed == 1
