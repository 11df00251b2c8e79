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
    LimbRotations,
    Measured,
    assemble,
    carry_clavicles,
    hip_positions,
    meet_ends,
    meet_hands,
    meet_head,
)
from .context import CONTEXT
from .features import (
    BODY_FEATURES,
    EXTRA_FEATURES,
    FRAME_FEATURES,
    HISTORY,
    LIMB_EXTRA_FEATURES,
    MIRROR_SIXES,
    MIRROR_VECTORS,
    STEP_FEATURES,
    TORSO,
    BodyFeatures,
    expand_size,
    extra_features,
    limb_extra_features,
)
from .layers import linear, residual_hidden, silu

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
    """Return the names and shapes of the weights that six trackers need; (inputs, outputs)."""
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


def extra_shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the weights that read optional trackers."""
    return {
        "generator.extra.w": (EXTRA_FEATURES, WIDTH),
        "torso.extra.w": (EXTRA_FEATURES, STAGE_WIDTH),
        "leg.extra.w": (LIMB_EXTRA_FEATURES, STAGE_WIDTH),
        "arm.extra.w": (LIMB_EXTRA_FEATURES, STAGE_WIDTH),
    }


class Prediction(NamedTuple):
    """The prediction for some frames, in parts; the properties assemble bodies when asked.

    Attributes:
        tracked: (..., 6, 3, 3) rotations of the tracked joints.
        generated: (..., 16, 3, 3) rotations of all others by the generator alone.
        parts: The arguments of :func:`ssrhmr_core.solver.assemble` after the torso and limb stages.
        solved: The same after the exact solve. The limb stage works from where torso and clavicles
            are after theirs.
        hidden: (..., 384) what the generator knows of the frames, see
            :mod:`ssrhmr_core.model.certainty`.
    """

    tracked: Array
    generated: Array
    parts: tuple[Array, ...]
    solved: tuple[Array, ...]
    hidden: Array

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
        measured: What optional trackers measure; None if there are none.
    """

    features: Array
    steps: Array
    context: Array
    measured: Measured | None = None


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

    measured = inputs.measured
    extras = None if measured is None else extra_features(hips, size, measured)
    hidden = _generator_stage(weights, inputs, body.joints, extras)
    sixes, latent = _read_generator(weights, hidden)
    generated = hips[..., None, :, :] @ from_6d(sixes)
    torso = _torso_stage(
        weights, hips, features, body.torso, sixes, latent[..., :TORSO_LATENT], extras
    )
    learned_spine, learned_clavicles = (
        torso[..., : len(SPINE), :, :],
        torso[..., len(SPINE) :, :, :],
    )
    spine, joints = meet_head(
        learned_spine, skeleton, hips, ends[..., _HEAD, :], measured, spine_steps
    )
    chest = spine[..., _CHEST, :, :]
    clavicles, shoulders = meet_hands(
        carry_clavicles(learned_clavicles, learned_spine, spine),
        skeleton,
        chest,
        joints[..., _CHEST, :],
        ends[..., _HANDS, :],
        measured,
    )

    starts = xp.concatenate([hip_positions(hips, skeleton), shoulders], -2)
    targets, turned = ends[..., _ENDS, :], rotations[..., _LIMB_TRACKERS, :, :]
    arms = xp.concatenate([clavicles[..., None, :, :], generated[..., _FREE_ARMS, :, :]], -3)
    carriers = xp.stack([hips, hips, chest, chest], -3)
    limbs = _limb_stage(
        weights,
        _LimbInputs(
            carriers=carriers,
            aims=(targets - starts) / expand_size(size, 2),
            ends=turned,
            bones=body.limbs,
            latents=latent[..., TORSO_LATENT:].reshape(*latent.shape[:-1], len(LIMBS), LIMB_LATENT),
            generated=xp.concatenate([generated[..., _FREE_LEGS, :, :], arms], -4),
            extras=None
            if measured is None
            else limb_extra_features(carriers, starts, size, measured),
        ),
    )
    parts = (learned_spine, learned_clavicles, limbs.uppers, limbs.lowers, limbs.toes)
    uppers, lowers, toes = meet_ends(limbs, starts, targets, turned, skeleton, measured)
    solved = (spine, clavicles, uppers, lowers, toes)
    return Prediction(rotations, generated, parts, solved, hidden)


def _generator_stage(
    weights: Weights, inputs: NetworkInputs, bones: Array, extras: Array | None
) -> Array:
    """Return what the generator knows of frames, (..., 384)."""
    xp, lead = namespace(inputs.features), inputs.features.shape[:-1]
    everywhere = [_broadcast(bones, lead), _broadcast(inputs.context, lead)]
    joined = xp.concatenate([inputs.features, inputs.steps, *everywhere], -1)
    added = _read_extras(weights, "generator", extras)
    return residual_hidden(weights, "generator", BLOCKS, joined, added)


