# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned stages: six trackers in, joint rotations and bend directions out.

Three stages in the spirit of SSR-HMR (Electronics 2025, 14(18), 3664), each small enough for one
core of a CPU:

* the generator sees the trackers now and up to half a second ago, and the body's proportions; it
  makes a first guess of every joint and hands a few latent numbers to the later stages;
* the torso stage rewrites spine, neck and clavicles, after which the exact solve puts the head
  onto its tracker;
* the limb stage (one net for both legs, one for both arms, the right side seen in a mirror)
  rewrites each limb in the frame of the body part that carries it, where that part now really is,
  and says towards which side knee and elbow bend; the exact solve then closes the limb.

All inputs are relative to the pelvis and to the size of the body, so place, heading and scale mean
nothing to the network. The same functions serve NumPy at run time and torch in training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..body.skeleton import INDEX, JOINTS, TRACKER_JOINTS
from ..geometry.arrays import Array, constant, namespace
from ..geometry.rotations import UNIT_6D, from_6d, rotate, to_6d, transpose
from ..solver import (
    ARMS,
    LEGS,
    SPINE_STEPS,
    SolverSkeleton,
    assemble,
    carry_clavicles,
    close_limbs,
    hip_positions,
    reach_with_clavicles,
    solve_spine,
    solver_skeleton,
)
from .layers import linear, residual_net, silu

HISTORY = (2, 4, 8, 16, 32)
"""How many frames of 60 Hz ago the generator looks back."""

TORSO = tuple(
    INDEX[name]
    for name in ("lower_spine", "middle_spine", "chest", "neck", "left_clavicle", "right_clavicle")
)
FREE = tuple(joint for joint in range(len(JOINTS)) if joint not in TRACKER_JOINTS)
"""Joints that no tracker measures."""

FRAME_FEATURES = 5 * 9 + 3
STEP_FEATURES = FRAME_FEATURES + 9
INPUTS = FRAME_FEATURES + len(HISTORY) * STEP_FEATURES + 3 * (len(JOINTS) - 1)
TORSO_LATENT, LIMB_LATENT = 32, 24
LATENT = TORSO_LATENT + 4 * LIMB_LATENT
WIDTH, BLOCKS = 384, 3
STAGE_WIDTH = 192

Weights = Mapping[str, Array]

