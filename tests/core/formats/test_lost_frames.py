# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in which a recorder put the body somewhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.formats.lost_frames import bridge_lost_frames, find_lost_frames


def thrown(motion: Motion, frames: list[int], by: float) -> Motion:
    root = motion.root.copy()
    root[frames] += np.float32(by)
    return replace(motion, root=root)


@pytest.mark.parametrize("by", [3.0, 50.0, 1460.0])
@pytest.mark.parametrize("frames", [[30], [40, 41, 42], [20, 50, 51], list(range(60, 110))])
def test_jumps_there_and_back(motion: Motion, frames: list[int], by: float) -> None:
    worse = thrown(motion, frames, by)
    assert np.flatnonzero(find_lost_frames(worse)).tolist() == frames
    notes: list[str] = []
    bridged = bridge_lost_frames(worse, notes)
    assert np.abs(bridged.root - motion.root).max() < 0.1
    kept = np.delete(np.arange(len(motion)), frames)
    assert (bridged.rotations[kept] == motion.rotations[kept]).all()
    assert len(notes) == 1 and f"frames {frames[0] + 1}" in notes[0]


@pytest.mark.parametrize("frames", [[0], [0, 1, 2], [148, 149]])
def test_ends_far_away(motion: Motion, frames: list[int]) -> None:
    assert np.flatnonzero(find_lost_frames(thrown(motion, frames, 500.0))).tolist() == frames


def test_flickering(motion: Motion) -> None:
    frames = list(range(20, 60, 2))
    assert np.flatnonzero(find_lost_frames(thrown(motion, frames, 200.0))).tolist() == frames


def test_nothing_is_lost(motion: Motion) -> None:
    notes: list[str] = []
    assert bridge_lost_frames(motion, notes) is motion
    assert not notes


def test_t_pose_at_the_origin_before_the_motion_is_kept(motion: Motion) -> None:
    """All of CMU begins so."""
    assert not find_lost_frames(thrown(motion, [0], 4.0)).any()


def test_cut_between_two_places_is_kept(motion: Motion) -> None:
    assert not find_lost_frames(thrown(motion, list(range(70, 150)), 6.0)).any()


def test_fast_runner_is_kept(motion: Motion) -> None:
    root = motion.root + np.array([12.0, 0.0, 0.0], "f4") * motion.times[:, None].astype("f4")
    assert not find_lost_frames(replace(motion, root=root)).any()
    slow = motion.at(motion.times[::30])
    slow = replace(slow, root=root[::30])
    assert not find_lost_frames(slow).any()
