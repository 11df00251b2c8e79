# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters with other proportions than the performer's: what each mode does with them.

The table is printed with ``pytest -s``.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core import Motion, Skeleton, Take
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.geometry.rotations import from_rotvec, rotation_about
from ssrhmr_core.tracking.proportions import make_adult
from tests.blender.conftest import choose, joint_worlds, make_armature, make_trackers
from tests.mixamo_names import mixamo_name

_STAND, _CLAP, _FRAMES = 40, 70, 80
_ANKLE = 0.08
_TABLE: list[str] = []
_CONTACTS: list[str] = []
_LARGEST = 0.02
"""Metres by which a contact may be farther than the performer's."""
_FEET = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "toe")]
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print all rows together at the end."""
    _TABLE.clear()
    _CONTACTS.clear()
    yield
    if _TABLE:
        print(
            f"\n{'character':18} {'mode':10} {'wrists, palms apart, mm':>24}"
            f" {'over the floor, mm':>20}  (wrists, palms, floor of the performer)"
        )
        print("\n".join(_TABLE))
    if _CONTACTS:
        print("\nRetarget, largest differences from the performer's distances, mm")
        print("legs      palms    hands to hips    soles to floor")
        print("\n".join(_CONTACTS))


def clapping() -> Motion:
    """A performer who stands in a T-pose, then brings the hands together in front."""
    body = make_adult()
    share = np.clip((np.arange(_FRAMES) - _STAND) / (_CLAP - _STAND), 0.0, 1.0)
    share = share * share * (3.0 - 2.0 * share)
    turns = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (_FRAMES, 22, 1))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        angles = sign * np.radians(105.0) * share[:, None]
        turned = quat.from_angle_axis(angles, np.tile([0.0, 1.0, 0.0], (_FRAMES, 1)))
        for part in ("shoulder", "elbow", "wrist"):
            turns[:, INDEX[f"{side}_{part}"]] = turned
    height = _ANKLE - body.t_pose()[INDEX["left_ankle"], 1]
    root = np.tile(np.array([0.0, height, 0.0], np.float32), (_FRAMES, 1))
    return Motion(body, np.arange(_FRAMES) / 60.0, turns.astype(np.float32), root)


def character(name: str) -> Skeleton:
    offsets = make_adult().offsets.copy()
    if name == "twice as large":
        offsets *= 2.0
    if name == "legs half as long":
        offsets[[2, 3, 6, 7]] *= 0.5
    return Skeleton(offsets)


def over_the_floor(heights: np.ndarray, body: Skeleton) -> np.ndarray:
    """How high (F,) the lowest foot stands, metres; heights (F, 22)."""
    rest = body.t_pose()[_FEET, 1]
    return (heights[:, _FEET] - (rest - rest.min())).min(-1)


def palms(armature: bpy.types.Object, frame: int) -> float:
    """Distance of the middles of both hands, metres."""
    bpy.context.scene.frame_set(frame)
    hands = [armature.pose.bones[mixamo_name(f"{side}_wrist")] for side in ("left", "right")]
    left, right = (armature.matrix_world @ (0.5 * (hand.head + hand.tail)) for hand in hands)
    return float((left - right).length)


@pytest.mark.parametrize("mode", ["MATCH", "RETARGET", "FIT"])
@pytest.mark.parametrize("name", ["as the performer", "twice as large", "legs half as long"])
def test_feet_on_the_floor_and_hands_together(name: str, mode: str) -> None:
    motion, body = clapping(), character(name)
    hero = make_armature("Hero", body)
    choose(hero, make_trackers(Take.from_motion(motion), mounted=False))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.proportions = 20, mode
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.range, setup.frame_start, setup.frame_end = "CUSTOM", 1, _FRAMES
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    places, _ = joint_worlds(hero, np.arange(1, _FRAMES + 1))
    lowest = 1000.0 * over_the_floor(places[..., 2], body)
    own = motion.positions()
    truth = 1000.0 * over_the_floor(own[..., 1], motion.skeleton)
    wrists, wanted = (float(np.linalg.norm(np.subtract(*p[-1, _WRISTS]))) for p in (places, own))
    hands = palms(hero, _FRAMES)
    # The performer's palms, as far along the hands as the character's in its own size.
    half = 0.15 * 0.25
    turned = (
        motion.matrices()[-1, _WRISTS] @ np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])[..., None]
    )
    own_palms = own[-1, _WRISTS] + half * turned[..., 0]
    together = float(np.linalg.norm(np.subtract(*own_palms)))
    _TABLE.append(
        f"{name:18} {mode:10} {1000.0 * wrists:12.0f} {1000.0 * hands:11.0f}"
        f" {lowest.min():11.1f} to {lowest.max():5.1f}"
        f"  ({1000.0 * wanted:.0f}, {1000.0 * together:.0f}, {truth.mean():.1f})"
    )
    scale = {"FIT": body.size / make_adult().size, "MATCH": 1.0}.get(
        mode, body.offsets[16, 0] / 0.28
    )
    if mode != "MATCH" or name == "as the performer":
        # As high over the floor as the performer's, in the character's own size.
        assert np.abs(lowest - truth * (lowest.mean() / truth.mean())).max() < 5.0 * scale
        assert 0.5 * truth.mean() < lowest.mean() < 1.2 * scale * truth.mean()
        assert wrists < 1.1 * scale * wanted, _TABLE[-1]
        assert hands < 1.1 * scale * together + 0.01, _TABLE[-1]


def hands_on_hips() -> Motion:
    """A performer who stands in a T-pose, then squats with the hands on the hips."""
    body = make_adult()
    share = np.clip((np.arange(_FRAMES) - _STAND) / (_CLAP - _STAND), 0.0, 1.0)
    turns = np.tile(np.eye(3), (_FRAMES, 22, 1, 1))
    bend = np.radians(50.0) * share * share * (3.0 - 2.0 * share)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turns[:, INDEX[f"{side}_hip"]] = rotation_about(0, -bend)
        turns[:, INDEX[f"{side}_knee"]] = rotation_about(0, bend)
        # Where the hand goes, as seen from the hips, and where the elbow is on the way.
        rest = body.t_pose().astype(np.float64)
        shoulder, elbow, wrist, hip = (
            rest[INDEX[f"{side}_{part}"]] for part in ("shoulder", "elbow", "wrist", "hip")
        )
        target = hip + np.array([0.09 * sign, 0.07, 0.02])
        upper, lower = elbow - shoulder, wrist - elbow
        reach, there = np.linalg.norm(target - shoulder), target - shoulder
        along = (upper @ upper - lower @ lower + reach**2) / (2.0 * reach)
        out = np.array([sign, 0.0, -0.3])
        out -= (out @ there) / reach**2 * there
        bent = along / reach * there + np.sqrt(upper @ upper - along**2) * _unit(out)
        for part, bone, way in (("shoulder", upper, bent), ("elbow", lower, there - bent)):
            axis = np.cross(_unit(bone), _unit(way))
            angle = np.arctan2(np.linalg.norm(axis), _unit(bone) @ _unit(way))
            turned = from_rotvec(np.minimum(2.0 * share, 1.0)[:, None] * angle * _unit(axis))
            turns[:, INDEX[f"{side}_{part}"]] = turned
        turns[:, INDEX[f"{side}_wrist"]] = turns[:, INDEX[f"{side}_elbow"]]
    thigh, shin = (np.abs(body.offsets[INDEX[f"left_{part}"], 1]) for part in ("knee", "ankle"))
    lowered = (1.0 - np.cos(bend)) * (thigh + shin)
    height = _ANKLE - body.t_pose()[INDEX["left_ankle"], 1]
    root = np.zeros((_FRAMES, 3), np.float32)
    root[:, 1] = height - lowered
    root[:, 2] = np.sin(bend) * (shin - thigh)
    quats = quat.from_matrix(turns).astype(np.float32)
    return Motion(body, np.arange(_FRAMES) / 60.0, quats, root)


def _unit(vector: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vector / np.linalg.norm(vector)
    return unit


def bake_retargeted(motion: Motion, body: Skeleton) -> np.ndarray:
    """Bake a performer's motion onto another body; return the joints (F, 22, 3)."""
    hero = make_armature("Hero", body)
    choose(hero, make_trackers(Take.from_motion(motion), mounted=False))
    setup = bpy.context.scene.ssrhmr
    setup.calibration_frame, setup.proportions = 20, "RETARGET"
    assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}, setup.message
    setup.range, setup.frame_start, setup.frame_end = "CUSTOM", 1, _FRAMES
    assert bpy.ops.ssrhmr.bake() == {"FINISHED"}, setup.message
    places, _ = joint_worlds(hero, np.arange(1, _FRAMES + 1))
    return places


