# SPDX-License-Identifier: GPL-3.0-or-later
"""The bake as a job of many small steps, so that it can show progress and be cancelled."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..animation.actions import ActionWriter, curves_of
from ..animation.assignment import assignment_of, restore
from ..common.axes import metre
from ..common.validation import SetupError, check_character, check_trackers
from ..properties.settings import TRACKER_LABELS, TRACKERS, setup_of
from ..rig.obstacles import obstacles
from ..rig.posing import moved_bones, pose_bones, read_bones
from ..rig.reading import read_character
from ..rig.rigify import read_switch, set_switch, switch_path
from ..trackers.sampling import Key, find, is_animated, key_of, sample
from ..trackers.stored_calibration import stored_calibration
from ..trackers.take import take_from_samples
from .keys import write_bone_keys

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.tracking.take import Take

    from ..properties.settings import SSRHMR_Setup

_MODEL_RATE = 60.0
_SHARES = {"sampling": 0.35, "model": 0.5, "keys": 0.15}
_STILL = 1e-6


@dataclass
class BakeReport:
    """What a bake did.

    Attributes:
        action: name of the new action.
        keys: number of keyframes.
        bones: number of bones.
        notes: what the user should know.
        seconds: time by part: sampling, model (with its solve), posing (from joints to the
            channels of bones), keys.
    """

    action: str = ""
    keys: int = 0
    bones: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BakeSource:
    """What to bake instead of what the setup says.

    Attributes:
        trackers: six objects, in the order of the trackers; the setup's if empty.
        span: first and last frame; the setup's range if not given.
        action: name for the new action; after the character if empty.
    """

    trackers: tuple[bpy.types.Object, ...] = ()
    span: tuple[int, int] | None = None
    action: str = ""


_Result = TypeVar("_Result")
Steps = Generator[tuple[float, str], None, BakeReport]


def frame_range(scene: bpy.types.Scene, setup: SSRHMR_Setup) -> tuple[int, int]:
    """First and last frame to bake.

    Raises:
        SetupError: if the range is empty, or the trackers have no keys to take it from.
    """
    start, end = setup.frame_start, setup.frame_end
    if setup.range == "SCENE":
        start, end = scene.frame_start, scene.frame_end
    elif setup.range == "PREVIEW":
        if not scene.use_preview_range:
            raise SetupError("There is no preview range: set one in the timeline (P)")
        start, end = scene.frame_preview_start, scene.frame_preview_end
    elif setup.range == "TRACKERS":
        spans = [
            curve.range()
            for tracker in check_trackers(setup)
            for curve in curves_of(tracker)
            if len(curve.keyframe_points)
        ]
        if not spans:
            raise SetupError("The trackers have no keys of their own: choose another range")
        start = round(min(span[0] for span in spans))
        end = round(max(span[1] for span in spans))
    if end < start:
        raise SetupError(
            f"The range ends at {end}, before its start at {start}: choose another range"
        )
    return start, end


def bake(scene: bpy.types.Scene, source: BakeSource | None = None) -> Steps:
    """Bake the setup's tracker objects onto its character as a new action.

    Nothing is changed before the last step; closing the generator earlier leaves no trace.

    Args:
        scene: the window's.
        source: what differs from the setup, as in a batch.

    Yields:
        The share done (0..1) and what is being done.

    Raises:
        UserError, ValueError: with a message for the user.
    """
    import numpy as np

    setup = setup_of(scene)
    source = source or BakeSource()
    armature, trackers = check_character(setup), source.trackers or check_trackers(setup)
    start, end = source.span or frame_range(scene, setup)
    plan = _Plan(scene, setup, armature, source.action or f"{armature.name} SSR-HMR")
    between = int(np.ceil(_MODEL_RATE / plan.rate - 1e-3)) if setup.between_frames else 1
    sampled = start + np.arange((end - start) * between + 1) / between
    names, keys = [obj.name for obj in trackers], [key_of(obj) for obj in trackers]
    moved = [is_animated(obj) for obj in trackers]

    clock = time.perf_counter()
    steps = sample(plan.scene, [*keys, plan.owner], list(sampled), plan.left)
    worlds = yield from _within(steps, "sampling", iface_("Reading trackers"), 0.0)
    take = take_from_samples(worlds[:, :6], sampled, plan.rate, names)
    if len(take) > 1:
        _check_moving(take, names, moved)
    _lap(plan.report, "sampling", clock)
    frames = np.arange(start, end + 1)
    return (yield from _write(plan, take, frames, worlds[::between, 6:]))


def bake_take(scene: bpy.types.Scene, path: Path, start: int) -> Steps:
    """Bake a recorded take onto the setup's character, as :func:`bake` does with objects.

    Args:
        scene: its setup must be calibrated for the trackers of the take.
        path: a tracker CSV, in metres.
        start: frame of the scene at which the take begins.

    Raises:
        UserError, ValueError, OSError: with a message for the user.
    """
    import numpy as np

    from ssrhmr_core.formats.trackers_csv import load_trackers
    from ssrhmr_core.tracking.take import Take

    setup = setup_of(scene)
    armature = check_character(setup)
    plan = _Plan(scene, setup, armature, path.stem)
    take = load_trackers(path)
    seconds = take.times - take.times[0]
    take = Take(seconds, take.positions * np.float32(metre(scene)), take.rotations, take.valid)
    # The last frame may be a little late: a take of one second has a frame at its end.
    frames = start + np.arange(int(seconds[-1] * plan.rate + 1e-3) + 1)

    clock = time.perf_counter()
    steps = sample(plan.scene, [plan.owner], list(frames), plan.left)
    worlds = yield from _within(steps, "sampling", iface_("Reading the character's place"), 0.0)
    _lap(plan.report, "sampling", clock)
    return (yield from _write(plan, take, frames, worlds))


class _Plan:
    """What a bake needs of the setup, read once: the setup may change while it runs."""

    def __init__(
        self, scene: bpy.types.Scene, setup: SSRHMR_Setup, armature: bpy.types.Object, action: str
    ) -> None:
        """Read everything.

        Raises:
            SetupError: if the setup is not calibrated.
            RigError: if the character cannot be used.
        """
        from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
        from ssrhmr_core.tracking.denoising import Smoothing

        self.calibration = stored_calibration(setup)
        self.character = read_character(
            armature, tuple(slot.bone for slot in setup.bones), setup.ik_controls
        )
        self.bones = read_bones(armature, self.character)
        self.left = [(bone.name, bone.constrained) for bone in self.bones if not bone.keyed]
        smoothing = Smoothing(
            auto=setup.smoothing == "AUTO",
            cutoff=setup.cutoff if setup.smoothing == "CUTOFF" else 0.0,
        )
        options = ReconstructionOptions(
            smoothing=smoothing,
            planting=setup.planting,
            tracker_weights=tuple(getattr(setup, f"{role}_weight") for role in TRACKERS),
        )
        self.reconstructor = Reconstructor(
            self.character.rest.skeleton, options, performer=self.calibration.performer
        )
        self.report = BakeReport(
            bones=sum(bone.keyed for bone in self.bones),
            notes=obstacles(armature, self.character.keyed, self.character.keyed[0]),
        )
        self.key_switches = setup.key_switches
        self.rate = scene.render.fps / scene.render.fps_base
        self.owner, self.scene, self.action = key_of(armature), scene.name, action


def _write(plan: _Plan, take: Take, frames: np.ndarray, worlds: np.ndarray) -> Steps:
    """Reconstruct a take and key it.

    Args:
        plan: of the bake.
        take: in scene units, its first frame at ``frames[0]``.
        frames: (F,) frame numbers to key.
        worlds: (F, 1 + n, 4, 4) at each, the character's world transform and how the bones that
            are left alone are posed.
    """
    report = plan.report
    bones = moved_bones(plan.bones, worlds[:, 1:])
    clock = time.perf_counter()
    times = take.times[0] + (frames - frames[0]) / plan.rate
    thinking = plan.reconstructor.steps(plan.calibration.apply(take), times)
    motion = yield from _within(thinking, "model", iface_("Reconstructing"), _SHARES["sampling"])
    clock = _lap(report, "model", clock)

    writer = ActionWriter(plan.action, _find_owner(plan.owner))
    written: set[str] = set()
    done = False
    try:
        for channel in pose_bones(motion, plan.character, bones, worlds[:, 0]):
            clock = _lap(report, "posing", clock)
            written.add(write_bone_keys(writer, channel, frames))
            clock = _lap(report, "keys", clock)
            curves = 4 if channel.rotation_mode in ("QUATERNION", "AXIS_ANGLE") else 3
            curves += 0 if channel.places is None else 3
            report.keys += curves * len(frames)
            share = len(written) / report.bones
            yield 1.0 - _SHARES["keys"] * (1.0 - share), iface_("Writing keys")
        with _taken_back_on_error(plan):
            _set_switches(plan, writer, int(frames[0]))
            _hand_over(_find_owner(plan.owner), writer, written, report)
        done = True
    finally:
        if not done:
            writer.remove()
    report.action = writer.name
    # The new pose shows at once.
    scene = bpy.data.scenes[plan.scene]
    scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    return report


@contextmanager
def _taken_back_on_error(plan: _Plan) -> Iterator[None]:
    """Give the character its action, pose and switches back if what is done meanwhile fails."""
    armature, controls = _find_owner(plan.owner), plan.character.controls
    before = assignment_of(armature)
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
        raise


def _set_switches(plan: _Plan, writer: ActionWriter, frame: int) -> None:
    """Let a control rig follow the controls that were keyed."""
    import numpy as np

    controls = plan.character.controls
    armature = _find_owner(plan.owner)
    for bone, name, value in controls.switches if controls else ():
        if plan.key_switches:
            path = switch_path(bone, name)
            writer.write(bone, path, np.array([frame]), np.array([[float(value)]]))
        else:
            set_switch(armature, bone, name, value)


def _hand_over(
    armature: bpy.types.Object, writer: ActionWriter, written: set[str], report: BakeReport
) -> None:
    """Put the new action in the place of the one before."""
    previous = armature.animation_data.action if armature.animation_data else None
    if previous is not None:
        writer.carry_over(armature, written)
        report.notes.append(f"'{previous.name}' was the action before; its keys are unchanged")
    writer.assign(armature)
    if previous is not None and previous.users == 0:
        # Blender would throw it away with the next save.
        previous.use_fake_user = True


def _find_owner(owner: Key) -> bpy.types.Object:
    armature = find(owner)
    if armature is None:
        raise SetupError(f"'{owner[0]}' was deleted meanwhile: choose another character")
    return armature


def _within(
    steps: Generator[float, None, _Result], part: str, text: str, before: float
) -> Generator[tuple[float, str], None, _Result]:
    """Pass on the steps of one part of the job as a share of the whole."""
    while True:
        try:
            share = next(steps)
        except StopIteration as finished:
            return finished.value
        yield before + share * _SHARES[part], text


def _lap(report: BakeReport, part: str, since: float) -> float:
    now = time.perf_counter()
    report.seconds[part] = report.seconds.get(part, 0.0) + now - since
    return now


def _check_moving(take: Take, names: list[str], moved: list[bool]) -> None:
    import numpy as np

    spread = np.ptp(take.positions, axis=0).max(-1) + np.ptp(take.rotations, axis=0).max(-1)
    for tracker, role in enumerate(TRACKERS):
        # A planted foot may well be keyed and not move; an object without any animation is a slip.
        if spread[tracker] < _STILL and not moved[tracker]:
            raise SetupError(
                f"The {TRACKER_LABELS[role]} tracker '{names[tracker]}' has no animation:"
                " choose the object that follows the tracker"
            )
