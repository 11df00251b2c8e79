# SPDX-License-Identifier: GPL-3.0-or-later
"""How files are read: ``python -m tests.core.formats.table_trackers``.

Writes one motion in many formats, units, axes and encodings, and with many faults, reads each file
and compares the result with the truth. A file is read right, read right with a warning, refused
with a message, read wrong with a warning, or read wrong in silence.
"""

from __future__ import annotations

import argparse
import lzma
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats import MotionFileError, MotionFileWarning, load_take
from ssrhmr_core.formats.orientation import rotation_to_y_up
from ssrhmr_core.formats.smpl import load_smpl
from ssrhmr_core.formats.units import UNITS
from ssrhmr_core.tracking.take import Take
from tests.core.formats.tracker_files import (
    NAMES,
    ROLES,
    MotiveStyle,
    Style,
    long_table,
    matrix_table,
    motive_table,
    standing_take,
    trc_table,
    wide_table,
)

OUTCOMES = ("right", "right, said", "refused", "wrong, said", "wrong in silence")
POSITION_TOLERANCE, ANGLE_TOLERANCE = 0.002, 0.5
"""Metres and degrees."""

TAKE = standing_take()
FOREIGN = "Timestamp,Device,pos_x,pos_y,pos_z,rot_x,rot_y,rot_z,rot_w,Tracked"
AXES = ("y", "z", "x", "-y", "-z")
LENGTHS = ("m", "cm", "mm", "in", "ft", "dm")


@dataclass(frozen=True)
class Case:
    """A file and what it holds.

    Attributes:
        name: Kind and variant, parted by ": ".
        suffix: End of the file's name.
        write: Writes the file.
        truth: What it holds.
        columns: What the user says of its columns.
        relative: Whether rotations count from the first frame.
        refused: Whether the only right outcome is a message.
    """

    name: str
    suffix: str
    write: Callable[[Path], object]
    truth: Take
    columns: str | None = None
    relative: bool = False
    refused: bool = False


def text_case(
    name: str,
    text: str,
    truth: Take = TAKE,
    *,
    suffix: str = ".csv",
    encoding: str = "utf-8",
    **options: Any,
) -> Case:
    """Return a case of a text file, with further attributes of it."""
    data = text.encode(encoding)
    if suffix.endswith(".xz"):
        data = lzma.compress(data)
    return Case(name, suffix, lambda path: path.write_bytes(data), truth, **options)


def binary_case(name: str, suffix: str, data: bytes) -> Case:
    """Return a case of a file that must be refused."""
    return Case(name, suffix, lambda path: path.write_bytes(data), TAKE, refused=True)


# --- Tables of trackers -------------------------------------------------------------------------


def formats_by_units_and_axes() -> Iterator[Case]:
    for up in AXES:
        for unit in LENGTHS:
            style = Style(up=up, unit=unit)
            title = replace(style, names=NAMES["title"])
            label = f"{unit}, {up} up"
            yield text_case(f"own: {label}", long_table(TAKE, style))
            yield text_case(f"long: {label}", long_table(TAKE, title, FOREIGN, "xyzw"))
            yield text_case(f"wide: {label}", wide_table(TAKE, title))
    motive_units = {"m": "Meters", "cm": "Centimeters", "mm": "Millimeters"}
    for up in ("y", "z"):
        for unit, word in motive_units.items():
            style = Style(up=up, unit=unit, names=NAMES["title"])
            text = motive_table(TAKE, style, MotiveStyle(units=word))
            yield text_case(f"Motive: {unit}, {up} up", text)
            text = trc_table(TAKE, style)
            yield text_case(f"TRC: {unit}, {up} up", text, suffix=".trc", relative=True)


