# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided calibration of a live session, in simulated time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import TRACKERS, Skeleton
from ssrhmr_core.evaluation.worn.mounts import Mounts, draw_mounts
from ssrhmr_core.evaluation.worn.movement import draw_habits, hold_reference, make_guided_movement
from ssrhmr_core.live import LiveSession
from ssrhmr_core.live.guided_calibration import GuidedCalibration, Phase
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.streaming import Reading
from ssrhmr_core.tracking.calibration import Calibration, CalibrationOptions
from ssrhmr_core.tracking.movement.guided import EXERCISES, MOVEMENT_SECONDS
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.conftest import make_skeleton
from tests.core.tracking.movement.test_calibration import FEET, HANDS, sit

HOLD = 2.0
"""Seconds of the reference pose before the movement."""
TICK = 0.1


class Source:
    """Plays a take at its own times."""

    def __init__(self, take: Take) -> None:
        self.now = 0.0
        self._take, self._sent = take, 0

    def drain(self) -> list[Reading]:
        due = int(np.searchsorted(self._take.times, self.now, side="right"))
        rows, self._sent = range(self._sent, due), due
        return [
            Reading(
                device=role,
                time=float(self._take.times[row]),
                position=tuple(self._take.positions[row, tracker].tolist()),
                rotation=tuple(self._take.rotations[row, tracker].tolist()),
                valid=bool(self._take.valid[row, tracker]),
                arrival=float(self._take.times[row]),
            )
            for row in rows
            for tracker, role in enumerate(TRACKERS)
        ]

    def clock(self) -> float:
        return self.now


@dataclass(frozen=True, eq=False)
class Performer:
    """Somebody who holds the pose for two seconds, then makes the movement."""

    body: Skeleton
    mounts: Mounts
    take: Take

    def offset_error(self, calibration: Calibration) -> float:
        away = calibration.mount_offsets - self.mounts.mount_offsets()
        return float(np.linalg.norm(away, axis=-1).mean())


def join(pose: Take, movement: Take) -> Take:
    """The movement after the pose, at the performer's own pace, stretched to the figure's."""
    stretched = movement.times - movement.times[0]
    stretched = stretched * (MOVEMENT_SECONDS / stretched[-1]) + HOLD + 1.0 / 60.0
    movement = replace(movement, times=stretched)
    times = np.concatenate([pose.times[pose.times <= HOLD], movement.times])
    held = int((pose.times <= HOLD).sum())
    whole = Take(
        times,
        np.concatenate([pose.positions[:held], movement.positions]),
        np.concatenate([pose.rotations[:held], movement.rotations]),
        np.concatenate([pose.valid[:held], movement.valid]),
    )
    end = whole.times[-1]
    return whole.at(np.arange(0.0, end, 1.0 / 30.0))


def perform(seed: int = 0, change: Callable[[Take], Take] = lambda take: take) -> Performer:
    body, random = make_skeleton(), np.random.default_rng([seed, 7])
    mounts, habits = draw_mounts(body, random), draw_habits(random)
    pose = mounts.to_trackers(Take.from_motion(hold_reference(body, habits, 0.0, random)))
    movement = mounts.to_trackers(Take.from_motion(make_guided_movement(body, habits, random)))
    return Performer(body, mounts, join(pose, change(movement)))


def start(
    performer: Performer, former: Calibration | None = None
) -> tuple[Source, LiveSession, GuidedCalibration]:
    source = Source(performer.take)
    reconstructor = Reconstructor(performer.body, ReconstructionOptions(preset="ik"))
    roles = {role: role for role in TRACKERS}
    session = LiveSession(source, reconstructor, roles, former, clock=source.clock)
    session.tick(0.0)
    return source, session, GuidedCalibration(session, HOLD - 0.2)


def phase_of(guide: GuidedCalibration) -> Phase:
    """The phase, which mypy would otherwise take for unchanged since it was last compared."""
    return guide.phase


def run(
    source: Source, session: LiveSession, guide: GuidedCalibration, until: float = 99.0
) -> None:
    """Tick until a time or the end; what a thread computes takes real time."""
    limit = time.monotonic() + 600.0
    while guide.phase is not Phase.DONE and source.now < until and time.monotonic() < limit:
        if guide.phase is Phase.COMPUTING:
            time.sleep(0.01)
        else:
            source.now += TICK
        session.tick(source.now)
        guide.tick()


def test_a_guided_calibration_beats_the_pose() -> None:
    performer = perform()
    source, session, guide = start(performer)
    assert phase_of(guide) is Phase.POSE and guide.seconds == 0.0
    run(source, session, guide, HOLD + 1.0)
    assert phase_of(guide) is Phase.MOVEMENT and 0.5 < guide.seconds < 2.0
    pose = session.calibration
    assert pose is not None and guide.calibration is pose
    run(source, session, guide)
    assert guide.phase is Phase.DONE and guide.result is not None and guide.result.refined
    assert guide.calibration is guide.result.calibration
    assert session.calibration is not None and guide.calibration is not None
    np.testing.assert_array_equal(
        session.calibration.mount_offsets, guide.calibration.mount_offsets
    )
    # Whether the floor that was found is corrected is for the user to say.
    assert session.calibration.floor == (0.0, 0.0, 0.0) != guide.calibration.floor
    before, after = (performer.offset_error(c) for c in (pose, guide.result.calibration))
    assert after < 0.02 and after < 0.7 * before
    assert len(guide.performed) == len(EXERCISES)


def test_a_performer_who_makes_all_exercises_is_seen_to() -> None:
    source, session, guide = start(perform(1))
    run(source, session, guide)
    assert sum(guide.performed) >= len(EXERCISES) - 1


