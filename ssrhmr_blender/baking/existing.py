# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on a character that is baked already, or about to be: fewer keys, and its contacts."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..animation.assignment import assignment_of, curves_in
from ..common.clock import curve_time_per_frame
from ..common.data_blocks import find_object, key_of
from ..common.steps import map_steps
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.setup import setup_of
from ..rig.bones import read_bones, use_sampled_poses
from ..rig.reading import read_character
from ..trackers.sampling import sample, sample_bones
from ..trackers.take import take_from_samples
from .contacts import (
    foot_bones,
    listed_ranges,
    ranges_of_feet,
    read_contact_options,
    store_ranges,
)
from .plan import BakePlan, frame_range
from .reduction import ReductionError, ReductionReport, ReductionTask, read_options, reduce_action

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.tracking.contacts import ContactRange

_FEWEST = 3
_READING = 0.3
"""Share of a reduction that reads poses."""


def reduce_bake(scene: bpy.types.Scene) -> Generator[tuple[float, str], None, ReductionReport]:
    """Reduce the keys of the action that animates the setup's character.

    Nothing is changed before the last step; closing the generator earlier leaves no trace.

    Yields:
        The share done (0..1) and what is being done.

    Raises:
        UserError: with a message for the user.
    """
    setup = setup_of(scene)
    armature = check_character(setup)
    before = assignment_of(armature)
    if before.action is None:
        raise ReductionError(f"'{armature.name}' has no action to reduce: bake first")
    action = before.action[0]
    if before.action[1] is not None:
        raise ReductionError(f"'{action}' is linked from another file: make it local first")
    names = tuple(slot.bone for slot in setup.bones)
    character = read_character(armature, names, setup.ik_controls)
    bones = read_bones(armature, character)
    keyed = [bone.name for bone in bones if bone.keyed]
    curve_time = curve_time_per_frame(scene)
    times = _keyed_times(action, before.slot, keyed, curve_time)
    frames = times / curve_time
    left = [(bone.name, bone.held) for bone in bones if not bone.keyed]
    rate = scene.render.fps / scene.render.fps_base
    contacts = listed_ranges(setup.contacts, round(frames[0]), rate)
    contact_options = read_contact_options(setup.contacts)
    options, size = read_options(scene, setup.keyframes), character.rest.skeleton.size
    owner, scene_name = key_of(armature), scene.name
    if left:
        poses = yield from map_steps(
            sample(scene_name, [owner], list(frames), left),
            lambda share: (0.5 * _READING * share, iface_("Reading poses")),
        )
        bones = use_sampled_poses(bones, poses[:, 1:], character.pose_scale)
    if contacts is None:
        worlds = yield from map_steps(
            sample_bones(scene_name, owner, foot_bones(character), list(frames)),
            lambda share: (_READING * (0.5 + 0.5 * share), iface_("Reading poses")),
        )
        scene = bpy.data.scenes[scene_name]
        contacts = tuple(ranges_of_feet(scene, worlds[..., :3, 3], size, contact_options))
    task = ReductionTask(
        action=action,
        slot=before.slot,
        armature=_find(owner),
        character=character,
        bones=bones,
        times=times,
        contacts=contacts,
    )
    report: ReductionReport = yield from map_steps(
        reduce_action(bpy.data.scenes[scene_name], task, options),
        lambda share: (_READING + (1.0 - _READING) * share, iface_("Reducing keys")),
    )
    scene = bpy.data.scenes[scene_name]
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    return report


def find_contacts(
    scene: bpy.types.Scene,
) -> Generator[tuple[float, str], None, Sequence[ContactRange]]:
    """Detect contacts from the setup's trackers and replace the setup's list by them.

    Yields:
        The share done (0..1) and what is being done.

    Raises:
        UserError, ValueError: with a message for the user.
    """
    import numpy as np

    setup = setup_of(scene)
    armature, trackers = check_character(setup), check_trackers(setup)
    start, end = frame_range(scene, setup)
    plan = BakePlan(scene, setup, armature, "", start)
    names = {role: obj.name for role, obj in trackers.items()}
    keys = [key_of(obj) for obj in trackers.values()]
    frames = np.arange(start, end + 1)
    worlds = yield from map_steps(
        sample(plan.scene, keys, list(frames)),
        lambda share: (0.9 * share, iface_("Reading trackers")),
    )
    take = take_from_samples(worlds, frames, plan.rate, names)
    yield 0.9, iface_("Finding contacts")
    ranges = plan.reconstructor.find_contacts(plan.calibration.apply(take))
    store_ranges(setup_of(bpy.data.scenes[plan.scene]).contacts, ranges, start, plan.rate)
    return ranges


def _keyed_times(action: str, slot: str, bones: Sequence[str], step: float) -> np.ndarray:
    """Return the times (F,) of the frames from the first key of bones to the last."""
    import numpy as np

    starts = tuple(f'pose.bones["{bpy.utils.escape_identifier(bone)}"].' for bone in bones)
    spans = [
        curve.range()
        for curve in curves_in(bpy.data.actions[action], slot)
        if curve.data_path.startswith(starts) and len(curve.keyframe_points)
    ]
    if not spans:
        raise ReductionError(
            f"'{action}' has no keys of this character's bones: bake first, or choose another"
            " action"
        )
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    first, last = np.floor(first / step + 1e-3), np.ceil(last / step - 1e-3)
    times: np.ndarray = step * np.arange(first, last + 1.0)
    if len(times) < _FEWEST:
        raise ReductionError(f"'{action}' has too few frames to reduce its keys")
    return times


def _find(key: tuple[str, str | None]) -> bpy.types.Object:
    obj = find_object(key)
    if obj is None:
        raise SetupError(f"'{key[0]}' was deleted meanwhile: choose another character")
    return obj