def encodings() -> Iterator[Case]:
    own, own_bytes = long_table(TAKE, Style()), Style()
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield text_case(f"encoding: {encoding}", own, encoding=encoding)
    names = [f"Tracker {name} für Füße" for name in NAMES["title"]]
    text = long_table(TAKE, Style(names=names), FOREIGN, "xyzw")
    yield text_case("encoding: cp1252", text, encoding="cp1252")
    yield text_case("encoding: xz", own, suffix=".csv.xz")
    yield text_case("line ends: CRLF", long_table(TAKE, replace(own_bytes, newline="\r\n")))
    yield text_case("line ends: CR", long_table(TAKE, replace(own_bytes, newline="\r")))
    for delimiter, label in ((";", "semicolons"), ("\t", "tabs")):
        for comma in ".,":
            style = Style(delimiter=delimiter, comma=comma)
            text = long_table(TAKE, style)
            yield text_case(f"delimiters: {label}, decimals {comma}", text)
            yield text_case(f"delimiters: {label}, decimals {comma}, wide", wide_table(TAKE, style))
    style = Style(delimiter=";", comma=",")
    yield text_case("delimiters: sep=;", "sep=;\n" + long_table(TAKE, style))
    yield text_case("delimiters: decimal commas and commas", long_table(TAKE, Style(comma=",")))
    quoted = Style(comma=",", delimiter='","')
    lines = [f'"{line}"' for line in long_table(TAKE, quoted).splitlines()]
    yield text_case("delimiters: quoted decimal commas", "\n".join(lines))
    yield text_case("comments: before the header", "# SteamVR log\n\n" + own)
    yield text_case("header: capitals", own.replace("time,tracker", "TIME,Tracker", 1))
    yield text_case("header: empty cell at the end", own.replace("\n", ",\n"))


def times() -> Iterator[Case]:
    scales = {"ms": 1e3, "us": 1e6, "ns": 1e9}
    for unit, scale in scales.items():
        for rate in (24.0, 60.0, 240.0):
            take = standing_take(rate=rate)

            def clock(seconds: float, scale: float = scale) -> str:
                return f"{scale * seconds:.0f}"

            style = Style(time=clock)
            truth = replace(take, times=np.round(scale * take.times) / scale)
            label = f"times: {unit} at {rate:g} Hz"
            yield text_case(label, long_table(take, style), truth)
            yield text_case(f"{label}, wide", wide_table(take, style), truth)
    epoch = replace(TAKE, times=TAKE.times + 1.7e9)
    yield text_case("times: since 1970, s", long_table(epoch, Style()), epoch)
    style = Style(time=lambda seconds: f"{1e3 * seconds:.0f}")
    truth = replace(epoch, times=np.round(1e3 * epoch.times) / 1e3)
    yield text_case("times: since 1970, ms", long_table(epoch, style), truth)
    header = "time [ms],tracker,x,y,z,qw,qx,qy,qz,valid"
    slow = standing_take(rate=0.5)
    yield text_case("times: ms by the header", long_table(slow, style, header), slow)
    yield text_case(
        "times: timestamp_us",
        wide_table(TAKE, Style(time=lambda seconds: f"{1e6 * seconds:.0f}"), time="timestamp_us"),
        replace(TAKE, times=np.round(1e6 * TAKE.times) / 1e6),
    )
    numbers = Style(time=lambda seconds: f"{30.0 * seconds:.0f}")
    text = long_table(TAKE, numbers)
    yield text_case("times: numbers of frames", text, refused=True)
    yield text_case("times: numbers of frames, rate named", text, columns="time=time:30fps")
    clock_text = long_table(TAKE, Style(time=lambda seconds: f"00:00:{seconds:06.3f}"))
    yield text_case("times: of day", clock_text, refused=True)


