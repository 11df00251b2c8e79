# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses from complete trackers: the features, the network, the solve and the expected errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.interpolation import slices
from ..body.motion import Motion
from ..body.skeleton import TRACKERS, Skeleton, forward_kinematics, inherit_missing
from ..geometry.rotations import to_quat
from ..solver import LIMBS, Measured, solve
from .certainty import LIVE_NOISE, expect_log_errors, settle_errors
from .features import (
    HISTORY,
    BodyFeatures,
    frame_features,
    step_features,
)
from .ik_baseline import predict_without_network
from .network import NetworkInputs, fold_body, predict
from .past_frames import ROW, read_rows, write_row
from .single_frame import SingleFrame

Preset = Literal["ssrhmr", "ik"]
Stage = Literal["network", "exact"]

_CHUNK = 1024
"""Frames computed at once: they fit the caches, and Esc is noticed several times per second."""


_AGES = np.array([0, *HISTORY])
"""Ages of the frames that the network reads."""
_PAST_FRAMES = max(HISTORY) + 1
_MOMENTS = (np.arange(_PAST_FRAMES)[:, None] - _AGES) % _PAST_FRAMES
"""Where these frames are among those that are kept, by where the current one is."""


class TrackedFrames(NamedTuple):
    """Trackers of some frames as poses meet them: complete, and in the units of the body.

    Attributes:
        positions: (F, 6, 3) positions.
        matrices: (F, 6, 3, 3) rotations.
        context: (64,) context of the performer, or (F, 64) contexts at each frame.
        missing: (F, 6) seconds for which each tracker has been filled in.
        measured: What optional trackers measure; None if there are none.
        noise: Standard deviation of the trackers' positions, for the expected errors.
    """

    positions: np.ndarray
    matrices: np.ndarray
    context: np.ndarray
    missing: np.ndarray
    measured: Measured | None
    noise: float = LIVE_NOISE

    def part(self, frames: np.ndarray) -> TrackedFrames:
        """Return some frames."""
        return TrackedFrames(
            self.positions[frames],
            self.matrices[frames],
            self.context if self.context.ndim == 1 else self.context[frames],
            self.missing[frames],
            None if self.measured is None else self.measured.part(frames),
            self.noise,
        )


class PosedFrames(NamedTuple):
    """Poses of some frames.

    Attributes:
        rotations: (F, 22, 4) global rotations.
        errors: (F, 22) expected position errors, in the units of the body; None if not asked for.
    """

    rotations: np.ndarray
    errors: np.ndarray | None


class _History(NamedTuple):
    """What the network reads of the current frame and of the earlier ones in ``HISTORY``.

    Attributes:
        features: (F, 1 + H, n) features of the trackers.
        roots: (F, 1 + H, 3) positions of the pelvis.
        root_rotations: (F, 1 + H, 3, 3) rotations of the pelvis.
    """

    features: np.ndarray
    roots: np.ndarray
    root_rotations: np.ndarray


