# SPDX-License-Identifier: GPL-3.0-or-later
"""What live capture may do: which computers may send, and where takes are written."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

from ssrhmr_blender.live import capture, recording, takes
from tests.ports import free_port


@pytest.fixture(autouse=True)
def port() -> Iterator[int]:
    """A port that nobody has; Blender is offline again afterwards."""
    free = free_port()
    bpy.context.scene.ssrhmr_live.port = free
    yield free
    capture.stop()
    set_online(False)


def set_online(allowed: bool) -> None:
    bpy.context.preferences.system.use_online_access = allowed
    assert bpy.app.online_access is allowed


def listens_everywhere(port: int) -> bool:
    """Whether another address of this computer is taken too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.2", port))
        except OSError:
            return True
        return False


@pytest.mark.skipif(sys.platform == "darwin", reason="has no other address of this computer")
def test_other_computers_need_online_access(port: int) -> None:
    live = bpy.context.scene.ssrhmr_live
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    assert not listens_everywhere(port)
    bpy.ops.ssrhmr.live_stop()
    live.everywhere = True
    with pytest.raises(RuntimeError, match="enable Allow Online Access under Preferences > System"):
        bpy.ops.ssrhmr.live_start()
    assert capture.running() is None and not listens_everywhere(port)
    set_online(True)
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    assert listens_everywhere(port)
    capture.running().tick()
    # Taken back while it runs.
    set_online(False)
    with pytest.raises(capture.CaptureError, match="Blender may not use the network"):
        capture.running().tick()


def test_allowed_addresses_are_read(port: int) -> None:
    live = bpy.context.scene.ssrhmr_live
    live.everywhere, live.allowed = True, "192.0.2.7, my-laptop"
    set_online(True)
    with pytest.raises(RuntimeError, match="'my-laptop' is not an address"):
        bpy.ops.ssrhmr.live_start()
    live.allowed = "192.0.2.7, 198.51.100.0/24"
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    allows = capture.running().receiver._allow_list.allows
    hosts = ("192.0.2.7", "198.51.100.9", "192.0.2.8", "127.0.0.1")
    assert [allows(host) for host in hosts] == [True, True, False, True]
    bpy.ops.ssrhmr.live_stop()
    # They say nothing where only this computer is heard.
    live.everywhere, live.allowed = False, "nonsense"
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}


def open_file(path: Path, folder: str) -> None:
    """Open a file that somebody else saved with a folder of takes."""
    bpy.context.scene.ssrhmr_live.folder = folder
    row = bpy.context.scene.ssrhmr_live.devices.add()
    row.name, row.role = "puck", "pelvis"
    bpy.context.scene.ssrhmr_live.port = free_port()
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    from ssrhmr_blender.properties import live

    live._chosen_folders.clear()
    bpy.ops.wm.open_mainfile(filepath=str(path))


def test_takes_are_not_written_where_only_a_file_says(tmp_path: Path) -> None:
    outside, here = tmp_path / "startup", tmp_path / "from a friend"
    outside.mkdir()
    here.mkdir()
    open_file(here / "scene.blend", str(outside))
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    capture.running().tick()
    with pytest.raises(RuntimeError, match=r"wants takes to be written into .*: choose a folder"):
        bpy.ops.ssrhmr.record()
    assert list(outside.iterdir()) == []
    # The user chooses it.
    bpy.context.scene.ssrhmr_live.folder = str(outside)
    assert bpy.ops.ssrhmr.record() == {"FINISHED"}
    bpy.ops.ssrhmr.record()
    assert [path.name for path in outside.iterdir()] == ["take_001.csv"]


def test_folders_next_to_the_file_need_no_question(tmp_path: Path) -> None:
    here, outside = tmp_path / "project", tmp_path / "outside"
    here.mkdir()
    outside.mkdir()
    for folder, may in (("//takes", True), ("", True), ("//../outside", False)):
        open_file(here / "scene.blend", folder)
        chosen = takes.takes_folder(bpy.context.scene.ssrhmr_live)
        assert takes.may_write(chosen) is may, folder
    if os.name == "posix":
        (here / "takes").symlink_to(outside)
        open_file(here / "scene.blend", "//takes")
        assert not takes.may_write(takes.takes_folder(bpy.context.scene.ssrhmr_live))


def test_takes_of_files_that_were_never_saved_go_to_the_user_folder() -> None:
    assert bpy.data.filepath == ""
    assert takes.may_write(takes.takes_folder(bpy.context.scene.ssrhmr_live))


def test_devices_that_nobody_needs_are_not_kept() -> None:
    devices = bpy.context.scene.ssrhmr_live.devices
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    for name, role in (("neighbour's phone", "NONE"), ("puck", "pelvis")):
        row = devices.add()
        row.name, row.role = name, role
    bpy.ops.ssrhmr.live_stop()
    assert [row.name for row in devices] == ["puck"]


def test_senders_find_blender_only_where_they_may() -> None:
    live = bpy.context.scene.ssrhmr_live
    port = live.port
    live.protocol, live.port = "VRCHAT", port
    announced = []
    for online, announce in ((False, True), (True, True), (True, False)):
        live.announce = announce
        set_online(online)
        assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
        receiver = capture.running().receiver
        announced.append(receiver.announced)
        assert (receiver._advertiser is not None) is announce
        capture.running().tick()
        set_online(False)
        # Taken back while it runs.
        capture.running().tick()
        assert receiver.announced == ("loopback" if announce else "none")
        bpy.ops.ssrhmr.live_stop()
        assert receiver._advertiser is None
    assert announced == ["loopback", "everywhere", "none"]


def test_the_button_asks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a window Blender never invokes: what it would call is called here."""
    outside, here = tmp_path / "elsewhere", tmp_path / "from a friend"
    outside.mkdir()
    here.mkdir()
    open_file(here / "scene.blend", str(outside))
    assert bpy.ops.ssrhmr.live_start() == {"FINISHED"}
    capture.running().tick()
    asked: list[str] = []
    kind = recording.SSRHMR_OT_record

    def agree(operator: Any, event: object, message: str, confirm_text: str) -> Any:
        asked.append(message)
        assert list(outside.iterdir()) == []
        return operator.execute(bpy.context)

    manager = SimpleNamespace(invoke_confirm=agree)
    monkeypatch.setattr(recording, "window_manager_of", lambda _: manager)
    for number in (1, 2):
        # Blender makes an operator for each press of the button.
        button: Any = SimpleNamespace(_asked=None, report=lambda *_: None)
        button.execute, button._folder = (
            partial(kind.execute, button),
            partial(kind._folder, button),
        )
        event: Any = None
        assert kind.invoke(button, bpy.context, event) == {"FINISHED"}
        assert kind.invoke(button, bpy.context, event) == {"FINISHED"}
        assert len(list(outside.iterdir())) == number
    assert asked == [f"This file wants takes to be written into {outside}"]
