# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics, in one implementation for training, evaluation and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..body.motion import Motion
from ..body.skeleton import INDEX, JOINTS, TRACKER_JOINTS
from ..geometry.rotations import rotation_angle, transpose
from ..tracking.foot_planting import TOES, Contacts, detect_contacts, estimate_floor
from ..tracking.take import Take
from .anatomy import Anatomy, measure_anatomy, pool_anatomy, summarize_anatomy
from .low_poses import LOW_KINDS, RESTING_JOINTS, classify_low, measure_heights

FIRST_FRAME = 42
"""Number of frames left out at the start of a clip, as in the publication (43-frame window)."""

ENDS = TRACKER_JOINTS[1:]
"""The end effectors: head, wrists and ankles."""
_GLITCH_SPEED = 12.0
"""Metres a second; the corpus' manifests count such frames as fast. Nearly all are glitches of the
source, single frames in which a joint jumps there and back."""
_STANDING_SPEED = 0.15
"""Metres a second below which a true foot stands."""
ACTIVITIES = ("low", "running", "arms raised", "walking", "in place")
"""Activities of a body, of which the first that applies counts: hips low (squat, floor), fast, a
hand over the head, going somewhere, or none of these."""
_LOW_HIPS, _RUNNING_SPEED, _WALKING_SPEED = 0.62, 2.0, 0.4
"""Height of low hips over the feet, in lengths of the leg; speeds in metres a second."""
_FREE = [joint for joint in range(len(JOINTS)) if joint not in TRACKER_JOINTS]
_CERTAINTY = (
    "certainty_spearman",
    "certainty_joint_spearman",
    "certainty_worst_tenth_share",
    "certainty_largest_tenth_share",
    "certainty_ratio",
)
_FEWEST_RANKED = 10
_LOW = ACTIVITIES.index("low")
_SUNK = 20.0
"""Depth in mm from which a joint counts as sunk into the floor."""
_FEET = tuple([INDEX[f"{side}_ankle"], INDEX[f"{side}_toe"]] for side in ("left", "right"))
_HORIZONTAL = [0, 2]
_FLOOR_PERCENT = 5.0
"""Percentile of the heights of standing feet that is the floor."""
_CROSSED = 0.02
"""Metres by which an ankle is on the other one's side where legs cross."""


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors of one clip, frame by frame, so that clips can be pooled.

    Attributes:
        positions: (F, 22) distances of the joints from the truth, mm.
        rotations: (F, 22) angles between global rotations, degrees.
        velocities: (F, 22) lengths of the velocity errors, cm/s.
        jerk: (F, 22) third derivatives of positions, 10^2 m/s^3.
        true_jerk: (F, 22) third derivatives of the true positions, 10^2 m/s^3.
        foot_skate: (S,) horizontal speeds of ankles and toes while the true foot stands, cm/s.
        foot_depths: (S,) depths of the balls of feet below the floor while the true foot is near a
            contact, mm.
        floor_depths: (S,) depths of the balls of feet below the floor of the clip, which is where
            the lowest true ones stand, mm.
        crossed: (F,) bool, whether the legs cross at the ankles.
        true_crossed: (F,) bool, whether the true ones do.
        activities: (F,) index into :data:`ACTIVITIES` of the true body.
        lost: (F,) bool, True where a tracker was not valid.
        jumps: (J,) how much farther than in truth a joint jumps in each frame in which a tracker
            is lost or comes back, for the joint that jumps farthest, mm.
        expected: (F, 22) distances from the truth that the model expected, mm; NaN if it was not
            asked.
        low_kinds: (F,) index into :data:`LOW_KINDS` of the true body, -1 where it is not low.
        depths: (F, 8) how far each of :data:`RESTING_JOINTS` is below its place while the true one
            rests on the floor, mm, negative above it; NaN elsewhere.
        anatomy: What the joints of the result do.
        true_anatomy: What the true joints do.
        glitches: Number of frames left out because the truth itself jumps there.
    """

    positions: np.ndarray
    rotations: np.ndarray
    velocities: np.ndarray
    jerk: np.ndarray
    true_jerk: np.ndarray
    foot_skate: np.ndarray
    foot_depths: np.ndarray
    floor_depths: np.ndarray
    crossed: np.ndarray
    true_crossed: np.ndarray
    activities: np.ndarray
    lost: np.ndarray
    jumps: np.ndarray
    expected: np.ndarray
    low_kinds: np.ndarray
    depths: np.ndarray
    anatomy: Anatomy
    true_anatomy: Anatomy
    glitches: int


def measure_errors(
    result: Motion,
    truth: Motion,
    valid: np.ndarray | None = None,
    expected: np.ndarray | None = None,
) -> Errors:
    """Compare a reconstruction with the truth, both on the same even clock.

    Args:
        result: The reconstruction.
        truth: The motion that the trackers were read from.
        valid: (F, 6) bool, False where a tracker was not valid; by default all were.
        expected: (F, 22) position errors that the model expected, metres.
    """
    if expected is None:
        expected = np.full((len(truth), len(JOINTS)), np.nan)
    rate = truth.rate
    positions, true_positions = (m.positions().astype(np.float64) for m in (result, truth))
    velocity, true_velocity = (_derivative(p, rate, 1) for p in (positions, true_positions))
    true_speed = np.linalg.norm(true_velocity, axis=-1)
    glitches = _glitches(true_speed)
    kept = ~glitches
    kept[:FIRST_FRAME] = False

    angles = rotation_angle(transpose(truth.matrices()) @ result.matrices())
    lost = np.zeros(len(truth), bool) if valid is None else ~valid.all(1)
    changes = np.flatnonzero(np.diff(lost.astype(np.int8))) + 1
    activities = _activities(true_positions, truth)
    contacts = detect_contacts(Take.from_motion(truth), truth.skeleton)
    low = np.where(activities == _LOW, classify_low(true_positions, truth.skeleton), -1)
    return Errors(
        positions=1000.0 * np.linalg.norm(positions - true_positions, axis=-1)[kept],
        rotations=np.degrees(angles)[kept],
        velocities=100.0 * np.linalg.norm(velocity - true_velocity, axis=-1)[kept],
        jerk=0.01 * np.linalg.norm(_derivative(positions, rate, 3), axis=-1)[kept],
        true_jerk=0.01 * np.linalg.norm(_derivative(true_positions, rate, 3), axis=-1)[kept],
        foot_skate=100.0 * _foot_skate(velocity, true_speed, kept),
        foot_depths=1000.0 * _foot_depths(positions, true_positions, contacts)[np.tile(kept, 2)],
        floor_depths=1000.0 * _floor_depths(positions[kept], true_positions, contacts),
        crossed=_cross(positions[kept]),
        true_crossed=_cross(true_positions[kept]),
        activities=activities[kept],
        lost=lost[kept],
        jumps=1000.0 * _jumps(positions, true_positions, changes)[kept[changes]],
        expected=1000.0 * expected[kept],
        low_kinds=low[kept],
        depths=1000.0 * measure_heights(positions, true_positions, true_speed, truth)[kept],
        anatomy=measure_anatomy(result).part(kept),
        true_anatomy=measure_anatomy(truth).part(kept),
        glitches=int(glitches[FIRST_FRAME:].sum()),
    )


def pool_errors(errors: Sequence[Errors]) -> Errors:
    """Join the errors of clips, frame after frame."""
    pooled: dict[str, Any] = {}
    for name in (field.name for field in fields(Errors)):
        parts = [getattr(each, name) for each in errors]
        if name == "glitches":
            pooled[name] = sum(parts)
        else:
            pooled[name] = (pool_anatomy if "anatomy" in name else np.concatenate)(parts)
    return Errors(**pooled)


def summarize_errors(errors: Errors) -> dict[str, Any]:
    """Return the reported figures by name; None where there was nothing to measure."""
    ends = errors.positions[:, list(ENDS)]
    return {
        "mpjpe_mm": _mean(errors.positions),
        "mpeepe_mm": _mean(ends),
        "mpeepe_p95_mm": _percentile(ends, 95),
        "mpjre_deg": _mean(errors.rotations),
        "mpjve_cm_s": _mean(errors.velocities),
        "jitter": _mean(errors.jerk),
        "jitter_gt": _mean(errors.true_jerk),
        "foot_skate_cm_s": _mean(errors.foot_skate),
        "foot_sunk_p99_mm": _percentile(errors.foot_depths, 99),
        "foot_under_floor_p99_mm": _percentile(errors.floor_depths, 99),
        "legs_crossed_percent": 100.0 * float(errors.crossed.mean()),
        "legs_crossed_percent_gt": 100.0 * float(errors.true_crossed.mean()),
        "lost_mpjpe_mm": _mean(errors.positions[errors.lost]),
        "lost_jump_mm": float(errors.jumps.max()) if errors.jumps.size else None,
        **_certainty(errors),
        **summarize_anatomy(errors.anatomy),
        **summarize_anatomy(errors.true_anatomy, "_gt"),
        "frames": len(errors.positions),
        "glitch_frames_left_out": errors.glitches,
    }


def _certainty(errors: Errors) -> dict[str, float | None]:
    """Return how well expected errors foretell the true ones.

    Returns:
        The Spearman correlation over frames, of the means over joints, and over single joints that
        no tracker measures; the share of all error in the tenth of frames that were least certain,
        and in the tenth with the largest errors, which is the most that the former can be; and the
        ratio of expected and true error.
    """
    if not len(errors.expected) or np.isnan(errors.expected).any():
        return dict.fromkeys(_CERTAINTY)
    expected, true = errors.expected.mean(1), errors.positions.mean(1)
    tenth = max(len(expected) // 10, 1)
    least, largest = np.argsort(expected)[-tenth:], np.argsort(true)[-tenth:]
    values = (
        _rank_correlation(expected, true),
        _rank_correlation(errors.expected[:, _FREE].ravel(), errors.positions[:, _FREE].ravel()),
        float(true[least].sum() / max(true.sum(), 1e-9)),
        float(true[largest].sum() / max(true.sum(), 1e-9)),
        float(expected.mean() / max(true.mean(), 1e-9)),
    )
    return dict(zip(_CERTAINTY, values, strict=True))


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Return Spearman's correlation of two arrays (N,)."""
    if len(a) < _FEWEST_RANKED:
        return None
    ranks = np.empty((2, len(a)))
    for values, row in zip((a, b), ranks, strict=True):
        row[np.argsort(values, kind="stable")] = np.arange(len(a))
    return float(np.corrcoef(ranks)[0, 1])


