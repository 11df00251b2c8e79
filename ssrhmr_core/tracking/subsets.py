# SPDX-License-Identifier: GPL-3.0-or-later
"""Performers who wear fewer than six trackers.

Any trackers will do that include a head or a pelvis; the model fills in the others. What trackers
cannot show is assumed, and said: a calibration names what it measured and what it assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..body.skeleton import FOOT_TRACKERS, TRACKERS
from ..geometry.rotations import Y_AXIS, from_quat, heading, rotation_about, to_quat
from .take import Take, TrackerError

Feature = Literal["direction", "floor", "height", "trunk", "arms", "legs"]
"""What a calibration has to know of a performer."""

ANCHOR_ROLES = ("pelvis", "head")
"""Trackers of which one is needed: the others are filled in relative to it."""

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))
_MOVES = 0.01
"""Metres from which on a tracker that never turns has no rotation, rather than stand still."""
_ASSUMPTIONS: dict[Feature, str] = {
    "direction": "the {anchor} tracker's own front is the performer's",
    "floor": "the floor is at height zero",
    "height": "the performer is as tall as the character",
    "trunk": "the trunk has the usual length",
    "arms": "the arms have the usual length",
    "legs": "the legs have the usual length",
}


def all_tracked() -> np.ndarray:
    """Return a mask (6,) of trackers that are all there."""
    return np.ones(len(TRACKERS), bool)


def mask_of(roles: Collection[str]) -> np.ndarray:
    """Return a mask (6,) of the trackers with some roles."""
    return np.array([role in roles for role in TRACKERS])


def roles_in(tracked: np.ndarray) -> list[str]:
    """Return the roles of the trackers in a mask (6,)."""
    return [role for role, is_there in zip(TRACKERS, tracked, strict=True) if is_there]


def require_anchor(tracked: np.ndarray) -> None:
    """Check that one of the trackers (6,) tells where the body is.

    Raises:
        TrackerError: If neither the pelvis nor the head is tracked.
    """
    if not mask_of(ANCHOR_ROLES)[tracked].any():
        raise TrackerError(
            "neither pelvis nor head is tracked, and the body begins where one of them is: add a"
            " tracker there"
        )


def shows_direction(tracked: np.ndarray) -> bool:
    """Return whether the positions of trackers (6,) show which way a standing performer faces."""
    return bool(tracked[list(_HANDS)].any() or tracked[list(FOOT_TRACKERS)].all())


def find_front(rotations: np.ndarray, tracked: np.ndarray) -> float:
    """Return the heading that the rotations of trackers suggest in radians about Y, 0 along Z.

    Args:
        rotations: (6, 4) quaternions.
        tracked: (6,) bool, which trackers there are. The head counts before the pelvis: headsets
            have their front along Z.
    """
    anchor = _HEAD if tracked[_HEAD] else _PELVIS
    front = from_quat(np.asarray(rotations[anchor], np.float64))[:, 2]
    return float(np.arctan2(front[0], front[2]))


def split_features(
    tracked: np.ndarray, *, measures_body: bool, height_is_given: bool, floor_is_level: bool
) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
    """Return what trackers in a reference pose measure of a performer, and what they leave open.

    Args:
        tracked: (6,) bool, which trackers there are.
        measures_body: Whether the performer's proportions count, rather than the character's.
        height_is_given: Whether the user said how tall the performer is.
        floor_is_level: Whether the trackers may stand on a floor at height zero.
    """
    hands, feet = tracked[list(_HANDS)].any(), tracked[list(FOOT_TRACKERS)].any()
    pelvis, head = bool(tracked[_PELVIS]), bool(tracked[_HEAD])
    grounded = bool(feet or floor_is_level)
    known: dict[Feature, bool] = {"direction": shows_direction(tracked), "floor": bool(feet)}
    if measures_body:
        known["height"] = height_is_given or (grounded and (head or pelvis)) or (head and pelvis)
        known["trunk"] = head and pelvis
        known["arms"] = bool(hands)
        known["legs"] = pelvis and grounded
    measured = tuple(feature for feature, is_known in known.items() if is_known)
    return measured, tuple(feature for feature, is_known in known.items() if not is_known)


def describe_assumptions(tracked: np.ndarray, assumed: Sequence[Feature]) -> str:
    """Say which trackers are filled in and what is assumed instead; "" if all six are there."""
    missing = roles_in(~tracked)
    if not missing:
        return ""
    anchor = "head" if tracked[_HEAD] else "pelvis"
    reasons = [_ASSUMPTIONS[feature].format(anchor=anchor) for feature in assumed]
    text = f"no tracker on {_listed(missing)}: the model fills in the rest of the body"
    return f"{text}. It assumes that {_listed(reasons)}" if reasons else text


def explain_missing(roles: Collection[str]) -> str:
    """Say what a live calibration can do with the roles that are bound, "" if all six are."""
    missing = roles_in(~mask_of(roles))
    if not missing:
        return ""
    if not mask_of(ANCHOR_ROLES)[mask_of(roles)].any():
        return (
            "no device is bound to pelvis or head: calibration needs one of them. Switch it on, and"
            " say which device is worn there, or stand in the T-pose to let places decide"
        )
    return (
        f"no device is bound to {_listed(missing)}: the model fills in what nobody tracks. If you"
        " wear one there, switch it on and say which device it is"
    )


def find_positions_only(take: Take) -> list[str]:
    """Return the roles of the trackers of a recording that have a position and no rotation.

    Senders of positions only are recorded with a rotation that never changes.
    """
    identity = np.array([1.0, 0.0, 0.0, 0.0], np.float32)
    same = (take.rotations == identity).all(-1) | ~take.valid
    positions = np.where(take.valid[..., None], take.positions, np.nan)
    moves = [
        bool(valid.any() and np.ptp(places[valid], axis=0).max() > _MOVES)
        for places, valid in zip(positions.swapaxes(0, 1), take.valid.T, strict=True)
    ]
    return roles_in(same.all(0) & np.array(moves))


def rotate_positions_only(take: Take, positions_only: Collection[str]) -> Take:
    """Let trackers that have a position and no rotation rotate with the body.

    The pelvis' rotation serves, or else the heading of the head. Where neither has a rotation, the
    lines from right to left hands and feet show which way the performer faces.

    Args:
        take: The trackers, not calibrated yet.
        positions_only: Roles of the trackers without a rotation.
    """
    lacking = mask_of(positions_only)
    if not lacking.any():
        return take
    if not lacking[_PELVIS] and take.valid[:, _PELVIS].any():
        reference = take.rotations[:, _PELVIS]
    elif not lacking[_HEAD] and take.valid[:, _HEAD].any():
        reference = _to_headings(take.rotations[:, _HEAD])
    else:
        reference = _find_headings(take)
    rotations = take.rotations.copy()
    rotations[:, lacking] = reference[:, None]
    return replace(take, rotations=rotations)


def _to_headings(rotations: np.ndarray) -> np.ndarray:
    """Return the rotations (F, 4) about the vertical of some rotations (F, 4)."""
    return to_quat(heading(from_quat(rotations))).astype(np.float32)


def _find_headings(take: Take) -> np.ndarray:
    """Return rotations (F, 4) about the vertical from the places of hands and feet."""
    across = np.zeros((len(take), 3))
    for left, right in (FOOT_TRACKERS, _HANDS):
        both = take.valid[:, left] & take.valid[:, right]
        line = take.positions[:, left] - take.positions[:, right]
        across += np.where(both[:, None], line, 0.0)
    # Facing +Z, the left is +X. Where nothing shows a direction, the performer faces +Z.
    across[:, 0] += 1e-6
    angles = np.arctan2(-across[:, 2], across[:, 0])
    return to_quat(rotation_about(Y_AXIS, angles)).astype(np.float32)


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