def _read_generator(weights: Weights, hidden: Array) -> tuple[Array, Array]:
    """Predict rotations (..., 16, 6) of the free joints in the frame of the hips, and latents."""
    out = linear(weights, "generator.out", hidden)
    split = 6 * len(FREE)
    sixes = out[..., :split].reshape(*hidden.shape[:-1], len(FREE), 6)
    return sixes + constant(IDENTITY_6D, out), out[..., split:]


def _read_extras(weights: Weights, stage: str, extras: Array | None) -> Array | None:
    """Return what optional trackers add to the first layer of a stage, None without them."""
    return None if extras is None else extras @ weights[f"{stage}.extra.w"]


def _torso_stage(
    weights: Weights,
    hips: Array,
    features: Array,
    bones: Array,
    sixes: Array,
    latent: Array,
    extras: Array | None,
) -> Array:
    """Rewrite the global rotations (..., 6, 3, 3) of spine and clavicles.

    Args:
        weights: The weights of all stages.
        hips: (..., 3, 3) rotations of the hips.
        features: (..., 48) features of the trackers.
        bones: (..., 27) of :class:`BodyFeatures`.
        sixes: (..., 16, 6) rotations from the generator.
        latent: (..., 32) from the generator.
        extras: (..., 143) features of optional trackers.
    """
    xp, lead = namespace(features), features.shape[:-1]
    sixes = sixes[..., _FREE_TORSO, :]
    inputs = [features, _broadcast(bones, lead), sixes.reshape(*lead, 6 * len(TORSO)), latent]
    change = _stage(weights, "torso", xp.concatenate(inputs, -1), extras)
    return hips[..., None, :, :] @ from_6d(sixes + change.reshape(*lead, len(TORSO), 6))


class _LimbInputs(NamedTuple):
    """What the limb stage reads.

    Attributes:
        carriers: (..., 4, 3, 3) rotations of the part that carries each limb, hips or chest.
        aims: (..., 4, 3) steps from the first joints to the ends, in sizes of the body.
        ends: (..., 4, 3, 3) rotations of the ends.
        bones: (..., 4, 12) of :class:`BodyFeatures`.
        latents: (..., 4, 24) from the generator.
        generated: (..., 4, 3, 3, 3) rotations of thigh, shin and toe; of clavicle, upper arm and
            forearm.
        extras: (..., 4, 18) features of optional trackers; None if there are none.
    """

    carriers: Array
    aims: Array
    ends: Array
    bones: Array
    latents: Array
    generated: Array
    extras: Array | None


def _limb_stage(weights: Weights, limbs: _LimbInputs) -> LimbRotations:
    """Rewrite both legs and both arms, those of the right side mirrored."""
    carriers, aims, extras = limbs.carriers, limbs.aims, limbs.extras
    xp = namespace(aims)
    vector, six = constant(MIRROR_VECTORS, aims), constant(MIRROR_SIXES, aims)
    inverse = transpose(carriers)
    lead = aims.shape[:-2]
    sixes = to_6d(inverse[..., None, :, :] @ limbs.generated) * six[:, None]
    inputs = [
        rotate(inverse, aims) * vector,
        to_6d(inverse @ limbs.ends) * six,
        inverse[..., :, 1] * vector,
        _broadcast(limbs.bones, (*lead, 4)),
        sixes.reshape(*lead, 4, 18),
        limbs.latents,
    ]
    joined = xp.concatenate(inputs, -1)
    legs = _stage(
        weights, "leg", joined[..., :2, :], None if extras is None else extras[..., :2, :]
    )
    arms = _stage(
        weights, "arm", joined[..., 2:, :], None if extras is None else extras[..., 2:, :]
    )
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
    return LimbRotations(
        uppers=carriers @ rewritten[..., _UPPERS, :, :],
        lowers=carriers @ rewritten[..., _LOWERS, :, :],
        toes=carriers[..., :2, :, :] @ rewritten[..., _TOES, :, :],
        poles=rotate(carriers, poles * vector),
    )


def _stage(weights: Weights, name: str, inputs: Array, extras: Array | None) -> Array:
    added = _read_extras(weights, name, extras)
    first = linear(weights, f"{name}.0", inputs)
    hidden = silu(first if added is None else first + added)
    hidden = silu(linear(weights, f"{name}.1", hidden))
    return linear(weights, f"{name}.2", hidden)


def _broadcast(x: Array, lead: tuple[int, ...]) -> Array:
    if x.shape[:-1] == lead:
        return x
    if math.prod(lead) * x.shape[-1] == math.prod(x.shape):
        return x.reshape(*lead, x.shape[-1])
    return namespace(x).broadcast_to(x, (*lead, x.shape[-1]))
