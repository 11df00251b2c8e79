"""BVH files, read and written through upc-pymotion.

Any zero pose, up axis and unit is turned into the core's conventions on the way in.
"""

from __future__ import annotations

import lzma
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
from pymotion.io.bvh import BVH
from pymotion.rotations import quat_np as quat

from ..arrays import between, normalize, rotate, transpose
from ..mapping import NONE, BoneMapping, map_bones
from ..motion import Motion
from ..rest import MissingJointError, Rest, is_standing, read_rest
from ..skeleton import INDEX, JOINTS, PARENTS, inherit_missing

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "acclaim": 0.0254 / 0.45}
"""Metres in one unit of a file; "acclaim" is CMU's own inch over 0.45."""

_ADULT_SIZE = 1.4


class BVHError(ValueError):
    """A file is not a complete BVH motion of a human body; the message says where and why."""


def load_bvh(path: str | Path) -> Motion:
    """Read a ``.bvh`` or ``.bvh.xz`` file.

    The up axis is the one along which the body stands most of the time, the unit the one that
    makes it most like an adult.

    Raises:
        BVHError: if the file is damaged, incomplete, or not a human body.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    with _plain_text(path) as plain:
        _check(plain, path.name)
        reader = BVH()
        reader.load(str(plain))
    data = reader.data
    rotations, local, parents, _, _, _ = reader.get_data()
    parents = np.where(np.arange(len(parents)) == 0, NONE, parents)
    positions, matrices = _global(rotations, local, parents)
    mapping = map_bones(list(data["names"]), list(parents), _rest_positions(data, parents))
    if mapping.missing:
        raise BVHError(f"{path.name}: no bone found for " + ", ".join(mapping.missing))
    try:
        return _to_motion(data, parents, positions, matrices, mapping)
    except (MissingJointError, ValueError) as error:
        raise BVHError(f"{path.name}: {error}") from error


def save_bvh(path: str | Path, motion: Motion) -> None:
    """Write a motion as BVH: 22 joints, canonical T-pose as zero pose, metres, Y up.

    Frames are taken as evenly spaced at the motion's mean rate.
    """
    # pymotion writes depth first in index order, which is the order of the joints here.
    order = np.tile(np.array(["z", "y", "x"]), (len(JOINTS), 1))
    local = motion.local_rotations().astype(np.float64)
    frames = len(motion)
    positions = np.tile(motion.skeleton.offsets.astype(np.float64), (frames, 1, 1))
    positions[:, 0] = motion.root
    ends = [joint for joint in range(len(JOINTS)) if joint not in PARENTS]
    writer = BVH()
    writer.data = {
        "names": np.array(JOINTS),
        "offsets": motion.skeleton.offsets.astype(np.float64),
        "end_sites": np.array([_end_site(motion, joint) for joint in ends]),
        "end_sites_parents": np.array(ends),
        "parents": np.maximum(PARENTS, 0),
        "rot_order": order,
        "channels": np.array([6] + [3] * (len(JOINTS) - 1)),
        "positions": positions,
        "rotations": np.degrees(quat.to_euler(local, np.tile(order, (frames, 1, 1)))),
        "frame_time": 1.0 / motion.rate,
    }
    # Written beside and moved, so that an interrupted run leaves no half file.
    partial = Path(f"{path}.partial")
    writer.save(str(partial))
    partial.replace(path)


def _end_site(motion: Motion, joint: int) -> np.ndarray:
    """Place a nominal fingertip, toe tip or crown."""
    size = motion.skeleton.size
    if "toe" in JOINTS[joint]:
        return np.array([0.0, 0.0, 0.04 * size])
    if JOINTS[joint] == "head":
        return np.array([0.0, 0.12 * size, 0.0])
    return np.array([(0.06 if "left" in JOINTS[joint] else -0.06) * size, 0.0, 0.0])


@contextmanager
def _plain_text(path: Path) -> Iterator[Path]:
    """Give the path of an uncompressed copy of the file, or of the file itself."""
    if path.suffix != ".xz":
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / path.stem
        try:
            plain.write_bytes(lzma.decompress(path.read_bytes()))
        except (lzma.LZMAError, EOFError) as error:
            raise BVHError(f"{path.name}: damaged xz file ({error})") from error
        yield plain


def _check(path: Path, name: str) -> None:
    """Refuse what pymotion's reader would take for a shorter or a motionless clip.

    Raises:
        BVHError: naming the file, the line and what is wrong there.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BVHError(f"{name}: not a text file") from error
    channels = frames = None
    depth = count = 0
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        try:
            match words[0]:
                case "{":
                    depth += 1
                case "}":
                    depth -= 1
                case "CHANNELS":
                    if len(words) != 2 + int(words[1]) or int(words[1]) not in (3, 6):
                        raise BVHError(f"{name}, line {number}: joints need 3 or 6 channels")
                    channels = (channels or 0) + int(words[1])
                case "Frames:":
                    frames = int(words[1])
                case "Frame":
                    if not float(words[2]) > 0.0:
                        raise BVHError(f"{name}, line {number}: the frame time is not positive")
                case "HIERARCHY" | "ROOT" | "JOINT" | "End" | "OFFSET" | "MOTION":
                    pass
                case _ if frames is not None:
                    values = np.array(words, float)
                    if len(values) != channels or not np.isfinite(values).all():
                        raise BVHError(
                            f"{name}, line {number}: {len(values)} numbers where {channels} finite"
                            " ones belong; the file is damaged or was cut off"
                        )
                    count += 1
        except (ValueError, IndexError) as error:
            if isinstance(error, BVHError):
                raise
            raise BVHError(f"{name}, line {number}: cannot be read ({error})") from error
    if channels is None or frames is None or depth:
        raise BVHError(f"{name}: not a BVH file, or cut off before its motion begins")
    if count != frames or frames < 1:
        raise BVHError(
            f"{name}: {frames} frames are announced and {count} are there; the file was cut off"
        )


