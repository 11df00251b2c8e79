# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages: settings are called what the panels call them, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import bpy
import pytest

from tests.blender.conftest import enable
from tests.blender.translations.test_translations import texts

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "weights/MODEL_CARD.md",
]
FOR_ANIMATORS = [ROOT / "README.md"] + [
    ROOT / f"docs/{name}.md"
    for name in (
        *("bake", "live", "calibration", "troubleshooting"),
        *("tutorials/mixamo", "tutorials/slimevr_vrm", "tutorials/bvh_rigify"),
    )
]
SCRIPTED = [page for page in TUTORIALS if "```python" in page.read_text(encoding="utf-8")]


def in_italics(page: str) -> set[str]:
    page = re.sub(r"\*\*.*?\*\*", "", page, flags=re.DOTALL)
    return {" ".join(found.split()) for found in re.findall(r"\*([^*]+)\*", page)}


@pytest.mark.parametrize("page", FOR_ANIMATORS, ids=lambda page: page.stem)
def test_what_is_in_italics_is_on_the_screen(page: Path) -> None:
    """Italics are for labels alone: a renamed setting is renamed here too."""
    known = texts()
    templates = [re.sub(r"\\\{.*?\\\}", ".+", re.escape(text)) for text in known if "{" in text]
    named = in_italics(page.read_text(encoding="utf-8"))
    assert len(named) > (5 if page in TUTORIALS else 10)
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_operators_exist(page: Path) -> None:
    """Whatever is written as an operator or a setting of the scene is one."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\bops\.ssrhmr\.(\w+)", text):
        assert getattr(bpy.ops.ssrhmr, name).get_rna_type().name, name
    for group, name in re.findall(r"\bscene\.(ssrhmr\w*)\.(\w+)", text):
        assert hasattr(getattr(bpy.context.scene, group), name), name


@pytest.mark.parametrize("page", SCRIPTED, ids=lambda page: page.stem)
def test_scripts_of_tutorials_run(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page.read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(ROOT)
    if "rigify" in page.stem:
        enable("rigify")
    exec(compile(script, str(page), "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    if "bake()" in script:
        action = bpy.context.scene.ssrhmr.armature.animation_data.action
        assert action.name in printed and action.frame_range[1] >= 24.0
    else:
        assert "listens on port 9000" in printed


def test_every_tutorial_with_the_add_on_has_a_script() -> None:
    assert [page.stem for page in SCRIPTED] == ["bvh_rigify", "mixamo", "slimevr_vrm"]
