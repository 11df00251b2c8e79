# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs, editors and people make of BVH files: read all the same, with a word about it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, TRACKER_JOINTS
from ssrhmr_core.formats import MotionFileError, MotionFileWarning
from ssrhmr_core.formats.bvh import BVHError, load_bvh
from ssrhmr_core.formats.bvh.clip import parse_clip
from ssrhmr_core.formats.orientation import UP_AXES
from ssrhmr_core.geometry.arrays import normalize
from ssrhmr_core.geometry.rotations import rotate, rotation_between, transpose
from ssrhmr_core.rigs import bone_mapping
from ssrhmr_core.rigs.bone_mapping import families
from tests.core.conftest import make_motion, make_skeleton
from tests.core.formats.bvh_files import (
    Convention,
    FileJoint,
    along_one_axis,
    axes_of,
    format_bvh,
    make_joints,
    standing,
    tilted,
    turn_sockets,
    write,
)
from tests.mixamo_names import MIXAMO

TRACKED = list(TRACKER_JOINTS)
JAPANESE = (
    *("センター", "左足", "左ひざ", "左足首", "左つま先", "右足", "右ひざ", "右足首", "右つま先"),
    *("下半身", "上半身", "上半身2", "首", "頭", "左肩", "左腕", "左ひじ", "左手首"),
    *("右肩", "右腕", "右ひじ", "右手首"),
)


