# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned stages: six trackers in, joint rotations and bend directions out.

Three stages in the spirit of SSR-HMR (Electronics 2025, 14(18), 3664), each small enough for one
core of a CPU:

* The generator reads the trackers now and up to half a second ago, the body's proportions, and the
  performer context (:mod:`ssrhmr_core.model.context`). It predicts a first rotation of every joint
  and hands a few latent numbers to the later stages.
* The torso stage rewrites spine, neck and clavicles, after which the exact solve puts the head onto
  its tracker.
* The limb stage (one net for both legs, one for both arms, the right side mirrored) rewrites each
  limb in the frame of the body part that carries it, as that part stands after the solve, and
  predicts towards which side knee and elbow bend; the exact solve then closes the limb.

All inputs are relative to the pelvis and to the size of the body, so position, heading and scale
mean nothing to the network. The same functions serve NumPy at run time and torch in training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..body.skeleton import INDEX, JOINTS, TRACKER_JOINTS, TRACKERS
from ..geometry.arrays import Array, constant, namespace
from ..geometry.rotations import IDENTITY_6D, from_6d, rotate, to_6d, transpose
from ..solver import (
    ARMS,
    LEGS,
    LIMBS,
    SPINE,
    SPINE_STEPS,
    assemble,
    carry_clavicles,
    close_limbs,
    hip_positions,
    reach_with_clavicles,
    solve_spine,
)
from .context import CONTEXT
from .features import (
    BODY_FEATURES,
    FRAME_FEATURES,
    HISTORY,
    MIRROR_VECTORS,
    STEP_FEATURES,
    TORSO,
    BodyFeatures,
    expand_size,
)
from .layers import linear, residual_net, silu

FREE = tuple(joint for joint in range(len(JOINTS)) if joint not in TRACKER_JOINTS)
"""Joints that no tracker measures."""

INPUTS = FRAME_FEATURES + len(HISTORY) * STEP_FEATURES + BODY_FEATURES + CONTEXT
TORSO_LATENT, LIMB_LATENT = 32, 24
LATENT = TORSO_LATENT + len(LIMBS) * LIMB_LATENT
WIDTH, BLOCKS = 384, 3
STAGE_WIDTH = 192

Weights = Mapping[str, Array]

_LIMB_INPUTS = 3 + 6 + 3 + 12 + 18 + LIMB_LATENT
_POLES = np.array([(0.0, 0.0, 1.0)] * 2 + [(0.0, -0.5, -0.9)] * 2, np.float32)
"""Bend directions in the frame of hips or chest to which the net adds its own."""
_MIRROR_SIXES = np.array([(1.0,) * 6, (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)] * 2, np.float32)
"""The twin of :data:`MIRROR_VECTORS` for rotations."""

