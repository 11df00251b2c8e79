# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of length in motion files: named by the user, or guessed from the size of the body."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import MotionFileError

UNITS = {
    "m": 1.0,
    "cm": 0.01,
    "mm": 0.001,
    "in": 0.0254,
    "acclaim": 0.0254 / 0.45,
    "dm": 0.1,
    "ft": 0.3048,
}
"""Metres in one unit; "acclaim" is the unit of CMU's files, an inch over 0.45."""

_RARENESS = {"m": 0.0, "cm": 0.0, "mm": 0.0, "in": 2.0, "acclaim": 2.0, "dm": 4.0, "ft": 4.0}
"""How much speaks against a unit before the body is seen, as a logarithm."""
_COMMON = ("m", "cm", "mm", "in", "acclaim")
_SCALING_ERRORS = (1e-5, 1e-4, 10.0, 100.0)
"""Metres in one unit of files that an exporter made ten or a hundred times too large or small."""
_RARENESS_OF_ERRORS = 6.0

_ADULT, _ADULT_SPREAD, _ADULT_SHARE = 1.4, 0.115, 0.9
"""Sizes of adults (see :attr:`Skeleton.size`) in metres, and their share of all bodies."""
_ANY, _ANY_SPREAD = math.log(1.2), 0.45
"""Logarithm of the sizes of all others: children, giants, puppets."""
_SMALLEST, _LARGEST = 0.6, 1.85
"""Sizes beyond which a body is out of the ordinary."""
_CLEAR = 1.8
"""By how much, as a logarithm, a unit must be likelier than the next one to go without saying."""


@dataclass(frozen=True)
class UnitGuess:
    """The unit that a file was probably written in.

    Attributes:
        metres: Metres in one unit.
        note: What was assumed and how to override it; empty if there is hardly a doubt.
    """

    metres: float
    note: str = ""


def parse_unit(unit: float | str | None) -> float | None:
    """Return the metres in one unit that a user named, or None if nothing was named.

    Raises:
        MotionFileError: If the unit is neither one of :data:`UNITS` nor a positive number.
    """
    if unit is None:
        return None
    try:
        metres = UNITS.get(str(unit).strip().lower()) or float(unit)
    except (TypeError, ValueError):
        metres = math.nan
    if not 0.0 < metres < math.inf:
        raise MotionFileError(
            f"unit {unit!r}: choose {', '.join(UNITS)}, or the metres in one unit as a number"
        )
    return metres


def guess_unit(size: float) -> UnitGuess:
    """Guess the unit in which a body measures ``size`` (see :attr:`Skeleton.size`).

    A child in centimetres is about as large as an adult in inches would be: how common a unit is
    counts as well as how common a body is.
    """
    costs: list[tuple[float, str | float]] = [
        (_RARENESS[name] + _rareness_of(size * UNITS[name], adults_only=name == "acclaim"), name)
        for name in UNITS
    ]
    costs += [
        (_RARENESS_OF_ERRORS + _rareness_of(size * metres), metres) for metres in _SCALING_ERRORS
    ]
    (least, unit), (next_least, other) = sorted(costs, key=lambda cost: cost[0])[:2]
    metres = _metres(unit)
    ordinary = unit in _COMMON and _SMALLEST < size * metres < _LARGEST
    if ordinary and next_least - least > _CLEAR:
        return UnitGuess(metres)
    doubt = "" if next_least - least > _CLEAR else f" ({_describe(other)} would fit as well)"
    return UnitGuess(
        metres,
        f"the body measures {size:.4g} units from the feet to the head: assumed"
        f" {_describe(unit)}{doubt}, which makes it {size * metres:.2f} m;"
        ' set the unit (unit="cm", --unit=cm) if that is wrong',
    )


def _rareness_of(size: float, adults_only: bool = False) -> float:
    """Return minus the logarithm of how common bodies of a size in metres are."""
    if not size > 0.0:
        return math.inf
    adult = _ADULT_SHARE * _density((size - _ADULT) / _ADULT_SPREAD) / _ADULT_SPREAD
    if adults_only:
        return -math.log(max(adult, 1e-300))
    any_size = _density((math.log(size) - _ANY) / _ANY_SPREAD) / (_ANY_SPREAD * size)
    return -math.log(max(adult + (1.0 - _ADULT_SHARE) * any_size, 1e-300))


def _density(deviation: float) -> float:
    return math.exp(-0.5 * min(deviation * deviation, 1e3)) / math.sqrt(2.0 * math.pi)


def _metres(unit: str | float) -> float:
    return UNITS[unit] if isinstance(unit, str) else unit


def _describe(unit: str | float) -> str:
    return unit if isinstance(unit, str) else f"units of {unit:g} m"