def load(path: Path, **options: str | float) -> tuple[Motion, list[str]]:
    """Read a file, and list what it warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        motion = load_bvh(path, **options)  # type: ignore[arg-type]
    assert all(issubclass(warning.category, MotionFileWarning) for warning in caught)
    messages = [str(warning.message) for warning in caught]
    assert all(message.startswith(f"{path.name}: ") for message in messages)
    return motion, messages


def assert_same(loaded: Motion, motion: Motion, metres: float = 1e-3) -> None:
    assert len(loaded) == len(motion)
    assert np.abs(loaded.positions() - motion.positions()).max() < metres


Edit = Callable[[str], str]


def recode(encoding: str) -> Callable[[str], bytes]:
    return lambda text: text.encode(encoding)


def decimal_commas(text: str) -> str:
    return re.sub(r"(\d)\.(\d)", r"\1,\2", text)


def commas_between(text: str) -> str:
    head, mark, frames = text.partition("Frame Time:")
    clock, _, rows = frames.partition("\n")
    return head + mark + clock + "\n" + rows.replace(" ", ", ")


def split_rows(text: str) -> str:
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    halves = [[" ".join(row.split()[:40]), " ".join(row.split()[40:])] for row in lines[start:]]
    return "\n".join([*lines[:start], *(part for pair in halves for part in pair)])


def wrapped_rows(text: str) -> str:
    head, _, rows = text.partition("0.016667\n")
    words = rows.split()
    lines = [" ".join(words[i : i + 10]) for i in range(0, len(words), 10)]
    return head + "0.016667\n" + "\n".join(lines)


def announce(text: str, frames: object) -> str:
    return re.sub("Frames: .*", f"Frames: {frames}", text)


def clock(text: str, step: str) -> str:
    return re.sub("Frame Time: .*", f"Frame Time: {step}", text)


HABITS: dict[str, tuple[Callable[[str], str | bytes], str | None]] = {
    "comments": (
        lambda t: "# by hand\n" + t.replace("MOTION", "// here it moves\nMOTION") + "# the end\n",
        None,
    ),
    "comment after a row": (lambda t: t.rstrip() + " # last\n", None),
    "words after the frames": (lambda t: t + "exported by X\n", None),
    "end of file mark": (lambda t: t + "\x1a", None),
    "lower case": (str.lower, None),
    "no blank after the colon": (
        lambda t: t.replace("Frames: ", "Frames:").replace("Frame Time: ", "Frame Time:"),
        None,
    ),
    "translation": (lambda t: t.replace("position", "translation"), None),
    "two lines a frame": (split_rows, None),
    "ten numbers a line": (wrapped_rows, None),
    "commas between numbers": (commas_between, None),
    "no HIERARCHY": (lambda t: t.replace("HIERARCHY\n", ""), None),
    "utf-8 with a mark": (recode("utf-8-sig"), None),
    "utf-16 with a mark": (recode("utf-16"), None),
    "utf-16 without a mark": (recode("utf-16-le"), None),
    "utf-16 of big ends": (recode("utf-16-be"), None),
    "utf-32": (recode("utf-32"), None),
    "one frame too few announced": (lambda t: announce(t, 149), "149 frames are announced and 150"),
    "one frame too many announced": (lambda t: announce(t, 151), "151 frames are announced"),
    "no frames announced": (lambda t: announce(t, 0), "0 frames are announced and 150 are there"),
    "frames not counted": (lambda t: announce(t, ""), "does not say how many frames it holds"),
    "no line with frames": (lambda t: re.sub("Frames: .*\n", "", t), "does not say how many"),
    "frame time in milliseconds": (lambda t: clock(t, "16.6667"), "16.6667, .*milliseconds"),
    "frame time is a rate": (lambda t: clock(t, "60"), "taken for frames a second"),
    "decimal commas": (decimal_commas, "decimal commas"),
}


@pytest.mark.parametrize("name", HABITS)
def test_habits(tmp_path: Path, motion: Motion, name: str) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    habit, expected = HABITS[name]
    content = habit(path.read_text(encoding="utf-8"))
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    loaded, messages = load(path)
    assert_same(loaded, motion)
    assert abs(loaded.rate / motion.rate - 1.0) < 1e-5
    if expected is None:
        assert not messages
    else:
        assert len(messages) == 1 and re.search(expected, messages[0])


@pytest.mark.parametrize(
    ("step", "rate", "expected"),
    [
        ("0", 30.0, "gives no time from frame to frame: assumed 30 .*0.016667 for 60"),
        ("", 30.0, "gives no time"),
        ("30", 30.0, "taken for frames a second, 30 frames"),
        ("29.97", 29.97, "frames a second"),
        ("33.333", 30.0, "milliseconds, 30 frames"),
        ("8.333", 120.0, "milliseconds, 120 frames"),
        ("120", 120.0, "frames a second"),
    ],
)
def test_clocks(tmp_path: Path, motion: Motion, step: str, rate: float, expected: str) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    path.write_text(clock(path.read_text(), step))
    loaded, messages = load(path)
    assert abs(loaded.rate / rate - 1.0) < 1e-3
    assert len(messages) == 1 and re.search(expected, messages[0])


def test_no_clock_at_all(tmp_path: Path, motion: Motion) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    path.write_text(re.sub("Frame Time: .*\n", "", path.read_text()))
    loaded, messages = load(path)
    assert_same(loaded, motion)
    assert loaded.rate == pytest.approx(30.0) and "gives no time" in messages[0]


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_cut_last_row(tmp_path: Path, motion: Motion, share: float) -> None:
    """Wherever it was cut; a number cut in its exponent is none."""
    path = write(tmp_path / "clip.bvh", motion, Convention())
    rows = path.read_text().splitlines()
    kept = rows[-1].split()
    kept = [*kept[: int(share * len(kept))], "1.5e-"]
    path.write_text("\n".join([*rows[:-1], " ".join(kept)]))
    loaded, messages = load(path)
    assert_same(loaded, motion.at(motion.times[:-1]))
    assert len(messages) == 1 and "line 284" in messages[0]


def test_file_cut_in_the_middle(tmp_path: Path, motion: Motion) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:-50], rows[-50][:100]]))
    loaded, messages = load(path)
    assert_same(loaded, motion.at(motion.times[:100]))
    assert len(messages) == 1 and re.search("line 235 holds .* of the 69 numbers", messages[0])


CHINESE = tuple(name.replace("Left", "左").replace("Right", "右") for name in MIXAMO)
ENCODINGS = [
    ("cp932", JAPANESE, "Shift-JIS"),
    ("gb18030", CHINESE, "GBK"),
    ("big5", CHINESE, "Big5"),
    ("euc_kr", tuple(f"왼오른{name}" for name in MIXAMO), "EUC-KR"),
    ("latin-1", tuple(f"Jürgen_{name}" for name in MIXAMO), "Latin-1"),
]


@pytest.mark.parametrize(("encoding", "names", "called"), ENCODINGS)
def test_encodings(
    tmp_path: Path, motion: Motion, encoding: str, names: tuple[str, ...], called: str
) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention(names=names))
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    loaded, messages = load(path)
    assert_same(loaded, motion)
    assert messages == [f"clip.bvh: the text is not Unicode: read as {called}"]


def prop(motion: Motion) -> FileJoint:
    frames = len(motion)
    return FileJoint(
        "Sword", -1, np.zeros(3), np.tile(np.eye(3), (frames, 1, 1)), np.full((frames, 3), 50.0)
    )


def renamed(joints: list[FileJoint], prefix: str, first: int) -> list[FileJoint]:
    return [
        replace(j, name=prefix + j.name, parent=j.parent + first if j.parent >= 0 else -1)
        for j in joints
    ]


def test_prop_beside_the_body(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    for before in (True, False):
        joints = make_joints(motion, Convention())
        joints = [prop(motion), *renamed(joints, "", 1)] if before else [*joints, prop(motion)]
        path.write_text(format_bvh(joints, motion.rate))
        loaded, messages = load(path)
        assert_same(loaded, motion)
        assert messages == ["clip.bvh: read the body 'Hips' and left out 'Sword', which is no body"]


@pytest.mark.parametrize("above", ["nothing", "armature", "reference"])
def test_two_performers(tmp_path: Path, motion: Motion, above: str) -> None:
    """The first one is read, whatever the second does; roots may hang on one without channels."""
    path = tmp_path / "clip.bvh"
    other = make_motion(motion.skeleton, seed=11)
    joints = [
        *renamed(make_joints(motion, Convention()), "A_", 0),
        *renamed(make_joints(other, Convention()), "B_", 22),
    ]
    if above != "nothing":
        turned = np.tile(np.eye(3), (len(motion), 1, 1)) if above == "reference" else None
        joints = [
            FileJoint(above, -1, np.zeros(3), turned),
            *(replace(joint, parent=joint.parent + 1) for joint in joints),
        ]
    path.write_text(format_bvh(joints, motion.rate))
    loaded, messages = load(path)
    assert_same(loaded, motion)
    assert len(messages) == 1
    assert "2 bodies: read the first, 'A_Hips', and left out 'B_Hips'" in messages[0]
    assert '--performer="B_Hips"' in messages[0]
    for performer, wanted in (("B_Hips", other), ("b_hips", other), ("2", other), ("1", motion)):
        loaded, messages = load(path, performer=performer)
        assert_same(loaded, wanted)
        assert not messages
    with pytest.raises(BVHError, match=r"called 'Carol': choose one .* 1: 'A_Hips', 2: 'B_Hips'"):
        load(path, performer="Carol")
    with pytest.raises(BVHError, match="no performer is called '3'"):
        load(path, performer="3")


def test_performers_with_the_same_names(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    other = make_motion(motion.skeleton, seed=11)
    joints = [
        *make_joints(motion, Convention()),
        *renamed(make_joints(other, Convention()), "", 22),
    ]
    path.write_text(format_bvh(joints, motion.rate))
    with pytest.raises(BVHError, match="several performers are called 'Hips': choose one by its n"):
        load(path, performer="Hips")
    assert_same(load(path, performer="2")[0], other)


def test_one_performer_may_be_named_too(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "clip.bvh"
    path.write_text(format_bvh(make_joints(motion, Convention()), motion.rate))
    assert_same(load(path, performer="Hips")[0], motion)
    with pytest.raises(BVHError, match="no performer is called 'B'"):
        load(path, performer="B")


def test_names_that_contradict_the_shape_are_reported(
    tmp_path: Path, motion: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A "leg" is the shin in nearly all rigs, and the thigh in one whose table is left out here."""
    left = tuple(family for family in families() if family.name != "SOMA (Kimodo)")
    monkeypatch.setattr(bone_mapping, "families", lambda: left)
    names = list(MIXAMO)
    for side in ("left", "right"):
        names[INDEX[f"{side}_hip"]] = f"{side.title()}Leg"
        names[INDEX[f"{side}_knee"]] = f"{side.title()}Shin"
    path = write(tmp_path / "clip.bvh", motion, Convention(names=tuple(names)))
    loaded, messages = load(path)
    assert_same(loaded, motion)
    sides = ("left", "right")
    assert messages == [
        f"clip.bvh: '{side.title()}Leg' is the {side} knee by its name, '{side.title()}Shin' by the"
        " shape: check it"
        for side in sides
    ]


