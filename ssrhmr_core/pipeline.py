# SPDX-License-Identifier: GPL-3.0-or-later
"""From tracker frames to a pose: the one way that baking, live preview and evaluation go."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pymotion.rotations import quat_np as quat

from .body.interpolation import interpolate, interpolate_rotations
from .body.motion import Motion
from .body.retarget import retarget
from .body.skeleton import TRACKERS, Skeleton, forward_kinematics, inherit_missing, units_per_metre
from .geometry.rotations import from_quat, to_quat
from .model.ik_baseline import predict_without_network
from .model.network import HISTORY, body_features, frame_features, predict, step_features
from .model.weights import WeightsError, load_weights
from .solver import LIMBS, solve
from .tracking.denoising import Smoothing, smooth
from .tracking.dropout import DropoutDetector, mark_dropouts
from .tracking.foot_planting import detect_contacts, keep_toes_flat, plant_feet
from .tracking.gap_filling import GapFiller
from .tracking.one_euro import OneEuro
from .tracking.take import Take, TrackerError

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
        smoothing: Smoothing | None = None,
        planting: float = 0.0,
        trust: Sequence[float] = (1.0,) * 6,
        performer: Skeleton | None = None,
    ) -> None:
        """Read the weights.

        Args:
            skeleton: the body to reconstruct.
            weights: a weights file; the one that comes with the package if not given.
            preset: the model, or "ik", which uses no network.
            stage: "network" leaves out the exact solve of the last stage.
            smoothing: of trackers; by default the noise of whole takes is found and removed, and
                single frames are taken as they come.
            planting: how firmly standing feet of whole takes are held, 0 to 1.
            trust: how much each tracker counts, 0 (as if it were not worn) to 1 (exact).
            performer: the body that wears the trackers, if the skeleton is to move as it does and
                not to meet them.

        Raises:
            WeightsError: if the weights cannot be used.
            TrackerError: if neither pelvis nor head counts fully.
        """
        self.skeleton = skeleton
        self._weights = load_weights(weights) if preset == "ssrhmr" else {}
        self._preset, self._exact = preset, stage == "exact"
        self._smoothing = smoothing or Smoothing()
        self._planting, self._trust = planting, trust
        self._filter = OneEuro(self._smoothing.cutoff)
        self._watch = DropoutDetector()
        self.performer = performer

    @property
    def performer(self) -> Skeleton | None:
        """The body that wears the trackers; None if it is the skeleton itself."""
        return self._performer

    @performer.setter
    def performer(self, performer: Skeleton | None) -> None:
        """Change it, and forget the past."""
        self._performer = performer
        worn = performer or self.skeleton
        self._unit = np.float32(units_per_metre(worn.size))
        # What counts as noise, as a jump or as standing is told in metres on a human body.
        self._body = worn.scaled(float(1.0 / self._unit)) if self._unit != 1.0 else worn
        self._proportions = body_features(self._body.offsets, np.float32(self._body.size))
        self._completion = GapFiller(self._weights, self._body, self._trust)
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next frame is the first one of a take."""
        self._past: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._watch.reset()
        self._filter.reset()
        self._completion.reset()

    def frame(
        self, positions: np.ndarray, rotations: np.ndarray, valid: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reconstruct the next frame, 1/60 s after the last one.

        Args:
            positions: (6, 3) of the tracked joints, metres, Y up.
            rotations: (6, 4) of the tracked joints.
            valid: (6,) bool, False where a tracker is not seen; all are if not given.

        Returns:
            Global rotations (22, 4) and the hips' position (3,). The first frame of a take is a
            pose already: the time before it counts as standing still.
        """
        positions = np.asarray(positions, np.float32) / self._unit
        rotations = np.asarray(rotations, np.float32)
        known = np.ones(6, bool) if valid is None else np.asarray(valid, bool)
        known = self._watch.frame(positions, rotations, known)
        positions, rotations = self._filter.frame(positions, rotations, known)
        spots, turns = self._completion.frame(positions, from_quat(rotations), known)
        spots, turns = spots[None], turns[None].astype(np.float32)
        now = (frame_features(spots, turns, self._proportions.size), spots[:, 0], turns[:, 0])
        self._past = [now, *self._past[: max(HISTORY)]]
        oldest = len(self._past) - 1
        pasts = [self._past[min(ago, oldest)] for ago in (0, *HISTORY)]
        features, roots, roots_turned = (
            np.concatenate(table)[None] for table in zip(*pasts, strict=True)
        )
        body = self._predict((features, roots, roots_turned), spots, turns)
        rotations, root = self._finished(body), spots[:, 0] * self._unit
        if self._performer is None:
            return rotations[0], root[0]
        moved = retarget(Motion(self._performer, np.zeros(1), rotations, root), self.skeleton)
        return moved.rotations[0], moved.root[0]

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
        if self._unit != 1.0:
            take = Take(take.times, take.positions / self._unit, take.rotations, take.valid)
        take = smooth(mark_dropouts(take), self._smoothing)
        raw = take.resampled()
        clock = self._completed(raw)
        contacts = detect_contacts(clock, self._body) if self._planting > 0.0 else None
        if contacts:
            clock = plant_feet(clock, contacts, self._body, self._planting)
        turns = quat.to_matrix(clock.rotations).astype(np.float32)
        features = frame_features(clock.positions, turns, self._proportions.size)
        parts = []
        for begin in range(0, len(clock), _CHUNK):
            now = np.arange(begin, min(begin + _CHUNK, len(clock)))
            then = np.maximum(now[:, None] - np.array([0, *HISTORY]), 0)
            seen = (features[then], clock.positions[then, 0], turns[then, 0])
            body = self._predict(seen, clock.positions[now], turns[now])
            parts.append(self._finished(body))
            yield (now[-1] + 1) / len(clock)
        rotations = np.concatenate(parts)
        if contacts:
            keep_toes_flat(rotations, contacts, self._planting)
        motion = Motion(self._body, clock.times, rotations, clock.positions[:, 0].copy())
        times = take.times if times is None else np.asarray(times)
        found = self._at(motion, _changed_at(take, raw, clock, times))
        root = found.root * self._unit
        if self._performer is None:
            return Motion(self.skeleton, found.times, found.rotations, root)
        whole = Motion(self._performer, found.times, found.rotations, root)
        return retarget(whole, self.skeleton)

    def _completed(self, take: Take) -> Take:
        """Fill in what is not seen.

        Raises:
            TrackerError: if too little was seen to do that.
        """
        unseen = [name for name, seen in zip(TRACKERS, take.valid.any(0), strict=True) if not seen]
        if not take.valid[:, :2].any():
            raise TrackerError(
                f"never seen in this take: {' and '.join(TRACKERS[:2])}: one of them is"
                " needed, record again"
            )
        if self._preset == "ssrhmr":
            return self._completion.clip(take)
        if unseen:
            raise TrackerError(
                f"never seen in this take: {', '.join(unseen)}:"
                " only the preset ssrhmr fills in trackers"
            )
        return take

    def _predict(
        self,
        seen: tuple[np.ndarray, np.ndarray, np.ndarray],
        positions: np.ndarray,
        turns: np.ndarray,
    ) -> np.ndarray:
        """Global rotations (F, 22, 3, 3) of some frames."""
        if self._preset == "ik":
            guess, poles = predict_without_network(quat.from_matrix(turns))
            if not self._exact:
                return guess
            return solve(guess, poles, positions, turns, self._proportions.skeleton)
        features, roots, turns_of_roots = seen
        now = features[:, 0]
        steps = step_features(now, features[:, 1:], roots, turns_of_roots, self._proportions.size)
        found = predict(self._weights, now, steps, positions, turns, self._proportions)
        return found.exact if self._exact else found.learned

    def _finished(self, body: np.ndarray) -> np.ndarray:
        inherit_missing(body, self._body.present)
        return to_quat(body)

    def _at(self, motion: Motion, wanted: Take) -> Motion:
        """Bring the motion from the model's clock to other times, ends exact there too."""
        result = motion.at(wanted.times)
        if result.rotations is motion.rotations or not self._exact:
            return result
        turned, root = result.matrices(), wanted.positions[:, 0]
        points = forward_kinematics(turned, result.root, self._body.offsets)
        # Where knees and elbows are between two frames is the side to which they bend.
        poles = np.stack(
            [
                points[:, limb.lower] - 0.5 * (points[:, limb.upper] + points[:, limb.end])
                for limb in LIMBS
            ],
            1,
        )
        measured = quat.to_matrix(wanted.rotations).astype(np.float32)
        body = solve(turned, poles, wanted.positions, measured, self._proportions.skeleton)
        return Motion(self._body, wanted.times, self._finished(body), root)


def _changed_at(take: Take, raw: Take, clock: Take, times: np.ndarray) -> Take:
    """Return the take at other times, with what was done to it on the model's clock."""
    wanted = take.at(times)
    if clock is raw:
        return wanted
    moved = interpolate(clock.times, clock.positions - raw.positions, times)
    turn = quat.mul(clock.rotations, quat.inverse(raw.rotations))
    turned = interpolate_rotations(clock.times, turn, times)
    return Take(
        times,
        wanted.positions + moved,
        quat.normalize(quat.mul(turned, wanted.rotations)).astype(np.float32),
        np.ones_like(wanted.valid),
    )
