# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bake works on: its frames, the setup as it was at the start, and its report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bpy

from ..animation.actions import curves_of
from ..animation.layers import has_animation
from ..common.axes import metre
from ..common.clock import curve_time_per_frame
from ..common.data_blocks import find_object, key_of
from ..common.validation import SetupError, check_trackers
from ..properties.tracker import TRACKER_LABELS
from ..rig.bones import read_bones
from ..rig.controls import find_problems
from ..rig.obstacles import find_obstacles, list_some
from ..rig.reading import read_character
from ..trackers.stage import foreign_handlers
from ..trackers.stored_calibration import readable, stored_calibration
from ..trackers.take import read_wearing
from .contacts import listed_ranges, read_contact_options
from .reduction import read_options
from .root_motion import read_root_options

if TYPE_CHECKING:
    from ssrhmr_core.tracking.slip_corrections import SlipCorrection
    from ssrhmr_core.tracking.take import Take

    from ..properties.setup import SSRHMR_Setup
    from ..trackers.empties import TrackerKeys

_SLOW = 5.0
"""Seconds of reading frames from which on the user hears what makes that slow."""


@dataclass
class BakeReport:
    """What a bake did.

    Attributes:
        action: Name of the new action.
        keys: Number of keyframes.
        bones: Number of bones.
        notes: What the user should know.
        seconds: Time by part: sampling, model (with its solve), posing (from joints to the
            channels of bones), keys, reduction.
        reduction: What the reduction of keys did, empty if there was none.
    """

    action: str = ""
    keys: int = 0
    bones: int = 0
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    reduction: str = ""

    def add_lap(self, part: str, since: float) -> float:
        """Add the time since ``since`` to a part; return the time now."""
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - since
        return now


@dataclass(frozen=True)
class BakeSource:
    """What to bake instead of the setup's own choices.

    Attributes:
        trackers: Objects by role; the setup's if empty.
        span: First and last frame; the setup's range if not given.
        action: Name for the new action; after the character if empty.
        layer: Whether the result may become an NLA layer, if the setup says so.
        keys: Keys of the trackers, instead of objects that have them.
        show: Whether to show the result at once.
    """

    trackers: Mapping[str, bpy.types.Object] = field(default_factory=dict)
    span: tuple[int, int] | None = None
    action: str = ""
    layer: bool = True
    keys: TrackerKeys | None = None
    show: bool = True


