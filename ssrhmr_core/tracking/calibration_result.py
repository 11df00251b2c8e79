# SPDX-License-Identifier: GPL-3.0-or-later
"""What a calibration is, how it is applied to trackers, and how it is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
from pymotion.rotations import quat_np as quat

from ..body.extra_trackers import WHOLE_POSES, Measurement
from ..body.skeleton import FOOT_TRACKERS, TRACKERS, Skeleton
from .extras.mounts import ExtraMounts
from .part_readings import guess_rotations
from .subsets import Feature, all_tracked, describe_assumptions, require_anchor
from .take import Take, TrackerError, has_usable_values

PAIRS = {
    "hands": (TRACKERS.index("left_hand"), TRACKERS.index("right_hand")),
    "feet": FOOT_TRACKERS,
}
"""Left and right trackers of the pairs that people swap."""

_LEVEL = (0.0, 0.0, 0.0)
"""The floor of trackers that are level already."""
_NOT_READABLE = "the stored calibration cannot be read: calibrate again"


@dataclass(frozen=True, eq=False)
class Calibration:
    """How trackers are mounted on their joints.

    A joint's rotation is ``tracker rotation * mount rotation``; its position is ``scale * tracker
    position + tracker rotation * mount offset``.

    Attributes:
        mount_rotations: (6, 4) float32 quaternions.
        mount_offsets: (6, 3) float32 offsets in the tracker's axes, metres on the character.
        scale: Size of the character relative to the performer.
        deviations: (6,) float32 distance of each tracker from its usual mount in the reference
            pose, metres on the performer.
        warnings: Problems to report, in plain words.
        swapped: Pairs whose left and right look swapped: "hands", "feet", or both if it is
            unclear which of them is.
        performer: The performer's body, if the character is to move like it rather than meet the
            trackers; None otherwise.
        floor: Height of the floor at the origin of the trackers' space, and its slopes along X and
            Z: trackers are levelled to it first.
        tracked: (6,) bool, which trackers the performer wears that have a position. The others
            count as never valid.
        measured: What the reference pose measured, and
        assumed: what it left open, see :func:`ssrhmr_core.tracking.subsets.split_features`.
        extras: How optional trackers are mounted; None if there are none.
        measures: What each of the six trackers measured when it was calibrated. One that has a
            position alone is mounted on a body that faces like the pelvis.
    """

    mount_rotations: np.ndarray
    mount_offsets: np.ndarray
    scale: float = 1.0
    deviations: np.ndarray = field(default_factory=lambda: np.zeros(6, np.float32))
    warnings: tuple[str, ...] = ()
    swapped: tuple[str, ...] = ()
    performer: Skeleton | None = None
    floor: tuple[float, float, float] = _LEVEL
    tracked: np.ndarray = field(default_factory=all_tracked)
    measured: tuple[Feature, ...] = ()
    assumed: tuple[Feature, ...] = ()
    extras: ExtraMounts | None = None
    measures: tuple[Measurement, ...] = WHOLE_POSES

    @classmethod
    def none(cls) -> Calibration:
        """Return the calibration of trackers that are the joints themselves."""
        identity = np.tile(np.array([1, 0, 0, 0], np.float32), (6, 1))
        return cls(identity, np.zeros((6, 3), np.float32), extras=ExtraMounts.identity())

    @property
    def assumptions(self) -> str:
        """Which trackers are filled in and what is assumed instead; "" if all six are there."""
        return describe_assumptions(self.tracked, self.assumed, self.measures)

    @property
    def worn(self) -> np.ndarray:
        """Which trackers (6,) the performer wears, with or without a position."""
        return self.tracked | self._measuring("rotation")

    def _measuring(self, part: Measurement) -> np.ndarray:
        return np.array([measurement == part for measurement in self.measures])

    @property
    def mount_distances(self) -> np.ndarray:
        """Distances (6,) of the joints from their trackers in metres."""
        return np.linalg.norm(self.mount_offsets, axis=-1)

    def apply(self, take: Take) -> Take:
        """Convert trackers to the joints they are mounted on; ignore those that nobody wears.

        Optional trackers that are not calibrated are ignored too.
        """
        if self.floor != _LEVEL:
            take = _level(take, self.floor)
        has_position = take.has_position & self.tracked
        has_rotation = take.has_rotation & self.worn & ~self._measuring("position")
        offsets = np.broadcast_to(self.mount_offsets, take.positions.shape).astype(np.float64)
        mounts = np.broadcast_to(self.mount_rotations, take.rotations.shape).astype(np.float64)
        rotations = take.rotations.astype(np.float64)
        if take.is_partial or self.measures != WHOLE_POSES:
            rotations = np.where(has_rotation[..., None], rotations, (1.0, 0.0, 0.0, 0.0))
        rotations = quat.normalize(rotations)
        joints = replace(
            take,
            positions=(self.scale * take.positions).astype(np.float32),
            rotations=quat.mul(rotations, mounts).astype(np.float32),
            extras=None,
        ).with_masks(has_position, has_rotation)
        placed = joints.placed
        if placed is not None:
            joints = guess_rotations(joints)
            guessed = quat.mul(joints.rotations.astype(np.float64), quat.inverse(mounts))
            rotations = np.where(placed[..., None], guessed, rotations)
        carried = self.scale * take.positions + quat.mul_vec(rotations, offsets)
        joints = replace(joints, positions=carried.astype(np.float32))
        if take.extras is None or self.extras is None:
            return joints
        return replace(joints, extras=self.extras.apply(take.extras, joints, self.scale))

    def without_floor(self) -> Calibration:
        """Return the same calibration, but for trackers that are taken as level."""
        return replace(self, floor=_LEVEL)

    def scaled(self, factor: float) -> Calibration:
        """Return the calibration in other units of length.

        Args:
            factor: Number of new units in an old one.
        """
        return replace(
            self,
            mount_offsets=(factor * self.mount_offsets).astype(np.float32),
            deviations=(factor * self.deviations).astype(np.float32),
            performer=self.performer and self.performer.scaled(factor),
            floor=(factor * self.floor[0], *self.floor[1:]),
            extras=self.extras and self.extras.scaled(factor),
        )

    def adjusted(
        self,
        offsets: np.ndarray,
        rotations: np.ndarray,
        extra_offsets: np.ndarray | None = None,
        extra_rotations: np.ndarray | None = None,
    ) -> Calibration:
        """Return a calibration with joints moved and rotated by hand.

        Args:
            offsets: (6, 3) metres along each joint's own axes: left, up and front in the T-pose.
            rotations: (6, 4) quaternions about the same axes.
            extra_offsets: (9, 3) the same for the joints of optional trackers, whose axes are those
                of the bone that carries the tracker; None to leave them as they are.
            extra_rotations: (9, 4) the same for these bones.
        """
        mounts = self.mount_rotations.astype(np.float64)
        moved = self.mount_offsets + quat.mul_vec(mounts, np.asarray(offsets, np.float64))
        rotated = quat.normalize(quat.mul(mounts, np.asarray(rotations, np.float64)))
        extras = self.extras
        if extras is not None:
            extras = extras.adjusted(extra_offsets, extra_rotations)
        return replace(
            self,
            mount_offsets=moved.astype(np.float32),
            mount_rotations=rotated.astype(np.float32),
            extras=extras,
        )

    def to_json(self) -> str:
        """Return JSON text that :meth:`from_json` reads."""
        values = {key: _to_plain(value) for key, value in vars(self).items()}
        values["performer"] = self.performer.offsets.tolist() if self.performer else None
        if self.extras is None:
            del values["extras"]
        else:
            values["extras"] = self.extras.to_dict()
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read the text that :meth:`to_json` returned.

        Raises:
            TrackerError: If the text is not a calibration.
        """
        try:
            values = json.loads(text)
            calibration = cls(
                np.array(_either(values, "mount_rotations", "rotations"), np.float32).reshape(6, 4),
                np.array(_either(values, "mount_offsets", "arms"), np.float32).reshape(6, 3),
                float(values["scale"]),
                np.array(_either(values, "deviations", "misses"), np.float32).reshape(6),
                tuple(str(warning) for warning in values["warnings"]),
                # Calibrations of earlier versions lack these two.
                tuple(pair for pair in values.get("swapped", ()) if pair in PAIRS),
                Skeleton(np.array(values["performer"])) if values.get("performer") else None,
                _read_floor(values.get("floor", _LEVEL)),
                np.array(values.get("tracked", [True] * len(TRACKERS)), bool).reshape(6),
                _read_features(values, "measured"),
                _read_features(values, "assumed"),
                ExtraMounts.from_dict(values["extras"]) if values.get("extras") else None,
                _read_measures(values.get("measures")),
            )
            require_anchor(calibration.tracked)
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            raise TrackerError(_NOT_READABLE) from error
        usable = has_usable_values(calibration.mount_offsets, calibration.mount_rotations)
        if not (usable.all() and 0.0 < calibration.scale < np.inf):
            raise TrackerError(_NOT_READABLE)
        return calibration


