# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of real trackers: noise, bad mounts, delay, rounding, loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..body.extra_trackers import EXTRA_GROUPS, EXTRA_INDEX, EXTRA_JOINTS, EXTRA_ROLES
from ..body.interpolation import MODEL_RATE
from ..body.skeleton import ADULT_SIZE, TRACKER_JOINTS, TRACKERS
from ..geometry.rotations import from_6d, from_rotvec, rotate, to_6d
from ..solver import Measured
from .augment import Batch
from .random_tensors import RandomTensors

_SMOOTH_FRAMES = 8
"""Spacing of the knots of slow noise, frames; a filter leaves such noise of white noise."""
_SHORTEST_LOSS = 0.1
"""Seconds."""


@dataclass(frozen=True)
class Sensors:
    """How bad trackers are; zero switches an ingredient off.

    All spreads are standard deviations.

    Attributes:
        imperfect: Share of windows whose trackers are not ideal.
        noise: Spread of white noise of positions, metres on an adult.
        noise_rotation: Spread of white noise of rotations, radians.
        slow: Spread of noise of positions that changes within an eighth of a second, metres.
        slow_rotation: Spread of such noise of rotations, radians.
        mount_offset: Spread of a constant error of the mount's offset, metres.
        mount_rotation: Spread of a constant error of the mount's rotation, radians.
        delay: Longest delay of single trackers, seconds.
        rounding: Coarsest step of positions, metres.
        lost: Share of windows in which trackers are lost.
        longest: Longest loss, seconds; the shortest is 0.1.
        unknown: Share of windows whose performer context is withheld.
        unknown_lost: The same share of windows in which trackers are lost: whoever lacks a tracker
            for a whole take has no context.
        extra: Share of windows with optional trackers.
    """

    imperfect: float = 0.4
    noise: float = 0.001
    noise_rotation: float = 0.002
    slow: float = 0.002
    slow_rotation: float = 0.006
    mount_offset: float = 0.006
    mount_rotation: float = 0.03
    delay: float = 1.0 / 60.0
    rounding: float = 0.001
    lost: float = 0.2
    longest: float = 5.0
    unknown: float = 0.15
    unknown_lost: float = 0.5
    extra: float = 0.0


_LOSSES = (
    (("pelvis",), 5.0),
    (("head",), 1.5),
    (("left_hand",), 1.5),
    (("right_hand",), 1.5),
    (("left_foot",), 1.5),
    (("right_foot",), 1.5),
    (("left_foot", "right_foot"), 2.0),
    (("pelvis", "left_foot", "right_foot"), 3.0),
    (("left_hand", "right_hand"), 1.0),
    (("pelvis", "left_hand"), 0.5),
    (("pelvis", "right_hand"), 0.5),
    (("left_hand", "left_foot"), 0.5),
    (("right_hand", "right_foot"), 0.5),
    (("pelvis", "left_foot"), 0.5),
    (("pelvis", "right_foot"), 0.5),
)
"""Trackers that are lost together, each with its weight among the losses."""


_WORN = 0.5
"""Chance of each group, in windows with optional trackers."""
_EACH_SIDE = 0.92
"""Chance that a side has the tracker that the group has."""
_LOWER = 0.3
"""Share of trackers at elbows and knees that are worn below them."""
_POSITION_ALONE, _ROTATION_ALONE = 0.15, 0.3
"""Shares of trackers that measure only positions, or only rotations."""


@dataclass(frozen=True)
class Readings:
    """The readings of a batch's trackers.

    Attributes:
        positions: (N, L, 6, 3) positions, metres.
        rotations: (N, L, 6, 3, 3) rotations.
        valid: (N, L, 6) bool, False where a tracker is lost.
        context_positions: (N, K, 6, 3) positions in the frames of the performer context, metres.
        context_rotations: (N, K, 6, 3, 3) rotations there.
        known: (N,) bool, False where nothing is known of the performer.
        extras: (N, L, 13, ...) what optional trackers measure, positions in the room.
    """

    positions: Tensor
    rotations: Tensor
    valid: Tensor
    context_positions: Tensor
    context_rotations: Tensor
    known: Tensor
    extras: Measured | None = None

    def part(self, rows: slice) -> Readings:
        """Return the readings of some windows."""
        return Readings(
            positions=self.positions[rows],
            rotations=self.rotations[rows],
            valid=self.valid[rows],
            context_positions=self.context_positions[rows],
            context_rotations=self.context_rotations[rows],
            known=self.known[rows],
            extras=Measured(*(each[rows] for each in self.extras)) if self.extras else None,
        )


