# SPDX-License-Identifier: GPL-3.0-or-later
"""The bake as a job of many small steps, so that it can show progress and be cancelled."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..animation.actions import ActionWriter, curves_of
from ..animation.assignment import Assignment, assign, assignment_of, restore
from ..animation.layers import add_layer
from ..common.axes import metre
from ..common.compat import first_slot
from ..common.data_blocks import find_action, key_of
from ..common.steps import map_steps
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.setup import setup_of
from ..properties.tracker import EXTRA_TRACKERS, TRACKER_LABELS, TRACKERS
from ..rig.bones import use_sampled_poses
from ..rig.controls import read_switch, set_switch, switch_path
from ..rig.posing import pose_bones
from ..trackers.sampling import is_animated, sample
from ..trackers.stored_slips import read_slips
from ..trackers.take import take_from_samples
from .certainty import PATHS as CERTAINTY_PATHS
from .certainty import add_properties, write_certainty
from .details import bake_details
from .inspection import inspect_skin
from .keys import write_bone_keys
from .plan import BakePlan, BakeReport, BakeSource, frame_range
from .reduction import ReductionTask, reduce_action
from .root_motion import Placement, place_root
from .settling import Performance, settle
from .still_character import read_still

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.motion import Motion
    from ssrhmr_core.tracking.contacts import ContactRange
    from ssrhmr_core.tracking.take import Take

_MODEL_RATE = 60.0
_SHARES = {"sampling": 0.3, "model": 0.45, "keys": 0.15, "checks": 0.1}
_CHECKS_FROM = 1.0 - _SHARES["checks"]
_BEFORE_REDUCTION = 0.5
"""Share of a bake that reduces keys that is done before it does."""
_STILL = 1e-6
_FEWEST = 3
"""Frames of the shortest bake whose keys are reduced."""

_Result = TypeVar("_Result")
Steps = Generator[tuple[float, str], None, BakeReport]


def bake(scene: bpy.types.Scene, source: BakeSource | None = None) -> Steps:
    """Bake the setup's tracker objects onto its character as a new action.

    Nothing is changed before the last step; closing the generator earlier leaves no trace.

    Args:
        scene: Scene of the window.
        source: What differs from the setup, as in a batch.

    Yields:
        The share done (0..1) and what is being done.

    Raises:
        UserError, ValueError: with a message for the user.
    """
    import numpy as np

    setup = setup_of(scene)
    source = source or BakeSource()
    armature, trackers = check_character(setup), source.trackers
    if not trackers and source.keys is None:
        trackers = check_trackers(setup)
    start, end = source.span or (
        source.keys.span if source.keys is not None else frame_range(scene, setup)
    )
    plan = BakePlan(scene, setup, armature, source.action or f"{armature.name} SSR-HMR", start)
    plan.layer, plan.show = plan.layer and source.layer, source.show
    if not source.trackers and source.keys is None:
        text = iface_("Reading trackers")
        slips = read_slips(scene, setup, start, plan.rate)
        plan.slips, changed = yield from map_steps(slips, lambda share: (0.0, text))
        plan.report.notes += changed
    between = int(np.ceil(_MODEL_RATE / plan.rate - 1e-3)) if setup.between_frames else 1
    sampled = start + np.arange((end - start) * between + 1) / between
    frames = np.arange(start, end + 1)

    clock = time.perf_counter()
    if source.keys is not None:
        take = source.keys.sample(sampled, plan.rate, plan.wearing)
        worlds = yield from _read_character(plan, frames)
    else:
        take, worlds = yield from _read_trackers(plan, trackers, sampled, between)
    del source  # with the keys of an hour, unless the caller wants them still
    plan.report.add_lap("sampling", clock)
    plan.note_slow_handlers()
    motion, contacts = yield from _reconstruct(plan, take, frames)
    del take
    return (yield from _write(plan, motion, contacts, frames, worlds))


def _read_trackers(
    plan: BakePlan,
    trackers: Mapping[str, bpy.types.Object],
    sampled: np.ndarray,
    between: int,
) -> Generator[tuple[float, str], None, tuple[Take, np.ndarray]]:
    """Read tracker objects by role at some frames.

    Returns:
        The take, and of every frame but those in between the same as :func:`_read_character`.
    """
    names = {role: obj.name for role, obj in trackers.items()}
    keys = [key_of(obj) for obj in trackers.values()]
    animated = {role: is_animated(obj) for role, obj in trackers.items()}
    still = read_still(plan.find_armature(), plan.left)
    moving = [] if still is not None else [plan.owner]
    steps = sample(plan.scene, [*keys, *moving], list(sampled), plan.left if still is None else ())
    worlds = yield from _as_share(steps, "sampling", iface_("Reading trackers"), 0.0, plan)
    take = take_from_samples(worlds[:, : len(keys)], sampled, plan.rate, names, plan.wearing)
    if len(take) > 1:
        _check_moving(take, names, animated)
        plan.note_unturned(take)
    if still is not None:
        return take, _repeat(still, -(-len(sampled) // between))
    # A view would keep all of the trackers' transforms.
    return take, worlds[::between, len(keys) :].copy()


def _read_character(
    plan: BakePlan, frames: np.ndarray
) -> Generator[tuple[float, str], None, np.ndarray]:
    """Read where the character is, and the poses of bones that are not keyed, at some frames."""
    still = read_still(plan.find_armature(), plan.left)
    if still is not None:
        return _repeat(still, len(frames))
    steps = sample(plan.scene, [plan.owner], list(frames), plan.left)
    text = iface_("Reading the character's place")
    return (yield from _as_share(steps, "sampling", text, 0.0, plan))


def _repeat(still: np.ndarray, frames: int) -> np.ndarray:
    """Return transforms (n, 4, 4) for a number of frames, without copies of them."""
    import numpy as np

    return np.broadcast_to(still, (frames, *still.shape))


def bake_take(scene: bpy.types.Scene, path: Path, start: int) -> Steps:
    """Bake a recorded take onto the setup's character, as :func:`bake` does with objects.

    Args:
        scene: Scene whose setup is calibrated for the trackers of the take.
        path: Tracker CSV, in metres.
        start: Frame of the scene at which the take begins.

    Raises:
        UserError, ValueError, OSError: with a message for the user.
    """
    import numpy as np

    from ssrhmr_core.formats.trackers_csv import load_trackers
    from ssrhmr_core.tracking.part_readings import mark_constant_parts

    setup = setup_of(scene)
    armature = check_character(setup)
    plan = BakePlan(scene, setup, armature, path.stem, start)
    take = load_trackers(path)
    # Recordings of earlier versions have a rotation that never changes where there is none.
    take = mark_constant_parts(take)
    began = take.times[0]
    seconds = take.times - began
    take = replace(take.scaled(metre(scene)), times=seconds)
    # The last frame may be a little late: a take of one second has a frame at its end.
    frames = start + np.arange(int(seconds[-1] * plan.rate + 1e-3) + 1)

    clock = time.perf_counter()
    worlds = yield from _read_character(plan, frames)
    plan.report.add_lap("sampling", clock)
    plan.note_slow_handlers()
    motion, contacts = yield from _reconstruct(plan, take, frames)
    del take
    report = yield from _write(plan, motion, contacts, frames, worlds)
    bake_details(plan, path, began + (frames - start) / plan.rate, frames)
    end, last = bpy.data.scenes[plan.scene].frame_end, int(frames[-1])
    if last > end:
        report.notes.append(
            f"the scene ends at frame {end}, the take at {last}: set End in the timeline to play"
            " all of it"
        )
    return report


def _reconstruct(
    plan: BakePlan, take: Take, frames: np.ndarray
) -> Generator[tuple[float, str], None, tuple[Motion, Sequence[ContactRange]]]:
    """Reconstruct a take; its caller may forget the take before any key is written.

    Args:
        plan: Plan of the bake.
        take: Take in scene units, its first frame at ``frames[0]``.
        frames: (F,) frame numbers at which poses are wanted.

    Returns:
        The motion, and when parts of the body are on the floor if keys are going to be reduced.
    """
    from ssrhmr_core.tracking.slip_corrections import take_back

    plan.note_uncalibrated(take)
    clock = time.perf_counter()
    take = plan.calibration.apply(take_back(take, plan.slips))
    times = take.times[0] + (frames - frames[0]) / plan.rate
    steps = plan.reconstructor.steps_with_contacts(take, times)
    motion, contacts = yield from _as_share(
        steps, "model", iface_("Reconstructing"), _SHARES["sampling"], plan
    )
    clock = plan.report.add_lap("model", clock)
    first, begin = int(frames[0]), float(take.times[0])
    plan.note_ignored(lambda time: f"frame {first + round((time - begin) * plan.rate)}")
    if plan.contacts is not None:
        contacts = list(plan.contacts)
    elif contacts is None and _is_reduced(plan, frames):
        contacts = plan.reconstructor.find_contacts(take)
        plan.report.add_lap("reduction", clock)
    return motion, contacts or ()


def _is_reduced(plan: BakePlan, frames: np.ndarray) -> bool:
    return plan.reduction is not None and len(frames) >= _FEWEST


def _write(
    plan: BakePlan,
    motion: Motion,
    contacts: Sequence[ContactRange],
    frames: np.ndarray,
    worlds: np.ndarray,
) -> Steps:
    """Key a motion.

    Args:
        plan: Plan of the bake.
        motion: Motion in scene units at the frames.
        contacts: When parts of the body are on the floor, for the reduction of keys.
        frames: (F,) frame numbers to key.
        worlds: (F, 1 + n, 4, 4) world transform of the character and poses of the bones that are
            not keyed, at each frame.
    """
    report = plan.report
    bones = use_sampled_poses(plan.bones, worlds[:, 1:], plan.character.pose_scale)
    placement = place_root(
        plan.root,
        plan.find_armature(),
        plan.character,
        Placement(motion, bones, worlds[:, 0]),
        plan.rate,
    )
    writer = ActionWriter(plan.action, plan.find_armature())
    keyed_at = frames * plan.curve_time
    done = False
    try:
        written = yield from _write_channels(plan, placement, writer, keyed_at)
        errors = plan.reconstructor.expected_errors
        if errors is not None:
            write_certainty(writer, errors / plan.metre, keyed_at, plan.rate)
        with _restored_on_error(plan):
            _set_switches(plan, writer, float(keyed_at[0]))
            former = assignment_of(plan.find_armature())
            _assign_action(plan, writer, written)
            performance = Performance(
                placement.motion, frames, keyed_at, placement.worlds, placement.bones
            )
            clock = time.perf_counter()
            checks = _check_result(plan, writer, performance)
            text = iface_("Checking the result")
            yield from _as_share(checks, "checks", text, _CHECKS_FROM, plan)
            report.add_lap("checks", clock)
            if _is_reduced(plan, frames):
                yield from _reduce(plan, placement, writer, keyed_at, contacts)
            counted = written if placement.transforms is None else written | {""}
            report.keys = _count_keys(plan.find_armature(), counted)
            if plan.layer:
                _lay_above(plan, writer, former)
        done = True
    finally:
        if not done:
            writer.remove()
    report.action = writer.name
    if plan.show:
        scene = bpy.data.scenes[plan.scene]
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    return report


def _count_keys(armature: bpy.types.Object, written: set[str]) -> int:
    """Return the number of keys of bones, given by their data paths; "" is the object's own."""
    return sum(
        len(curve.keyframe_points)
        for curve in curves_of(armature)
        if curve.data_path.rpartition(".")[0] in written
    )