_HEAD = TRACKERS.index("head") - 1
_HANDS = [arm.tracker - 1 for arm in ARMS]
_ENDS = [limb.tracker - 1 for limb in LIMBS]
"""Indices among the trackers after the pelvis."""
_LIMB_TRACKERS = [limb.tracker for limb in LIMBS]
_CHEST = SPINE.index(INDEX["chest"])
_FREE_TORSO = [FREE.index(joint) for joint in TORSO]
_FREE_LEGS = [[FREE.index(j) for j in (leg.upper, leg.lower, leg.end + 1)] for leg in LEGS]
_FREE_ARMS = [[FREE.index(joint) for joint in (arm.upper, arm.lower)] for arm in ARMS]
_FREE_ORDER = [(*FREE, *TRACKER_JOINTS).index(joint) for joint in range(len(JOINTS))]
_REWRITTEN = [
    *(joint for leg in LEGS for joint in (leg.upper, leg.lower, leg.end + 1)),
    *(joint for arm in ARMS for joint in (arm.upper, arm.lower)),
]
"""Joints that the limb stage rewrites; clavicles are the torso stage's."""
_UPPERS = [_REWRITTEN.index(limb.upper) for limb in LIMBS]
_LOWERS = [_REWRITTEN.index(limb.lower) for limb in LIMBS]
_TOES = [_REWRITTEN.index(leg.end + 1) for leg in LEGS]


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of all weights; matrices are (inputs, outputs)."""
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
    """The prediction for some frames, in parts; the properties assemble bodies when asked.

    Attributes:
        tracked: (..., 6, 3, 3) rotations of the tracked joints.
        generated: (..., 16, 3, 3) rotations of all others by the generator alone.
        parts: The arguments of :func:`ssrhmr_core.solver.assemble` after the torso and limb stages.
        solved: The same after the exact solve. The limb stage works from where torso and clavicles
            are after theirs.
    """

    tracked: Array
    generated: Array
    parts: tuple[Array, ...]
    solved: tuple[Array, ...]

    @property
    def guess(self) -> Array:
        """Global rotations (..., 22, 3, 3) by the generator alone."""
        both = namespace(self.generated).concatenate([self.generated, self.tracked], -3)
        return both[..., _FREE_ORDER, :, :]

    @property
    def learned(self) -> Array:
        """Global rotations (..., 22, 3, 3) of all stages, before the solve moves them."""
        return assemble(self.tracked, *self.parts)

    @property
    def exact(self) -> Array:
        """Global rotations (..., 22, 3, 3) after the exact solve."""
        return assemble(self.tracked, *self.solved)


class NetworkInputs(NamedTuple):
    """What the network reads besides the body; leading axes are frames.

    Attributes:
        features: (..., 48) from :func:`ssrhmr_core.model.features.frame_features`.
        steps: (..., 285) from :func:`ssrhmr_core.model.features.step_features`.
        context: (..., 64) or (64,) context of the performer, zeros where nothing is known.
    """

    features: Array
    steps: Array
    context: Array


def predict(
    weights: Weights,
    inputs: NetworkInputs,
    positions: Array,
    rotations: Array,
    body: BodyFeatures,
    spine_steps: int = SPINE_STEPS,
) -> Prediction:
    """Run the three stages.

    Args:
        weights: Arrays or tensors as :func:`shapes` names them.
        inputs: What the network reads of the trackers and of the performer.
        positions: (..., 6, 3) positions of the tracked joints, metres.
        rotations: (..., 6, 3, 3) rotations of the tracked joints.
        body: The body from :func:`ssrhmr_core.model.features.body_features`.
        spine_steps: Largest number of steps of the spine's solve.

    Returns:
        The prediction.
    """
    xp, features = namespace(positions), inputs.features
    hips = rotations[..., 0, :, :]
    ends = positions[..., 1:, :] - positions[..., :1, :]
    size, skeleton = body.size, body.skeleton

    sixes, latent = _generator_stage(weights, inputs, body.joints)
    generated = hips[..., None, :, :] @ from_6d(sixes)
    torso = _torso_stage(weights, hips, features, body.torso, sixes, latent[..., :TORSO_LATENT])
    learned_spine, learned_clavicles = (
        torso[..., : len(SPINE), :, :],
        torso[..., len(SPINE) :, :, :],
    )
    spine, joints = solve_spine(learned_spine, skeleton, hips, ends[..., _HEAD, :], spine_steps)
    chest = spine[..., _CHEST, :, :]
    clavicles, shoulders = reach_with_clavicles(
        carry_clavicles(learned_clavicles, learned_spine, spine),
        skeleton,
        chest,
        joints[..., _CHEST, :],
        ends[..., _HANDS, :],
    )

    starts = xp.concatenate([hip_positions(hips, skeleton), shoulders], -2)
    targets = ends[..., _ENDS, :]
    arms = xp.concatenate([clavicles[..., None, :, :], generated[..., _FREE_ARMS, :, :]], -3)
    uppers, lowers, toes, poles = _limb_stage(
        weights,
        carriers=xp.stack([hips, hips, chest, chest], -3),
        aims=(targets - starts) / expand_size(size, 2),
        ends=rotations[..., _LIMB_TRACKERS, :, :],
        bones=body.limbs,
        latents=latent[..., TORSO_LATENT:].reshape(*latent.shape[:-1], len(LIMBS), LIMB_LATENT),
        generated=xp.concatenate([generated[..., _FREE_LEGS, :, :], arms], -4),
    )
    parts = (learned_spine, learned_clavicles, uppers, lowers, toes)
    uppers, lowers = close_limbs(uppers, lowers, starts, skeleton, targets, poles)
    return Prediction(rotations, generated, parts, (spine, clavicles, uppers, lowers, toes))


def _generator_stage(weights: Weights, inputs: NetworkInputs, bones: Array) -> tuple[Array, Array]:
    """Predict rotations (..., 16, 6) of the free joints in the frame of the hips, and latents."""
    xp, lead = namespace(inputs.features), inputs.features.shape[:-1]
    everywhere = [_broadcast(bones, lead), _broadcast(inputs.context, lead)]
    joined = xp.concatenate([inputs.features, inputs.steps, *everywhere], -1)
    out = residual_net(weights, "generator", BLOCKS, joined)
    split = 6 * len(FREE)
    sixes = out[..., :split].reshape(*lead, len(FREE), 6) + constant(IDENTITY_6D, out)
    return sixes, out[..., split:]


def _torso_stage(
    weights: Weights, hips: Array, features: Array, bones: Array, sixes: Array, latent: Array
) -> Array:
    """Rewrite the global rotations (..., 6, 3, 3) of spine and clavicles.

    Args:
        weights: The weights of all stages.
        hips: (..., 3, 3) rotations of the hips.
        features: (..., 48) features of the trackers.
        bones: (..., 27) of :class:`BodyFeatures`.
        sixes: (..., 16, 6) rotations from the generator.
        latent: (..., 32) from the generator.
    """
    xp, lead = namespace(features), features.shape[:-1]
    sixes = sixes[..., _FREE_TORSO, :]
    inputs = [features, _broadcast(bones, lead), sixes.reshape(*lead, 6 * len(TORSO)), latent]
    change = _stage(weights, "torso", xp.concatenate(inputs, -1))
    return hips[..., None, :, :] @ from_6d(sixes + change.reshape(*lead, len(TORSO), 6))


def _limb_stage(
    weights: Weights,
    carriers: Array,
    aims: Array,
    ends: Array,
    bones: Array,
    latents: Array,
    generated: Array,
) -> tuple[Array, Array, Array, Array]:
    """Rewrite both legs and both arms, those of the right side mirrored.

    Args:
        weights: The weights of all stages.
        carriers: (..., 4, 3, 3) rotations of the part that carries each limb, hips or chest.
        aims: (..., 4, 3) steps from the first joints to the ends, in sizes of the body.
        ends: (..., 4, 3, 3) rotations of the ends.
        bones: (..., 4, 12) of :class:`BodyFeatures`.
        latents: (..., 4, 24) from the generator.
        generated: (..., 4, 3, 3, 3) rotations of thigh, shin and toe; of clavicle, upper arm and
            forearm.

    Returns:
        Rotations of thighs and upper arms (..., 4, 3, 3), of shins and forearms (..., 4, 3, 3), of
        toes (..., 2, 3, 3), and bend directions (..., 4, 3).
    """
    xp = namespace(aims)
    vector, six = constant(MIRROR_VECTORS, aims), constant(_MIRROR_SIXES, aims)
    inverse = transpose(carriers)
    lead = aims.shape[:-2]
    sixes = to_6d(inverse[..., None, :, :] @ generated) * six[:, None]
    inputs = [
        rotate(inverse, aims) * vector,
        to_6d(inverse @ ends) * six,
        inverse[..., :, 1] * vector,
        _broadcast(bones, (*lead, 4)),
        sixes.reshape(*lead, 4, 18),
        latents,
    ]
    joined = xp.concatenate(inputs, -1)
    legs = _stage(weights, "leg", joined[..., :2, :])
    arms = _stage(weights, "arm", joined[..., 2:, :])
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
        carriers @ rewritten[..., _UPPERS, :, :],
        carriers @ rewritten[..., _LOWERS, :, :],
        carriers[..., :2, :, :] @ rewritten[..., _TOES, :, :],
        rotate(carriers, poles * vector),
    )


def _stage(weights: Weights, name: str, inputs: Array) -> Array:
    hidden = silu(linear(weights, f"{name}.0", inputs))
    hidden = silu(linear(weights, f"{name}.1", hidden))
    return linear(weights, f"{name}.2", hidden)


def _broadcast(x: Array, lead: tuple[int, ...]) -> Array:
    if x.shape[:-1] == lead:
        return x
    if math.prod(lead) * x.shape[-1] == math.prod(x.shape):
        return x.reshape(*lead, x.shape[-1])
    return namespace(x).broadcast_to(x, (*lead, x.shape[-1]))
