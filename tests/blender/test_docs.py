# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages: settings are called what the panels call them, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.blender.translations.test_translations import texts

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "weights/MODEL_CARD.md"]
FOR_ANIMATORS = [ROOT / "README.md"] + [
    ROOT / f"docs/{name}.md" for name in ("bake", "live", "calibration", "troubleshooting")
]


def in_italics(page: str) -> set[str]:
    page = re.sub(r"\*\*.*?\*\*", "", page, flags=re.DOTALL)
    return {" ".join(found.split()) for found in re.findall(r"\*([^*]+)\*", page)}


@pytest.mark.parametrize("page", FOR_ANIMATORS, ids=lambda page: page.stem)
def test_what_is_in_italics_is_on_the_screen(page: Path) -> None:
    """Italics are for labels alone: a renamed setting is renamed here too."""
    known = texts()
    templates = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(text)) for text in known if "{" in text]
    named = in_italics(page.read_text(encoding="utf-8"))
    assert len(named) > 10
    unknown = [
        name
        for name in sorted(named - known)
        if not any(re.fullmatch(template, name) for template in templates)
    ]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https:"):
            continue
        file, _, place = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if place:
            heads = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            named = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert place in named, link
