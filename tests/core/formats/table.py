# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files of many kinds against their truth: ``python -m tests.core.formats.table``.

Writes a motion that is made here in many ways: units, up axes, channel orders, encodings, poses and
faults, in all combinations that a seed draws. Each file is read back and its joints are compared
with the motion. Prints, for each property, how many files were right, right with a warning, refused
with a message, wrong with a warning, and wrong in silence, which none may be.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.formats.bvh import BVHError, load_bvh
from ssrhmr_core.formats.orientation import UP_AXES
from ssrhmr_core.formats.units import UNITS
from tests.core.conftest import make_motion, make_skeleton
from tests.core.formats.bvh_files import (
    A_POSE,
    FACING_X,
    HANGING,
    ORDERS,
    Convention,
    FileJoint,
    along_one_axis,
    axes_of,
    format_bvh,
    make_joints,
    pose,
    standing,
    tilted,
)

OUTCOMES = ("right", "right, warned", "refused", "wrong, warned", "wrong in silence")
_NEAR, _BRIDGED = 2e-3, 0.03
"""Metres that a joint may be off, and in frames that had to be bridged."""

_UNITS = {name: UNITS[name] for name in UNITS} | {"0.1 mm": 1e-4, "100 m": 100.0}
_POSES: dict[str, tuple[tuple[float, float, float], float]] = {
    "upright": ((0.0, 0.0, 0.0), 0.0),
    "lying": ((-90.0, 0.0, 0.0), 0.1),
    "lying aside": ((0.0, 0.0, 90.0), 0.1),
    "handstand": ((180.0, 0.0, 0.0), 0.9),
    "pitched": ((55.0, 0.0, 0.0), 0.5),
}
_ZERO_POSES = {"T": pose(), "A": A_POSE, "facing X": FACING_X, "arms down": HANGING}
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp932", "gb18030", "latin-1")


@dataclass(frozen=True)
class Fault:
    """Something about a file that is out of the ordinary.

    Attributes:
        how: Changes how the motion is written.
        text: Changes the text.
        joints: Changes the joints of the file.
        lost: Frames that the reader has to bridge.
        left_out: How many of the last frames are not in the file.
        rate: Frames a second that the reader may assume instead of the truth.
    """

    how: Callable[[Convention], Convention] = lambda how: how
    text: Callable[[str], str] = str
    joints: Callable[[list[FileJoint]], list[FileJoint]] = list
    lost: tuple[int, ...] = ()
    left_out: int = 0
    rate: float = 0.0


def _announce(frames: int) -> Callable[[str], str]:
    return lambda text: re.sub("Frames: .*", f"Frames: {frames}", text)


def _clock(step: str) -> Callable[[str], str]:
    return lambda text: re.sub("Frame Time: .*", f"Frame Time: {step}", text)


def _split_rows(text: str) -> str:
    head, mark, rest = text.partition("Frame Time:")
    clock, *rows = rest.splitlines()
    halves = [part for row in rows for part in _halves(row.split())]
    return "\n".join([head + mark + clock, *halves])


def _halves(words: list[str]) -> tuple[str, str]:
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def _throw_away(joints: list[FileJoint]) -> list[FileJoint]:
    root = next(joint for joint in joints if joint.positions is not None)
    assert root.positions is not None
    root.positions = root.positions.copy()
    size = np.abs(root.positions).max()
    root.positions[5:8] = 1500.0 * size
    return joints


def _with_prop(joints: list[FileJoint]) -> list[FileJoint]:
    frames = next(len(j.rotations) for j in joints if j.rotations is not None)
    still = np.tile(np.eye(3), (frames, 1, 1))
    return [*joints, FileJoint("Ball", -1, np.zeros(3), still, np.zeros((frames, 3)))]


def _with_partner(joints: list[FileJoint]) -> list[FileJoint]:
    first = len(joints)
    return [
        *joints,
        *(
            replace(j, name=f"B_{j.name}", parent=j.parent + first if j.parent >= 0 else -1)
            for j in joints
        ),
    ]


FAULTS: dict[str, Fault] = {
    "none": Fault(),
    "one frame more announced": Fault(text=_announce(25)),
    "one frame less announced": Fault(text=_announce(23)),
    "no frames announced": Fault(text=_announce(0)),
    "last row cut": Fault(text=lambda text: text.rstrip()[:-150], left_out=1),
    "frame time 0": Fault(text=_clock("0"), rate=30.0),
    "frame time is a rate": Fault(text=_clock("60")),
    "frame time in ms": Fault(text=_clock("16.667")),
    "decimal commas": Fault(text=lambda text: re.sub(r"(\d)\.(\d)", r"\1,\2", text)),
    "comment": Fault(text=lambda text: "# made by hand\n" + text + "# the end\n"),
    "rows split": Fault(text=_split_rows),
    "windows": Fault(text=lambda text: text.replace("\n", "\r\n")),
    "tabs, lower case": Fault(text=lambda text: text.lower().replace(" ", "\t")),
    "not a number": Fault(text=lambda text: text.rstrip().rsplit(" ", 1)[0] + " nan\n"),
    "row damaged": Fault(
        text=lambda text: "\n".join(
            row[:40] if number == len(text.splitlines()) - 4 else row
            for number, row in enumerate(text.splitlines())
        )
    ),
    "thrown away": Fault(joints=_throw_away, lost=(5, 6, 7)),
    "prop": Fault(joints=_with_prop),
    "two performers": Fault(joints=_with_partner),
    "armature without channels": Fault(how=lambda how: replace(how, has_wrapper=True)),
    "rotations first": Fault(how=lambda how: replace(how, rotations_first=True)),
    "hinges": Fault(how=lambda how: replace(how, hinges=("left_knee", "right_knee"))),
    "channels of end sites": Fault(how=lambda how: replace(how, end_channels=True)),
    "sockets": Fault(how=lambda how: replace(how, socket=25.0)),
    "positions, not offsets": Fault(
        how=lambda how: replace(how, everywhere=True, offset_scale=0.85)
    ),
}


