# SPDX-License-Identifier: GPL-3.0-or-later
"""Performers who wear fewer than six trackers.

Any trackers will do that include a head or a pelvis; the model fills in the others. What trackers
cannot show is assumed, and said: a calibration names what it measured and what it assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from ..body.extra_trackers import WHOLE_POSES, Measurement
from ..body.skeleton import FOOT_TRACKERS, TRACKERS
from ..geometry.rotations import from_quat
from .take import TrackerError

Feature = Literal["direction", "floor", "height", "trunk", "arms", "legs"]
"""What a calibration has to know of a performer."""

ANCHOR_ROLES = ("pelvis", "head")
"""Trackers of which one is needed: the others are filled in relative to it."""

_PELVIS, _HEAD = TRACKERS.index("pelvis"), TRACKERS.index("head")
_HANDS = (TRACKERS.index("left_hand"), TRACKERS.index("right_hand"))
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
        tracked: (6,) bool, which trackers have a rotation. The head counts before the pelvis:
            headsets have their front along Z. Without either the performer faces along Z.
    """
    if not tracked[[_HEAD, _PELVIS]].any():
        return 0.0
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


def describe_assumptions(
    tracked: np.ndarray,
    assumed: Sequence[Feature],
    measures: Sequence[Measurement] = WHOLE_POSES,
) -> str:
    """Say which trackers are filled in and what is assumed instead; "" if all six are there.

    Args:
        tracked: (6,) bool, which trackers there are that have a position.
        assumed: What they leave open.
        measures: What each of the six trackers measures.
    """
    turned = [role for role, part in zip(TRACKERS, measures, strict=True) if part == "rotation"]
    placed = [role for role, part in zip(TRACKERS, measures, strict=True) if part == "position"]
    missing = [role for role in roles_in(~tracked) if role not in turned]
    texts = []
    if missing:
        texts.append(f"no tracker on {_listed(missing)}: the model fills in the rest of the body")
    if turned:
        texts.append(f"no position of {_listed(turned)}: the model guesses it from the rotation")
    if placed:
        texts.append(f"no rotation of {_listed(placed)}: the model guesses it from the position")
    anchor = "head" if tracked[_HEAD] else "pelvis"
    reasons = [_ASSUMPTIONS[feature].format(anchor=anchor) for feature in assumed]
    if texts and reasons:
        texts.append(f"It assumes that {_listed(reasons)}")
    return ". ".join(texts)


def explain_missing(roles: Collection[str], turned: Collection[str] = ()) -> str:
    """Say what a live calibration can do with the roles that are bound, "" if all six are.

    Args:
        roles: Roles whose devices have positions.
        turned: Roles whose devices have rotations alone.
    """
    missing = roles_in(~mask_of(roles) & ~mask_of(turned))
    if not (missing or mask_of(turned).any()):
        return ""
    if not mask_of(ANCHOR_ROLES)[mask_of(roles)].any():
        return (
            "no device is bound to pelvis or head: calibration needs one of them. Switch it on, and"
            " say which device is worn there, or stand in the T-pose to let places decide"
        )
    if not missing:
        return (
            f"no position of {_listed(roles_in(mask_of(turned)))}: the model guesses it from the"
            " rotation"
        )
    return (
        f"no device is bound to {_listed(missing)}: the model fills in what nobody tracks. If you"
        " wear one there, switch it on and say which device it is"
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
