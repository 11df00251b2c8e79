# SPDX-License-Identifier: GPL-3.0-or-later
"""Live capture in the real Blender, with real sockets; the ticks of its window are made by hand.

Time is simulated: a busy machine would send late, and what is tested would depend on how late.
"""

from __future__ import annotations

import errno
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

import ssrhmr_blender
from ssrhmr_blender.common.typed import action_of, scene_of
from ssrhmr_blender.live import capture, lifecycle, panel, picture, recording, takes
from ssrhmr_blender.properties.live import live_of
from ssrhmr_blender.properties.tracker import TRACKER_LABELS
from ssrhmr_core import Calibration, Motion
from ssrhmr_core import streaming as core_streaming
from ssrhmr_core.body.skeleton import INDEX, TRACKER_JOINTS, TRACKERS
from tests.blender.conftest import (
    TO_BLENDER,
    choose,
    joint_worlds,
    make_armature,
    snapshot,
)
from tests.blender.live.conftest import (
    Clock,
    Sender,
    assert_free,
    readings_in,
    start,
    stream,
    until,
)

pytestmark = pytest.mark.usefixtures("clock")


def test_the_character_stands_as_the_session_says(
    hero: bpy.types.Object, sender: Sender, performance: Motion
) -> None:
    before = snapshot()
    current = start()
    stream(current, sender, range(60, 100))
    pose = current.pose
    assert pose is not None and current.status.frames > 20
    skeleton = current.session.reconstructor.skeleton
    wanted = Motion(skeleton, np.zeros(1), pose.rotations[None], pose.root[None]).positions()[0]
    bpy.context.view_layer.update()
    for joint, slot in enumerate(bpy.context.scene.ssrhmr.bones):
        head = hero.matrix_world @ hero.pose.bones[slot.bone].head
        np.testing.assert_allclose(np.array(head), TO_BLENDER @ wanted[joint], atol=1e-3)
    # Six devices by the names that they have; no order was promised.
    worn = {row.role: row.name for row in bpy.context.scene.ssrhmr_live.devices}
    assert worn == {role: f"vive {role}" for role in TRACKERS}
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert {k: v for k, v in snapshot().items() if k in before} == before


def test_the_performance_goes_over_the_characters_action(
    hero: bpy.types.Object, sender: Sender
) -> None:
    bone = hero.pose.bones[bpy.context.scene.ssrhmr.bones[0].bone]
    for frame, place in ((1, 0.0), (50, 40.0)):
        bone.location = (place, 0.0, 0.0)
        bone.keyframe_insert("location", frame=frame)
    current = start()
    stream(current, sender, range(60, 75))
    bpy.context.scene.frame_set(50)
    bpy.context.view_layer.update()
    shown = np.array(hero.matrix_world @ bone.head)
    np.testing.assert_allclose(shown, TO_BLENDER @ current.pose.root, atol=1e-3)
    bpy.ops.ssrhmr.live_stop()
    assert bone.location[0] == pytest.approx(40.0, abs=1e-3)


@pytest.mark.parametrize("delay", [0.0, 0.3])
def test_recording_keeps_every_reading_and_bakes_by_the_way_of_bake(
    hero: bpy.types.Object, sender: Sender, tmp_path: Path, delay: float
) -> None:
    scene = scene_of(bpy.context)
    live_of(scene).folder = str(tmp_path)
    current = start()
    stream(current, sender, range(5))
    sender.sent = 0
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    sender.clock.sleep(delay)
    stream(current, sender, range(5, 95))
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert readings_in(tmp_path / "take_001.csv") == sender.sent == 540
    first = action_of(hero)
    assert first.name == "take_001"
    # It begins as late as the first reading came.
    begin = scene.frame_start + round(delay * scene.render.fps)
    assert first.frame_range[:] == (begin, begin + 89)
    frames = np.arange(begin, begin + 80)
    positions, _ = joint_worlds(hero, frames)
    bpy.ops.ssrhmr.bake_take(filepath=str(tmp_path / "take_001.csv"), frame_start=begin)
    again = action_of(hero)
    assert again != first and again.frame_range[:] == first.frame_range[:]
    np.testing.assert_allclose(joint_worlds(hero, frames)[0], positions, atol=1e-4)