_LIMB_INPUTS = 3 + 6 + 3 + 12 + 18 + LIMB_LATENT
_POLES = np.array([(0.0, 0.0, 1.0)] * 2 + [(0.0, -0.5, -0.9)] * 2, np.float32)
_MIRROR_VECTORS = np.array([(1.0, 1.0, 1.0), (-1.0, 1.0, 1.0)] * 2, np.float32)
_MIRROR_SIXES = np.array([(1.0,) * 6, (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)] * 2, np.float32)
"""Of left and right leg, left and right arm."""


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights. Matrices are (inputs, outputs)."""
    sizes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, inputs: int, outputs: int) -> None:
        sizes[f"{name}.w"], sizes[f"{name}.b"] = (inputs, outputs), (outputs,)

    layer("generator.in", INPUTS, WIDTH)
    for block in range(BLOCKS):
        layer(f"generator.{block}.a", WIDTH, WIDTH)
        layer(f"generator.{block}.b", WIDTH, WIDTH)
    layer("generator.out", WIDTH, 6 * len(FREE) + LATENT)
    for stage, inputs, outputs in (
        ("torso", FRAME_FEATURES + 3 * 9 + 6 * len(TORSO) + TORSO_LATENT, 6 * len(TORSO)),
        ("leg", _LIMB_INPUTS, 3 + 6 * 3),
        ("arm", _LIMB_INPUTS, 3 + 6 * 2),
    ):
        layer(f"{stage}.0", inputs, STAGE_WIDTH)
        layer(f"{stage}.1", STAGE_WIDTH, STAGE_WIDTH)
        layer(f"{stage}.2", STAGE_WIDTH, outputs)
    return sizes


class Prediction(NamedTuple):
    """What the network says of some frames, in parts; a body is put together when it is asked for.

    Attributes:
        measured: (..., 6, 3, 3) rotations of the tracked joints.
        guessed: (..., 16, 3, 3) rotations of all others by the generator alone.
        parts: what :func:`ssrhmr_core.solver.assemble` takes, after the torso and limb stages.
        solved: the same after the exact solve. The limb stage works from where torso and clavicles
            are after theirs.
    """

    measured: Array
    guessed: Array
    parts: tuple[Array, ...]
    solved: tuple[Array, ...]

    @property
    def guess(self) -> Array:
        """Global rotations (..., 22, 3, 3) by the generator alone."""
        both = namespace(self.guessed).concatenate([self.guessed, self.measured], -3)
        return both[..., _FREE_ORDER, :, :]

    @property
    def learned(self) -> Array:
        """Global rotations (..., 22, 3, 3) of all stages, before the solve moves them."""
        return assemble(self.measured, *self.parts)

    @property
    def exact(self) -> Array:
        """Global rotations (..., 22, 3, 3) after the exact solve."""
        return assemble(self.measured, *self.solved)


class BodyFeatures(NamedTuple):
    """What the stages need of a skeleton; worked out once, used in every frame.

    Attributes:
        size: (...) or scalar, size of the body, see :attr:`Skeleton.size`.
        joints: (..., 63) all offsets but the root's, in sizes of the body.
        torso: (..., 27) those of spine, head, clavicles and shoulders.
        limbs: (..., 4, 12) those of legs and arms, the right ones seen in a mirror.
        body: in metres, for the solve.
    """

    size: Array
    joints: Array
    torso: Array
    limbs: Array
    body: SolverSkeleton


def body_features(offsets: Array, size: Array) -> BodyFeatures:
    """Work out what the stages need of bodies.

    Args:
        offsets: (..., 22, 3), metres.
        size: (...) or scalar, size of the body.
    """
    scaled = offsets / _expand(size, offsets, 2)
    lead = offsets.shape[:-2]
    limbs = scaled[..., _LIMB_BONES, :] * constant(_MIRROR_VECTORS, scaled)[:, None]
    return BodyFeatures(
        size,
        scaled[..., 1:, :].reshape(*lead, 63),
        scaled[..., _CARRIED, :].reshape(*lead, 27),
        limbs.reshape(*lead, 4, 12),
        solver_skeleton(offsets),
    )


def frame_features(positions: Array, rotations: Array, size: Array) -> Array:
    """What one frame looks like from the pelvis.

    Args:
        positions: (..., 6, 3) of the tracked joints, metres.
        rotations: (..., 6, 3, 3) of the tracked joints.
        size: (...) or scalar, size of the body, see :attr:`Skeleton.size`.

    Returns:
        (..., 48): places of the other five, their rotations (6D), and which way is up.
    """
    xp = namespace(positions)
    inverse = transpose(rotations[..., 0, :, :])
    places = rotate(inverse[..., None, :, :], positions[..., 1:, :] - positions[..., :1, :])
    places = places / _expand(size, positions, 2)
    turns = to_6d(inverse[..., None, :, :] @ rotations[..., 1:, :, :])
    lead = positions.shape[:-2]
    return xp.concatenate(
        [places.reshape(*lead, 15), turns.reshape(*lead, 30), inverse[..., :, 1]], -1
    )


def step_features(now: Array, past: Array, positions: Array, turns: Array, size: Array) -> Array:
    """How the trackers moved since the earlier frames of :data:`HISTORY`.

    Args:
        now: (..., 48) features of the frame.
        past: (..., 5, 48) features of the earlier frames.
        positions: (..., 6, 3) of the hips, now and at the earlier frames, metres.
        turns: (..., 6, 3, 3) their rotations.
        size: (...) or scalar, size of the body.

    Returns:
        (..., 285).
    """
    xp = namespace(now)
    inverse = transpose(turns[..., :1, :, :])
    travel = rotate(inverse, positions[..., 1:, :] - positions[..., :1, :])
    six = to_6d(inverse @ turns[..., 1:, :, :])
    # As a change from no turn at all, so that standing still is all zeros.
    changes = [
        past - now[..., None, :],
        travel / _expand(size, travel, 2),
        six - constant(UNIT_6D, six),
    ]
    return xp.concatenate(changes, -1).reshape(*now.shape[:-1], len(HISTORY) * STEP_FEATURES)


def predict(
    weights: Weights,
    features: Array,
    steps: Array,
    positions: Array,
    measured: Array,
    proportions: BodyFeatures,
    spine_steps: int = SPINE_STEPS,
) -> Prediction:
    """Run the three stages.

    Args:
        weights: arrays or tensors as :func:`shapes` names them.
        features: (..., 48) from :func:`frame_features`.
        steps: (..., 285) from :func:`step_features`.
        positions: (..., 6, 3) of the tracked joints, metres.
        measured: (..., 6, 3, 3) of the tracked joints.
        proportions: of the body, from :func:`body_features`.
        spine_steps: steps of the spine's solve at most.

    Returns:
        The prediction.
    """
    xp = namespace(features)
    hips = measured[..., 0, :, :]
    ends = positions[..., 1:, :] - positions[..., :1, :]
    size, body = proportions.size, proportions.body
    lead = features.shape[:-1]

    seen = xp.concatenate([features, steps, _broadcast(proportions.joints, lead)], -1)
    out = residual_net(weights, "generator", BLOCKS, seen)
    split = 6 * len(FREE)
    sixes = out[..., :split].reshape(*lead, len(FREE), 6) + constant(UNIT_6D, out)
    latent = out[..., split:]
    guessed = hips[..., None, :, :] @ from_6d(sixes)

    # Torso, in the frame of the hips.
    torso_sixes = sixes[..., _TORSO, :]
    inputs = [
        features,
        _broadcast(proportions.torso, lead),
        torso_sixes.reshape(*lead, 6 * len(TORSO)),
        latent[..., :TORSO_LATENT],
    ]
    change = _stage(weights, "torso", xp.concatenate(inputs, -1))
    torso = from_6d(torso_sixes + change.reshape(*lead, len(TORSO), 6))
    torso = hips[..., None, :, :] @ torso
    learned_spine, learned_clavicles = torso[..., :4, :, :], torso[..., 4:, :, :]
    spine, points = solve_spine(learned_spine, body, hips, ends[..., 0, :], spine_steps)
    chest = spine[..., 2, :, :]
    clavicles, shoulders = reach_with_clavicles(
        carry_clavicles(learned_clavicles, learned_spine, spine),
        body,
        chest,
        points[..., 2, :],
        ends[..., 1:3, :],
    )

    # Limbs, each in the frame of what carries it.
    starts = xp.concatenate([hip_positions(hips, body), shoulders], -2)
    targets = xp.concatenate([ends[..., 3:, :], ends[..., 1:3, :]], -2)
    arms = xp.concatenate([clavicles[..., None, :, :], guessed[..., _ARM_JOINTS, :, :]], -3)
    uppers, lowers, toes, poles = _limb_stage(
        weights,
        xp.stack([hips, hips, chest, chest], -3),
        (targets - starts) / _expand(size, starts, 2),
        xp.concatenate([measured[..., 4:, :, :], measured[..., 2:4, :, :]], -3),
        proportions.limbs,
        latent[..., TORSO_LATENT:].reshape(*lead, 4, LIMB_LATENT),
        xp.concatenate([guessed[..., _LEG_JOINTS, :, :], arms], -4),
    )
    parts = (learned_spine, learned_clavicles, uppers, lowers, toes)
    uppers, lowers = close_limbs(uppers, lowers, starts, body, targets, poles)
    return Prediction(measured, guessed, parts, (spine, clavicles, uppers, lowers, toes))


def _limb_stage(
    weights: Weights,
    carriers: Array,
    aims: Array,
    ends: Array,
    bones: Array,
    latents: Array,
    guessed: Array,
) -> tuple[Array, Array, Array, Array]:
    """Rewrite both legs and both arms, those of the right side seen in a mirror.

    Args:
        weights: of all stages.
        carriers: (..., 4, 3, 3) rotations of what carries each limb: hips or chest.
        aims: (..., 4, 3) where the ends are from the first joints, in sizes of the body.
        ends: (..., 4, 3, 3) rotations of the ends.
        bones: (..., 4, 12) of :class:`BodyFeatures`.
        latents: (..., 4, 24) from the generator.
        guessed: (..., 4, 3, 3, 3) rotations: thigh, shin and toe; clavicle, upper arm and forearm.

    Returns:
        Rotations of thighs and upper arms (..., 4, 3, 3), of shins and forearms, of toes
        (..., 2, 3, 3), and bend directions (..., 4, 3).
    """
    xp = namespace(aims)
    vector, six = constant(_MIRROR_VECTORS, aims), constant(_MIRROR_SIXES, aims)
    inverse = transpose(carriers)
    lead = aims.shape[:-2]
    sixes = to_6d(inverse[..., None, :, :] @ guessed) * six[:, None]
    inputs = [
        rotate(inverse, aims) * vector,
        to_6d(inverse @ ends) * six,
        inverse[..., :, 1] * vector,
        _broadcast(bones, (*lead, 4)),
        sixes.reshape(*lead, 4, 18),
        latents,
    ]
    seen = xp.concatenate(inputs, -1)
    legs = _stage(weights, "leg", seen[..., :2, :])
    arms = _stage(weights, "arm", seen[..., 2:, :])
    # Clavicles are the torso stage's.
    leg_sixes = sixes[..., :2, :, :] + legs[..., 3:].reshape(*lead, 2, 3, 6)
    arm_sixes = sixes[..., 2:, 1:, :] + arms[..., 3:].reshape(*lead, 2, 2, 6)
    rewritten = from_6d(
        xp.concatenate(
            [
                (leg_sixes * six[:2, None]).reshape(*lead, 6, 6),
                (arm_sixes * six[2:, None]).reshape(*lead, 4, 6),
            ],
            -2,
        )
    )
    poles = xp.concatenate([legs[..., :3], arms[..., :3]], -2) + constant(_POLES, aims)
    return (
        carriers @ rewritten[..., [0, 3, 6, 8], :, :],
        carriers @ rewritten[..., [1, 4, 7, 9], :, :],
        carriers[..., :2, :, :] @ rewritten[..., [2, 5], :, :],
        rotate(carriers, poles * vector),
    )


_TORSO = [FREE.index(joint) for joint in TORSO]
_CARRIED = [*TORSO, INDEX["head"], INDEX["left_shoulder"], INDEX["right_shoulder"]]
_LEG_JOINTS = [[FREE.index(joint) for joint in (g.upper, g.lower, g.end + 1)] for g in LEGS]
_ARM_JOINTS = [[FREE.index(joint) for joint in (arm.upper, arm.lower)] for arm in ARMS]
_LIMB_BONES = [
    *([leg.upper, leg.lower, leg.end, leg.end + 1] for leg in LEGS),
    *([arm.upper, arm.lower, arm.end, arm.base] for arm in ARMS),
]
_FREE_ORDER = [(*FREE, *TRACKER_JOINTS).index(joint) for joint in range(len(JOINTS))]


def _stage(weights: Weights, name: str, seen: Array) -> Array:
    hidden = silu(linear(weights, f"{name}.0", seen))
    hidden = silu(linear(weights, f"{name}.1", hidden))
    return linear(weights, f"{name}.2", hidden)


def _expand(size: Array, like: Array, axes: int) -> Array:
    """Give a scalar or (...) array ``axes`` more axes at its end."""
    return size if np.ndim(size) == 0 else size.reshape(*size.shape, *[1] * axes)


def _broadcast(x: Array, lead: tuple[int, ...]) -> Array:
    if x.shape[:-1] == lead:
        return x
    if math.prod(lead) * x.shape[-1] == math.prod(x.shape):
        return x.reshape(*lead, x.shape[-1])
    return namespace(x).broadcast_to(x, (*lead, x.shape[-1]))
