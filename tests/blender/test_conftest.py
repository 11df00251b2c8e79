# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test begins in a Blender that nobody has used: no test depends on those before it."""

from __future__ import annotations

import bpy
import pytest

from tests.blender import conftest
from tests.blender.conftest import enable, preferences, start_anew


@pytest.fixture
def fresh() -> dict[str, object]:
    return preferences()


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("system", "use_online_access", True),
        ("view", "show_splash", False),
        ("edit", "use_negative_frames", True),
        ("filepaths", "render_output_directory", "//other/"),
    ],
)
def test_preferences_are_those_of_a_new_blender(
    fresh: dict[str, object], part: str, name: str, value: object
) -> None:
    group = getattr(bpy.context.preferences, part)
    if getattr(group, name) == value:
        value = not value
    setattr(group, name, value)
    assert preferences() != fresh
    start_anew()
    assert preferences() == fresh


def test_add_ons_are_those_of_a_new_blender(fresh: dict[str, object]) -> None:
    enable("rigify")
    assert preferences() != fresh
    start_anew()
    assert preferences() == fresh


def test_data_of_the_last_test_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where preferences are as they were, and only a file is opened."""

    def refuse(**_: object) -> None:
        raise AssertionError("the preferences were loaded without need")

    # Blender's operators cannot be replaced, only looked up anew.
    class Operators:
        read_homefile = staticmethod(bpy.ops.wm.read_homefile)
        read_factory_settings = staticmethod(refuse)

    class Ops:
        wm = Operators

    class Patched:
        ops = Ops
        context = bpy.context

    bpy.data.texts.new("left over").use_fake_user = True
    bpy.context.scene.render.fps = 12
    bpy.app.handlers.frame_change_post.append(lambda *_: None)
    monkeypatch.setattr(conftest, "bpy", Patched)
    start_anew()
    monkeypatch.undo()
    assert not bpy.data.texts and not bpy.data.objects
    assert bpy.context.scene.render.fps == 24
    assert not bpy.app.handlers.frame_change_post
