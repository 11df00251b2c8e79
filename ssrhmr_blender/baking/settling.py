# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing the evaluated character with what was meant, and correcting keys until both agree.

Keys are computed as if bones followed nothing but their keys and parents. Constraints, drivers and
NLA tracks may add to that, or depend on the new keys themselves, as a bone does that cancels what
the hips do. What they do is measured on the evaluated character.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..common.axes import core_axes, split_transforms
from ..common.steps import map_steps
from ..common.typed import armature_of
from ..rig.bones import Bone, read_bones, use_sampled_poses
from ..rig.obstacles import CONSTRAINED, is_shown_moving, list_some
from ..rig.posing import Channels, pose_bones
from ..trackers.sampling import sample, sample_bones
from .keys import write_bone_keys

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.motion import Motion

    from ..animation.actions import ActionWriter
    from .plan import BakePlan

_CHECKED_FRAMES = 7
_ROUNDS = 6
_DISTANCE, _ANGLE = 1e-3, 0.01
"""What counts as agreement: metres on an adult, and radians."""
_CONTROL_DISTANCE = 0.01
"""The same for control rigs, whose bends and twists only they know exactly."""
_SHARPER = 0.1
"""Share of both to which single bones are corrected, because errors add up along a limb."""
_LEAST_GAIN = 0.1
"""Share of a step that must show on the character for another one to make sense."""
_LEAST_PROGRESS = 0.9
"""Share of the former error of a control rig that must not remain for another round to make sense.
"""


