# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampled trackers as the core's takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..common.axes import core_axes, split_transforms
from ..common.errors import UserError
from ..properties.tracker import ALL_TRACKERS, EXTRA_TRACKERS, SEGMENT_LABELS, TRACKERS

if TYPE_CHECKING:
    import numpy as np

    from ssrhmr_core.body.extra_trackers import Measurement, Segment
    from ssrhmr_core.tracking.extras.readings import ExtraReadings
    from ssrhmr_core.tracking.take import Take

    from ..properties.setup import SSRHMR_Setup


class SamplingError(UserError):
    """Trackers that cannot be used; the message names the tracker and the frame."""


@dataclass(frozen=True)
class Wearing:
    """How the trackers of a setup are worn, and what they measure.

    Attributes:
        lower: Roles of trackers that sit below their elbow or knee.
        without_position: Roles of trackers that measure their rotation alone.
        without_rotation: Roles of trackers that measure their position alone.
    """

    lower: frozenset[str] = frozenset()
    without_position: frozenset[str] = frozenset()
    without_rotation: frozenset[str] = frozenset()

    def halves(self) -> list[tuple[str, Measurement]]:
        """Return those of the six that measure a part of their pose, and which part."""
        turned: list[tuple[str, Measurement]] = [
            (role, "rotation") for role in TRACKERS if role in self.without_position
        ]
        placed: list[tuple[str, Measurement]] = [
            (role, "position") for role in TRACKERS if role in self.without_rotation
        ]
        return turned + placed


def read_wearing(setup: SSRHMR_Setup) -> Wearing:
    """Return how the trackers of a setup are worn."""
    trackers = {role: setup.tracker(role) for role in ALL_TRACKERS}
    return Wearing(
        lower=frozenset(role for role in SEGMENT_LABELS if trackers[role].segment == "LOWER"),
        without_position=frozenset(
            role for role, tracker in trackers.items() if tracker.measures == "ROTATION"
        ),
        without_rotation=frozenset(
            role for role, tracker in trackers.items() if tracker.measures == "POSITION"
        ),
    )


def chosen_segments(setup: SSRHMR_Setup) -> dict[str, Segment]:
    """Return the bones that trackers at elbows and knees sit on, where the user says so."""
    segments: dict[str, Segment] = {}
    for role in SEGMENT_LABELS:
        segment = setup.tracker(role).segment
        if segment != "AUTO":
            segments[role] = "lower" if segment == "LOWER" else "upper"
    return segments


def take_from_samples(
    worlds: np.ndarray,
    frames: np.ndarray,
    rate: float,
    trackers: Mapping[str, str],
    wearing: Wearing | None = None,
) -> Take:
    """Turn world transforms into a take in the core's axes.

    Args:
        worlds: (F, n, 4, 4) in Blender's world, scene units.
        frames: (F,) frame numbers.
        rate: Frames per second.
        trackers: Names of the n objects by role, in the order of ``worlds``. Roles that are not
            among them are never valid in the take. Optional trackers become its extras.
        wearing: How the trackers are worn; if not given, all have poses, and optional ones are
            above their joints.

    Raises:
        SamplingError: if a transform is not a number, or an object is scaled to nothing.
    """
    import numpy as np
    from pymotion.rotations import quat_np as quat

    names = list(trackers.values())
    invalid = np.argwhere(~np.isfinite(worlds).all((-1, -2)))
    if len(invalid):
        row, tracker = invalid[0]
        raise SamplingError(
            f"tracker '{names[tracker]}' is not a number at frame {frames[row]:g}:"
            " mend its keys, driver or constraint there"
        )
    positions, rotations, scales = split_transforms(worlds)
    flat = np.argwhere((np.abs(scales) < 1e-9).any(-1))
    if len(flat):
        row, tracker = flat[0]
        raise SamplingError(
            f"tracker '{names[tracker]}' has no size at frame {frames[row]:g}, so no rotation:"
            " give it a scale other than zero"
        )
    # Scaled parents shear their children: the nearest rotation is the tracker's.
    if _is_sheared(rotations):
        u, _, vt = np.linalg.svd(rotations)
        rotations = u @ vt
    axes = core_axes()
    quats = quat.normalize(quat.from_matrix(axes @ rotations @ axes.T))
    quats, positions = quat.unroll(quats, axis=0), positions @ axes.T
    return build_take((frames - frames[0]) / rate, positions, quats, list(trackers), wearing)


def build_take(
    times: np.ndarray,
    positions: np.ndarray,
    quats: np.ndarray,
    roles: Sequence[str],
    wearing: Wearing | None = None,
) -> Take:
    """Return a take of trackers in the core's axes.

    Args:
        times: (F,) seconds.
        positions: (F, n, 3) positions in scene units.
        quats: (F, n, 4) rotations.
        roles: Roles of the n trackers.
        wearing: How the trackers are worn; if not given, all have poses, and optional ones are
            above their joints.
    """
    import numpy as np

    from ssrhmr_core.tracking.take import Take

    main = [column for column, role in enumerate(roles) if role in TRACKERS]
    columns = [TRACKERS.index(roles[column]) for column in main]
    count = len(times)
    take = Take(
        times=times,
        positions=np.zeros((count, len(TRACKERS), 3), np.float32),
        rotations=np.tile(np.array([1, 0, 0, 0], np.float32), (count, len(TRACKERS), 1)),
        valid=np.zeros((count, len(TRACKERS)), bool),
        extras=_read_extras(positions, quats, roles, wearing or Wearing()),
    )
    take.positions[:, columns] = positions[:, main]
    take.rotations[:, columns] = quats[:, main]
    take.valid[:, columns] = True
    return take if wearing is None else take.measuring(wearing.halves())


def _read_extras(
    positions: np.ndarray, quats: np.ndarray, roles: Sequence[str], wearing: Wearing
) -> ExtraReadings | None:
    """Return the optional trackers among some trackers in the core's axes; None if there is none.

    Args:
        positions: (F, n, 3) positions.
        quats: (F, n, 4) rotations.
        roles: Roles of the n trackers.
        wearing: How they are worn.
    """
    from ssrhmr_core.tracking.extras.readings import ExtraReadings

    worn = {role: column for column, role in enumerate(roles) if role in EXTRA_TRACKERS}
    if not worn:
        return None
    extras = ExtraReadings.empty(len(positions))
    for role, column in worn.items():
        index = EXTRA_TRACKERS.index(role)
        extras.positions[:, index] = positions[:, column]
        extras.rotations[:, index] = quats[:, column]
        extras.has_position[:, index] = role not in wearing.without_position
        extras.has_rotation[:, index] = role not in wearing.without_rotation
        extras.lower[index] = role in wearing.lower
    return extras


def _is_sheared(rotations: np.ndarray) -> bool:
    import numpy as np

    return bool(np.abs(rotations @ rotations.swapaxes(-1, -2) - np.eye(3)).max() > 1e-5)
