# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures for the panel."""

from __future__ import annotations

import pytest

from ssrhmr_core.live.statistics import FrameStatistics


def test_figures_cover_the_last_second() -> None:
    statistics = FrameStatistics()
    assert (statistics.model_ms, statistics.latency_ms) == (0.0, 0.0)
    statistics.add_frame(now=0.0, duration=9.0, latency=9.0, complete=True)
    for index, latency in enumerate((0.010, 0.030, 0.020)):
        statistics.add_frame(now=1.5 + index / 60.0, duration=0.002, latency=latency, complete=True)
    statistics.add_frame(now=1.6, duration=0.006, latency=None, complete=False)
    assert statistics.latencies == [0.010, 0.030, 0.020]
    assert statistics.latency_ms == pytest.approx(20.0)
    assert statistics.model_ms == pytest.approx(3.0)
    assert (statistics.frames, statistics.frames_waited) == (5, 1)
