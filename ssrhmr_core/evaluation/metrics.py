# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics, in one implementation for training, evaluation and tests."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..body.motion import Motion
from ..body.skeleton import INDEX, JOINTS, TRACKER_JOINTS
from ..geometry.rotations import transpose
from ..tracking.foot_planting import TOES, detect_contacts, estimate_floor
from ..tracking.take import Take

FIRST_FRAME = 42
"""Frames left out at the start of a clip, as in the publication (its 43-frame window)."""

ENDS = TRACKER_JOINTS[1:]
_GLITCH_SPEED = 12.0
"""Metres a second: what the corpus' manifests count as a fast frame. Nearly all are glitches of
the source, single frames in which a joint jumps there and back."""
_STANDING_SPEED = 0.15
KINDS = ("low", "running", "arms raised", "walking", "in place")
"""What a body does, the first that holds: hips low (squat, floor), fast, a hand over the head,
going somewhere, or none of it."""
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
        sunk: (S,) how far balls of feet are below the floor while the true foot is near a
            contact, mm.
        kinds: (F,) index into :data:`KINDS`, what the true body does.
        lost: (F,) bool, a tracker was not seen.
        seams: (J,) by how much the joint that jumps most, jumps more than in truth, in each frame
            in which a tracker is lost or comes back, mm.
        glitches: number of frames left out because the truth itself jumps there.
    """

    joints: np.ndarray
    turns: np.ndarray
    velocities: np.ndarray
    jerk: np.ndarray
    true_jerk: np.ndarray
    skate: np.ndarray
    sunk: np.ndarray
    kinds: np.ndarray
    lost: np.ndarray
    seams: np.ndarray
    glitches: int


def measure(result: Motion, truth: Motion, valid: np.ndarray | None = None) -> Errors:
    """Compare a reconstruction with the truth, both on the same even clock.

    Args:
        result: the reconstruction.
        truth: the motion that the trackers were read from.
        valid: (F, 6) bool, False where a tracker was not seen; all were if not given.
    """
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
    lost = np.zeros(len(truth), bool) if valid is None else ~valid.all(1)
    ends = np.flatnonzero(np.diff(lost.astype(np.int8))) + 1
    steps = np.linalg.norm(points[ends] - points[ends - 1], axis=-1)
    own = np.linalg.norm(wanted[ends] - wanted[ends - 1], axis=-1)
    return Errors(
        joints=1000.0 * np.linalg.norm(points - wanted, axis=-1)[kept],
        turns=np.degrees(np.arccos(cosine))[kept],
        velocities=100.0 * missed[kept],
        jerk=0.01 * np.linalg.norm(_derivative(points, rate, 3), axis=-1)[kept],
        true_jerk=0.01 * np.linalg.norm(_derivative(wanted, rate, 3), axis=-1)[kept],
        skate=100.0 * np.concatenate(skate),
        sunk=1000.0 * _sunk(points, wanted, truth)[np.tile(kept, 2)],
        kinds=_kinds(wanted, truth, rate)[kept],
        lost=lost[kept],
        seams=1000.0 * np.maximum(steps - own, 0.0).max(-1, initial=0.0)[kept[ends]],
        glitches=int(spoilt[FIRST_FRAME:].sum()),
    )


def pool(errors: list[Errors]) -> Errors:
    """Put clips together, frame after frame."""
    names = [field.name for field in fields(Errors) if field.name != "glitches"]
    tables = {name: np.concatenate([getattr(e, name) for e in errors]) for name in names}
    return Errors(**tables, glitches=sum(e.glitches for e in errors))


def summarize(errors: Errors) -> dict[str, Any]:
    """The figures that are reported, by name; None where nothing could be measured."""
    ends = errors.joints[:, list(ENDS)]
    return {
        "mpjpe_mm": _mean(errors.joints),
        "mpeepe_mm": _mean(ends),
        "mpeepe_p95_mm": _quantile(ends, 95),
        "mpjre_deg": _mean(errors.turns),
        "mpjve_cm_s": _mean(errors.velocities),
        "jitter": _mean(errors.jerk),
        "jitter_gt": _mean(errors.true_jerk),
        "foot_skate_cm_s": _mean(errors.skate),
        "foot_sunk_p99_mm": _quantile(errors.sunk, 99),
        "lost_mpjpe_mm": _mean(errors.joints[errors.lost]),
        "lost_jump_mm": float(errors.seams.max()) if errors.seams.size else None,
        "frames": len(errors.joints),
        "glitch_frames_left_out": errors.glitches,
    }


def detail(errors: Errors) -> dict[str, Any]:
    """MPJPE by joint and by what the body does, mm."""
    kinds = {
        kind: {"mpjpe_mm": _mean(errors.joints[errors.kinds == number]), "frames": int(count)}
        for number, kind in enumerate(KINDS)
        if (count := (errors.kinds == number).sum())
    }
    joints = dict(zip(JOINTS, errors.joints.mean(0).tolist(), strict=True))
    return {"joints": joints, "kinds": kinds}


def _kinds(points: np.ndarray, truth: Motion, rate: float) -> np.ndarray:
    """Index into :data:`KINDS` (F,) of what a body with these joints (F, 22, 3) does."""
    lengths = np.linalg.norm(truth.skeleton.offsets, axis=-1)
    leg = float(lengths[[INDEX["left_knee"], INDEX["left_ankle"]]].sum())
    hips, head = points[:, 0], points[:, INDEX["head"], 1]
    feet = points[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 1].min(-1)
    # The path of half a second, so that the sway of steps does not count.
    half = max(1, round(0.25 * rate))
    frames = np.arange(len(points))
    begin, end = np.maximum(frames - half, 0), np.minimum(frames + half, len(points) - 1)
    path = np.linalg.norm(hips[end][:, [0, 2]] - hips[begin][:, [0, 2]], axis=-1)
    speed = path * rate / np.maximum(end - begin, 1)
    raised = points[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 1].max(-1) > head
    checks = [hips[:, 1] - feet < 0.62 * leg, speed > 2.0, raised, speed > 0.4]
    return np.select(checks, [0, 1, 2, 3], 4)


def _sunk(points: np.ndarray, wanted: np.ndarray, truth: Motion) -> np.ndarray:
    """How far the balls (2F,) of left and right foot are under where the true ones stand, m."""
    contacts = detect_contacts(Take.from_motion(truth), truth.skeleton)
    return np.concatenate(
        [
            np.maximum(
                estimate_floor(wanted[:, toe, 1], contacts.ball[:, side]) - points[:, toe, 1], 0
            )
            for side, toe in enumerate(TOES)
        ]
    )


def _quantile(values: np.ndarray, percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values.size else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _derivative(points: np.ndarray, rate: float, order: int) -> np.ndarray:
    """Backward differences (F, 22, 3) per second^order; the first frames repeat the next one."""
    if len(points) <= order:
        return np.zeros_like(points)
    steps = np.diff(points, n=order, axis=0) * rate**order
    return np.concatenate([np.repeat(steps[:1], order, 0), steps])
