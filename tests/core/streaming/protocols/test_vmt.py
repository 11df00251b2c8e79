# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages for the driver Virtual Motion Tracker, which arrive with VMC."""

from __future__ import annotations

import math

import pytest

from ssrhmr_core.streaming.axes import mirror_rotation
from ssrhmr_core.streaming.devices import DeviceTable, guess_roles
from ssrhmr_core.streaming.protocols.vmc import VmcDecoder
from ssrhmr_core.streaming.readings import Reading
from tests.core.streaming.emulators.wire import bundle, message

PLACE = (0.25, 1.0, 2.0)
HALF = math.radians(35.0)


def decoded(*messages: bytes) -> list[Reading]:
    decoder = VmcDecoder()
    for _ in range(3):
        readings = decoder.decode(bundle(*messages), 1.0)
    assert decoder.malformed == 0
    return readings


def tracker(word: str, *rotation: float, number: int = 3, mode: int = 1) -> bytes:
    tags = "iif" + "f" * (3 + len(rotation))
    return message(f"/VMT/{word}", tags, number, mode, 0.0, *PLACE, *rotation)


@pytest.mark.parametrize("space", ["Room", "Raw"])
def test_the_same_pose_in_all_axes(space: str) -> None:
    """A turn of 70 degrees about Unity's Y, at the same place."""
    in_unity = (0.0, math.sin(HALF), 0.0, math.cos(HALF))
    w, x, y, z = mirror_rotation((math.cos(HALF), 0.0, math.sin(HALF), 0.0))
    driver = message(
        f"/VMT/{space}/Driver", "iif" + "f" * 7, 3, 1, 0.0, -0.25, 1.0, 2.0, x, y, z, w
    )
    for packet in (
        tracker(f"{space}/Unity", *in_unity),
        tracker(f"{space}/UEuler", 0.0, 70.0, 0.0),
        driver,
    ):
        (reading,) = decoded(packet)
        assert reading.device == "VMT 3" and reading.kind == "tracker" and reading.valid
        assert reading.position == pytest.approx((-0.25, 1.0, 2.0), abs=1e-6)
        assert reading.rotation == pytest.approx((w, x, y, z), abs=1e-6)


@pytest.mark.parametrize(
    ("mode", "kind", "valid"),
    [(0, "tracker", False), (1, "tracker", True), (2, "controller", True), (7, "tracker", True)],
)
def test_modes(mode: int, kind: str, valid: bool) -> None:
    (reading,) = decoded(tracker("Room/Unity", 0.0, 0.0, 0.0, 1.0, mode=mode))
    assert (reading.kind, reading.valid) == (kind, valid)


def test_base_stations_are_no_trackers() -> None:
    assert decoded(tracker("Room/Unity", 0.0, 0.0, 0.0, 1.0, mode=4)) == []


def test_hands_have_roles() -> None:
    table = DeviceTable()
    for mode in (5, 6):
        table.add(decoded(tracker("Room/Unity", 0.0, 0.0, 0.0, 1.0, number=mode, mode=mode)))
    roles = guess_roles(table.list_devices(1.0), {})
    assert (roles["left_hand"], roles["right_hand"]) == ("VMT 5", "VMT 6")


@pytest.mark.parametrize(
    "packet",
    [
        tracker("Room/Unity", 0.0, 0.0, 1.0),
        tracker("Room/Unity", 0.0, math.nan, 0.0, 1.0),
        tracker("Room/UEuler", 0.0, math.inf, 0.0),
        tracker("Room/UEuler", 0.0, 90.0),
        message("/VMT/Room/Unity", "sif" + "f" * 7, "a", 1, 0.0, *PLACE, 0.0, 0.0, 0.0, 1.0),
        message("/VMT/Room/Unity", "fif" + "f" * 7, math.inf, 1, 0.0, *PLACE, 0.0, 0.0, 0.0, 1.0),
        message("/VMT/Room/Unity", "iff" + "f" * 7, 1, math.nan, 0.0, *PLACE, 0.0, 0.0, 0.0, 1.0),
    ],
)
def test_a_bad_message_costs_nothing_but_itself(packet: bytes) -> None:
    decoder = VmcDecoder()
    good = tracker("Room/Unity", 0.0, 0.0, 0.0, 1.0)
    assert [reading.device for reading in decoder.decode(bundle(packet, good), 1.0)] == ["VMT 3"]
    assert decoder.malformed == 1