def test_a_take_begins_where_the_timeline_does(
    hero: bpy.types.Object, sender: Sender, tmp_path: Path
) -> None:
    scene = scene_of(bpy.context)
    live_of(scene).folder = str(tmp_path)
    # As much later as nothing was heard, so that it fits to what the timeline played.
    for first, preview, wait in ((7, False, 0.0), (40, True, 0.0), (40, True, 0.5)):
        scene.frame_start, scene.use_preview_range = 7, preview
        scene.frame_preview_start, scene.frame_preview_end = 40, 90
        current = start()
        stream(current, sender, range(60, 64))
        bpy.ops.ssrhmr.record()
        sender.clock.sleep(wait)
        stream(current, sender, range(64, 84))
        bpy.ops.ssrhmr.record()
        bpy.ops.ssrhmr.live_stop()
        begin = first + round(wait * scene.render.fps)
        assert action_of(hero).frame_range[:] == (begin, begin + 19)


def test_takes_are_numbered(tmp_path: Path) -> None:
    assert takes.next_take(tmp_path).name == "take_001.csv"
    (tmp_path / "take_009 the good one.csv").touch()
    assert takes.next_take(tmp_path).name == "take_010.csv"


def test_recording_needs_a_device_and_a_folder(port: int, tmp_path: Path) -> None:
    start()
    with pytest.raises(RuntimeError, match="No device is worn"):
        bpy.ops.ssrhmr.record()
    live = bpy.context.scene.ssrhmr_live
    row = live.devices.add()
    row.name, row.role = "puck", "pelvis"
    capture.running().tick()
    blocked = tmp_path / "file"
    blocked.touch()
    live.folder = str(blocked)
    with pytest.raises(RuntimeError, match="choose another folder"):
        bpy.ops.ssrhmr.record()


def test_pre_roll(hero: bpy.types.Object, sender: Sender, tmp_path: Path) -> None:
    live = bpy.context.scene.ssrhmr_live
    live.folder, live.pre_roll, live.bake = str(tmp_path), 0.3, False
    current = start()
    stream(current, sender, range(5))
    bpy.ops.ssrhmr.record()
    assert current.recording and current.pre_roll > 0.0 and current.status.recording < 0
    assert current.countdown_text == current.picture().title == "1"
    stream(current, sender, range(5, 35))
    recording.begin_recordings()
    assert current.status.recording >= 0 and current.countdown_text == ""
    stream(current, sender, range(35, 50))
    bpy.ops.ssrhmr.record()
    # What was sent during the pre-roll is not in it.
    assert readings_in(tmp_path / "take_001.csv") == 6 * 15
    # Stopped before it is over: nothing is left.
    bpy.ops.ssrhmr.record()
    bpy.ops.ssrhmr.record()
    assert [path.name for path in tmp_path.iterdir()] == ["take_001.csv"]


def test_live_calibration(hero: bpy.types.Object, sender: Sender) -> None:
    setup = bpy.context.scene.ssrhmr
    setup.calibration = ""
    bpy.context.scene.ssrhmr_live.countdown = 0.4
    current = start()
    stream(current, sender, range(3))
    assert current.pose is None
    for reference in ("CHARACTER", "JOINTS"):
        setup.reference = reference
        with pytest.raises(RuntimeError, match="needs a pose of the performer"):
            bpy.ops.ssrhmr.live_calibrate()
    setup.reference = "T_POSE"
    assert bpy.ops.ssrhmr.live_calibrate() == {"FINISHED"}
    # The performance begins with 40 frames of a T-pose.
    stream(current, sender, range(36))
    until(current, sender.clock, lambda: bool(setup.calibration))
    distances = Calibration.from_json(setup.calibration).mount_distances
    assert distances.max() < 0.05
    stream(current, sender, range(36, 45))
    assert current.pose is not None


def ends(shown: picture.Picture | None, colour: picture.Colour) -> np.ndarray:
    """Ends (n, 3) of the lines of one colour."""
    assert shown is not None
    drawn = [
        pair
        for points, colours in shown.lines.values()
        for pair in zip(points, colours, strict=True)
    ]
    return np.array([point for point, its_colour in drawn if its_colour == colour])


