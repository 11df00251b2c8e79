# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is wrong with an optional tracker is told, and the pose is no worse than without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS, Measurement
from ssrhmr_core.body.motion import Motion
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_extra_mounts, draw_mounts
from ssrhmr_core.evaluation.worn.movement import draw_habits, hold_reference
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.tracking.calibration import Calibration, calibrate_at_stillest
from ssrhmr_core.tracking.extras.readings import ExtraReadings
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton

INDICES = {name: index for index, name in enumerate(EXTRA_TRACKERS)}
PAIRS = ("shoulder", "elbow", "knee", "toe")
WRONG_LIMBS = {
    "chest": ("left_knee", "right_elbow", "left_toe"),
    "left_shoulder": ("right_knee", "left_elbow", "right_toe"),
    "right_shoulder": ("left_knee", "right_elbow", "left_toe"),
    "left_elbow": ("left_knee", "right_toe", "right_elbow"),
    "right_elbow": ("right_knee", "left_toe", "left_elbow"),
    "left_knee": ("left_elbow", "chest", "right_shoulder"),
    "right_knee": ("right_elbow", "chest", "left_shoulder"),
    "left_toe": ("left_knee", "chest", "right_elbow"),
    "right_toe": ("right_knee", "chest", "left_elbow"),
}
"""Limbs on which a tracker may be worn by mistake, by its role."""


@dataclass(frozen=True)
class Session:
    """A performer with all trackers: in the T-pose, and in a motion."""

    truth: Motion
    pose: Take
    take: Take

    def wearing(self, names: tuple[str, ...]) -> Session:
        """The same with some of the optional trackers only."""

        def choose(take: Take) -> Take:
            assert take.extras is not None
            chosen = take.extras.choose(names)
            copies = chosen.part(np.arange(len(chosen)))
            return replace(take, extras=copies)

        return replace(self, pose=choose(self.pose), take=choose(self.take))

    def readings(self) -> tuple[ExtraReadings, ExtraReadings]:
        """What the optional trackers report, to be spoilt."""
        assert self.pose.extras is not None and self.take.extras is not None
        return self.pose.extras, self.take.extras

    def bake(self) -> Baked:
        """Calibrate and bake."""
        calibration, _ = calibrate_at_stillest(self.truth.skeleton, self.pose)
        body = Reconstructor(self.truth.skeleton)
        result = body.clip(calibration.apply(self.take))
        away = np.linalg.norm(result.positions() - self.truth.positions(), axis=-1)
        told = (*body.ignored_extras, *(each.tracker for each in body.taken_off))
        return Baked(calibration, told, 1000.0 * away.mean(1))


@dataclass(frozen=True)
class Baked:
    """What was told of a session, and errors (F,) of its poses, means over the joints, mm."""

    calibration: Calibration
    told: tuple[str, ...]
    errors: np.ndarray

    def tells_of(self, name: str) -> bool:
        """Whether a warning or a note names the tracker, or the pair that it belongs to."""
        pair = f"{name.rpartition('_')[2]}s"
        return name in self.told or any(
            name in warning or pair in warning for warning in self.calibration.warnings
        )


@cache
def performer() -> Session:
    random, body = np.random.default_rng(5), make_skeleton()
    mounts: Mounts = draw_mounts(body, random)
    habits = draw_habits(random)
    every: tuple[tuple[str, Measurement], ...] = tuple((name, "pose") for name in EXTRA_TRACKERS)
    mounts = replace(mounts, extras=draw_extra_mounts(body, every, np.random.default_rng(6)))
    truth = make_motion(body, frames=420)
    posed = hold_reference(body, habits, 0.0, random)
    pose, take = (mounts.to_trackers(mounts.find_joints(motion)) for motion in (posed, truth))
    return Session(truth, pose, take)


@cache
def without() -> np.ndarray:
    """Errors (F,) with the six alone."""
    return performer().wearing(()).bake().errors


def check(session: Session, names: tuple[str, ...]) -> None:
    """The contradiction is told, and the pose is not worse than with the six alone."""
    baked = session.bake()
    for name in names:
        assert baked.tells_of(name)
    assert baked.errors.mean() < without().mean() + 0.5
    assert baked.errors.max() < without().max() + 5.0


@pytest.mark.parametrize("name", EXTRA_TRACKERS)
def test_trackers_that_are_worn_right_help_or_do_no_harm(name: str) -> None:
    """Otherwise the other tests of this page would show nothing."""
    baked = performer().wearing((name,)).bake()
    assert not baked.tells_of(name)
    assert baked.errors.mean() < without().mean() + 1.0


@pytest.mark.parametrize("part", PAIRS)
def test_swapped_twins(part: str) -> None:
    names = (f"left_{part}", f"right_{part}")
    session = performer().wearing(names)
    left, right = (INDICES[name] for name in names)
    for readings in session.readings():
        for values in (readings.positions, readings.rotations):
            values[:, [left, right]] = values[:, [right, left]]
    check(session, names)


@pytest.mark.parametrize("name", EXTRA_TRACKERS)
def test_left_on_the_floor(name: str) -> None:
    session = performer().wearing((name,))
    for readings in session.readings():
        readings.positions[:, INDICES[name]] = (0.6, 0.03, 0.4)
        readings.rotations[:, INDICES[name]] = (1.0, 0.0, 0.0, 0.0)
    check(session, (name,))


@pytest.mark.parametrize(
    ("name", "limb"), [(name, limb) for name, limbs in WRONG_LIMBS.items() for limb in limbs]
)
def test_worn_on_the_wrong_limb(name: str, limb: str) -> None:
    session = performer().wearing((name,))
    for readings, source in zip(session.readings(), performer().readings(), strict=True):
        readings.positions[:, INDICES[name]] = source.positions[:, INDICES[limb]]
        readings.rotations[:, INDICES[name]] = source.rotations[:, INDICES[limb]]
    check(session, (name,))


@pytest.mark.parametrize("name", EXTRA_TRACKERS)
def test_taken_off_at_half_time(name: str) -> None:
    """It is put on the floor beside the performer, and reports on."""
    session = performer().wearing((name,))
    worn = session.bake().errors
    _, readings = session.readings()
    half = len(readings) // 2
    shake = 0.0003 * np.random.default_rng(8).standard_normal((len(readings) - half, 3))
    place = session.truth.root[half] * (1.0, 0.0, 1.0) + (0.5, 0.03, 0.4)
    readings.positions[half:, INDICES[name]] = (place + shake).astype(np.float32)
    readings.rotations[half:, INDICES[name]] = readings.rotations[half, INDICES[name]]
    baked = session.bake()
    assert baked.told == (name,)
    # It may have been carried for a second.
    assert baked.errors[: half - 80].mean() < worn[: half - 80].mean() + 0.5
    assert baked.errors[half + 30 :].mean() < without()[half + 30 :].mean() + 0.5
    assert baked.errors.max() < max(without().max(), worn.max()) + 10.0
