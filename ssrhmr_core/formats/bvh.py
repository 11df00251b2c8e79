# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files, read and written through upc-pymotion.

Any zero pose, up axis and unit is turned into the core's conventions on the way in.
"""

from __future__ import annotations

import lzma
import re
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from pymotion.io.bvh import BVH
from pymotion.rotations import quat_np as quat

from ..body.motion import Motion
from ..body.rest_pose import RestPose, is_standing, read_rest_pose
from ..body.skeleton import INDEX, JOINTS, PARENTS, inherit_missing
from ..geometry.arrays import normalize
from ..geometry.rotations import between, rotate, transpose
from ..rigs.bone_mapping import NONE, BoneMapping, map_bones
from .errors import MotionFileError

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "acclaim": 0.0254 / 0.45}
"""Metres in one unit of a file; "acclaim" is CMU's own inch over 0.45."""

_ADULT_SIZE, _CHILD_SIZE = 1.4, 0.64
"""Of a man, and of a child of 0.9 m, metres; see :attr:`Skeleton.size`."""
_STEP_DIGITS = 6e-7
_SHORTEST, _LONGEST = 1e-5, 1.0
"""Seconds from frame to frame."""
_LARGEST = 1e6
"""Units, or degrees: more is damage, and would overflow."""
_MOST_BYTES = 1 << 27
"""Of an unpacked file: an hour at 60 frames a second is as much."""
_MOST_JOINTS = 2000
_NOT_WHOLE = "a joint above has no end, no offset or no channels"
_PLACES = ["Xposition", "Yposition", "Zposition"]
_TURNS = ["Xrotation", "Yrotation", "Zrotation"]


class BVHError(MotionFileError):
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
    text, names = _cleaned(_text(path), path.name)
    reader = BVH()
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder) / "clean.bvh"
        clean.write_text(text, encoding="ascii")
        reader.load(str(clean))
    data = reader.data
    rotations, local, parents, _, _, _ = reader.get_data()
    parents = np.where(np.arange(len(parents)) == 0, NONE, parents)
    positions, matrices = _global(rotations, local, parents)
    # Shapes are told from the first frame: a zero pose may have all its bones along one line.
    mapping = map_bones(names, list(parents), positions[0])
    if mapping.missing:
        missing = ", ".join(mapping.missing)
        raise BVHError(
            f"{path.name}: no bone found for {missing}: export a whole body, with joints named as"
            " in a common rig (Mixamo, SMPL, Xsens, ...)"
        )
    try:
        return _to_motion(data, parents, positions, matrices, mapping)
    except ValueError as error:
        raise BVHError(f"{path.name}: {error}: export a whole body") from error


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


def _text(path: Path) -> str:
    """Read a file, packed or not.

    Raises:
        BVHError: if it is not a text file or its packing is damaged.
    """
    try:
        if path.suffix.lower() == ".xz":
            with lzma.open(path) as packed:
                content = packed.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                most = f"{_MOST_BYTES / 1e6:.0f} MB"
                raise BVHError(f"{path.name}: over {most} when unpacked: cut the take in two")
        else:
            content = path.read_bytes()
        return content.decode("utf-8-sig")
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise BVHError(f"{path.name}: damaged xz file ({error}): copy it again") from error
    except UnicodeDecodeError as error:
        raise BVHError(f"{path.name}: not a text file: choose a .bvh") from error


def _cleaned(text: str, name: str) -> tuple[str, list[str]]:
    """Check a file and spell it the one way that pymotion's reader takes.

    That reader knows no names with spaces, no keyword inside a name and one spelling of keywords,
    and takes a file that was cut off for a shorter or a motionless clip.

    Returns:
        The text with joints called by their number, and their names.

    Raises:
        BVHError: naming the file, the line and what is wrong there.
    """
    header = _Header()
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if not header.step:
                header.read(line)
            elif words := line.split():
                _check_frame(words, header.channels)
                rows.append(line)
        except ValueError as error:
            raise BVHError(
                f"{name}, line {number}: {error}: mend that line, or export the file again"
            ) from error
    if not header.step:
        raise BVHError(
            f"{name}: not a BVH file, or cut off before its motion begins: export it again"
        )
    if len(rows) != header.frames or not rows:
        raise BVHError(
            f"{name}: {header.frames} frames are announced and {len(rows)} are there;"
            " the file was cut off: export it again"
        )
    return "\n".join([*header.lines, *rows, ""]), header.names


def _check_frame(words: list[str], channels: int) -> None:
    values = np.array(words, float)
    known = len(values) == channels and (np.abs(values) <= _LARGEST).all()
    # Python takes the digits of other scripts for numbers as well.
    if not known or not all(word.isascii() for word in words):
        raise ValueError(
            f"{len(values)} numbers where {channels} below a million belong;"
            " the file is damaged or was cut off"
        )


