# SPDX-License-Identifier: GPL-3.0-or-later
"""Fitting values and slopes of keys to samples."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.keyframes.fitting import Samples, fit_keys


def nothing_pinned(frames: int) -> np.ndarray:
    return np.zeros(frames, bool)


def test_a_cubic_needs_two_keys() -> None:
    time = np.linspace(-1.0, 1.0, 41)
    cubic = np.stack([time**3 - time, 0.5 - time**2], -1)
    (keys,) = fit_keys([Samples(cubic, nothing_pinned(41))], [np.array([0, 40])])
    # A little off, as slopes are drawn to those measured.
    assert np.abs(keys.evaluate() - cubic).max() < 2e-3
    assert np.abs(keys.values[0] - (0.0, -0.5)).max() < 2e-3
    # d/dt (t^3 - t) = 2 at the ends, and a frame is 0.05 long.
    assert np.abs(keys.slopes[:, 0] - 0.1).max() < 1e-3


def test_is_the_least_squares_fit_of_dense_algebra() -> None:
    random = np.random.default_rng(3)
    values = np.cumsum(random.standard_normal((60, 3)), 0)
    frames = np.array([0, 7, 30, 31, 59])
    (keys,) = fit_keys([Samples(values, nothing_pinned(60))], [frames])
    off = ((keys.evaluate() - values) ** 2).sum()
    for part in (keys.values, keys.slopes):
        for index in range(len(frames)):
            for change in (-0.05, 0.05):
                part[index, 0] += change
                assert ((keys.evaluate() - values) ** 2).sum() > 0.999 * off
                part[index, 0] -= change


def test_a_key_on_every_frame_is_exact_and_pins_are_met() -> None:
    values = np.random.default_rng(4).standard_normal((30, 2))
    (every,) = fit_keys([Samples(values, nothing_pinned(30))], [np.arange(30)])
    assert np.abs(every.evaluate() - values).max() < 1e-9
    pinned = nothing_pinned(30)
    pinned[[0, 12, 29]] = True
    (few,) = fit_keys([Samples(values, pinned)], [np.flatnonzero(pinned)])
    off = np.abs(few.evaluate() - values)
    assert off[pinned].max() < 1e-4 < off.max()


def test_properties_are_fitted_side_by_side_as_alone() -> None:
    random = np.random.default_rng(5)
    samples = [
        Samples(np.cumsum(random.standard_normal((50, width)), 0), nothing_pinned(50))
        for width in (3, 4)
    ]
    frames = [np.array([0, 20, 49]), np.array([0, 5, 9, 33, 40, 49])]
    together = fit_keys(samples, frames)
    for each, keyed, keys in zip(samples, frames, together, strict=True):
        (alone,) = fit_keys([each], [keyed])
        np.testing.assert_allclose(keys.values, alone.values, atol=1e-12)
        np.testing.assert_allclose(keys.slopes, alone.slopes, atol=1e-12)
    assert fit_keys([], []) == []