def detail_errors(errors: Errors) -> dict[str, Any]:
    """Return the MPJPE by joint, by activity and by kind of low pose, and how joints rest, mm."""
    joints = dict(zip(JOINTS, errors.positions.mean(0).tolist(), strict=True))
    return {
        "joints": joints,
        "kinds": _by_kind(errors, ACTIVITIES, errors.activities),
        "low_kinds": _by_kind(errors, LOW_KINDS, errors.low_kinds),
        "resting": _resting(errors.depths),
    }


def _by_kind(errors: Errors, names: Sequence[str], numbers: np.ndarray) -> dict[str, Any]:
    """Return the MPJPE and the number of the frames whose ``numbers`` (F,) stand for each name."""
    return {
        name: {"mpjpe_mm": _mean(errors.positions[numbers == number]), "frames": int(count)}
        for number, name in enumerate(names)
        if (count := (numbers == number).sum())
    }


def _resting(depths: np.ndarray) -> dict[str, Any]:
    """Return how far joints that rest on the floor sink into it and float over it, mm."""
    figures = {}
    for name, column in zip(RESTING_JOINTS, depths.T, strict=True):
        depth = column[np.isfinite(column)]
        if len(depth):
            figures[name] = {
                "sunk_p99_mm": _percentile(np.maximum(depth, 0.0), 99),
                "sunk_over_20_percent": 100.0 * float((depth > _SUNK).mean()),
                "floating_p99_mm": _percentile(np.maximum(-depth, 0.0), 99),
                "frames": len(depth),
            }
    return figures


