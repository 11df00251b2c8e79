# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for Blender's layouts: without a window Blender draws no panels.

:class:`Layout` refuses what does not exist. :class:`Measured` also tells which words Blender would
cut, by widths that were read from pictures of Blender's window: a panel with words of growing
width, in 4.3 at the default width of the sidebar and a scale of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import blf
import bpy

import ssrhmr_blender

PANELS = [cls for cls in ssrhmr_blender.CLASSES if issubclass(cls, bpy.types.Panel)]
LISTS: dict[str, Any] = {
    cls.__name__: cls for cls in ssrhmr_blender.CLASSES if issubclass(cls, bpy.types.UIList)
}
ICONS = {*bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()}

SIDEBAR = 291
"""Pixels of the sidebar of a new Blender."""
PANEL = 235.0
"""Pixels of its panels between their margins."""
BOX = 16.0
"""Pixels by which a box is narrower inside."""
LABELS = 0.4
"""Share of the labels where they have a column of their own, without the gap behind it."""
GAP = 8.0
"""Pixels between two columns."""
LIST, SCROLLED = 10.0, 30.0
"""Pixels by which rows of a list are narrower, and those of one with a bar to scroll."""
INDENT = 3.0
"""Pixels by which rows of a list begin further right."""
ICON = 20.0
"""Pixels of a button that is an icon alone."""
# What is left free beside words, in pixels.
BARE, WITH_ICON, BUTTON, BUTTON_WITH_ICON, CHECKBOX, CHOICE, MENU = 3, 28, 5, 25, 27, 22, 42


def text_width(text: str) -> float:
    """Return the pixels of a text in Blender's interface font."""
    blf.size(0, 11.0)
    return float(blf.dimensions(0, text)[0])


class Properties:
    """Those of an operator's button."""

    def __init__(self, operator: str) -> None:
        module, name = operator.split(".")
        object.__setattr__(self, "known", getattr(getattr(bpy.ops, module), name).get_rna_type())

    def __setattr__(self, name: str, value: object) -> None:
        assert name in self.known.properties, name


class Layout:
    """Takes what is drawn, and refuses what does not exist."""

    rows: ClassVar[int | None] = 11
    """Most items of a list that are in sight, and drawn; None for all."""

    def __init__(self, context: Any, texts: list[str]) -> None:
        self.context, self.texts = context, texts

    def part(self, **_: Any) -> Layout:
        return Layout(self.context, self.texts)

    row = column = box = split = part

    def label(self, text: str = "", icon: str = "NONE", translate: bool = True) -> None:
        assert icon in ICONS, icon
        self.texts.append(text)

    def prop(self, data: Any, name: str, icon: str = "NONE", **_: Any) -> None:
        assert name in data.bl_rna.properties and icon in ICONS, (name, icon)

    def prop_enum(self, data: Any, name: str, value: str, text: str = "") -> None:
        assert value in data.bl_rna.properties[name].enum_items, (name, value)
        self.texts.append(text)

    def prop_search(self, data: Any, name: str, where: Any, inside: str, **_: Any) -> None:
        assert name in data.bl_rna.properties and inside in where.bl_rna.properties, name

    def operator(self, name: str, text: str = "", icon: str = "NONE", **_: Any) -> Properties:
        assert icon in ICONS, icon
        self.texts.append(text)
        return Properties(name)

    def operator_menu_enum(self, name: str, choice: str, icon: str = "NONE") -> None:
        assert choice in Properties(name).known.properties and icon in ICONS

    def progress(self, factor: float, text: str, translate: bool = True) -> None:
        self.texts.append(text)

    def template_list(
        self, cls: str, key: str, data: Any, name: str, active: Any, active_name: str, **_: Any
    ) -> None:
        assert active_name in active.bl_rna.properties
        for item in getattr(data, name)[: self.rows]:
            LISTS[cls].draw_row(self.context, self, data, item)


