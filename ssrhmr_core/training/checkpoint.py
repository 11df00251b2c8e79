# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of training runs, and the check that a run resumes with the settings it had.

A run that resumes with other settings would be neither of both runs: its learning rate follows the
number of steps, its windows the seed, its weights the preset. So a checkpoint stores all settings,
and another one is refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..files import atomic_write
from .corpus import Corpus
from .recipe import Recipe

_NAMES = {
    "clips": "number of clips",
    "corpus_frames": "number of frames in all clips",
    "start": "start weights (SHA-256)",
}


class CheckpointError(ValueError):
    """A checkpoint is damaged, or belongs to a run with other settings."""


def run_settings(
    recipe: Recipe, corpus: Corpus, start: Path | None, processes: int
) -> dict[str, Any]:
    """Return all that the result of a run depends on, by name.

    Args:
        recipe: The recipe.
        corpus: The motion, which counts by its numbers of clips and frames: the same files may
            lie elsewhere when the run resumes.
        start: Weights to begin with, which count by their content.
        processes: Number of processes that share the run.
    """
    settings = _flat("", asdict(recipe))
    if recipe.steps:
        del settings["minutes"]  # They have no effect then.
    settings["start"] = hashlib.sha256(start.read_bytes()).hexdigest() if start else "none"
    settings["clips"] = len(corpus.lengths)
    settings["corpus_frames"] = len(corpus.local)
    settings["processes"] = processes
    return settings


def save_checkpoint(path: Path, settings: dict[str, Any], state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: The file.
        settings: The settings from :func:`run_settings`.
        state: Tensors, numbers, lists and dictionaries of them.
    """
    # JSON, because torch unpacks few types from files that it does not trust.
    stored = {"settings": json.dumps(settings), "state": state}
    atomic_write(path, lambda file: torch.save(stored, file))


def load_checkpoint(
    path: Path, settings: dict[str, Any], device: torch.device
) -> dict[str, Any] | None:
    """Read the state of an interrupted run.

    Args:
        path: The file.
        settings: The settings of the run that is to resume.
        device: Device for the tensors.

    Returns:
        The state, or None where there is no checkpoint.

    Raises:
        CheckpointError: The file cannot be read, or its run had other settings.
    """
    if not path.exists():
        return None
    try:
        stored = torch.load(path, map_location=device, weights_only=True)
        before, state = json.loads(stored["settings"]), stored["state"]
    except Exception as error:
        # torch documents none of the errors that damaged files make it raise.
        raise CheckpointError(
            f"the checkpoint {path} cannot be read: delete it to start the run again"
        ) from error
    now = json.loads(json.dumps(settings))
    differences = [
        f"{_NAMES.get(name, name)} {before.get(name, 'none')}, not {now.get(name, 'none')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if differences:
        raise CheckpointError(
            f"the checkpoint {path} belongs to a run with {'; '.join(differences)}: resume it with"
            " its own settings, write to another file, or delete the checkpoint to start again"
        )
    return state


def _flat(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return nested dictionaries as one, with names as in ``augmentation.mix``."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(f"{prefix}{name}.", value)
        else:
            flat[prefix + name] = value
    return flat
