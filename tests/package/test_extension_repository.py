# SPDX-License-Identifier: GPL-3.0-or-later
"""The listing of a repository, its page, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import build_addon
from scripts.extension_repository import RepositoryError, make_page, publish, select_entries

ROOT = Path(__file__).resolve().parents[2]


def entry(version: str, minimum: str = "4.2.0", **more: str) -> dict[str, Any]:
    """Return what Blender's tool lists of a version."""
    return {
        "id": "ssrhmr",
        "name": "SSR-HMR",
        "tagline": "Animate & more",
        "version": version,
        "archive_url": f"./ssrhmr-{version}.zip",
        "archive_size": 7_300_000,
        "archive_hash": f"sha256:{version}",
        "blender_version_min": minimum,
        **more,
    }


def test_each_blender_is_offered_one_version() -> None:
    entries = [
        entry("0.1.0"),
        entry("0.9.0"),
        entry("0.10.0", blender_version_max="5.3.0"),
        entry("1.0.0", "5.0.0"),
        entry("2.0.0", "5.2.0"),
    ]
    assert [
        (e["version"], e["blender_version_min"], e.get("blender_version_max"))
        for e in select_entries(entries)
    ] == [
        ("2.0.0", "5.2.0", None),
        ("1.0.0", "5.0.0", "5.2.0"),
        ("0.10.0", "4.2.0", "5.0.0"),
    ]


def test_the_page_drags_the_newest_and_offers_all() -> None:
    page = make_page([entry("0.9.0"), entry("0.10.0")])
    drag = './ssrhmr-0.10.0.zip?repository=.%2Findex.json&amp;blender_version_min=4.2.0"'
    assert page.count(drag) == 1
    assert page.index("sha256:0.10.0") < page.index("sha256:0.9.0")
    assert "Animate &amp; more." in page and 'name="viewport"' in page


def test_versions_lie_side_by_side_and_are_never_replaced(tmp_path: Path) -> None:
    """By Blender's own tool, with the built zip under a version of its own."""
    tool = build_addon.find_extension_tool()
    assert tool is not None
    (built,) = (ROOT / "dist").glob("ssrhmr-*.zip")
    publish(built, tmp_path, tool)
    first = (tmp_path / "index.json").read_bytes()
    publish(built, tmp_path, tool)
    assert (tmp_path / "index.json").read_bytes() == first
    (listed,) = json.loads(first)["data"]
    assert listed["version"] == build_addon.read_version()
    other = tmp_path / "other" / built.name
    other.parent.mkdir()
    other.write_bytes(built.read_bytes() + b"\0")
    with pytest.raises(RepositoryError, match="raise the version"):
        publish(other, tmp_path, tool)


def test_what_is_no_extension_is_named(tmp_path: Path) -> None:
    with pytest.raises(build_addon.BuildError, match="lacks the line"):
        build_addon.complete_manifest('id = "x"\n', "1.0.0", None, [])
    (tmp_path / "ssrhmr_core").mkdir()
    (tmp_path / "ssrhmr_core" / "__init__.py").write_text("", encoding="utf-8")
    with pytest.raises(build_addon.BuildError, match="no __version__"):
        build_addon.read_version(tmp_path)
