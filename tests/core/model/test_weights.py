# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights file."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.model.context import CONTEXT
from ssrhmr_core.model.weights import (
    WeightsError,
    default_weights,
    load_weights,
    save_weights,
    shapes,
    weights_header,
)
from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
from ssrhmr_core.tracking.take import Take
from ssrhmr_core.training.model import Stages


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.npz"
    save_weights(path, Stages(0).export(), steps=3)
    return path


def test_round_trip(file: Path) -> None:
    again = load_weights(file)
    for name, array in Stages(0).export().items():
        np.testing.assert_array_equal(again[name], array)
    assert weights_header(file)["steps"] == 3


def test_the_shipped_weights_load() -> None:
    assert set(load_weights()) == set(shapes())
    assert weights_header(default_weights())["corpus_minutes"] > 0


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_off(file: Path, keep: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(file)


def test_a_flipped_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(file)


def test_another_version(file: Path) -> None:
    save_weights(file, Stages(0).export())
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["header"] = np.array('{"format": 99}')
    np.savez(file, **arrays)
    with pytest.raises(WeightsError, match="format 99"):
        load_weights(file)


def test_missing_and_misshapen_layers(file: Path) -> None:
    arrays = Stages(0).export()
    save_weights(file, {name: a for name, a in arrays.items() if name != "leg.1.w"})
    with pytest.raises(WeightsError, match=r"leg\.1\.w"):
        load_weights(file)
    save_weights(file, {**arrays, "leg.1.w": arrays["leg.1.w"][:3]})
    with pytest.raises(WeightsError, match=r"leg\.1\.w"):
        load_weights(file)
    save_weights(file, {**arrays, "leg.1.w": arrays["leg.1.w"] * np.nan})
    with pytest.raises(WeightsError, match="finite"):
        load_weights(file)


def test_pickles_are_refused(file: Path) -> None:
    np.savez(file, header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(file)


@pytest.mark.parametrize("header", ["[" * 100_000, "[]", "{", "3"])
def test_unreadable_headers(file: Path, header: str) -> None:
    np.savez(file, header=np.array(header))
    with pytest.raises(WeightsError, match="header cannot be read"):
        load_weights(file)


def test_a_failed_write_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(target: IO[bytes], **arrays: np.ndarray) -> None:
        target.write(b"PK")
        raise OSError("the disk is full")

    before = file.read_bytes()
    monkeypatch.setattr(np, "savez", write_half)
    with pytest.raises(OSError, match="full"):
        save_weights(file, Stages(0).export())
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        load_weights(tmp_path / "none.npz")


def test_weights_without_a_performer_context_are_still_read(file: Path, motion: Motion) -> None:
    """Those of 0.1.0 give the poses that they always gave, whatever the context."""
    arrays = Stages(0).export()
    for name in ("generator.in.w", "filling.in.w"):
        arrays[name] = arrays[name][:-CONTEXT]
    arrays = {name: array for name, array in arrays.items() if not name.startswith("context.")}
    save_weights(file, arrays)
    with np.load(file) as stored:
        stored = dict(stored)
    stored["header"] = np.array('{"format": 2}')
    np.savez(file, **stored)
    loaded = load_weights(file)
    assert {name: array.shape for name, array in loaded.items()} == shapes()
    take = Take.from_motion(motion)
    whole = Reconstructor(motion.skeleton, weights=file).clip(take)
    options = ReconstructionOptions(causal=True)
    live = Reconstructor(motion.skeleton, options, weights=file).clip(take)
    np.testing.assert_array_equal(whole.rotations, live.rotations)


def test_training_draws_the_context_that_older_weights_lack(file: Path) -> None:
    older = load_weights(file)
    for name in older:
        if name.startswith("context."):
            older[name] = np.zeros_like(older[name])
    stages = Stages(3)
    drawn = stages.export()
    stages.load(older)
    for name, array in stages.export().items():
        expected = drawn[name] if name.startswith("context.") else older[name]
        np.testing.assert_array_equal(array, expected)
