# SPDX-License-Identifier: GPL-3.0-or-later
"""From the recorded devices of any tracking system to a take of six trackers and optional ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.extra_trackers import EXTRA_TRACKERS
from ..body.skeleton import FOOT_TRACKERS, TRACKERS
from ..geometry.rotations import rotate
from ..tracking.extras.readings import ExtraReadings
from ..tracking.reading_buffer import sample
from ..tracking.roles import assign, role_from_name, segment_from_name
from ..tracking.take import Take, has_usable_rotations, has_usable_values
from .columns import SECONDS
from .orientation import rotation_to_y_up
from .standing import infer_up
from .units import UNITS

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")

_TOGETHER = 0.5
"""Share of the time between two frames within which readings belong to the same one."""
_LONGEST = 24 * 3600.0
"""Seconds of a take: more are times in another unit, or times of day of several days."""
_SLOWEST_STEP, _COUNTED_STEP = 1.5, 0.5
"""Seconds from frame to frame: from the first on they are another unit; whole ones from the second
on may also be numbers of frames."""
_STEPS = (1e-3, 0.2)
"""Seconds between frames that trackers are recorded with."""
_EXTENT = 2.6
"""Most metres between the trackers that are farthest apart in most frames."""
_SURE_EXTENT = 20.0
"""Units from which on an extent is not in metres, however large a character."""
_SET_UP = 'set the axis (up="z", --up=z) if that is wrong'
_UNIT_LIMITS = ((8.5, "ft"), (_SURE_EXTENT, "dm"), (80.0, "in"), (260.0, "cm"))
"""Extents below which a unit is the likeliest one; beyond the last, millimetres are."""
_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
_MOVES = 0.01
"""Metres from which on a tracker that never turns has no rotation, rather than stand still."""


@dataclass(frozen=True, eq=False)
class Track:
    """What one device reported.

    Attributes:
        name: The device.
        times: (N,) float64, in the unit of the file, in any order.
        positions: (N, 3) in the axes and the unit of the file; nan where a tracker has a rotation
            alone.
        rotations: (N, 4) quaternions w, x, y, z; nan where one has a position alone.
        valid: (N,) bool, False where the device was not tracked.
    """

    name: str
    times: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class Recording:
    """The contents of a file of trackers.

    Attributes:
        tracks: One for each device.
        seconds: Length of its unit of time, or None if the file does not say.
        metres: Length of its unit, or None if the file does not say.
        framed: Whether all tracks have the same times, in order, one for each frame.
        counted: Whether the times may be numbers of frames.
        declared: Whether the file is in this project's own format: metres, seconds, Y up.
        whole_body: Whether the tracks are the bones of a skeleton, which begin at another joint
            than the trackers that are called alike measure.
        devices: Device by tracker, for those that the user named.
        notes: Messages for the user.
    """

    tracks: Sequence[Track]
    framed: bool
    seconds: float | None = None
    metres: float | None = None
    counted: bool = False
    declared: bool = False
    whole_body: bool = False
    devices: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def to_take(recording: Recording, up: str | None, metres: float | None) -> tuple[Take, list[str]]:
    """Make a take of the six trackers and the optional ones, in metres, seconds and Y up.

    Args:
        recording: The contents of a file.
        up: The up axis that the user names, or None.
        metres: Length of the unit of positions that the user names, or None.

    Returns:
        The take, and messages for the user about what was assumed.

    Raises:
        ValueError: No device is a tracker, two are the same one, or the times make no sense.
    """
    notes = list(recording.notes)
    tracks, extras = _tracks_by_role(recording, notes)
    seconds = recording.seconds or _infer_seconds(tracks, recording.counted, notes)
    if seconds != 1.0:
        tracks = [
            replace(track, times=track.times * seconds) if track else None for track in tracks
        ]
        extras = {
            name: replace(track, times=track.times * seconds) for name, track in extras.items()
        }
    take = _assemble(tracks, framed=recording.framed)
    if extras:
        take = replace(take, extras=_assemble_extras(extras, take.times))
    metres = metres or recording.metres or _infer_metres(take, recording.declared, notes)
    if metres != 1.0:
        take = take.scaled(metres)
    if take.extras:
        known = _leave_out_constants(take.extras)
        take = replace(take, extras=known if known.worn else None)
    if up is None:
        up = _infer_up(take, recording.declared, notes)
    if up != "y":
        take = _rotate_to_y_up(take, up)
    return take, notes


# --- Roles --------------------------------------------------------------------------------------


def _tracks_by_role(
    recording: Recording, notes: list[str]
) -> tuple[list[Track | None], dict[str, Track]]:
    """Return the track of each of the six trackers, None for those that the recording lacks.

    Returns:
        Also the tracks of optional trackers, by a name that says the role and the segment.

    Raises:
        ValueError: No device is one of the six, or two are the same one.
    """
    by_name = {track.name: track for track in recording.tracks}
    chosen, others = _choose_devices(list(by_name), recording.devices)
    if not any(role in chosen for role in TRACKERS):
        raise ValueError(
            f"no device is named like a tracker; there are {_listed(by_name)}: say which is which"
            f" ({_columns(f'head={next(iter(by_name))},left_hand=...')})"
        )
    extras = {name: device for name, device in chosen.items() if name not in TRACKERS}
    if not recording.whole_body:
        extras |= _choose_extras(others, extras)
    left_out = [name for name in others if name not in extras.values()]
    if left_out:
        notes.append(f"left out {_listed(left_out)}, which are not named like one tracker each")
    missing = [role for role in TRACKERS if role not in chosen]
    if missing:
        notes.append(f"no readings of {', '.join(missing)}: assumed never tracked")
    tracks = [by_name[chosen[role]] if role in chosen else None for role in TRACKERS]
    return tracks, {name: by_name[device] for name, device in extras.items()}


def _choose_devices(
    devices: Sequence[str], named: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return device by tracker, of the six and of those that the user named; and the others.

    Raises:
        ValueError: A device does not exist, or two are the same tracker.
    """
    chosen: dict[str, str] = {}
    for tracker, name in named.items():
        matching = [each for each in devices if each.lower() == name.lower()]
        if not matching:
            raise ValueError(f"no device {name!r} for {tracker}; there are {_listed(devices)}")
        chosen[tracker] = matching[0]
    others = []
    for name in devices:
        if name in chosen.values():
            continue
        role = role_of_device(name)
        if role is None or role in named:
            others.append(name)
        elif role in chosen:
            raise ValueError(
                f"{chosen[role]!r} and {name!r} both seem to be {role}: choose one"
                f" ({_columns(f'{role}={name}')})"
            )
        else:
            chosen[role] = name
    return chosen, others