class Poser:
    """Poses one body: frames as they come, or many at once."""

    def __init__(
        self,
        weights: dict[str, np.ndarray],
        body: Skeleton,
        proportions: BodyFeatures,
        *,
        stage: Stage = "exact",
        certainty: bool = False,
        tracker_weights: Sequence[float] = (1.0,) * len(TRACKERS),
    ) -> None:
        """Prepare a body without a past.

        Args:
            weights: The weights of the network; without any, poses are those of "ik".
            body: The body, of a human's size.
            proportions: Its features.
            stage: "network" leaves out the exact solve.
            certainty: Whether to predict errors too.
            tracker_weights: How much each of the six trackers holds its joint, 0 to 1.
        """
        self._tracker_weights = np.asarray(tracker_weights, np.float32)
        self._weights, self._body, self._proportions = weights, body, proportions
        if weights:
            self._weights, self._proportions = fold_body(weights, proportions)
        self._has_all_joints = bool(body.present.all())
        self._is_exact, self._certainty = stage == "exact", certainty
        self._single = (
            SingleFrame(self._weights, self._proportions.size, self._proportions.skeleton)
            if weights and self._is_exact
            else None
        )
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        # One row for each of the last frames.
        self._past = np.zeros((_PAST_FRAMES, ROW), np.float32)
        self._frames = 0

    def frame(self, tracked: TrackedFrames) -> PosedFrames:
        """Pose the next frame, the only one of ``tracked``."""
        newest = self._frames
        self._frames += 1
        if newest < _PAST_FRAMES:
            moments = newest - np.minimum(_AGES, newest)
        else:
            moments = _MOMENTS[newest % _PAST_FRAMES]
        row = self._past[newest % _PAST_FRAMES]
        positions, matrices = tracked.positions[0], tracked.matrices[0]
        if self._single is None:
            features = frame_features(positions, matrices, self._proportions.size)
            write_row(row, features, positions[0], matrices[0])
        else:
            self._single.read(positions, matrices, row)
            if tracked.measured is None:
                body, hidden = self._single.pose(
                    positions, matrices, self._past, moments[1:], tracked.context
                )
                errors = self._expect_errors(hidden, body, tracked)
                return PosedFrames(self._to_rotations(body), errors)
        history = _History(*read_rows(self._past.take(moments, 0)[None]))
        return self._pose(history, tracked)

    def slices(self, tracked: TrackedFrames) -> Iterator[PosedFrames]:
        """Pose the frames of a take, some at a time."""
        features = frame_features(tracked.positions, tracked.matrices, self._proportions.size)
        for begin in range(0, len(features), _CHUNK):
            frames = np.arange(begin, min(begin + _CHUNK, len(features)))
            past = np.maximum(frames[:, None] - _AGES, 0)
            history = _History(
                features[past], tracked.positions[past, 0], tracked.matrices[past, 0]
            )
            yield self._pose(history, tracked.part(frames))

    def meet(
        self,
        motion: Motion,
        positions: np.ndarray,
        rotations: np.ndarray,
        measured: Measured | None,
    ) -> Motion:
        """Return a motion between posed frames with its end effectors on their trackers again.

        Args:
            motion: Interpolated poses.
            positions: (F, 6, 3) positions of the trackers.
            rotations: (F, 6, 4) rotations of the trackers.
            measured: What optional trackers measure.
        """
        if not self._is_exact:
            return motion
        met = np.empty_like(motion.rotations)
        for part in slices(len(motion)):
            guess = motion.part(part)
            matrices = guess.matrices()
            body = solve(
                matrices,
                self._find_poles(matrices, guess.root),
                positions[part],
                quat.to_matrix(rotations[part]).astype(np.float32),
                self._proportions.skeleton,
                measured and measured.part(part),
            )
            met[part] = self._to_rotations(body)
        return Motion(motion.skeleton, motion.times, met, positions[:, 0])

    def _pose(self, history: _History, tracked: TrackedFrames) -> PosedFrames:
        """Predict poses from trackers."""
        if not self._weights:
            return PosedFrames(self._pose_without_network(tracked), None)
        features = history.features[:, 0]
        steps = step_features(
            features,
            history.features[:, 1:],
            history.roots,
            history.root_rotations,
            self._proportions.size,
        )
        inputs = NetworkInputs(features, steps, tracked.context, tracked.measured)
        prediction = predict(
            self._weights, inputs, tracked.positions, tracked.matrices, self._proportions
        )
        body = prediction.exact if self._is_exact else prediction.learned
        errors = self._expect_errors(prediction.hidden, body, tracked)
        return PosedFrames(self._to_rotations(body), errors)

    def _pose_without_network(self, tracked: TrackedFrames) -> np.ndarray:
        guess, poles = predict_without_network(quat.from_matrix(tracked.matrices))
        if self._is_exact:
            guess = solve(
                guess,
                poles,
                tracked.positions,
                tracked.matrices,
                self._proportions.skeleton,
                tracked.measured,
            )
        return self._to_rotations(guess)

    def _expect_errors(
        self, hidden: np.ndarray, body: np.ndarray, tracked: TrackedFrames
    ) -> np.ndarray | None:
        """Return the expected position errors (F, 22), None if nobody asks for them.

        Args:
            hidden: (F, 384) what the generator knows of the frames.
            body: (F, 22, 3, 3) rotations of the finished poses.
            tracked: The trackers.
        """
        if not self._certainty:
            return None
        logs = expect_log_errors(self._weights, hidden, tracked.missing)
        errors = np.exp(logs) * np.float32(self._body.size)
        roots = tracked.positions[:, :1]
        joints = forward_kinematics(body, np.zeros_like(roots[:, 0]), self._body.offsets)
        held = self._tracker_weights * (tracked.missing <= 0.0)
        return settle_errors(
            errors, joints, tracked.positions - roots, held, tracked.measured, tracked.noise
        )

    def _to_rotations(self, body: np.ndarray) -> np.ndarray:
        """Convert matrices (F, 22, 3, 3) to quaternions; missing joints inherit from parents."""
        if not self._has_all_joints:
            inherit_missing(body, self._body.present)
        return to_quat(body)

    def _find_poles(self, rotations: np.ndarray, root: np.ndarray) -> np.ndarray:
        """Return the directions (F, 4, 3) in which knees and elbows bend.

        Args:
            rotations: (F, 22, 3, 3) global rotations of the joints.
            root: (F, 3) positions of the hips.
        """
        joints = forward_kinematics(rotations, root, self._body.offsets)
        # The position of a knee or elbow between two frames is the side to which it bends.
        return np.stack(
            [
                joints[:, limb.lower] - 0.5 * (joints[:, limb.upper] + joints[:, limb.end])
                for limb in LIMBS
            ],
            1,
        )
