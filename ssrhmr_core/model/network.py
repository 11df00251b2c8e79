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
from ..geometry.rotations import IDENTITY_6D, from_6d, orthonormalize, rotate, transpose
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
from .layers import activation, fold_inputs, halve_layers, linear, residual_hidden

FREE = tuple(joint for joint in range(len(JOINTS)) if joint not in TRACKER_JOINTS)
"""Joints that no tracker measures."""

INPUTS = FRAME_FEATURES + len(HISTORY) * STEP_FEATURES + BODY_FEATURES + CONTEXT
TORSO_LATENT, LIMB_LATENT = 32, 24
LATENT = TORSO_LATENT + len(LIMBS) * LIMB_LATENT
WIDTH, BLOCKS = 384, 3
STAGE_WIDTH = 192

Weights = Mapping[str, Array]

_BONES_BEGIN = 3 + 6 + 3
"""Index of a limb's offsets among its inputs."""
_LIMB_INPUTS = _BONES_BEGIN + 12 + 18 + LIMB_LATENT
_LIMB_OUTPUTS = 3 + 6 * 3
POLES = np.array([(0.0, 0.0, 1.0)] * 2 + [(0.0, -0.5, -0.9)] * 2, np.float32)
"""Bend directions in the frame of hips or chest to which the net adds its own."""

