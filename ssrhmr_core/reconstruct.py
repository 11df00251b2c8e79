"""From tracker frames to a pose: the one way that baking, live preview and evaluation go."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Literal

import numpy as np
from pymotion.rotations import quat_np as quat

from .ik import predict_ik
from .motion import Motion
from .network import HISTORY, frame_features, predict, step_features
from .skeleton import Skeleton, forward_kinematics, inherit_missing
from .solve import ARMS, LEGS, solve
from .trackers import Take
from .weights import WeightsError, load_weights

__all__ = ["Preset", "Reconstructor", "Stage", "WeightsError"]

Preset = Literal["ssrhmr", "ik"]
Stage = Literal["network", "exact"]

_CHUNK = 1024
"""Frames computed at once: fits the caches, and Esc is heard several times a second."""


class Reconstructor:
    """Makes whole bodies out of six trackers, for one skeleton.

    ``clip`` (or ``steps``) takes a whole take, ``frame`` one frame of the model's 60 Hz clock at a
    time; both give the same poses. Trackers are joint frames here: calibrated ones.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        weights: str | Path | None = None,
        preset: Preset = "ssrhmr",
        stage: Stage = "exact",
    ) -> None:
        """Read the weights.

        Args:
            skeleton: the body to reconstruct.
            weights: a weights file; the one that comes with the package if not given.
            preset: the model, or "ik", which uses no network.
            stage: "network" leaves out the exact solve of the last stage.

        Raises:
            WeightsError: if the weights cannot be used.
        """
        self.skeleton = skeleton
        self._weights = load_weights(weights) if preset == "ssrhmr" else {}
        self._preset, self._exact = preset, stage == "exact"
        self._size = np.float32(skeleton.size)
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next frame is the first one of a take."""
        self._past: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def frame(self, positions: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reconstruct the next frame, 1/60 s after the last one.

        Args:
            positions: (6, 3) of the tracked joints, metres, Y up.
            rotations: (6, 4) of the tracked joints.

        Returns:
            Global rotations (22, 4) and the hips' position (3,). The first frame of a take is a
            pose already: the time before it counts as standing still.
        """
        spots = np.asarray(positions, np.float32)[None]
        turns = quat.to_matrix(np.asarray(rotations)[None]).astype(np.float32)
        now = (frame_features(spots, turns, self._size), spots[:, 0], turns[:, 0])
        self._past = [now, *self._past[: max(HISTORY)]]
        oldest = len(self._past) - 1
        pasts = [self._past[min(ago, oldest)] for ago in HISTORY]
        body = self._predict(now, pasts, spots, turns, np.asarray(rotations)[None])
        return self._finished(body)[0], spots[0, 0]

    def clip(
        self,
        take: Take,
        times: np.ndarray | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Motion:
        """Reconstruct a whole take; see :meth:`steps`."""
        steps = self.steps(take, times)
        while True:
            try:
                done = next(steps)
            except StopIteration as finished:
                return finished.value
            if progress:
                progress(done)

    def steps(self, take: Take, times: np.ndarray | None = None) -> Generator[float, None, Motion]:
        """Reconstruct a whole take in slices.

        Args:
            take: calibrated trackers at any rate.
            times: (G,) seconds at which poses are wanted; those of the take if not given.

        Yields:
            The share done, 0..1, after every slice.

        Returns:
            The motion at ``times``, ends exactly on the trackers as they are then.
        """
        clock = take.resampled()
        turns = quat.to_matrix(clock.rotations).astype(np.float32)
        features = frame_features(clock.positions, turns, self._size)
        parts = []
        for begin in range(0, len(clock), _CHUNK):
            now = np.arange(begin, min(begin + _CHUNK, len(clock)))
            pasts = []
            for ago in HISTORY:
                then = np.maximum(now - ago, 0)
                pasts.append((features[then], clock.positions[then, 0], turns[then, 0]))
            current = (features[now], clock.positions[now, 0], turns[now, 0])
            body = self._predict(
                current, pasts, clock.positions[now], turns[now], clock.rotations[now]
            )
            parts.append(self._finished(body))
            yield (now[-1] + 1) / len(clock)
        motion = Motion(
            self.skeleton, clock.times, np.concatenate(parts), clock.positions[:, 0].copy()
        )
        return self._at(motion, take, take.times if times is None else np.asarray(times))

    def _predict(
        self,
        now: tuple[np.ndarray, np.ndarray, np.ndarray],
        pasts: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
        positions: np.ndarray,
        turns: np.ndarray,
        quaternions: np.ndarray,
    ) -> np.ndarray:
        """Global rotations (F, 22, 3, 3) of some frames."""
        offsets = self.skeleton.offsets
        if self._preset == "ik":
            body, poles = predict_ik(quaternions)
            return solve(body, poles, positions, turns, offsets) if self._exact else body
        features, root, turn = now
        steps = [
            step_features(features, past, root, turn, old_root, old_turn, self._size)
            for past, old_root, old_turn in pasts
        ]
        found = predict(self._weights, features, steps, positions, turns, offsets, self._size)
        return found.exact if self._exact else found.learned

    def _finished(self, body: np.ndarray) -> np.ndarray:
        inherit_missing(body, self.skeleton.present)
        return quat.from_matrix(body).astype(np.float32)

    def _at(self, motion: Motion, take: Take, times: np.ndarray) -> Motion:
        """Bring the motion from the model's clock to other times, ends exact there too."""
        result = motion.at(times)
        if result.rotations is motion.rotations or not self._exact:
            return result
        wanted = take.at(times)
        turned, root = result.matrices(), wanted.positions[:, 0]
        points = forward_kinematics(turned, result.root, self.skeleton.offsets)
        # Where knees and elbows are between two frames is the side to which they bend.
        poles = np.stack(
            [
                points[:, limb.lower] - 0.5 * (points[:, limb.upper] + points[:, limb.end])
                for limb in (*LEGS, *ARMS)
            ],
            1,
        )
        measured = quat.to_matrix(wanted.rotations).astype(np.float32)
        body = solve(turned, poles, wanted.positions, measured, self.skeleton.offsets)
        return Motion(self.skeleton, times, self._finished(body), root)