def test_body_in_several_trees(tmp_path: Path, motion: Motion) -> None:
    """Rigs whose legs and trunk have roots of their own hang together by their motion only."""
    joints = make_joints(motion, Convention())
    spine = joints[INDEX["lower_spine"]]
    positions = motion.positions().astype(float) * 100.0
    spine.positions = positions[:, INDEX["lower_spine"]]
    spine.rotations = motion.matrices().astype(float)[:, INDEX["lower_spine"]]
    spine.parent = -1
    (tmp_path / "clip.bvh").write_text(format_bvh(joints, motion.rate))
    loaded, messages = load(tmp_path / "clip.bvh")
    assert_same(loaded, motion)
    assert not messages


def test_rotation_only_root(tmp_path: Path, motion: Motion) -> None:
    """The body stays where its OFFSET puts it."""
    joints = make_joints(motion, Convention())
    joints[0].positions = None
    joints[0].offset = np.array([0.0, 95.0, 0.0])
    (tmp_path / "clip.bvh").write_text(format_bvh(joints, motion.rate))
    loaded, messages = load(tmp_path / "clip.bvh")
    in_place = replace(motion, root=np.tile(np.array([0.0, 0.95, 0.0], "f4"), (len(motion), 1)))
    assert_same(loaded, in_place)
    assert not messages


