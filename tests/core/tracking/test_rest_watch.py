# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples tell which trackers lie still, in whole takes and live alike."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.rest_watch import NAMES, RestWatch

COUNT = len(NAMES)
HAND = TRACKERS.index("left_hand")
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


class Stage:
    """Six trackers walk along X; one may lie where it is."""

    def __init__(self) -> None:
        self.watch, self.random = RestWatch(), np.random.default_rng(5)
        self.rotations = np.tile(IDENTITY, (COUNT, 1))
        self.placed = np.arange(COUNT) < len(TRACKERS)
        self.turned = self.placed.copy()
        self.x = 0.0

    def go(self, samples: int, speed: float, lies: int | None = None) -> None:
        """Take samples of a walk, in which a tracker trembles at one place."""
        for _ in range(samples):
            self.x += 0.1 * speed
            positions = np.zeros((COUNT, 3))
            positions[:, 0] = self.x + 0.0003 * self.random.standard_normal(COUNT)
            if lies is not None:
                positions[lies, 0] -= self.x
            self.watch.sample(positions, self.rotations, self.placed, self.turned)


@pytest.mark.parametrize("role", TRACKERS)
def test_what_the_body_leaves_behind_is_off_until_it_moves_again(role: str) -> None:
    own, stage = TRACKERS.index(role), Stage()
    stage.go(10, 0.0)
    assert not stage.watch.names
    stage.go(20, 1.0, lies=own)
    assert stage.watch.names == (role,) and stage.watch.since[own] == 0
    stage.go(5, 1.0)
    assert stage.watch.names == (role,)
    stage.go(10, 1.0)
    assert not stage.watch.names


def test_one_that_is_lost_after_it_rested_is_not_judged() -> None:
    """The performer stands still, walks off with a hand out of sight, and is seen again."""
    stage = Stage()
    stage.go(20, 0.0)
    stage.placed[HAND] = False
    stage.go(20, 1.0)
    assert not stage.watch.names
    stage.placed[HAND] = True
    for _ in range(20):
        stage.go(1, 1.0)
        assert not stage.watch.names


def test_one_that_is_seen_again_where_it_was_lies_there_since_then() -> None:
    stage = Stage()
    stage.go(20, 0.0, lies=HAND)
    stage.placed[HAND] = False
    stage.go(20, 1.0, lies=HAND)
    assert not stage.watch.names
    stage.placed[HAND] = True
    stage.go(1, 1.0, lies=HAND)
    assert stage.watch.names == ("left_hand",) and stage.watch.since[HAND] == 0


@pytest.mark.parametrize("rotation", [np.nan, 0.0, "turns"])
def test_a_rotation_counts_only_where_it_is_measured(rotation: float | str) -> None:
    stage = Stage()
    for _ in range(40):
        turned = stage.random.standard_normal(4) if rotation == "turns" else rotation
        stage.rotations[HAND] = turned
        stage.turned[HAND] = False
        stage.go(1, 1.0, lies=HAND)
    assert stage.watch.names == ("left_hand",)


def test_one_that_turns_where_it_is_is_worn() -> None:
    stage = Stage()
    for sample in range(40):
        half = 0.05 * sample
        stage.rotations[HAND] = (np.cos(half), 0.0, np.sin(half), 0.0)
        stage.go(1, 1.0, lies=HAND)
    assert not stage.watch.names


def test_frames_are_sampled_ten_times_a_second_with_their_extras() -> None:
    watch, chest = RestWatch(), EXTRA_TRACKERS.index("chest")
    everyone, random = np.ones(6, bool), np.random.default_rng(6)
    rotations = np.tile(IDENTITY, (6, 1))
    extras = ExtraReadings.empty(1)
    extras.has_position[0, chest] = extras.has_rotation[0, chest] = True
    for frame in range(180):
        positions = np.full((6, 3), frame / 60.0) + 0.0003 * random.standard_normal((6, 3))
        extras.positions[0, chest] = 0.0003 * random.standard_normal(3)
        off = watch.frame(positions, rotations, everyone, everyone, extras)
    assert [NAMES[tracker] for tracker in np.flatnonzero(off)] == ["chest"]
    assert watch.names == ("chest",) and watch.rested[NAMES.index("chest")] == 29
    # Where it lies is remembered while there is none of it.
    for frame in range(180, 240):
        watch.frame(np.full((6, 3), frame / 60.0), rotations, everyone, everyone, None)
    assert watch.names == ("chest",)
    watch.reset()
    assert not watch.names
