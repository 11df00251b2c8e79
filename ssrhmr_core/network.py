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

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .arrays import Array, from_6d, namespace, rotate, to_6d, transpose
from .skeleton import INDEX, JOINTS, TRACKER_JOINTS
from .solve import (
    ARMS,
    LEGS,
    Limb,
    close_limb,
    copy_measured,
    limb_start,
    solve_torso,
)

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

_LEG_INPUTS = 3 + 6 + 3 + 12 + 18 + LIMB_LATENT
_ARM_INPUTS = 3 + 6 + 3 + 12 + 6 + 12 + LIMB_LATENT
_LEG_POLE, _ARM_POLE = (0.0, 0.0, 1.0), (0.0, -0.5, -0.9)
_MIRROR_VECTOR = (-1.0, 1.0, 1.0)
_MIRROR_6D = (1.0, -1.0, -1.0, -1.0, 1.0, 1.0)


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
        ("leg", _LEG_INPUTS, 3 + 6 * 3),
        ("arm", _ARM_INPUTS, 3 + 6 * 2),
    ):
        layer(f"{stage}.0", inputs, STAGE_WIDTH)
        layer(f"{stage}.1", STAGE_WIDTH, STAGE_WIDTH)
        layer(f"{stage}.2", STAGE_WIDTH, outputs)
    return sizes


class Prediction(NamedTuple):
    """What the network says of some frames; leading axes as those of the input.

    Attributes:
        guess: (..., 22, 3, 3) global rotations of the generator alone.
        learned: (..., 22, 3, 3) the same after the torso and limb stages, before the solve moves
            them. The limb stage works from where torso and clavicles are after theirs.
        exact: (..., 22, 3, 3) the same after the exact solve.
    """

    guess: Array
    learned: Array
    exact: Array


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


def step_features(
    now: Array, past: Array, root: Array, turn: Array, old_root: Array, old_turn: Array, size: Array
) -> Array:
    """How the trackers moved since an earlier frame.

    Args:
        now: (..., 48) features of the frame.
        past: (..., 48) features of the earlier frame.
        root: (..., 3) position of the hips now.
        turn: (..., 3, 3) their rotation now.
        old_root: (..., 3) and
        old_turn: (..., 3, 3) the same at the earlier frame.
        size: (...) or scalar, size of the body.

    Returns:
        (..., 57).
    """
    inverse = transpose(turn)
    travel = rotate(inverse, old_root - root) / _expand(size, root, 1)
    six = to_6d(inverse @ old_turn)
    # As a change from no turn at all, so that standing still is all zeros.
    still = _constant(np.array([1.0, 0, 0, 0, 1.0, 0]), six)
    return namespace(now).concatenate([past - now, travel, six - still], -1)


def predict(
    weights: Weights,
    features: Array,
    steps: list[Array],
    positions: Array,
    measured: Array,
    offsets: Array,
    size: Array,
) -> Prediction:
    """Run the three stages.

    Args:
        weights: arrays or tensors as :func:`shapes` names them.
        features: (..., 48) from :func:`frame_features`.
        steps: one (..., 57) for each of :data:`HISTORY`, from :func:`step_features`.
        positions: (..., 6, 3) of the tracked joints, metres.
        measured: (..., 6, 3, 3) of the tracked joints.
        offsets: (..., 22, 3) of the body, metres.
        size: (...) or scalar, size of the body.

    Returns:
        The prediction.
    """
    xp = namespace(features)
    root_turn = measured[..., 0, :, :]
    root = positions[..., 0, :]
    scaled = offsets / _expand(size, root, 2)
    lead = features.shape[:-1]

    body = _broadcast(scaled[..., 1:, :].reshape(*scaled.shape[:-2], 63), lead)
    hidden = _silu(_linear(weights, "generator.in", xp.concatenate([features, *steps, body], -1)))
    for block in range(BLOCKS):
        inner = _silu(_linear(weights, f"generator.{block}.a", hidden))
        hidden = hidden + _silu(_linear(weights, f"generator.{block}.b", inner))
    out = _linear(weights, "generator.out", hidden)
    split = 6 * len(FREE)
    sixes = out[..., :split].reshape(*lead, len(FREE), 6) + _constant(_UNIT_6D, out)
    latent = out[..., split:]

    guesses = root_turn[..., None, :, :] @ from_6d(sixes)
    turned: list[Array] = [root_turn] * len(JOINTS)
    for place, joint in enumerate(FREE):
        turned[joint] = guesses[..., place, :, :]
    copy_measured(turned, measured)
    guess = xp.stack(turned, -3)

    # Torso, in the frame of the hips.
    places = [FREE.index(joint) for joint in TORSO]
    torso_sixes = xp.stack([sixes[..., place, :] for place in places], -2)
    carried = [*TORSO, INDEX["head"], INDEX["left_shoulder"], INDEX["right_shoulder"]]
    proportions = xp.stack([scaled[..., joint, :] for joint in carried], -2)
    change = _stage(
        weights,
        "torso",
        [
            features,
            _broadcast(proportions.reshape(*scaled.shape[:-2], 27), lead),
            torso_sixes.reshape(*lead, 6 * len(TORSO)),
            latent[..., :TORSO_LATENT],
        ],
    )
    torso = from_6d(torso_sixes + change.reshape(*lead, len(TORSO), 6))
    torso = root_turn[..., None, :, :] @ torso
    for place, joint in enumerate(TORSO):
        turned[joint] = torso[..., place, :, :]
    learned = list(turned)
    spine = solve_torso(turned, root, offsets, positions[..., 1, :])

    for number, limb in enumerate((*LEGS, *ARMS)):
        target = positions[..., limb.tracker, :]
        start = limb_start(turned, limb, root, spine, offsets, target)
        begin = TORSO_LATENT + number * LIMB_LATENT
        pole = _limb_stage(
            weights,
            limb,
            turned,
            (target - start) / _expand(size, root, 1),
            scaled,
            latent[..., begin : begin + LIMB_LATENT],
        )
        for joint in (limb.upper, limb.lower, *_toe(limb)):
            learned[joint] = turned[joint]
        close_limb(turned, limb, start, offsets, target, pole)
    return Prediction(guess, xp.stack(learned, -3), xp.stack(turned, -3))


