# SPDX-License-Identifier: GPL-3.0-or-later
"""What joints do that those of people cannot: bends backwards, twists, arms behind the back.

The axes of hinges and the ranges are those of :mod:`ssrhmr_core.body.anatomy`. Motion capture
leaves them as well, where a source has faults or conventions of its own, so that the truth is to
be measured beside a result.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ..body.anatomy import (
    BACKWARDS,
    FOREARM_TWIST,
    HINGES,
    SHOULDER_ACROSS,
    SHOULDER_BACKWARDS,
)
from ..body.motion import Motion
from ..body.skeleton import INDEX, LIMB_DIRECTIONS, PARENTS, Skeleton
from ..geometry.rotations import to_quat, transpose

_KNEES = [INDEX["left_knee"], INDEX["right_knee"]]
_ELBOWS = [INDEX["left_elbow"], INDEX["right_elbow"]]
_SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]
_SIDES = np.array([1.0, -1.0])


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What the joints of a motion do, frame by frame.

    Attributes:
        bends: (F, 4) angles by which left and right knee, left and right elbow are bent, degrees;
            negative where they bend backwards.
        twists: (F, 2) twists of the hands against their forearms, degrees from the T-pose.
        shoulders: (F, 2) angles by which the upper arms are out of the shoulders' range, degrees;
            0 within it.
    """

    bends: np.ndarray
    twists: np.ndarray
    shoulders: np.ndarray

    def part(self, frames: np.ndarray) -> Anatomy:
        """Return some frames."""
        return Anatomy(**{field.name: getattr(self, field.name)[frames] for field in fields(self)})


def measure_anatomy(motion: Motion) -> Anatomy:
    """Measure what the joints of a motion do."""
    rotations = motion.matrices().astype(np.float64)
    return Anatomy(
        limb_bends(rotations, motion.skeleton),
        forearm_twists(rotations),
        _shoulder_excess(rotations),
    )


def summarize_anatomy(anatomy: Anatomy, suffix: str = "") -> dict[str, float | None]:
    """Return shares of limbs in percent by name, and the worst angle.

    Args:
        anatomy: What the joints of some frames do.
        suffix: What ends each name.
    """
    knees, elbows = np.split(anatomy.bends, 2, -1)
    backwards = -float(np.degrees(BACKWARDS))
    figures = {
        "knees_backwards_percent": _percent(knees < backwards),
        "elbows_backwards_percent": _percent(elbows < backwards),
        "forearms_twisted_percent": _percent(
            np.abs(anatomy.twists) > np.degrees(FOREARM_TWIST) + 0.01
        ),
        "shoulders_out_of_range_percent": _percent(anatomy.shoulders > 0.0),
        "most_backwards_deg": float(np.maximum(-anatomy.bends, 0.0).max())
        if anatomy.bends.size
        else None,
    }
    return {name + suffix: value for name, value in figures.items()}


def limb_bends(rotations: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return by how much knees and elbows are bent (F, 4), degrees, negative backwards.

    The hinge of a knee is the mean of what thigh and shin carry. A forearm turns about its own
    length, so the hinge of an elbow is the upper arm's.

    Args:
        rotations: (F, 22, 3, 3) global rotations.
        skeleton: The body.
    """
    bends = []
    for joint, axis in HINGES.items():
        upper, lower = rotations[:, PARENTS[joint]], rotations[:, joint]
        above = upper @ _unit(skeleton.offsets[joint])
        below = lower @ _unit(skeleton.offsets[joint + 1])
        hinge = upper @ axis + lower @ axis if joint in _KNEES else upper @ axis
        normal = np.cross(above, below)
        # The hinge at right angles to both bones: other parts of it are no bend.
        signed = (normal * hinge).sum(-1)
        across = np.abs((normal * _unit(hinge)).sum(-1))
        bends.append(np.copysign(np.arctan2(across, (above * below).sum(-1)), signed))
    return np.degrees(np.stack(bends, -1))


def forearm_twists(rotations: np.ndarray) -> np.ndarray:
    """Return the twists (F, 2) of hands against their forearms, degrees from the T-pose.

    Args:
        rotations: (F, 22, 3, 3) global rotations.
    """
    twists = []
    for elbow, side in zip(_ELBOWS, _SIDES, strict=True):
        turn = to_quat((transpose(rotations[:, elbow]) @ rotations[:, elbow + 1]).astype("f4"))
        turn = np.where(turn[:, :1] < 0.0, -turn, turn).astype(np.float64)
        along = turn[:, 1:] @ np.array(LIMB_DIRECTIONS[elbow])
        twists.append(side * 2.0 * np.arctan2(along, turn[:, 0]))
    return np.degrees(np.stack(twists, -1))


def _shoulder_excess(rotations: np.ndarray) -> np.ndarray:
    """Return by how much upper arms (F, 2) are out of the shoulders' range, degrees."""
    chest = transpose(rotations[:, INDEX["chest"]])
    excess = []
    for shoulder, side in zip(_SHOULDERS, _SIDES, strict=True):
        local = chest @ rotations[:, shoulder] @ np.array(LIMB_DIRECTIONS[shoulder])
        behind = np.arcsin(np.clip(-local[:, 2], -1.0, 1.0)) - SHOULDER_BACKWARDS
        across = np.arcsin(np.clip(-side * local[:, 0], -1.0, 1.0)) - SHOULDER_ACROSS
        excess.append(np.maximum(np.maximum(behind, across), 0.0))
    return np.degrees(np.stack(excess, -1))


def pool_anatomy(parts: list[Anatomy]) -> Anatomy:
    """Join what the joints of clips do, frame after frame."""
    names = [field.name for field in fields(Anatomy)]
    return Anatomy(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


def _percent(mask: np.ndarray) -> float | None:
    return 100.0 * float(mask.mean()) if mask.size else None


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
