# SPDX-License-Identifier: GPL-3.0-or-later
"""What real trackers do to the ideal ones: noise, bad mounts, delay, rounding, loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..body.skeleton import ADULT_SIZE, TRACKER_JOINTS, TRACKERS
from ..geometry.rotations import from_rotvec, rotate
from .augment import Batch

_SMOOTH_FRAMES = 8
"""Spacing of the knots of slow noise, frames: what a filter leaves of white noise."""
_FRAME_RATE = 60.0


@dataclass(frozen=True)
class Sensors:
    """How bad trackers are; zero switches an ingredient off.

    Attributes:
        worn: share of windows whose trackers are not ideal.
        noise: spread of white noise, metres on an adult, and
        noise_turn: radians.
        slow: spread of noise that changes within an eighth of a second, metres, and
        slow_turn: radians.
        mount: spread of a constant error of the lever arm, metres, and
        mount_turn: of the mount's rotation, radians.
        delay: longest delay of single trackers, seconds.
        rounding: coarsest step of positions, metres.
        lost: share of windows in which trackers are lost.
        longest: longest loss, seconds; the shortest is 0.1.
    """

    worn: float = 0.4
    noise: float = 0.001
    noise_turn: float = 0.002
    slow: float = 0.002
    slow_turn: float = 0.006
    mount: float = 0.006
    mount_turn: float = 0.03
    delay: float = 1.0 / 60.0
    rounding: float = 0.001
    lost: float = 0.2
    longest: float = 5.0


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
"""What is lost together, and how often."""


@dataclass(frozen=True)
class Readings:
    """What the trackers say of a batch.

    Attributes:
        positions: (N, L, 6, 3).
        rotations: (N, L, 6, 3, 3).
        valid: (N, L, 6) bool, False where a tracker is lost.
    """

    positions: Tensor
    rotations: Tensor
    valid: Tensor

    def part(self, rows: slice) -> Readings:
        """Return those of some of the windows."""
        return Readings(self.positions[rows], self.rotations[rows], self.valid[rows])


class SensorModel:
    """Reads the trackers of batches as real ones would be read."""

    def __init__(self, sensors: Sensors, device: torch.device) -> None:
        """Lay out the tables on ``device``."""
        self._sensors = sensors
        self._gone = torch.zeros(len(_LOSSES), len(TRACKERS), dtype=torch.bool)
        for row, (names, _) in enumerate(_LOSSES):
            self._gone[row, [TRACKERS.index(name) for name in names]] = True
        self._gone = self._gone.to(device)
        self._chance = torch.tensor([chance for _, chance in _LOSSES], device=device)

    def read(self, batch: Batch, generator: torch.Generator) -> Readings:
        """Return readings; the same state of ``generator`` gives the same ones."""
        wish, joints = self._sensors, list(TRACKER_JOINTS)
        positions, rotations = batch.positions[:, :, joints], batch.rotations[:, :, joints]
        count, length = positions.shape[:2]
        device = positions.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=device)

        known = self._known(count, length, uniform, generator)
        # Each window and tracker has its own quality, down to none of it.
        bad = (uniform(count, 1, 1, 1) < wish.worn) * uniform(count, 1, 6, 1)
        size = batch.sizes[:, None, None, None] / ADULT_SIZE

        late = bad * wish.delay * _FRAME_RATE
        before = torch.cat([positions[:, :1], positions[:, :-1]], 1)
        turned_before = torch.cat([rotations[:, :1], rotations[:, :-1]], 1)
        positions = positions.lerp(before, late)
        rotations = _orthonormal(rotations.lerp(turned_before, late[..., None]))

        knots = 2 + length // _SMOOTH_FRAMES
        arm = wish.mount * normal(count, 1, 6, 3) * size
        moved = wish.noise * normal(count, length, 6, 3) + wish.slow * _slow(
            normal(count, knots, 18), length
        )
        turn = (
            wish.mount_turn * normal(count, 1, 6, 3)
            + wish.noise_turn * normal(count, length, 6, 3)
            + wish.slow_turn * _slow(normal(count, knots, 18), length)
        )
        positions = positions + bad * (rotate(rotations, arm) + moved * size)
        rotations = rotations @ from_rotvec(bad * turn)
        step = bad * wish.rounding + 1e-9
        rounded = torch.where(bad > 0.0, (positions / step).round() * step, positions)
        return Readings(rounded, rotations, known)

    def _known(
        self, count: int, length: int, uniform: object, generator: torch.Generator
    ) -> Tensor:
        """Masks (N, L, 6): a window sees a part of a loss of some length."""
        wish = self._sensors
        kinds = torch.multinomial(self._chance, count, replacement=True, generator=generator)
        some = uniform(count) < wish.lost  # type: ignore[operator]
        frames = _FRAME_RATE * (0.1 * (wish.longest / 0.1) ** uniform(count, 1))  # type: ignore[operator]
        end = (length + frames) * uniform(count, 1)  # type: ignore[operator]
        moments = torch.arange(length, device=frames.device)
        gone = (moments < end) & (moments >= end - frames) & some[:, None]
        return ~(gone[..., None] & self._gone[kinds][:, None])


def _slow(knots: Tensor, length: int) -> Tensor:
    """(N, K, 18) values at knots -> (N, length, 6, 3), straight in between."""
    stretched = torch.nn.functional.interpolate(
        knots.transpose(1, 2), size=length, mode="linear", align_corners=True
    )
    return stretched.transpose(1, 2).reshape(len(knots), length, 6, 3)


def _orthonormal(matrices: Tensor) -> Tensor:
    """Rotations near matrices that nearly are rotations already."""
    x = torch.nn.functional.normalize(matrices[..., 0], dim=-1)
    y = matrices[..., 1] - (matrices[..., 1] * x).sum(-1, True) * x
    y = torch.nn.functional.normalize(y, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)
