# SPDX-License-Identifier: GPL-3.0-or-later
"""Few keys instead of one on every frame, within an error of the pose.

What counts is where joints and tips of bones are and how bones are rotated, not how far curves are
from their samples: a degree at the hips moves a hand by centimetres, a degree at the hand by
nothing. Curves begin with the keys that they must have. Wherever the pose is off by more than it
may be, the channel that contributes most to that error gets another key, until nothing is off.
Then keys that others make nearly superfluous are removed, and what is off thereby is mended again.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry.arrays import cross
from ..geometry.rotations import to_rotvec
from .fitting import Keys, Samples, fit_keys
from .posing import Pose, PoseBone, channel_rotations, pose_chain

_LOCATION = "LOCATION"
_MARGIN = 0.98
"""Share of a tolerance that is used: Blender keeps and evaluates keys in single precision."""
_MINOR = 0.1
"""Share of the largest contribution to an error below which another one does not count."""
_THINNING = (4.0, 2.5, 1.5)
"""Shares of the tolerance by which removals may move the pose, round by round."""
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Channel:
    """One animated property of a bone.

    Attributes:
        bone: Index of the bone.
        mode: "LOCATION", or the rotation mode: "QUATERNION", "AXIS_ANGLE" or an Euler order.
        samples: Values on every frame.
    """

    bone: int
    mode: str
    samples: Samples


@dataclass(frozen=True, eq=False)
class Tolerance:
    """How far a pose may be off.

    Attributes:
        positions: (2 B, F) distances by which heads, then tips of bones may be off; it broadcasts.
        angles: (B, F) radians by which bones may be rotated; it broadcasts.
    """

    positions: np.ndarray
    angles: np.ndarray


@dataclass(frozen=True, eq=False)
class Reduction:
    """The keys that are left.

    Attributes:
        keys: Keys of each channel.
        positions: (2 B, F) distances by which heads, then tips of bones are off.
        angles: (B, F) radians by which bones are rotated.
    """

    keys: list[Keys]
    positions: np.ndarray
    angles: np.ndarray

    @property
    def count(self) -> int:
        """The number of keys of all curves."""
        return sum(each.values.size for each in self.keys)


def reduce_keys(
    bones: Sequence[PoseBone], channels: Sequence[Channel], tolerance: Tolerance
) -> Generator[float, None, Reduction]:
    """Fit few keys to the samples of all channels of a character.

    Args:
        bones: The bones, parents before children.
        channels: The channels that are keyed; at most one rotation and one location a bone.
        tolerance: How far the pose may be off.

    Yields:
        The share done, 0 to 1.

    Returns:
        The keys, and by how much the pose is off with them.
    """
    search = _Search(bones, channels, tolerance)
    rounds = 1 + len(_THINNING)
    while search.refine():
        yield search.share / rounds
    best = search.result()
    for number, most in enumerate(_THINNING, 1):
        search.thin(most)
        while search.refine():
            yield (number + search.share) / rounds
        thinner = search.result()
        if thinner.count < best.count:
            best = thinner
    return best


class _Search:
    """Adds keys until the pose is as it should be."""

    def __init__(
        self, bones: Sequence[PoseBone], channels: Sequence[Channel], tolerance: Tolerance
    ) -> None:
        self._bones, self._channels = bones, channels
        self._frames = len(channels[0].samples.values)
        shape = (len(bones), self._frames)
        self._limits = _MARGIN * np.concatenate(
            [
                np.broadcast_to(tolerance.positions, (2 * shape[0], shape[1])),
                np.broadcast_to(tolerance.angles, shape),
            ]
        )
        self._moves = find_ancestors(bones)
        self._keys: dict[int, Keys] = {}
        self._fitted: dict[int, np.ndarray] = {}
        self._wanted = self._pose([channel.samples.values for channel in channels])
        self._keyed = []
        for channel in channels:
            keyed = channel.samples.pinned.copy()
            keyed[[0, -1]] = True
            self._keyed.append(keyed)
        self._levers = self._measure_levers()
        self._fit(range(len(channels)))
        self.share = 0.0

    def refine(self) -> bool:
        """Add keys where the pose is off; return False if it is not."""
        current = self._pose([self._fitted[number] for number in range(len(self._channels))])
        errors = self._errors(current)
        sizes = np.linalg.norm(errors, axis=-1)
        self._sizes, ratio = sizes, sizes / self._limits
        self.share = float((ratio <= 1.0).mean())
        rows, frames = _find_peaks(ratio)
        if not len(rows):
            return False
        directions = errors[rows, frames] / np.maximum(sizes[rows, frames, None], _TINY)
        shares = self._contributions(current, rows, frames, directions)
        worst = np.argsort(-ratio[rows, frames], kind="stable")
        changed = self._add_keys(shares[worst], frames[worst])
        self._fit(sorted(changed))
        return bool(changed)

    def _measure_levers(self) -> np.ndarray:
        """Return by what share (channels, F) of the tolerance a unit of each channel moves."""
        count = len(self._bones)
        points, limits = self._wanted.points, self._limits[: 2 * count]
        levers = np.zeros((len(self._channels), self._frames))
        for number, channel in enumerate(self._channels):
            moved = np.tile(self._moves[:, channel.bone], 2)
            if channel.mode == _LOCATION:
                levers[number] = (1.0 / limits[moved]).max(0)
                continue
            away = np.linalg.norm(points[moved] - self._wanted.heads[channel.bone], axis=-1)
            unit = 2.0 if channel.mode == "QUATERNION" else 1.0
            levers[number] = unit * (away / limits[moved]).max(0)
        return levers

    def result(self) -> Reduction:
        """Return the keys and errors."""
        count = 2 * len(self._bones)
        return Reduction(
            [self._keys[n] for n in range(len(self._channels))],
            self._sizes[:count],
            self._sizes[count:],
        )

    def _pose(self, values: Sequence[np.ndarray]) -> Pose:
        rotations: list[np.ndarray | None] = [None] * len(self._bones)
        locations: list[np.ndarray | None] = [None] * len(self._bones)
        for channel, each in zip(self._channels, values, strict=True):
            if channel.mode == _LOCATION:
                locations[channel.bone] = each
            else:
                rotations[channel.bone] = channel_rotations(each, channel.mode)
        return pose_chain(self._bones, rotations, locations, self._frames)

    def _errors(self, current: Pose) -> np.ndarray:
        """Return the errors (3 B, F, 3) of heads, tips and rotations, as vectors."""
        rotations = current.rotations @ self._wanted.rotations.swapaxes(-1, -2)
        shape = rotations.shape[:2]
        rotvecs = to_rotvec(rotations.reshape(-1, 3, 3)).reshape(*shape, 3)
        return np.concatenate([current.points - self._wanted.points, rotvecs])

    def _contributions(
        self, current: Pose, rows: np.ndarray, frames: np.ndarray, directions: np.ndarray
    ) -> np.ndarray:
        """Return how much (N, channels) of each error comes from each channel.

        Args:
            current: Pose with the present keys.
            rows: (N,) which error.
            frames: (N,) at which frame.
            directions: (N, 3) unit vectors along the errors.
        """
        count = len(self._bones)
        bones, is_angle = rows % count, rows >= 2 * count
        points = np.concatenate([self._wanted.points, self._wanted.heads])[rows, frames]
        shares = np.zeros((len(rows), len(self._channels)))
        for number, channel in enumerate(self._channels):
            bone = channel.bone
            acts = self._moves[bones, bone]
            if channel.mode == _LOCATION:
                axes = self._wanted.location_axes[bone][frames]
                change = (self._fitted[number] - channel.samples.values)[frames]
                moved = (axes @ change[..., None])[..., 0]
                acts = acts & ~is_angle
            else:
                turned = self._own_rotations(current, bone, frames)
                lever = points - self._wanted.heads[bone][frames]
                moved = np.where(is_angle[:, None], turned, cross(turned, lever))
            shares[:, number] = np.where(acts, (moved * directions).sum(-1), 0.0)
        return shares

    def _own_rotations(self, current: Pose, bone: int, frames: np.ndarray) -> np.ndarray:
        """Return how far (N, 3) a bone is rotated by its own channels, as rotation vectors."""
        now, wanted = (
            pose.bases[bone][frames].swapaxes(-1, -2) @ pose.rotations[bone][frames]
            for pose in (current, self._wanted)
        )
        rotvecs = to_rotvec(now @ wanted.swapaxes(-1, -2))
        return np.asarray((self._wanted.bases[bone][frames] @ rotvecs[..., None])[..., 0])

    def _add_keys(self, shares: np.ndarray, frames: np.ndarray) -> set[int]:
        """Add a key for each error to the channel that contributes most and has room.

        Args:
            shares: (N, channels) contributions to each error.
            frames: (N,) frames of the errors.

        Returns:
            The channels that have new keys.
        """
        changed: dict[int, set[int]] = {}
        for share, frame in zip(shares, frames, strict=True):
            # One key may mend several errors: see what it does before adding the next one.
            open_segments = []
            for channel in np.argsort(-share, kind="stable"):
                if share[channel] <= _MINOR * share.max():
                    break
                segment = self._segment(int(channel), int(frame))
                if segment is not None:
                    open_segments.append((int(channel), segment))
            if not open_segments or any(s[0] in changed.get(c, ()) for c, s in open_segments):
                continue
            channel, (begin, end) = open_segments[0]
            changed.setdefault(channel, set()).add(begin)
            self._keyed[channel][self._best_frame(channel, begin, end)] = True
        return set(changed)

    def _segment(self, channel: int, frame: int) -> tuple[int, int] | None:
        """Return the keys before and after a frame; None if there is no room between them."""
        keys = self._keys[channel].frames
        after = int(np.searchsorted(keys, frame, side="right"))
        # A key that is off leaves room on both sides.
        for number in (min(after, len(keys) - 1), max(after - 1, 1)):
            begin, end = int(keys[number - 1]), int(keys[number])
            if begin <= frame <= end and end - begin > 1:
                return begin, end
        return None

    def _best_frame(self, channel: int, begin: int, end: int) -> int:
        """Return the frame between two keys at which a key helps most."""
        samples = self._channels[channel].samples.values
        inside = slice(begin + 1, end)
        now = self._fitted[channel][inside]
        off = ((now - samples[inside]) ** 2).sum(-1)
        # The middle of what is off, rather than its peak: halves fit better than crumbs.
        weights = off + 1e-30
        return begin + 1 + int((weights * np.arange(len(weights))).sum() / weights.sum() + 0.5)

    def thin(self, most: float) -> None:
        """Remove keys whose neighbours do nearly without them.

        Args:
            most: Share of the tolerance by which a removal may move the pose.
        """
        changed = []
        for number, channel in enumerate(self._channels):
            keys = self._keys[number]
            costs = self._removal_costs(number)
            costs[channel.samples.pinned[keys.frames]] = np.inf
            costs[[0, -1]] = np.inf
            removed = (costs < most) & (costs <= np.roll(costs, 1)) & (costs < np.roll(costs, -1))
            self._keyed[number][keys.frames[removed]] = False
            if removed.any():
                changed.append(number)
        self._fit(changed)

    def _removal_costs(self, number: int) -> np.ndarray:
        """Return by what share of the tolerance the pose moves without each key (K,)."""
        keys, channel = self._keys[number], self._channels[number]
        samples = channel.samples.values
        costs = np.full(len(keys.frames), np.inf)
        for key in range(1, len(keys.frames) - 1):
            ends = np.array([key - 1, key + 1])
            span = slice(keys.frames[key - 1], keys.frames[key + 1] + 1)
            without = Keys(
                keys.frames[ends] - keys.frames[key - 1], keys.values[ends], keys.slopes[ends]
            )
            off = np.linalg.norm(without.evaluate() - samples[span], axis=-1)
            costs[key] = float((off * self._levers[number, span]).max())
        return costs

    def _fit(self, numbers: Sequence[int] | range) -> None:
        frames = [np.flatnonzero(self._keyed[number]) for number in numbers]
        keys = fit_keys([self._channels[number].samples for number in numbers], frames)
        for number, each in zip(numbers, keys, strict=True):
            self._keys[number], self._fitted[number] = each, each.evaluate()


def find_ancestors(bones: Sequence[PoseBone]) -> np.ndarray:
    """Return (B, B) bool: whether the first bone is moved by the second one, or is it."""
    moves = np.eye(len(bones), dtype=bool)
    for number, bone in enumerate(bones):
        if bone.parent >= 0:
            moves[number] |= moves[bone.parent]
    return moves


def _find_peaks(ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the largest value of each run above 1."""
    above = np.pad(ratio > 1.0, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(above, axis=1)
    rows, begins = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)
    columns = [
        begin + int(ratio[row, begin:end].argmax())
        for row, begin, end in zip(rows, begins, ends, strict=True)
    ]
    return rows, np.array(columns, int)
