# SPDX-License-Identifier: GPL-3.0-or-later
"""The published architecture with the interface of a :class:`Reconstructor`; needs torch."""

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
from ..tracking.extras.readings import ExtraReadings
from ..tracking.take import Take, TrackerError
from ..training.paper import WINDOW, Published

_CHUNK = 4096


class PublishedReconstructor:
    """Reconstructs poses from tracker frames as published.

    Every frame is computed from the 43 newest ones. Stage "network" is the publication, "exact"
    adds our solve.
    """

    def __init__(
        self, skeleton: Skeleton, weights: Path | None = None, stage: Stage = "exact"
    ) -> None:
        """Read the weights.

        Args:
            skeleton: The body to reconstruct.
            weights: A weights file; without one the weights are random, which serves to measure
                time.
            stage: "network" leaves out the exact solve.

        Raises:
            WeightsError: The weights cannot be used.
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
            ImportError: The package onnxruntime or onnxscript is not installed.
        """
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it and fails late without)

        positions = torch.zeros(1, WINDOW, 6, 3)
        rotations = torch.eye(3).expand(1, WINDOW, 6, 3, 3).clone()
        example = (positions, rotations, *self._body)
        program = torch.onnx.export(_Pose(self._model).eval(), example, dynamo=True, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "published.onnx"
            program.save(file)  # type: ignore[union-attr]
            session = onnxruntime.InferenceSession(file, options)
        names = [entry.name for entry in session.get_inputs()]
        body = [part.numpy() for part in self._body]

        def pose(positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
            inputs = dict(zip(names, (positions[None], rotations[None], *body), strict=True))
            return session.run(None, inputs)[0][0]

        self._pose = pose

    def reset(self) -> None:
        """Forget the past."""
        self._past: list[tuple[np.ndarray, np.ndarray]] = []

    def frame(
        self,
        positions: np.ndarray,
        rotations: np.ndarray,
        valid: np.ndarray | None = None,
        extras: ExtraReadings | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reconstruct the next frame; see :meth:`Reconstructor.frame`.

        Raises:
            TrackerError: If there are optional trackers, which the publication does not know.
        """
        _refuse_extras(extras)
        del valid
        now = (positions, quat.to_matrix(rotations).astype(np.float32))
        self._past = [*(self._past or [now] * WINDOW)[1:], now]
        window_positions = np.stack([past_positions for past_positions, _ in self._past])
        window_rotations = np.stack([past_rotations for _, past_rotations in self._past])
        return self._reconstruct(window_positions, window_rotations)[0], positions[0]

    def clip(self, take: Take) -> Motion:
        """Reconstruct a whole take on the model's clock.

        Raises:
            TrackerError: A tracker is lost, or there are optional ones: the publication has no
                answer to either.
        """
        _refuse_extras(take.extras)
        if not take.valid.all():
            raise TrackerError(
                "the published architecture needs all six trackers in every frame:"
                " score it without --drop"
            )
        take = take.resampled()
        before = np.maximum(np.arange(1 - WINDOW, len(take)), 0)
        positions, rotations = take.positions[before], quat.to_matrix(take.rotations[before])
        parts = []
        for begin in range(0, len(take), _CHUNK):
            rows = slice(begin, begin + _CHUNK + WINDOW - 1)
            parts.append(self._reconstruct(positions[rows], rotations[rows].astype(np.float32)))
        return Motion(self.skeleton, take.times, np.concatenate(parts), take.positions[:, 0].copy())

    @torch.no_grad()
    def _pose_torch(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        offsets, sizes = self._body
        pose = self._model.pose(
            torch.as_tensor(positions)[None], torch.as_tensor(rotations)[None], offsets, sizes
        )
        return pose[0].numpy()

    def _reconstruct(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray:
        """Return quaternions (L - 42, 22, 4) for trackers (L, 6, 3) and (L, 6, 3, 3)."""
        body = self._pose(positions, rotations)
        if self._exact:
            positions, rotations = positions[WINDOW - 1 :], rotations[WINDOW - 1 :]
            joints = forward_kinematics(body, positions[:, 0], self.skeleton.offsets)
            limbs = [[limb.upper, limb.lower, limb.end] for limb in LIMBS]
            upper, lower, end = np.moveaxis(joints[:, limbs], 2, 0)
            poles = lower - 0.5 * (upper + end)
            skeleton = solver_skeleton(self.skeleton.offsets)
            body = solve(body, poles, positions, rotations, skeleton)
        inherit_missing(body, self.skeleton.present)
        return quat.from_matrix(body).astype(np.float32)


def _refuse_extras(extras: ExtraReadings | None) -> None:
    if extras is not None:
        raise TrackerError(
            "the published architecture reads six trackers: score it without --extra"
        )


class _Pose(torch.nn.Module):
    """The computation of poses as the forward pass that the exporter wants."""

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
