# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as keys of empties: what Blender evaluates, and what is computed without it."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from ssrhmr_blender.common.data_blocks import key_of
from ssrhmr_blender.common.steps import run_steps
from ssrhmr_blender.common.typed import scene_of
from ssrhmr_blender.trackers.empties import TrackerKeys, make_empties
from ssrhmr_blender.trackers.sampling import sample
from ssrhmr_blender.trackers.take import take_from_samples
from ssrhmr_core import Motion, Take


@pytest.fixture
def take(performance: Motion) -> Take:
    """A take in which a hand is lost for a while and a foot always."""
    take = Take.from_motion(performance, ["left_elbow", "right_knee"])
    valid = take.valid.copy()
    valid[20:45, 2], valid[:, 5] = False, False
    return replace(take, valid=valid)


@pytest.mark.parametrize(("rate", "stretched"), [(24, False), (30, True), (60, False)])
def test_keys_do_without_blender_what_they_do_in_it(take: Take, rate: int, stretched: bool) -> None:
    scene = scene_of(bpy.context)
    scene.render.fps = rate
    scene.unit_settings.scale_length = 0.5
    if stretched:
        scene.render.frame_map_old, scene.render.frame_map_new = 100, 150
    keys = TrackerKeys(scene, take, start=7.0)
    empties = make_empties(scene, "Take", take, start=7.0)
    assert list(empties) == keys.roles and "right_foot" not in empties
    first, last = keys.span
    frames = np.arange(first - 2, last + 3, 0.5)
    names = {role: empty.name for role, empty in empties.items()}
    steps = sample(scene.name, [key_of(empty) for empty in empties.values()], frames.tolist())
    evaluated = take_from_samples(run_steps(steps), frames, rate, names)
    computed = keys.sample(frames, rate)
    np.testing.assert_array_equal(computed.valid, evaluated.valid)
    np.testing.assert_array_equal(computed.times, evaluated.times)
    np.testing.assert_allclose(computed.positions, evaluated.positions, atol=1e-6)
    same = np.abs((computed.rotations * evaluated.rotations).sum(-1))
    np.testing.assert_allclose(same, 1.0, atol=1e-6)
    assert computed.extras is not None and evaluated.extras is not None
    assert computed.extras.worn == evaluated.extras.worn == ("left_elbow", "right_knee")
    np.testing.assert_allclose(computed.extras.positions, evaluated.extras.positions, atol=1e-6)


def test_a_few_keys_are_the_same_where_somebody_looks(take: Take) -> None:
    scene = scene_of(bpy.context)
    scene.render.fps = 60
    keys = TrackerKeys(scene, take)
    whole, part = (make_empties(scene, name, take) for name in ("Whole", "Part"))
    keys.write(part, 30.0, 40.0)
    assert len(bpy.data.actions) == len(whole) + len(part), "no action is left behind"
    frames = np.arange(30.0, 40.5, 0.5).tolist()
    worlds = [
        run_steps(sample(scene.name, [key_of(empty) for empty in each.values()], frames))
        for each in (whole, part)
    ]
    np.testing.assert_array_equal(worlds[0], worlds[1])
    action = part["pelvis"].animation_data.action
    assert action is not None
    first, last = action.frame_range[:]
    assert 29.0 <= first <= 30.0 and 40.0 <= last <= 41.0