def _read_features(values: dict[str, Any], name: str) -> tuple[Feature, ...]:
    """Return the features that a stored calibration lists; earlier versions list none."""
    return tuple(feature for feature in get_args(Feature) if feature in values.get(name, ()))


def _read_measures(values: Any) -> tuple[Measurement, ...]:
    """Return what the six trackers measured; earlier versions had poses only.

    Raises:
        ValueError: If it is not a measurement of each.
    """
    if values is None:
        return WHOLE_POSES
    measures = tuple(value for value in values if value in get_args(Measurement))
    if len(measures) != len(TRACKERS):
        raise ValueError("not what six trackers measure")
    return measures


def _either(values: dict[str, Any], name: str, former: str) -> Any:
    """Return a value by its name, or by the name that version 0.1 stored it under."""
    return values[name if name in values else former]


def _read_floor(values: Any) -> tuple[float, float, float]:
    """Return a stored floor.

    Raises:
        ValueError: If it is not three finite numbers.
    """
    height, slope_x, slope_z = (float(value) for value in values)
    if not np.isfinite([height, slope_x, slope_z]).all():
        raise ValueError("not a floor")
    return height, slope_x, slope_z


def _level(take: Take, floor: tuple[float, float, float]) -> Take:
    """Turn and lower trackers so that the floor they stand on is level, at height 0."""
    height, slope_x, slope_z = floor
    up = np.array([-slope_x, 1.0, -slope_z]) / np.sqrt(1.0 + slope_x**2 + slope_z**2)
    axis = np.cross(up, (0.0, 1.0, 0.0))
    level = quat.normalize(np.append(1.0 + up[1], axis))
    positions, rotations = _turn(level, height, take.positions, take.rotations)
    extras = take.extras
    if extras is not None:
        turned, turned_rotations = _turn(level, height, extras.positions, extras.rotations)
        extras = replace(extras, positions=turned, rotations=turned_rotations)
    return replace(take, positions=positions, rotations=rotations, extras=extras)


def _turn(
    level: np.ndarray, height: float, positions: np.ndarray, rotations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lower positions (F, n, 3) by a height, then turn them and rotations (F, n, 4)."""
    raised = positions.astype(np.float64) - (0.0, height, 0.0)
    turn = np.broadcast_to(level, rotations.shape)
    turned = quat.mul(turn, rotations.astype(np.float64))
    return quat.mul_vec(turn, raised).astype(np.float32), turned.astype(np.float32)


def _to_plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else value