def columns() -> Iterator[Case]:
    title = Style(names=NAMES["title"])
    for label, names in NAMES.items():
        text = long_table(TAKE, Style(names=names), FOREIGN, "xyzw")
        roles = ROLES if label == "serials" else None
        yield text_case(f"names: {label}", text, columns=roles)
    serials = long_table(TAKE, Style(names=NAMES["serials"]), FOREIGN, "xyzw")
    yield text_case("names: serials nobody explains", serials, refused=True)
    headers = {
        "px": "t,id,px,py,pz,qx,qy,qz,qw",
        "words": "Time,Name,Position X,Position Y,Position Z,Rotation X,Rotation Y,Rotation Z,"
        "Rotation W",
        "dots": "timestamp,name,pos.x,pos.y,pos.z,quat.x,quat.y,quat.z,quat.w",
        "units": "Time (s),Device,X (m),Y (m),Z (m),QX,QY,QZ,QW",
        "tx": "time,device,tx,ty,tz,rx,ry,rz,rw",
    }
    for label, header in headers.items():
        text = long_table(TAKE, title, header, "xyzw", valid=False)
        yield text_case(f"headers: {label}", text)
    text = long_table(
        TAKE,
        replace(title, unit="cm"),
        headers["units"].replace("(m)", "[cm]"),
        "xyzw",
        valid=False,
    )
    yield text_case("headers: unit by the header", text)
    odd = "when,what,a,b,c,i,j,k,w"
    text = long_table(TAKE, title, odd, "xyzw", valid=False)
    named = "time=when,device=what,x=a,y=b,z=c,qx=i,qy=j,qz=k,qw=w"
    yield text_case("headers: odd, named", text, columns=named)
    numbered = "time=#1,device=#2,x=#3,y=#4,z=#5,qx=#6,qy=#7,qz=#8,qw=#9"
    yield text_case("headers: odd, numbered", text, columns=numbered)
    yield text_case("headers: odd", text, refused=True)
    for order in ("xyz", "zyx", "yxz", "zxy"):
        text = long_table(TAKE, title, "time,device,x,y,z,rx,ry,rz", f"euler {order}", valid=False)
        yield text_case(f"angles: {order}", text, columns=f"order={order}")
    yield text_case("angles: order unknown", text, refused=True)
    yield text_case("matrices: OpenVR", matrix_table(TAKE, replace(title, digits=7)))
    suffixes = {
        "dots": (".pos.x", ".pos.y", ".pos.z", ".rot.w", ".rot.x", ".rot.y", ".rot.z"),
        "words": (" Pos X", " Pos Y", " Pos Z", " Quat W", " Quat X", " Quat Y", " Quat Z"),
        "capitals": ("PosX", "PosY", "PosZ", "RotW", "RotX", "RotY", "RotZ"),
    }
    for label, suffix in suffixes.items():
        yield text_case(f"wide headers: {label}", wide_table(TAKE, title, suffix))
    mirrored = replace(
        TAKE,
        positions=TAKE.positions * np.array([1, 1, -1], "f4"),
        rotations=TAKE.rotations * np.array([1, -1, -1, 1], "f4"),
    )
    text = long_table(mirrored, title, "time,device,x,y,z,qw,qx,qy,qz", valid=False)
    yield text_case("mirrored: named", text, columns="z=-z,qx=-qx,qy=-qy")


