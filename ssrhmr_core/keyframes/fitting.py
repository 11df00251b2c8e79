# SPDX-License-Identifier: GPL-3.0-or-later
"""Smooth curves through few keys: values and slopes that fit samples best.

Between two keys a curve is a cubic polynomial of time, as a Bezier curve whose handles are a third
of the way long. At a key both sides have one slope. The values and slopes of all keys of a curve
are found together by least squares: a system of 2x2 blocks, each coupled with its neighbours only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_PINNED = 1e6
"""Weight of samples that a curve must meet; other samples have the weight 1."""
_RIDGE = 1e-3
"""Weight that pulls slopes to those of the samples where too few samples determine them."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Values of one property on every frame.

    Attributes:
        values: (F, n) values, one column a component.
        pinned: (F,) bool, True at frames that have a key in any case and whose values are met.
    """

    values: np.ndarray
    pinned: np.ndarray


@dataclass(frozen=True, eq=False)
class Keys:
    """Keys of one property.

    Attributes:
        frames: (K,) indices of frames, ascending, the first and last frame among them.
        values: (K, n) values.
        slopes: (K, n) changes per frame.
    """

    frames: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    def evaluate(self) -> np.ndarray:
        """Return the values (F, n) at all frames."""
        segment, basis = _basis(self.frames)
        ends = np.stack(
            [
                *(self.values[:-1], self.slopes[:-1]),
                *(self.values[1:], self.slopes[1:]),
            ],
            1,
        )
        result: np.ndarray = np.einsum("fb,fbn->fn", basis, ends[segment])
        return result


def fit_keys(samples: Sequence[Samples], frames: Sequence[np.ndarray]) -> list[Keys]:
    """Fit values and slopes of keys to samples.

    Args:
        samples: The samples of T properties of the same F frames.
        frames: (K,) indices of the frames that have keys, for each property; the first and last
            frame are among them.

    Returns:
        The keys of each property.
    """
    if not samples:
        return []
    count, width = max(map(len, frames)), max(each.values.shape[1] for each in samples)
    diagonal = np.tile(np.eye(2), (len(samples), count, 1, 1))
    coupling = np.zeros((len(samples), count - 1, 2, 2))
    right = np.zeros((len(samples), count, 2, width))
    for row, (each, keyed) in enumerate(zip(samples, frames, strict=True)):
        keys, columns = len(keyed), each.values.shape[1]
        system = _normal_equations(each, keyed)
        diagonal[row, :keys], coupling[row, : keys - 1] = system[:2]
        right[row, :keys, :, :columns] = system[2]
    solved = _solve_blocks(diagonal, coupling, right)
    return [
        Keys(keyed, *(solved[row, : len(keyed), part, : each.values.shape[1]] for part in (0, 1)))
        for row, (each, keyed) in enumerate(zip(samples, frames, strict=True))
    ]


def _basis(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the segment (F,) of each frame, and what each end's value and slope add (F, 4)."""
    lengths = np.diff(frames)
    segment = np.repeat(np.arange(len(lengths)), lengths)
    segment = np.append(segment, len(lengths) - 1)
    length = lengths[segment].astype(np.float64)
    share = (np.arange(frames[-1] + 1) - frames[segment]) / length
    rest = 1.0 - share
    basis = np.stack(
        [
            (1.0 + 2.0 * share) * rest**2,
            length * share * rest**2,
            (3.0 - 2.0 * share) * share**2,
            -length * rest * share**2,
        ],
        -1,
    )
    return segment, basis


@lru_cache(maxsize=4096)
def _segment_products(length: int) -> np.ndarray:
    """Return the sum (4, 4) of products of the basis over a segment, its last frame left out."""
    _, basis = _basis(np.array([0, length]))
    return basis[:-1].T @ basis[:-1]


def _normal_equations(
    samples: Samples, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return diagonal (K, 2, 2), coupling (K - 1, 2, 2) and right side (K, 2, n) of the fit."""
    values, lengths = samples.values, np.diff(frames)
    products = np.stack([_segment_products(int(length)) for length in lengths])
    _, basis = _basis(frames)
    weighted = basis[:-1, :, None] * values[:-1, None, :]
    sums = np.add.reduceat(weighted, frames[:-1], axis=0)
    diagonal, right = np.zeros((len(frames), 2, 2)), np.zeros((len(frames), 2, values.shape[1]))
    diagonal[:-1] += products[:, :2, :2]
    diagonal[1:] += products[:, 2:, 2:]
    right[:-1] += sums[:, :2]
    right[1:] += sums[:, 2:]
    # The last frame, and frames that must be met.
    weights = _PINNED * samples.pinned[frames]
    weights[-1] += 1.0
    diagonal[:, 0, 0] += weights
    right[:, 0] += weights[:, None] * values[frames]
    ridge = _RIDGE * np.append(lengths, lengths[-1]).astype(np.float64) ** 2
    diagonal[:, 1, 1] += ridge
    right[:, 1] += ridge[:, None] * _measure_slopes(values, frames)
    return diagonal, products[:, :2, 2:], right


def _measure_slopes(values: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return the slopes (K, n) of samples at some frames."""
    before, after = np.maximum(frames - 1, 0), np.minimum(frames + 1, len(values) - 1)
    slopes: np.ndarray = (values[after] - values[before]) / (after - before)[:, None]
    return slopes


def _solve_blocks(diagonal: np.ndarray, coupling: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve symmetric systems of 2x2 blocks along the second axis, all at once.

    Args:
        diagonal: (T, K, 2, 2) blocks; overwritten.
        coupling: (T, K - 1, 2, 2) blocks that couple each block with the next one.
        right: (T, K, 2, n) right sides; overwritten.

    Returns:
        (T, K, 2, n) solutions.
    """
    count = diagonal.shape[1]
    for key in range(1, count):
        factor = coupling[:, key - 1].swapaxes(-1, -2) @ _inverse(diagonal[:, key - 1])
        diagonal[:, key] -= factor @ coupling[:, key - 1]
        right[:, key] -= factor @ right[:, key - 1]
    right[:, -1] = _inverse(diagonal[:, -1]) @ right[:, -1]
    for key in range(count - 2, -1, -1):
        rest = right[:, key] - coupling[:, key] @ right[:, key + 1]
        right[:, key] = _inverse(diagonal[:, key]) @ rest
    return right


def _inverse(blocks: np.ndarray) -> np.ndarray:
    """Return the inverses of 2x2 matrices (T, 2, 2), faster than LAPACK one by one."""
    a, b, c, d = blocks[:, 0, 0], blocks[:, 0, 1], blocks[:, 1, 0], blocks[:, 1, 1]
    scale = 1.0 / (a * d - b * c)
    return np.stack([d * scale, -b * scale, -c * scale, a * scale], -1).reshape(-1, 2, 2)
