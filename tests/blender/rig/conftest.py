# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of control rigs share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from ssrhmr_blender.common.user_folder import user_folder
from ssrhmr_blender.rig import control_schemes
from ssrhmr_core import Motion, Take
from tests.blender.conftest import choose, make_trackers


@pytest.fixture
def schemes_folder() -> Iterator[Path]:
    """The user's folder, which is empty again afterwards."""
    folder = user_folder(control_schemes.FOLDER, create=True)
    yield folder
    for path in folder.glob("*.json"):
        path.unlink()


def calibrate(armature: bpy.types.Object, performance: Motion) -> None:
    """Choose a rig and a performer's trackers, and calibrate for all of the performance."""
    choose(armature, make_trackers(Take.from_motion(performance)))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.proportions = 20, "FIT"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.frame_start, setup.frame_end = 1, len(performance)
