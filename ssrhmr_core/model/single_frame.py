# SPDX-License-Identifier: GPL-3.0-or-later
"""The network and the exact solve for one live frame of six trackers.

The mathematics is that of :func:`ssrhmr_core.model.network.predict`, arranged for a single frame;
the tests hold both together. What such a frame costs is reading the weights, and then fetching the
program into the caches again that they went through. So it does as few different things as it can:
buffers are made once, layers write where the next ones read, what is always the same is part of the
weights, and all is relative to the hips, in plain floats between the nets.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..body.skeleton import JOINTS, TRACKER_JOINTS
from ..geometry.rotations import IDENTITY_6D
from ..geometry.scalar import (
    IDENTITY_QUAT,
    Matrix,
    Vector,
    add,
    from_6d,
    multiply_matrices,
    orthonormalize,
    rotate,
    rotate_by_matrix,
    scale,
    subtract,
    to_matrix,
)
from ..solver import ARMS, LEGS, LIMBS, SPINE, SolverSkeleton
from ..solver.anatomy import are_in_range, keep_in_range
from ..solver.body import CHEST
from ..solver.scalar import bend_spine, close_limb, turn_clavicle
from .features import (
    FRAME_FEATURES,
    HISTORY,
    MIRROR_SIXES,
    MIRROR_VECTORS,
    STEP_FEATURES,
    TORSO,
)
from .network import (
    BLOCKS,
    FREE,
    FREE_LIMBS,
    FREE_TORSO,
    LATENT,
    LIMB_LATENT,
    MIRROR_STEPS,
    POLES,
    TORSO_LATENT,
)
from .past_frames import POSITION, POSITION_AND_AXES, ROW, write_row

_STEPS = len(HISTORY) * STEP_FEATURES
_SIXES = 6 * len(TORSO)
_LIMB_SIXES = 6 * 3 * len(LIMBS)
_AIMS = 3 * (len(TRACKER_JOINTS) - 1)
"""Number of features that are positions; the rotations follow."""
_LIMB_ROWS = 10
"""Vectors that the limb stage reads: a step, two axes each of an end and three joints, and up."""
_LIMB_ORDER = np.r_[0:9, 12:30, 9:12, 30 : 30 + LIMB_LATENT]
"""Where the limb stage's inputs, in the order that they have here, are among its weights."""
_TRACKERS = np.array(TRACKER_JOINTS)
_FREE = np.array(FREE)
_ENDS = tuple(limb.tracker - 1 for limb in LIMBS)
_ARMS_BEGIN = len(LEGS)


