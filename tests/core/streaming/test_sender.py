# SPDX-License-Identifier: GPL-3.0-or-later
"""A performer without hardware."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.streaming import (
    DeviceTable,
    ProtocolName,
    Reading,
    StreamingError,
    guess_roles,
)
from ssrhmr_core.streaming.decoding import ReadingQueue
from ssrhmr_core.streaming.protocols.json_lines import JsonDecoder
from ssrhmr_core.streaming.protocols.vmc import VmcDecoder
from ssrhmr_core.streaming.sender import Conditions, device_names, packets, play
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take
from tests.core.streaming.conftest import turn_between


def sent(take: Take, conditions: Conditions) -> tuple[np.ndarray, np.ndarray]:
    """Arrival and sender's time of each packet, seconds."""
    made = list(packets(take, "json", conditions=conditions))
    times = [JsonDecoder().decode(packet, 0.0)[0].time for _, packet in made]
    return np.array([arrival for arrival, _ in made]), np.array(times)


@pytest.fixture
def long(take: Take) -> Take:
    """The take several times over, at its rate."""
    frames = np.arange(2400)
    again = frames % len(take)
    return Take(
        frames / 60.0, take.positions[again], take.rotations[again], take.valid[again].copy()
    )


@pytest.mark.parametrize("protocol", ["vmc", "vrchat", "json"])
def test_the_same_seed_gives_the_same(protocol: ProtocolName, take: Take) -> None:
    worst = Conditions(0.1, 0.004, 0.1, 0.1, 0.1, 1e-4, seed=4)
    once, again = (list(packets(take, protocol, conditions=worst)) for _ in range(2))
    assert once == again
    other = list(packets(take, protocol, conditions=Conditions(0.1, 0.004, 0.1, 0.1, 0.1, seed=5)))
    assert [at for at, _ in once] != [at for at, _ in other]


def test_an_ideal_network_keeps_the_take_s_own_times(take: Take) -> None:
    arrivals, times = sent(take, Conditions())
    np.testing.assert_allclose(arrivals, take.times, atol=1e-9)
    np.testing.assert_allclose(times - times[0], take.times, atol=1e-9)


def test_loss_and_duplicates(long: Take) -> None:
    arrivals, _ = sent(long, Conditions(loss=0.2, seed=1))
    assert len(arrivals) == pytest.approx(0.8 * len(long), rel=0.05)
    arrivals, times = sent(long, Conditions(duplicate=0.2, seed=1))
    assert len(arrivals) == pytest.approx(1.2 * len(long), rel=0.05)
    assert len(np.unique(times)) == len(long)


def test_reordering(long: Take) -> None:
    arrivals, times = sent(long, Conditions(reorder=0.1, seed=1))
    assert len(times) == len(long)
    assert (np.diff(times) < 0.0).sum() == pytest.approx(0.1 * len(long), rel=0.2)
    assert (np.diff(arrivals) >= 0.0).all()


def test_jitter_delays_and_drift_speeds_up(long: Take) -> None:
    arrivals, times = sent(long, Conditions(jitter=0.003, seed=1))
    late = arrivals - (times - 10.0)
    assert late.min() >= -1e-9 and late.mean() == pytest.approx(0.003, rel=0.1)
    arrivals, times = sent(long, Conditions(drift=1e-3))
    assert (times[-1] - times[0]) / (arrivals[-1] - arrivals[0]) == pytest.approx(1.001)


def test_bursts_hold_packets_back(long: Take) -> None:
    arrivals, times = sent(long, Conditions(burst=0.25))
    assert len(times) == len(long) and (np.diff(times) > 0.0).all()
    assert ((arrivals % 1.0) < 0.7501).all()
    assert np.diff(arrivals).max() == pytest.approx(0.25)


def test_looping_goes_on_in_time(take: Take) -> None:
    made = packets(take, "json", loop=True)
    times = [JsonDecoder().decode(next(made)[1], 0.0)[0].time for _ in range(3 * len(take))]
    np.testing.assert_allclose(np.diff(times), 1.0 / 60.0, atol=1e-6)


