# SPDX-License-Identifier: GPL-3.0-or-later
"""The performer's own proportions, and characters that move as the performer does."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.retarget import retarget
from ssrhmr_core.body.skeleton import INDEX, Skeleton
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.calibration import Calibration, CalibrationOptions, calibrate
from ssrhmr_core.tracking.proportions import estimate_performer, make_adult, measure_height
from ssrhmr_core.tracking.reference_pose import ReferencePose
from ssrhmr_core.tracking.take import Take
from tests.core.mounts import MOUNT_SETS, mount_trackers

SIDES = ("left", "right")
LEG_BONES = [INDEX[f"{side}_{part}"] for side in SIDES for part in ("knee", "ankle")]
ARM_BONES = [INDEX[f"{side}_{part}"] for side in SIDES for part in ("elbow", "wrist")]
FOOT_TRACKERS = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "toe")]


def body_with(legs: float = 1.0, arms: float = 1.0) -> Skeleton:
    offsets = make_adult().offsets.copy()
    offsets[LEG_BONES] *= np.float32(legs)
    offsets[ARM_BONES] *= np.float32(arms)
    return Skeleton(offsets)


def lengths(body: Skeleton) -> np.ndarray:
    """Of legs, trunk and an arm."""
    size = np.linalg.norm(body.offsets, axis=-1)
    return np.array(
        [size[LEG_BONES[:2]].sum(), body.t_pose()[INDEX["head"], 1], size[ARM_BONES[:2]].sum()]
    )


def test_an_adult_is_175_cm_tall() -> None:
    assert measure_height(make_adult()) == pytest.approx(1.75, abs=0.03)


@pytest.mark.parametrize("reference", list(ReferencePose))
@pytest.mark.parametrize(
    "factors", [(1.0, 1.0, 1.0), (0.96, 1.0, 1.0), (1.03, 0.97, 1.0), (1.0, 1.0, 0.7)]
)
def test_legs_trunk_and_arms_are_measured(
    reference: ReferencePose, factors: tuple[float, float, float]
) -> None:
    body = body_with(*factors[:2]).scaled(factors[2])
    off = []
    for seed in range(4):
        trackers = mount_trackers(body, MOUNT_SETS[seed % 4], seed, reference)
        estimated = estimate_performer(trackers.positions, reference)
        assert estimated is not None
        off.append(lengths(estimated.skeleton) / lengths(body) - 1.0)
    # Trackers sit up to 13 cm off their joints, and where exactly nobody can tell.
    assert np.abs(np.mean(off, 0)).max() < 0.08, np.mean(off, 0)
    assert np.abs(off).max() < 0.16, np.abs(off).max(0)


def test_a_known_height_is_kept() -> None:
    trackers = mount_trackers(body_with(), MOUNT_SETS[1], 2)
    estimated = estimate_performer(trackers.positions, height=1.9)
    assert estimated is not None and measure_height(estimated.skeleton) == pytest.approx(
        1.9, abs=1e-3
    )


def test_an_upside_down_body_has_no_proportions() -> None:
    assert estimate_performer(-mount_trackers(make_adult(), MOUNT_SETS[0], 1).positions) is None


@pytest.mark.parametrize("legs", [0.5, 1.0, 2.0])
def test_limbs_turn_alike_and_feet_keep_to_the_floor(motion: Motion, legs: float) -> None:
    offsets = motion.skeleton.offsets.copy()
    offsets[LEG_BONES] *= np.float32(legs)
    character = Skeleton(offsets)
    retargeted = retarget(motion, character)
    np.testing.assert_array_equal(retargeted.rotations, motion.rotations)

    def low(of: Motion) -> np.ndarray:
        rest = of.skeleton.t_pose()[FOOT_TRACKERS, 1]
        return (of.positions()[:, FOOT_TRACKERS, 1] - (rest - rest.min())).min(-1)

    factor = (
        character.t_pose()[FOOT_TRACKERS, 1].min()
        / motion.skeleton.t_pose()[FOOT_TRACKERS, 1].min()
    )
    np.testing.assert_allclose(low(retargeted), factor * low(motion), atol=1e-5)
    np.testing.assert_allclose(
        retargeted.root[:, [0, 2]], factor * motion.root[:, [0, 2]], atol=1e-6
    )


def test_a_character_without_some_joints(motion: Motion) -> None:
    present = motion.skeleton.present.copy()
    present[INDEX["lower_spine"]] = False
    retargeted = retarget(motion, Skeleton(motion.skeleton.offsets, present))
    np.testing.assert_array_equal(
        retargeted.rotations[:, INDEX["lower_spine"]], motion.rotations[:, 0]
    )


def test_clip_and_frame_retarget_alike(motion: Motion) -> None:
    """And the ends of the performer, not of the character, are on the trackers."""
    character = body_with(0.5)
    take = Take.from_motion(motion)
    causal = ReconstructionOptions(causal=True)
    whole = Reconstructor(character, causal, performer=motion.skeleton).clip(take)
    plain = Reconstructor(motion.skeleton, causal).clip(take)
    np.testing.assert_allclose(whole.rotations, plain.rotations, atol=1e-6)
    assert whole.skeleton is character
    single = Reconstructor(character)
    single.set_performer(motion.skeleton)
    for frame in range(5):
        rotations, root = single.frame(take.positions[frame], take.rotations[frame])
        np.testing.assert_allclose(root, whole.root[frame], atol=1e-4)
        assert np.abs((rotations * whole.rotations[frame]).sum(-1)).min() > 1.0 - 1e-5


def test_calibration_keeps_the_performer() -> None:
    trackers = mount_trackers(body_with(0.9), MOUNT_SETS[0], 3)
    calibration = calibrate(
        body_with(0.4), trackers.positions, trackers.rotations, CalibrationOptions("RETARGET")
    )
    assert (
        calibration.performer is not None and calibration.scale == 1.0 and not calibration.warnings
    )
    take = Take(
        *(
            np.zeros(1),
            trackers.positions[None].astype("f4"),
            trackers.rotations[None].astype("f4"),
        ),
        np.ones((1, 6), bool),
    )
    joints = calibration.apply(take).positions[0]
    assert np.linalg.norm(joints - trackers.joint_positions, axis=-1).mean() < 0.06
    again = Calibration.from_json(calibration.to_json())
    assert again.performer is not None
    np.testing.assert_allclose(again.performer.offsets, calibration.performer.offsets, atol=1e-6)
