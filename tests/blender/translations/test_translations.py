# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in other languages: nothing missing, nothing stale, and shown by Blender."""

from __future__ import annotations

import ast
import json
import string
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import ssrhmr_blender
from ssrhmr_blender import translations
from ssrhmr_blender.common import ui
from ssrhmr_blender.properties.bones import joint_label
from ssrhmr_blender.properties.tracker import SEGMENT_LABELS, TRACKER_LABELS
from ssrhmr_core.body.skeleton import JOINTS

PACKAGE = Path(ssrhmr_blender.__file__).parent
FILES = sorted((PACKAGE / "translations").glob("*.json"))
LANGUAGES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
PLAIN_NAME = bpy.types.PropertyGroup.bl_rna.properties["name"].description
"""What Blender says of properties called ``name`` that say nothing themselves."""


def declared(cls: type) -> Iterator[str]:
    """Label, tooltip, and names, tooltips and choices of settings, as Blender has them."""
    kind = cls.bl_rna
    if issubclass(cls, bpy.types.Operator):
        kind = getattr(bpy.ops.ssrhmr, cls.bl_idname.removeprefix("ssrhmr.")).get_rna_type()
        yield from (kind.name, kind.description)
    elif issubclass(cls, (bpy.types.Panel, bpy.types.Menu)):
        yield cls.bl_label
    own = {
        name
        for base in cls.__mro__
        if base.__module__.startswith("ssrhmr_blender")
        for name, what in getattr(base, "__annotations__", {}).items()
        if "ClassVar" not in str(what)
    }
    for prop in kind.properties:
        if prop.identifier not in own or prop.is_hidden:
            continue
        # What has no name of its own is never drawn.
        yield prop.name if prop.name != prop.identifier else ""
        yield prop.description if prop.description != PLAIN_NAME else ""
        for item in getattr(prop, "enum_items", ()):
            yield from (item.name, item.description)


def drawn(path: Path) -> Iterator[str | ast.JoinedStr]:
    """Literals that a file draws: its ``text`` and ``heading``, and what ``iface_`` is given."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        shown = [word.value for word in call.keywords if word.arg in ("text", "heading")]
        name = getattr(call.func, "id", "")
        shown += call.args[:1] if name in ("iface_", "tip_") else []
        shown += call.args[2:3] if name == "draw_text" else []
        while shown:
            match shown.pop():
                case ast.JoinedStr() as node:
                    yield node
                case ast.Constant(value=str(text)):
                    yield text
                case ast.IfExp(body=first, orelse=second):
                    shown += [first, second]


def texts() -> set[str]:
    found = {text for cls in ssrhmr_blender.CLASSES for text in declared(cls)}
    for path in PACKAGE.rglob("*.py"):
        found |= {text for text in drawn(path) if isinstance(text, str)}
    found |= set(TRACKER_LABELS.values()) | set(ui.SWAP_LABELS.values())
    found |= {label for pair in SEGMENT_LABELS.values() for label in pair}
    found |= {joint_label(joint) for joint in JOINTS}
    return {text for text in found if any(letter.isalpha() for letter in text)}


def placeholders(text: str) -> set[tuple[str | None, str | None]]:
    return {(field, spec) for _, field, spec, _ in string.Formatter().parse(text) if field}


def test_chinese_and_japanese_are_there() -> None:
    assert list(LANGUAGES) == ["ja_JP", "zh_HANS"]


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_text_is_translated_and_none_is_stale(locale: str) -> None:
    shown, known = texts(), LANGUAGES[locale]
    assert len(shown) > 250
    assert sorted(shown - set(known)) == []
    assert sorted(set(known) - shown) == []
    assert [text for text, translated in known.items() if not translated.strip()] == []


@pytest.mark.parametrize("locale", LANGUAGES)
def test_placeholders_are_those_of_the_english_text(locale: str) -> None:
    for text, translated in LANGUAGES[locale].items():
        assert placeholders(translated) == placeholders(text), text
        # Blender ends tooltips itself.
        assert not translated.replace("...", "").endswith((".", "。")), text


def test_no_sentence_is_put_together_where_it_is_drawn() -> None:
    """An f-string has no translation: a template with ``format`` has."""
    for path in PACKAGE.rglob("*.py"):
        for text in drawn(path):
            if isinstance(text, ast.JoinedStr):
                parts = [part.value for part in text.values if isinstance(part, ast.Constant)]
                assert not any(c.isalpha() for part in parts for c in str(part)), path


def test_tooltips_of_operators_have_no_full_stop() -> None:
    for cls in ssrhmr_blender.CLASSES:
        if issubclass(cls, bpy.types.Operator):
            assert cls.bl_description and not cls.bl_description.endswith("."), cls


@pytest.mark.skipif(
    not bpy.app.build_options.international,
    reason="this Blender (a bpy module) is built without languages: run it in one with a window",
)
@pytest.mark.parametrize("locale", LANGUAGES)
def test_blender_shows_the_language_of_its_preferences(locale: str) -> None:
    view, shown = bpy.context.preferences.view, bpy.app.translations.pgettext_iface
    assert shown("Plant Feet") == "Plant Feet"
    view.language = locale
    try:
        known = LANGUAGES[locale]
        for text in ("Plant Feet", "Match Hands & Feet", "{error:.1f} cm off"):
            assert shown(text) == known[text] != text
        assert shown("Detect Bones", "Operator") == known["Detect Bones"]
        # Blender has other meanings for these.
        for text in ("Feet", "Characters", "Reference"):
            assert shown(text) != known[text] == shown(text, translations.CONTEXT)
        # Blender names new nodes, layers and objects in it.
        assert bpy.ops.ssrhmr.load_example() == {"FINISHED"}
        assert bpy.ops.ssrhmr.calibrate() == {"FINISHED"}
        bpy.context.scene.ssrhmr.frame_end = 20
        assert bpy.ops.ssrhmr.bake() == {"FINISHED"}
        ssrhmr_blender.unregister()
        gone = shown("Plant Feet")
        ssrhmr_blender.register()
        assert gone == "Plant Feet"
    finally:
        view.language = "en_US"