def _choose_extras(devices: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """Return devices that are named like optional trackers, by a name that says the same.

    Args:
        devices: The devices that are none of the six.
        named: Devices by tracker that the user named.
    """
    taken = {role_from_name(name) for name in named}
    free = [role for role in EXTRA_TRACKERS if role not in taken]
    return {device: device for device in assign(devices, free)[0].values()}


@lru_cache(maxsize=256)
def role_of_device(name: str) -> str | None:
    """Return the one of the six trackers that a device is named like, or None."""
    role = role_from_name(name)
    return role if role in TRACKERS else None


def _columns(text: str) -> str:
    return f'columns="{text}", --columns "{text}"'


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    shown = [repr(name) for name in list(names)[:12]]
    return ", ".join(shown) + (", ..." if len(names) > 12 else "")


# --- Time ---------------------------------------------------------------------------------------


def _infer_seconds(tracks: Sequence[Track | None], counted: bool, notes: list[str]) -> float:
    """Return the length of the unit of time.

    Raises:
        ValueError: The steps of the times do not determine their unit.
    """
    densest = max((track for track in tracks if track), key=lambda track: len(track.times))
    steps = np.diff(np.unique(densest.times))
    step = float(np.median(steps)) if len(steps) else 0.0
    if step < (_COUNTED_STEP if counted else _SLOWEST_STEP):
        return 1.0
    if step >= _SLOWEST_STEP:
        for unit, seconds in SECONDS.items():
            if unit != "s" and _STEPS[0] <= step * seconds <= _STEPS[1]:
                notes.append(
                    f"times rise by {step:g} a frame: assumed {unit}; set the unit"
                    f" ({_columns('time=NAME:s')}) if that is wrong"
                )
                return seconds
    raise ValueError(
        f"times rise by {step:g} a frame, and must be in seconds: set their unit"
        f' ({_columns("time=NAME:ms")}), or the rate of numbers of frames ("time=NAME:90fps")'
    )


def _check_span(seconds: float) -> None:
    """Check the length of a take.

    Raises:
        ValueError: It is longer than a day.
    """
    if seconds > _LONGEST:
        raise ValueError(
            f"the take lasts {seconds / 3600.0:,.0f} hours: times must be given in seconds, or set"
            f" their unit ({_columns('time=NAME:ms')})"
        )


# --- Frames -------------------------------------------------------------------------------------


def _assemble(tracks: Sequence[Track | None], *, framed: bool) -> Take:
    """Make frames of six trackers.

    Of trackers that were recorded one by one, readings that are close together are a frame; its
    time is theirs, or the mean of them where trackers are not sent together, and each tracker is
    brought to that time from its own readings.

    Raises:
        ValueError: There are no readings, or times do not rise.
    """
    times = next(track.times for track in tracks if track) if framed else _frame_times(tracks)
    if not len(times):
        raise ValueError("no readings: nothing was recorded")
    _check_span(float(times[-1] - times[0]))
    columns = [_halves(track, None if framed else times, times) for track in tracks]
    positions, rotations, has_position, has_rotation = (
        np.stack(values, 1) for values in zip(*columns, strict=True)
    )
    valid = has_position & has_rotation
    # Half of a pose counts where the other half is not a number, not where it is wrong.
    return Take(
        times,
        positions,
        rotations,
        valid,
        placed=has_position & np.isnan(rotations).any(-1),
        turned=has_rotation & np.isnan(positions).any(-1),
    )


def _halves(
    track: Track | None, wanted: np.ndarray | None, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions (F, 3) and rotations (F, 4) of one tracker, and where there are any, (F,) each.

    Either may be missing, and does not take the other one with it; it is nan there.

    Args:
        track: What was recorded, if anything.
        wanted: (F,) times to bring it to; None if its own are those of the frames.
        times: (F,) times of the frames.
    """
    if track is None or not len(track.times):
        positions, rotations, valid = _column(None, wanted, times)
        return positions, rotations, valid, valid
    lacks_position = np.isnan(track.positions).any(-1) & ~np.isnan(track.rotations).any(-1)
    lacks_rotation = np.isnan(track.rotations).any(-1) & ~np.isnan(track.positions).any(-1)
    if not (track.valid & (lacks_position | lacks_rotation)).any():
        positions, rotations, valid = _column(track, wanted, times)
        return positions, rotations, valid, valid
    placed = replace(track, rotations=np.tile(_IDENTITY, (len(track.times), 1)))
    turned = replace(track, positions=np.zeros((len(track.times), 3)))
    positions, _, has_position = _column(placed, wanted, times)
    _, rotations, has_rotation = _column(turned, wanted, times)
    has_position = has_position & np.isfinite(positions).all(-1)
    has_rotation = has_rotation & has_usable_rotations(rotations)
    return (
        np.where(has_position[:, None], positions, np.float32(np.nan)),
        np.where(has_rotation[:, None], rotations, np.float32(np.nan)),
        has_position,
        has_rotation,
    )


def _column(
    track: Track | None, wanted: np.ndarray | None, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (F, 3), rotations (F, 4) and validity (F,) of one tracker.

    Args:
        track: What was recorded, if anything.
        wanted: (F,) times to bring it to; None if its own are those of the frames.
        times: (F,) times of the frames.
    """
    if track is None or not len(track.times):
        rotations = np.tile(_IDENTITY, (len(times), 1))
        return np.zeros((len(times), 3), np.float32), rotations, np.zeros(len(times), bool)
    if wanted is None:
        positions, rotations = track.positions.astype(np.float32), track.rotations
        return positions, rotations.astype(np.float32), track.valid
    # Of readings at the same time the last one counts.
    order = np.argsort(track.times, kind="stable")
    last = np.append(np.diff(track.times[order]) > 0.0, True)
    order = order[last]
    valid = track.valid[order] & has_usable_values(track.positions[order], track.rotations[order])
    positions = np.where(valid[:, None], track.positions[order], 0.0)
    rotations = np.where(valid[:, None], track.rotations[order], _IDENTITY)
    return sample(track.times[order], positions, rotations, valid, wanted)


def _assemble_extras(tracks: Mapping[str, Track], times: np.ndarray) -> ExtraReadings:
    """Make frames of optional trackers.

    Args:
        tracks: What was recorded, by a name that says the role and the segment.
        times: (F,) times of the frames.
    """
    extras = ExtraReadings.empty(len(times))
    for name, track in tracks.items():
        role = role_from_name(name)
        assert role is not None
        index = EXTRA_TRACKERS.index(role)
        extras.lower[index] = segment_from_name(name) == "lower"
        wanted = None if np.array_equal(track.times, times) else times
        halves = _halves(track, wanted, times)
        extras.positions[:, index], extras.rotations[:, index] = halves[:2]
        extras.has_position[:, index], extras.has_rotation[:, index] = halves[2:]
    # Made again, so that values that are not finite count as missing.
    return replace(extras)


def _leave_out_constants(extras: ExtraReadings) -> ExtraReadings:
    """Take positions of zero, and rotations that never begin while a tracker moves, as missing."""
    has_position, has_rotation = extras.has_position.copy(), extras.has_rotation.copy()
    for index in range(len(EXTRA_TRACKERS)):
        positions = extras.positions[has_position[:, index], index]
        rotations = extras.rotations[has_rotation[:, index], index]
        if len(rotations) and not positions.any():
            has_position[:, index] = False
        elif len(positions) and (rotations == _IDENTITY).all():
            moves = np.ptp(positions, axis=0).max() > _MOVES
            has_rotation[:, index] &= not moves
    return replace(extras, has_position=has_position, has_rotation=has_rotation)


def _frame_times(tracks: Sequence[Track | None]) -> np.ndarray:
    """Return the times (F,) of frames of readings that came one by one."""
    readings = sorted(
        ((time, index) for index, track in enumerate(tracks) if track for time in track.times),
        key=lambda reading: reading[0],
    )
    if not readings:
        return np.zeros(0)
    densest = max((track for track in tracks if track), key=lambda track: len(track.times))
    steps = np.diff(np.unique(densest.times))
    together = _TOGETHER * float(np.median(steps)) if len(steps) else 0.0
    frames: list[list[float]] = []
    present: set[int] = set()
    for time, index in readings:
        apart = not frames or time - frames[-1][0] > together
        again = index in present and time != frames[-1][-1]
        if apart or again:
            frames.append([])
            present = set()
        frames[-1].append(time)
        present.add(index)
    # Exactly their time where they have the same one, not a mean that is off by its rounding.
    return np.array([each[0] if each[0] == each[-1] else sum(each) / len(each) for each in frames])


# --- Unit and axes ------------------------------------------------------------------------------


def _infer_metres(take: Take, declared: bool, notes: list[str]) -> float:
    """Return the length of the unit of positions."""
    extent = _extent(take.positions, take.has_position)
    if extent is None or extent <= _EXTENT:
        return 1.0
    unit = next((name for limit, name in _UNIT_LIMITS if extent < limit), "mm")
    if declared and extent < _SURE_EXTENT:
        # Takes in the own format may be scaled to a giant.
        unit = "m"
    other = "ft" if unit == "m" else "m"
    notes.append(
        f"the trackers are up to {extent:.4g} units apart: assumed {unit}, which makes it"
        f' {extent * UNITS[unit]:.2f} m; set the unit (unit="{other}", --unit={other}) if that is'
        " wrong"
    )
    return UNITS[unit]


def _extent(positions: np.ndarray, valid: np.ndarray) -> float | None:
    """Median over frames of the distance between the trackers that are farthest apart."""
    known = np.where(valid[..., None], positions.astype(np.float64), np.nan)
    known = known[valid.sum(1) >= 2]
    known = known[:: max(len(known) // 2000, 1)]
    if not len(known):
        return None
    apart = np.linalg.norm(known[:, :, None] - known[:, None], axis=-1)
    return float(np.median(np.nanmax(apart.reshape(len(known), -1), 1)))


def _infer_up(take: Take, declared: bool, notes: list[str]) -> str:
    """Return the up axis."""
    known = np.where(take.has_position[..., None], take.positions.astype(np.float64), np.nan)
    feet = known[:, list(FOOT_TRACKERS)]
    tracked = np.isfinite(feet)
    middle = np.where(
        tracked.any(1), np.where(tracked, feet, 0.0).sum(1) / np.maximum(tracked.sum(1), 1), np.nan
    )
    directions = _directions(middle, known[:, _PELVIS], known[:, _HEAD])
    up, agrees = infer_up(directions, known, "y", trusted=declared)
    if up is None or up == "y":
        if not agrees and np.isfinite(directions).all((1, 2)).any():
            notes.append(f"the body hardly ever stands: assumed that y is up; {_SET_UP}")
        return "y"
    notes.append(f"the body stands along {up}: assumed that this is up, not y; {_SET_UP}")
    return up


def _directions(feet: np.ndarray, pelvis: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Vectors (F, D, 3) that point up while a body stands, as far as it is tracked."""
    legs, trunk, whole = pelvis - feet, head - pelvis, head - feet
    if np.isfinite(np.concatenate([legs, trunk], 1)).all(1).any():
        return np.stack([legs, trunk], 1)
    best = max((whole, trunk, legs), key=lambda each: int(np.isfinite(each).all(1).sum()))
    return best[:, None]


def _rotate_to_y_up(take: Take, up: str) -> Take:
    rotation = rotation_to_y_up(up)
    rotations = quat.mul(quat.from_matrix(rotation), take.rotations.astype(np.float64))
    return replace(
        take,
        positions=rotate(rotation, take.positions).astype(np.float32),
        rotations=rotations.astype(np.float32),
        extras=take.extras.rotated(rotation) if take.extras else None,
    )