def _check_result(
    plan: BakePlan, writer: ActionWriter, performance: Performance
) -> Generator[float, None, None]:
    """Settle the keys on the character that shows them, then look at its meshes."""
    yield from map_steps(settle(plan, writer, performance), lambda share: 0.8 * share)
    yield from map_steps(inspect_skin(plan, writer, performance), lambda share: 0.8 + 0.2 * share)


def _write_channels(
    plan: BakePlan, placement: Placement, writer: ActionWriter, keyed_at: np.ndarray
) -> Generator[tuple[float, str], None, set[str]]:
    """Write a key on every frame and return the data paths of the bones."""
    report, written = plan.report, set[str]()
    placement.write_object(writer, keyed_at)
    clock = time.perf_counter()
    posed = pose_bones(placement.motion, plan.character, placement.bones, placement.worlds)
    for channel in chain(placement.channels(), posed):
        clock = report.add_lap("posing", clock)
        written.add(write_bone_keys(writer, channel, keyed_at))
        clock = report.add_lap("keys", clock)
        share = min(len(written) / report.bones, 1.0)
        share = _CHECKS_FROM - _SHARES["keys"] * (1.0 - share)
        yield _scaled(plan, share), iface_("Writing keys")
    return written


def _reduce(
    plan: BakePlan,
    placement: Placement,
    writer: ActionWriter,
    keyed_at: np.ndarray,
    contacts: Sequence[ContactRange],
) -> Generator[tuple[float, str], None, None]:
    """Replace the keys that were written by few ones."""
    if plan.reduction is None:
        return
    clock = time.perf_counter()
    slot = first_slot(writer.action)
    task = ReductionTask(
        action=writer.name,
        slot=slot.identifier if slot else "",
        armature=plan.find_armature(),
        character=plan.character,
        bones=placement.bones,
        times=keyed_at,
        contacts=contacts,
    )
    steps = reduce_action(bpy.data.scenes[plan.scene], task, plan.reduction)
    rest = 1.0 - _BEFORE_REDUCTION
    reduced = yield from map_steps(
        steps, lambda share: (_BEFORE_REDUCTION + rest * share, iface_("Reducing keys"))
    )
    plan.report.reduction = str(reduced)
    plan.report.add_lap("reduction", clock)


