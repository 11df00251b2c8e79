# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of one process; test_train runs two."""

from __future__ import annotations

import pytest
import torch
from torch import distributed

from ssrhmr_core.training.processes import Processes


def test_a_plain_run_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    processes = Processes.join()
    assert (processes.rank, processes.count, processes.is_first) == (0, 1, True)
    assert not distributed.is_initialized()
    assert processes.agree(7) == 7
    means = processes.average({"a": torch.tensor(1.0, requires_grad=True), "b": torch.tensor(2.0)})
    assert {name: float(value) for name, value in means.items()} == {"a": 1.0, "b": 2.0}
    assert not means["a"].requires_grad
    processes.wait()
    processes.leave()
