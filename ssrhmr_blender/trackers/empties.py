# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes of the core as animated empties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import bpy

from ..animation.actions import ActionWriter
from ..common.axes import core_axes, metre
from ..common.clock import curve_time_per_frame
from ..properties.tracker import EXTRA_TRACKERS, TRACKER_LABELS, TRACKERS
from .joints import mark_as_lower, store_performer
from .take import Wearing, build_take

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.skeleton import Skeleton
    from ssrhmr_core.tracking.take import Take

_DISPLAY_SIZE = 0.1
"""Size of the empties in metres."""


def make_empties(
    scene: bpy.types.Scene,
    name: str,
    take: Take,
    collection: bpy.types.Collection | None = None,
    *,
    start: float | None = None,
    performer: Skeleton | None = None,
) -> dict[str, bpy.types.Object]:
    """Add a take to the scene, with a key for every frame at which a tracker was visible.

    Args:
        scene: The scene.
        name: Beginning of the empties' names.
        take: Take in metres.
        collection: Collection that gets the empties; a new one of the scene, called ``name``, if
            not given.
        start: Frame at which the take begins; the scene's first frame if not given.
        performer: Body in metres whose joints the trackers are, which is stored on the pelvis.

    Returns:
        The empties by tracker; trackers that were never visible have none.
    """
    keys = TrackerKeys(scene, take, start)
    empties = make_still_empties(scene, name, keys.roles, collection, performer=performer)
    keys.write(empties)
    return empties


def make_still_empties(
    scene: bpy.types.Scene,
    name: str,
    roles: list[str],
    collection: bpy.types.Collection | None = None,
    *,
    performer: Skeleton | None = None,
) -> dict[str, bpy.types.Object]:
    """Add empties without keys to the scene; see :func:`make_empties`."""
    if collection is None:
        collection = bpy.data.collections.new(name)
        scene.collection.children.link(collection)
    empties = {}
    for role in roles:
        empty = bpy.data.objects.new(f"{name} {TRACKER_LABELS[role]}", None)
        empty.empty_display_type = "ARROWS"
        empty.empty_display_size = _DISPLAY_SIZE * metre(scene)
        empty.rotation_mode = "QUATERNION"
        collection.objects.link(empty)
        empties[role] = empty
    for role in ("pelvis", "head"):
        if performer is not None and role in empties:
            store_performer(empties[role], performer)
    return empties


class _Curves(NamedTuple):
    """The keys of one property in single precision, as Blender holds them.

    Attributes:
        times: (K,) times of the keys in the curves' own unit.
        values: (K, n) values.
    """

    times: np.ndarray
    values: np.ndarray

    def around(self, begin: float, end: float) -> _Curves:
        """Return the keys that decide on the times between two, one at both sides included."""
        import numpy as np

        first = max(int(np.searchsorted(self.times, begin, side="right")) - 1, 0)
        part = slice(first, int(np.searchsorted(self.times, end)) + 1)
        return _Curves(self.times[part], self.values[part])

    def at(self, times: np.ndarray) -> np.ndarray:
        """Return values (F, n) at some times, as Blender evaluates straight curves."""
        import numpy as np

        before = np.clip(np.searchsorted(self.times, times, side="right") - 1, 0, None)
        after = np.minimum(before + 1, len(self.times) - 1)
        since = np.maximum(times - self.times[before], 0.0)[:, None]
        lasts = (self.times[after] - self.times[before])[:, None]
        values: np.ndarray = self.values[before]
        change = (self.values[after] - values) * since
        return change / np.where(lasts > 0.0, lasts, 1.0) + values


class _TrackKeys(NamedTuple):
    """The keys of one tracker in Blender's axes and scene units, None for what it lacks."""

    location: _Curves | None
    rotation: _Curves | None
    lower: bool

    def around(self, begin: float, end: float) -> _TrackKeys:
        """Return the keys that decide on the times between two."""
        return _TrackKeys(
            self.location and self.location.around(begin, end),
            self.rotation and self.rotation.around(begin, end),
            self.lower,
        )

    def times(self) -> Iterator[float]:
        """Yield the first and the last time of each property's keys."""
        for curves in (self.location, self.rotation):
            if curves is not None:
                yield from (float(curves.times[0]), float(curves.times[-1]))