def test_position_only_root(tmp_path: Path, motion: Motion) -> None:
    upright = motion.local_rotations().astype(float)
    upright[:, 0] = (1.0, 0.0, 0.0, 0.0)
    turned = upright.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        turned[:, joint] = quat.mul(turned[:, parent], upright[:, joint])
    motion = replace(motion, rotations=turned.astype("f4"))
    joints = make_joints(motion, Convention())
    joints[0].rotations = None
    (tmp_path / "clip.bvh").write_text(format_bvh(joints, motion.rate))
    loaded, messages = load(tmp_path / "clip.bvh")
    assert_same(loaded, motion)
    assert not messages


def test_two_channels(tmp_path: Path, motion: Motion) -> None:
    """Wrists that bend but do not twist."""
    local = motion.local_rotations().astype(float)
    joints = make_joints(motion, Convention())
    for side in ("left", "right"):
        joint = INDEX[f"{side}_toe"]
        angles = np.stack([0.3 * np.sin(motion.times), 0.2 * np.cos(motion.times)], -1)
        bent = quat.mul(
            quat.from_scaled_angle_axis(angles[:, :1] * np.array([0.0, 0.0, 1.0])),
            quat.from_scaled_angle_axis(angles[:, 1:] * np.array([0.0, 1.0, 0.0])),
        )
        local[:, joint] = bent
        joints[joint].rotations, joints[joint].order = quat.to_matrix(bent), "zy"
    (tmp_path / "clip.bvh").write_text(format_bvh(joints, motion.rate))
    loaded, _ = load(tmp_path / "clip.bvh")
    toes = [INDEX["left_toe"], INDEX["right_toe"]]
    apart = np.abs((loaded.local_rotations()[:, toes] * local[:, toes]).sum(-1))
    assert np.degrees(2.0 * np.arccos(np.clip(apart, 0.0, 1.0))).max() < 0.2


