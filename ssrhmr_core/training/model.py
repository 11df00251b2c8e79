# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned stages as a torch module with weights and losses; the runtime computes the poses."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import TRACKER_JOINTS, forward_kinematics
from ..model import certainty, context
from ..model.features import HISTORY, body_features, frame_features, step_features
from ..model.network import NetworkInputs, Prediction, extra_shapes, predict
from ..model.tracker_predictor import AGO, TrackerHistory, predict_trackers
from ..model.weights import shapes
from ..solver import Measured
from .augment import Batch
from .muon import Muon
from .sensors import Readings

_SPINE_STEPS = 3
"""Number of steps of the spine's solve. More of them would cost more than the stages, and move
nothing once the spine is learned."""
_VELOCITY_STEPS = (1, 3, 5)
"""Frames over which velocities are compared, as published."""

_SMALLEST_ERROR = 3e-4
"""Error, in sizes of the body, below which expected errors need not tell anything apart."""
Scope = Literal["six", "extras"]
_EXTRAS = extra_shapes() | certainty.shapes()


@dataclass(frozen=True)
class Terms:
    """Weights of the terms of the loss.

    Attributes:
        position: Weight of position errors after the exact solve, in sizes of the body.
        rotation: Weight of rotation errors after the exact solve.
        velocity: Weight of changes of the position errors over 1, 3 and 5 frames.
        learned: Weight of both kinds of errors before the solve.
        guess: Weight of both kinds of errors of the generator alone.
        filled: Weight of errors of predicted trackers.
        certainty: Weight of how badly position errors were expected.
    """

    position: float = 10.0
    rotation: float = 0.6
    velocity: float = 5.0
    learned: float = 2.0
    guess: float = 1.0
    filled: float = 50.0
    certainty: float = 0.0