class TrackerKeys:
    """The keys of a take's trackers on the clock of a scene.

    Blender needs 72 bytes for the key of a number, and as much again to evaluate it, so the keys
    of an hour are kept here as long as nobody looks at them.
    """

    def __init__(self, scene: bpy.types.Scene, take: Take, start: float | None = None) -> None:
        """Compute a key for every frame at which a tracker was visible.

        Args:
            scene: The scene.
            take: Take in metres.
            start: Frame at which the take begins; the scene's first frame if not given.
        """
        import numpy as np
        from pymotion.rotations import quat_np as quat

        axes, unit = core_axes().T, metre(scene)
        axes_quat = quat.from_matrix(axes)
        rate = scene.render.fps / scene.render.fps_base
        first = scene.frame_start if start is None else start
        self._curve_time = curve_time_per_frame(scene)
        times = (first + (take.times - take.times[0]) * rate) * self._curve_time
        times = times.astype(np.float32)
        self._tracks: dict[str, _TrackKeys] = {}
        for role, track in _split_take(take).items():
            location = rotation = None
            if track.has_position.any():
                positions = track.positions[track.has_position] @ axes.T * unit
                location = _Curves(times[track.has_position], positions.astype(np.float32))
            if track.has_rotation.any():
                rotations = quat.mul(axes_quat, track.rotations[track.has_rotation])
                rotations = quat.mul(rotations, quat.inverse(axes_quat))
                rotations = quat.unroll(np.asarray(rotations, np.float64), axis=0)
                rotation = _Curves(times[track.has_rotation], rotations.astype(np.float32))
            self._tracks[role] = _TrackKeys(location, rotation, track.lower)

    @property
    def roles(self) -> list[str]:
        """The trackers that were ever visible."""
        return list(self._tracks)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last frame that has keys."""
        times = [time for track in self._tracks.values() for time in track.times()]
        return round(min(times) / self._curve_time), round(max(times) / self._curve_time)

    def write(
        self,
        empties: Mapping[str, bpy.types.Object],
        begin: float | None = None,
        end: float | None = None,
    ) -> None:
        """Give objects by tracker new actions instead of those that they have.

        Args:
            empties: The objects.
            begin: First frame that is looked at; all keys are written if this is None.
            end: Last frame that is looked at.
        """
        tracks = self._tracks
        if begin is not None and end is not None:
            first, last = begin * self._curve_time, end * self._curve_time
            tracks = {role: track.around(first, last) for role, track in tracks.items()}
        for role, track in tracks.items():
            data = empties[role].animation_data
            if data is not None and data.action is not None:
                bpy.data.actions.remove(data.action)
            writer = ActionWriter(empties[role].name, empties[role])
            for path, curves in (
                ("location", track.location),
                ("rotation_quaternion", track.rotation),
            ):
                if curves is not None:
                    writer.write("Tracker", path, *curves)
            writer.assign(empties[role])
            if track.lower:
                mark_as_lower(empties[role])

    def sample(self, frames: np.ndarray, rate: float, wearing: Wearing | None = None) -> Take:
        """Return what the trackers do at some frames, as Blender evaluates their keys.

        Args:
            frames: (F,) frame numbers, with fractions for sub-frames.
            rate: Frames per second.
            wearing: How optional trackers are worn; as usual if None.

        Returns:
            The take in the core's axes and scene units.
        """
        import numpy as np
        from pymotion.rotations import quat_np as quat

        axes = core_axes()
        axes_quat = quat.from_matrix(axes)
        times = (frames * self._curve_time).astype(np.float32)
        positions = np.zeros((len(frames), len(self._tracks), 3))
        quats = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (len(frames), len(self._tracks), 1))
        for number, track in enumerate(self._tracks.values()):
            if track.location is not None:
                positions[:, number] = track.location.at(times) @ axes.T
            if track.rotation is not None:
                turned = quat.normalize(track.rotation.at(times).astype(np.float64))
                turned = quat.mul(quat.mul(axes_quat, turned), quat.inverse(axes_quat))
                quats[:, number] = quat.unroll(turned, axis=0)
        return build_take((frames - frames[0]) / rate, positions, quats, self.roles, wearing)


class _Track(NamedTuple):
    """What one tracker measured.

    Attributes:
        positions: (F, 3) positions in metres.
        rotations: (F, 4) rotations.
        has_position: (F,) bool, where it has a position.
        has_rotation: (F,) bool, where it has a rotation.
        lower: Whether it sits below its elbow or knee.
    """

    positions: np.ndarray
    rotations: np.ndarray
    has_position: np.ndarray
    has_rotation: np.ndarray
    lower: bool = False


def _split_take(take: Take) -> dict[str, _Track]:
    """Return the trackers of a take that were ever visible, by role."""
    tracks = {
        role: _Track(
            take.positions[:, number],
            take.rotations[:, number],
            take.has_position[:, number],
            take.has_rotation[:, number],
        )
        for number, role in enumerate(TRACKERS)
        if (take.has_position | take.has_rotation)[:, number].any()
    }
    extras = take.extras
    if extras is None:
        return tracks
    for role in extras.worn:
        number = EXTRA_TRACKERS.index(role)
        tracks[role] = _Track(
            extras.positions[:, number],
            extras.rotations[:, number],
            extras.has_position[:, number],
            extras.has_rotation[:, number],
            bool(extras.lower[number]),
        )
    return tracks