POSES = {
    "on the back": ((-90.0, 0.0, 0.0), 0.1),
    "on the face": ((90.0, 0.0, 0.0), 0.1),
    "on the side": ((0.0, 0.0, 90.0), 0.1),
    "handstand": ((180.0, 0.0, 0.0), 0.9),
    "pitched by 55 degrees": ((55.0, 0.0, 0.0), 0.5),
    "pitched by 80 degrees": ((80.0, 0.0, 0.0), 0.5),
    "rolled by 65 degrees": ((0.0, 0.0, 65.0), 0.5),
    "lying aslant": ((-90.0, 40.0, 0.0), 0.1),
}


@pytest.mark.parametrize("up", UP_AXES)
@pytest.mark.parametrize("name", POSES)
def test_pose_does_not_decide_about_up(tmp_path: Path, motion: Motion, up: str, name: str) -> None:
    """A zero pose that stands says which way is up, whatever the body does in the frames."""
    rotvec, height = POSES[name]
    for body in (motion, standing(motion)):
        moved = tilted(body, rotvec, height)
        path = write(tmp_path / "clip.bvh", moved, Convention(axes=axes_of(up)))
        assert_same(load(path)[0], moved)


def test_doubt_about_up_is_reported(tmp_path: Path, motion: Motion) -> None:
    lying = tilted(standing(motion), (90.0, 0.0, 0.0), 0.1)
    path = write(tmp_path / "clip.bvh", lying, Convention())
    _, messages = load(path)
    assert len(messages) == 1
    assert "zero pose stands along y, but the body along z in 100%" in messages[0]
    assert 'up="z"' in messages[0] and "--up=z" in messages[0]
    stood_up, messages = load(path, up="z")
    assert not messages
    assert stood_up.positions()[:, INDEX["head"], 1].min() > 0.4