@dataclass(frozen=True)
class Performance:
    """What a bake puts onto its character.

    Attributes:
        motion: Motion in the core's axes, in scene units.
        frames: (F,) frames of the scene.
        times: (F,) times of the keys.
        worlds: (F, 4, 4) world transform of the armature object.
        bones: Bones as they were when the keys were computed.
    """

    motion: Motion
    frames: np.ndarray
    times: np.ndarray
    worlds: np.ndarray
    bones: list[Bone]

    def rows(self, count: int) -> np.ndarray:
        """Return a few rows, the first and the last among them."""
        import numpy as np

        spread = np.linspace(0, len(self.frames) - 1, count).round().astype(int)
        return np.unique(spread)

    def joints(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return the positions (n, 22, 3) of the joints in Blender's world in some rows."""
        positions: np.ndarray = self.motion.part(rows).positions() @ core_axes()
        return positions

    def matrices(self, rows: np.ndarray) -> np.ndarray:
        """Return the global rotations (n, 22, 3, 3) of the joints in some rows."""
        return self.motion.part(rows).matrices()


class _Key:
    """The keys of one bone and how the bone reacts to changes of them.

    A step is applied before the rotation that is keyed, as in a bone that a constraint turns on
    from there, or after it, as in one that adds to what a constraint does.
    """

    def __init__(self, channels: Channels) -> None:
        import numpy as np

        self.channels = channels
        self.stuck = False
        self._before = False
        self._step = np.zeros((len(channels.rotations), 3))
        self._move = self._step
        self._last: np.ndarray | None = None

    def improve(self, pose: np.ndarray, meant: Channels) -> None:
        """Change the keys after the bone was seen in some poses (F, 4, 4) of its own."""
        import numpy as np

        from ssrhmr_core.geometry.rotations import from_rotvec

        turn, move = find_error(pose, meant, before=self._before)
        gain = move_gain = 1.0
        if self._last is not None:
            turned, moved = _difference(self._last, pose, before=self._before)
            gain = _share_shown(turned, self._step)
            move_gain = _share_shown(moved, self._move)
            if min(gain, move_gain) < _LEAST_GAIN:
                self.stuck, self._before = self._before, True
                self.channels, self._last = meant, None
                return
        self._step, self._move, self._last = turn / gain, move / move_gain, pose
        rotations, step = self.channels.rotations, from_rotvec(self._step)
        rotations = step @ rotations if self._before else rotations @ step
        locations = self.channels.locations
        if locations is None and meant.locations is not None:
            locations = np.zeros_like(move)
        self.channels = replace(
            self.channels,
            rotations=rotations,
            locations=None if locations is None else locations + self._move,
        )


def _share_shown(shown: np.ndarray, step: np.ndarray) -> float:
    """Return which share of steps (F, 3) showed on the character."""
    taken = float((step * step).sum())
    return min(float((shown * step).sum()) / taken, 2.0) if taken > 1e-12 else 1.0


def find_error(
    pose: np.ndarray, meant: Channels, before: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return what poses (F, 4, 4) lack: rotation vectors (F, 3) and location channels (F, 3).

    The rotation is to be applied in the bone's own axes, or ``before`` in those that its channels
    count from.
    """
    import numpy as np

    wanted = np.zeros_like(pose)
    wanted[:, :3, :3], wanted[:, 3, 3] = meant.rotations, 1.0
    if meant.locations is not None:
        wanted[:, :3, 3] = meant.locations
    return _difference(pose, wanted, before)


def _difference(start: np.ndarray, end: np.ndarray, before: bool) -> tuple[np.ndarray, np.ndarray]:
    from ssrhmr_core.geometry.rotations import to_rotvec

    starts, ends = split_transforms(start), split_transforms(end)
    inverse = starts[1].swapaxes(-1, -2)
    turn = ends[1] @ inverse if before else inverse @ ends[1]
    return to_rotvec(turn), ends[0] - starts[0]


def settle(
    plan: BakePlan, writer: ActionWriter, performance: Performance
) -> Generator[float, None, None]:
    """Correct the keys of a new action until the character does what was meant.

    What cannot be corrected keeps its keys and goes to the notes of the report.

    Yields:
        The share done, 0..1.
    """
    if not is_shown_moving(plan.find_armature()):
        return
    misses = yield from _measure_misses(plan, writer, performance)
    unsettled: list[str] = []
    if misses:
        unsettled = yield from _correct(plan, writer, performance)
        misses = yield from _measure_misses(plan, writer, performance)
    notes = plan.report.notes
    if not misses:
        notes[:] = [note for note in notes if not note.startswith(CONSTRAINED)]
    else:
        names = unsettled or list(misses)
        millimetres = 1000.0 * max(misses.values()) / plan.adult
        notes.append(
            f"{list_some(names)} {'do' if names[1:] else 'does'} not follow"
            f" {'their' if names[1:] else 'its'} keys (joints are up to {millimetres:.0f} mm off):"
            " mute the constraints, remove the drivers or unmap the bones, and bake again"
        )


def _measure_misses(
    plan: BakePlan, writer: ActionWriter, performance: Performance
) -> Generator[float, None, dict[str, float]]:
    """Return how far bones are from their joints on some frames, in scene units, by bone."""
    import numpy as np

    rows = performance.rows(_CHECKED_FRAMES)
    names = [name for name in plan.character.bones if name]
    joints = [joint for joint, name in enumerate(plan.character.bones) if name]
    frames = list(performance.frames[rows])
    with writer.thinned(plan.find_armature, performance.times[rows]):
        worlds = yield from sample_bones(plan.scene, plan.owner, names, frames)
    wanted = performance.joints(rows)[:, joints]
    distances = np.linalg.norm(worlds[..., :3, 3] - wanted, axis=-1).max(0)
    margin = _DISTANCE if plan.character.controls is None else _CONTROL_DISTANCE
    misses = dict(zip(names, distances.tolist(), strict=True))
    if plan.character.controls is None:
        # The ends turn as well.
        angles = _turns(plan, worlds[..., :3, :3], performance, rows).max(0)
        # Twist bones and the like share their joint's rotation with others.
        sharing = {name for segment in plan.character.segments for name in segment.bones}
        for name, angle in zip(names, angles.tolist(), strict=True):
            if angle > _ANGLE and name not in sharing:
                misses[name] = max(misses[name], 1.01 * margin * plan.adult)
    return {name: miss for name, miss in misses.items() if miss > margin * plan.adult}


def _turns(
    plan: BakePlan, worlds: np.ndarray, performance: Performance, rows: np.ndarray
) -> np.ndarray:
    """Return angles (n, bones) between bones and how their joints are meant to be rotated."""
    import numpy as np

    from ssrhmr_core.geometry.rotations import rotation_angle

    axes = core_axes()
    motion = performance.matrices(rows).astype(np.float64)
    since_rest = plan.character.rest.from_canonical(motion)
    bones = armature_of(plan.find_armature()).bones
    joints = [(joint, name) for joint, name in enumerate(plan.character.bones) if name]
    scales = np.linalg.norm(worlds, axis=-2, keepdims=True)
    angles = []
    for column, (joint, name) in enumerate(joints):
        rest = np.array(bones[name].matrix_local.to_3x3())
        meant = axes.T @ since_rest[:, joint] @ axes @ rest
        actual = worlds[:, column] / scales[:, column]
        angles.append(rotation_angle(actual.swapaxes(-1, -2) @ meant))
    return np.stack(angles, -1)


def _read_evaluated(plan: BakePlan) -> list[Bone]:
    """Return the bones as Blender evaluates them, whatever a control rig's scheme says they follow.

    What helper bones do is measured on all frames, so that a scheme may leave spaces out.
    """
    character = plan.character
    if character.controls is None:
        return plan.bones
    controls = replace(character.controls, parents={})
    return read_bones(plan.find_armature(), replace(character, controls=controls))


def _share_done(number: int, share: float) -> float:
    """Return the share of all rounds that is done within one of them."""
    return (number + share) / (_ROUNDS + 1)


def _correct(
    plan: BakePlan, writer: ActionWriter, performance: Performance
) -> Generator[float, None, list[str]]:
    """Key what is missing, measured on all frames; return the bones that do not react to it."""
    import numpy as np

    performed = pose_bones(
        performance.motion, plan.character, performance.bones, performance.worlds
    )
    keys = {channels.bone: _Key(channels) for channels in performed}
    evaluated = _read_evaluated(plan)
    controls = plan.character.controls
    helpers = controls.at_rest if controls else ()
    names = [(bone.name, True) for bone in evaluated]
    unit = plan.adult / (plan.character.scale * plan.character.pose_scale)
    wrong: list[str] = []
    before = np.inf
    for number in range(_ROUNDS + 1):
        sampling = sample(plan.scene, [plan.owner], list(performance.frames), names)
        done = partial(_share_done, number)
        worlds = yield from map_steps(sampling, done)
        poses = {bone.name: worlds[:, 1 + row] for row, bone in enumerate(evaluated)}
        followed = [poses[bone.name] for bone in evaluated if not bone.keyed]
        static = np.stack(followed, 1) if followed else np.zeros((len(worlds), 0, 4, 4))
        bones = use_sampled_poses(evaluated, static, plan.character.pose_scale)
        wrong, worst = [], 0.0
        for meant in pose_bones(performance.motion, plan.character, bones, worlds[:, 0]):
            if meant.bone in helpers:
                continue
            key = keys[meant.bone]
            turn, move = find_error(poses[meant.bone], meant)
            off = max(np.abs(turn).max() / _ANGLE, np.abs(move).max() / (_DISTANCE * unit))
            if off < _SHARPER:
                continue
            wrong.append(meant.bone)
            worst = max(worst, float(off))
            if number < _ROUNDS and not key.stuck:
                key.improve(poses[meant.bone], meant)
                write_bone_keys(writer, key.channels, performance.times)
        if all(keys[name].stuck for name in wrong):
            break
        # Control rigs take long to evaluate, and some errors do not shrink.
        if controls is not None and worst > _LEAST_PROGRESS * before:
            break
        before = worst
    return wrong
