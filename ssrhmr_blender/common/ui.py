# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that the panels of all features share: their tab, and sentences in narrow columns."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Container
from typing import TYPE_CHECKING, Any

import bpy
from bpy.app.translations import pgettext_iface as iface_

from .typed import Icon, ListMixin, PanelMixin, layout_of, ui_scale_of, window_manager_of

if TYPE_CHECKING:
    from ..properties.calibration import SSRHMR_Warning
    from ..properties.setup import SSRHMR_Setup

_LETTER = 7.0
"""Mean width of a letter of Blender's interface font, in pixels at a scale of one."""
SWAP_LABELS = {
    "hands": "Swap Hands",
    "feet": "Swap Feet",
    "shoulders": "Swap Shoulders",
    "elbows": "Swap Elbows",
    "knees": "Swap Knees",
    "toes": "Swap Toes",
}


class RowList(ListMixin):
    """A list whose rows need the group that holds the items and one item."""

    def draw_item(  # noqa: PLR0913 - Blender calls it with all of these
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None = None,
        flt_flag: int | None = None,
    ) -> None:
        """Draw a row; Blender calls this for every visible item."""
        self.draw_row(context, layout, data, item)

    @staticmethod
    def draw_row(
        context: bpy.types.Context, layout: bpy.types.UILayout, data: Any, item: Any
    ) -> None:
        """Draw one item.

        Args:
            context: The context of the panel.
            layout: The layout to draw into.
            data: The group of settings that holds the items.
            item: The item.
        """
        raise NotImplementedError


class SidebarPanel(PanelMixin):
    """Puts a panel into the add-on's tab of the 3D view's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "SSR-HMR"

    preset_menu = ""
    """Name of a menu of presets for the panel's header."""

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Draw the presets' button at the right of the header."""
        if self.preset_menu:
            layout_of(self).menu(self.preset_menu, text="", icon="PRESET")


def tag_redraw_regions(context: bpy.types.Context, kinds: Container[str]) -> None:
    """Redraw regions of some kinds in the 3D views of all windows."""
    for window in window_manager_of(context).windows:
        for area in window.screen.areas:
            if area.type != "VIEW_3D":
                continue
            for region in area.regions:
                if region.type in kinds:
                    region.tag_redraw()


def draw_swap_buttons(layout: bpy.types.UILayout, warning: SSRHMR_Warning) -> None:
    """Draw a button for each pair of trackers that looks swapped."""
    for pair in filter(None, warning.pair.split(",")):
        swap: Any = layout.operator(
            "ssrhmr.swap_trackers", text=iface_(SWAP_LABELS[pair]), icon="ARROW_LEFTRIGHT"
        )
        swap.pair = pair.upper()


def draw_mute_button(layout: bpy.types.UILayout, setup: SSRHMR_Setup) -> None:
    """Draw the button that mutes constraints, if some act on bones that the bake keys."""
    if setup.has_constraints:
        row = layout.row(align=True)
        row.operator("ssrhmr.mute_constraints", icon="CONSTRAINT_BONE")
        row.prop(setup, "key_muting", text="", icon="KEY_HLT" if setup.key_muting else "KEY_DEHLT")


def draw_wrapped_text(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: Icon = "NONE"
) -> None:
    """Draw a text in as many lines as it needs; Blender would cut it off at the panel's edge.

    Args:
        layout: The layout to draw into.
        context: The context of the panel.
        text: Text in the user's language.
        icon: Icon in front of the first line.
    """
    width = context.region.width if context.region else 0
    letters = max(20, int(width / (_LETTER * ui_scale_of(context))) - 8)
    # Chinese and Japanese characters are twice as wide.
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    letters = max(10, round(letters / (1.0 + wide / max(1, len(text)))))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(textwrap.wrap(text, letters)):
        mark: Icon = "BLANK1" if number and icon != "NONE" else icon
        column.label(text=line, icon=mark, translate=False)