def motive_and_trc() -> Iterator[Case]:
    style = Style(names=NAMES["title"])
    lost = with_lost(TAKE)
    yield text_case("Motive: parents", motive_table(TAKE, style, MotiveStyle(parents=True)))
    yield text_case("Motive: no markers", motive_table(TAKE, style, MotiveStyle(markers=False)))
    yield text_case("Motive: lost", motive_table(lost, style), lost)
    bones = replace(
        style,
        names=["Fred:Hip", "Fred:Head", "Fred:LHand", "Fred:RHand", "Fred:LFoot", "Fred:RFoot"],
    )
    yield text_case("Motive: bones", motive_table(TAKE, bones, MotiveStyle(kind="Bone")))
    german = replace(style, delimiter=";", comma=",")
    yield text_case("Motive: semicolons", motive_table(TAKE, german))
    for label, settings in {
        "angles": {"Rotation Type": "XYZ"},
        "local space": {"Coordinate Space": "Local"},
        "a strange unit": {"Length Units": "Furlongs"},
    }.items():
        text = motive_table(TAKE, style, MotiveStyle(settings=settings))
        yield text_case(f"Motive: {label}", text, refused=True)
    yield text_case("Motive: cut off", motive_table(TAKE, style)[:3000], refused=True)
    millimetres = replace(style, unit="mm", digits=3)
    yield text_case("TRC: lost", trc_table(lost, millimetres), lost, suffix=".trc", relative=True)
    four = np.array([(0.06, 0, 0), (-0.06, 0, 0), (0, 0.05, 0), (0, -0.05, 0.04)]) - (0, 0, 0.01)
    text = trc_table(TAKE, millimetres, four)
    yield text_case("TRC: four markers", text, suffix=".trc", relative=True)
    line = np.array([(0.05, 0, 0), (-0.05, 0, 0), (0.0, 0.001, 0)])
    yield text_case(
        "TRC: markers on a line", trc_table(TAKE, millimetres, line), suffix=".trc", refused=True
    )
    yield text_case(
        "TRC: no clusters", trc_table(TAKE, millimetres, four[:2]), suffix=".trc", refused=True
    )


def with_lost(take: Take) -> Take:
    """Return a take whose hand and foot are lost for a while."""
    valid = take.valid.copy()
    valid[5:20, TRACKERS.index("left_hand")] = False
    valid[15:, TRACKERS.index("right_foot")] = False
    return replace(take, valid=valid)


def without(take: Take, *roles: str) -> Take:
    """Return a take in which some trackers are never seen."""
    valid = take.valid.copy()
    valid[:, [TRACKERS.index(role) for role in roles]] = False
    return replace(take, valid=valid)


