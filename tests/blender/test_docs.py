# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages: settings are called what the panels call them, links lead somewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bpy
import pytest

from ssrhmr_blender.properties.live import PORTS
from tests.blender.conftest import enable
from tests.blender.translations.test_translations import texts
from tests.ports import free_port

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


def drawn_by_panels() -> dict[str, set[str]]:
    """Return all words that the panels of each label hold: identifiers of what they draw."""
    drawn: dict[str, set[str]] = {}
    for path in (ROOT / "ssrhmr_blender").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef) or "_PT_" not in node.name:
                continue
            words = {str(each.value) for each in ast.walk(node) if isinstance(each, ast.Constant)}
            label = getattr(bpy.types, node.name).bl_label
            drawn.setdefault(label, set()).update(words)
    return drawn


def identifiers_of(label: str) -> set[str]:
    """Return the settings and operators of ours that have a label."""
    found = {
        f"ssrhmr.{name}"
        for name in dir(bpy.ops.ssrhmr)
        if getattr(bpy.ops.ssrhmr, name).get_rna_type().name == label
    }
    for kind in bpy.types.PropertyGroup.__subclasses__():
        if kind.__module__.startswith("ssrhmr_blender.") and kind.is_registered:
            found |= {each.identifier for each in kind.bl_rna.properties if each.name == label}
    return found


def misplaced(text: str) -> list[str]:
    """Return what a page says to be in a panel that does not draw it."""
    panels = drawn_by_panels()
    pattern = r"\*([^*]+)\*\s+(?:in|under)\s+(?:the\s+)?\*([^*]+)\*"
    return [
        f"{label} in {panel}"
        for label, panel in re.findall(pattern, text)
        if panel in panels
        and (known := identifiers_of(" ".join(label.split())))
        and not known & panels[panel]
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_settings_are_in_the_panel_that_is_named(page: Path) -> None:
    assert misplaced(page.read_text(encoding="utf-8")) == []


def test_a_setting_in_another_panel_is_found() -> None:
    text = "Set *Plant Feet* in *Cleanup*, *Plant\nFeet* under *Contacts*, *Smoothing* in *Cleanup*"
    assert misplaced(text) == ["Plant Feet in Cleanup"]
    assert misplaced("*Copy Report* in the *Bake* panel") == ["Copy Report in Bake"]


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
    # Other runs of this test may listen on the usual one.
    port = free_port()
    monkeypatch.setitem(PORTS, "VRCHAT", port)
    if "rigify" in page.stem:
        enable("rigify")
    exec(compile(script, str(page), "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    if "bake()" in script:
        action = bpy.context.scene.ssrhmr.armature.animation_data.action
        assert action.name in printed and action.frame_range[1] >= 24.0
    else:
        assert f"listens on port {port}" in printed


def test_every_tutorial_with_the_add_on_has_a_script() -> None:
    assert [page.stem for page in SCRIPTED] == ["bvh_rigify", "mixamo", "slimevr_vrm"]