@contextmanager
def _restored_on_error(plan: BakePlan) -> Iterator[None]:
    """Restore the character's action, pose and switches if the block fails."""
    armature, controls = plan.find_armature(), plan.character.controls
    before = assignment_of(armature)
    added = add_properties(armature) if plan.reconstructor.options.certainty else ()
    switches = [
        (bone, name, read_switch(armature, bone, name))
        for bone, name, _ in (controls.switches if controls else ())
    ]
    try:
        yield
    except BaseException:
        restore(before)
        for bone, name, value in switches:
            set_switch(armature, bone, name, value)
        for name in added:
            del armature[name]
        raise


def _set_switches(plan: BakePlan, writer: ActionWriter, frame: float) -> None:
    """Switch a control rig to the controls that were keyed."""
    import numpy as np

    controls = plan.character.controls
    armature = plan.find_armature()
    for bone, name, value in controls.switches if controls else ():
        if plan.key_switches:
            path = switch_path(bone, name)
            writer.write(bone, path, np.array([frame]), np.array([[float(value)]]))
        else:
            set_switch(armature, bone, name, value)


def _assign_action(plan: BakePlan, writer: ActionWriter, written: set[str]) -> None:
    """Assign the new action in place of the former one, unless it is going to lie above that."""
    armature, report = plan.find_armature(), plan.report
    previous = armature.animation_data.action if armature.animation_data else None
    if plan.layer:
        writer.assign(armature)
        return
    if previous is not None:
        writer.carry_over(armature, written, CERTAINTY_PATHS)
        report.notes.append(f"'{previous.name}' was the action before; its keys are unchanged")
    writer.assign(armature)
    if previous is not None and previous.users == 0:
        # Blender would throw it away with the next save.
        previous.use_fake_user = True


