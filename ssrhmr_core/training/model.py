# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned stages as a torch module: weights and losses; the forward pass is the runtime's."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..body.skeleton import TRACKER_JOINTS, forward_kinematics
from ..model.network import HISTORY, body_features, frame_features, predict, step_features
from ..model.tracker_predictor import AGO, TrackerHistory, fill
from ..model.weights import shapes
from .augment import Batch
from .muon import Muon
from .sensors import Readings

_SPINE_STEPS = 3
"""Steps of the spine's solve that are differentiated through; the rest would be dearer than the
stages, and moves nothing once the spine is learned."""


@dataclass(frozen=True)
class Terms:
    """How much each term of the loss counts.

    Attributes:
        position: misses of joints after the exact solve, shares of the body's size.
        rotation: differences of rotations after it.
        velocity: changes of the misses over 1, 3 and 5 frames.
        learned: both kinds of misses before the solve.
        guess: the same of the generator alone.
        filled: misses of trackers that are filled in.
    """

    position: float = 10.0
    rotation: float = 0.6
    velocity: float = 5.0
    learned: float = 2.0
    guess: float = 1.0
    filled: float = 50.0


class Stages(nn.Module):
    """Holds the weights that :func:`ssrhmr_core.model.network.predict` needs."""

    def __init__(self, seed: int, terms: Terms | None = None) -> None:
        """Draw weights; the same seed gives the same ones."""
        super().__init__()
        self._terms = asdict(terms or Terms())
        generator = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterDict()
        for name, shape in shapes().items():
            # The last layers start near zero: the first poses are near the T-pose.
            gain = 0.1 if name.endswith((".out.w", ".2.w")) else 1.4
            scale = gain / math.sqrt(shape[0]) if name.endswith(".w") else 0.0
            values = scale * torch.randn(shape, generator=generator)
            self.weights[_key(name)] = nn.Parameter(values)

    def named(self) -> dict[str, Tensor]:
        """Weights under the names of :func:`ssrhmr_core.model.weights.shapes`."""
        return {name: self.weights[_key(name)] for name in shapes()}

    def optimizers(self, rate: float) -> tuple[torch.optim.Optimizer, ...]:
        """Muon for the matrices; AdamW, at half the rate, for the rest."""
        matrices = [weight for weight in self.parameters() if weight.ndim == 2]
        rest = [weight for weight in self.parameters() if weight.ndim != 2]
        return Muon(matrices, rate), torch.optim.AdamW(rest, lr=0.5 * rate)

    def export(self) -> dict[str, np.ndarray]:
        """The same as float32 arrays."""
        return {name: t.detach().cpu().numpy().astype("f4") for name, t in self.named().items()}

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over weights under the names of :func:`ssrhmr_core.model.weights.shapes`."""
        with torch.no_grad():
            for name, tensor in self.named().items():
                tensor.copy_(torch.as_tensor(arrays[name]))

    def forward(self, batch: Batch, readings: Readings) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its terms.

        Positions count in shares of the body's size, rotations as differences of matrices; the
        final pose is the one after the exact solve. The velocity terms follow the publication
        (errors over 1, 3 and 5 frames).
        """
        first = max(HISTORY)
        spots, turns, filled = self._filled(batch, readings)
        sizes = batch.sizes[:, None].expand(spots.shape[:2])
        features = frame_features(spots, turns, sizes)
        now = slice(first, None)
        frames = torch.arange(first, spots.shape[1], device=spots.device)
        seen = frames[:, None] - torch.tensor([0, *HISTORY], device=spots.device)
        steps = step_features(
            features[:, now],
            features[:, seen[:, 1:]],
            spots[:, seen, 0],
            turns[:, seen, 0],
            sizes[:, now],
        )
        offsets = batch.offsets[:, None]
        result = predict(
            self.named(),
            features[:, now],
            steps,
            spots[:, now],
            turns[:, now],
            body_features(offsets, batch.sizes[:, None]),
            _SPINE_STEPS,
        )
        root = spots[:, now, 0]
        truth, true_turns = batch.positions[:, now], batch.rotations[:, now]
        scale = sizes[:, now, None, None]

        exact = result.exact
        missed = (forward_kinematics(exact, root, offsets) - truth) / scale
        moved = sum(
            _length(missed[:, ago:] - missed[:, :-ago]).mean() / ago
            for ago in (1, 3, 5)
            if ago < missed.shape[1]
        )

        def turned(rotations: Tensor) -> Tensor:
            return _capped((rotations - true_turns).square().sum((-1, -2))).mean()

        def before(rotations: Tensor) -> Tensor:
            places = forward_kinematics(rotations, root, offsets)
            return _length((places - truth) / scale).mean() + 0.1 * turned(rotations)

        terms = {
            "position": _length(missed).mean(),
            "rotation": turned(exact),
            "velocity": torch.as_tensor(moved),
            "learned": before(result.learned),
            "guess": before(result.guess),
            "filled": filled,
        }
        # The solve is to change little: what goes into it is held to the truth as well.
        return sum(self._terms[name] * term for name, term in terms.items()), terms

    def _filled(self, batch: Batch, readings: Readings) -> tuple[Tensor, Tensor, Tensor]:
        """Fill in lost trackers; what the stages see of them is not what the net learns from.

        Returns:
            Positions (N, L, 6, 3) and rotations (N, L, 6, 3, 3) of all trackers, and the loss.
        """
        spots, turns, known = readings.positions, readings.rotations, readings.valid
        rows = (~known).any(-1).any(-1).nonzero()[:, 0]
        frames = torch.arange(spots.shape[1], device=spots.device)
        then = (frames[:, None] - torch.tensor(AGO, device=spots.device)).clamp(min=0)
        seen = TrackerHistory(
            spots[rows][:, then], turns[rows][:, then], known[rows][:, then].float()
        )
        sizes = batch.sizes[rows, None].expand(len(rows), len(frames))
        places, rotations = fill(self.named(), seen, batch.offsets[rows, None], sizes)
        joints = list(TRACKER_JOINTS)
        missed = (places - batch.positions[rows][:, :, joints]) / sizes[..., None, None]
        off = rotations - batch.rotations[rows][:, :, joints]
        wrong = _capped(off.square().sum((-1, -2)))
        lost = ~known[rows]
        loss = ((_length(missed) + 0.1 * wrong) * lost).sum() / known.numel()
        # A fill that shakes is worse to look at than one that is a little off.
        for ago in (1, 3, 5):
            both = lost[:, ago:] & lost[:, :-ago]
            moved = missed[:, ago:] - missed[:, :-ago]
            turned = off[:, ago:] - off[:, :-ago]
            shaken = _length(10.0 * moved) + _length(turned.flatten(-2))
            loss = loss + (shaken * both).sum() / (ago * known.numel())
        spots = spots.index_put((rows,), torch.where(lost[..., None], places, spots[rows]).detach())
        turns = turns.index_put(
            (rows,), torch.where(lost[..., None, None], rotations, turns[rows]).detach()
        )
        return spots, turns, loss


def _key(name: str) -> str:
    """ParameterDict takes no dots."""
    return name.replace(".", "/")


def _length(vectors: Tensor) -> Tensor:
    """Length of (..., 3), smooth below about a millimetre of an adult."""
    return (vectors.square().sum(-1) + 1e-6).sqrt() - 1e-3


def _capped(squares: Tensor) -> Tensor:
    """Square roots of squares, smooth near zero: large errors (flipped labels) count linearly."""
    return (squares + 1e-2).sqrt() - 0.1
