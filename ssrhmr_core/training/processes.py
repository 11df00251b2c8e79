# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes that share a training run under torchrun; a plain run is one of its own."""

from __future__ import annotations

import gc
import os
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Processes:
    """A process among those of a run.

    Attributes:
        rank: Number of this process.
        count: Number of processes.
        device: Device that this process computes on.
    """

    rank: int
    count: int
    device: torch.device

    @classmethod
    def join(cls) -> Processes:
        """Meet the other processes of a torchrun."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if torch.cuda.is_available():
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        else:
            device = torch.device("cpu")
        if count > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(int(os.environ.get("RANK", "0")), count, device)

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes files."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.count > 1:
            distributed.barrier()

    def leave(self) -> None:
        """Part from the other processes.

        A process that ends while threads of its group still run is sometimes aborted, and torchrun
        then reports a complete run as a failed one.
        """
        if distributed.is_initialized():
            distributed.barrier()  # The first process may still be writing.
            gc.collect()  # The parallel model refers to itself, and holds on to the group.
            distributed.destroy_process_group()

    def agree(self, value: int) -> int:
        """Return the first process' value."""
        if self.count == 1:
            return value
        shared = torch.tensor(value, device=self.device)
        distributed.broadcast(shared, 0)
        return int(shared)

    def average(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the means of values over all processes."""
        stacked = torch.stack([value.detach() for value in values.values()])
        if self.count > 1:
            distributed.all_reduce(stacked)
            stacked = stacked / self.count
        return dict(zip(values, stacked.unbind(), strict=True))
