# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes takes as the tables of many programs, to be read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats.orientation import rotation_to_y_up
from ssrhmr_core.formats.units import UNITS
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton

OWN_HEADER = "time,tracker,x,y,z,qw,qx,qy,qz,valid"
NAMES = {
    "own": TRACKERS,
    "title": ("Hips", "Head", "LeftHand", "RightHand", "LeftFoot", "RightFoot"),
    "vive": (
        *("vive_tracker_waist", "vive_hmd", "vive_controller_left", "vive_controller_right"),
        *("vive_tracker_left_foot", "vive_tracker_right_foot"),
    ),
    "short": ("pelvis", "head", "hand.L", "hand.R", "foot.L", "foot.R"),
    "serials": ("LHR-0A", "LHR-0B", "LHR-0C", "LHR-0D", "LHR-0E", "LHR-0F"),
}
ROLES = ",".join(f"{role}={name}" for role, name in zip(TRACKERS, NAMES["serials"], strict=True))


def standing_take(frames: int = 30, rate: float = 30.0) -> Take:
    """Return ideal trackers of somebody who stands and moves."""
    return Take.from_motion(make_motion(make_skeleton(), frames, rate))


@dataclass(frozen=True)
class Style:
    """How a table is written.

    Attributes:
        names: What the devices are called.
        up: The up axis.
        unit: The unit of positions.
        time: Writes a time in seconds.
        comma: What separates decimals.
        delimiter: What separates columns.
        newline: What ends a line.
        digits: Decimals of numbers.
    """

    names: Sequence[str] = TRACKERS
    up: str = "y"
    unit: str = "m"
    time: Callable[[float], str] = lambda seconds: f"{seconds:.6f}"
    comma: str = "."
    delimiter: str = ","
    newline: str = "\n"
    digits: int = 6

    def poses(self, take: Take) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and rotations in the axes and the unit of the table."""
        rotation = rotation_to_y_up(self.up).T
        positions = take.positions.astype(np.float64) @ rotation.T / UNITS[self.unit]
        return positions, quat.mul(quat.from_matrix(rotation), take.rotations.astype(np.float64))

    def join(self, words: Sequence[str | float]) -> str:
        """Return a line of a table."""
        cells = [word if isinstance(word, str) else self.number(word) for word in words]
        return self.delimiter.join(cells)

    def number(self, value: float) -> str:
        """Return a number, nothing for NaN."""
        return f"{value:.{self.digits}f}".replace(".", self.comma) if np.isfinite(value) else ""

    def clock(self, seconds: float) -> str:
        """Return a time."""
        return self.time(seconds).replace(".", self.comma)


def euler_angles(rotations: np.ndarray, order: str) -> np.ndarray:
    """Return angles in degrees about x, y and z of quaternions (..., 4)."""
    orders = np.broadcast_to(np.array(list(order)), (*rotations.shape[:-1], 3))
    angles = np.degrees(quat.to_euler(rotations, orders))
    return np.stack([angles[..., order.index(axis)] for axis in "xyz"], -1)


def rotation_cells(rotations: np.ndarray, kind: str) -> np.ndarray:
    """Return rotations (..., 4) as a table has them: "wxyz", "xyzw", or "euler ORDER"."""
    if kind.startswith("euler"):
        return euler_angles(rotations, kind.split()[1])
    return rotations if kind == "wxyz" else np.roll(rotations, -1, axis=-1)


def long_table(
    take: Take,
    style: Style,
    header: str = OWN_HEADER,
    rotation: str = "wxyz",
    *,
    valid: bool = True,
    skip_invalid: bool = False,
) -> str:
    """Write one row a tracker and frame."""
    positions, rotations = style.poses(take)
    cells = rotation_cells(rotations, rotation)
    lines = [header.replace(",", style.delimiter)]
    for frame, seconds in enumerate(take.times.tolist()):
        for tracker, name in enumerate(style.names):
            seen = bool(take.valid[frame, tracker])
            if skip_invalid and not seen:
                continue
            numbers = [*positions[frame, tracker], *cells[frame, tracker]]
            numbers = numbers if seen else [np.nan] * len(numbers)
            row = [style.clock(seconds), name, *numbers]
            lines.append(style.join([*row, str(int(seen))] if valid else row))
    return style.newline.join([*lines, ""])


def matrix_table(take: Take, style: Style) -> str:
    """Write rows with matrices of 3 by 4, as OpenVR gives them."""
    positions, rotations = style.poses(take)
    matrices = np.concatenate([quat.to_matrix(rotations), positions[..., None]], -1)
    header = [
        "timestamp",
        "serial",
        *(f"m{row}{column}" for row in range(3) for column in range(4)),
    ]
    lines = [style.delimiter.join(header)]
    for frame, seconds in enumerate(take.times.tolist()):
        for tracker, name in enumerate(style.names):
            numbers = matrices[frame, tracker].ravel().tolist()
            lines.append(style.join([style.clock(seconds), name, *numbers]))
    return style.newline.join([*lines, ""])


def wide_table(
    take: Take,
    style: Style,
    columns: Sequence[str] = ("_px", "_py", "_pz", "_qw", "_qx", "_qy", "_qz"),
    time: str = "time",
) -> str:
    """Write one row a frame, with columns for each tracker."""
    positions, rotations = style.poses(take)
    cells = np.concatenate([positions, rotations], -1)
    cells[~take.valid] = np.nan
    header = [time, *(f"{name}{column}" for name in style.names for column in columns)]
    lines = [style.delimiter.join(header)]
    for frame, seconds in enumerate(take.times.tolist()):
        lines.append(style.join([style.clock(seconds), *cells[frame].ravel().tolist()]))
    return style.newline.join([*lines, ""])


@dataclass(frozen=True)
class MotiveStyle:
    """How Motive exports a take.

    Attributes:
        kind: Type of the columns.
        units: Name of the unit in the header.
        settings: Other settings in the first row.
        parents: Whether there is a row of parents, as newer versions write it.
        markers: Whether columns of markers follow those of each body.
    """

    kind: str = "Rigid Body"
    units: str = "Meters"
    settings: Mapping[str, str] = field(default_factory=dict)
    parents: bool = False
    markers: bool = True


def motive_table(take: Take, style: Style, motive: MotiveStyle = MotiveStyle()) -> str:
    """Write rigid bodies as Motive does."""
    positions, rotations = style.poses(take)
    settings = {
        "Format Version": "1.23",
        "Take Name": "Take 1",
        "Export Frame Rate": "30.000000",
        "Rotation Type": "Quaternion",
        "Length Units": motive.units,
        "Coordinate Space": "Global",
        **motive.settings,
    }
    types, names, ids, parents = ["", "Type"], ["", "Name"], ["", "ID"], ["", "Parent"]
    values, axes = ["", ""], ["Frame", "Time (Seconds)"]
    cells = []
    for tracker, name in enumerate(style.names):
        columns = [("Rotation", axis) for axis in "XYZW"] + [("Position", axis) for axis in "XYZ"]
        columns += [("Mean Marker Error", "")]
        numbers = [np.roll(rotations[:, tracker], -1, -1), positions[:, tracker]]
        numbers += [np.full((len(take), 1), 0.0001)]
        kinds = [motive.kind] * len(columns)
        if motive.markers:
            columns += [("Position", axis) for axis in "XYZ"]
            numbers += [positions[:, tracker] + 0.03]
            kinds += ["Rigid Body Marker"] * 3
        types += kinds
        names += [name] * 8 + [f"{name}:Marker1"] * (len(columns) - 8)
        ids += [f'"{tracker:032x}"'] * len(columns)
        parents += [""] * len(columns)
        values += [value for value, _ in columns]
        axes += [axis for _, axis in columns]
        block = np.concatenate(numbers, -1)
        block[~take.valid[:, tracker]] = np.nan
        cells.append(block)
    first = [word for pair in settings.items() for word in pair]
    head = [first, [], types, names, ids, *([parents] if motive.parents else []), values, axes]
    lines = [style.delimiter.join(row) for row in head]
    table = np.concatenate(cells, -1)
    for frame, seconds in enumerate(take.times.tolist()):
        lines.append(style.join([str(frame), style.clock(seconds), *table[frame].tolist()]))
    return style.newline.join([*lines, ""])


CLUSTER = np.array([(0.05, 0.0, 0.02), (-0.03, 0.04, 0.0), (-0.02, -0.04, -0.02)])
"""Markers on a rigid body, in metres from its middle."""


def trc_table(take: Take, style: Style, cluster: np.ndarray = CLUSTER) -> str:
    """Write clusters of markers as a TRC."""
    positions, rotations = style.poses(take)
    offsets = cluster / UNITS[style.unit]
    markers = positions[..., None, :] + np.einsum(
        "ftij,mj->ftmi", quat.to_matrix(rotations), offsets
    )
    markers[~take.valid] = np.nan
    labels = [f"{name}{number}" for name in style.names for number in range(1, len(cluster) + 1)]
    head = [
        ["PathFileType", "4", "(X/Y/Z)", "take.trc"],
        ["DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate"],
        ["30.00", "30.00", str(len(take)), str(len(labels)), style.unit, "30.00"],
        ["Frame#", "Time", *(cell for label in labels for cell in (label, "", ""))],
        ["", "", *(f"{axis}{n}" for n in range(1, len(labels) + 1) for axis in "XYZ")],
        [],
    ]
    lines = ["\t".join(row) for row in head]
    for frame, seconds in enumerate(take.times.tolist()):
        numbers = [style.number(value) for value in markers[frame].ravel()]
        lines.append("\t".join([str(frame + 1), style.clock(seconds), *numbers]))
    return style.newline.join([*lines, ""])