@dataclass(frozen=True)
class Case:
    """One file: the values of each property by which the table is broken down."""

    unit: str
    up: str
    pose: str
    zero: str
    orders: tuple[str, ...]
    encoding: str
    fault: str


def draw_case(random: np.random.Generator) -> Case:
    """Draw one combination; the ordinary is more common than the rest."""

    def choose(values: list[str], ordinary: float) -> str:
        return values[0 if random.random() < ordinary else int(random.integers(len(values)))]

    orders = tuple(str(order) for order in random.choice(ORDERS, int(random.integers(1, 4))))
    fault = str(random.choice(list(FAULTS)))
    zero = choose([*_ZERO_POSES, "bones along X"], 0.5)
    if fault == "hinges":  # A hinge is one about X only in our own axes.
        return Case("cm", "y", choose(list(_POSES), 0.5), "T", orders, "utf-8", fault)
    # Without a zero pose nothing says how somebody is meant who never stands up.
    pose_name = "upright" if zero == "bones along X" else choose(list(_POSES), 0.3)
    return Case(
        choose(["cm", *_UNITS], 0.1),
        choose(list(UP_AXES), 0.1),
        pose_name,
        zero,
        orders,
        choose(list(_ENCODINGS), 0.4),
        fault,
    )


def write_case(path: Path, case: Case, base: Motion) -> Motion:
    """Write the file of a case; return the motion that is in it."""
    rotvec, height = _POSES[case.pose]
    motion = tilted(base, rotvec, height)
    fault = FAULTS[case.fault]
    zero = along_one_axis(motion) if case.zero == "bones along X" else _ZERO_POSES[case.zero]
    how = fault.how(
        Convention(
            axes=axes_of(case.up), unit=_UNITS[case.unit], zero=zero.copy(), orders=case.orders
        )
    )
    joints = make_joints(motion, how)
    text = format_bvh(
        fault.joints(joints),
        motion.rate,
        rotations_first=how.rotations_first,
        end_channels=how.end_channels,
    )
    mark = {"cp932": "左右", "gb18030": "左右", "latin-1": "é"}.get(case.encoding, "")
    text = (f"# {mark}\n" if mark else "") + fault.text(text)
    path.write_bytes(text.encode(case.encoding))
    kept = len(motion) - fault.left_out
    times = motion.times if not fault.rate else np.arange(len(motion)) / fault.rate
    return replace(
        motion, times=times[:kept], rotations=motion.rotations[:kept], root=motion.root[:kept]
    )


def judge_case(path: Path, truth: Motion, lost: tuple[int, ...]) -> tuple[str, str]:
    """Read a file; return one of :data:`OUTCOMES`, and what there is to say about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            loaded = load_bvh(path)
        except BVHError as error:
            return "refused", str(error)
    said = " | ".join(str(warning.message) for warning in caught)
    limits = np.full(len(truth), _NEAR)
    limits[list(lost)] = _BRIDGED
    is_right = len(loaded) == len(truth) and abs(loaded.rate / truth.rate - 1.0) < 1e-3
    if is_right:
        apart = np.linalg.norm(loaded.positions() - truth.positions(), axis=-1).max(1)
        is_right = bool((apart < limits).all())
    if is_right:
        return ("right, warned" if caught else "right"), said
    return ("wrong, warned" if caught else "wrong in silence"), said


def run_table(folder: Path, count: int, seed: int = 0) -> list[tuple[Case, str, str]]:
    """Write, read and judge so many files."""
    random = np.random.default_rng(seed)
    bases = [
        standing(make_motion(make_skeleton(), 24), 0.15),
        make_motion(make_skeleton(), 24, seed=5),
    ]
    judged = []
    for number in range(count):
        case = draw_case(random)
        # A zero pose that says nothing needs frames in which somebody stands.
        base = bases[0] if case.zero == "bones along X" else bases[number % 2]
        path = folder / f"{number}.bvh"
        truth = write_case(path, case, base)
        judged.append((case, *judge_case(path, truth, FAULTS[case.fault].lost)))
        path.unlink()
    return judged


def print_table(judged: list[tuple[Case, str, str]]) -> None:
    """Print the outcomes by each property."""
    print(f"{'':34}" + "".join(f"{outcome:>17}" for outcome in OUTCOMES))
    for prop in ("unit", "up", "pose", "zero", "encoding", "fault"):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for case, outcome, _ in judged:
            counts[getattr(case, prop)][outcome] += 1
        for value, outcomes in sorted(counts.items()):
            print(f"{prop:9}{value:25}" + "".join(f"{outcomes[o]:17}" for o in OUTCOMES))
    total = Counter(outcome for _, outcome, _ in judged)
    print(f"{'all':34}" + "".join(f"{total[outcome]:17}" for outcome in OUTCOMES))
    for case, outcome, said in judged:
        if outcome.startswith("wrong"):
            print(f"{outcome}: {case}: {said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=600, help="files")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        judged = run_table(Path(folder), chosen.count, chosen.seed)
    print_table(judged)
    if any(outcome == "wrong in silence" for _, outcome, _ in judged):
        raise SystemExit("some files were read wrong without a warning")


if __name__ == "__main__":
    main()