class Stages(nn.Module):
    """The weights of :func:`ssrhmr_core.model.network.predict`, and their losses."""

    def __init__(self, seed: int, terms: Terms | None = None, scope: Scope = "six") -> None:
        """Draw weights; the same seed gives the same ones.

        Args:
            seed: The seed.
            terms: Weights of the terms of the loss.
            scope: The weights to train, see :class:`ssrhmr_core.training.recipe.Recipe`.
        """
        super().__init__()
        self._terms = asdict(terms or Terms())
        generator = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterDict()
        for name, shape in shapes().items():
            # The last layers start near zero, so that the first poses are near the T-pose.
            gain = 0.1 if name.endswith((".out.w", ".2.w")) else 1.4
            scale = gain / math.sqrt(shape[0]) if name.endswith(".w") else 0.0
            if name in extra_shapes():
                scale = 0.0
            values = scale * torch.randn(shape, generator=generator)
            trained = (name in _EXTRAS) == (scope == "extras")
            self.weights[_key(name)] = nn.Parameter(values, requires_grad=trained)

    def named(self) -> dict[str, Tensor]:
        """Return the weights under the names of :func:`ssrhmr_core.model.weights.shapes`."""
        return {name: self.weights[_key(name)] for name in shapes()}

    def optimizers(self, rate: float) -> tuple[torch.optim.Optimizer, ...]:
        """Return Muon for the matrices and AdamW, at half the rate, for the rest."""
        trained = [weight for weight in self.parameters() if weight.requires_grad]
        matrices = [weight for weight in trained if weight.ndim == 2]
        rest = [weight for weight in trained if weight.ndim != 2]
        return Muon(matrices, rate), torch.optim.AdamW(rest, lr=0.5 * rate)

    def export(self) -> dict[str, np.ndarray]:
        """Return the weights as float32 arrays."""
        return {name: t.detach().cpu().numpy().astype("f4") for name, t in self.named().items()}

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Copy weights under the names of :func:`ssrhmr_core.model.weights.shapes`.

        Weights of an earlier version have zeros where they lack something. From a context of zeros
        nothing can be learned, so it stays as it was drawn. What reads optional trackers begins
        with zeros.
        """
        drawn = [
            shapes
            for shapes in (context.shapes(), certainty.shapes())
            if not any(arrays[name].any() for name in shapes)
        ]
        with torch.no_grad():
            for name, tensor in self.named().items():
                if not any(name in shapes for shapes in drawn):
                    tensor.copy_(torch.as_tensor(arrays[name]))

    def forward(self, batch: Batch, readings: Readings) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss of a batch, and its terms.

        Positions count in sizes of the body, rotations as differences of matrices; the final pose
        is the one after the exact solve. The velocity terms follow the publication.
        """
        performers = self._encode_performers(batch, readings)
        positions, rotations, filled = self._complete(batch, readings, performers)
        now = slice(max(HISTORY), None)
        measured = readings.extras
        if measured is not None:
            measured = Measured(*(each[:, now] for each in measured))
            steps = measured.positions - positions[:, now, None, 0]
            measured = measured._replace(positions=steps)
        prediction = self._predict(batch, positions, rotations, performers, measured)
        root, offsets = positions[:, now, 0], batch.offsets[:, None]
        true_positions, true_rotations = batch.positions[:, now], batch.rotations[:, now]
        scale = batch.sizes[:, None, None, None]

        def errors(pose: Tensor) -> tuple[Tensor, Tensor]:
            """Return position errors (N, F, 22, 3) and the mean rotation error of a pose."""
            error = (forward_kinematics(pose, root, offsets) - true_positions) / scale
            return error, _smooth_root((pose - true_rotations).square().sum((-1, -2))).mean()

        exact, exact_rotation = errors(prediction.exact)
        terms = {
            "position": _length(exact).mean(),
            "rotation": exact_rotation,
            "velocity": _velocity_loss(exact),
        }
        # The solve is to change little, so the loss holds its input to the truth as well.
        for name, pose in (("learned", prediction.learned), ("guess", prediction.guess)):
            position, rotation = errors(pose)
            terms[name] = _length(position).mean() + 0.1 * rotation
        terms["filled"] = filled
        if self._terms["certainty"]:
            terms["certainty"] = self._certainty_loss(prediction, readings, exact)
        return sum(self._terms[name] * term for name, term in terms.items()), terms

    def _certainty_loss(self, prediction: Prediction, readings: Readings, error: Tensor) -> Tensor:
        """Return how badly errors (N, F, 22, 3) were expected.

        The expected error is the scale of a distribution that falls off exponentially, which makes
        it the mean of the errors in such a frame. The gradient does not reach the poses.
        """
        missing = torch.zeros_like(readings.positions[:, :, :, 0])
        age = missing[:, 0] + certainty.LONGEST
        for frame in range(missing.shape[1]):
            age = torch.where(readings.valid[:, frame], 0.0, age + 1.0 / MODEL_RATE)
            missing[:, frame] = age
        now = slice(max(HISTORY), None)
        expected = certainty.expect_log_errors(
            self.named(), prediction.hidden.detach(), missing[:, now]
        )
        true = error.detach().square().sum(-1).sqrt() + _SMALLEST_ERROR
        return (true * (-expected).exp() + expected).mean()

    def _encode_performers(self, batch: Batch, readings: Readings) -> Tensor:
        """Return the contexts (N, 64) of the performers, zeros where nothing is known of them."""
        sizes = batch.sizes[:, None].expand(readings.context_positions.shape[:2])
        features = frame_features(readings.context_positions, readings.context_rotations, sizes)
        joints = body_features(batch.offsets, batch.sizes).joints
        own = context.encode_context(self.named(), features, joints)
        return torch.where(readings.known[:, None], own, torch.zeros_like(own))

    def _predict(
        self,
        batch: Batch,
        positions: Tensor,
        rotations: Tensor,
        performers: Tensor,
        measured: Measured | None,
    ) -> Prediction:
        """Run the stages on all frames that have a past.

        Args:
            batch: The bodies.
            positions: (N, L, 6, 3) positions of the trackers.
            rotations: (N, L, 6, 3, 3) rotations of the trackers.
            performers: (N, 64) contexts of the performers.
            measured: (N, F, 13, ...) what optional trackers measure.
        """
        first = max(HISTORY)
        sizes = batch.sizes[:, None].expand(positions.shape[:2])
        features = frame_features(positions, rotations, sizes)
        now = slice(first, None)
        frames = torch.arange(first, positions.shape[1], device=positions.device)
        moments = frames[:, None] - torch.tensor([0, *HISTORY], device=positions.device)
        steps = step_features(
            features[:, now],
            features[:, moments[:, 1:]],
            positions[:, moments, 0],
            rotations[:, moments, 0],
            sizes[:, now],
        )
        inputs = NetworkInputs(
            features[:, now], steps, performers[:, None].expand(-1, len(frames), -1), measured
        )
        return predict(
            self.named(),
            inputs,
            positions[:, now],
            rotations[:, now],
            body_features(batch.offsets[:, None], batch.sizes[:, None]),
            _SPINE_STEPS,
        )

    def _complete(
        self, batch: Batch, readings: Readings, performers: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Predict lost trackers; the gradient of the stages does not reach these predictions.

        Returns:
            Positions (N, L, 6, 3) and rotations (N, L, 6, 3, 3) of all trackers, and the loss of
            those that were predicted.
        """
        positions, rotations, valid = readings.positions, readings.rotations, readings.valid
        rows = (~valid).any(-1).any(-1).nonzero()[:, 0]
        frames = torch.arange(positions.shape[1], device=positions.device)
        moments = frames[:, None] - torch.tensor(AGO, device=positions.device)
        moments = moments.clamp(min=0)
        history = TrackerHistory(
            positions=positions[rows][:, moments],
            rotations=rotations[rows][:, moments],
            valid=valid[rows][:, moments].float(),
        )
        sizes = batch.sizes[rows, None].expand(len(rows), len(frames))
        new_positions, new_rotations = predict_trackers(
            self.named(), history, batch.offsets[rows, None], sizes, performers[rows, None]
        )
        joints, lost = list(TRACKER_JOINTS), ~valid[rows]
        error = (new_positions - batch.positions[rows][:, :, joints]) / sizes[..., None, None]
        difference = new_rotations - batch.rotations[rows][:, :, joints]
        loss = _tracker_loss(error, difference, lost, valid.numel())
        position = torch.where(lost[..., None], new_positions, positions[rows])
        rotation = torch.where(lost[..., None, None], new_rotations, rotations[rows])
        positions = positions.index_put((rows,), position.detach())
        rotations = rotations.index_put((rows,), rotation.detach())
        return positions, rotations, loss


def _velocity_loss(error: Tensor) -> Tensor:
    """Return how much position errors (N, F, J, 3) change over a few frames, for each frame."""
    changes = (
        _length(error[:, ago:] - error[:, :-ago]).mean() / ago
        for ago in _VELOCITY_STEPS
        if ago < error.shape[1]
    )
    return torch.as_tensor(sum(changes))


def _tracker_loss(error: Tensor, difference: Tensor, lost: Tensor, count: int) -> Tensor:
    """Return the loss of predicted trackers.

    Args:
        error: (M, L, 6, 3) position errors, in sizes of the body.
        difference: (M, L, 6, 3, 3) differences of rotations.
        lost: (M, L, 6) bool, True for trackers that were predicted.
        count: Number of all readings of the batch, over which the loss is a mean.
    """
    rotation = _smooth_root(difference.square().sum((-1, -2)))
    loss = ((_length(error) + 0.1 * rotation) * lost).sum() / count
    # A prediction that shakes looks worse than one that is a little off.
    for ago in _VELOCITY_STEPS:
        both = lost[:, ago:] & lost[:, :-ago]
        moved = error[:, ago:] - error[:, :-ago]
        rotated = difference[:, ago:] - difference[:, :-ago]
        change = _length(10.0 * moved) + _length(rotated.flatten(-2))
        loss = loss + (change * both).sum() / (ago * count)
    return loss


def _key(name: str) -> str:
    """Return a name without dots, which ParameterDict does not take."""
    return name.replace(".", "/")


def _length(vectors: Tensor) -> Tensor:
    """Return the lengths of (..., n), smooth below about a millimetre of an adult."""
    return (vectors.square().sum(-1) + 1e-6).sqrt() - 1e-3


def _smooth_root(squares: Tensor) -> Tensor:
    """Return square roots, smooth near zero: large errors (flipped labels) count linearly."""
    return (squares + 1e-2).sqrt() - 0.1
