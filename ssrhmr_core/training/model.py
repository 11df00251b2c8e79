"""The learned stages as a torch module: weights and losses; the forward pass is the runtime's."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from ..network import HISTORY, frame_features, predict, shapes, step_features
from ..skeleton import TRACKER_JOINTS, forward_kinematics
from .augment import Batch


class Stages(nn.Module):
    """Holds the weights that :func:`ssrhmr_core.network.predict` needs."""

    def __init__(self, seed: int) -> None:
        """Draw weights; the same seed gives the same ones."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterDict()
        for name, shape in shapes().items():
            # The last layers start near zero: the first poses are near the T-pose.
            gain = 0.1 if name.endswith((".out.w", ".2.w")) else 1.4
            scale = gain / math.sqrt(shape[0]) if name.endswith(".w") else 0.0
            values = scale * torch.randn(shape, generator=generator)
            self.weights[_key(name)] = nn.Parameter(values)

    def named(self) -> dict[str, Tensor]:
        """Weights under the names of :func:`ssrhmr_core.network.shapes`."""
        return {name: self.weights[_key(name)] for name in shapes()}

    def export(self) -> dict[str, np.ndarray]:
        """The same as float32 arrays."""
        return {name: t.detach().cpu().numpy().astype("f4") for name, t in self.named().items()}

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its terms.

        Positions count in shares of the body's size, rotations as differences of matrices; the
        final pose is the one after the exact solve. The velocity terms follow the publication
        (errors over 1, 3 and 5 frames).
        """
        first = max(HISTORY)
        tracked = list(TRACKER_JOINTS)
        spots, turns = batch.positions[:, :, tracked], batch.rotations[:, :, tracked]
        sizes = batch.sizes[:, None].expand(spots.shape[:2])
        features = frame_features(spots, turns, sizes)
        now = slice(first, None)
        steps = []
        for ago in HISTORY:
            then = slice(first - ago, -ago)
            steps.append(
                step_features(
                    features[:, now],
                    features[:, then],
                    spots[:, now, 0],
                    turns[:, now, 0],
                    spots[:, then, 0],
                    turns[:, then, 0],
                    sizes[:, now],
                )
            )
        offsets = batch.offsets[:, None]
        result = predict(
            self.named(),
            features[:, now],
            steps,
            spots[:, now],
            turns[:, now],
            offsets,
            sizes[:, now],
        )
        root = spots[:, now, 0]
        truth, true_turns = batch.positions[:, now], batch.rotations[:, now]
        scale = sizes[:, now, None, None]

        missed = (forward_kinematics(result.exact, root, offsets) - truth) / scale
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
            "rotation": turned(result.exact),
            "velocity": torch.as_tensor(moved),
            "learned": before(result.learned),
            "guess": before(result.guess),
        }
        # The solve is to change little: what goes into it is held to the truth as well.
        weights = {"position": 10.0, "rotation": 0.6, "velocity": 5.0, "learned": 2.0, "guess": 1.0}
        return sum(weights[name] * term for name, term in terms.items()), terms  # type: ignore[return-value]


def _key(name: str) -> str:
    """ParameterDict takes no dots."""
    return name.replace(".", "/")


def _length(vectors: Tensor) -> Tensor:
    """Length of (..., 3), smooth below about a millimetre of an adult."""
    return (vectors.square().sum(-1) + 1e-6).sqrt() - 1e-3


def _capped(squares: Tensor) -> Tensor:
    """Square roots of squares, smooth near zero: large errors (flipped labels) count linearly."""
    return (squares + 1e-2).sqrt() - 0.1