@pytest.mark.parametrize(
    "roles",
    [
        ("head", "left_hand", "right_hand"),
        ("pelvis", "head", "left_hand", "right_hand"),
        ("head", "left_hand", "right_hand", "left_foot", "right_foot"),
    ],
)
def test_fewer_trackers_are_calibrated_shown_and_recorded(
    performance: Motion, sender: Sender, tmp_path: Path, roles: tuple[str, ...]
) -> None:
    armature, scene = make_armature("Hero", performance.skeleton), bpy.context.scene
    choose(armature, {})
    setup, live = scene.ssrhmr, live_of(scene)
    live.folder, live.countdown, live.overlay = str(tmp_path), 0.3, True
    sender.roles = roles
    current = start()
    stream(current, sender, range(2))
    assert bpy.ops.ssrhmr.live_calibrate() == {"FINISHED"}
    missing = [TRACKER_LABELS[role] for role in TRACKERS if role not in roles]
    assert current.message.startswith(f"No device is bound to {missing[0]}")
    assert "the model fills in what nobody tracks" in current.message
    assert not any(role in current.message for role in TRACKERS)
    stream(current, sender, range(2, 38))
    assert current.session.calibrations == 1 and current.status.message == ""
    assert setup.assumed.startswith(f"No tracker on {missing[0]}")
    assert len(setup.fits) == len(roles)
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    stream(current, sender, range(60, 100))
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    assert current.pose is not None
    assert current.pose.valid.tolist() == [role in roles for role in TRACKERS]
    head = np.array(armature.matrix_world @ armature.pose.bones[setup.bones[13].bone].head)
    truth = TO_BLENDER @ performance.positions()[99, INDEX["head"]]
    assert np.linalg.norm(head - truth) < 0.03
    # The overlay shows what is filled in, where the body has it.
    picture_now = current.picture()
    assert picture_now is not None
    texts = [text for _, text, _ in picture_now.names]
    assert [text for text in texts if "filled in" in text] == [f"{m} (filled in)" for m in missing]
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    # The recording was baked.
    assert action_of(armature).name == "take_001"


