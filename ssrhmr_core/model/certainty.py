# SPDX-License-Identifier: GPL-3.0-or-later
"""How sure the model is: the expected error of each joint.

A small net reads what the generator knows of a frame, and which trackers were filled in for how
long. It was trained to predict the logarithm of the position errors of the finished poses.

It does not know how good the trackers of a take are: a joint that a tracker places is as far off as
the tracker's noise and as it was missed by. Nor does it know of optional trackers, which leave
little to guess: where there are any, any other joint is as far off as the net expects times
factors, one for each tracker, measured on training clips.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..body.extra_trackers import EXTRA_INDEX, EXTRA_JOINTS, EXTRA_ROLES
from ..body.skeleton import INDEX, JOINTS, TRACKER_JOINTS, TRACKERS
from ..geometry.arrays import Array, clamp, namespace
from ..solver import Measured
from .layers import linear, silu

HIDDEN = 384
"""Width of the generator's hidden layers."""
_WIDTH = 64
LONGEST = 0.5
"""Seconds: trackers that are missing for longer count the same."""
_CORRECTED = 0.2
"""Seconds: what is corrected counts as missing for no longer. On 28 training clips, expected errors
relate to the true ones then as they do without corrections."""
_MOVED_BY = tuple(
    [INDEX[name] for name in names]
    for names in (
        ("hips", "left_hip", "right_hip", "lower_spine"),
        ("head",),
        ("left_wrist",),
        ("right_wrist",),
        ("left_ankle", "left_toe"),
        ("right_ankle", "right_toe"),
    )
)
"""Joints that move rigidly with each of the six trackers."""
_LEAST = 1e-4
"""Metres: no joint is expected to be nearer."""
LIVE_NOISE = 0.002
"""Metres by which trackers are off live, where their noise is not measured."""
_Shares = dict[str, float]
_LEFT: dict[str, tuple[_Shares, _Shares, _Shares]] = {
    "chest": (
        {"middle_spine": 0.33, "neck": 0.01, "clavicle": 0.01, "shoulder": 0.68},
        {},
        {"middle_spine": 0.92, "chest": 0.76, "neck": 0.81, "clavicle": 0.94, "shoulder": 0.86},
    ),
    "shoulder": (
        {"middle_spine": 0.57, "chest": 0.25, "neck": 0.09, "clavicle": 0.02, "elbow": 0.6},
        {},
        {},
    ),
    "elbow": (
        {"middle_spine": 0.84, "chest": 0.69, "neck": 0.46, "clavicle": 0.33, "shoulder": 0.01},
        {"shoulder": 0.84},
        {"shoulder": 0.79, "elbow": 0.69},
    ),
    "knee": ({}, {}, {"knee": 0.05}),
    "toe": ({}, {}, {}),
}
"""By part of the body: which share of the error of other joints optional trackers there leave, with
positions and rotations, with positions alone, and with rotations alone. Both of a pair are worn.
Measured on 19 training clips; what is not listed was not measured, or stayed as it was."""
_TYPICAL = float(np.log(0.006))
"""Logarithm of an error that is about the mean, in sizes of the body."""


def _spread(part: str) -> dict[str, np.ndarray]:
    """Return the logarithms (3, 22) of what a tracker of a part of the body leaves, by its name."""
    result = {}
    for name in EXTRA_ROLES:
        side, _, own = name.rpartition("_")
        if own != part:
            continue
        logs = np.zeros((3, len(JOINTS)), np.float32)
        for row, shares in enumerate(_LEFT[part]):
            for number, joint in enumerate(JOINTS):
                other_side, _, base = joint.partition("_")
                sided = other_side in ("left", "right")
                share = shares.get(base if sided else joint, 1.0)
                if sided and side in ("", other_side):
                    logs[row, number] = np.log(share)
                elif not sided:
                    # Each of a pair does half of what both do to the trunk.
                    logs[row, number] = np.log(share) * (0.5 if side else 1.0)
        result[name] = logs
    return result