def _limb_stage(
    weights: Weights, limb: Limb, turned: list[Array], aim: Array, scaled: Array, latent: Array
) -> Array:
    """Rewrite a limb's rotations in ``turned``; return its bend direction (..., 3)."""
    leg = limb in LEGS
    carrier = turned[INDEX["hips"] if leg else INDEX["chest"]]
    mirrored = limb in (LEGS[1], ARMS[1])
    vector = _constant(np.array(_MIRROR_VECTOR if mirrored else (1.0, 1.0, 1.0)), aim)
    six = _constant(np.array(_MIRROR_6D if mirrored else (1.0,) * 6), aim)

    inverse = transpose(carrier)
    joints = [limb.upper, limb.lower, *_toe(limb)]
    guesses = [to_6d(inverse @ turned[joint]) * six for joint in joints]
    inputs = [
        rotate(inverse, aim) * vector,
        to_6d(inverse @ turned[limb.end]) * six,
        inverse[..., :, 1] * vector,
        *(
            _broadcast(scaled[..., joint, :] * vector, aim.shape[:-1])
            for joint in (limb.upper, limb.lower, limb.end, limb.end + 1 if leg else limb.base)
        ),
        *([] if leg else [to_6d(inverse @ turned[limb.base]) * six]),
        *guesses,
        latent,
    ]
    out = _stage(weights, "leg" if leg else "arm", inputs)
    for place, joint in enumerate(joints):
        changed = guesses[place] + out[..., 3 + 6 * place : 9 + 6 * place]
        turned[joint] = carrier @ from_6d(changed * six)
    default = _constant(np.array(_LEG_POLE if leg else _ARM_POLE), aim)
    return rotate(carrier, (out[..., :3] + default) * vector)


def _toe(limb: Limb) -> tuple[int, ...]:
    return (limb.end + 1,) if limb in LEGS else ()


_UNIT_6D = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])


def _stage(weights: Weights, name: str, inputs: list[Array]) -> Array:
    hidden = _silu(_linear(weights, f"{name}.0", namespace(inputs[0]).concatenate(inputs, -1)))
    hidden = _silu(_linear(weights, f"{name}.1", hidden))
    return _linear(weights, f"{name}.2", hidden)


def _linear(weights: Weights, name: str, x: Array) -> Array:
    return x @ weights[f"{name}.w"] + weights[f"{name}.b"]


def _silu(x: Array) -> Array:
    xp = namespace(x)
    if xp is not np:
        return xp.nn.functional.silu(x)
    # x * sigmoid(x) through tanh, which cannot overflow.
    return x * (np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x))


def _constant(values: np.ndarray, like: Array) -> Array:
    """Return ``values`` in the library, type and device of ``like``."""
    xp = namespace(like)
    if xp is np:
        return values.astype(like.dtype)
    return xp.as_tensor(values, dtype=like.dtype, device=like.device)


def _expand(size: Array, like: Array, axes: int) -> Array:
    """Give a scalar or (...) array ``axes`` more axes at its end."""
    return size if np.ndim(size) == 0 else size.reshape(*size.shape, *[1] * axes)


def _broadcast(x: Array, lead: tuple[int, ...]) -> Array:
    return namespace(x).broadcast_to(x, (*lead, x.shape[-1]))
