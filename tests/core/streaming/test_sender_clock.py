# SPDX-License-Identifier: GPL-3.0-or-later
"""A sender's clock on ours."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ssrhmr_core.streaming.sender_clock import SenderClock


def mapped(sent: np.ndarray, arrivals: np.ndarray, clock: SenderClock | None = None) -> np.ndarray:
    clock = clock or SenderClock()
    pairs = zip(sent.tolist(), arrivals.tolist(), strict=True)
    return np.array([clock.local(one, other) for one, other in pairs])


def test_even_packets_keep_their_spacing() -> None:
    true = np.arange(1200) / 120.0
    local = mapped(true + 5000.0, true + 7.003)
    np.testing.assert_allclose(np.diff(local), 1.0 / 120.0, atol=1e-5)
    np.testing.assert_allclose(local, true + 7.003, atol=1e-4)


@pytest.mark.parametrize("drift", [-2e-4, 0.0, 2e-4])
def test_jitter_is_taken_out_and_drift_followed(drift: float) -> None:
    random = np.random.default_rng(3)
    true = np.arange(120 * 120) / 120.0
    arrivals = np.maximum.accumulate(true + 0.002 + random.exponential(0.005, len(true)))
    local = mapped(true * (1.0 + drift), arrivals)
    late = (local - true)[120:]
    assert np.ptp(late) < 0.0015
    # What any packet takes at least cannot be told from the difference of the clocks.
    assert 0.0015 < np.median(late) < 0.003
    assert (local <= arrivals).all()


@pytest.mark.parametrize("begins", [0.0, 9000.0])
def test_a_sender_started_anew_is_followed_at_once(begins: float) -> None:
    clock, true = SenderClock(), np.arange(300) / 60.0
    mapped(true + 4000.0, true, clock)
    arrivals = true + 6.0
    np.testing.assert_allclose(mapped(true + begins, arrivals, clock), arrivals, atol=1e-4)


def test_a_clock_that_stood_still_is_followed_within_a_second() -> None:
    clock, true = SenderClock(), np.arange(600) / 60.0
    mapped(true, true, clock)
    arrivals = true + 10.3
    local = mapped(true + 10.0, arrivals, clock)
    assert np.abs(local - arrivals)[90:].max() < 1e-3


def test_packets_held_back_keep_their_times() -> None:
    clock, true = SenderClock(), np.arange(240) / 120.0
    mapped(true, true, clock)
    held = 2.0 + np.arange(36) / 120.0
    local = mapped(held, np.full(36, 2.3), clock)
    np.testing.assert_allclose(local, held, atol=2e-3)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 1e300, -1e300, 1e9, -1e9])
def test_one_wrong_time_does_no_lasting_harm(wrong: float) -> None:
    clock, true = SenderClock(), np.arange(240) / 120.0
    mapped(true, true, clock)
    assert clock.local(wrong, 2.0) == 2.0
    after = true + 2.0
    local = mapped(after, after, clock)
    assert (local <= after).all()
    assert np.abs(local - after)[180:].max() < 1e-3


@pytest.mark.parametrize("speed", [0.0, 1e-3, 0.3])
def test_a_clock_that_hardly_advances_is_not_used(speed: float) -> None:
    true = np.arange(600) / 60.0
    arrivals = true + 7.0
    local = mapped(speed * true + 40.0, arrivals)
    np.testing.assert_allclose(local[75:], arrivals[75:], atol=1e-9)


def test_a_clock_of_whole_seconds_is_not_used() -> None:
    clock, true = SenderClock(), np.arange(600) / 60.0
    local = []
    for sent, arrival in zip(np.floor(true), true + 7.0, strict=True):
        is_new = sent == arrival - 7.0
        clock.note_times(int(is_new), int(not is_new))
        local.append(clock.local(float(sent), float(arrival)))
    assert clock.is_coarse
    np.testing.assert_allclose(local[30:], true[30:] + 7.0, atol=1e-9)
