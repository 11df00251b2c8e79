# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise removal for trackers, without lag where the future is available.

Two filters share one measure of strength, a cutoff in Hz, and do nothing at zero:

* :func:`smooth` for a whole take: kernels that look as far ahead as back and therefore do not lag.
  Each moment has its own kernel width, which balances the noise that remains against the motion
  that is lost (a plug-in bandwidth for a kernel of fourth order: Fan and Gijbels, "Local Polynomial
  Modelling and Its Applications", 1996). On motion capture with 5 mm of noise this leaves 3.7 mm;
  a 1-euro filter run forwards and backwards leaves 5.0 mm at best.
* :class:`~ssrhmr_core.tracking.one_euro.OneEuro` for live use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import MODEL_RATE, find_runs
from .extras.readings import ExtraReadings
from .take import Take

_WIDTHS = np.geomspace(0.004, 0.16, 12)
"""Standard deviations in seconds of the kernels that are blended."""
_PILOT = 0.05
"""Standard deviation in seconds of the kernel that gives a first estimate of the motion."""
_WIDTH_SHARE = 0.8
"""Kernel width relative to the one with the least mean error: keeps a little more detail."""
_LEAST_MOTION = 0.02
"""Least energy of motion that can be told from noise, as a share of the noise's energy."""
_CUTOFF_WIDTH = 0.234
"""Standard deviation, in seconds times Hz, of a fourth-order Gaussian that halves power at 1 Hz."""
_FOURTH_NOISE = 27.0 / (32.0 * np.sqrt(np.pi))
"""Power of white noise that remains, times the kernel's standard deviation in frames."""
_QUIET = 0.3
"""Share of frames in which the noise is measured: those in which the performer moves least."""
_UNEVEN = 0.1
_QUIET_LENGTH = 1.193
"""This share of normal vectors of three numbers is shorter than this length."""
_DIFFERENCES = ((2, 6.0**0.5), (6, 924.0**0.5))
"""Orders of the differences that reveal noise, and the factors by which they magnify it."""
_FEWEST_FRAMES = 13
_SLOWEST_RATE = 50.0
"""Frames per second below which changes from frame to frame may as well be motion."""
_CLEAN = (0.0018, np.radians(0.6))
"""Metres and radians: apparent noise up to this may be motion and is left alone."""
_SENSOR_NOISE = (0.0007, np.radians(0.3))
"""Metres and radians: above this, noise that all trackers share comes from the sensors. One of six
trackers is always quiet: of 540 training takes only one is as noisy on all of them."""
_ENOUGH_TRACKERS = 4


@dataclass(frozen=True)
class Smoothing:
    """How trackers are smoothed.

    Attributes:
        auto: Whether to measure the noise of each tracker and remove it. Clean trackers, and takes
            below 50 frames per second, stay as they are.
        cutoff: Cutoff in Hz of a fixed filter, used when ``auto`` is off; 0 smooths nothing. Live
            frames use it as the cutoff for trackers at rest, whatever ``auto`` says.
    """

    auto: bool = True
    cutoff: float = 0.0


def smooth(take: Take, smoothing: Smoothing) -> Take:
    """Smooth a whole take without lag.

    Args:
        take: The trackers at any rate.
        smoothing: How to smooth them.

    Returns:
        The smoothed take, on an even clock if its own was uneven; the same object if there is
        nothing to smooth.
    """
    if len(take) < _FEWEST_FRAMES or not (smoothing.auto or smoothing.cutoff > 0.0):
        return take
    steps = np.diff(take.times)
    rate = 1.0 / float(steps.mean())
    if smoothing.auto and rate < _SLOWEST_RATE:
        return take
    if np.ptp(steps) > _UNEVEN * steps.mean():
        even = take.resampled(max(rate, MODEL_RATE))
        smoothed = smooth(even, smoothing)
        return take if smoothed is even else smoothed
    shared = _SharedNoise.measure(take.positions, take.rotations, take.valid, smoothing)
    masks = take.has_position, take.has_rotation
    positions, rotations = _smooth_tracks(
        take.positions, take.rotations, masks, rate, smoothing, shared
    )
    extras = _smooth_extras(take.extras, rate, smoothing, shared) if take.extras else None
    if positions is take.positions and rotations is take.rotations and extras is take.extras:
        return take
    return replace(take, positions=positions, rotations=rotations, extras=extras)


def _smooth_extras(
    extras: ExtraReadings, rate: float, smoothing: Smoothing, shared: _SharedNoise
) -> ExtraReadings:
    """Smooth optional trackers like the six; return the same object if there is nothing to do."""
    masks = extras.has_position, extras.has_rotation
    positions, rotations = _smooth_tracks(
        extras.positions, extras.rotations, masks, rate, smoothing, shared
    )
    if positions is extras.positions and rotations is extras.rotations:
        return extras
    return replace(extras, positions=positions, rotations=rotations)


class _SharedNoise(NamedTuple):
    """Noise that the six trackers share, as a standard deviation; 0 without any.

    Attributes:
        position: Of positions, metres.
        rotation: Of rotations, radians.
    """

    position: float
    rotation: float

    @classmethod
    def measure(
        cls, positions: np.ndarray, rotations: np.ndarray, valid: np.ndarray, smoothing: Smoothing
    ) -> _SharedNoise:
        """Measure it, if the noise of trackers is to be measured at all."""
        if not smoothing.auto:
            return cls(0.0, 0.0)
        return cls(
            _estimate_shared_noise(positions, valid),
            _estimate_shared_noise(_double(rotations, valid), valid),
        )


def _double(rotations: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return twice the quaternions (F, N, 4), which change by the angle in radians."""
    return 2.0 * quat.unroll(np.where(valid[..., None], rotations, 1.0), 0)


def _smooth_tracks(
    positions: np.ndarray,
    rotations: np.ndarray,
    masks: tuple[np.ndarray, np.ndarray],
    rate: float,
    smoothing: Smoothing,
    shared: _SharedNoise,
) -> tuple[np.ndarray, np.ndarray]:
    """Smooth positions (F, N, 3) and rotations (F, N, 4); return the same arrays if unchanged.

    Args:
        positions: The positions in metres.
        rotations: The quaternions.
        masks: (F, N) bool each, where there is a position, and where there is a rotation.
        rate: Frames per second.
        smoothing: How to smooth.
        shared: Noise that the six trackers share.
    """
    has_position, has_rotation = masks
    doubled = _double(rotations, has_rotation)
    smooth_positions = _smooth_values(
        positions, has_position, rate, smoothing, (_CLEAN[0], _find_least(shared, 0))
    )
    doubled_smooth = _smooth_values(
        doubled, has_rotation, rate, smoothing, (_CLEAN[1], _find_least(shared, 1))
    )
    if smooth_positions is positions and doubled_smooth is doubled:
        return positions, rotations
    turned = np.where(has_rotation[..., None], quat.normalize(doubled_smooth), rotations)
    return smooth_positions, turned.astype(np.float32)


def _find_least(shared: _SharedNoise, kind: int) -> float:
    """Return the noise that each tracker has at least, of positions (0) or rotations (1)."""
    return shared[kind] if shared[kind] > _SENSOR_NOISE[kind] else 0.0


def _smooth_values(
    values: np.ndarray,
    valid: np.ndarray,
    rate: float,
    smoothing: Smoothing,
    levels: tuple[float, float],
) -> np.ndarray:
    """Smooth (F, N, n) values; return the same array if there is nothing to smooth.

    Args:
        values: Positions, or twice the quaternions.
        valid: (F, N) bool.
        rate: Frames per second.
        smoothing: How to smooth.
        levels: Apparent noise that may be motion, and noise that each tracker has at least.
    """
    result = values
    clean, least = levels
    for tracker in range(values.shape[1]):
        for begin, end in find_runs(valid[:, tracker]):
            track = values[begin:end, tracker].astype(np.float64)
            if smoothing.auto:
                noise = np.sqrt(max(estimate_noise(track) ** 2 - clean**2, least**2))
                if noise == 0.0:
                    continue
                smoothed = _remove_noise(track, rate, noise)
            else:
                smoothed = _convolve(track, _fourth_order(_CUTOFF_WIDTH / smoothing.cutoff * rate))
            if result is values:
                result = values.copy()
            result[begin:end, tracker] = smoothed
    return result


def _estimate_shared_noise(values: np.ndarray, valid: np.ndarray) -> float:
    """Estimate the noise of the quietest tracker; return 0 if too few trackers are valid.

    Args:
        values: (F, 6, n) positions, or twice the quaternions.
        valid: (F, 6) bool.
    """
    levels = [
        estimate_noise(values[frames, tracker].astype(np.float64))
        for tracker, frames in enumerate(valid.T)
        if frames.any()
    ]
    return min(levels) if len(levels) >= _ENOUGH_TRACKERS else 0.0


def measure_noise(take: Take) -> float:
    """Measure the noise of the positions of a take, metres; 0 where it may as well be motion.

    That is the median over the trackers.
    """
    steps = np.diff(take.times)
    if not len(steps) or 1.0 / float(steps.mean()) < _SLOWEST_RATE:
        return 0.0
    levels = [
        estimate_noise(take.positions[frames, tracker].astype(np.float64))
        for tracker, frames in enumerate(take.has_position.T)
        if frames.any()
    ]
    noise = float(np.median(levels)) if levels else 0.0
    return float(np.sqrt(max(noise * noise - _CLEAN[0] * _CLEAN[0], 0.0)))


def estimate_noise(track: np.ndarray) -> float:
    """Estimate the standard deviation of white noise along each direction of a track.

    Only the frames with the smallest differences count, because they hold the least motion. Sixth
    differences tell noise from motion. Second differences guard against slower takes that were
    resampled: they vanish between keys, whose corners would pass for noise in sixth differences.

    Args:
        track: (F, 3) positions, or (F, 4) twice the quaternions, which vary in three directions.

    Returns:
        The standard deviation in the unit of the values.
    """
    levels = []
    for order, gain in _DIFFERENCES:
        if len(track) <= 2 * order:
            return 0.0
        steps = np.linalg.norm(np.diff(track, order, axis=0), axis=-1)
        levels.append(float(np.quantile(steps, _QUIET)) / (gain * _QUIET_LENGTH))
    return min(levels)


def _remove_noise(track: np.ndarray, rate: float, noise: float) -> np.ndarray:
    """Smooth (F, n) values as strongly as their noise requires."""
    pilot = _gaussian(_PILOT * rate)
    # The fourth derivative of the motion, without the share that noise has in it.
    bend, noise_bend = _convolve(track, pilot), np.pad(pilot, 8)[:, None]
    for _ in range(4):
        bend = np.gradient(bend, axis=0) * rate
        noise_bend = np.gradient(noise_bend, axis=0) * rate
    energy = _convolve((bend * bend).sum(-1, keepdims=True), _gaussian(2.0 * _PILOT * rate))
    noise_energy = 3.0 * noise * noise * float((noise_bend * noise_bend).sum())
    energy = np.maximum(energy - noise_energy, _LEAST_MOTION * noise_energy)
    # The best width w balances the squared bias (w^4 d / 8)^2, with d the fourth derivative,
    # against the variance n noise^2 K / (w rate).
    power = 3.0 * noise * noise * _FOURTH_NOISE / rate
    widths = _WIDTH_SHARE * (8.0 * power / energy) ** (1.0 / 9.0)
    level = np.interp(np.log(widths[:, 0]), np.log(_WIDTHS), np.arange(len(_WIDTHS)))
    level = np.clip(_convolve(level[:, None], pilot), 0.0, len(_WIDTHS) - 1.0)
    result = np.zeros_like(track)
    for number, width in enumerate(_WIDTHS):
        share = np.maximum(0.0, 1.0 - np.abs(level - number))
        if share.any():
            result += share * _convolve(track, _fourth_order(width * rate))
    return result


def _fourth_order(width: float) -> np.ndarray:
    """Return a fourth-order Gaussian kernel, which preserves polynomials of degree three.

    Args:
        width: The standard deviation in frames.
    """
    half = max(1, int(np.ceil(4.5 * width)))
    x = np.arange(-half, half + 1) / width
    weights = (1.5 - 0.5 * x * x) * np.exp(-0.5 * x * x)
    return weights / weights.sum()


def _gaussian(width: float) -> np.ndarray:
    half = max(1, int(np.ceil(4.0 * width)))
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    return weights / weights.sum()


def _convolve(track: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve (F, n) values with a kernel, extending both ends by point reflection."""
    half = len(kernel) // 2
    before = np.minimum(np.arange(half, 0, -1), len(track) - 1)
    after = np.maximum(len(track) - 2 - np.arange(half), 0)
    extended = np.concatenate(
        [2.0 * track[:1] - track[before], track, 2.0 * track[-1:] - track[after]]
    )
    columns = [np.convolve(column, kernel, "valid") for column in extended.T]
    return np.stack(columns, 1)