class _Layer(NamedTuple):
    """A layer with a place for its outputs."""

    weights: np.ndarray
    bias: np.ndarray
    outputs: np.ndarray
    scratch: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray, bias: np.ndarray, outputs: np.ndarray) -> _Layer:
        return cls(np.ascontiguousarray(weights), bias, outputs, np.empty_like(outputs))

    def apply(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs, in their place."""
        np.matmul(inputs, self.weights, out=self.outputs)
        outputs = self.outputs
        outputs += self.bias
        return outputs

    def activate(self, inputs: np.ndarray) -> np.ndarray:
        """Return the silu of twice the outputs; see :func:`.layers.silu_of_twice`."""
        outputs, scratch = self.apply(inputs), self.scratch
        np.tanh(outputs, scratch)
        scratch *= outputs
        outputs += scratch
        return outputs


class _Lengths(NamedTuple):
    """What the solve reads of a body, as plain floats; see :class:`SolverSkeleton`."""

    spine_base: Vector
    spine_offsets: list[Vector]
    spine_length: float
    spine_reach: float
    clavicle_offsets: list[Vector]
    shoulder_offsets: list[Vector]
    clavicle_lengths: list[float]
    hip_offsets: list[Vector]
    upper_lengths: list[float]
    lower_lengths: list[float]
    upper_directions: list[Vector]
    lower_directions: list[Vector]

    @classmethod
    def of(cls, body: SolverSkeleton) -> _Lengths:
        """Read the lengths of one body."""
        return cls(
            spine_base=tuple(body.spine_base.tolist()),
            spine_offsets=body.spine_offsets.tolist(),
            spine_length=body.spine_length.item(),
            spine_reach=body.spine_reach.item(),
            clavicle_offsets=body.clavicle_offsets.tolist(),
            shoulder_offsets=body.shoulder_offsets.tolist(),
            clavicle_lengths=body.clavicle_lengths.ravel().tolist(),
            hip_offsets=body.hip_offsets.tolist(),
            upper_lengths=body.upper_lengths.ravel().tolist(),
            lower_lengths=body.lower_lengths.ravel().tolist(),
            upper_directions=body.limb_directions[:, 0].tolist(),
            lower_directions=body.limb_directions[:, 1].tolist(),
        )


class _Torso(NamedTuple):
    """Spine and clavicles after the solve, relative to the hips."""

    spine: list[Matrix]
    clavicles: list[Matrix]
    shoulders: list[Vector]


class SingleFrame:
    """Poses one body, a frame at a time, from six trackers."""

    def __init__(
        self, weights: Mapping[str, np.ndarray], size: float, skeleton: SolverSkeleton
    ) -> None:
        """Arrange the weights.

        Args:
            weights: The weights of this body, from :func:`.network.fold_body`.
            size: Size of the body, see :attr:`Skeleton.size`.
            skeleton: Its lengths.
        """
        self._size, self._skeleton, self._lengths = float(size), skeleton, _Lengths.of(skeleton)
        self._scale = np.array(1.0 / self._size, np.float32)
        self._make_inputs()
        self._make_generator(weights)
        self._make_torso(weights)
        self._make_limbs(weights)

    def _make_inputs(self) -> None:
        """Make the buffer of what generator and torso stage read, and its parts."""
        written = _SIXES + TORSO_LATENT + _LIMB_SIXES + len(LIMBS) * LIMB_LATENT
        # Steps, features, and what the generator writes behind them.
        buffer = np.zeros(_STEPS + FRAME_FEATURES + written, np.float32)
        self._generator_inputs = buffer[: _STEPS + FRAME_FEATURES]
        self._features = buffer[_STEPS : _STEPS + FRAME_FEATURES]
        self._local = self._features[: 3 * _AIMS].reshape(_AIMS, 3)
        self._up = self._features[3 * _AIMS :]
        self._written = buffer[_STEPS + FRAME_FEATURES :]
        self._torso_inputs = buffer[_STEPS : _STEPS + FRAME_FEATURES + _SIXES + TORSO_LATENT]
        self._torso_sixes = self._written[:_SIXES]
        self._limb_sixes = self._written[_SIXES + TORSO_LATENT :][:_LIMB_SIXES]
        self._limb_latents = self._written[-len(LIMBS) * LIMB_LATENT :].reshape(len(LIMBS), -1)
        changes = buffer[:_STEPS].reshape(len(HISTORY), STEP_FEATURES)
        self._differences = changes[:, :FRAME_FEATURES]
        self._moves = changes[:, FRAME_FEATURES:].reshape(len(HISTORY), 3, 3)
        trackers = np.empty((_AIMS, 3), np.float32)
        self._trackers, self._ends = trackers, trackers[: len(TRACKER_JOINTS) - 1]
        self._axes = trackers[len(TRACKER_JOINTS) - 1 :].reshape(-1, 2, 3)
        self._past = np.empty((len(HISTORY), ROW), np.float32)
        self._past_features = self._past[:, :FRAME_FEATURES]
        self._past_position = self._past[:, POSITION]
        self._past_hips = self._past[:, POSITION_AND_AXES].reshape(-1, 3, 3)

    def _make_generator(self, weights: Mapping[str, np.ndarray]) -> None:
        matrix, bias = weights["generator.in.w"], weights["generator.in.b"]
        features, steps = matrix[:FRAME_FEATURES], matrix[FRAME_FEATURES:][:_STEPS]
        # Standing still is the identity here, and all zeros for the network.
        still = np.zeros((len(HISTORY), STEP_FEATURES), np.float32)
        still[:, -6:] = IDENTITY_6D
        self._context_weights = np.ascontiguousarray(matrix[FRAME_FEATURES + _STEPS :])
        self._first_bias = (bias - still.ravel() @ steps).astype(np.float32)
        self._context: np.ndarray | None = None
        width = len(bias)
        first = np.concatenate([steps, features])
        self._first = _Layer.of(first, self._first_bias.copy(), np.empty(width, np.float32))
        self._blocks = [
            tuple(
                _Layer.of(
                    weights[f"generator.{block}.{half}.w"],
                    weights[f"generator.{block}.{half}.b"],
                    np.empty(len(weights[f"generator.{block}.{half}.b"]), np.float32),
                )
                for half in "ab"
            )
            for block in range(BLOCKS)
        ]
        latents = 6 * len(FREE)
        sixes = np.arange(latents).reshape(len(FREE), 6)
        order = np.concatenate(
            [
                *(sixes[part].ravel() for part in FREE_TORSO),
                np.arange(latents, latents + TORSO_LATENT),
                *(sixes[part].ravel() for part in FREE_LIMBS),
                np.arange(latents + TORSO_LATENT, latents + LATENT),
            ]
        )
        constant = np.concatenate([np.tile(IDENTITY_6D, len(FREE)), np.zeros(LATENT, np.float32)])
        self._last = _Layer.of(
            weights["generator.out.w"][:, order],
            (weights["generator.out.b"] + constant)[order],
            self._written,
        )

    def _make_torso(self, weights: Mapping[str, np.ndarray]) -> None:
        self._torso = [
            _Layer.of(
                weights[f"torso.{layer}.w"],
                weights[f"torso.{layer}.b"],
                np.empty(len(weights[f"torso.{layer}.b"]), np.float32),
            )
            for layer in range(3)
        ]

    def _make_limbs(self, weights: Mapping[str, np.ndarray]) -> None:
        limbs = len(LIMBS)
        inputs = np.zeros((limbs, 3 * _LIMB_ROWS + LIMB_LATENT), np.float32)
        self._limb_inputs = inputs.reshape(2, 2, -1)
        self._limb_rows = inputs[:, : 3 * _LIMB_ROWS].reshape(limbs, _LIMB_ROWS, 3)
        self._limb_axes = inputs[:, 9 : 9 + 18].reshape(2, 2, 18)
        self._limb_read_latents = inputs[:, 3 * _LIMB_ROWS :]
        up = MIRROR_VECTORS[:, None]
        self._limb_mirror = np.concatenate([MIRROR_STEPS, up], 1)
        outputs = weights["limbs.2.w"].shape[-1]
        poles = np.zeros((limbs, outputs), np.float32)
        poles[:, :3] = POLES
        self._change_mirror = np.concatenate(
            [MIRROR_VECTORS, np.tile(MIRROR_SIXES, (1, 3))], 1
        ).reshape(2, 2, outputs)
        shapes = [(2, 2, weights[f"limbs.{layer}.w"].shape[-1]) for layer in range(3)]
        matrices = [weights[f"limbs.{layer}.w"] for layer in range(3)]
        matrices[0] = matrices[0][:, _LIMB_ORDER]
        biases = [weights[f"limbs.{layer}.b"] for layer in range(3)]
        biases[2] = biases[2] + poles.reshape(2, 2, outputs)
        self._limbs = [
            _Layer.of(matrix, bias, np.empty(shape, np.float32))
            for matrix, bias, shape in zip(matrices, biases, shapes, strict=True)
        ]
        self._limb_change = self._limbs[2].outputs
        self._limb_sixes_change = self._limb_change[..., 3:]
        self._packed = np.empty(3 * limbs * _LIMB_ROWS + 9, np.float32)
        self._limb_vectors = self._packed[:-9].reshape(limbs, _LIMB_ROWS, 3)
        self._arm_vectors = self._packed[3 * _ARMS_BEGIN * _LIMB_ROWS : -9].reshape(-1, 3)
        self._chest = self._packed[-9:].reshape(3, 3)
        self._free = np.empty(9 * len(FREE), np.float32)
        self._free_columns = self._free.reshape(-1, 3, 3).swapaxes(1, 2)
        self._turned_columns = np.empty((3 * len(FREE), 3), np.float32)
        self._turned = self._turned_columns.reshape(-1, 3, 3).swapaxes(1, 2)

    def read(self, positions: np.ndarray, rotations: np.ndarray, row: np.ndarray) -> None:
        """Read the trackers of the next frame.

        Args:
            positions: (6, 3) positions, metres.
            rotations: (6, 3, 3) rotations.
            row: (60,) is filled with what is kept of the frame, see
                :mod:`ssrhmr_core.model.past_frames`.
        """
        hips = rotations[0]
        np.subtract(positions[1:], positions[0], out=self._ends)
        self._ends *= self._scale
        self._axes[...] = rotations[1:, :, :2].swapaxes(1, 2)
        # The rows of a product with a rotation are turned by its inverse.
        np.matmul(self._trackers, hips, out=self._local)
        self._up[...] = hips[1]
        write_row(row, self._features, positions[0], hips)

    def pose(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        past: np.ndarray,
        moments: np.ndarray,
        context: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pose the frame that was read.

        Args:
            positions: (6, 3) positions, metres.
            rotations: (6, 3, 3) rotations.
            past: (n, 60) rows that were kept of frames.
            moments: (5,) rows of the earlier frames of ``HISTORY``.
            context: (64,) context of the performer.

        Returns:
            Global rotations (1, 22, 3, 3), and (1, 384) what the generator knows of the frame,
            which the next frame overwrites.
        """
        hips = rotations[0]
        past.take(moments, 0, out=self._past, mode="clip")
        np.subtract(self._past_features, self._features, out=self._differences)
        self._past_position -= positions[0]
        self._past_position *= self._scale
        np.matmul(self._past_hips, hips, out=self._moves)
        hidden = self._generate(context)
        numbers = self._features.tolist()
        ends = [scale(numbers[3 * end : 3 * end + 3], self._size) for end in range(5)]
        axes = [numbers[_AIMS + 6 * end : _AIMS + 6 * end + 6] for end in range(5)]
        torso = self._solve_torso(ends)
        limbs = self._solve_limbs(torso, ends, axes, numbers[-3:])
        flat: list[float] = []
        for matrix in _in_order(torso, *limbs):
            flat += matrix
        _pack(flat, self._free)
        # One product of two axes is faster than many small ones.
        np.matmul(self._free_columns.reshape(-1, 3), hips.T, out=self._turned_columns)
        body = np.empty((1, len(JOINTS), 3, 3), np.float32)
        body[0, _FREE] = self._turned
        body[0, _TRACKERS] = rotations
        return body, hidden[None]

    def _generate(self, context: np.ndarray) -> np.ndarray:
        """Return what the generator knows of the frame (384,); what it predicts is in its place."""
        if context is not self._context:
            # The same array for some frames.
            self._context = context
            np.matmul(context, self._context_weights, out=self._first.bias)
            np.add(self._first.bias, self._first_bias, out=self._first.bias)
        hidden = self._first.activate(self._generator_inputs)
        for inner, outer in self._blocks:
            hidden += outer.activate(inner.activate(hidden))
        self._last.apply(hidden)
        return hidden

    def _solve_torso(self, ends: Sequence[Vector]) -> _Torso:
        """Rewrite spine and clavicles, bring the head to its tracker and hands within reach."""
        first, second, third = self._torso
        change = third.apply(second.activate(first.activate(self._torso_inputs)))
        change += self._torso_sixes
        numbers, body = change.tolist(), self._lengths
        learned = [from_6d(numbers[i : i + 6]) for i in range(0, _SIXES, 6)]
        bones = [rotate_by_matrix(*both) for both in zip(learned, body.spine_offsets, strict=False)]
        aim = subtract(ends[0], body.spine_base)
        quats, bent = bend_spine(bones, aim, body.spine_length, body.spine_reach)
        turned = quats[CHEST]
        spine = [_turn(quat, matrix) for quat, matrix in zip(quats, learned, strict=False)]
        position = add(add(body.spine_base, bent[0]), bent[1])
        clavicles, shoulders = [], []
        for side, matrix in enumerate(learned[len(SPINE) :]):
            arm = _ARMS_BEGIN + side
            # Clavicles go along with the chest.
            bone = rotate(turned, rotate_by_matrix(matrix, body.shoulder_offsets[side]))
            quat, shoulder = turn_clavicle(
                add(position, rotate_by_matrix(spine[CHEST], body.clavicle_offsets[side])),
                bone,
                body.clavicle_lengths[side],
                body.upper_lengths[arm] + body.lower_lengths[arm],
                ends[_ENDS[arm]],
            )
            shoulders.append(shoulder)
            clavicles.append(_turn(quat, _turn(turned, matrix)))
        return _Torso(spine, clavicles, shoulders)

    def _solve_limbs(
        self,
        torso: _Torso,
        ends: Sequence[Vector],
        axes: Sequence[Sequence[float]],
        up: Sequence[float],
    ) -> tuple[list[Matrix], list[Matrix], list[Matrix]]:
        """Rewrite arms and legs and close them; return uppers, lowers and toes."""
        body, chest = self._lengths, torso.spine[CHEST]
        starts = [*body.hip_offsets, *torso.shoulders]
        aims = [subtract(ends[end], start) for end, start in zip(_ENDS, starts, strict=True)]
        changes = self._rewrite_limbs(torso, aims, axes, up)
        uppers, lowers, toes = [], [], []
        for limb, numbers in enumerate(changes):
            pole: Sequence[float] = numbers[:3]
            if limb < _ARMS_BEGIN:
                upper, lower = from_6d(numbers[3:9]), from_6d(numbers[9:15])
                toes.append(from_6d(numbers[15:]))
            else:
                # Relative to the chest; the first joints are the clavicles.
                upper = multiply_matrices(chest, from_6d(numbers[9:15]))
                lower = multiply_matrices(chest, from_6d(numbers[15:]))
                pole = rotate_by_matrix(chest, pole)
            turns = close_limb(
                rotate_by_matrix(upper, body.upper_directions[limb]),
                rotate_by_matrix(lower, body.lower_directions[limb]),
                body.upper_lengths[limb],
                body.lower_lengths[limb],
                aims[limb],
                pole,
            )
            uppers.append(multiply_matrices(turns[0], upper))
            lowers.append(multiply_matrices(turns[1], lower))
        turned = [from_6d(axes[end]) for end in _ENDS]
        if not are_in_range(uppers, lowers, turned):
            arrays = _to_arrays(uppers, lowers, turned)
            rolled = keep_in_range(arrays[0], arrays[1], arrays[2], self._skeleton)
            uppers, lowers = (part.reshape(-1, 9).tolist() for part in rolled)
        return uppers, lowers, toes

    def _rewrite_limbs(
        self,
        torso: _Torso,
        aims: Sequence[Vector],
        axes: Sequence[Sequence[float]],
        up: Sequence[float],
    ) -> list[list[float]]:
        """Return pole and rotations, as two axes, of each limb relative to what carries it."""
        sixes, share = self._limb_sixes.tolist(), 1.0 / self._size
        flat: list[float] = []
        for limb, aim in enumerate(aims):
            flat += scale(aim, share)
            flat += axes[_ENDS[limb]]
            begin = 18 * limb
            if limb < _ARMS_BEGIN:
                flat += orthonormalize(sixes[begin : begin + 6])
            else:
                a, b, _, c, d, _, e, f, _ = torso.clavicles[limb - _ARMS_BEGIN]
                flat += (a, c, e, b, d, f)
            flat += orthonormalize(sixes[begin + 6 : begin + 12])
            flat += orthonormalize(sixes[begin + 12 : begin + 18])
            flat += up
        flat += torso.spine[CHEST]
        _pack(flat, self._packed)
        self._arm_vectors[...] = self._arm_vectors @ self._chest
        np.multiply(self._limb_vectors, self._limb_mirror, out=self._limb_rows)
        self._limb_read_latents[...] = self._limb_latents
        first, second, third = self._limbs
        change = third.apply(second.activate(first.activate(self._limb_inputs)))
        self._limb_sixes_change += self._limb_axes
        change *= self._change_mirror
        return change.reshape(len(LIMBS), -1).tolist()


def _pack(numbers: Sequence[float], array: np.ndarray) -> None:
    """Write numbers into an array of as many, three times as fast as NumPy does."""
    struct.pack_into(f"{len(numbers)}f", array.data, 0, *numbers)


def _to_arrays(*parts: Sequence[Matrix]) -> list[np.ndarray]:
    """Return rotations as arrays (n, 3, 3)."""
    return [np.array(part, np.float32).reshape(-1, 3, 3) for part in parts]


def _turn(quat: tuple[float, ...], matrix: Matrix) -> Matrix:
    """Return a rotation that is turned further."""
    return matrix if quat is IDENTITY_QUAT else multiply_matrices(to_matrix(quat), matrix)


def _in_order(
    torso: _Torso, uppers: Sequence[Matrix], lowers: Sequence[Matrix], toes: Sequence[Matrix]
) -> list[Matrix]:
    """Return the rotations of all joints that no tracker measures, as ``FREE``."""
    legs = range(len(LEGS))
    arms = range(len(ARMS))
    return [
        *(matrix for leg in legs for matrix in (uppers[leg], lowers[leg], toes[leg])),
        *torso.spine,
        *(
            matrix
            for arm in arms
            for matrix in (
                torso.clavicles[arm],
                uppers[_ARMS_BEGIN + arm],
                lowers[_ARMS_BEGIN + arm],
            )
        ),
    ]