def test_watching_without_a_character(
    port: int, sender: Sender, performance: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.context.scene.ssrhmr_live.countdown = 0.4
    current = start()
    assert len(ends(current.picture(), picture._FLOOR))
    stream(current, sender, range(5))
    until(
        current, sender.clock, lambda: all(tracker.valid for tracker in current.session.trackers())
    )
    assert not current.has_character and current.pose is None
    drawn = current.picture()
    assert drawn is current.picture() and not len(ends(drawn, picture.BODY_COLOUR))
    heads = TO_BLENDER @ performance.positions()[4, INDEX["head"]]
    shown = {name: (place, colour) for place, name, colour in drawn.names}
    np.testing.assert_allclose(shown["Head"][0], heads, atol=2e-3)
    assert shown["Head"][1] == picture._SEEN and not len(ends(drawn, picture._LOST))
    # Once calibrated the performer is seen too, as tall as they are: hands reach the trackers.
    assert bpy.ops.ssrhmr.live_calibrate() == {"FINISHED"}
    stream(current, sender, [4] * 36)
    until(current, sender.clock, lambda: bool(bpy.context.scene.ssrhmr.calibration))
    stream(current, sender, [*range(4, 60), *[59] * 30])
    body = ends(current.picture(), picture.BODY_COLOUR)
    for place, _, _ in current.picture().names:
        assert np.linalg.norm(body - place, axis=-1).min() < 0.06
    bpy.context.scene.ssrhmr_live.overlay = False
    current.tick()
    assert current.picture() is None
    bpy.context.scene.ssrhmr_live.overlay = True
    # What nobody hears any more is shown as lost, where it was.
    sender.clock.sleep(5.0)
    current.tick()
    assert {colour for _, _, colour in current.picture().names} == {picture._LOST}
    assert len(ends(current.picture(), picture._LOST)) == 2 * 3 * 6
    bpy.ops.ssrhmr.live_stop()
    # The next capture begins with the performer that was measured.
    current = start()
    stream(current, sender, range(60, 90))
    assert current.pose is not None


def test_optional_trackers_live(
    hero: bpy.types.Object, sender_of_nine: Sender, performance: Motion, tmp_path: Path
) -> None:
    """Assigned by name, calibrated, shown, recorded and baked."""
    sender, setup = sender_of_nine, bpy.context.scene.ssrhmr
    live = live_of(scene_of(bpy.context))
    live.folder, live.countdown, setup.calibration = str(tmp_path), 0.4, ""
    current = start()
    stream(current, sender, range(3))
    assert current.session.roles == {role: f"vive {role}" for role in sender.roles}
    assert bpy.ops.ssrhmr.live_calibrate() == {"FINISHED"}
    stream(current, sender, range(3, 36))
    until(current, sender.clock, lambda: bool(setup.calibration))
    mounts = Calibration.from_json(setup.calibration).extras
    assert mounts is not None and set(mounts.worn) == {"left_elbow", "right_elbow", "chest"}
    assert [fit.name for fit in setup.fits if fit.optional] == [
        "Chest",
        "Left Elbow",
        "Right Elbow",
    ]
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    stream(current, sender, range(36, 100))
    shown = current.picture()
    assert shown is not None
    names = {text: (place, colour) for place, text, colour in shown.names}
    assert set(names) == {TRACKER_LABELS[role] for role in sender.roles}
    assert names["Left Elbow"][1] == picture._SEEN
    elbow, chest = INDEX["left_elbow"], INDEX["chest"]
    truth = performance.positions()[99] @ TO_BLENDER.T
    np.testing.assert_allclose(names["Left Elbow"][0], truth[elbow], atol=1e-4)
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    assert bpy.ops.ssrhmr.live_stop() == {"FINISHED"}
    assert readings_in(tmp_path / "take_001.csv") == 9 * 64
    assert "left_elbow" in (tmp_path / "take_001.csv").read_text("utf-8")
    assert "was not calibrated" not in setup.notes
    frames = np.arange(41, 61)
    positions, _ = joint_worlds(hero, frames)
    off = positions - (performance.positions() @ TO_BLENDER.T)[frames - 1 + 36]
    assert np.linalg.norm(off[:, [elbow, chest]], axis=-1).max() < 0.03


def test_where_a_live_tracker_is_worn_is_followed(
    hero: bpy.types.Object, sender_of_nine: Sender, tmp_path: Path
) -> None:
    live = live_of(scene_of(bpy.context))
    live.folder, live.bake = str(tmp_path), False
    current = start()
    stream(current, sender_of_nine, range(3))
    bpy.context.scene.ssrhmr.trackers.left_elbow.segment = "LOWER"
    stream(current, sender_of_nine, range(3, 6))
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    stream(current, sender_of_nine, range(6, 20))
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    text = (tmp_path / "take_001.csv").read_text("utf-8")
    assert "left_forearm" in text and "right_elbow" in text


def expected_errors(current: capture.Capture) -> np.ndarray | None:
    assert current.session.reconstructor is not None
    return current.session.reconstructor.expected_errors


def test_the_skeleton_is_coloured_by_certainty(hero: bpy.types.Object, sender: Sender) -> None:
    """Off by default; switched while it runs."""
    live = bpy.context.scene.ssrhmr_live
    current = start()
    stream(current, sender, range(60))
    assert expected_errors(current) is None
    bones = 2 * 21
    assert len(ends(current.picture(), picture.BODY_COLOUR)) == bones
    live.certainty = True
    stream(current, sender, range(60, 80))
    errors = expected_errors(current)
    assert errors is not None and errors.shape == (22,) and (errors > 0.0).all()
    errors[:] = 0.02
    errors[INDEX["left_elbow"]] = 0.3
    current._picture = None
    shown = current.picture()
    red, green = picture.colour_of_error(0.1), picture.colour_of_error(0.02)
    assert len(ends(shown, picture.BODY_COLOUR)) == 0
    assert len(ends(shown, green)) == bones - 2 and len(ends(shown, red)) == 2
    assert red[0] > red[1] and green[1] > green[0]
    live.certainty = False
    stream(current, sender, range(80, 90))
    assert len(ends(current.picture(), picture.BODY_COLOUR)) == bones


def test_the_header_tells_how_it_goes(hero: bpy.types.Object, sender: Sender) -> None:
    said: list[str] = []

    header: Any = SimpleNamespace(layout=SimpleNamespace(label=lambda text, **_: said.append(text)))
    panel.draw_header(header, bpy.context)
    assert said == []
    current = start()
    stream(current, sender, range(60, 100))
    panel.draw_header(header, bpy.context)
    assert re.fullmatch(r"60/s  model [\d.]+ ms  latency \d+ ms  lost 0  Esc stops", said[0])


def test_starting_twice_and_taken_ports_are_refused(port: int) -> None:
    start()
    with pytest.raises(RuntimeError, match="running already"):
        bpy.ops.ssrhmr.live_start()
    bpy.ops.ssrhmr.live_stop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))
        with pytest.raises(RuntimeError, match=str(port)):
            bpy.ops.ssrhmr.live_start()
    assert capture.running() is None


