# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking the noise out of trackers, without lag where the future is known.

Two filters with one measure of strength, a cutoff in Hz, and nothing done at zero:

* :func:`smooth` for a whole take: kernels that look as far ahead as back, so that nothing is late.
  Each moment has its own width, the one that balances what noise is left against what motion is
  lost (a plug-in bandwidth for a kernel of fourth order: Fan and Gijbels, "Local Polynomial
  Modelling and Its Applications", 1996). On motion capture with 5 mm of noise this leaves 3.7 mm,
  a 1-euro filter run forth and back 5.0 mm at best;
* :class:`OneEuro` for live use: Casiez, Roussel and Vogel, "1 € Filter", CHI 2012.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE, find_runs
from .take import Take

_WIDTHS = np.geomspace(0.004, 0.16, 12)
"""Spread of the kernels that are blended, seconds."""
_PILOT = 0.05
"""Spread of the kernel that a first look at the motion is taken with, seconds."""
_SHARE = 0.8
"""Width of kernels beside the best one for the eye of a mean error: a little more detail."""
_LEAST_MOTION = 0.02
"""Energy of a motion that cannot be seen any more, as a share of that of the noise."""
_CUTOFF_SPREAD = 0.234
"""Spread, in seconds times Hz, of a fourth-order Gaussian that passes half the power at 1 Hz."""
_FOURTH_NOISE = 27.0 / (32.0 * np.sqrt(np.pi))
"""What is left of the power of white noise: over the kernel's spread in frames."""
_QUIET = 0.3
"""Share of frames that the noise is measured in: those where the performer moves least."""
_UNEVEN = 0.1
_QUIET_LENGTH = 1.193
"""Length that this share of normal vectors of three numbers does not reach."""
_DIFFERENCES = ((2, 6.0**0.5), (6, 924.0**0.5))
"""Orders of differences that noise is read from, and how many times it is larger in them."""
_FEWEST = 13
_SLOWEST = 50.0
"""Frames a second below which what changes from frame to frame may as well be motion."""
_CLEAN = (0.0018, np.radians(0.6))
"""Metres and radians: what looks like that much noise may be motion and is left alone."""
_SENSORS = (0.0007, np.radians(0.3))
"""Metres and radians of noise, above which what all trackers have is of the sensors: one of six is
always quiet, and of 540 takes of the training corpus only one is as noisy everywhere."""
_ENOUGH_TRACKERS = 4


@dataclass(frozen=True)
class Smoothing:
    """How trackers are smoothed.

    Attributes:
        auto: find the noise of each tracker and remove it; clean ones, and takes of fewer than 50
            frames a second, stay as they are.
        cutoff: where not auto, how fast a motion must be to be lost, Hz; 0 is off.
    """

    auto: bool = True
    cutoff: float = 0.0


def smooth(take: Take, smoothing: Smoothing) -> Take:
    """Smooth a whole take with no lag.

    Args:
        take: trackers.
        smoothing: how.

    Returns:
        The take, on an even clock where its own was not; the same object where there is nothing
        to do.
    """
    if len(take) < _FEWEST or not (smoothing.auto or smoothing.cutoff > 0.0):
        return take
    steps = np.diff(take.times)
    rate = 1.0 / float(steps.mean())
    if smoothing.auto and rate < _SLOWEST:
        return take
    if np.ptp(steps) > _UNEVEN * steps.mean():
        even = take.resampled(max(rate, MODEL_RATE))
        smoothed = smooth(even, smoothing)
        return take if smoothed is even else smoothed
    positions = take.positions.copy()
    # Twice a quaternion moves by the angle in radians.
    turns = 2.0 * quat.unroll(np.where(take.valid[..., None], take.rotations, 1.0), 0)
    changed = False
    for values, clean, of_sensors in zip((positions, turns), _CLEAN, _SENSORS, strict=True):
        shared = _shared_noise(values, take.valid) if smoothing.auto else 0.0
        least = shared if shared > of_sensors else 0.0
        for tracker in range(6):
            for begin, end in find_runs(take.valid[:, tracker]):
                track = values[begin:end, tracker].astype(np.float64)
                if smoothing.auto:
                    noise = np.sqrt(max(noise_of(track) ** 2 - clean**2, least**2))
                    found = _denoised(track, rate, noise) if noise > 0.0 else None
                else:
                    found = _filtered(track, _kernel(_CUTOFF_SPREAD / smoothing.cutoff * rate))
                if found is not None:
                    values[begin:end, tracker] = found
                    changed = True
    if not changed:
        return take
    rotations = np.where(take.valid[..., None], quat.normalize(turns), take.rotations)
    return Take(take.times, positions, rotations.astype(np.float32), take.valid)


def _shared_noise(values: np.ndarray, valid: np.ndarray) -> float:
    """Noise (F, 6, n) that the quietest of the trackers has, 0 where there are few of them."""
    found = [
        noise_of(values[seen, tracker].astype(np.float64))
        for tracker, seen in enumerate(valid.T)
        if seen.any()
    ]
    return min(found) if len(found) >= _ENOUGH_TRACKERS else 0.0


def noise_of(track: np.ndarray) -> float:
    """Spread of white noise along each of three directions, in the unit of the values.

    Read from the frames in which differences are smallest, where least is motion. Sixth differences
    tell noise from motion; second ones are nothing between the keys of a slower take that was
    resampled, whose corners sixth ones take for noise.

    Args:
        track: (F, 3) positions, or (F, 4) twice the quaternions: those move in three directions.
    """
    found = []
    for order, gain in _DIFFERENCES:
        if len(track) <= 2 * order:
            return 0.0
        steps = np.linalg.norm(np.diff(track, order, axis=0), axis=-1)
        found.append(float(np.quantile(steps, _QUIET)) / (gain * _QUIET_LENGTH))
    return min(found)


def _denoised(track: np.ndarray, rate: float, noise: float) -> np.ndarray:
    """Smooth (F, n) values as much as suits their noise."""
    pilot = _gauss(_PILOT * rate)
    # Fourth derivative of the motion, without the share that noise has in it.
    bend, shaken = _filtered(track, pilot), np.pad(pilot, 8)[:, None]
    for _ in range(4):
        bend = np.gradient(bend, axis=0) * rate
        shaken = np.gradient(shaken, axis=0) * rate
    energy = _filtered((bend * bend).sum(-1, keepdims=True), _gauss(2.0 * _PILOT * rate))
    of_noise = 3.0 * noise * noise * float((shaken * shaken).sum())
    energy = np.maximum(energy - of_noise, _LEAST_MOTION * of_noise)
    # Squared bias (w^4 f'''' / 8)^2 against variance n noise^2 K / (w rate): the best width.
    power = 3.0 * noise * noise * _FOURTH_NOISE / rate
    widths = _SHARE * (8.0 * power / energy) ** (1.0 / 9.0)
    place = np.interp(np.log(widths[:, 0]), np.log(_WIDTHS), np.arange(len(_WIDTHS)))
    place = np.clip(_filtered(place[:, None], pilot), 0.0, len(_WIDTHS) - 1.0)
    result = np.zeros_like(track)
    for number, width in enumerate(_WIDTHS):
        share = np.maximum(0.0, 1.0 - np.abs(place - number))
        if share.any():
            result += share * _filtered(track, _kernel(width * rate))
    return result


def _kernel(spread: float) -> np.ndarray:
    """Gaussian of fourth order: keeps curves of third degree as they are."""
    half = max(1, int(np.ceil(4.5 * spread)))
    x = np.arange(-half, half + 1) / spread
    weights = (1.5 - 0.5 * x * x) * np.exp(-0.5 * x * x)
    return weights / weights.sum()


def _gauss(spread: float) -> np.ndarray:
    half = max(1, int(np.ceil(4.0 * spread)))
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / spread) ** 2)
    return weights / weights.sum()


def _filtered(track: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve (F, n) values; beyond the ends they go on as their point reflection."""
    half = len(kernel) // 2
    before = np.minimum(np.arange(half, 0, -1), len(track) - 1)
    after = np.maximum(len(track) - 2 - np.arange(half), 0)
    longer = np.concatenate(
        [2.0 * track[:1] - track[before], track, 2.0 * track[-1:] - track[after]]
    )
    columns = [np.convolve(column, kernel, "valid") for column in longer.T]
    return np.stack(columns, 1)
