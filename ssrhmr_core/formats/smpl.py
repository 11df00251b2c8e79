# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL, SMPL+H and SMPL-X motion in archives (.npz), in the spellings that projects use.

AMASS, smplx, AIST++, GVHMR, WHAM and 4D-Humans name and shape the same things differently. Only
the rotations of the 22 body joints and the translation are read. Body models are licensed, so none
comes with this package: the body is an average one with SMPL's joints, unless the caller has a
table of joints by shape, see :func:`load_smpl`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.motion import Motion
from ..body.rest_pose import RestPose, read_rest_pose
from ..body.skeleton import INDEX, JOINTS, Skeleton, forward_kinematics
from ..files import ArchiveError, list_arrays, read_arrays
from ..geometry.rotations import transpose
from .errors import MotionFileError, MotionFileWarning
from .orientation import UP_AXES, guess_up, parse_up, rotation_to_y_up
from .standing import infer_up
from .units import UNITS, parse_unit

# SMPL's joints in its order: name here, index of the parent, metres from it in the zero pose
# (arms out, legs a little apart, facing +Z with +Y up). The first row is where SMPL's origin sees
# the pelvis; translations are those of the origin.
_BODY: tuple[tuple[str, int, tuple[float, float, float]], ...] = (
    ("hips", -1, (0.0, -0.22, 0.03)),
    ("left_hip", 0, (0.06, -0.09, -0.01)),
    ("right_hip", 0, (-0.06, -0.09, -0.01)),
    ("lower_spine", 0, (0.0, 0.12, -0.04)),
    ("left_knee", 1, (0.04, -0.38, 0.0)),
    ("right_knee", 2, (-0.04, -0.38, 0.0)),
    ("middle_spine", 3, (0.0, 0.14, 0.02)),
    ("left_ankle", 4, (-0.02, -0.42, -0.04)),
    ("right_ankle", 5, (0.02, -0.42, -0.04)),
    ("chest", 6, (0.0, 0.06, 0.0)),
    ("left_toe", 7, (0.04, -0.06, 0.13)),
    ("right_toe", 8, (-0.04, -0.06, 0.13)),
    ("neck", 9, (0.0, 0.21, -0.03)),
    ("left_clavicle", 9, (0.08, 0.11, -0.02)),
    ("right_clavicle", 9, (-0.08, 0.11, -0.02)),
    ("head", 12, (0.0, 0.09, 0.05)),
    ("left_shoulder", 13, (0.12, 0.05, -0.01)),
    ("right_shoulder", 14, (-0.12, 0.05, -0.01)),
    ("left_elbow", 16, (0.26, -0.01, -0.03)),
    ("right_elbow", 17, (-0.26, -0.01, -0.03)),
    ("left_wrist", 18, (0.26, 0.01, -0.01)),
    ("right_wrist", 19, (-0.26, 0.01, -0.01)),
)
_BODY_ORDER = np.array([INDEX[name] for name, _, _ in _BODY])
"""Joint here of each joint of SMPL."""

_RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "framerate", "frame_rate")
_TRANSLATIONS = ("trans", "transl", "translation")
_CAMERA_TRANSLATIONS = ("pred_cam_t", "cam_t", "pred_cam_t_full")
_WHOLE_JOINTS = (22, 24, 52, 55)
"""Joints of the body alone, SMPL, SMPL+H and SMPL-X."""
_PART_JOINTS = ((1,), (21, 23))
"""Joints of the root and of the rest of the body, without and with SMPL's two hand joints."""
_SLOWEST, _FASTEST = 1.0, 1e5
"""Frames a second."""
_LARGEST = 1e6
"""Radians or metres: larger numbers are damage, and would overflow."""
_MOST_FRAMES = 1_000_000
_CHUNK = 8192
"""Frames converted at once, which bounds the memory for matrices in double precision."""
_GVHMR_RATE = 30.0
_SAMPLED_FRAMES = 2000
"""Frames from which axes and units are inferred."""
_LARGEST_LEVEL, _LEVEL_TOLERANCE = 10.0, 0.5
"""Metres from the zero level at which a floor in metres may be, and a floor in another unit."""
_FASTEST_BODY = 20.0
"""Metres a second; nobody is faster for long."""
_SET_UNIT = 'set the unit (unit="cm", --unit=cm) if that is wrong'
_AGAIN = "download or export it again"


class SmplError(MotionFileError):
    """An archive is damaged or holds no SMPL motion; the message says what is wrong."""