class Measured(Layout):
    """Knows the width of what is drawn.

    A part needs ``(width, fixed, text)`` for each thing in it. Things one below the other have the
    part's width each; things in a row share it, in proportion to what they need. In rows of lists
    names of the user's, which are not translated, may be cut.
    """

    rows = None
    words: ClassVar[Mapping[str, str]] = {}
    """Translations of what is drawn: a bpy module has no languages of its own."""

    def __init__(self, context: Any, texts: list[str], width: float = PANEL) -> None:
        super().__init__(context, texts)
        self.width, self.use_property_split, self.in_list = width, False, False
        self.parts: list[Measured] = []
        self.needs: list[tuple[float, bool, str]] = []
        self.beside, self.heading = False, ""
        self.shares: list[float] = []

    def _part(self, width: float) -> Measured:
        part = Measured(self.context, self.texts, width)
        part.use_property_split, part.in_list = self.use_property_split, self.in_list
        self.parts.append(part)
        return part

    def _inner(self) -> float:
        """Return the width of the next part; a split gives its first one its factor."""
        if self.beside and self.shares:
            return (self.width - GAP) * self.shares.pop(0)
        return self.width

    def row(self, **_: Any) -> Measured:
        part = self._part(self._inner())
        part.beside = True
        return part

    def column(self, heading: str = "", **_: Any) -> Measured:
        part = self._part(self._inner())
        part.heading = heading
        return part

    def box(self, **_: Any) -> Measured:
        return self._part(self._inner() - BOX)

    def split(self, factor: float = 0.5, **_: Any) -> Measured:
        part = self._part(self._inner())
        part.beside, part.shares = True, [factor, 1.0 - factor]
        return part

    def _columns(self) -> tuple[float, float]:
        """Return the widths of the labels' column and of the one beside it."""
        return LABELS * (self.width - GAP), (1.0 - LABELS) * (self.width - GAP)

    def _need(self, text: str, beside: float, width: float = 0.0) -> None:
        """Note that a text needs room: all of a width, or its share of the part's."""
        text = self.words.get(text, text)
        if width:
            self.parts.append(part := Measured(self.context, [], width))
            part.needs.append((text_width(text) + beside, False, text))
        elif self.shares:
            self._part(self._inner())._need(text, beside)
        else:
            self.needs.append((text_width(text) + beside if text else ICON, not text, text))

    def cut(self) -> list[str]:
        """Return all texts that have less room than they need."""
        found = [text for part in self.parts for text in part.cut()]
        if not self.beside:
            return found + [text for need, _, text in self.needs if need > self.width]
        if sum(need for need, _, _ in self.needs) > self.width:
            found += [text for _, fixed, text in self.needs if not fixed]
        return found

    def label(self, text: str = "", icon: str = "NONE", translate: bool = True) -> None:
        super().label(text, icon, translate)
        beside = WITH_ICON + INDENT * self.in_list if icon != "NONE" else BARE
        # A name of the user's in a list needs no more than its icon.
        is_free = self.in_list and not translate
        self._need(" " if is_free else text or " ", beside)

    def prop(
        self, data: Any, name: str, icon: str = "NONE", text: str | None = None, **more: Any
    ) -> None:
        super().prop(data, name, icon, **more)
        declared = data.bl_rna.properties[name]
        shown = declared.name if text is None else text
        if self.heading:
            # A heading stands where the label of the first property would.
            assert declared.type == "BOOLEAN" or not shown, f"nobody sees {self.heading}"
            self._need(self.heading, BARE, self._columns()[0])
            self.heading = ""
        choices = [item.name for item in getattr(declared, "enum_items", ())]
        if declared.type == "BOOLEAN":
            width = self._columns()[1] if self.use_property_split and shown else 0.0
            self._need(shown, CHECKBOX, width)
            return
        label, beside = self._columns() if self.use_property_split and shown else (0.0, 0.0)
        if label:
            self._need(shown, BARE, label)
        room = beside or self._inner()
        for choice in choices:
            self._need(choice, CHOICE, room)

    def prop_enum(self, data: Any, name: str, value: str, text: str = "") -> None:
        super().prop_enum(data, name, value, text)
        assert not self.use_property_split, f"the word on {value} becomes the label beside it"
        self._need(text or data.bl_rna.properties[name].enum_items[value].name, BUTTON)

    def prop_search(self, data: Any, name: str, where: Any, inside: str, **more: Any) -> None:
        super().prop_search(data, name, where, inside, **more)
        if self.use_property_split and "text" not in more:
            self._need(data.bl_rna.properties[name].name, BARE, self._columns()[0])

    def operator(
        self, name: str, text: str | None = None, icon: str = "NONE", **more: Any
    ) -> Properties:
        made = super().operator(name, text or "", icon, **more)
        shown = made.known.name if text is None else text
        self._need(shown, BUTTON_WITH_ICON if icon != "NONE" else BUTTON)
        return made

    def operator_menu_enum(self, name: str, choice: str, icon: str = "NONE") -> None:
        super().operator_menu_enum(name, choice, icon)
        self._need(Properties(name).known.name, MENU)

    def progress(self, factor: float, text: str, translate: bool = True) -> None:
        super().progress(factor, text, translate)
        self._need(text, BUTTON)

    def template_list(
        self, cls: str, key: str, data: Any, name: str, active: Any, active_name: str, **more: Any
    ) -> None:
        scrolls = len(getattr(data, name)) > more.get("maxrows", more.get("rows", 5))
        buttons = ICON + GAP if self.beside else 0.0
        part = self._part(self._inner() - buttons - (SCROLLED if scrolls else LIST))
        part.in_list = True
        Layout.template_list(part, cls, key, data, name, active, active_name, **more)


def draw(kind: type[Layout] = Layout) -> tuple[list[str], list[Any]]:
    """Draw all panels, as if none were closed; the texts on them, and a layout for each."""
    context: Any = SimpleNamespace(
        scene=bpy.context.scene,
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0)),
        region=SimpleNamespace(width=SIDEBAR),
    )
    texts: list[str] = []
    layouts = []
    for panel in PANELS:
        own = {"draw_settings": panel.draw_settings} if hasattr(panel, "draw_settings") else {}
        layouts.append(kind(context, texts))
        shown: Any = SimpleNamespace(layout=layouts[-1], **own)
        panel.draw(shown, context)
    return texts, layouts
