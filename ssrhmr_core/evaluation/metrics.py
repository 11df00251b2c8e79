"""The metrics, in one implementation for training, evaluation and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import transpose
from ..motion import Motion
from ..skeleton import INDEX, TRACKER_JOINTS

FIRST_FRAME = 42
"""Frames left out at the start of a clip, as in the publication (its 43-frame window)."""

ENDS = TRACKER_JOINTS[1:]
_GLITCH_SPEED = 12.0
"""Metres a second: what the corpus' manifests count as a fast frame. Nearly all are glitches of
the source, single frames in which a joint jumps there and back."""
_STANDING_SPEED = 0.15
_FEET = ((INDEX["left_ankle"], INDEX["left_toe"]), (INDEX["right_ankle"], INDEX["right_toe"]))


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of one clip, frame by frame, so that clips can be pooled.

    Attributes:
        joints: (F, 22) distance of each joint to the truth, mm.
        turns: (F, 22) angle between global rotations, degrees.
        velocities: (F, 22) length of the velocity error, cm/s.
        jerk: (F, 22) size of the third derivative of positions, 10^2 m/s^3.
        true_jerk: (F, 22) the same of the truth.
        skate: (S,) horizontal speed of ankles and toes while the true foot stands, cm/s.
        glitches: number of frames left out because the truth itself jumps there.
    """

    joints: np.ndarray
    turns: np.ndarray
    velocities: np.ndarray
    jerk: np.ndarray
    true_jerk: np.ndarray
    skate: np.ndarray
    glitches: int


def measure(result: Motion, truth: Motion) -> Errors:
    """Compare a reconstruction with the truth, both on the same even clock."""
    rate = truth.rate
    points, wanted = (m.positions().astype(np.float64) for m in (result, truth))
    speed = np.linalg.norm(_derivative(wanted, rate, 1), axis=-1)
    jumps = (speed > _GLITCH_SPEED).any(-1)
    # A jump spoils the frames beside it too: their velocities and third derivatives see it.
    spoilt = np.convolve(jumps, np.ones(5), "same") > 0.0
    kept = ~spoilt
    kept[:FIRST_FRAME] = False

    relative = transpose(truth.matrices()) @ result.matrices()
    cosine = np.clip(0.5 * (np.trace(relative, axis1=-2, axis2=-1) - 1.0), -1.0, 1.0)
    velocity = _derivative(points, rate, 1)
    missed = np.linalg.norm(velocity - _derivative(wanted, rate, 1), axis=-1)
    skate = [
        np.linalg.norm(velocity[:, foot][..., [0, 2]], axis=-1).mean(-1)[
            kept & (speed[:, foot] < _STANDING_SPEED).all(-1)
        ]
        for foot in (list(foot) for foot in _FEET)
    ]
    return Errors(
        joints=1000.0 * np.linalg.norm(points - wanted, axis=-1)[kept],
        turns=np.degrees(np.arccos(cosine))[kept],
        velocities=100.0 * missed[kept],
        jerk=0.01 * np.linalg.norm(_derivative(points, rate, 3), axis=-1)[kept],
        true_jerk=0.01 * np.linalg.norm(_derivative(wanted, rate, 3), axis=-1)[kept],
        skate=100.0 * np.concatenate(skate),
        glitches=int(spoilt[FIRST_FRAME:].sum()),
    )


def pool(errors: list[Errors]) -> Errors:
    """Put clips together, frame after frame."""
    fields = ("joints", "turns", "velocities", "jerk", "true_jerk", "skate")
    tables = {name: np.concatenate([getattr(e, name) for e in errors]) for name in fields}
    return Errors(**tables, glitches=sum(e.glitches for e in errors))


def summarize(errors: Errors) -> dict[str, Any]:
    """The figures that are reported, by name; None where nothing could be measured."""
    ends = errors.joints[:, list(ENDS)]
    return {
        "mpjpe_mm": _mean(errors.joints),
        "mpeepe_mm": _mean(ends),
        "mpeepe_p95_mm": float(np.percentile(ends, 95)) if ends.size else None,
        "mpjre_deg": _mean(errors.turns),
        "mpjve_cm_s": _mean(errors.velocities),
        "jitter": _mean(errors.jerk),
        "jitter_gt": _mean(errors.true_jerk),
        "foot_skate_cm_s": _mean(errors.skate),
        "frames": len(errors.joints),
        "glitch_frames_left_out": errors.glitches,
    }


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _derivative(points: np.ndarray, rate: float, order: int) -> np.ndarray:
    """Backward differences (F, 22, 3) per second^order; the first frames repeat the next one."""
    if len(points) <= order:
        return np.zeros_like(points)
    steps = np.diff(points, n=order, axis=0) * rate**order
    return np.concatenate([np.repeat(steps[:1], order, 0), steps])