@dataclass(frozen=True)
class _Spelling:
    """How a project names its arrays.

    Attributes:
        poses: The array of all poses, or those of the root and of the rest of the body.
        translations: Names of the translation; the first that the archive holds counts.
        up: The up axis by convention, or None if users of these names differ.
        scaling: An array that the translation is divided by.
        rate: Frames a second if no array says.
    """

    poses: tuple[str, ...]
    translations: tuple[str, ...] = _TRANSLATIONS
    up: str | None = None
    scaling: str = ""
    rate: float | None = None


_SPELLINGS = (
    # Translations of WHAM's camera stand beside those of the world.
    _Spelling(("pose_world",), ("trans_world",)),
    _Spelling(("root_orient", "pose_body"), up="z"),
    _Spelling(("poses",), up="z"),
    _Spelling(("smpl_poses",), ("smpl_trans",), up="y", scaling="smpl_scaling", rate=60.0),
    _Spelling(("global_orient", "body_pose"), (*_TRANSLATIONS, *_CAMERA_TRANSLATIONS)),
    _Spelling(("fullpose",)),
    _Spelling(("full_pose",)),
    _Spelling(("pose",)),
)


@dataclass(frozen=True)
class _Source:
    """The arrays of one archive that make a motion, by their full names ("" for missing ones).

    Attributes:
        poses: The one or two arrays of poses.
        translation: The translation.
        scaling: An array that the translation is divided by.
        rate: The frame rate.
        betas: The shape of the body.
        up: The up axis by convention, or None.
        camera: Whether the motion is relative to a camera.
        usual_rate: Frames a second where the archive does not say, or None.
    """

    poses: tuple[str, ...]
    translation: str
    scaling: str
    rate: str
    betas: str
    up: str | None
    camera: bool
    usual_rate: float | None

    @property
    def names(self) -> list[str]:
        """All arrays to read."""
        return [*self.poses, self.translation, self.scaling, self.rate, self.betas]


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
        path: The archive. Python objects in it are never unpacked; those beside the motion do not
            matter.
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
        source = _find_source(list_arrays(path))
        arrays = read_arrays(path, source.names)
        clip = _read_clip(arrays, source, smpl_joints)
        motion, notes = _to_motion(clip, source, up, metres)
    except ArchiveError as error:
        raise SmplError(f"{path.name}: cannot be read ({error}): {_AGAIN}") from error
    except ValueError as error:
        raise SmplError(f"{path.name}: {error}") from error
    for note in notes:
        warnings.warn(f"{path.name}: {note}", MotionFileWarning, stacklevel=2)
    return motion


# --- Which arrays -------------------------------------------------------------------------------


def _find_source(names: Sequence[str]) -> _Source:
    """Choose the arrays of a motion among the names in an archive.

    Names may have a group in front, as in ``smpl_params_global/body_pose``: motion in the world is
    preferred to motion relative to a camera.

    Raises:
        ValueError: The archive holds no motion.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        group, _, key = name.replace(".", "/").rpartition("/")
        groups.setdefault(group, {})[key] = name
    outside = groups.get("", {})
    for group in sorted(groups, key=_group_rank):
        for spelling in _SPELLINGS:
            if not all(key in groups[group] for key in spelling.poses):
                continue
            known = {**outside, **groups[group]}
            translation = _first(spelling.translations, known)
            if translation:
                return _source(spelling, group, known, translation)
            raise ValueError(
                f"poses, but no translation ({', '.join(spelling.translations)}); it holds"
                f" {_listed(names)}: add it, or export the motion in the world"
            )
    raise ValueError(
        f"no SMPL motion; it holds {_listed(names)}: save poses and trans (or global_orient,"
        " body_pose and transl), and fps, under these names with numpy.savez"
    )


def _group_rank(group: str) -> tuple[int, str]:
    if "global" in group or "world" in group:
        return 0, group
    return (2 if group else 1), group


def _source(spelling: _Spelling, group: str, known: dict[str, str], translation: str) -> _Source:
    in_world = "global" in group or "world" in group
    in_camera = not in_world and (
        "cam" in group or translation.rpartition("/")[2] in _CAMERA_TRANSLATIONS
    )
    up, usual_rate = spelling.up, spelling.rate
    if in_world:
        up = "y"
        # GVHMR works at this rate, and does not say so in its results.
        usual_rate = _GVHMR_RATE if group == "smpl_params_global" else usual_rate
    elif in_camera:
        up = "-y"
    return _Source(
        poses=tuple(known[key] for key in spelling.poses),
        translation=translation,
        scaling=known.get(spelling.scaling, ""),
        rate=_first(_RATES, known),
        betas=known.get("betas", ""),
        up=up,
        camera=in_camera,
        usual_rate=usual_rate,
    )


def _first(keys: Iterable[str], known: dict[str, str]) -> str:
    return next((known[key] for key in keys if key in known), "")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:12])
    return (shown or "nothing") + (", ..." if len(names) > 12 else "")


# --- Their numbers ------------------------------------------------------------------------------


def _numbers(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return one array of numbers of a sane size.

    Raises:
        ValueError: The array is anything else.
    """
    values = arrays[name]
    if values.dtype.kind not in "fiu" or not (np.abs(values) <= _LARGEST).all():
        raise ValueError(f"{name!r} holds values that are not finite numbers: {_AGAIN}")
    return values


