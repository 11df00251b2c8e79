# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights file: one .npz of float32 arrays and a JSON header, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files import ArchiveError, atomic_write, read_arrays
from . import certainty, context, network, tracker_predictor

FORMAT = 4
"""Version of the file, which changes whenever an older runtime could not use it."""
_EARLIER_FORMATS = (2, 3)
"""Versions that are still read: before the performer context, and before optional trackers and
certainty. What they lack is ignored."""

_HEADER = "header"
_DAMAGED = (
    "{} is damaged or is not a weights file ({}): install the add-on again, or name another file"
)


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of all weights; matrices are (inputs, outputs)."""
    needed = network.shapes() | tracker_predictor.shapes() | context.shapes()
    return needed | network.extra_shapes() | certainty.shapes()


class WeightsError(ValueError):
    """A weights file is damaged, incomplete or made for another version."""


def default_weights() -> Path:
    """Return the path of the weights that come with the package.

    Raises:
        WeightsError: The package was installed without them.
    """
    package = Path(__file__).resolve().parents[1]
    # An installed package holds them, a checkout has them next to the package.
    for folder in (package / "weights", package.parent / "weights"):
        if (folder / "ssrhmr.npz").is_file():
            return folder / "ssrhmr.npz"
    raise WeightsError("the model's weights (ssrhmr.npz) are missing: install the add-on again")


def save_weights(path: str | Path, arrays: dict[str, np.ndarray], **header: Any) -> None:
    """Write a weights file, whole or not at all.

    Args:
        path: The file to write.
        arrays: float32 arrays, as :func:`shapes` names them.
        **header: Facts about the training that JSON can hold.

    Raises:
        OSError: The file cannot be written.
    """
    text = json.dumps({"format": FORMAT, **header}, sort_keys=True)
    atomic_write(path, lambda file: np.savez(file, **{_HEADER: np.array(text)}, **arrays))


def load_weights(
    path: str | Path | None = None, wanted: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, np.ndarray]:
    """Read a weights file.

    Args:
        path: The file, by default the one that comes with the package.
        wanted: Names and shapes of the arrays, by default those of :func:`shapes`.

    Returns:
        float32 arrays by name.

    Raises:
        WeightsError: The message says what is wrong with the file and what to do.
    """
    path = default_weights() if path is None else Path(path)
    stored = _read(path)
    header = _header(path, stored)
    if header.get("format") in _EARLIER_FORMATS and wanted is None:
        stored = _complete(stored)
    elif header.get("format") != FORMAT:
        raise WeightsError(
            f"{path.name} has the format {header.get('format')}, this version reads {FORMAT}:"
            " install weights and program of the same version"
        )
    arrays = {}
    for name, shape in (shapes() if wanted is None else wanted).items():
        array = stored.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32:
            raise WeightsError(_DAMAGED.format(path.name, f"'{name}' is missing or misshapen"))
        if not np.isfinite(array).all():
            raise WeightsError(_DAMAGED.format(path.name, f"'{name}' is not finite"))
        arrays[name] = array
    return arrays


def weights_header(path: str | Path | None = None) -> dict[str, Any]:
    """Read the facts that training wrote into a weights file (data, minutes, seed, steps).

    Raises:
        WeightsError: The file cannot be read.
    """
    path = default_weights() if path is None else Path(path)
    return _header(path, _read(path))


def _complete(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of an earlier version, with zeros for what it lacks."""
    arrays = dict(stored)
    if "context.0.w" not in arrays:
        for name in ("generator.in.w", "filling.in.w"):
            if name in arrays:
                arrays[name] = np.pad(arrays[name], ((0, context.CONTEXT), (0, 0)))
    added = context.shapes() | network.extra_shapes() | certainty.shapes()
    for name, shape in added.items():
        arrays.setdefault(name, np.zeros(shape, np.float32))
    return arrays


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no weights file {path}: check the path") from error
    except (OSError, ArchiveError) as error:
        raise WeightsError(_DAMAGED.format(path.name, error)) from error


def _header(path: Path, stored: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        header = json.loads(str(stored[_HEADER]))
    except (KeyError, ValueError, RecursionError) as error:
        raise WeightsError(_DAMAGED.format(path.name, "its header cannot be read")) from error
    if not isinstance(header, dict):
        raise WeightsError(_DAMAGED.format(path.name, "its header cannot be read"))
    return header
