# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn into the 3D view while capturing: trackers, skeleton, floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    import numpy as np

_AXIS = 0.08
_GRID_HALF, _GRID_STEP = 1.5, 0.5
"""Lengths in metres."""
_AXIS_COLOURS = ((0.9, 0.25, 0.3, 1.0), (0.45, 0.75, 0.2, 1.0), (0.25, 0.5, 0.9, 1.0))
_SEEN, _LOST = (0.3, 0.9, 0.45, 1.0), (0.95, 0.35, 0.25, 1.0)
_BODY = (1.0, 0.75, 0.25, 0.9)
_FLOOR = (0.6, 0.6, 0.6, 0.35)
_THIN, _THICK = 1.0, 2.5
_LETTERS, _HUGE = 11.0, 48.0

Point = tuple[float, float, float]
Colour = tuple[float, float, float, float]


@dataclass
class Picture:
    """Lines and names in Blender's world, ready to draw.

    Attributes:
        lines: thickness in pixels -> ends of lines, two after each other, with their colours.
        names: places with text and colour.
        title: a word for who stands far from the screen.
    """

    lines: dict[float, tuple[list[Point], list[Colour]]] = field(default_factory=dict)
    names: list[tuple[Point, str, Colour]] = field(default_factory=list)
    title: str = ""

    def add(self, ends: np.ndarray, colour: Colour, width: float = _THIN) -> None:
        """Add lines between (n, 2, 3) points."""
        points, colours = self.lines.setdefault(width, ([], []))
        flat = ends.reshape(-1, 3)
        points.extend(map(tuple, flat.tolist()))
        colours.extend([colour] * len(flat))


def picture_of_trackers(
    names: list[str], places: np.ndarray, turns: np.ndarray, seen: np.ndarray, unit: float
) -> Picture:
    """Draw trackers as axes with a name, and the floor below them.

    Args:
        names: of the trackers.
        places: (n, 3) in Blender's world.
        turns: (n, 3, 3) in Blender's axes.
        seen: (n,) bool.
        unit: length of a metre in the scene.
    """
    import numpy as np

    picture = Picture()
    for axis, colour in enumerate(_AXIS_COLOURS):
        rods = np.stack([places, places + _AXIS * unit * turns[:, :, axis]], 1)
        picture.add(rods[seen], colour, _THICK)
        picture.add(rods[~seen], _LOST, _THICK)
    for name, place, shown in zip(names, places.tolist(), seen.tolist(), strict=True):
        picture.names.append((tuple(place), name, _SEEN if shown else _LOST))
    middle = places[:, :2].mean(0) if len(places) else np.zeros(2)
    centre = np.append(np.round(middle / unit) * unit, 0.0)
    steps = np.arange(-_GRID_HALF, _GRID_HALF + 1e-6, _GRID_STEP) * unit
    half = np.full_like(steps, _GRID_HALF * unit)
    along = np.stack([np.stack([steps, -half], -1), np.stack([steps, half], -1)], 1)
    flat = np.concatenate([along, along[..., ::-1]])
    grid = np.concatenate([flat, np.zeros((*flat.shape[:2], 1))], -1) + centre
    picture.add(grid, _FLOOR)
    return picture


def add_skeleton(picture: Picture, joints: np.ndarray, bones: np.ndarray) -> None:
    """Add a stick figure.

    Args:
        picture: to draw into.
        joints: (22, 3) in Blender's world.
        bones: (n, 2) joints at both ends of each bone.
    """
    picture.add(joints[bones], _BODY, _THICK)


class Overlay:
    """Draws the newest picture in all 3D views; nothing where there is no window."""

    def __init__(self, newest: Callable[[], Picture | None]) -> None:
        """Begin to draw.

        Args:
            newest: returns what is to be drawn; called at every redraw, must be cheap.
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

    def _draw_lines(self) -> None:
        import gpu
        from gpu_extras.batch import batch_for_shader

        picture = self._newest()
        if picture is None or not bpy.context.space_data.overlay.show_overlays:
            return
        shader = gpu.shader.from_builtin("POLYLINE_FLAT_COLOR")
        region = bpy.context.region
        gpu.state.blend_set("ALPHA")
        shader.bind()
        shader.uniform_float("viewportSize", (region.width, region.height))
        for width, (points, colours) in picture.lines.items():
            shader.uniform_float("lineWidth", width * bpy.context.preferences.system.ui_scale)
            batch = batch_for_shader(shader, "LINES", {"pos": points, "color": colours})
            batch.draw(shader)
        gpu.state.blend_set("NONE")

    def _draw_names(self) -> None:
        import blf
        from bpy_extras.view3d_utils import location_3d_to_region_2d

        picture = self._newest()
        context = bpy.context
        if picture is None or not context.space_data.overlay.show_overlays:
            return
        scale = context.preferences.system.ui_scale
        if picture.title:
            blf.size(0, _HUGE * scale)
            region, (width, height) = context.region, blf.dimensions(0, picture.title)
            blf.color(0, *_BODY)
            blf.position(0, 0.5 * (region.width - width), 0.85 * region.height - height, 0.0)
            blf.draw(0, picture.title)
        blf.size(0, _LETTERS * scale)
        for place, text, colour in picture.names:
            spot = location_3d_to_region_2d(context.region, context.region_data, place)
            if spot is not None:
                blf.color(0, *colour)
                blf.position(0, spot.x + 8.0, spot.y + 4.0, 0.0)
                blf.draw(0, text)