def _pose_parts(arrays: dict[str, np.ndarray], source: _Source) -> list[np.ndarray]:
    """Return poses (F, J, 3) as rotation vectors or (F, J, 3, 3) as matrices, one array a part.

    Raises:
        ValueError: An array has another shape, or the parts do not go together.
    """
    joints = _PART_JOINTS if len(source.poses) == 2 else (_WHOLE_JOINTS,)
    parts = []
    for name, counts in zip(source.poses, joints, strict=True):
        values = _numbers(arrays, name)
        shape = next((shape for count in counts for shape in _pose_shapes(values, count)), None)
        if shape is None:
            raise ValueError(
                f"{name!r} of {values.shape} holds no poses of SMPL, SMPL+H or SMPL-X: save"
                " rotation vectors (frames, joints, 3) or matrices (frames, joints, 3, 3)"
            )
        parts.append(values.reshape(shape))
    if len({len(part) for part in parts}) != 1:
        raise ValueError(f"{' and '.join(source.poses)} do not go together: {_AGAIN}")
    return parts


def _pose_shapes(values: np.ndarray, joints: int) -> list[tuple[int, ...]]:
    """Return the shape that poses of so many joints are given in, if this array can be that."""
    vectors, matrices = (joints, 3), (joints, 3, 3)
    for shape in (vectors, matrices):
        flat = (int(np.prod(shape)),)
        squeezed = shape[1:] if joints == 1 else flat
        if values.shape[1:] in (shape, flat, squeezed):
            return [(len(values), *shape)]
    return []


def _to_matrices(part: np.ndarray) -> np.ndarray:
    """Convert rotation vectors (F, J, 3) to matrices (F, J, 3, 3), and check matrices.

    Raises:
        ValueError: Matrices are not rotations.
    """
    if part.ndim == 3:
        return quat.to_matrix(quat.from_scaled_angle_axis(part.astype(np.float64)))
    matrices = part.astype(np.float64)
    errors = np.abs(matrices @ transpose(matrices) - np.eye(3)).max(initial=0.0)
    if errors > 0.05 or (np.linalg.det(matrices) < 0.0).any():
        raise ValueError(f"poses hold matrices that are not rotations: {_AGAIN}")
    return matrices


def _translation(arrays: dict[str, np.ndarray], source: _Source, frames: int) -> np.ndarray:
    """Return the translation (F, 3).

    Raises:
        ValueError: The array does not fit the poses.
    """
    values = _numbers(arrays, source.translation)
    if values.shape == (frames, 1, 3):
        values = values[:, 0]
    if frames == 0 or values.shape != (frames, 3):
        raise ValueError(
            f"{frames} poses do not go with {source.translation} of {values.shape}: {_AGAIN}"
        )
    if frames > _MOST_FRAMES:
        raise ValueError(f"{frames} frames, of {_MOST_FRAMES} at most: cut the motion in two")
    if not source.scaling:
        return values.astype(np.float64)
    scaling = _numbers(arrays, source.scaling)
    if scaling.size != 1 or not scaling.item() > 0.0:
        raise ValueError(f"{source.scaling!r} is not a positive number: {_AGAIN}")
    return values / float(scaling.item())


def _frame_rate(arrays: dict[str, np.ndarray], source: _Source) -> float:
    """Return frames a second.

    Raises:
        ValueError: The archive does not say.
    """
    if not source.rate and source.usual_rate:
        return source.usual_rate
    rate = arrays[source.rate] if source.rate else np.zeros(0)
    if rate.size != 1 or rate.dtype.kind not in "fiu" or not _SLOWEST <= rate.item() <= _FASTEST:
        raise ValueError(
            "no frame rate: add it, as in numpy.savez(NEW, **numpy.load(OLD), fps=30.0)"
        )
    return float(rate.item())


