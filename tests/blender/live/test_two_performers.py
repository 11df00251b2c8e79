# SPDX-License-Identifier: GPL-3.0-or-later
"""Two performers side by side, each with a source and a character."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.typed import action_of, scene_of
from ssrhmr_blender.live import capture
from ssrhmr_blender.properties.characters import add_setup, characters_of
from ssrhmr_blender.properties.live import live_of
from ssrhmr_core import Calibration, Motion, Take
from tests.blender.conftest import TO_BLENDER, choose, make_armature
from tests.blender.live.conftest import (
    Clock,
    Sender,
    assert_free,
    readings_in,
    start,
    wait_for,
)
from tests.ports import free_port

_AWAY = np.array([2.0, 0.0, 1.0], np.float32)
"""Metres by which the second performer stands elsewhere."""


@pytest.fixture
def partner(performance: Motion, hero: bpy.types.Object) -> bpy.types.Object:
    """A second character with a performer of its own; the first one stays active."""
    scene = scene_of(bpy.context)
    setup = add_setup(scene, "Partner")
    setup.armature = make_armature("Partner", performance.skeleton)
    choose(setup.armature, {})
    setup.calibration = Calibration.none().to_json()
    characters_of(scene).entries[1].own_source = True
    assert live_of(scene) != scene.ssrhmr_live
    return setup.armature


@pytest.fixture
def other_port() -> Iterator[int]:
    free = free_port()
    yield free
    capture.stop()
    assert_free(free)


def other_sender(port: int, performance: Motion, clock: Clock) -> Sender:
    """The same trackers, elsewhere in the room and later in the performance."""
    take = Take.from_motion(performance)
    return Sender(port, Take(take.times, take.positions + _AWAY, take.rotations, take.valid), clock)


def activate(number: int) -> None:
    characters_of(scene_of(bpy.context)).active = number


def stream_both(senders: list[tuple[capture.Capture, Sender, int]], rows: Iterable[int]) -> None:
    """Send and tick, 60 frames a second; each sender may be some rows ahead."""
    for row in rows:
        for current, sender, ahead in senders:
            before = current.receiver.counters.readings
            sender.send(row + ahead)
            wait_for(lambda: current.receiver.counters.readings >= before + 6)  # noqa: B023
        for current, _, _ in senders:
            current.tick()
        senders[0][1].clock.sleep(1.0 / 60.0)
    for current, _, _ in senders:
        current.tick()


def hips_of(armature: bpy.types.Object) -> np.ndarray:
    bpy.context.view_layer.update()
    bone = bpy.context.scene.ssrhmr.bones[0].bone
    return np.array(armature.matrix_world @ armature.pose.bones[bone].head)


def check_both(
    first: capture.Capture, second: capture.Capture, characters: list[bpy.types.Object]
) -> None:
    for current, armature in zip((first, second), characters, strict=True):
        assert current.pose is not None
        shown = TO_BLENDER @ current.pose.root
        np.testing.assert_allclose(hips_of(armature), shown, atol=1e-3)
    assert np.linalg.norm(hips_of(characters[0]) - hips_of(characters[1])) > 1.5


def test_two_ports_two_characters(
    hero: bpy.types.Object,
    partner: bpy.types.Object,
    sender: Sender,
    other_port: int,
    performance: Motion,
    tmp_path: Path,
) -> None:
    scene = scene_of(bpy.context)
    live_of(scene).port = other_port
    other = other_sender(other_port, performance, sender.clock)
    activate(0)
    live_of(scene).folder = str(tmp_path)
    first = start()
    activate(1)
    assert capture.running() is None
    second = start()
    assert first is not second and capture.all_running() == (first, second)
    both = [(first, sender, 0), (second, other, 10)]
    stream_both(both, range(60, 80))
    check_both(first, second, [hero, partner])
    # Each has its own table of devices.
    for live in (scene.ssrhmr_live, live_of(scene)):
        assert sorted(row.role for row in live.devices) == sorted(first.session.roles)

    # One button records both, each into a take of its own, and bakes each onto its character.
    activate(0)
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    stream_both(both, range(80, 110))
    activate(1)
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    assert characters_of(scene).active == 1
    assert [readings_in(tmp_path / f"take_00{n}.csv") for n in (1, 2)] == [180, 180]
    assert [action_of(armature).name for armature in (hero, partner)] == ["take_001", "take_002"]

    # Stopping one leaves the other.
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert capture.all_running() == (first,) and capture.running() is None
    assert_free(other_port)
    stream_both(both[:1], range(110, 120))
    activate(0)
    assert capture.running() is first
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert capture.all_running() == ()
    distance = np.linalg.norm(hips_of(hero) - hips_of(partner))
    assert distance > 1.5
    other.close()


def test_two_senders_on_one_port(
    hero: bpy.types.Object,
    partner: bpy.types.Object,
    sender: Sender,
    port: int,
    performance: Motion,
) -> None:
    other = other_sender(port, performance, sender.clock)
    for number, its_sender in enumerate((sender, other)):
        activate(number)
        live_of(bpy.context.scene).port = port
        live_of(bpy.context.scene).sender = its_sender.address
    second = start()
    activate(0)
    first = start()
    stream_both([(first, sender, 0), (second, other, 5)], range(60, 80))
    check_both(first, second, [hero, partner])
    # The port stays open for the one that shares it.
    capture.stop(second)
    stream_both([(first, sender, 0)], range(80, 90))
    assert first.pose is not None and not first.status.message
    other.close()


def test_a_second_sender_is_reported_and_not_woven_in(
    hero: bpy.types.Object, sender: Sender, port: int, performance: Motion
) -> None:
    other = other_sender(port, performance, sender.clock)
    first = start()
    highest = 0.0
    for row in range(60, 100):
        before = first.receiver.counters
        sender.send(row)
        other.send(row)
        wait_for(lambda: first.receiver.counters.datagrams >= before.datagrams + 12)  # noqa: B023
        first.tick()
        sender.clock.sleep(1.0 / 60.0)
        if first.pose is not None:
            highest = max(highest, float(np.abs(hips_of(hero)).max()))
    assert f"{other.address} is ignored" in first.status.message
    assert first.receiver.counters.ignored > 200 and highest < 1.7
    other.close()


def test_a_character_shows_one_performer(
    hero: bpy.types.Object, partner: bpy.types.Object, sender: Sender, other_port: int
) -> None:
    scene = scene_of(bpy.context)
    live_of(scene).port = other_port
    second = start()
    scene.ssrhmr.armature = hero
    choose(hero, {})
    scene.ssrhmr.calibration = Calibration.none().to_json()
    activate(0)
    first = start()
    activate(1)
    with pytest.raises(RuntimeError, match="'Hero' shows another performer already"):
        bpy.ops.ssrhmr.live_character()
    assert capture.all_running() == (second, first)


def test_removing_a_character_ends_its_capture_alone(
    hero: bpy.types.Object, partner: bpy.types.Object, sender: Sender, other_port: int
) -> None:
    scene = scene_of(bpy.context)
    live_of(scene).port = other_port
    second = start()
    activate(0)
    first = start()
    activate(1)
    assert bpy.ops.ssrhmr.setup_remove() == {"FINISHED"}
    with pytest.raises(capture.CaptureError, match="was removed"):
        second.tick()
    capture.stop(second)
    assert capture.all_running() == (first,) and capture.running() is first