def test_a_role_has_one_device(port: int) -> None:
    devices = bpy.context.scene.ssrhmr_live.devices
    for name in ("a", "b"):
        devices.add().name = name
    devices["a"].role = "head"
    devices["b"].role = "head"
    assert devices["a"].role == "NONE"
    current = start()
    assert current.tick() is False or current.session.roles == {"head": "b"}
    assert current.session.roles == {"head": "b"}


def test_a_character_that_is_deleted_ends_it(hero: bpy.types.Object, sender: Sender) -> None:
    current = start()
    stream(current, sender, range(60, 66))
    bpy.data.objects.remove(hero)
    with pytest.raises(Exception, match="deleted"):
        stream(current, sender, range(66, 80))
    bpy.ops.ssrhmr.live_stop()


@pytest.mark.parametrize("how", ["open", "new", "disable"])
def test_nothing_is_left_behind(
    how: str, hero: bpy.types.Object, sender: Sender, port: int, tmp_path: Path
) -> None:
    threads = threading.active_count()
    file = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    current = start()
    stream(current, sender, range(60, 66))
    assert threading.active_count() == threads + 1
    if how == "open":
        bpy.ops.wm.open_mainfile(filepath=file)
    elif how == "new":
        bpy.ops.wm.read_homefile(use_empty=True)
    else:
        ssrhmr_blender.unregister()
        ssrhmr_blender.register()
    assert capture.running() is None
    assert threading.active_count() == threads
    assert_free(port)
    for handlers, handler in lifecycle.HANDLERS:
        assert handler not in handlers


def leftovers() -> tuple[int, int, int]:
    """Threads, open files and sockets (where the system tells), and handlers."""
    files = Path("/proc/self/fd")
    lists = [getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)]
    return (
        threading.active_count(),
        len(list(files.iterdir())) if files.exists() else 0,
        sum(len(handlers) for handlers in lists if isinstance(handlers, list)),
    )


def test_another_protocol_is_told(port: int, clock: Clock) -> None:
    current = start()
    assert f"Nothing heard yet on port {port}" in panel.why_silent(current)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b'{"name": "head", "valid": false}', ("127.0.0.1", port))
    until(current, clock, lambda: current.receiver.counters.datagrams == 1)
    assert f"No tracker in 1 packets on port {port}: choose" in panel.why_silent(current)