def test_what_is_not_seen_is_sent_as_such(take: Take) -> None:
    """A tracker that is lost is a lost device; one that nobody wears is none."""
    valid = take.valid.copy()
    valid[:5, 2] = False
    valid[:, 4] = False
    positions = np.where(valid[..., None], take.positions, np.float32(np.nan))
    unseen = Take(take.times, positions, take.rotations, valid)
    decoders = (("vmc", VmcDecoder()), ("json", JsonDecoder()))
    for protocol, decoder in decoders:
        _, packet = next(packets(unseen, protocol))  # type: ignore[arg-type]
        readings: list[Reading] = decoder.decode(packet, 0.0)
        assert [r.device for r in readings if not r.valid] == ["left_hand"]
        assert [r.device for r in readings if r.valid] == [
            role for role in TRACKERS if role not in ("left_hand", "left_foot")
        ]


def extras_of(motion: Motion, *names: str) -> Take:
    return replace(
        Take.from_motion(motion),
        extras=ExtraReadings.from_motion(motion, names, {"left_knee": "lower"}),
    )


@pytest.mark.parametrize("protocol", ["vmc", "vrchat", "json"])
def test_optional_trackers_are_sent_and_found_again(protocol: ProtocolName, motion: Motion) -> None:
    take = extras_of(motion, "chest", "left_elbow", "right_elbow", "left_knee", "right_knee")
    assert take.extras is not None
    names = device_names(protocol, take.extras)
    queue = ReadingQueue(protocol, 10000)
    for arrival, packet in packets(take, protocol):
        queue.add_packet(packet, "sender", arrival)
    readings = queue.drain()
    last = {reading.device: reading for reading in readings}
    assert last.keys() == set(names.values()) and len(readings) == 11 * len(take)
    for role in take.extras.worn:
        index = EXTRA_TRACKERS.index(role)
        np.testing.assert_allclose(
            last[names[role]].position, take.extras.positions[-1, index], atol=1e-5
        )
        assert turn_between(last[names[role]].rotation, take.extras.rotations[-1, index]) < 0.1
    if protocol != "vrchat":
        assert names["left_elbow"] == "left_elbow" and names["left_knee"] == "left_shin"
        devices = DeviceTable()
        devices.add(readings)
        assert guess_roles(devices.list_devices(readings[-1].arrival), {}) == names


def test_optional_trackers_that_lack_a_part_are_sent_so(motion: Motion) -> None:
    take = extras_of(motion, "chest", "left_elbow", "right_knee")
    assert take.extras is not None
    take.extras.has_position[:, EXTRA_TRACKERS.index("left_elbow")] = False
    take.extras.has_rotation[:, EXTRA_TRACKERS.index("right_knee")] = False
    parts = {"chest": (True, True), "left_elbow": (False, True), "right_knee": (True, False)}
    _, packet = next(packets(take, "json"))
    got = {reading.device: reading for reading in JsonDecoder().decode(packet, 0.0)}
    assert {name: (got[name].has_position, got[name].has_rotation) for name in parts} == parts
    # VMC has no way to say so.
    _, packet = next(packets(take, "vmc"))
    seen = {reading.device: reading.valid for reading in VmcDecoder().decode(packet, 0.0)}
    assert {name: seen[name] for name in parts} == {
        "chest": True,
        "left_elbow": False,
        "right_knee": False,
    }


def test_vrchat_has_eight_numbered_trackers(motion: Motion) -> None:
    take = extras_of(motion, *EXTRA_TRACKERS)
    with pytest.raises(StreamingError, match="VRChat OSC has 8 trackers, and 12 are to be sent"):
        next(packets(take, "vrchat"))
    assert device_names("vrchat")["left_hand"] == "tracker 4"


def test_nobody_listens(take: Take) -> None:
    # UDP does not tell, and the performance may begin before the receiver.
    play(iter([(0.0, b"x"), (0.0, b"x")]), "127.0.0.1", 1)
    with pytest.raises(StreamingError, match=r"cannot send to 127\.0\.0\.1, port 1: "):
        play(iter([(0.0, b"x")]), "127.0.0.1", 1, stream=True)
    with pytest.raises(StreamingError, match=r"cannot send to no\.such\.host\.invalid"):
        play(iter([(0.0, b"x")]), "no.such.host.invalid", 1)


def test_trackers_are_not_sent_as_whole_bodies(take: Take) -> None:
    with pytest.raises(StreamingError, match="cannot be sent as mocopi: choose another protocol"):
        next(packets(take, "mocopi"))