@pytest.mark.parametrize("legs", [0.5, 0.75, 1.0, 1.25, 1.5])
def test_contacts_stay_with_other_legs(legs: float) -> None:
    offsets = make_adult().offsets.copy()
    offsets[
        [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle")]
    ] *= legs
    body, worst = Skeleton(offsets), {}
    clap, hips = clapping(), hands_on_hips()
    hips_joints = [INDEX["left_hip"], INDEX["right_hip"]]
    for motion in (clap, hips):
        places, own = bake_retargeted(motion, body), motion.positions()
        end = slice(_CLAP, None)
        if motion is clap:
            apart = [
                np.linalg.norm(p[end, _WRISTS[0]] - p[end, _WRISTS[1]], axis=-1)
                for p in (places, own)
            ]
            worst["palms"] = np.abs(apart[0] - apart[1]).max()
        else:
            away = [
                np.linalg.norm(p[end, _WRISTS] - p[end, hips_joints], axis=-1)
                for p in (places, own)
            ]
            worst["hips"] = np.abs(away[0] - away[1]).max()
        lowest = over_the_floor(places[..., 2], body)
        truth = over_the_floor(own[..., 1], motion.skeleton)
        worst["floor"] = max(worst.get("floor", 0.0), np.abs(lowest - truth).max())
    mm = {name: 1000.0 * value for name, value in worst.items()}
    _CONTACTS.append(f"x {legs:<4} {mm['palms']:9.1f} {mm['hips']:16.1f} {mm['floor']:17.1f}")
    assert max(worst.values()) < _LARGEST, _CONTACTS[-1]
