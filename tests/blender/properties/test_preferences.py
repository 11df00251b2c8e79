# SPDX-License-Identifier: GPL-3.0-or-later
"""The level of the log follows the preferences, and there is one class of them."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import bpy
import pytest

import ssrhmr_blender
from ssrhmr_blender.common import log
from ssrhmr_blender.properties import preferences


def test_log_level_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: Any = SimpleNamespace(log_level="DEBUG")
    preferences._use_level(chosen, bpy.context)
    assert log._console.level == logging.DEBUG and log.LOGGER.isEnabledFor(logging.DEBUG)
    stored = SimpleNamespace(log_level="ERROR")
    monkeypatch.setattr(preferences, "_find_preferences", lambda: stored)
    preferences.use_stored_level()
    assert log._console.level == logging.ERROR and not log.LOGGER.isEnabledFor(logging.DEBUG)
    # Reports keep what was done whatever the console shows.
    assert log.LOGGER.isEnabledFor(logging.INFO)


def test_an_add_on_has_one_class_of_preferences() -> None:
    """Blender unregisters the first when another one comes, and fails when it ends."""
    kinds = [c for c in ssrhmr_blender.CLASSES if issubclass(c, bpy.types.AddonPreferences)]
    assert kinds == [preferences.SSRHMR_Preferences]