def faults() -> Iterator[Case]:
    own = long_table(TAKE, Style())
    rows = own.splitlines()
    title = Style(names=NAMES["title"])
    lost = with_lost(TAKE)
    yield text_case("lost: own", long_table(lost, Style()), lost)
    foreign = long_table(lost, title, FOREIGN, "xyzw")
    yield text_case("lost: empty cells", foreign, lost)
    header = "time,device,x,y,z,qw,qx,qy,qz"
    text = long_table(lost, title, header, valid=False)
    yield text_case("lost: empty cells, no column of it", text, lost)
    text = long_table(lost, title, header, valid=False, skip_invalid=True)
    yield text_case("lost: no rows", text, lost)
    yield text_case("lost: wide", wide_table(lost, title), lost)
    for roles in (("right_foot",), ("left_foot", "right_foot", "pelvis")):
        kept = [row for row in rows if not any(role in row for role in roles)]
        yield text_case(f"missing: {len(roles)}", "\n".join(kept), without(TAKE, *roles))
    knees = [
        line.replace("left_foot", name)
        for line in rows
        if "left_foot" in line
        for name in ("left_knee", "chest")
    ]
    extra = [rows[0], *sorted(rows[1:] + knees, key=lambda row: float(row.split(",")[0]))]
    yield text_case("extra: knee and chest", "\n".join(extra))
    twice = own.replace("right_foot", "left_ankle")
    yield text_case("names: two of a kind", twice, refused=True)
    yield text_case("damage: a row is missing", "\n".join(rows[:20] + rows[21:]), refused=True)
    yield text_case("damage: a row is there twice", "\n".join(rows[:20] + rows[19:]), refused=True)
    yield text_case(
        "damage: frames are not sorted", "\n".join(rows[:1] + rows[13:] + rows[1:13]), refused=True
    )
    yield text_case("damage: cut off", own[: len(own) // 2], refused=True)
    yield text_case(
        "damage: a word",
        own.replace("1.000000,left", "oops,left", 1).replace(
            rows[30], rows[30].replace(rows[30].split(",")[3], "oops")
        ),
        refused=True,
    )
    yield text_case(
        "damage: nan in a valid row",
        "\n".join([*rows[:8], "0.033333,head,nan,1,1,1,0,0,0,1", *rows[9:]]),
        refused=True,
    )
    yield text_case("damage: no header", "\n".join(rows[1:]), refused=True)
    yield text_case("damage: header alone", rows[0], refused=True)
    yield text_case("damage: empty", "", refused=True)
    yield binary_case("damage: binary", ".csv", bytes(range(256)) * 8)
    yield text_case(
        "damage: rotations are missing",
        "\n".join(",".join(row.split(",")[:5]) for row in rows),
        refused=True,
    )
    wide = wide_table(TAKE, title)
    yield text_case("damage: wide, cut off", wide[: len(wide) // 2], refused=True)


# --- Archives of SMPL ---------------------------------------------------------------------------


def smpl_archives() -> Iterator[Case]:
    truth = Take.from_motion(smpl_truth())
    for up in ("z", "y"):
        for spelling, write in SPELLINGS.items():
            arrays = write(*smpl_numbers(up))
            yield array_case(f"SMPL: {spelling}, {up} up", arrays, truth)
    rotations, trans = smpl_numbers("y")
    arrays = {"smpl_poses": rotvecs(rotations, 24), "smpl_trans": 93.0 * trans}
    aist = array_case("SMPL: AIST++", {**arrays, "smpl_scaling": np.array([93.0])}, truth)
    yield replace(aist, truth=replace(truth, times=truth.times * RATE / 60.0))
    world = keyword_names(rotations, trans)
    camera = keyword_names(*smpl_numbers("-y"))
    gvhmr = {f"smpl_params_global/{key}": values for key, values in world.items()}
    gvhmr |= {f"smpl_params_incam/{key}": values for key, values in camera.items()}
    without_rate = {key: values for key, values in gvhmr.items() if not key.endswith("fps")}
    yield array_case("SMPL: GVHMR", gvhmr, truth)
    yield array_case("SMPL: GVHMR, rate as it always is", without_rate, truth)
    rotations, trans = smpl_numbers("-y")
    matrices = quat.to_matrix(rotations)
    humans = {
        "pred_smpl_params/global_orient": matrices[:, :1],
        "pred_smpl_params/body_pose": np.concatenate([matrices[:, 1:], unit_matrices(2)], 1),
        "pred_cam_t": trans,
        "fps": np.array(RATE),
    }
    yield array_case("SMPL: 4D-Humans, camera", humans, truth)
    rotations, trans = smpl_numbers("z")
    for unit in ("cm", "mm"):
        arrays = amass(rotations, trans / UNITS[unit])
        yield array_case(f"SMPL: AMASS in {unit}", arrays, truth)


def smpl_faults() -> Iterator[Case]:
    good = amass(*smpl_numbers("z"))
    objects = np.array([{"a": 1}], dtype=object)
    beside = {**good, "markers_latent_vids": objects, "gender": objects}
    yield array_case("SMPL faults: objects elsewhere", beside, Take.from_motion(smpl_truth()))
    bad: dict[str, dict[str, np.ndarray]] = {
        "poses as objects": {**good, "poses": objects},
        "one dictionary": {"arr_0": objects},
        "no rate": {key: good[key] for key in ("poses", "trans")},
        "no translation": {key: good[key] for key in ("poses", "mocap_framerate")},
        "nan": {**good, "trans": np.full_like(good["trans"], np.nan)},
        "another length": {**good, "trans": good["trans"][:-1]},
        "6D rotations": {**good, "poses": np.zeros((FRAMES, 24, 6))},
        "mirrored matrices": {**good, "poses": -unit_matrices(24)},
        "no frames": {**good, "poses": good["poses"][:0], "trans": good["trans"][:0]},
        "weights of a network": {"layer.weight": np.zeros((3, 4))},
        "a translation at 50 m/s": {
            **good,
            "trans": 50.0 * np.arange(FRAMES)[:, None] / RATE * np.array([1.0, 0.0, 0.0]),
        },
    }
    for label, arrays in bad.items():
        yield replace(array_case(f"SMPL faults: {label}", arrays, TAKE), refused=True)
    yield binary_case("SMPL faults: text", ".npz", b"poses,trans")
    for suffix in (".pkl", ".pt", ".c3d", ".fbx"):
        yield binary_case(f"SMPL faults: {suffix}", suffix, b"")


FRAMES, RATE = 24, 30.0
PELVIS = np.array([0.0, -0.22, 0.03])
"""Where SMPL's origin sees the pelvis of the average body."""


def smpl_numbers(up: str) -> tuple[np.ndarray, np.ndarray]:
    """Return local rotations (F, 22, 4) in SMPL's order and a translation (F, 3)."""
    random = np.random.default_rng(5)
    times = np.arange(FRAMES)[:, None, None] / RATE
    angles = 0.25 * np.sin(
        random.uniform(1.0, 4.0, (22, 3)) * times + random.uniform(0, 6, (22, 3))
    )
    angles[:, 0, 1] += 0.7
    rotations = quat.from_scaled_angle_axis(angles)
    hips = np.array([0.3, 0.95, -0.2]) + times[:, 0] * np.array([0.5, 0.02, 0.8])
    rotation = rotation_to_y_up(up).T
    rotations[:, 0] = quat.mul(quat.from_matrix(rotation), rotations[:, 0])
    return rotations, hips @ rotation.T - PELVIS


def smpl_truth() -> Motion:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "truth.npz"
        np.savez(path, **amass(*smpl_numbers("z")))
        return load_smpl(path, up="z", unit="m")


def rotvecs(rotations: np.ndarray, joints: int) -> np.ndarray:
    """Return rotation vectors (F, 3 * J) of local rotations, zeros for further joints."""
    vectors = quat.to_scaled_angle_axis(rotations)
    padded = np.zeros((len(rotations), joints, 3))
    padded[:, : vectors.shape[1]] = vectors[:, :joints]
    return padded.reshape(len(rotations), -1)


def unit_matrices(joints: int) -> np.ndarray:
    return np.tile(np.eye(3), (FRAMES, joints, 1, 1))


def amass(rotations: np.ndarray, trans: np.ndarray, joints: int = 52) -> dict[str, np.ndarray]:
    return {
        "poses": rotvecs(rotations, joints),
        "trans": trans,
        "mocap_framerate": np.array(RATE),
        "betas": np.zeros(16),
        "gender": np.array("neutral"),
    }


def keyword_names(rotations: np.ndarray, trans: np.ndarray) -> dict[str, np.ndarray]:
    vectors = rotvecs(rotations, 22)
    return {
        "global_orient": vectors[:, :3],
        "body_pose": vectors[:, 3:],
        "transl": trans,
        "fps": np.array(RATE),
    }


def stage_two(rotations: np.ndarray, trans: np.ndarray) -> dict[str, np.ndarray]:
    vectors = rotvecs(rotations, 22)
    return {
        "root_orient": vectors[:, :3],
        "pose_body": vectors[:, 3:],
        "poses": rotvecs(rotations, 55),
        "trans": trans,
        "mocap_frame_rate": np.array(RATE),
    }


def shaped(joints: int) -> Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]:
    def write(rotations: np.ndarray, trans: np.ndarray) -> dict[str, np.ndarray]:
        arrays = amass(rotations, trans, joints)
        return {**arrays, "poses": arrays["poses"].reshape(FRAMES, joints, 3)}

    return write


def matrices(rotations: np.ndarray, trans: np.ndarray) -> dict[str, np.ndarray]:
    poses = np.concatenate([quat.to_matrix(rotations), unit_matrices(2)], 1)
    return {**amass(rotations, trans), "poses": poses.astype("f4")}


SPELLINGS: dict[str, Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]] = {
    "AMASS SMPL+H": amass,
    "AMASS stage II": stage_two,
    "SMPL": lambda rotations, trans: amass(rotations, trans, 24),
    "smplx keywords": keyword_names,
    "22 joints": shaped(22),
    "24 joints": shaped(24),
    "55 joints": shaped(55),
    "24 matrices": matrices,
    "single precision": lambda rotations, trans: {
        key: values.astype("f4") if values.dtype == float else values
        for key, values in amass(rotations, trans).items()
    },
    "WHAM": lambda rotations, trans: {
        "pose": np.zeros((FRAMES, 72)),
        "trans": np.zeros((FRAMES, 3)),
        "pose_world": rotvecs(rotations, 24),
        "trans_world": trans,
        "fps": np.array(RATE),
    },
}


def array_case(name: str, arrays: dict[str, np.ndarray], truth: Take) -> Case:
    return Case(name, ".npz", lambda path: np.savez_compressed(path, **arrays), truth)


# --- Reading and comparing ----------------------------------------------------------------------

SETS = (
    formats_by_units_and_axes,
    encodings,
    times,
    columns,
    motive_and_trc,
    faults,
    smpl_archives,
    smpl_faults,
)


def all_cases() -> list[Case]:
    return [case for cases in SETS for case in cases()]


def read_case(case: Case, folder: Path) -> tuple[str, str]:
    """Return the outcome of a case, and what the reader said."""
    path = folder / f"take{case.suffix}"
    case.write(path)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", MotionFileWarning)
            take, _ = load_take(path, columns=case.columns)
    except MotionFileError as error:
        return "refused", str(error)
    finally:
        path.unlink()
    said = "; ".join(str(each.message) for each in caught)
    right = not case.refused and is_same(take, case.truth, relative=case.relative)
    if right:
        return ("right, said" if said else "right"), said
    return ("wrong, said" if said else "wrong in silence"), said


def is_same(take: Take, truth: Take, *, relative: bool = False) -> bool:
    """Tell whether two takes are the same within the tolerances.

    Args:
        take: The take to compare.
        truth: What it is compared with.
        relative: Whether rotations count from the first frame alone.
    """
    if len(take) != len(truth) or not np.array_equal(take.valid, truth.valid):
        return False
    seconds = take.times - take.times[0] - truth.times + truth.times[0]
    away = np.linalg.norm(take.positions - truth.positions, axis=-1)[truth.valid]
    ours, theirs = take.rotations.astype(float), truth.rotations.astype(float)
    if relative:
        # What both turned by since the first frame, seen from the room.
        ours, theirs = (quat.mul(each, quat.inverse(each[:1])) for each in (ours, theirs))
    cosine = np.abs((ours * theirs).sum(-1))[truth.valid]
    turned = 2.0 * np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0)))
    return bool(
        np.abs(seconds).max() < 1e-3
        and away.max(initial=0.0) < POSITION_TOLERANCE
        and turned.max(initial=0.0) < ANGLE_TOLERANCE
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="also print each case")
    chosen = parser.parse_args()
    counts: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in all_cases():
            outcome, said = read_case(case, Path(folder))
            kind = case.name.partition(":")[0]
            row = counts.setdefault(kind, dict.fromkeys(OUTCOMES, 0))
            row[outcome] += 1
            surprising = outcome == "refused" and not case.refused
            if chosen.all or surprising or outcome.startswith("wrong"):
                print(f"{case.name}: {outcome}. {said}")
    counts["all"] = {name: sum(row[name] for row in counts.values()) for name in OUTCOMES}
    print(f"{'':16}" + "".join(f"{name:>18}" for name in OUTCOMES))
    for kind, row in counts.items():
        print(f"{kind:16}" + "".join(f"{row[name]:18}" for name in OUTCOMES))


if __name__ == "__main__":
    main()