def test_a_disk_that_is_full_at_the_end(
    hero: bpy.types.Object, sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bpy.context.scene.ssrhmr_live.folder = str(tmp_path)
    before = leftovers()
    for end in (bpy.ops.ssrhmr.live_stop, lifecycle.stop_running):
        current = start()
        stream(current, sender, range(60, 66))
        bpy.ops.ssrhmr.record()
        recorder = current.session._recorder._recorder
        assert recorder is not None

        def close(shut: Callable[[], None] = recorder.close) -> None:
            shut()
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(recorder, "close", close)
        if end is lifecycle.stop_running:
            end()
        else:
            with pytest.raises(RuntimeError, match="No space left"):
                end()
        assert capture.running() is None
        assert leftovers() == before


def send_names(
    out: socket.socket, port: int, names: Iterable[str], places: Iterable[Sequence[float]]
) -> None:
    for name, (x, y, z) in zip(names, places, strict=True):
        message = OscMessageBuilder(f"/VMC/Ext/{'Hmd' if name == 'a' else 'Tra'}/Pos")
        for value in (name, -float(x), float(y), float(z), 0.0, 0.0, 0.0, 1.0):
            message.add_arg(value)
        out.sendto(message.build().dgram, ("127.0.0.1", port))


def test_any_number_of_names_makes_at_most_64_rows(port: int, clock: Clock) -> None:
    live, found = bpy.context.scene.ssrhmr_live, start()
    kept = live.devices.add()
    kept.name, kept.role = "mine", "left_hand"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for turn in range(5):
            names = [f"device {turn} {number}" for number in range(40)]
            send_names(out, port, names, [(0.0, 1.0, 0.0)] * 40)
            until(found, clock, lambda: found.receiver.counters.datagrams == 40 * (turn + 1))  # noqa: B023
            found.tick()
        assert len(live.devices) == 64
        assert live.devices["mine"].role == "left_hand"
        # Those that send now are there rather than those of before.
        found.session._devices._histories.clear()
        send_names(out, port, ["here"], [(0.0, 1.0, 0.0)])
        until(found, clock, lambda: "here" in live.devices)


def test_places_decide_during_the_countdown(
    port: int, hero: bpy.types.Object, clock: Clock
) -> None:
    """Nobody has to shake a device whose name says nothing."""
    live, found = bpy.context.scene.ssrhmr_live, start()
    skeleton = found.session.reconstructor.skeleton
    standing = skeleton.t_pose()[list(TRACKER_JOINTS)] + (0.0, 1.0, 0.0)
    # In the order of the roles; of these only the headset is known by its kind.
    names = ["p", "a", "q", "r", "s", "t"]
    on_a_table = standing * (0.1, 0.0, 1.0) + (0.0, 0.8, 0.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        send_names(out, port, names, on_a_table)
        until(found, clock, lambda: len(live.devices) == 6)
        assert {row.name for row in live.devices if row.role != "NONE"} == {"a"}
        send_names(out, port, names, standing)
        until(found, clock, lambda: found.receiver.counters.datagrams == 12)
        assert bpy.ops.ssrhmr.live_calibrate() == {"FINISHED"}
        found.tick()
    assert {row.role: row.name for row in live.devices} == dict(zip(TRACKERS, names, strict=True))


def test_fifty_starts_and_ends_while_trackers_stream(
    hero: bpy.types.Object, sender: Sender, port: int, tmp_path: Path
) -> None:
    file = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    streaming = threading.Event()
    streaming.set()

    def perform() -> None:
        while streaming.is_set():
            sender.send(60)
            time.sleep(0.005)

    performer = threading.Thread(target=perform)
    performer.start()
    try:
        before = leftovers()
        for number in range(50):
            current = start()
            until(current, sender.clock, partial(getattr, current, "pose"))
            if number % 5 == 3:
                bpy.ops.wm.open_mainfile(filepath=file)
            elif number % 5 == 4:
                ssrhmr_blender.unregister()
                ssrhmr_blender.register()
            else:
                bpy.ops.ssrhmr.live_stop()
            assert capture.running() is None
            assert leftovers() == before
            assert_free(port)
    finally:
        streaming.clear()
        performer.join()


def test_scenes_in_centimetres(performance: Motion, sender: Sender) -> None:
    scene = bpy.context.scene
    scene.unit_settings.scale_length = 0.01
    armature = make_armature("Giant", performance.skeleton.scaled(100.0))
    choose(armature, {})
    scene.ssrhmr.calibration = Calibration.none().to_json()
    current = start()
    stream(current, sender, range(60, 75))
    bpy.context.view_layer.update()
    hips = armature.matrix_world @ armature.pose.bones[scene.ssrhmr.bones[0].bone].head
    np.testing.assert_allclose(np.array(hips), 100.0 * TO_BLENDER @ current.pose.root, rtol=1e-4)


def test_every_protocol_is_one_of_the_core(port: int) -> None:
    live = bpy.context.scene.ssrhmr_live
    for item in live.bl_rna.properties["protocol"].enum_items:
        live.protocol = item.identifier
        # SteamVR has no port of its own.
        if item.identifier != "STEAMVR":
            assert live.port == core_streaming.PORTS[capture._PROTOCOLS[item.identifier]]