class SensorModel:
    """Turns the tracked joints of batches into readings of imperfect trackers."""

    def __init__(self, sensors: Sensors, device: torch.device) -> None:
        """Lay out the tables on ``device``."""
        self._sensors, self._device = sensors, device
        gone = torch.zeros(len(_LOSSES), len(TRACKERS), dtype=torch.bool)
        for row, (names, _) in enumerate(_LOSSES):
            gone[row, [TRACKERS.index(name) for name in names]] = True
        self._gone = gone.to(device)
        self._weights = torch.tensor([weight for _, weight in _LOSSES], device=device)

    def read(self, batch: Batch, generator: torch.Generator) -> Readings:
        """Return readings; the same state of ``generator`` gives the same ones."""
        random, sensors = RandomTensors(generator, self._device), self._sensors
        joints = list(TRACKER_JOINTS)
        positions, rotations = batch.positions[:, :, joints], batch.rotations[:, :, joints]
        count, window = positions.shape[:2]
        valid = self._draw_losses(count, window, random)
        lost = (~valid).flatten(1).any(1)
        unknown = torch.where(lost, sensors.unknown_lost, sensors.unknown)
        known = random.uniform(count) >= unknown
        # Each window and tracker has its own quality, from ideal to as bad as trackers get.
        bad = (random.uniform(count, 1, 1, 1) < sensors.imperfect) * random.uniform(count, 1, 6, 1)
        size = batch.sizes[:, None, None, None] / ADULT_SIZE

        late = bad * sensors.delay * MODEL_RATE
        positions = positions.lerp(_previous(positions), late)
        rotations = rotations.lerp(_previous(rotations), late[..., None])
        rotations = from_6d(to_6d(rotations))
        # Mounts and noise are those of the window in the frames of the context too.
        positions = torch.cat([positions, batch.context_positions], 1)
        rotations = torch.cat([rotations, batch.context_rotations], 1)
        length = positions.shape[1]

        knots = 2 + length // _SMOOTH_FRAMES
        mount_offset = sensors.mount_offset * random.normal(count, 1, 6, 3) * size
        moved = sensors.noise * random.normal(count, length, 6, 3) + sensors.slow * _slow(
            random.normal(count, knots, 18), length
        )
        rotvec = (
            sensors.mount_rotation * random.normal(count, 1, 6, 3)
            + sensors.noise_rotation * random.normal(count, length, 6, 3)
            + sensors.slow_rotation * _slow(random.normal(count, knots, 18), length)
        )
        positions = positions + bad * (rotate(rotations, mount_offset) + moved * size)
        rotations = rotations @ from_rotvec(bad * rotvec)
        step = bad * sensors.rounding + 1e-9
        rounded = torch.where(bad > 0.0, (positions / step).round() * step, positions)
        return Readings(
            positions=rounded[:, :window],
            rotations=rotations[:, :window],
            valid=valid,
            context_positions=rounded[:, window:],
            context_rotations=rotations[:, window:],
            known=known,
            extras=self._read_extras(batch, size, random) if sensors.extra else None,
        )

    def _read_extras(self, batch: Batch, size: Tensor, random: RandomTensors) -> Measured:
        """Return the readings of optional trackers, with the same kinds of errors but delays."""
        sensors, joints = self._sensors, list(EXTRA_JOINTS)
        positions, rotations = batch.positions[:, :, joints], batch.rotations[:, :, joints]
        count, length, number = positions.shape[:3]
        bad = (random.uniform(count, 1, 1, 1) < sensors.imperfect) * random.uniform(
            count, 1, number, 1
        )
        offset = sensors.mount_offset * random.normal(count, 1, number, 3) + (
            sensors.noise + sensors.slow
        ) * random.normal(count, length, number, 3)
        rotvec = sensors.mount_rotation * random.normal(
            count, 1, number, 3
        ) + sensors.noise_rotation * random.normal(count, length, number, 3)
        has_position, has_rotation = self._draw_extras(count, random)
        ones = torch.ones(count, length, 1, 1, device=self._device)
        return Measured(
            positions + bad * size * offset,
            rotations @ from_rotvec(bad * rotvec),
            has_position[:, None, :, None] * ones,
            has_rotation[:, None, :, None] * ones,
        )

    def _draw_extras(self, count: int, random: RandomTensors) -> tuple[Tensor, Tensor]:
        """Draw which optional trackers are worn, and what they measure, (N, 13) of 0 and 1.

        Both sides of the body are mostly alike.
        """
        has_position = torch.zeros(count, len(EXTRA_JOINTS), device=self._device)
        has_rotation = torch.zeros_like(has_position)
        some = random.uniform(count) < self._sensors.extra
        for names in EXTRA_GROUPS.values():
            worn = some & (random.uniform(count) < _WORN)
            kind, lower = random.uniform(count), random.uniform(count) < _LOWER
            with_position, with_rotation = kind < 1.0 - _ROTATION_ALONE, kind > _POSITION_ALONE
            for name in names:
                role = EXTRA_ROLES[name]
                own = worn & (random.uniform(count) < _EACH_SIDE)
                has_position[:, EXTRA_INDEX[role.position]] += own & with_position
                for joint, on in ((role.upper, ~lower), (role.lower, lower)):
                    has_rotation[:, EXTRA_INDEX[joint]] += own & with_rotation & on
        # A toe's position is not read, as its foot has a tracker.
        has_position[
            :, [EXTRA_INDEX[EXTRA_ROLES[name].position] for name in EXTRA_GROUPS["toes"]]
        ] = 0
        return has_position.clamp(max=1.0), has_rotation.clamp(max=1.0)

    def _draw_losses(self, count: int, length: int, random: RandomTensors) -> Tensor:
        """Return masks (N, L, 6), False while lost: a window shows a part of a loss."""
        sensors = self._sensors
        kinds = random.indices(self._weights, count)
        some = random.uniform(count) < sensors.lost
        seconds = _SHORTEST_LOSS * (sensors.longest / _SHORTEST_LOSS) ** random.uniform(count, 1)
        frames = MODEL_RATE * seconds
        end = (length + frames) * random.uniform(count, 1)
        moments = torch.arange(length, device=self._device)
        gone = (moments < end) & (moments >= end - frames) & some[:, None]
        return ~(gone[..., None] & self._gone[kinds][:, None])


def _previous(values: Tensor) -> Tensor:
    """Return the values (N, L, ...) of one frame before; the first one repeats."""
    return torch.cat([values[:, :1], values[:, :-1]], 1)


def _slow(knots: Tensor, length: int) -> Tensor:
    """Interpolate values at knots (N, K, 18) linearly -> (N, length, 6, 3)."""
    stretched = torch.nn.functional.interpolate(
        knots.transpose(1, 2), size=length, mode="linear", align_corners=True
    )
    return stretched.transpose(1, 2).reshape(len(knots), length, 6, 3)
