# SPDX-License-Identifier: GPL-3.0-or-later
"""From a BVH file to a motion: which joints are the body, its unit and its up axis."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.motion import Motion
from ...body.rest_pose import RestPose
from ...body.skeleton import INDEX
from ...rigs.bone_mapping import NONE, BoneMapping, map_bones
from ..errors import MotionFileError, MotionFileWarning
from ..lost_frames import bridge_lost_frames
from ..orientation import (
    UP_AXES,
    find_standing_axis,
    guess_up,
    is_walking_upright,
    measure_upright,
    name_nearest_axis,
    parse_up,
)
from ..text_files import read_text
from ..units import guess_unit, parse_unit
from .clip import BVHClip, parse_clip
from .errors import BVHError
from .fitting import FileBody, fit_body, read_zero_pose

_MOST_BYTES = 1 << 27
"""Of an unpacked file: an hour at 60 frames a second is as much."""
_LEAST_JOINTS = 13
"""Of a body: those that every skeleton must have."""
_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_MOSTLY, _SELDOM = 0.8, 0.05
"""Shares of the frames that speak for and against an up axis."""
_USUAL = ("y", "z")
"""Up axes that a walk can prove against a zero pose: nobody writes a world in any other."""
_STILL = 1e-3
"""Most that a joint turns, as the difference of two rotation matrices, that never moves."""
_FARTHEST = 1e6
"""Metres from the origin: single precision loses millimetres long before."""
_NOTABLE = 0.01
"""Metres that a tracked joint may be off without a word."""


class _Source(NamedTuple):
    """A body among the joints of a file.

    Attributes:
        joints: Joints that belong to it.
        mapping: Which of all joints of the file stand for the 22 joints.
    """

    joints: list[int]
    mapping: BoneMapping


def load_bvh(
    path: str | Path,
    *,
    up: str | None = None,
    unit: float | str | None = None,
    performer: str | None = None,
) -> Motion:
    """Read a ``.bvh`` or ``.bvh.xz`` file.

    The up axis is the one along which the zero pose stands; where it stands along none, the motion
    decides. The unit is the one that makes the body most like an ordinary person. Whatever was
    assumed without much to go by is reported as a warning.

    Args:
        path: File to read.
        up: Up axis of the file, one of "x", "y", "z", "-x", "-y", "-z", if it is known.
        unit: Unit of the file, one of :data:`~ssrhmr_core.formats.units.UNITS` or the metres in one
            unit, if it is known.
        performer: Which body to read of a file that holds several: the name of its root joint, or
            its number, from "1"; the first one if None.

    Raises:
        BVHError: If the file is damaged, incomplete, not a human body, or without this performer.
        MotionFileError: If ``up`` or ``unit`` is none of those listed.
        OSError: If the file cannot be opened.

    Warns:
        MotionFileWarning: If something was assumed or left out; the message says what.
    """
    path = Path(path)
    axis, metres = parse_up(up), parse_unit(unit)
    notes: list[str] = []
    try:
        text = read_text(path, "a .bvh", _MOST_BYTES, notes)
        clip = parse_clip(text, notes)
        source = _choose_body(clip, performer, notes)
        motion = _read_motion(clip, source, axis, metres, notes)
    except MotionFileError as error:
        raise BVHError(f"{path.name}: {error}") from error
    except ValueError as error:
        raise BVHError(f"{path.name}: {error}: export a whole body") from error
    for note in notes:
        warnings.warn(f"{path.name}: {note}", MotionFileWarning, stacklevel=2)
    return motion


def _read_motion(
    clip: BVHClip, source: _Source, up: str | None, metres: float | None, notes: list[str]
) -> Motion:
    body = _pose_body(clip, source)
    times = np.arange(len(clip.rows)) * clip.hierarchy.step
    zero_rest = read_zero_pose(body)
    up = up or _decide_up(clip, body, zero_rest, times, notes)
    fitted = fit_body(body, zero_rest, up)
    if metres is None:
        guess = guess_unit(fitted.rest.skeleton.size)
        metres = guess.metres
        notes.extend([guess.note] if guess.note else [])
    if fitted.missed * metres > _NOTABLE:
        notes.append(
            "bones change their lengths in the motion: made them rigid, so that a hand, foot or"
            f" head is up to {fitted.missed * metres * 1000:.0f} mm off"
        )
    motion = Motion(
        fitted.rest.skeleton.scaled(metres),
        times,
        quat.normalize(quat.from_matrix(fitted.rotations)).astype(np.float32),
        (fitted.root * metres).astype(np.float32),
    )
    motion = bridge_lost_frames(motion, notes)
    if np.abs(motion.root).max() > _FARTHEST:
        raise BVHError("the body is over 1000 km away from the origin: move it near the origin")
    return motion


def _choose_body(clip: BVHClip, performer: str | None, notes: list[str]) -> _Source:
    """Find the body in a file that may hold props and other performers as well.

    Raises:
        BVHError: If there is none, or not that of the performer.
    """
    groups, sources = _find_bodies(clip)
    if performer is None:
        chosen = sources[0]
        if len(groups) > 1:
            _note_choice(clip, groups, sources, notes)
    else:
        chosen = _find_performer(
            performer, [clip.hierarchy.names[s.joints[0]] for s in sources], sources
        )
    notes.extend(chosen.mapping.warnings)
    return chosen


def _find_performer(performer: str, names: list[str], sources: list[_Source]) -> _Source:
    """Return the body of a performer, by the name of its root joint or by its number.

    Raises:
        BVHError: If no body or several are called so.
    """
    matching = [n for n, name in enumerate(names) if name.casefold() == performer.casefold()]
    if not matching and performer.isdecimal() and 1 <= int(performer) <= len(sources):
        matching = [int(performer) - 1]
    if len(matching) == 1:
        return sources[matching[0]]
    listed = ", ".join(f"{number}: {name!r}" for number, name in enumerate(names, 1))
    many = "several performers are" if matching else "no performer is"
    raise BVHError(f"{many} called {performer!r}: choose one by its number or name, {listed}")


def _find_bodies(clip: BVHClip) -> tuple[list[list[int]], list[_Source]]:
    """Return the groups of joints that hang together, and those among them that are bodies.

    Raises:
        BVHError: If there is no body.
    """
    hierarchy = clip.hierarchy
    first, _ = clip.pose_joints(range(len(hierarchy.names)), slice(1))
    groups = [group for root in hierarchy.children(NONE) for group in _split_tree(clip, root)]
    everything = list(range(len(hierarchy.names)))
    if len(groups) == 1:
        groups = [everything]
    sources = []
    for joints in groups:
        if len(joints) >= _LEAST_JOINTS:
            source = _Source(joints, _map_joints(clip, joints, first[0]))
            sources += [] if source.mapping.missing else [source]
    if not sources:
        sources = [_Source(everything, _map_joints(clip, everything, first[0]))]
        if sources[0].mapping.missing:
            missing = ", ".join(sources[0].mapping.missing)
            raise BVHError(
                f"no bone found for {missing}: export a whole body, with joints named as in a"
                " common rig (Mixamo, SMPL, Xsens, ...)"
            )
        # Rigs whose limbs have roots of their own hang together by their motion only.
        groups = [everything]
    return groups, sources


def _split_tree(clip: BVHClip, root: int) -> list[list[int]]:
    """Return the joints below a root, apart where the root may carry several bodies.

    Blender makes a root without channels of an armature that has several root bones; others hang
    two performers on one reference.
    """
    hierarchy = clip.hierarchy
    branches = [hierarchy.subtree(child) for child in hierarchy.children(root)]
    large = sum(len(branch) >= _LEAST_JOINTS for branch in branches)
    is_armature = len(branches) > 1 and large and not hierarchy.has_channels(root)
    return branches if is_armature or large > 1 else [hierarchy.subtree(root)]


def _note_choice(
    clip: BVHClip, groups: list[list[int]], sources: list[_Source], notes: list[str]
) -> None:
    names = clip.hierarchy.names
    taken = sources[0].joints[0]
    others = [source.joints[0] for source in sources[1:]]
    props = [g[0] for g in groups if g[0] != taken and g[0] not in others]
    if others:
        notes.append(
            f"the file holds {len(sources)} bodies: read the first, {names[taken]!r}, and left out"
            f" {_list_names(names, others)}; choose another one by its name or number"
            f' (performer="{names[others[0]]}", --performer="{names[others[0]]}") if that is wrong'
        )
    if props:
        notes.append(
            f"read the body {names[taken]!r} and left out {_list_names(names, props)}, which is"
            " no body"
        )


def _list_names(names: list[str], joints: list[int]) -> str:
    shown = ", ".join(repr(names[joint]) for joint in joints[:3])
    return shown + (f" and {len(joints) - 3} more" if len(joints) > 3 else "")


def _map_joints(clip: BVHClip, joints: list[int], positions: np.ndarray) -> BoneMapping:
    """Map the joints of one body; the mapping counts all joints of the file."""
    hierarchy = clip.hierarchy
    place = {joint: index for index, joint in enumerate(joints)}
    # Shapes are told from the first frame: a zero pose may have all its bones along one line.
    mapping = map_bones(
        [hierarchy.names[joint] for joint in joints],
        [place.get(hierarchy.parents[joint], NONE) for joint in joints],
        positions[joints],
    )
    bones = np.where(mapping.bones == NONE, NONE, np.array(joints)[mapping.bones])
    _place_reversed_spine(bones, hierarchy.parents)
    return BoneMapping(mapping.family, bones, mapping.confidence, warnings=mapping.warnings)


def _place_reversed_spine(bones: np.ndarray, parents: list[int]) -> None:
    """Put the joints between hips and neck on the three spine joints where the hips hang lowest.

    A mapping counts the bones from the hips up to the neck; SlimeVR hangs the body on its head.
    """
    top = int(bones[INDEX["neck"]] if bones[INDEX["neck"]] != NONE else bones[INDEX["head"]])
    bone, path = int(bones[INDEX["hips"]]), []
    while bone != NONE and (bone := parents[bone]) not in (NONE, top):
        path.append(bone)
    if bone == NONE or not path:
        return
    bones[INDEX["lower_spine"]] = path[0] if len(path) > 1 else NONE
    bones[INDEX["middle_spine"]] = path[len(path) // 2] if len(path) > 2 else NONE
    bones[INDEX["chest"]] = path[-1]


def _pose_body(clip: BVHClip, source: _Source) -> FileBody:
    bones = source.mapping.bones
    present = bones != NONE
    bones = np.maximum(bones, 0)
    needed = set()
    for bone in bones[present].tolist():
        while bone != NONE and bone not in needed:
            needed.add(bone)
            bone = clip.hierarchy.parents[bone]
    joints = sorted(needed)
    positions, matrices = clip.pose_joints(joints)
    places = np.searchsorted(joints, bones) * present
    return FileBody(
        bones,
        present,
        clip.parents,
        clip.hierarchy.ends,
        clip.pose_zero(),
        positions[:, places],
        matrices[:, places],
    )


def _decide_up(
    clip: BVHClip,
    body: FileBody,
    zero_rest: RestPose | None,
    times: np.ndarray,
    notes: list[str],
) -> str:
    """Return the up axis: that of the zero pose unless the motion disproves it."""
    zero = body.zero[body.bones]
    up = find_standing_axis(zero)
    if up is None and zero_rest is not None:
        up = name_nearest_axis(zero[INDEX["head"]] - zero[_ANKLES].mean(0))
    positions = body.positions
    if up is None:
        guess = guess_up(positions)
        if not guess.is_clear:
            notes.append(
                "neither the zero pose nor the motion surely says which way is up: assumed"
                f" {_override(guess.name, 'y' if guess.name != 'y' else 'z')} if that is wrong"
            )
        return guess.name
    up = _turn_with_root(clip, body, up)
    shares = {name: measure_upright(positions, name) for name in UP_AXES}
    rival = max(shares, key=lambda name: shares[name])
    if rival == up or shares[rival] < _MOSTLY or shares[up] > _SELDOM:
        return up
    is_disproved = zero_rest is None or (
        rival in _USUAL and is_walking_upright(positions, times, rival)
    )
    chosen, other = (rival, up) if is_disproved else (up, rival)
    notes.append(
        f"the zero pose stands along {up}, but the body along {rival} in"
        f" {shares[rival]:.0%} of the frames: assumed {_override(chosen, other)} if that is wrong"
    )
    return chosen


def _override(name: str, other: str) -> str:
    return f'that {name} is up; set the up axis (up="{other}", --up={other})'


def _turn_with_root(clip: BVHClip, body: FileBody, up: str) -> str:
    """Return the up axis of a file whose joints above the hips turn the whole body for good.

    Programs that exchange Y and Z do so by a root that is turned by 90 degrees.
    """
    above: list[int] = []
    joint = clip.hierarchy.parents[int(body.bones[0])]
    while joint != NONE:
        above.insert(0, joint)
        joint = clip.hierarchy.parents[joint]
    if not above or not body.is_above(int(body.bones[0]), int(body.bones[INDEX["head"]])):
        return up
    _, matrices = clip.pose_joints(above)
    turn = np.eye(3)
    for matrix in matrices.swapaxes(0, 1):
        if np.abs(matrix - matrix[0]).max() > _STILL:
            break
        turn = matrix[0]
    turned = name_nearest_axis(turn @ UP_AXES[up], 0.99)
    if turned is None or turned == up:
        return up
    is_usual = turned == "y" or measure_upright(body.positions, turned) > 0.5
    return turned if is_usual else up
