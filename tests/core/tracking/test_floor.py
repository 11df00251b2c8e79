# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor, found from standing feet, and trackers that are levelled to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import TRACKER_JOINTS
from ssrhmr_core.tracking.calibration import Calibration
from ssrhmr_core.tracking.floor import Floor, add_floor, describe_floor, find_floor
from ssrhmr_core.tracking.movement.calibration import MovementCalibration, keep_calibration
from ssrhmr_core.tracking.movement.guided import MOVEMENT_SECONDS, pose_figure
from ssrhmr_core.tracking.reference_pose import measure_ankle_height
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.conftest import make_skeleton

BODY = make_skeleton()
TIMES = np.arange(0.0, MOVEMENT_SECONDS, 1.0 / 12.0)
UP = np.array([0.0, 1.0, 0.0])
SPOTS = np.array([[-1.5, 0.0, -1.0], [1.5, 0.0, -1.0], [0.0, 0.0, 1.5], [1.0, 0.0, 1.0]])


def make_joints(spots: np.ndarray = SPOTS) -> Take:
    """A figure that makes the guided movement, at one spot after the other."""
    tracked = list(TRACKER_JOINTS)
    poses = [pose_figure(BODY, time) for time in TIMES]
    positions = np.array([positions[tracked] for positions, _ in poses])
    quats = quat.from_matrix(np.array([rotations[tracked] for _, rotations in poses]))
    frames = len(spots) * len(TIMES)
    return Take(
        np.arange(frames) / 12.0,
        np.concatenate([positions + spot for spot in spots]).astype(np.float32),
        np.tile(quats, (len(spots), 1, 1)).astype(np.float32),
        np.ones((frames, 6), bool),
    )


def put_on(floor: Floor, joints: Take) -> Take:
    """Turn and raise everything onto a floor."""
    up = np.array([-floor.slope_x, 1.0, -floor.slope_z])
    up /= np.linalg.norm(up)
    turn = quat.normalize(np.append(1.0 + up[1], np.cross(UP, up)))
    turns = np.broadcast_to(turn, joints.rotations.shape)
    positions = quat.mul_vec(turns, joints.positions.astype(float)) + floor.height * UP
    rotations = quat.mul(turns, joints.rotations.astype(float))
    return replace(joints, positions=positions.astype("f4"), rotations=rotations.astype("f4"))


@pytest.mark.parametrize("floor", [Floor(), Floor(0.05), Floor(-0.08), Floor(0.02, 0.03, -0.02)])
def test_the_floor_is_found_and_levelled(floor: Floor) -> None:
    joints = make_joints()
    shown = put_on(floor, joints)
    found = find_floor(BODY, shown)
    assert found is not None
    np.testing.assert_allclose(found, floor, atol=5e-3)
    levelled = replace(Calibration.none(), floor=floor).apply(shown)
    np.testing.assert_allclose(levelled.positions, joints.positions, atol=1e-5)
    turned = np.abs((levelled.rotations * joints.rotations).sum(-1))
    np.testing.assert_allclose(turned, 1.0, atol=1e-6)


def test_one_spot_tells_the_height_but_not_the_tilt() -> None:
    spot = np.array([[2.0, 0.0, 1.0]])
    shown = put_on(Floor(0.0, 0.03, 0.0), make_joints(spot))
    found = find_floor(BODY, shown)
    assert found is not None and found.tilt == 0.0
    assert found.height == pytest.approx(0.06, abs=0.01)


def test_who_never_stands_still_has_no_floor() -> None:
    joints = make_joints()
    running = joints.positions + 0.5 * joints.times[:, None, None] * np.array([1.0, 0.0, 0.0])
    assert find_floor(BODY, replace(joints, positions=running.astype("f4"))) is None


def test_feet_on_a_step_do_not_lift_the_floor() -> None:
    spots = np.concatenate([SPOTS, [[0.2, 0.3, -1.4]]])
    found = find_floor(BODY, make_joints(spots))
    assert found is not None
    np.testing.assert_allclose(found, Floor(), atol=0.02)


def test_a_floor_is_described_if_it_is_off() -> None:
    middle = np.zeros(3)
    assert describe_floor(BODY, Floor(0.02), middle) == ()
    assert describe_floor(BODY, Floor(0.05), middle, measured=True) == ()
    (text,) = describe_floor(BODY, Floor(0.05), middle)
    assert text == "the floor of the trackers is 5 cm above height 0: choose Correct Floor"
    (text,) = describe_floor(BODY, Floor(-0.1, 0.02), middle)
    assert "10 cm below height 0 and tilted by 1.1 degrees" in text


def test_a_refined_calibration_gets_the_floor() -> None:
    shown = put_on(Floor(0.05), make_joints())
    known = np.zeros(6)
    refined = MovementCalibration(Calibration.none(), True, known, known, 0.05, ())
    result = add_floor(refined, BODY, shown)
    assert result.calibration.floor == pytest.approx((0.05, 0.0, 0.0), abs=3e-3)
    assert result.warnings and result.calibration.without_floor().floor == (0.0, 0.0, 0.0)
    again = Calibration.from_json(result.calibration.to_json())
    assert again.floor == result.calibration.floor
    kept = keep_calibration(Calibration.none(), "no movement")
    assert add_floor(kept, BODY, shown) is kept


def test_calibrations_of_earlier_versions_are_level_and_damaged_floors_refused() -> None:
    text = Calibration.none().to_json()
    without = text.replace(', "floor": [0.0, 0.0, 0.0]', "")
    assert without != text and Calibration.from_json(without).floor == (0.0, 0.0, 0.0)
    with pytest.raises(TrackerError, match="cannot be read"):
        Calibration.from_json(text.replace('"floor": [0.0', '"floor": [NaN'))


def test_the_figure_stands_at_the_height_of_its_ankles() -> None:
    """What the tests above rely on."""
    ankles = make_joints().positions[:, [4, 5], 1]
    assert ankles.min() == pytest.approx(measure_ankle_height(BODY), abs=1e-5)
