# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing a capture into the 3D views."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import bpy

from ..common.typed import ui_scale_of
from .figure import BACKDROP, HALF_WIDTH, TOP, Figure
from .labels import place_labels
from .picture import BODY_COLOUR, Picture

_NAME_SIZE, _TITLE_SIZE = 11.0, 48.0
"""Sizes of text in points."""
_COVERING = ("UI", "TOOLS")
"""Kinds of regions that may lie over a view."""
_LEAST_ROOM = 0.4
"""Share of a view that is used as room; with less, what is drawn lies under a sidebar."""


class Overlay:
    """Draws the newest picture in all 3D views; does nothing where there is no window."""

    def __init__(self, newest: Callable[[], Picture | None]) -> None:
        """Begin to draw.

        Args:
            newest: Function that returns the picture; called at every redraw, must be cheap.
        """
        self._newest = newest
        self._handles: list[object] = []
        if not bpy.app.background:
            add = bpy.types.SpaceView3D.draw_handler_add
            self._handles = [
                add(self._draw_lines, (), "WINDOW", "POST_VIEW"),
                add(self._draw_names, (), "WINDOW", "POST_PIXEL"),
            ]

    def close(self) -> None:
        """Stop drawing."""
        for handle in self._handles:
            bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
        self._handles = []

    def _visible_picture(self) -> Picture | None:
        """Return the picture if the view that is drawn shows overlays."""
        space = bpy.context.space_data
        if not isinstance(space, bpy.types.SpaceView3D) or not space.overlay.show_overlays:
            return None
        return self._newest()

    def _draw_lines(self) -> None:
        import gpu
        from gpu_extras.batch import batch_for_shader

        picture, region = self._visible_picture(), bpy.context.region
        if picture is None or region is None:
            return
        shader = gpu.shader.from_builtin("POLYLINE_FLAT_COLOR")
        gpu.state.blend_set("ALPHA")
        shader.bind()
        shader.uniform_float("viewportSize", (region.width, region.height))
        for width, (positions, colours) in picture.lines.items():
            shader.uniform_float("lineWidth", width * ui_scale_of(bpy.context))
            batch = batch_for_shader(shader, "LINES", {"pos": positions, "color": colours})
            batch.draw(shader)
        gpu.state.blend_set("NONE")

    def _draw_names(self) -> None:
        import blf
        from bpy_extras.view3d_utils import location_3d_to_region_2d

        picture = self._visible_picture()
        region, view = bpy.context.region, bpy.context.region_data
        if picture is None or region is None or view is None:
            return
        left, right = find_room(region, bpy.context.area.regions if bpy.context.area else ())
        if picture.figure is not None:
            _draw_figure(picture.figure, region, (left, right))
        scale = ui_scale_of(bpy.context)
        if picture.title:
            blf.size(0, _TITLE_SIZE * scale)
            width, height = blf.dimensions(0, picture.title)
            blf.color(0, *BODY_COLOUR)
            blf.position(0, 0.5 * (left + right - width), 0.85 * region.height - height, 0.0)
            blf.draw(0, picture.title)
        if picture.figure is not None:
            # Nobody who copies a figure reads names, which would lie over it.
            return
        blf.size(0, _NAME_SIZE * scale)
        places = [
            location_3d_to_region_2d(region, view, position) for position, _, _ in picture.names
        ]
        shown = [
            ((place.x, place.y), text, colour)
            for place, (_, text, colour) in zip(places, picture.names, strict=True)
            if place is not None
        ]
        sizes = [blf.dimensions(0, text) for _, text, _ in shown]
        corners = place_labels([place for place, _, _ in shown], sizes)
        for corner, (_, text, colour) in zip(corners, shown, strict=True):
            blf.color(0, *colour)
            blf.position(0, *corner, 0.0)
            blf.draw(0, text)


def find_room(region: bpy.types.Region, others: Iterable[bpy.types.Region]) -> tuple[float, float]:
    """Return from where to where a region is free of toolbars and sidebars over it, in pixels.

    Args:
        region: The region.
        others: The regions of its area.
    """
    left, right = 0.0, float(region.width)
    for other in others:
        begin = float(other.x - region.x)
        end = begin + other.width
        if other.type not in _COVERING or other.width <= 1 or begin >= right or end <= left:
            continue
        if begin + end > region.width:
            right = begin
        else:
            left = end
    return (left, right) if right - left > _LEAST_ROOM * region.width else (0.0, region.width)


def _draw_figure(figure: Figure, region: bpy.types.Region, room: tuple[float, float]) -> None:
    """Draw a figure in the middle of the room in a region, as large as that allows."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    height = min(float(region.height), 0.5 * (room[1] - room[0]) / HALF_WIDTH)
    middle = 0.5 * (room[0] + room[1])
    gpu.state.blend_set("ALPHA")
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.uniform_float("color", BACKDROP)
    left, right = middle - HALF_WIDTH * height, middle + HALF_WIDTH * height
    top = TOP * height
    corners = [(left, 0.0, 0.0), (right, 0.0, 0.0), (right, top, 0.0), (left, top, 0.0)]
    batch_for_shader(shader, "TRIS", {"pos": corners}, indices=[(0, 1, 2), (0, 2, 3)]).draw(shader)
    shader = gpu.shader.from_builtin("POLYLINE_FLAT_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", (region.width, region.height))
    for width, (positions, colours) in figure.lines.items():
        shader.uniform_float("lineWidth", width * height)
        ends = [(middle + x * height, y * height, 0.0) for x, y in positions]
        batch_for_shader(shader, "LINES", {"pos": ends, "color": colours}).draw(shader)
    gpu.state.blend_set("NONE")