_LOG_LEFT = {name: logs for part in _LEFT for name, logs in _spread(part).items()}
"""The logarithms (3, 22) of these shares of all joints, by tracker."""


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the weights; matrices are (inputs, outputs)."""
    return {
        "certainty.0.w": (HIDDEN + 2 * len(TRACKERS), _WIDTH),
        "certainty.0.b": (_WIDTH,),
        "certainty.1.w": (_WIDTH, _WIDTH),
        "certainty.1.b": (_WIDTH,),
        "certainty.2.w": (_WIDTH, len(JOINTS)),
        "certainty.2.b": (len(JOINTS),),
    }


def expect_log_errors(weights: Mapping[str, Array], hidden: Array, missing: Array) -> Array:
    """Predict the logarithms of position errors, in sizes of the body.

    Args:
        weights: Arrays or tensors as :func:`shapes` names them.
        hidden: (..., 384) from :class:`ssrhmr_core.model.network.Prediction`.
        missing: (..., 6) seconds since each tracker was last valid, 0 where it is.

    Returns:
        (..., 22).
    """
    xp = namespace(hidden)
    age = clamp(missing, 0.0, LONGEST) * (1.0 / LONGEST)
    is_missing = clamp(missing * 1e6, 0.0, 1.0)
    inputs = xp.concatenate([hidden, is_missing, age], -1)
    inner = silu(linear(weights, "certainty.0", inputs))
    inner = silu(linear(weights, "certainty.1", inner))
    return linear(weights, "certainty.2", inner) + _TYPICAL


def seconds_missing(valid: np.ndarray, rate: float) -> np.ndarray:
    """Return (F, 6) seconds since each tracker was last valid.

    Args:
        valid: (F, 6) bool.
        rate: Frames per second.
    """
    frames = np.arange(len(valid))[:, None]
    last = np.maximum.accumulate(np.where(valid, frames, -1), axis=0)
    age = np.where(last < 0, np.inf, (frames - last) / rate)
    return age.astype(np.float32)


def shorten_missing(seconds: np.ndarray, corrected: np.ndarray) -> np.ndarray:
    """Return the seconds that missing trackers count for, given which of them were corrected.

    Args:
        seconds: (..., 6) seconds since each tracker was last valid.
        corrected: (..., 6) bool, which were filled in with corrections that the take taught, see
            :mod:`ssrhmr_core.tracking.gap_corrections`.
    """
    return np.where(corrected, np.minimum(seconds, _CORRECTED), seconds).astype(np.float32)


def settle_errors(
    errors: np.ndarray,
    joints: np.ndarray,
    trackers: np.ndarray,
    held: np.ndarray,
    measured: Measured | None,
    noise: float,
) -> np.ndarray:
    """Return expected errors of joints that trackers hold, and of those near optional trackers.

    Args:
        errors: (F, 22) errors that the net expects, metres.
        joints: (F, 22, 3) positions of the joints of the finished poses, from the hips.
        trackers: (F, 6, 3) positions of the six trackers, from the hips.
        held: (F, 6) how much each of them holds its joint, 0 to 1: 0 if it was filled in.
        measured: What the optional trackers measure; None if there are none.
        noise: Standard deviation of the trackers' positions, metres.
    """
    noise = max(noise, _LEAST)
    settled, trusts, missed = errors, np.zeros_like(errors), np.zeros_like(errors)
    if measured is not None:
        settled = _leave_errors(errors, measured)
        worn = np.maximum(measured.position_trust, measured.rotation_trust).max(1)
        # Nothing is known better than trackers are; without optional ones, nothing changes.
        settled = np.maximum(settled, worn * np.minimum(noise, errors))
        distances = np.linalg.norm(joints[:, list(EXTRA_JOINTS)] - measured.positions, axis=-1)
        trusts[:, list(EXTRA_JOINTS)] = placed = measured.position_trust[..., 0]
        missed[:, list(EXTRA_JOINTS)] = np.where(placed > 0.0, distances, 0.0)
    distances = np.linalg.norm(joints[:, list(TRACKER_JOINTS)] - trackers, axis=-1)
    for tracker, moved in enumerate(_MOVED_BY):
        own = held[:, [tracker]]
        trusts[:, moved] = np.maximum(trusts[:, moved], own)
        missed[:, moved] = np.maximum(missed[:, moved], (own > 0.0) * distances[:, [tracker]])
    known = np.sqrt(noise * noise + missed * missed)
    return ((1.0 - trusts) * settled + trusts * known).astype(np.float32)


def _leave_errors(errors: np.ndarray, measured: Measured) -> np.ndarray:
    """Return what optional trackers leave of errors (F, 22) of joints that nothing places."""
    placed, turned = (trust[..., 0] for trust in measured[2:])
    left = np.zeros_like(errors)
    for name, role in EXTRA_ROLES.items():
        place = placed[:, EXTRA_INDEX[role.position], None]
        turn = np.maximum(
            turned[:, EXTRA_INDEX[role.upper], None], turned[:, EXTRA_INDEX[role.lower], None]
        )
        pose, position, rotation = _LOG_LEFT[name]
        left += place * (turn * pose + (1.0 - turn) * position) + (1.0 - place) * turn * rotation
    shrunk: np.ndarray = errors * np.exp(left)
    return shrunk
