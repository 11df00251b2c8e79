# SPDX-License-Identifier: GPL-3.0-or-later
"""Knees and elbows that sink into the floor come up, smoothly, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX, PARENTS, Skeleton
from ssrhmr_core.evaluation.anatomy import measure_anatomy, summarize_anatomy
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.solver import LIMBS
from ssrhmr_core.tracking.foot_planting import ContactOptions
from ssrhmr_core.tracking.limb_contacts import lift_limbs
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion

FRAMES = 300
KNEE = INDEX["left_knee"]
LEAST = -0.0064 + 0.02
"""Height of the knee of a body that lies as here where it rests: its wrists are lowest."""


def about(axis: int, degrees: np.ndarray | float) -> np.ndarray:
    rotvecs = np.zeros((*np.shape(degrees), 3))
    rotvecs[..., axis] = np.radians(degrees)
    return quat.from_scaled_angle_axis(rotvecs)


def lying(skeleton: Skeleton, sunk: np.ndarray) -> Motion:
    """Return a body on its back, left knee to the side, and lower by some degrees (F,)."""
    frames = len(sunk)
    rotations = np.tile(about(0, -90.0), (frames, 22, 1))
    for joint, side in ((INDEX["left_hip"], 50.0), (KNEE, -50.0)):
        turn = quat.mul(about(1, side), about(0, -90.0))
        rotations[:, joint] = np.tile(turn, (frames, 1))
    assert PARENTS[KNEE] == INDEX["left_hip"]
    times = np.arange(frames) / 60.0
    root = np.tile(np.array([0.0, 0.1, 0.0], np.float32), (frames, 1))
    motion = Motion(skeleton, times, rotations.astype(np.float32), root)
    # About the line from the hip to the ankle, so that the ankle stays.
    joints = motion.positions().astype(np.float64)
    along = joints[:, INDEX["left_ankle"]] - joints[:, INDEX["left_hip"]]
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    change = quat.from_scaled_angle_axis(np.radians(sunk)[:, None] * along)
    for joint in (INDEX["left_hip"], KNEE):
        rotations[:, joint] = quat.mul(change, rotations[:, joint])
    return Motion(skeleton, times, rotations.astype(np.float32), root)


def lifted(motion: Motion, free: np.ndarray | None = None) -> Motion:
    rotations = motion.rotations.copy()
    lift_limbs(rotations, Take.from_motion(motion), motion.skeleton, free)
    return Motion(motion.skeleton, motion.times, rotations, motion.root)


def sinking(degrees: float) -> np.ndarray:
    """Return degrees by which a knee sinks for a second and a half, and comes up again."""
    phase = np.clip((np.arange(FRAMES) - 100) / 100.0, 0.0, 1.0)
    return degrees * np.sin(np.pi * phase) ** 2


def test_a_knee_that_sinks_is_lifted(skeleton: Skeleton) -> None:
    motion = lying(skeleton, sinking(-40.0))
    before, after = (each.positions()[:, KNEE, 1] for each in (motion, lifted(motion)))
    assert before.min() < -0.09
    assert after.min() > LEAST - 0.005
    # It rests there, and does not float, while it would sink by centimetres.
    assert after[before < -0.05].max() < LEAST + 0.006


def test_it_comes_and_goes_smoothly(skeleton: Skeleton) -> None:
    motion = lying(skeleton, sinking(-40.0))
    moved = np.linalg.norm(lifted(motion).positions() - motion.positions(), axis=-1)[:, KNEE]
    assert moved.max() > 0.09
    assert np.abs(np.diff(moved)).max() < 0.007
    # Ahead of time, so that it need not hurry, and not long before.
    sinks = np.flatnonzero(motion.positions()[:, KNEE, 1] < LEAST)
    assert moved[sinks[0] - 10] > 0.001
    np.testing.assert_array_equal(moved[: sinks[0] - 60], 0.0)


def test_it_keeps_to_one_side(skeleton: Skeleton) -> None:
    """A knee that hangs straight down and wavers has no nearer side."""
    lowest = -np.degrees(np.arctan2(1.0, 0.0)) - 10.0
    wavering = lowest + 6.0 * np.sin(np.arange(FRAMES) / 20.0)
    motion = lying(skeleton, wavering)
    moved = lifted(motion).positions()[:, KNEE] - motion.positions()[:, KNEE]
    steps = np.linalg.norm(np.diff(moved, axis=0), axis=-1)
    assert np.linalg.norm(moved, axis=-1).min() > 0.05
    assert steps.max() < 0.01


def test_ends_and_other_limbs_stay(skeleton: Skeleton) -> None:
    motion = lying(skeleton, sinking(-40.0))
    moved = np.linalg.norm(lifted(motion).positions() - motion.positions(), axis=-1).max(0)
    assert {joint for joint in range(22) if moved[joint] > 1e-5} == {KNEE}


def test_what_is_measured_stays(skeleton: Skeleton) -> None:
    motion = lying(skeleton, sinking(-40.0))
    free = np.zeros((FRAMES, len(LIMBS)))
    np.testing.assert_array_equal(lifted(motion, free).rotations, motion.rotations)


def test_a_body_that_stands_is_left_alone(skeleton: Skeleton) -> None:
    motion = make_motion(skeleton)
    np.testing.assert_array_equal(lifted(motion).rotations, motion.rotations)


def test_a_forearm_goes_with_its_hand(skeleton: Skeleton) -> None:
    """An elbow that is lifted twists its hand no further than forearms do."""
    motion = lying(skeleton, np.zeros(FRAMES))
    shoulder, elbow, wrist = (INDEX[f"left_{name}"] for name in ("shoulder", "elbow", "wrist"))
    rotations = motion.rotations.astype(np.float64)
    lie = rotations[0, wrist].copy()
    # The elbow points to the feet and to the floor, the hand is turned by 65 degrees.
    for joint, side in ((shoulder, 40.0), (elbow, -40.0)):
        down = about(0, np.full(FRAMES, -45.0))
        rotations[:, joint] = quat.mul(down, quat.mul(about(1, side), lie)[None])
    rotations[:, wrist] = quat.mul(about(0, -110.0), lie)
    motion = Motion(skeleton, motion.times, rotations.astype(np.float32), motion.root)
    result = lifted(motion)
    heights = motion.positions()[:, elbow, 1], result.positions()[:, elbow, 1]
    assert heights[0].max() < -0.03 < 0.02 < heights[1].min()
    before, after = (summarize_anatomy(measure_anatomy(each)) for each in (motion, result))
    assert before["forearms_twisted_percent"] == after["forearms_twisted_percent"] == 0.0
    turned = np.abs(quat.mul(quat.inverse(motion.rotations), result.rotations)[..., 0])
    assert np.degrees(2.0 * np.arccos(turned[:, shoulder].max())) > 20.0


def test_which_takes_are_lifted(skeleton: Skeleton, monkeypatch: pytest.MonkeyPatch) -> None:
    """All bakes of the model, planted or not, but those that are to equal live frames."""
    lifts: list[int] = []
    monkeypatch.setattr("ssrhmr_core.pipeline.lift_limbs", lambda *_: lifts.append(1))
    take = Take.from_motion(lying(skeleton, np.zeros(60)))
    calls = {}
    for name, options in {
        "usual": ReconstructionOptions(),
        "planted": ReconstructionOptions(planting=0.7),
        "off": ReconstructionOptions(contact_options=ContactOptions(above_floor=False)),
        "live": ReconstructionOptions(causal=True),
        "network": ReconstructionOptions(stage="network"),
        "ik": ReconstructionOptions(preset="ik"),
    }.items():
        lifts.clear()
        Reconstructor(skeleton, options).clip(take)
        calls[name] = len(lifts)
    assert [name for name, count in calls.items() if count] == ["usual", "planted"]


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_takes(skeleton: Skeleton, frames: int) -> None:
    motion = lying(skeleton, np.full(frames, -40.0))
    heights = motion.positions()[:, KNEE, 1], lifted(motion).positions()[:, KNEE, 1]
    assert heights[0].max() < -0.09 and heights[1].min() > LEAST - 0.005


def test_a_limb_whose_ends_meet_for_a_frame(skeleton: Skeleton) -> None:
    """There is no line about which it could turn, and the other frames turn all the same."""
    # Lengths that add up without rounding.
    offsets = skeleton.offsets.copy()
    offsets[INDEX["left_hip"]] = [0.125, -0.0625, 0.0]
    offsets[KNEE], offsets[INDEX["left_ankle"]] = [0.0, -0.5, 0.0], [0.0, 0.5, 0.0]
    motion = lying(Skeleton(offsets), np.zeros(31))
    rotations, root = motion.rotations.copy(), motion.root.copy()
    root[:, 1] = 0.125
    for joint, degrees in ((INDEX["left_hip"], 0.0), (KNEE, 3.0)):
        rotations[:, joint] = about(0, degrees * np.arange(-15.0, 16.0))
    motion = Motion(motion.skeleton, motion.times, rotations, root)
    joints = motion.positions()[15]
    assert (joints[INDEX["left_ankle"]] == joints[INDEX["left_hip"]]).all()
    result = lifted(motion)
    assert np.isfinite(result.rotations).all()
    assert np.abs(result.rotations - motion.rotations).max() > 0.1