def frame_range(scene: bpy.types.Scene, setup: SSRHMR_Setup) -> tuple[int, int]:
    """Return the first and last frame to bake.

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
        start, end = _keyed_range(scene, check_trackers(setup).values())
    if end < start:
        raise SetupError(
            f"The range ends at {end}, before its start at {start}: choose another range"
        )
    return start, end


def _keyed_range(scene: bpy.types.Scene, trackers: Iterable[bpy.types.Object]) -> tuple[int, int]:
    spans = [
        curve.range()
        for tracker in trackers
        for curve in curves_of(tracker)
        if len(curve.keyframe_points)
    ]
    if not spans:
        raise SetupError("The trackers have no keys of their own: choose another range")
    factor = curve_time_per_frame(scene)
    first, last = min(span[0] for span in spans), max(span[1] for span in spans)
    return round(first / factor), round(last / factor)


def _check_weights(setup: SSRHMR_Setup, tracked: Iterable[str]) -> None:
    """Raise SetupError if no tracker that tells where the body is counts fully."""
    anchors = [role for role in tracked if role in ("pelvis", "head")]
    if all(setup.tracker(role).weight < 1.0 for role in anchors):
        labels = " or ".join(TRACKER_LABELS[role] for role in anchors)
        raise SetupError(f"{labels} must count fully: set its weight to 1 in Cleanup")


class BakePlan:
    """What a bake needs of the setup, read once: the setup may change while it runs."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        setup: SSRHMR_Setup,
        armature: bpy.types.Object,
        action: str,
        start: int,
    ) -> None:
        """Read everything.

        Args:
            scene: Scene of the window.
            setup: Setup to bake.
            armature: Armature object of the setup.
            action: Name for the new action.
            start: First frame to bake.

        Raises:
            SetupError: if the setup is not calibrated.
            RigError: if the character cannot be used.
        """
        from ssrhmr_core.body.skeleton import ADULT_SIZE
        from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
        from ssrhmr_core.tracking.denoising import Smoothing
        from ssrhmr_core.tracking.subsets import roles_in

        self.calibration = stored_calibration(setup)
        _check_weights(setup, roles_in(self.calibration.tracked))
        self.character = read_character(
            armature, tuple(slot.bone for slot in setup.bones), setup.ik_controls
        )
        self.adult = self.character.rest.skeleton.size / ADULT_SIZE
        """Length of a metre if the character were an adult, in scene units."""
        self.bones = read_bones(armature, self.character)
        self.left = [(bone.name, bone.held) for bone in self.bones if not bone.keyed]
        smoothing = Smoothing(
            auto=setup.smoothing == "AUTO",
            cutoff=setup.cutoff if setup.smoothing == "CUTOFF" else 0.0,
        )
        self.rate = scene.render.fps / scene.render.fps_base
        self.contacts = listed_ranges(setup.contacts, start, self.rate)
        options = ReconstructionOptions(
            smoothing=smoothing,
            planting=setup.planting,
            contact_options=read_contact_options(setup.contacts),
            contacts=self.contacts,
            tracker_weights=tuple(setup.weights()),
            extra_weights=tuple(setup.extra_weights()),
            certainty=setup.write_certainty,
        )
        self.reconstructor = Reconstructor(
            self.character.rest.skeleton, options, performer=self.calibration.performer
        )
        self.wearing = read_wearing(setup)
        self.report = BakeReport(
            bones=sum(bone.keyed for bone in self.bones),
            notes=[
                *find_problems(armature, self.character.bones),
                *find_obstacles(armature, self.character.keyed, self.character.keyed[0]),
            ],
        )
        self.key_switches = setup.key_switches
        self.metre = metre(scene)
        self.curve_time = curve_time_per_frame(scene)
        self.root = read_root_options(armature, self.character, self.bones, setup.root_motion)
        self.reduction = read_options(scene, setup.keyframes) if setup.keyframes.reduce else None
        self.layer = setup.keyframes.result == "LAYER" and has_animation(armature)
        self.blend = setup.keyframes.blend
        self.show = True
        self.slips: tuple[SlipCorrection, ...] = ()
        """Slips to take back, in seconds of the take: those of the setup's own trackers."""
        self.owner, self.scene, self.action = key_of(armature), scene.name, action

    def note_uncalibrated(self, take: Take) -> None:
        """Report trackers that a take has and that were not there when it was calibrated."""
        from ssrhmr_core.tracking.subsets import roles_in

        seen = (take.has_position | take.has_rotation).any(0)
        roles = roles_in(seen & ~self.calibration.worn)
        mounts = self.calibration.extras
        calibrated = mounts.worn if mounts is not None else ()
        worn = take.extras.worn if take.extras is not None else ()
        roles += [role for role in worn if role not in calibrated]
        if roles:
            labels = ", ".join(TRACKER_LABELS[role] for role in roles)
            self.report.notes.append(
                f"{labels} was not calibrated and does not count: calibrate again with it"
            )

    def note_unturned(self, take: Take) -> None:
        """Report trackers that move without ever turning."""
        from ssrhmr_core.tracking.part_readings import find_unturned

        self.report.notes += [
            f"{TRACKER_LABELS[role]} never turns: if it has no rotation, choose Position Only for"
            " it in More Trackers and calibrate again"
            for role in find_unturned(take)
        ]

    def note_ignored(self, name_time: Callable[[float], str]) -> None:
        """Report trackers that the reconstruction did not believe.

        Args:
            name_time: Function that names the frame at a time in seconds of the take.
        """
        from ssrhmr_core.tracking.dropout import describe_ignored_extra
        from ssrhmr_core.tracking.taken_off import describe_taken_off

        self.report.notes += [
            *(
                readable(describe_taken_off(taken_off, name_time))
                for taken_off in self.reconstructor.taken_off
            ),
            *(readable(describe_ignored_extra(role)) for role in self.reconstructor.ignored_extras),
        ]

    def note_slow_handlers(self) -> None:
        """Report whose scripts run at each frame, if reading frames took long."""
        handlers = foreign_handlers()
        seconds = self.report.seconds.get("sampling", 0.0)
        if handlers and seconds > _SLOW:
            self.report.notes.append(
                f"scripts of {list_some(handlers)} run whenever the frame changes: reading took"
                f" {seconds:.0f} s with them, so disable them while you bake if that is too long"
            )

    def find_armature(self) -> bpy.types.Object:
        """Return the armature object.

        Raises:
            SetupError: if it was deleted.
        """
        armature = find_object(self.owner)
        if armature is None:
            raise SetupError(f"'{self.owner[0]}' was deleted meanwhile: choose another character")
        return armature