def walk() -> Motion:
    """Four seconds of stiff legs swinging evenly, the standing foot on its place."""
    base = make_motion(make_skeleton(), 240)
    length, swing, pace = 0.9, 0.35, 1.0
    phase = (base.times * pace / (4.0 * swing * length)) % 1.0
    wave = 4.0 * np.abs(phase - 0.5) - 1.0
    turned = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (len(base), 22, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        angle = np.stack([sign * swing * wave, 0 * wave, 0 * wave], -1)
        for part in ("hip", "knee", "ankle", "toe"):
            turned[:, INDEX[f"{side}_{part}"]] = quat.from_scaled_angle_axis(angle)
    root = np.stack([0 * base.times, 0 * base.times + 0.9, pace * base.times], -1)
    return Motion(base.skeleton, base.times, turned.astype("f4"), root.astype("f4"))


def test_walk_overrules_the_zero_pose(tmp_path: Path) -> None:
    """SMPL's zero pose has Y up while AMASS has Z up: nobody walks along a wall."""
    motion = walk()
    rotated = tilted(motion, (90.0, 0.0, 0.0))
    path = write(tmp_path / "clip.bvh", rotated, Convention())
    loaded, messages = load(path)
    assert_same(loaded, motion)
    assert len(messages) == 1 and "assumed that z is up" in messages[0] and "up=y" in messages[0]
    kept, messages = load(path, up="y")
    assert_same(kept, rotated)
    assert not messages


@pytest.mark.parametrize("rotvec", [(180.0, 0.0, 0.0), (0.0, 0.0, 90.0), (-90.0, 0.0, 0.0)])
def test_walk_along_an_unusual_axis_proves_nothing(
    tmp_path: Path, rotvec: tuple[float, float, float]
) -> None:
    rotated = tilted(walk(), rotvec)
    loaded, messages = load(write(tmp_path / "clip.bvh", rotated, Convention()))
    assert_same(loaded, rotated)
    assert len(messages) == 1 and "assumed that y is up" in messages[0]


def test_walk_agrees_with_the_zero_pose(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.bvh", walk(), Convention(axes=axes_of("z")))
    loaded, messages = load(path)
    assert_same(loaded, walk())
    assert not messages


@pytest.mark.parametrize("up", ["y", "z", "x"])
def test_bones_along_one_axis_in_any_world(tmp_path: Path, motion: Motion, up: str) -> None:
    """Such a zero pose says nothing about up; the motion does."""
    motion = standing(motion)
    how = Convention(zero=along_one_axis(motion), axes=axes_of(up))
    loaded, _ = load(write(tmp_path / "clip.bvh", motion, how))
    assert_same(loaded, motion, metres=0.005)


def test_bones_along_one_axis_lying_down(tmp_path: Path, motion: Motion) -> None:
    """Half of the time on the floor, then up: the floor decides, and lying frames stay lying."""
    body = standing(motion)
    lying = tilted(body, (-90.0, 0.0, 0.0), 0.15)
    half = len(motion) // 2
    both = replace(
        motion,
        rotations=np.concatenate([lying.rotations[:half], body.rotations[half:]]),
        root=np.concatenate([lying.root[:half], body.root[half:]]),
    )
    how = Convention(zero=along_one_axis(motion))
    loaded, _ = load(write(tmp_path / "clip.bvh", both, how))
    assert np.abs(loaded.root - both.root).max() < 1e-3
    assert np.abs(loaded.positions() - both.positions()).max() < 0.01


@pytest.mark.parametrize("up", ["", "north", "w", "yy"])
def test_unknown_up(tmp_path: Path, motion: Motion, up: str) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    with pytest.raises(MotionFileError, match="choose one of x, y, z, -x, -y, -z"):
        load_bvh(path, up=up)


def test_unit_is_taken_as_named(tmp_path: Path, motion: Motion) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention(unit=0.1))
    for unit in ("dm", 0.1, "0.1"):
        loaded, messages = load(path, unit=unit)
        assert_same(loaded, motion)
        assert not messages
    loaded, messages = load(path)
    assert_same(loaded, motion)
    assert "assumed dm" in messages[0] and "--unit=" in messages[0]
    small, _ = load(path, unit="cm")
    assert small.skeleton.size == pytest.approx(0.1 * motion.skeleton.size)


@pytest.mark.parametrize("unit", ["parsec", "", 0.0, -1.0, float("nan"), float("inf")])
def test_unknown_unit(tmp_path: Path, motion: Motion, unit: float | str) -> None:
    path = write(tmp_path / "clip.bvh", motion, Convention())
    with pytest.raises(MotionFileError, match="choose m, cm, mm"):
        load_bvh(path, unit=unit)


def file_positions(path: Path, names: tuple[str, ...] = MIXAMO) -> np.ndarray:
    """Where a file of centimetres with Y up has the joints of some names, metres."""
    clip = parse_clip(path.read_text(), [])
    joints = [clip.hierarchy.names.index(name) for name in names]
    return clip.pose_joints(range(len(clip.hierarchy.names)))[0][:, joints] / 100.0


@pytest.mark.parametrize("amount", [5.0, 10.0, 15.0])
def test_sockets_that_move(tmp_path: Path, motion: Motion, amount: float) -> None:
    """LHipJoint and RHipJoint swing: legs start elsewhere in every frame, but feet stay put."""
    joints = make_joints(motion, Convention())
    turn_sockets(joints, amount * np.sin(3.0 * motion.times))
    path = tmp_path / "clip.bvh"
    path.write_text(format_bvh(joints, motion.rate))
    loaded, _ = load(path)
    apart = np.linalg.norm(loaded.positions() - file_positions(path), axis=-1)
    assert apart[:, TRACKED].max() < 2e-4
    # Their rotations are the file's.
    ankles = [INDEX["left_ankle"], INDEX["right_ankle"]]
    same = np.abs((loaded.rotations[:, ankles] * motion.rotations[:, ankles]).sum(-1))
    assert same.min() > 0.9999


def test_bones_that_stretch(tmp_path: Path, motion: Motion) -> None:
    """Bone lengths are the motion's median; hands and feet are where the file has them."""
    joints = make_joints(motion, Convention(everywhere=True))
    for name in ("left_knee", "right_ankle", "left_elbow", "right_wrist"):
        joint = joints[INDEX[name]]
        assert joint.positions is not None
        joint.positions = joint.positions * (1.0 + 0.03 * np.sin(5.0 * motion.times))[:, None]
    path = tmp_path / "clip.bvh"
    path.write_text(format_bvh(joints, motion.rate))
    loaded, _ = load(path)
    apart = np.linalg.norm(loaded.positions() - file_positions(path), axis=-1)
    assert apart[:, TRACKED].max() < 5e-4
    lengths = np.linalg.norm(loaded.skeleton.offsets - motion.skeleton.offsets, axis=-1)
    assert lengths.max() < 0.01


def test_bones_that_stretch_out_of_reach(tmp_path: Path, motion: Motion) -> None:
    joints = make_joints(motion, Convention(everywhere=True))
    for name in ("left_knee", "left_ankle"):
        joint = joints[INDEX[name]]
        assert joint.positions is not None
        joint.positions = joint.positions.copy()
        joint.positions[10:20] *= 2.0
    path = tmp_path / "clip.bvh"
    path.write_text(format_bvh(joints, motion.rate))
    _, messages = load(path)
    assert len(messages) == 1 and re.search("bones change their lengths.* mm off", messages[0])


def test_positions_that_are_added_to_offsets(tmp_path: Path, motion: Motion) -> None:
    """Some programs write zeros where nothing moves."""
    joints = make_joints(motion, Convention(everywhere=True))
    for joint in joints[1:]:
        joint.positions = np.zeros((len(motion), 3))
    (tmp_path / "clip.bvh").write_text(format_bvh(joints, motion.rate))
    loaded, messages = load(tmp_path / "clip.bvh")
    assert_same(loaded, motion)
    assert len(messages) == 1 and "added to the OFFSET" in messages[0]


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001])
def test_thrown_away_frames(tmp_path: Path, motion: Motion, unit: float) -> None:
    root = motion.root.copy()
    root[[40, 41, 42, 90]] = (1460.0, -1460.0, -1460.0)
    path = write(tmp_path / "clip.bvh", replace(motion, root=root), Convention(unit=unit))
    loaded, messages = load(path)
    assert_same(loaded, motion, metres=0.02)
    assert len(messages) == 1
    assert "in frames 41 to 43, 91 of 150: took them as lost" in messages[0]


