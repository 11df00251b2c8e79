# SPDX-License-Identifier: GPL-3.0-or-later
"""Every emulated sender: recognised, in the right roles and place, or refused with a message."""

from __future__ import annotations

import pytest

from tests.core.live.bench import Bench, merge, play
from tests.core.live.sender_table import CASES, SenderCase, run
from tests.core.streaming.emulators import senders
from tests.core.streaming.emulators.performer import performer

_HEADING = 6.0
"""Degrees that the hips may face aside where the pelvis tracker is not where the sender says."""
_HIPS = 120.0
"""Millimetres of the whole error: VRChat has no hands, and a worn pelvis is not the hips."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_sender_works_or_is_refused_with_a_message(case: SenderCase) -> None:
    bench = run(case)
    assert bench.session.roles == case.roles
    assert case.message in "; ".join(bench.messages)
    assert bool(bench.messages) == bool(case.message)
    if case.posture is None:
        assert not bench.poses
        return
    errors = bench.errors()
    assert errors.posture < case.posture
    if case.placed:
        assert errors.heading < _HEADING and errors.mpjpe < _HIPS


def test_a_second_sender_of_the_same_devices_is_reported_and_never_used() -> None:
    body = performer()
    bench = Bench("vmc", body)
    names = {role: role for role in senders.SERIALS}
    one, other = (senders.SampleTrackers(body, names) for _ in range(2))
    # The other one acts while the first one still stands, metres apart in its pose.
    late = ((at - 5.0, address, packet) for at, address, packet in play(other, body.end, "b", 5.5))
    bench.run(merge(play(one, body.end), late), body.end)
    assert any("b is ignored" in message for message in bench.messages)
    assert bench.errors().posture < 18.0
