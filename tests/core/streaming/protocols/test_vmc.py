# SPDX-License-Identifier: GPL-3.0-or-later
"""The VMC protocol."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.streaming.protocols.osc import bundle
from ssrhmr_core.streaming.protocols.vmc import VmcDecoder, encode
from ssrhmr_core.streaming.readings import MalformedError, Reading
from tests.core.streaming.conftest import same_place

Message = tuple[str, tuple[object, ...]]


def device(word: str, serial: str, x: float = 0.0, local: bool = False) -> Message:
    address = f"/VMC/Ext/{word}/Pos" + ("/Local" if local else "")
    return address, (serial, x, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0)


def decoded(decoder: VmcDecoder, *messages: Message, arrival: float = 0.0) -> list[Reading]:
    return decoder.decode(bundle(messages), arrival)


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


@pytest.mark.parametrize(
    ("state", "valid"),
    [((1,), True), ((1, 3, 0), True), ((1, 3, 0, 1), True), ((1, 3, 0, 0), False)],
)
def test_state_of_tracking(state: tuple[int, ...], valid: bool) -> None:
    (reading,) = decoded(VmcDecoder(), ("/VMC/Ext/OK", state), device("Hmd", "h"))
    assert reading.valid is valid


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
        ("/VMC/Ext/Hmd/Pos", ("h", 1e9, *[0.5] * 6)),
        ("/VMC/Ext/Hmd/Pos", ("", *[0.5] * 7)),
        ("/VMC/Ext/Hmd/Pos", ("h" * 100, *[0.5] * 7)),
        ("/VMC/Ext/T", ()),
        ("/VMC/Ext/T", ("late",)),
        ("/VMC/Ext/T", (True,)),
    ],
)
def test_malformed(message: Message) -> None:
    with pytest.raises(MalformedError):
        decoded(VmcDecoder(), message)


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
        f"{side}Foot": ("Hips", *(f"{side}{bone}" for bone in ("UpperLeg", "LowerLeg", "Foot")))
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

    def expected(self, end: str) -> Reading:
        world = np.eye(4)
        for name in ("root", *CHAINS.get(end, ("Hips",))):
            if name in self.local:
                step = np.eye(4)
                step[:3, 3] = self.local[name][0]
                step[:3, :3] = quat.to_matrix(self.local[name][1])
                world = world @ step
        mirror = np.diag([-1.0, 1.0, 1.0])
        turn = quat.from_matrix(mirror @ world[:3, :3] @ mirror)
        x, y, z = (mirror @ world[:3, 3]).tolist()
        w, a, b, c = turn.tolist()
        return Reading(f"Bone {end}", (x, y, z), (w, a, b, c), kind="bone")


ENDS = ("Hips", *CHAINS)


def check(suit: Suit, readings: list[Reading]) -> None:
    assert [reading.device for reading in readings] == [f"Bone {end}" for end in ENDS]
    for end, reading in zip(ENDS, readings, strict=True):
        assert same_place(suit.expected(end), reading, 1e-5, 1e-3)
        assert reading.kind == "bone"


@pytest.mark.parametrize("without", [(), ("UpperChest",), ("Chest", "UpperChest", "Neck")])
def test_bones_in_one_bundle(without: tuple[str, ...]) -> None:
    decoder = VmcDecoder()
    first, second, third = (Suit(seed, without) for seed in range(3))
    assert decoded(decoder, *first.messages()) == []
    # Only now it is known how many bones there are.
    both = decoded(decoder, *second.messages())
    assert len(both) == 12
    check(second, both[6:])
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
        got = [] if number == 4 else decoded(decoder, *suit.messages()[:8], arrival=float(number))
        if number != 6:
            got += decoded(decoder, *suit.messages()[8:], arrival=float(number))
        if number in (3, 8):
            check(suit, got)
        # An unfinished frame is handed over when the next begins, as of its own time.
        for reading in got:
            assert reading.arrival in (float(number), float(number - 1))


def test_fingers_and_eyes_are_no_matter() -> None:
    decoder = VmcDecoder()
    finger: Message = ("/VMC/Ext/Bone/Pos", ("LeftIndexDistal", *[0.5] * 7))
    for number in range(3):
        suit = Suit(number)
        got = decoded(decoder, *suit.messages(), finger)
    check(suit, got)