@pytest.mark.parametrize("frames", [slice(0, 4), slice(-4, None)])
def test_thrown_away_at_the_ends(tmp_path: Path, motion: Motion, frames: slice) -> None:
    root = motion.root.copy()
    root[frames] = (1460.0, -1460.0, -1460.0)
    path = write(tmp_path / "clip.bvh", replace(motion, root=root), Convention())
    loaded, messages = load(path)
    assert_same(loaded, motion, metres=0.2)
    assert len(messages) == 1 and "1,46" in messages[0]


def test_rows_of_zeros(tmp_path: Path, motion: Motion) -> None:
    """What some recorders write where they saw nobody."""
    path = write(tmp_path / "clip.bvh", motion, Convention())
    lines = path.read_text().splitlines()
    for line in (-60, -59, -10):
        lines[line] = " ".join(["0.0"] * len(lines[line].split()))
    path.write_text("\n".join(lines))
    loaded, messages = load(path)
    assert_same(loaded, motion, metres=0.02)
    assert len(messages) == 1 and "frames 91 to 92, 141 of 150" in messages[0]


def test_microsofts_nan(tmp_path: Path, motion: Motion) -> None:
    """It has a number sign in it, which begins no comment."""
    path = write(tmp_path / "clip.bvh", motion, Convention())
    path.write_text(path.read_text().rstrip().rsplit(" ", 1)[0] + " 1.#QNAN\n")
    with pytest.raises(BVHError, match=r"line 284 holds '1\.#QNAN' where a number belongs"):
        load_bvh(path)


def test_far_from_everywhere(tmp_path: Path, motion: Motion) -> None:
    far = replace(motion, root=motion.root + np.array([5e6, 0, 0], "f4"))
    path = write(tmp_path / "clip.bvh", far, Convention())
    with pytest.raises(BVHError, match="over 1000 km away"):
        load_bvh(path)


