# SPDX-License-Identifier: GPL-3.0-or-later
"""From an archive of SMPL to the motion of the 22 joints."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ...body.motion import Motion
from ...body.rest_pose import RestPose, read_rest_pose
from ...body.skeleton import INDEX, JOINTS, Skeleton, forward_kinematics
from ...files import ArchiveError, list_arrays, read_arrays
from ..errors import MotionFileError, MotionFileWarning
from ..orientation import UP_AXES, guess_up, parse_up, rotation_to_y_up
from ..standing import infer_up
from ..units import UNITS, parse_unit
from .arrays import AGAIN, read_frame_rate, read_pose_parts, read_translation, to_matrices
from .body import BODY, JOINT_ORDER, read_body_positions
from .spellings import Source, find_source

_CHUNK = 8192
"""Frames converted at once, which bounds the memory for matrices in double precision."""
_SAMPLED_FRAMES = 2000
"""Frames from which axes and units are inferred."""
_LARGEST_LEVEL, _LEVEL_TOLERANCE = 10.0, 0.5
"""Metres from the zero level at which a floor in metres may be, and a floor in another unit."""
_FASTEST_BODY = 20.0
"""Metres a second; nobody is faster for long."""
_SET_UNIT = 'set the unit (unit="cm", --unit=cm) if that is wrong'


class SmplError(MotionFileError):
    """An archive is damaged or holds no SMPL motion; the message says what is wrong."""


@dataclass(frozen=True)
class _Clip:
    """A motion in the axes of its archive.

    Attributes:
        skeleton: The body.
        rate: Frames a second.
        rotations: (F, 22, 4) float32 quaternions, global, from the canonical T-pose.
        pelvis: (3,) metres from SMPL's origin; translations are those of the origin, which does
            not turn with the pelvis.
        translation: (F, 3) in the unit of the archive.
    """

    skeleton: Skeleton
    rate: float
    rotations: np.ndarray
    pelvis: np.ndarray
    translation: np.ndarray


def load_smpl(
    path: str | Path,
    *,
    up: str | None = None,
    unit: str | float | None = None,
    smpl_joints: str | Path | None = None,
) -> Motion:
    """Read SMPL, SMPL+H or SMPL-X motion from an ``.npz``.

    Args:
        path: The archive. Python objects in it are never unpacked; those that are not part of the
            motion do not matter.
        up: The up axis, such as "z" or "-y". If None, it is inferred from the format and from how
            the body stands.
        unit: The unit of the translation, a name or metres; if None, it is inferred. SMPL's bodies
            are in metres.
        smpl_joints: An ``.npz`` with ``J_template`` (J, 3) and ``J_shapedirs`` (J, 3, B), the
            joints of a body model at rest and how they move with ``betas``. A motion without betas
            gets the body of ``J_template``. If None, the body is an average one.

    Raises:
        SmplError: An archive is damaged, holds no motion, or needs a decision by the user.
        MotionFileError: ``up`` or ``unit`` is unknown.
        OSError: An archive cannot be opened.
    """
    path = Path(path)
    up, metres = parse_up(up), parse_unit(unit)
    try:
        source = find_source(list_arrays(path))
        arrays = read_arrays(path, source.names)
        clip = _read_clip(arrays, source, smpl_joints)
        motion, notes = _to_motion(clip, source, up, metres)
    except ArchiveError as error:
        raise SmplError(f"{path.name}: cannot be read ({error}): {AGAIN}") from error
    except ValueError as error:
        raise SmplError(f"{path.name}: {error}") from error
    for note in notes:
        warnings.warn(f"{path.name}: {note}", MotionFileWarning, stacklevel=2)
    return motion


def _read_clip(
    arrays: dict[str, np.ndarray], source: Source, smpl_joints: str | Path | None
) -> _Clip:
    """Put the arrays of an archive together.

    Raises:
        ValueError: The arrays make no motion.
        OSError: The table of joints cannot be opened.
    """
    parts = read_pose_parts(arrays, source)
    frames = len(parts[0])
    translation = read_translation(arrays, source, frames)
    rate = read_frame_rate(arrays, source)
    body = read_body_positions(smpl_joints, arrays, source)
    positions = np.empty((len(JOINTS), 3))
    positions[JOINT_ORDER] = body
    rest = read_rest_pose(positions, np.ones(len(JOINTS), bool), up=UP_AXES["y"])
    rotations = np.empty((frames, len(JOINTS), 4), np.float32)
    for begin in range(0, frames, _CHUNK):
        chunk = slice(begin, begin + _CHUNK)
        rotations[chunk] = _global_rotations([part[chunk] for part in parts], rest)
    return _Clip(rest.skeleton, rate, rotations, body[0], translation)


def _global_rotations(parts: list[np.ndarray], rest: RestPose) -> np.ndarray:
    """Convert local poses of SMPL to global rotations (F, 22, 4) from the canonical T-pose.

    Raises:
        ValueError: Matrices are not rotations.
    """
    local = np.concatenate([to_matrices(part) for part in parts], 1)
    matrices = np.empty((len(local), len(JOINTS), 3, 3))
    for joint, (_, parent, _) in enumerate(BODY):
        above = matrices[:, JOINT_ORDER[parent]] if parent >= 0 else np.eye(3)
        matrices[:, JOINT_ORDER[joint]] = above @ local[:, joint]
    return quat.normalize(quat.from_matrix(rest.to_canonical(matrices))).astype(np.float32)


def _to_motion(
    clip: _Clip, source: Source, up: str | None, metres: float | None
) -> tuple[Motion, list[str]]:
    """Bring a clip to metres and Y up.

    Args:
        clip: The clip in the axes and the unit of its archive.
        source: Where it comes from.
        up: The up axis that the user names, or None.
        metres: Length of a unit that the user names, or None.

    Returns:
        The motion, and messages for the user about what was assumed.

    Raises:
        ValueError: The user must name the axis or the unit.
    """
    sampled = slice(None, None, max(len(clip.rotations) // _SAMPLED_FRAMES, 1))
    matrices = quat.to_matrix(clip.rotations[sampled])
    # The body without its way through the room, in metres.
    body = forward_kinematics(matrices, clip.pelvis, clip.skeleton.offsets)
    translation = clip.translation[sampled, None]
    notes = [source.rate_note] if source.rate_note else []
    chosen = up
    if chosen is None:
        chosen, note = _infer_up(body, translation * (metres or 1.0), source)
        notes += note
    if metres is None:
        metres, note = _infer_metres(body, translation, chosen)
        notes += note
    root = metres * clip.translation + clip.pelvis
    times = np.arange(len(root)) / clip.rate
    _check_speed(root, times)
    rotation = rotation_to_y_up(chosen)
    rotations = quat.mul(quat.from_matrix(rotation), clip.rotations)
    motion = Motion(
        clip.skeleton, times, rotations.astype(np.float32), (root @ rotation.T).astype(np.float32)
    )
    return motion, notes


def _infer_up(body: np.ndarray, translation: np.ndarray, source: Source) -> tuple[str, list[str]]:
    """Return the up axis of the archive, and notes for the user.

    Raises:
        ValueError: Neither the format nor the body says.
    """
    hips = body[:, INDEX["hips"]]
    ankles = body[:, [INDEX["left_ankle"], INDEX["right_ankle"]]].mean(1)
    directions = np.stack([hips - ankles, body[:, INDEX["head"]] - hips], 1)
    up, agrees = infer_up(directions, body + translation, source.up)
    if up is None:
        raise ValueError(
            'nothing says which way is up, as the body hardly ever stands: set the axis (up="y",'
            " --up=y)"
        )
    notes = []
    if source.camera:
        notes.append(
            "the motion is relative to a camera: assumed that it stands still and level; export the"
            " motion in the world if you can"
        )
    # The floor, which counts here, speaks for another axis in some motions of lying bodies.
    agrees = agrees and guess_up(body + translation).name == up
    override = f'set the axis (up="{source.up or "y"}", --up={source.up or "y"}) if that is wrong'
    if up == source.up and not agrees:
        override = 'set the axis (up="y", --up=y) if that is wrong'
        notes.append(f"the body hardly ever stands: assumed that {up} is up; {override}")
    elif up != source.up and (source.up or not agrees):
        usual = f", not {source.up} as usual in such files" if source.up else ""
        notes.append(f"the body stands along {up}: assumed that this is up{usual}; {override}")
    return up, notes


def _infer_metres(body: np.ndarray, translation: np.ndarray, up: str) -> tuple[float, list[str]]:
    """Return the length of the translation's unit, and notes for the user."""
    heights, lowest = translation @ UP_AXES[up], (body @ UP_AXES[up]).min(1)

    def level(metres: float) -> float:
        return float(np.median(metres * heights[:, 0] + lowest))

    if abs(level(1.0)) <= _LARGEST_LEVEL:
        return 1.0, []
    for unit in ("cm", "mm"):
        if abs(level(UNITS[unit])) <= _LEVEL_TOLERANCE:
            note = (
                f"the body is {level(1.0):,.0f} units above the floor: assumed {unit}; {_SET_UNIT}"
            )
            return UNITS[unit], [note]
    return 1.0, [f"the body is {level(1.0):,.0f} units above the floor: assumed m; {_SET_UNIT}"]


def _check_speed(root: np.ndarray, times: np.ndarray) -> None:
    """Check that a body can move like that.

    Raises:
        ValueError: Nobody can.
    """
    if len(root) < 3:
        return
    speeds = np.linalg.norm(np.diff(root, axis=0), axis=-1) / np.diff(times)
    usual = float(np.percentile(speeds, 90.0))
    if usual > _FASTEST_BODY:
        raise ValueError(
            f'the body moves at {usual:,.0f} m/s: set the unit of the translation (unit="cm",'
            " --unit=cm), or correct the frame rate"
        )