def _glitches(true_speed: np.ndarray) -> np.ndarray:
    """Return (F,) bools: True in and around frames in which a true joint (F, 22) jumps."""
    jumps = (true_speed > _GLITCH_SPEED).any(-1)
    # Velocities and third derivatives of the neighbouring frames see the jump too.
    return np.convolve(jumps, np.ones(5), "same") > 0.0


def _foot_skate(velocity: np.ndarray, true_speed: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return horizontal speeds (S,) of left, then right feet while the true ones stand, m/s."""
    speeds = []
    for foot in _FEET:
        standing = kept & (true_speed[:, foot] < _STANDING_SPEED).all(-1)
        speed = np.linalg.norm(velocity[:, foot][..., _HORIZONTAL], axis=-1).mean(-1)
        speeds.append(speed[standing])
    return np.concatenate(speeds)


def _foot_depths(
    positions: np.ndarray, true_positions: np.ndarray, contacts: Contacts
) -> np.ndarray:
    """Return depths (2F,) of the balls of left, then right feet under the true contact, m."""
    depths = []
    for side, toe in enumerate(TOES):
        floor = estimate_floor(true_positions[:, toe, 1], contacts.ball[:, side])
        depths.append(np.maximum(floor - positions[:, toe, 1], 0))
    return np.concatenate(depths)


def _floor_depths(
    positions: np.ndarray, true_positions: np.ndarray, contacts: Contacts
) -> np.ndarray:
    """Return depths (2F,) of the balls below the lowest heights at which true ones stand, m."""
    standing = true_positions[:, TOES, 1][contacts.ball]
    if not len(standing):
        return np.zeros(0)
    floor = np.percentile(standing, _FLOOR_PERCENT)
    depths: np.ndarray = np.maximum(floor - positions[:, TOES, 1], 0.0).T.ravel()
    return depths


def _cross(positions: np.ndarray) -> np.ndarray:
    """Return (F,) bool, whether one ankle is on the other one's side, as the hips are turned."""
    left, right = (positions[:, INDEX[f"{side}_hip"]] for side in ("left", "right"))
    across = (left - right)[:, _HORIZONTAL]
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    feet = positions[:, INDEX["left_ankle"]] - positions[:, INDEX["right_ankle"]]
    crossed: np.ndarray = (feet[:, _HORIZONTAL] * across).sum(-1) < -_CROSSED
    return crossed


def _jumps(positions: np.ndarray, true_positions: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return how much farther than in truth joints jump to each of some frames at most, m."""
    steps = np.linalg.norm(positions[frames] - positions[frames - 1], axis=-1)
    true_steps = np.linalg.norm(true_positions[frames] - true_positions[frames - 1], axis=-1)
    return np.maximum(steps - true_steps, 0.0).max(-1, initial=0.0)


def _activities(positions: np.ndarray, truth: Motion) -> np.ndarray:
    """Return the index into :data:`ACTIVITIES` (F,) of a body with these joints (F, 22, 3)."""
    rate = truth.rate
    lengths = np.linalg.norm(truth.skeleton.offsets, axis=-1)
    leg = float(lengths[[INDEX["left_knee"], INDEX["left_ankle"]]].sum())
    hips, head = positions[:, INDEX["hips"]], positions[:, INDEX["head"], 1]
    feet = positions[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 1].min(-1)
    # The path of half a second, so that the sway of steps does not count.
    half = max(1, round(0.25 * rate))
    frames = np.arange(len(positions))
    begin, end = np.maximum(frames - half, 0), np.minimum(frames + half, len(positions) - 1)
    path = np.linalg.norm(hips[end][:, _HORIZONTAL] - hips[begin][:, _HORIZONTAL], axis=-1)
    speed = path * rate / np.maximum(end - begin, 1)
    wrists = positions[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 1].max(-1)
    checks = [
        hips[:, 1] - feet < _LOW_HIPS * leg,
        speed > _RUNNING_SPEED,
        wrists > head,
        speed > _WALKING_SPEED,
    ]
    return np.select(checks, range(len(checks)), len(checks))


def _percentile(values: np.ndarray, percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values.size else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None


def _derivative(positions: np.ndarray, rate: float, order: int) -> np.ndarray:
    """Return backward differences (F, 22, 3) per second^order; the first frames repeat the next."""
    if len(positions) <= order:
        return np.zeros_like(positions)
    steps = np.diff(positions, n=order, axis=0) * rate**order
    return np.concatenate([np.repeat(steps[:1], order, 0), steps])