def test_root_is_the_head(tmp_path: Path, motion: Motion) -> None:
    """SlimeVR hangs the body on its head, with all bones along -Y in the zero pose."""
    motion = standing(motion, 0.5)
    rotations = motion.rotations.copy()
    rotations[:, INDEX["neck"]] = rotations[:, INDEX["head"]]
    motion = replace(motion, rotations=rotations)
    path = tmp_path / "clip.bvh"
    path.write_text(format_bvh(hang_on_head(motion), motion.rate))
    loaded, messages = load(path)
    apart = np.linalg.norm(loaded.positions() - motion.positions(), axis=-1)
    # Nobody can tell the toes from the ends of the feet, which lie along one line as well.
    apart[:, [INDEX["left_toe"], INDEX["right_toe"]]] = 0.0
    assert apart.max() < 1e-3
    assert not messages


def hang_on_head(motion: Motion) -> list[FileJoint]:
    """The joints of a body as SlimeVR exports them."""
    positions, matrices = motion.positions().astype(float), motion.matrices().astype(float)
    hips = positions[:, [INDEX["left_hip"], INDEX["right_hip"]]].mean(1)
    at = dict(zip(JOINTS, positions.swapaxes(0, 1), strict=True)) | {"fork": hips}
    down = np.array([0.0, -1.0, 0.0])
    joints: list[FileJoint] = []
    places: list[np.ndarray] = []
    turns: list[np.ndarray] = []

    def hang(name: str, parent: int, place: np.ndarray, carrier: str, far: np.ndarray) -> int:
        """Add a joint whose bone leads to ``far`` and turns with one of our joints."""
        matrix = matrices[:, INDEX[carrier]]
        bone = rotate(transpose(matrix), far - place)[0]
        turn = (
            matrix @ rotation_between(down, normalize(bone))
            if np.linalg.norm(bone) > 1e-6
            else matrix
        )
        above = transpose(turns[parent]) if parent >= 0 else np.eye(3)
        offset = np.zeros(3)
        if parent >= 0:
            offset = rotate(above[0], (place - places[parent])[0])
        joints.append(
            FileJoint(
                name,
                parent,
                100.0 * offset,
                above @ turn,
                100.0 * place if parent < 0 else None,
                end=np.array([0.0, -8.0, 0.0]),
            )
        )
        places.append(place)
        turns.append(turn)
        return len(joints) - 1

    head = hang("HEAD", -1, at["head"], "head", at["neck"])
    neck = hang("NECK", head, at["neck"], "chest", at["chest"])
    chest = hang("UPPER_CHEST", neck, at["chest"], "middle_spine", at["middle_spine"])
    middle = hang("CHEST", chest, at["middle_spine"], "lower_spine", at["lower_spine"])
    waist = hang("WAIST", middle, at["lower_spine"], "hips", at["hips"])
    hip = hang("HIP", waist, at["hips"], "hips", at["fork"])
    for side in ("left", "right"):
        parent = hang(f"{side.upper()}_HIP", hip, at["fork"], "hips", at[f"{side}_hip"])
        for part, name in (("hip", "UPPER_LEG"), ("knee", "LOWER_LEG"), ("ankle", "FOOT")):
            joint = INDEX[f"{side}_{part}"]
            parent = hang(
                f"{side.upper()}_{name}",
                parent,
                at[JOINTS[joint]],
                JOINTS[joint],
                at[JOINTS[joint + 1]],
            )
        parent = hang(
            f"{side.upper()}_UPPER_SHOULDER", neck, at["chest"], "chest", at[f"{side}_clavicle"]
        )
        for part, name in (
            ("clavicle", "SHOULDER"),
            ("shoulder", "UPPER_ARM"),
            ("elbow", "LOWER_ARM"),
        ):
            joint = INDEX[f"{side}_{part}"]
            parent = hang(
                f"{side.upper()}_{name}",
                parent,
                at[JOINTS[joint]],
                JOINTS[joint],
                at[JOINTS[joint + 1]],
            )
        wrist = at[f"{side}_wrist"]
        sign = 1.0 if side == "left" else -1.0
        tip = wrist + rotate(matrices[:, INDEX[f"{side}_wrist"]], np.array([sign * 0.08, 0, 0]))
        hang(f"{side.upper()}_HAND", parent, wrist, f"{side}_wrist", tip)
    return joints