_HEAD = TRACKERS.index("head") - 1
_HANDS = slice(ARMS[0].tracker - 1, ARMS[1].tracker)
_ENDS = np.array([limb.tracker - 1 for limb in LIMBS])
"""Indices among the trackers after the pelvis."""
_LIMB_TRACKERS = np.array([limb.tracker for limb in LIMBS])
_CHEST = SPINE.index(INDEX["chest"])
FREE_TORSO = (slice(6, 11), slice(13, 14))
FREE_LIMBS = (slice(0, 6), slice(10, 16))
"""Where the joints of :data:`TORSO` are among those of :data:`FREE`, and those of the limbs as the
limb stage reads them, three of each. NumPy takes slices several times as fast as lists."""
_FREE_ORDER = [(*FREE, *TRACKER_JOINTS).index(joint) for joint in range(len(JOINTS))]
MIRROR_STEPS = np.concatenate(
    [MIRROR_VECTORS[:, None], np.tile(MIRROR_SIXES.reshape(4, 2, 3), (1, 4, 1))], 1
)
"""Factors (4, 9, 3) that mirror what the limb stage reads: a step, then the axes of four joints."""


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
        sixes: (..., 16, 6) rotations of all others by the generator alone, as seen from the hips.
        parts: The arguments of :func:`ssrhmr_core.solver.assemble` after the torso and limb stages.
        solved: The same after the exact solve. The limb stage works from where torso and clavicles
            are after theirs.
        hidden: (..., 384) what the generator knows of the frames, see
            :mod:`ssrhmr_core.model.certainty`.
    """

    tracked: Array
    sixes: Array
    parts: tuple[Array, ...]
    solved: tuple[Array, ...]
    hidden: Array

    @property
    def guess(self) -> Array:
        """Global rotations (..., 22, 3, 3) by the generator alone."""
        generated = self.tracked[..., :1, :, :] @ from_6d(self.sixes)
        both = namespace(generated).concatenate([generated, self.tracked], -3)
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
    both = hips[..., None, :, :], chest[..., None, :, :]
    carriers = xp.concatenate([both[0], both[0], both[1], both[1]], -3)
    limbs = _limb_stage(
        weights,
        _LimbInputs(
            carriers=carriers,
            aims=(targets - starts) / expand_size(size, 2),
            ends=turned,
            bones=body.limbs,
            latents=latent[..., TORSO_LATENT:].reshape(*latent.shape[:-1], len(LIMBS), LIMB_LATENT),
            axes=_limb_axes(hips, sixes, clavicles),
            extras=None
            if measured is None
            else limb_extra_features(carriers, starts, size, measured),
        ),
    )
    parts = (learned_spine, learned_clavicles, limbs.uppers, limbs.lowers, limbs.toes)
    uppers, lowers, toes = meet_ends(limbs, starts, targets, turned, skeleton, measured)
    solved = (spine, clavicles, uppers, lowers, toes)
    return Prediction(rotations, sixes, parts, solved, hidden)


def _generator_stage(
    weights: Weights, inputs: NetworkInputs, bones: Array, extras: Array | None
) -> Array:
    """Return what the generator knows of frames, (..., 384)."""
    lead = inputs.features.shape[:-1]
    joined = _join(lead, inputs.features, inputs.steps, bones, inputs.context)
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
    lead = features.shape[:-1]
    sixes = _choose(sixes, FREE_TORSO)
    joined = _join(lead, features, bones, sixes.reshape(*lead, 6 * len(TORSO)), latent)
    change = _stage(weights, "torso", joined, extras)
    return hips[..., None, :, :] @ from_6d(sixes + change.reshape(*lead, len(TORSO), 6))


def _limb_axes(hips: Array, sixes: Array, clavicles: Array) -> Array:
    """Return two axes (..., 4, 3, 2, 3) of each joint of the limbs before the limb stage.

    Args:
        hips: (..., 3, 3) rotations of the hips.
        sixes: (..., 16, 6) rotations from the generator.
        clavicles: (..., 2, 3, 3) rotations of the clavicles after the solve.
    """
    lead = sixes.shape[:-2]
    axes = orthonormalize(_choose(sixes, FREE_LIMBS))
    axes = axes.reshape(*lead, 6 * len(LIMBS), 3) @ transpose(hips)
    axes = axes.reshape(*lead, len(LIMBS), 3, 2, 3)
    axes[..., len(LEGS) :, 0, :, :] = clavicles[..., :2].swapaxes(-1, -2)
    return axes


class _LimbInputs(NamedTuple):
    """What the limb stage reads.

    Attributes:
        carriers: (..., 4, 3, 3) rotations of the part that carries each limb, hips or chest.
        aims: (..., 4, 3) steps from the first joints to the ends, in sizes of the body.
        ends: (..., 4, 3, 3) rotations of the ends.
        bones: (..., 4, 12) of :class:`BodyFeatures`.
        latents: (..., 4, 24) from the generator.
        axes: (..., 4, 3, 2, 3) two axes of thigh, shin and toe; of clavicle, upper arm and forearm.
        extras: (..., 4, 18) features of optional trackers; None if there are none.
    """

    carriers: Array
    aims: Array
    ends: Array
    bones: Array
    latents: Array
    axes: Array
    extras: Array | None


def _limb_stage(weights: Weights, limbs: _LimbInputs) -> LimbRotations:
    """Rewrite both legs and both arms, those of the right side mirrored."""
    carriers, aims = limbs.carriers, limbs.aims
    xp, lead = namespace(aims), aims.shape[:-2]
    vector, six = constant(MIRROR_VECTORS, aims), constant(MIRROR_SIXES, aims)
    steps = [
        aims[..., None, :],
        limbs.ends[..., :2].swapaxes(-1, -2),
        limbs.axes.reshape(*lead, 4, 6, 3),
    ]
    # The rows of a product with a rotation are turned by its inverse.
    local = (xp.concatenate(steps, -2) @ carriers) * constant(MIRROR_STEPS, aims)
    local = local.reshape(*lead, 4, 27)
    sixes = local[..., 9:]
    up = carriers[..., 1, :] * vector
    joined = _join((*lead, 4), local[..., :9], up, limbs.bones, sixes, limbs.latents)
    change = _limb_nets(weights, joined, limbs.extras)
    sixes = (sixes + change[..., 3:]).reshape(*lead, 4, 3, 6) * six[:, None]
    rewritten = carriers[..., None, :, :] @ from_6d(sixes)
    legs, arms = rewritten[..., :2, :, :, :], rewritten[..., 2:, :, :, :]
    poles = (change[..., :3] + constant(POLES, aims)) * vector
    return LimbRotations(
        # The first joints of arms are the clavicles, which are the torso stage's.
        uppers=xp.concatenate([legs[..., 0, :, :], arms[..., 1, :, :]], -3),
        lowers=xp.concatenate([legs[..., 1, :, :], arms[..., 2, :, :]], -3),
        toes=legs[..., 2, :, :],
        poles=rotate(carriers, poles),
    )


def _limb_nets(weights: Weights, inputs: Array, extras: Array | None) -> Array:
    """Return poles and changes (..., 4, 3 + 18) of the limbs' joints; clavicles change by zero.

    Args:
        weights: The weights of all stages.
        inputs: (..., 4, n) what the nets read.
        extras: (..., 4, 18) features of optional trackers; None if there are none.
    """
    xp, lead = namespace(inputs), inputs.shape[:-2]
    if "limbs.0.w" in weights and math.prod(lead) == 1:
        # A single frame: calls take longer than products, so both nets share theirs.
        pairs = inputs.reshape(2, 2, inputs.shape[-1])
        added = None if extras is None else extras.reshape(2, 2, extras.shape[-1])
        return _stage(weights, "limbs", pairs, added).reshape(*lead, 4, _LIMB_OUTPUTS)
    nets = (("leg", inputs[..., :2, :], slice(2)), ("arm", inputs[..., 2:, :], slice(2, 4)))
    legs, arms = (
        _stage(weights, name, part, None if extras is None else extras[..., rows, :])
        for name, part, rows in nets
    )
    arms = xp.concatenate([arms[..., :3], xp.zeros_like(arms[..., :6]), arms[..., 3:]], -1)
    return xp.concatenate([legs, arms], -2)


def fold_body(
    weights: Mapping[str, np.ndarray], body: BodyFeatures
) -> tuple[dict[str, np.ndarray], BodyFeatures]:
    """Multiply what the network reads of a body once instead of in every frame.

    Args:
        weights: Arrays as :func:`shapes` and :func:`extra_shapes` name them.
        body: A single body.

    Returns:
        Weights for :func:`predict` and this body alone, and what is left of the body for it: the
        solver's lengths. Layers before a silu are halved, see
        :func:`ssrhmr_core.model.layers.halve_layers`, and ``limbs.*`` are the weights of legs and
        arms in one.
    """
    folded = dict(weights)
    begin = FRAME_FEATURES + len(HISTORY) * STEP_FEATURES
    folded |= fold_inputs(weights, "generator.in", begin, body.joints)
    folded |= fold_inputs(weights, "torso.0", FRAME_FEATURES, body.torso)
    folded |= fold_inputs(weights, "leg.0", _BONES_BEGIN, body.limbs[:2])
    folded |= fold_inputs(weights, "arm.0", _BONES_BEGIN, body.limbs[2:])
    stages = ("torso", "leg", "arm")
    blocks = [f"generator.{block}.{half}" for block in range(BLOCKS) for half in "ab"]
    hidden = ["generator.in", *blocks, *(f"{name}.{layer}" for name in stages for layer in (0, 1))]
    extras = [f"{name}.extra" for name in ("generator", *stages)]
    folded |= halve_layers(folded, (*hidden, *extras))
    padded = dict(folded)
    for name in ("arm.2.w", "arm.2.b"):
        own = folded[name]
        clavicle = np.zeros((*own.shape[:-1], 6), np.float32)
        padded[name] = np.concatenate([own[..., :3], clavicle, own[..., 3:]], -1)
    for layer in ("0.w", "1.w", "2.w", "extra.w"):
        folded[f"limbs.{layer}"] = np.stack([padded[f"leg.{layer}"], padded[f"arm.{layer}"]])
    for layer in ("0.b", "1.b", "2.b"):
        both = [np.atleast_2d(padded[f"{net}.{layer}"]) for net in ("leg", "arm")]
        folded[f"limbs.{layer}"] = np.stack(both)
    rest = body._replace(
        joints=body.joints[..., :0], torso=body.torso[..., :0], limbs=body.limbs[..., :0]
    )
    return folded, rest


def _stage(weights: Weights, name: str, inputs: Array, extras: Array | None) -> Array:
    added, activate = _read_extras(weights, name, extras), activation(weights)
    first = linear(weights, f"{name}.0", inputs)
    hidden = activate(first if added is None else first + added)
    hidden = activate(linear(weights, f"{name}.1", hidden))
    return linear(weights, f"{name}.2", hidden)


def _choose(joints: Array, parts: tuple[slice, ...]) -> Array:
    """Return some joints (..., m, 6) of (..., n, 6)."""
    return namespace(joints).concatenate([joints[..., part, :] for part in parts], -2)


def _join(lead: tuple[int, ...], *parts: Array) -> Array:
    """Return (*lead, n) of parts (..., m), of which those that were folded away have no numbers."""
    there = [_broadcast(part, lead) for part in parts if part.shape[-1]]
    return namespace(there[0]).concatenate(there, -1)


def _broadcast(x: Array, lead: tuple[int, ...]) -> Array:
    if x.shape[:-1] == lead:
        return x
    if math.prod(lead) * x.shape[-1] == math.prod(x.shape):
        return x.reshape(*lead, x.shape[-1])
    return namespace(x).broadcast_to(x, (*lead, x.shape[-1]))