class _Header:
    """What stands before the frames of a file.

    Attributes:
        lines: the same in pymotion's spelling.
        names: of the joints.
        channels: number of values in a frame.
        frames: number of frames announced.
        step: seconds from frame to frame; 0 until the last line of the header was read.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: list[str] = []
        self.channels = 0
        self.frames = 0
        self.step = 0.0
        # Keyword of each block that has begun and not ended, and what it still lacks.
        self._open: list[tuple[str, set[str]]] = []

    def read(self, line: str) -> None:
        """Take in a line.

        Raises:
            ValueError: if it makes no sense.
        """
        for part in re.split(r"([{}])", line):
            if words := part.split(maxsplit=1):
                self._read(words[0].upper(), words[1].strip() if len(words) > 1 else "")

    def _read(self, keyword: str, rest: str) -> None:
        match keyword:
            case "HIERARCHY":
                self.lines.append(keyword)
            case "MOTION":
                self._check_whole()
                self.lines.append(keyword)
            case "{":
                self._take(keyword)
                self.lines.append(keyword)
            case "}":
                if not self._open or self._open.pop()[1]:
                    raise ValueError(_NOT_WHOLE)
                self.lines.append(keyword)
            case "ROOT" | "JOINT":
                if (keyword == "ROOT") == bool(self.names):
                    raise ValueError("a file must hold one body, from one root")
                if len(self.names) == _MOST_JOINTS:
                    raise ValueError(f"over {_MOST_JOINTS} joints are no body")
                self._begin(keyword, {"{", "OFFSET", "CHANNELS"})
                self.lines.append(f"{keyword} {len(self.names)}")
                self.names.append(rest)
            case "END":
                self._begin(keyword, {"{", "OFFSET"})
                self.lines.append("End Site")
            case "OFFSET":
                self._take(keyword)
                offset = np.array(rest.split(), float)
                if len(offset) != 3 or not (np.abs(offset) <= _LARGEST).all():
                    raise ValueError("an offset needs three numbers below a million")
                self.lines.append("OFFSET {!r} {!r} {!r}".format(*offset.tolist()))
            case "CHANNELS":
                self._take(keyword)
                words = [word.capitalize() for word in rest.split()]
                places, turns = words[1:-3], words[-3:]
                if words[:1] not in (["3"], ["6"]) or int(words[0]) != len(words) - 1:
                    raise ValueError("joints need 3 or 6 channels")
                if sorted(turns) != _TURNS or sorted(places) not in ([], _PLACES):
                    raise ValueError("channels must be rotations, or positions and then rotations")
                self.channels += len(words) - 1
                self.lines.append(" ".join(["CHANNELS", *words]))
            case "FRAMES:":
                self._check_whole()
                self.frames = int(rest)
                self.lines.append(f"Frames: {self.frames}")
            case "FRAME":
                step = float(rest.partition(":")[2])
                if not _SHORTEST <= step <= _LONGEST:
                    raise ValueError(
                        f"the frame time is {step:g} s, not {_SHORTEST:g} to {_LONGEST:g}"
                    )
                self._check_whole()
                # Files give six decimals: a frame too many in quarter of an hour at 60 a second.
                even = 1.0 / max(round(1.0 / step), 1)
                self.step = even if abs(even - step) < _STEP_DIGITS else step
                self.lines.append(f"Frame Time: {self.step!r}")
            case _:
                raise ValueError(f"{keyword!r} does not belong here")

    def _begin(self, keyword: str, lacks: set[str]) -> None:
        """Open a block within that of a joint, or the first."""
        above, above_lacks = self._open[-1] if self._open else ("END", set())
        if keyword != "ROOT" and (above == "END" or "{" in above_lacks):
            raise ValueError(f"{keyword!r} does not belong here")
        self._open.append((keyword, lacks))

    def _take(self, keyword: str) -> None:
        """Note that the innermost block has something, once and after its brace."""
        lacks = self._open[-1][1] if self._open else set()
        if keyword not in lacks or (keyword != "{" and "{" in lacks):
            raise ValueError(f"{keyword!r} does not belong here")
        lacks.remove(keyword)

    def _check_whole(self) -> None:
        if not self.names or self._open:
            raise ValueError(_NOT_WHOLE)


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
    unit = _unit_of(rest.skeleton.size)

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


def _unit_of(size: float) -> float:
    """Return metres in one unit of a file in which a body has a :attr:`Skeleton.size`.

    A child measured in centimetres is as large as an adult in inches would be: where a metric unit
    makes a possible body, it is taken.
    """
    for name in ("m", "cm", "mm"):
        if _CHILD_SIZE <= size * UNITS[name] <= _ADULT_SIZE:
            return UNITS[name]
    return min(UNITS.values(), key=lambda unit: abs(np.log(size * unit / _ADULT_SIZE)))


def _read(
    data: dict,
    points: np.ndarray,
    matrices: np.ndarray,
    bones: np.ndarray,
    present: np.ndarray,
    up: np.ndarray | None,
) -> RestPose:
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

    return read_rest_pose(
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
    rest: RestPose,
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
