# SPDX-License-Identifier: GPL-3.0-or-later
"""Contacts as ranges of time, how they are detected, and what planting makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from ssrhmr_core import ReconstructionOptions, Reconstructor, Skeleton, Take
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.tracking.contacts import (
    PARTS,
    ContactRange,
    contacts_from_ranges,
    ranges_of,
)
from ssrhmr_core.tracking.foot_planting import ContactOptions, Contacts, detect_contacts
from tests.core.conftest import make_skeleton

RATE = 60.0
FRAMES = 300
HAND, FOOT = TRACKERS.index("right_hand"), TRACKERS.index("left_foot")


def standing(skeleton: Skeleton) -> Take:
    """Trackers of a body that stands still in the T-pose for five seconds."""
    joints = skeleton.t_pose()
    positions = np.tile(joints[[0, 13, 17, 21, 3, 7]], (FRAMES, 1, 1)).astype(np.float32)
    positions[..., 1] -= joints[[4, 8], 1].min() - 0.03
    rotations = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), (FRAMES, 6, 1))
    return Take(np.arange(FRAMES) / RATE, positions, rotations, np.ones((FRAMES, 6), bool))


def drag(take: Take, tracker: int, begin: int, end: int, speed: float) -> None:
    """Let a tracker glide ahead at a speed in metres per second, and stay there."""
    share = np.clip(np.arange(FRAMES) - begin, 0, end - begin) / RATE
    take.positions[:, tracker, 2] += (share * speed).astype(np.float32)


def runs(ranges: list[ContactRange], part: str) -> list[tuple[int, int]]:
    return [
        (round(each.begin * RATE), round(each.end * RATE)) for each in ranges if each.part == part
    ]


def found(take: Take, skeleton: Skeleton, **options: float | bool) -> list[ContactRange]:
    contacts = detect_contacts(take, skeleton, ContactOptions(**options))  # type: ignore[arg-type]
    return ranges_of(contacts, take.times)


def test_ranges_and_masks_mean_the_same() -> None:
    random = np.random.default_rng(1)

    def mask(*shape: int) -> np.ndarray:
        return np.repeat(random.random((20, *shape)) > 0.5, 5, axis=0)

    flat = mask(2)
    contacts = Contacts(flat | mask(2), flat, mask(2), mask())
    times = np.arange(100) / RATE
    again = contacts_from_ranges(ranges_of(contacts, times), times)
    for name in ("ball", "flat", "hands", "hips"):
        np.testing.assert_array_equal(getattr(again, name), getattr(contacts, name))
    # At another rate they begin and end at the nearest frame.
    coarse = contacts_from_ranges([ContactRange("hips", 0.5, 1.0)], np.arange(60) / 24.0)
    assert coarse.hips is not None
    assert np.flatnonzero(coarse.hips).tolist() == list(range(12, 25))
    assert {each.part for each in ranges_of(contacts, times)} == set(PARTS)


def test_sensitivity_and_gap() -> None:
    skeleton = make_skeleton()
    take = standing(skeleton)
    # Half a second at twice the speed at which a contact ends.
    drag(take, FOOT, 100, 130, 0.64)
    usual = runs(found(take, skeleton), "left_foot")
    assert len(usual) == 2 and abs(usual[0][1] - 100) <= 2 and abs(usual[1][0] - 130) <= 2
    assert runs(found(take, skeleton, sensitivity=5.0), "left_foot") == [(0, FRAMES - 1)]
    assert runs(found(take, skeleton, largest_gap=0.6), "left_foot") == [(0, FRAMES - 1)]
    assert runs(found(take, skeleton, largest_gap=0.3), "left_foot") == usual
    slow = standing(skeleton)
    drag(slow, FOOT, 100, 130, 0.1)
    assert runs(found(slow, skeleton), "left_foot") == [(0, FRAMES - 1)]
    assert len(runs(found(slow, skeleton, sensitivity=0.2), "left_foot")) == 2


def test_hands_and_hips_rest_only_near_the_floor_and_if_asked() -> None:
    skeleton = make_skeleton()
    take = standing(skeleton)
    take.positions[100:200, HAND, 1] = 0.08
    pelvis = TRACKERS.index("pelvis")
    take.positions[150:250, pelvis, 1] = 0.15
    assert not runs(found(take, skeleton), "right_hand")
    ranges = found(take, skeleton, whole_body=True)
    ((begin, end),) = runs(ranges, "right_hand")
    assert abs(begin - 100) <= 2 and abs(end - 199) <= 2
    ((begin, end),) = runs(ranges, "hips")
    assert abs(begin - 150) <= 2 and abs(end - 249) <= 2
    assert not runs(ranges, "left_hand")


@pytest.mark.parametrize(("part", "tracker"), [("left_foot", FOOT), ("right_hand", HAND)])
def test_a_given_contact_holds_what_glides(part: str, tracker: int) -> None:
    skeleton = make_skeleton()
    take = standing(skeleton)
    take.positions[:, HAND, 2] += 0.2
    take.positions[:, HAND, 0] *= 0.7
    drag(take, tracker, 100, 200, 0.06)
    joint = (0, 13, 17, 21, 3, 7)[tracker]

    def glides(release: float) -> np.ndarray:
        options = ReconstructionOptions(
            planting=1.0,
            contacts=(ContactRange(part, 80 / RATE, 220 / RATE),),
            contact_options=ContactOptions(release=release),
        )
        positions = Reconstructor(skeleton, options).clip(take).positions()
        return np.asarray(positions[:, joint, 2])

    held = glides(0.13)
    assert np.ptp(take.positions[100:201, tracker, 2]) > 0.09
    assert np.ptp(held[100:201]) < 0.01
    # The longer the release, the softer it starts to be held.
    speeds = [np.abs(np.diff(glides(release))).max() for release in (0.05, 0.8)]
    assert speeds[1] < speeds[0]


def test_detected_contacts_given_back_hold_what_stands_as_before() -> None:
    skeleton = make_skeleton()
    take = standing(skeleton)
    drag(take, FOOT, 100, 160, 0.4)
    automatic = Reconstructor(skeleton, ReconstructionOptions(planting=1.0))
    ranges = automatic.find_contacts(take)
    assert len(runs(ranges, "left_foot")) == 2
    given = Reconstructor(skeleton, ReconstructionOptions(planting=1.0, contacts=tuple(ranges)))
    one, other = (each.clip(take).positions() for each in (automatic, given))
    assert np.abs(one - other).max() < 0.002