def test_leaving_out_the_movement_keeps_the_pose() -> None:
    source, session, guide = start(perform())
    run(source, session, guide, HOLD + 3.0)
    pose = session.calibration
    guide.use_pose()
    assert guide.phase is Phase.DONE and guide.result is None and guide.warnings == ()
    assert guide.calibration is session.calibration is pose


def test_leaving_out_the_movement_during_the_countdown_goes_on_to_the_pose() -> None:
    source, session, guide = start(perform())
    guide.use_pose()
    for _ in range(40):
        source.now += TICK
        session.tick(source.now)
        guide.tick()
    assert session.calibrations == 1 and session.calibration is not None


@pytest.mark.parametrize("at", [0.5, HOLD + 4.0])
def test_cancelling_brings_back_the_calibration_of_before(at: float) -> None:
    former = Calibration.none()
    source, session, guide = start(perform(), former)
    run(source, session, guide, at)
    guide.cancel()
    assert guide.phase is Phase.DONE and guide.result is None
    assert guide.calibration is session.calibration is former
    run(source, session, guide, at + 5.0)
    assert session.status.countdown == 0.0 and session.calibration is former


def test_cancelling_keeps_the_pose_if_there_was_nothing_before() -> None:
    source, session, guide = start(perform())
    run(source, session, guide, HOLD + 4.0)
    guide.cancel()
    assert guide.calibration is session.calibration is not None


def test_closing_waits_for_what_is_computed() -> None:
    source, session, guide = start(perform())
    while phase_of(guide) is not Phase.COMPUTING:
        source.now += TICK
        session.tick(source.now)
        guide.tick()
    thread = guide._thread
    assert thread is not None
    guide.close()
    assert not thread.is_alive() and phase_of(guide) is Phase.DONE


def stand_still(movement: Take) -> Take:
    still = np.zeros(len(movement), int)
    return replace(
        movement, positions=movement.positions[still], rotations=movement.rotations[still]
    )


def exchange(pair: list[int]) -> Callable[[Take], Take]:
    def change(movement: Take) -> Take:
        positions, rotations = movement.positions.copy(), movement.rotations.copy()
        positions[:, pair] = positions[:, pair[::-1]]
        rotations[:, pair] = rotations[:, pair[::-1]]
        return replace(movement, positions=positions, rotations=rotations)

    return change


def lose(tracker: str) -> Callable[[Take], Take]:
    def change(movement: Take) -> Take:
        valid = movement.valid.copy()
        valid[60:, TRACKERS.index(tracker)] = False
        return replace(movement, valid=valid)

    return change


def sit_down(movement: Take) -> Take:
    body, random = make_skeleton(), np.random.default_rng([0, 7])
    mounts = draw_mounts(body, random)
    motion = sit(make_guided_movement(body, draw_habits(random), random))
    return mounts.to_trackers(Take.from_motion(motion))


def swap_people(movement: Take) -> Take:
    """Somebody smaller wears the trackers."""
    body, random = make_skeleton(), np.random.default_rng([0, 7])
    mounts = draw_mounts(body, random)
    motion = make_guided_movement(body.scaled(0.8), draw_habits(random), random)
    return mounts.to_trackers(Take.from_motion(motion))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (stand_still, "hardly any movement"),
        (exchange(HANDS), "swapped on the hands"),
        (exchange(FEET), "swapped on the feet"),
        (exchange([TRACKERS.index("pelvis"), TRACKERS.index("head")]), ""),
        (lose("left_hand"), "fewer than 4 seconds"),
        (sit_down, ""),
        (swap_people, ""),
    ],
)
def test_a_bad_movement_is_reported_and_the_pose_stays(
    change: Callable[[Take], Take], words: str
) -> None:
    source, session, guide = start(perform(0, change))
    run(source, session, guide, HOLD + 1.0)
    pose = session.calibration
    run(source, session, guide)
    assert guide.phase is Phase.DONE and guide.result is not None and not guide.result.refined
    assert session.calibration is guide.calibration is pose
    (warning,) = guide.warnings
    assert warning.startswith("the movement was not used: ") and words in warning


def test_one_leg_instead_of_the_other_is_reported() -> None:
    """The right leg stands throughout: its exercise is not seen."""

    def change(movement: Take) -> Take:
        foot = TRACKERS.index("right_foot")
        positions, rotations = movement.positions.copy(), movement.rotations.copy()
        positions[:, foot], rotations[:, foot] = positions[0, foot], rotations[0, foot]
        return replace(movement, positions=positions, rotations=rotations)

    source, session, guide = start(perform(1, change))
    run(source, session, guide)
    assert not guide.performed[[e.name for e in EXERCISES].index("right leg")]
    assert guide.warnings


def test_a_pose_that_fails_ends_the_guide() -> None:
    performer = perform()
    valid = performer.take.valid.copy()
    valid[:, TRACKERS.index("head")] = False
    source, session, guide = start(replace(performer, take=replace(performer.take, valid=valid)))
    run(source, session, guide)
    assert guide.phase is Phase.DONE and session.calibration is None
    assert session.status.message.startswith("not calibrated: not seen: head")


def test_what_cannot_be_guided_is_refused() -> None:
    _, session, _ = start(perform())
    session.cancel_calibration()
    with pytest.raises(TrackerError, match="scaled to the character"):
        GuidedCalibration(session, 1.0, CalibrationOptions("FIT"))
    session.bind({role: role for role in TRACKERS if role != "left_hand"})
    with pytest.raises(TrackerError, match="no device is bound to left_hand"):
        GuidedCalibration(session)
    assert session.status.countdown == 0.0
