# SPDX-License-Identifier: GPL-3.0-or-later
"""A sender's clock, told by ours."""

from __future__ import annotations

import math

_DRIFT = 5e-4
"""Seconds a second by which a sender's clock may be slow; crystals are ten times better."""
_RESTART = 0.5
"""Seconds by which a sender's clock goes back only if it was started anew."""
_STALE = 2.0
"""Seconds that a packet takes at most; older ones are not believed."""
_SPAN = 0.5
"""Seconds over which the fastest packet is looked for."""
_STEP = 0.02
"""Seconds that all packets of a span must be later than expected for a clock that stood still."""
_FEWEST = 5
_ANY_DATE = 1e12
"""Seconds that no clock shows, not even one that counts from the year 1."""


class SenderClock:
    """Maps times of one sender onto the local clock.

    What a packet takes on its way varies, but is never less than a least time. So the smallest
    difference between arrival and sender's time that was seen lately is the difference of the
    clocks (with the least time in it). It may rise slowly, so that it follows a slow clock, and
    at once where a clock stood still, or was started anew.
    """

    def __init__(self) -> None:
        """Begin with a sender that was not heard of."""
        self._offset = math.nan
        self._newest, self._heard = -math.inf, -math.inf
        self._begin(-math.inf)

    def _begin(self, arrival: float) -> None:
        self._span_began, self._count, self._least = arrival, 0, math.inf

    def local(self, sent: float, arrival: float) -> float:
        """Return the local time of a moment of the sender.

        Args:
            sent: seconds on the sender's clock; anything, it came from outside.
            arrival: seconds on the local clock when the packet came.

        Returns:
            Seconds on the local clock, never after the arrival; the arrival itself where ``sent``
            is not believable.
        """
        offset = arrival - sent
        if not abs(sent) < _ANY_DATE:
            return arrival
        if math.isnan(self._offset) or sent < self._newest - _RESTART:
            self._offset, self._newest = offset, sent
            self._begin(arrival)
        else:
            self._newest = max(self._newest, sent)
            drifted = self._offset + _DRIFT * max(arrival - self._heard, 0.0)
            self._offset = min(drifted, offset)
        self._heard = arrival
        self._count, self._least = self._count + 1, min(self._least, offset)
        if arrival - self._span_began >= _SPAN:
            if self._count >= _FEWEST and self._least > self._offset + _STEP:
                self._offset = self._least
            self._begin(arrival)
        # Large numbers, as of dates, round: never after the arrival all the same.
        local = min(sent + self._offset, arrival)
        return local if arrival - local <= _STALE else arrival
