# SPDX-License-Identifier: GPL-3.0-or-later
"""As an extension, the add-on has the folder that Blender gives to it."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from ssrhmr_blender.common import user_folder as module
from ssrhmr_blender.live.takes import takes_folder
from ssrhmr_blender.properties.live import live_of


def test_an_extension_asks_blender_for_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def extension_path_user(package: str, *, path: str, create: bool) -> str:
        asked.append((package, create))
        return str(tmp_path / path)

    monkeypatch.setattr(bpy.utils, "extension_path_user", extension_path_user)
    monkeypatch.setattr(module, "__package__", "bl_ext.user_default.ssrhmr.common")
    assert module.user_folder("presets/live", create=True) == tmp_path / "presets" / "live"
    assert asked == [("bl_ext.user_default.ssrhmr", True)]


def test_takes_of_a_file_that_is_not_saved_are_in_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    monkeypatch.setattr(bpy.utils, "user_resource", lambda kind, path, create: str(tmp_path / path))
    live = live_of(bpy.context.scene)
    assert takes_folder(live) == tmp_path / "presets" / "ssrhmr" / "takes"
    live.folder = str(tmp_path / "mine")
    assert takes_folder(live) == tmp_path / "mine"