def _rest_positions(data: dict, parents: np.ndarray) -> np.ndarray:
    points = np.zeros((len(parents), 3))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            points[joint] = points[parent] + data["offsets"][joint]
    return points


def _global(
    rotations: np.ndarray, local: np.ndarray, parents: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Global positions (F, J, 3) and rotation matrices (F, J, 3, 3) of every joint of a file."""
    matrices = quat.to_matrix(rotations)
    positions = local.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            turn = matrices[:, parent]
            positions[:, joint] = positions[:, parent] + rotate(turn, local[:, joint])
            matrices[:, joint] = turn @ matrices[:, joint]
    return positions, matrices


def _to_motion(
    data: dict,
    parents: np.ndarray,
    positions: np.ndarray,
    matrices: np.ndarray,
    mapping: BoneMapping,
) -> Motion:
    bones, present = np.maximum(mapping.bones, 0), mapping.bones != NONE
    up = _world_up(positions, bones)
    rest_points = _rest_positions(data, parents)
    rest = _read(data, rest_points, np.eye(3), bones, present, None)
    if not is_standing(rest):
        still = _most_upright(positions, bones, up)
        rest = _read(data, positions[still], matrices[still], bones, present, up)
        matrices = matrices @ transpose(matrices[still])
    unit = min(UNITS.values(), key=lambda u: abs(np.log(rest.skeleton.size * u / _ADULT_SIZE)))

    world = between(up, np.array([0.0, 1.0, 0.0]))
    turned = rest.to_canonical(world @ matrices[:, bones])
    _aim_collapsed(turned, rotate(world, positions[:, bones]), rest, bones, present, parents)
    inherit_missing(turned, present)
    return Motion(
        rest.skeleton.scaled(unit),
        np.arange(len(turned)) * float(data["frame_time"]),
        quat.normalize(quat.from_matrix(turned)).astype(np.float32),
        (rotate(world, positions[:, bones[0]]) * unit).astype(np.float32),
    )


def _read(
    data: dict,
    points: np.ndarray,
    matrices: np.ndarray,
    bones: np.ndarray,
    present: np.ndarray,
    up: np.ndarray | None,
) -> Rest:
    """Read the rest pose off joint positions (J, 3), with the end sites turned by ``matrices``."""

    def ends(names: tuple[str, str]) -> np.ndarray:
        found = np.full((2, 3), np.nan)
        for side, name in enumerate(names):
            sites = np.flatnonzero(data["end_sites_parents"] == bones[INDEX[name]])
            if present[INDEX[name]] and len(sites):
                bone = bones[INDEX[name]]
                turn = matrices if matrices.ndim == 2 else matrices[bone]
                found[side] = points[bone] + turn @ data["end_sites"][sites[0]]
        return found

    return read_rest(
        points[bones],
        present,
        hand_ends=ends(("left_wrist", "right_wrist")),
        toe_ends=ends(("left_ankle", "right_ankle")),
        up=up,
    )


def _world_up(positions: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """Axis of the file along which the head is over the feet most of the time."""
    feet = positions[:, bones[[INDEX["left_ankle"], INDEX["right_ankle"]]]].mean(1)
    rise = np.median(normalize(positions[:, bones[INDEX["head"]]] - feet), axis=0)
    axis = int(np.argmax(np.abs(rise)))
    return np.eye(3)[axis] * np.sign(rise[axis])


def _most_upright(positions: np.ndarray, bones: np.ndarray, up: np.ndarray) -> int:
    """Frame in which the body stands straightest: legs and trunk long and vertical."""
    chosen = positions[:, bones]
    feet = chosen[:, [INDEX["left_ankle"], INDEX["right_ankle"]]]
    hips = chosen[:, [INDEX["left_hip"], INDEX["right_hip"]]]
    height = (hips - feet) @ up
    return int(np.argmax(height.min(1) + (chosen[:, INDEX["head"]] - chosen[:, 0]) @ up))


def _aim_collapsed(
    turned: np.ndarray,
    positions: np.ndarray,
    rest: Rest,
    bones: np.ndarray,
    present: np.ndarray,
    parents: np.ndarray,
) -> None:
    """Aim spine and neck joints at the next joint where the source has more joints between.

    Longer chains (two-bone necks, four-bone spines) bend inside what is one bone here; aiming
    keeps the joint above, and so the head, in place to a few millimetres.
    """
    offsets = rest.skeleton.offsets
    chain = [j for j in range(INDEX["lower_spine"], INDEX["head"] + 1) if present[j]]
    for joint, following in pairwise(chain):
        if parents[bones[following]] == bones[joint]:
            continue
        rigid = normalize(rotate(turned[:, joint], offsets[joint + 1 : following + 1].sum(0)))
        seen = normalize(positions[:, following] - positions[:, joint])
        turned[:, joint] = between(rigid, seen) @ turned[:, joint]
