# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files as programs write them: other axes, units, channel orders, zero poses and joints."""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS
from ssrhmr_core.formats.bvh import BVHError, load_bvh, save_bvh
from ssrhmr_core.formats.units import UNITS
from tests.core.drawn import motions
from tests.core.formats.bvh_files import (
    A_POSE,
    FACING_X,
    HANGING,
    ORDERS,
    Convention,
    along_one_axis,
    axes_of,
    pose,
    write,
)
from tests.mixamo_names import MIXAMO

Z_UP, X_UP = axes_of("z"), axes_of("x")


def same(loaded: Motion, motion: Motion, degrees: float = 0.5, metres: float = 1e-3) -> None:
    """Hold the loaded motion against the written one."""
    assert len(loaded) == len(motion)
    assert np.allclose(loaded.times, motion.times, atol=1e-4)
    assert np.abs(loaded.positions() - motion.positions()).max() < metres
    assert angles(loaded.matrices(), motion.matrices()).max() < degrees


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Geodesic distances in degrees of rotations (..., 3, 3)."""
    trace = np.trace(a.swapaxes(-1, -2).astype(float) @ b, axis1=-2, axis2=-1)
    return np.degrees(np.arccos(np.clip(0.5 * (trace - 1.0), -1.0, 1.0)))


FINGERS = tuple(
    (f"{side}HandIndex1", INDEX[f"{side.lower()}_wrist"], (sign * 0.09, 0.0, 0.01))
    for side, sign in (("Left", 1.0), ("Right", -1.0))
)

CONVENTIONS = {
    "centimetres": Convention(),
    "decimetres": Convention(unit=UNITS["dm"]),
    "feet": Convention(unit=UNITS["ft"]),
    "a hundred times too large": Convention(unit=1e-4),
    "a hundred times too small": Convention(unit=100.0),
    "-y up": Convention(axes=axes_of("-y")),
    "-z up": Convention(axes=axes_of("-z")),
    "-x up": Convention(axes=axes_of("-x")),
    "hinges": Convention(hinges=("left_knee", "right_knee")),
    "rotations before positions": Convention(rotations_first=True, everywhere=True),
    "channels of end sites": Convention(end_channels=True),
    "turned sockets": Convention(socket=30.0),
    "positions differ from offsets": Convention(everywhere=True, offset_scale=0.8),
    "offsets are zero": Convention(everywhere=True, offset_scale=0.0),
    "root without channels": Convention(has_wrapper=True),
    "root that exchanges y and z": Convention(has_wrapper=True, wrapper=axes_of("z").T),
    "metres": Convention(unit=1.0),
    "millimetres": Convention(unit=0.001),
    "inches": Convention(unit=UNITS["in"]),
    "acclaim": Convention(unit=UNITS["acclaim"]),
    "z up": Convention(axes=Z_UP),
    "x up": Convention(axes=X_UP),
    "mixed orders": Convention(orders=ORDERS),
    "six channels": Convention(everywhere=True, orders=("xyz",)),
    "a-pose": Convention(zero=A_POSE),
    "z up, a-pose, inches": Convention(axes=Z_UP, zero=A_POSE, unit=UNITS["in"]),
    "zero pose faces x": Convention(zero=FACING_X),
    # Arms that hang straight down leave their twist to convention: here, as ours, palms keep
    # facing the thighs' way by a turn in the plane of the body. See test_twist_of_hanging_arms.
    "hanging arms": Convention(zero=HANGING),
    "fingers": Convention(extras=FINGERS),
    "namespace": Convention(names=tuple(f"mixamorig:{name}" for name in MIXAMO)),
    "names with spaces": Convention(names=tuple(name.replace("Left", "Left ") for name in MIXAMO)),
    "keywords in names": Convention(
        names=("MOTION_Hips", *(f"MOTION_{name}" for name in MIXAMO[1:])),
    ),
    "unknown names": Convention(names=tuple(f"bone_{i}" for i in range(22)), axes=Z_UP),
    "ours": Convention(names=JOINTS, unit=1.0),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_conventions(tmp_path: Path, motion: Motion, name: str) -> None:
    same(load_bvh(write(tmp_path / "clip.bvh", motion, CONVENTIONS[name])), motion)


@pytest.mark.parametrize("unit", ["m", "cm", "mm"])
@pytest.mark.parametrize("size", [0.5, 0.7, 1.25])
def test_children_in_metric_units(tmp_path: Path, motion: Motion, unit: str, size: float) -> None:
    """A child in centimetres is as large as an adult in inches would be."""
    child = Motion(motion.skeleton.scaled(size), motion.times, motion.rotations, motion.root * size)
    how = Convention(zero=HANGING, unit=UNITS[unit])
    same(load_bvh(write(tmp_path / "clip.bvh", child, how)), child)


@st.composite
def conventions(draw: st.DrawFn) -> Convention:
    """Any axes, unit, orders of channels and leaves that are no joints."""
    parents = st.sampled_from([joint for joint in range(22) if joint not in (13, 17, 21)])
    places = st.tuples(*[st.floats(-0.05, 0.05)] * 3)
    leaves = draw(st.lists(st.tuples(parents, places), max_size=6))
    return Convention(
        axes=draw(st.sampled_from([np.eye(3), Z_UP, X_UP])),
        unit=draw(st.sampled_from(sorted(UNITS.values()))),
        zero=draw(st.sampled_from([pose(), A_POSE, FACING_X])),
        orders=tuple(draw(st.lists(st.sampled_from(ORDERS), min_size=1, max_size=22))),
        everywhere=draw(st.booleans()),
        extras=tuple((f"Prop{n}", joint, place) for n, (joint, place) in enumerate(leaves)),
        names=draw(st.sampled_from([tuple(MIXAMO), JOINTS, tuple(f"Hero:{n}" for n in MIXAMO)])),
    )


@given(motion=motions(small=0.8, large=0.9), how=conventions())
def test_any_convention(tmp_path: Path, motion: Motion, how: Convention) -> None:
    """Of people: what is taller than 2.05 m in inches passes for a child in centimetres.

    Small people in rare units pass for others; who has such files names the unit.
    """
    rare = how.unit in (UNITS["acclaim"], UNITS["dm"], UNITS["ft"])
    path = write(tmp_path / "clip.bvh", motion, how)
    same(load_bvh(path, unit=how.unit if rare else None), motion, metres=2e-3)


@given(motion=motions(small=0.8, large=1.1))
def test_any_motion_is_written_and_read(tmp_path: Path, motion: Motion) -> None:
    save_bvh(tmp_path / "clip.bvh", motion)
    loaded = load_bvh(tmp_path / "clip.bvh")
    same(loaded, motion, degrees=0.1, metres=1e-4)
    assert np.abs(loaded.skeleton.offsets - motion.skeleton.offsets).max() < 1e-5


def test_twist_of_hanging_arms(tmp_path: Path, motion: Motion) -> None:
    """With palms turned in the zero pose only the twist of the arms differs."""
    zero = pose(left_shoulder=(0, 0, -90), right_shoulder=(0, 0, 90))
    arms = [INDEX[f"{s}_{p}"] for s in ("left", "right") for p in ("shoulder", "elbow", "wrist")]
    zero[arms] = quat.to_matrix(quat.from_scaled_angle_axis(np.array([0, 0.8, 0]))) @ zero[arms]
    loaded = load_bvh(write(tmp_path / "clip.bvh", motion, Convention(zero=zero)))
    assert np.abs(loaded.positions() - motion.positions()).max() < 1e-3
    others = [joint for joint in range(22) if joint not in arms]
    apart = angles(loaded.matrices(), motion.matrices())
    assert apart[:, others].max() < 0.5
    assert np.allclose(apart[:, arms], np.degrees(0.8), atol=0.5)


def test_bones_along_one_axis(tmp_path: Path, motion: Motion) -> None:
    """No body can stand in such a zero pose: the frame that stands best takes its place."""
    rotations = motion.rotations.copy()
    rotations[30] = (1.0, 0.0, 0.0, 0.0)
    motion = Motion(motion.skeleton, motion.times, rotations, motion.root)
    how = Convention(zero=along_one_axis(motion), axes=Z_UP)
    same(load_bvh(write(tmp_path / "clip.bvh", motion, how)), motion)


def test_save_and_load(tmp_path: Path, motion: Motion) -> None:
    save_bvh(tmp_path / "clip.bvh", motion)
    same(load_bvh(tmp_path / "clip.bvh"), motion, degrees=0.1, metres=1e-5)


@pytest.mark.parametrize("rate", [24.0, 29.97, 30.0, 60.0, 120.0, 240.0])
def test_clock_is_kept(tmp_path: Path, motion: Motion, rate: float) -> None:
    """Six decimals of a frame time do not add up to another clock."""
    times = np.arange(len(motion)) / rate
    save_bvh(tmp_path / "clip.bvh", Motion(motion.skeleton, times, motion.rotations, motion.root))
    assert abs(load_bvh(tmp_path / "clip.bvh").rate / rate - 1.0) < (
        1e-9 if rate % 1 == 0 else 2e-5
    )


def test_single_frame(tmp_path: Path, motion: Motion) -> None:
    one = motion.at(motion.times[:1])
    same(load_bvh(write(tmp_path / "clip.bvh", one, Convention())), one)


def edited(edit: Callable[[str], str]) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        path.write_bytes(edit(path.read_text(encoding="utf-8")).encode("utf-8"))

    return apply


SPELLINGS = {
    "bom": edited(lambda text: "\ufeff" + text),
    "crlf": edited(lambda text: text.replace("\n", "\r\n")),
    "tabs": edited(lambda text: text.replace(" ", "\t").replace("End\tSite", "End Site")),
    "braces on the line": edited(lambda text: text.replace("\n{", " {")),
    "blank lines": edited(lambda text: text.replace("\n", "\n\n")),
    "lower case": edited(str.lower),
    "scientific": edited(
        lambda text: "\n".join(
            " ".join(f"{float(x):.9e}" for x in line.split()) if line[:1] in "-0123456789" else line
            for line in text.splitlines()
        )
    ),
    "no last line feed": edited(str.rstrip),
    "duplicate names": edited(lambda text: text.replace("HandIndex1", "Hand")),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(tmp_path: Path, motion: Motion, name: str) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention(extras=FINGERS))
    SPELLINGS[name](path)
    same(load_bvh(path), motion)


def test_packed(tmp_path: Path, motion: Motion) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    packed = tmp_path / "clip.bvh.xz"
    packed.write_bytes(lzma.compress(path.read_bytes()))
    same(load_bvh(packed), motion)
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(BVHError, match=r"clip\.bvh\.xz: damaged xz"):
        load_bvh(packed)


def test_a_small_file_that_unpacks_to_a_large_one(tmp_path: Path) -> None:
    path = tmp_path / "clip.bvh.xz"
    path.write_bytes(lzma.compress(bytes(140_000_000), preset=0))
    assert path.stat().st_size < 100_000
    with pytest.raises(BVHError, match="over 134 MB when unpacked"):
        load_bvh(path)


def shift_number(text: str) -> str:
    """Move the first number of the last row but one to the end of the row before it."""
    *lines, first, second, last = text.splitlines()
    number, _, rest = second.partition(" ")
    return "\n".join([*lines, f"{first} {number}", rest, last])


DAMAGES = {
    "cut in the header": (edited(lambda t: t[:900]), "cut off before its motion begins"),
    "empty": (edited(lambda t: ""), "cut off before its motion begins"),
    "another format": (
        edited(lambda t: "solid cube\nfacet normal 0 0 1\n"),
        "line 1: 'solid' stands where HIERARCHY belongs",
    ),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "not a text file"),
    "not a number": (edited(lambda t: t.rstrip()[:-3] + "abc\n"), r"line \d+"),
    "no number": (
        edited(lambda t: t.rstrip().rsplit(" ", 1)[0] + " nan\n"),
        "line 284 holds nan: write a number there, or delete the line",
    ),
    "infinite": (
        edited(lambda t: t.rstrip().rsplit(" ", 1)[0] + " -inf\n"),
        "line 284 holds -inf: write a number there",
    ),
    "no number in an offset": (
        edited(lambda t: re.sub(r"(?m)^OFFSET \S+", "OFFSET nan", t)),
        r"line 4: 'nan' is not a number",
    ),
    "a frame too short": (
        edited(lambda t: t.replace(t.splitlines()[-9] + "\n", "1 2 3\n")),
        r"line 276 holds 3 numbers where the joints have 69 channels: mend that line",
    ),
    "one number too few and one too many": (edited(shift_number), "line 282 holds 70 numbers"),
    "words among the frames": (
        edited(lambda t: t.replace(t.splitlines()[-9] + "\n", "see below\n")),
        r"line 276 holds 'see' where a number belongs",
    ),
    "no frames": (edited(lambda t: t[: t.index("Frame Time")] + "Frame Time: 0.01\n"), "no frames"),
    "time runs backwards": (edited(lambda t: t.replace("0.016667", "-0.1")), "frame time"),
    "nothing moves": (
        edited(lambda t: re.sub("CHANNELS .*", "CHANNELS 0", t)),
        "no joint has channels",
    ),
    "unknown channel": (
        edited(lambda t: t.replace("Zrotation", "Wrotation", 1)),
        r"line 5: 'Wrotation' is none of the channels",
    ),
    "brace missing": (edited(lambda t: t.replace("}", "", 1)), r"line \d+: a joint above"),
    "channels missing": (
        edited(lambda t: t.replace("CHANNELS 3 Zrotation Xrotation Yrotation\n", "", 1)),
        r"line \d+: a joint above",
    ),
    "odd channels": (edited(lambda t: t.replace("CHANNELS 3", "CHANNELS 4", 1)), "channels"),
    "two axes alike": (
        edited(lambda t: t.replace("Xrotation Yrotation", "Xrotation Xrotation", 1)),
        "channels",
    ),
    "no number of channels": (
        edited(lambda t: t.replace("CHANNELS 3 Zrotation Xrotation Yrotation", "CHANNELS", 1)),
        "channels",
    ),
    "channels twice": (
        edited(lambda t: re.sub(r"(?m)^(CHANNELS 3.*\n)", r"\1\1", t, count=1)),
        r"line \d+: 'CHANNELS' does not belong here",
    ),
    "joint in an end": (
        edited(lambda t: t.replace("End Site\n{\n", "End Site\n{\nJOINT x\n", 1)),
        r"line \d+: 'JOINT' does not belong here",
    ),
    "joint without a block": (
        edited(lambda t: t.replace("JOINT", "JOINT x\nJOINT", 1)),
        r"line \d+: 'JOINT' does not belong here",
    ),
    "end before the root": (
        edited(lambda t: t.replace("ROOT", "End Site\nROOT", 1)),
        "'END' does not belong here",
    ),
    "too deep": (
        edited(
            lambda t: t.replace(
                "JOINT",
                "JOINT x\n{\nOFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n" * 3000,
            )
        ),
        "over 2000 joints",
    ),
    "no time between frames": (edited(lambda t: t.replace("0.016667", "1e-320")), "frame time"),
    "hours between frames": (edited(lambda t: t.replace("0.016667", "1e5")), "frame time"),
    "too large": (
        edited(lambda t: t.rstrip().rsplit(" ", 1)[0] + " 1e300\n"),
        "line 284 holds 1e\\+300, which is over a billion",
    ),
    "offset too large": (
        edited(lambda t: re.sub(r"(?m)^OFFSET \S+", "OFFSET 1e300", t)),
        "line 4: '1e300' is not a number below a billion",
    ),
    "digits of another script": (
        edited(lambda t: t.rstrip().rsplit(" ", 1)[0] + " １２\n"),
        "line 284 holds '１２' where a number belongs",
    ),
    "no size": (
        edited(lambda t: re.sub(r"(?m)^OFFSET .*", "OFFSET 0 0 0", t)),
        r"clip\.bvh: ",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damages(tmp_path: Path, motion: Motion, name: str) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    damage, message = DAMAGES[name]
    damage(path)
    with pytest.raises(BVHError, match=message) as error:
        load_bvh(path)
    assert str(error.value).startswith("clip.bvh")


def test_no_body(tmp_path: Path) -> None:
    path = tmp_path / "box.bvh"
    path.write_text(
        "HIERARCHY\nROOT box\n{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation"
        " Xrotation Yrotation\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\nMOTION\nFrames: 1\n"
        "Frame Time: 0.01\n0 0 0 0 0 0\n"
    )
    with pytest.raises(BVHError, match=r"box\.bvh: no bone found for hips, left_hip"):
        load_bvh(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_bvh(tmp_path / "none.bvh")


SETS = ("cmu_amc", "cmu_mb", "cmu_daz", "cmu_fbx", "accad", "mhad", "fair1")


@pytest.mark.parametrize("name", SETS)
def test_corpus(corpus: Path, name: str) -> None:
    """A clip of each set: a body of sound size that stands on the floor, facing where it should."""
    path = min((corpus / name).rglob("*.bvh.xz"), key=lambda file: (file.stat().st_size, file))
    motion = load_bvh(path)
    positions = motion.positions()
    assert np.isfinite(positions).all()
    assert 0.6 < motion.skeleton.size < 1.8
    assert (motion.skeleton.present.sum() >= 19) and motion.skeleton.present[0]
    assert abs(np.percentile(positions[..., 1].min(1), 10)) < 0.2
    assert (motion.skeleton.t_pose()[[4, 8], 2] > motion.skeleton.t_pose()[[3, 7], 2]).all()