# --- The body -----------------------------------------------------------------------------------


def _body_positions(
    smpl_joints: str | Path | None, arrays: dict[str, np.ndarray], source: _Source
) -> np.ndarray:
    """Return the joints (22, 3) of the body at rest, seen from SMPL's origin, in SMPL's order.

    Raises:
        ValueError: The table or the shape cannot be used.
        OSError: The table cannot be opened.
    """
    if smpl_joints is None:
        positions = np.zeros((len(_BODY), 3))
        for joint, (_, parent, offset) in enumerate(_BODY):
            positions[joint] = offset if parent < 0 else positions[parent] + offset
        return positions
    path = Path(smpl_joints)
    try:
        table = read_arrays(path, ["J_template", "J_shapedirs"])
        template = _numbers(table, "J_template").astype(np.float64)
        directions = _numbers(table, "J_shapedirs").astype(np.float64)
        if template.ndim != 2 or template.shape[1] != 3 or len(template) < len(_BODY):
            raise ValueError(f"'J_template' of {template.shape} is not (joints, 3)")
        if directions.shape[:-1] != template.shape:
            raise ValueError(f"'J_shapedirs' of {directions.shape} is not (joints, 3, betas)")
    except KeyError as error:
        raise ValueError(f"{path.name} has no {error}: make the table of joints again") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}: make the table of joints again") from error
    betas = _betas(arrays, source)[: directions.shape[-1]]
    return (template + directions[..., : len(betas)] @ betas)[: len(_BODY)]


def _betas(arrays: dict[str, np.ndarray], source: _Source) -> np.ndarray:
    """Return the shape (B,) of the body; the median over frames where each has its own.

    Raises:
        ValueError: The array holds no shape.
    """
    if not source.betas:
        return np.zeros(0)
    betas = _numbers(arrays, source.betas).astype(np.float64)
    if betas.ndim == 0 or betas.size == 0:
        raise ValueError(f"{source.betas!r} of {betas.shape} holds no shape: {_AGAIN}")
    return np.median(betas.reshape(-1, betas.shape[-1]), axis=0)


def _read_clip(
    arrays: dict[str, np.ndarray], source: _Source, smpl_joints: str | Path | None
) -> _Clip:
    """Put the arrays of an archive together.

    Raises:
        ValueError: The arrays make no motion.
        OSError: The table of joints cannot be opened.
    """
    parts = _pose_parts(arrays, source)
    frames = len(parts[0])
    translation = _translation(arrays, source, frames)
    rate = _frame_rate(arrays, source)
    body = _body_positions(smpl_joints, arrays, source)
    positions = np.empty((len(JOINTS), 3))
    positions[_BODY_ORDER] = body
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
    local = np.concatenate([_to_matrices(part) for part in parts], 1)
    matrices = np.empty((len(local), len(JOINTS), 3, 3))
    for joint, (_, parent, _) in enumerate(_BODY):
        above = matrices[:, _BODY_ORDER[parent]] if parent >= 0 else np.eye(3)
        matrices[:, _BODY_ORDER[joint]] = above @ local[:, joint]
    return quat.normalize(quat.from_matrix(rest.to_canonical(matrices))).astype(np.float32)


# --- Its axes and unit --------------------------------------------------------------------------


def _to_motion(
    clip: _Clip, source: _Source, up: str | None, metres: float | None
) -> tuple[Motion, list[str]]:
    """Bring a clip to metres and Y up.

    Args:
        clip: The clip in the axes and the unit of its archive.
        source: Where it comes from.
        up: The up axis that the user names, or None.
        metres: Length of a unit that the user names, or None.

    Returns:
        The motion, and what the user must hear of.

    Raises:
        ValueError: Only the user can tell the axis or the unit.
    """
    sampled = slice(None, None, max(len(clip.rotations) // _SAMPLED_FRAMES, 1))
    matrices = quat.to_matrix(clip.rotations[sampled])
    # The body without its way through the room, in metres.
    body = forward_kinematics(matrices, clip.pelvis, clip.skeleton.offsets)
    translation = clip.translation[sampled, None]
    notes = []
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


def _infer_up(body: np.ndarray, translation: np.ndarray, source: _Source) -> tuple[str, list[str]]:
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
    # Few stand in some motions, and where the floor is speaks for another axis in some.
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
