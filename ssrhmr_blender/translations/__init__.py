# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in other languages: a JSON file each, from English texts to their translations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

CONTEXT = "SSR-HMR"
"""Translation context of texts that mean something else in the rest of Blender, whose own
translations come first: *Feet* is a unit there."""
_CONTEXTS = ("*", "Operator", CONTEXT)
"""Where a text may stand: labels and tooltips, buttons of operators, and the above."""

Messages = dict[tuple[str, str], str]


def register() -> None:
    """Make all languages known to Blender, which shows the one of its preferences."""
    # The stubs want texts for keys; Blender wants pairs of context and text.
    messages: Any = _load()
    bpy.app.translations.register(__package__, messages)


def unregister() -> None:
    """Take them back."""
    bpy.app.translations.unregister(__package__)


def _load() -> dict[str, Messages]:
    """Messages by locale, as Blender calls it; the files are named after it."""
    found: dict[str, Messages] = {}
    for path in Path(__file__).parent.glob("*.json"):
        texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = {
            (context, text): translated
            for text, translated in texts.items()
            for context in _CONTEXTS
        }
    return found
