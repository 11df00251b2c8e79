# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the published architecture (needs torch) where a :class:`Reconstructor` would run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pymotion.rotations import quat_np as quat

from ..body.motion import Motion
from ..body.skeleton import Skeleton, forward_kinematics, inherit_missing
from ..model.weights import load_weights
from ..pipeline import Stage
from ..solver import LIMBS, solve, solver_skeleton
from ..tracking.take import Take, TrackerError
from ..training.paper import WINDOW, Published

_CHUNK = 4096


class PublishedReconstructor:
    """The published way from tracker frames to poses.

    Every frame is made anew from the 43 newest ones. Stage "network" is the publication, "exact"
    adds our solve.
    """

    def __init__(
        self, skeleton: Skeleton, weights: Path | None = None, stage: Stage = "exact"
    ) -> None:
        """Read the weights; random ones serve to measure time.

        Raises:
            WeightsError: if the weights cannot be used.
        """
        self.skeleton, self._exact = skeleton, stage == "exact"
        self._model = Published(seed=0)
        if weights:
            shapes = {name: array.shape for name, array in self._model.export().items()}
            self._model.load(load_weights(weights, shapes))
        self._body = (
            torch.as_tensor(skeleton.offsets)[None],
            torch.tensor([skeleton.size], dtype=torch.float32),
        )
        self._pose: Callable[..., np.ndarray] = self._pose_torch
        self.reset()

    def use_onnx(self) -> None:
        """Compute single frames with ONNX Runtime from now on, on one thread.

        Raises:
            ImportError: if onnxruntime or onnxscript is not installed.
        """
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it and fails late without)

        window = (torch.zeros(1, WINDOW, 6, 3), torch.eye(3).expand(1, WINDOW, 6, 3, 3).clone())
        program = torch.onnx.export(
            _Pose(self._model).eval(), (*window, *self._body), dynamo=True, verbose=False
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "published.onnx"
            program.save(file)  # type: ignore[union-attr]
            session = onnxruntime.InferenceSession(file, options)
        names = [entry.name for entry in session.get_inputs()]
        body = [part.numpy() for part in self._body]

        def pose(spots: np.ndarray, turns: np.ndarray) -> np.ndarray:
            given = dict(zip(names, (spots[None], turns[None], *body), strict=True))
            return session.run(None, given)[0][0]

        self._pose = pose

    def reset(self) -> None:
        """Forget the past."""
        self._past: list[tuple[np.ndarray, np.ndarray]] = []

    def frame(
        self, positions: np.ndarray, rotations: np.ndarray, valid: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reconstruct the next frame; see :meth:`Reconstructor.frame`."""
        del valid
        now = (positions, quat.to_matrix(rotations).astype(np.float32))
        self._past = [*(self._past or [now] * WINDOW)[1:], now]
        spots, turns = (np.stack(table) for table in zip(*self._past, strict=True))
        return self._poses(spots, turns)[0], positions[0]

    def clip(self, take: Take) -> Motion:
        """Reconstruct a whole take on the model's clock.

        Raises:
            TrackerError: if a tracker is lost: the publication has no answer to that.
        """
        if not take.valid.all():
            raise TrackerError(
                "the published architecture needs all six trackers in every frame:"
                " score it without --drop"
            )
        take = take.resampled()
        before = np.maximum(np.arange(1 - WINDOW, len(take)), 0)
        spots, turns = take.positions[before], quat.to_matrix(take.rotations[before])
        parts = [
            self._poses(
                spots[begin : begin + _CHUNK + WINDOW - 1],
                turns[begin : begin + _CHUNK + WINDOW - 1].astype(np.float32),
            )
            for begin in range(0, len(take), _CHUNK)
        ]
        return Motion(self.skeleton, take.times, np.concatenate(parts), take.positions[:, 0].copy())

    @torch.no_grad()
    def _pose_torch(self, spots: np.ndarray, turns: np.ndarray) -> np.ndarray:
        seen = (torch.as_tensor(spots)[None], torch.as_tensor(turns)[None])
        return self._model.pose(*seen, *self._body)[0].numpy()

    def _poses(self, spots: np.ndarray, turns: np.ndarray) -> np.ndarray:
        """(L, 6, 3) and (L, 6, 3, 3) -> quaternions (L - 42, 22, 4)."""
        body = self._pose(spots, turns)
        if self._exact:
            spots, turns = spots[WINDOW - 1 :], turns[WINDOW - 1 :]
            points = forward_kinematics(body, spots[:, 0], self.skeleton.offsets)
            ends = [[limb.upper, limb.lower, limb.end] for limb in LIMBS]
            upper, lower, end = np.moveaxis(points[:, ends], 2, 0)
            poles = lower - 0.5 * (upper + end)
            body = solve(body, poles, spots, turns, solver_skeleton(self.skeleton.offsets))
        inherit_missing(body, self.skeleton.present)
        return quat.from_matrix(body).astype(np.float32)


class _Pose(torch.nn.Module):
    """The way from trackers to poses as the forward pass that the exporter wants."""

    def __init__(self, model: Published) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        positions: torch.Tensor,
        rotations: torch.Tensor,
        offsets: torch.Tensor,
        sizes: torch.Tensor,
    ) -> torch.Tensor:
        return self.model.pose(positions, rotations, offsets, sizes)