def _lay_above(plan: BakePlan, writer: ActionWriter, former: Assignment) -> None:
    """Give the character its former action back and put the new one on a strip above it."""
    armature = plan.find_armature()
    action = find_action(former.action) if former.action else None
    assign(armature, action, former.slot)
    add_layer(armature, writer.action, plan.blend)
    plan.report.notes.append("the new NLA strip lies above what the character does already")


def _scaled(plan: BakePlan, share: float) -> float:
    """Return the share of the whole job for a share of what precedes a reduction of keys."""
    return share if plan.reduction is None else _BEFORE_REDUCTION * share


def _as_share(
    steps: Generator[float, None, _Result], part: str, text: str, before: float, plan: BakePlan
) -> Generator[tuple[float, str], None, _Result]:
    """Pass on the steps of one part of the job as a share of the whole."""
    return map_steps(steps, lambda share: (_scaled(plan, before + share * _SHARES[part]), text))


def _check_moving(take: Take, names: dict[str, str], animated: dict[str, bool]) -> None:
    import numpy as np

    parts = [(TRACKERS, take.positions, take.rotations)]
    if take.extras is not None:
        parts.append((EXTRA_TRACKERS, take.extras.positions, take.extras.rotations))
    spread: dict[str, float] = {}
    for roles, positions, rotations in parts:
        widths = np.ptp(positions, axis=0).max(-1) + np.ptp(rotations, axis=0).max(-1)
        spread.update(zip(roles, widths.tolist(), strict=True))
    for role, name in names.items():
        # A planted foot may well be keyed and not move; an object without any animation is a slip.
        if spread[role] < _STILL and not animated[role]:
            raise SetupError(
                f"The {TRACKER_LABELS[role]} tracker '{name}' has no animation:"
                " choose the object that follows the tracker"
            )
