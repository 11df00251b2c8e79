# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's hook: links of a code host become links of the site, operators come from the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import pytest

from scripts import site_pages
from scripts.site_pages import (
    api_pages,
    on_page_markdown,
    operators,
    outside_of_code,
    repository_path,
    site_path,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("source", "target", "wanted"),
    [
        ("README.md", "docs/bake.md", "bake.md"),
        ("README.md", "weights/MODEL_CARD.md", "model_card.md"),
        ("README.md", "docs/README.md", "index.md"),
        ("docs/bake.md", "../README.md", "index.md"),
        ("docs/bake.md", "calibration.md", "calibration.md"),
        ("docs/tutorials/train.md", "../files.md", "files.md"),
        ("weights/MODEL_CARD.md", "../docs/pictures/stress.png", "pictures/stress.png"),
        ("docs/protocols.md", "../ssrhmr_core/line.json", "files/ssrhmr_core/line.json"),
    ],
)
def test_site_path(source: str, target: str, wanted: str) -> None:
    assert site_path(source, target) == wanted


def test_repository_path_is_the_way_back() -> None:
    assert repository_path("model_card.md") == "weights/MODEL_CARD.md"
    assert repository_path("tutorials/train.md") == "docs/tutorials/train.md"


def test_links_are_rewritten_outside_of_code() -> None:
    class FakeFile:
        src_uri = "tutorials/train.md"

    class FakePage:
        file = FakeFile()

    text = (
        "[a](../../README.md#install) [b](#here) [c](https://x.org/a.md)\n"
        "```\n[d](../../README.md)\n```\n![e](../pictures/demo.png)"
    )
    assert on_page_markdown(text, FakePage(), None, None) == (
        "[a](../index.md#install) [b](#here) [c](https://x.org/a.md)\n"
        "```\n[d](../../README.md)\n```\n![e](../pictures/demo.png)"
    )
    assert outside_of_code(re.compile("a"), "b", "a\n```\na\n```\na") == "b\n```\na\n```\nb"


def test_roles_of_docstrings_are_not_shown() -> None:
    page = (
        "<p>in :data:<code>TRACKERS</code> of :class:<code>~ssrhmr_core.a.B</code>: <code>x</code>"
    )
    assert site_pages.on_page_content(page, None, None, None) == (
        "<p>in <code>TRACKERS</code> of <code>B</code>: <code>x</code>"
    )


def test_pictures_stay_in_the_items_of_lists() -> None:
    class FakePage:
        class file:
            src_uri = "index.md"

    page = "1. a\n   b\n\n   c\n2. d\n- e\n\n  f\n\n    code\n```\n   g\n```"
    assert site_pages.on_page_markdown(page, FakePage(), None, None) == (
        "1. a\n    b\n\n    c\n\n2. d\n- e\n\n    f\n\n    code\n```\n   g\n```"
    )


def test_operators_are_those_of_the_add_on() -> None:
    rows = {name: (label, text) for name, label, text in operators()}
    assert rows["ssrhmr.bake"][0] == "Bake"
    assert rows["ssrhmr.copy_report"][1].startswith("Copy versions")
    declared = set()
    for path in (ROOT / "ssrhmr_blender").rglob("*.py"):
        declared |= set(re.findall(r'bl_idname = "(ssrhmr\.\w+)"', path.read_text("utf-8")))
    assert set(rows) == declared and len(rows) > 30


def test_every_package_of_the_core_has_its_page() -> None:
    class FakeConfig:
        nav: ClassVar = [{"Reference": ["files.md", {"Python API": "api/index.md"}]}]

    (section,) = site_pages.on_config(FakeConfig()).nav
    first, api = section["Reference"]
    pages = api_pages()
    assert first == "files.md"
    assert api["Python API"][0] == "api/index.md"
    listed = {page for entry in api["Python API"][1:] for page in entry.values()}
    assert listed == set(pages) - {"api/index.md"} and len(listed) > 10
    assert "::: ssrhmr_core.tracking.calibration\n" in pages["api/tracking.md"]
