# SPDX-License-Identifier: GPL-3.0-or-later
"""Mapping of a sender's clock onto the local one."""

from __future__ import annotations

import math

_DRIFT = 5e-4
"""Seconds a second by which a sender's clock may be slow; crystals are ten times better."""
_RESTART = 0.5
"""Seconds by which a sender's clock goes back only if it was started again."""
_STALE = 2.0
"""Seconds that a packet takes at most; older ones are not believed."""
_SPAN = 0.5
"""Seconds over which the fastest packet is looked for."""
_STEP = 0.02
"""Seconds that all packets of a span must be later than expected for a clock that stood still."""
_MIN_PACKETS = 5
_MAX_TIME = 1e12
"""Seconds that no clock shows, not even one that counts from the year 1."""
_SLOWEST = 0.5
"""Seconds a second that a clock must at least advance to be one."""
_SLOW_SPANS = 2
"""Spans in a row in which it does not: one may be a network that held packets back."""
_REPEAT_WEIGHT = 0.05
_COARSE = 0.6
"""Share of readings with a time that came before, from which a clock is too coarse to be used."""

_PROVEN = 30
"""Readings with new times after which a clock is known to advance."""


class SenderClock:
    """Maps times of one sender onto the local clock.

    The delay of packets varies, but is never less than a least delay. So the smallest difference
    between arrival and sender's time in the last moments is the difference of the clocks (with the
    least delay in it). It may rise slowly, so that the mapping follows a slow clock, and at once
    where a clock stood still, or was started again. Clocks that hardly advance, or only now and
    then, are not used: the time of arrival counts instead.
    """

    def __init__(self) -> None:
        """Create the clock of a new sender."""
        self._offset = math.nan
        self._newest, self._last_arrival = -math.inf, -math.inf
        self._repeats, self._new = 0.0, 0
        self._slow_spans = 0
        self._count, self._least = 0, math.inf
        self._begin_span(-math.inf, -math.inf)

    @property
    def is_coarse(self) -> bool:
        """Whether most readings come with a time that came before."""
        return self._repeats > _COARSE

    @property
    def is_proven(self) -> bool:
        """Whether it was seen to advance, and most readings come with new times."""
        return self._new >= _PROVEN and not self.is_coarse

    def note_times(self, new: int, repeated: int) -> None:
        """Note how many devices of a packet came with a new time, and how many with an old one.

        Args:
            new: Number of readings with a time that their device has not had before.
            repeated: Number of readings with a time that it has had before.
        """
        self._new += new
        if repeated or self._repeats:
            self._repeats *= (1.0 - _REPEAT_WEIGHT) ** new
            self._repeats = 1.0 - (1.0 - self._repeats) * (1.0 - _REPEAT_WEIGHT) ** repeated

    def local(self, sent: float, arrival: float) -> float:
        """Return the local time of a moment of the sender.

        Args:
            sent: Seconds on the sender's clock; anything, since it came from outside.
            arrival: Seconds on the local clock when the packet came.

        Returns:
            Seconds on the local clock, never after the arrival; the arrival itself where ``sent``
            cannot be believed.
        """
        offset = arrival - sent
        if not abs(sent) < _MAX_TIME:
            return arrival
        if math.isnan(self._offset) or sent < self._newest - _RESTART:
            self._offset, self._newest = offset, sent
            self._begin_span(arrival, sent)
        else:
            self._newest = max(self._newest, sent)
            drifted = self._offset + _DRIFT * max(arrival - self._last_arrival, 0.0)
            self._offset = min(drifted, offset)
        self._last_arrival = arrival
        self._count, self._least = self._count + 1, min(self._least, offset)
        if arrival - self._span_began >= _SPAN:
            self._finish_span(arrival)
        if self._slow_spans >= _SLOW_SPANS or self.is_coarse:
            return arrival
        # Large numbers, as of dates, round: never after the arrival all the same.
        local = min(sent + self._offset, arrival)
        return local if arrival - local <= _STALE else arrival

    def _begin_span(self, arrival: float, sent: float) -> None:
        self._span_began, self._sent_began = arrival, sent
        self._count, self._least = 0, math.inf

    def _finish_span(self, arrival: float) -> None:
        if self._count >= _MIN_PACKETS:
            if self._least > self._offset + _STEP:
                self._offset = self._least
            advanced = self._newest - self._sent_began
            is_slow = advanced < _SLOWEST * (arrival - self._span_began)
            self._slow_spans = self._slow_spans + 1 if is_slow else 0
        self._begin_span(arrival, self._newest)
