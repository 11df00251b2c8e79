# SPDX-License-Identifier: GPL-3.0-or-later
"""A core of another version is forgotten; the one in use is not."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

import ssrhmr_core
from ssrhmr_blender.common.core_version import drop_outdated_core


def core_modules() -> set[str]:
    return {name for name in sys.modules if name.split(".")[0] == "ssrhmr_core"}


@pytest.mark.parametrize(
    ("installed", "dropped"), [(ssrhmr_core.__version__, False), ("99.0.0", True), (None, False)]
)
def test_only_an_outdated_core_is_dropped(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, dropped: bool
) -> None:
    def version(name: str) -> str:
        if installed is None:
            raise metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(metadata, "version", version)
    for name in core_modules():  # restored afterwards, whatever happens to them
        monkeypatch.setitem(sys.modules, name, sys.modules[name])
    before = core_modules()
    drop_outdated_core()
    assert "ssrhmr_core.body.skeleton" in before
    assert core_modules() == (set() if dropped else before)
