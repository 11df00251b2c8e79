# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw what performers see in a guided calibration, and when: docs/pictures/guide.svg.

The figure is that of the 3D view (``ssrhmr_blender/live/figure.py``), at the moments at which each
exercise shows best.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from html import escape
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ssrhmr_core.tracking.movement.guided import (  # noqa: E402
    EXERCISES,
    MOVEMENT_SECONDS,
    exercise_progress,
)
from ssrhmr_core.tracking.proportions import make_adult  # noqa: E402
from ssrhmr_core.tracking.reference_pose import ReferencePose  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "guide.svg"
COUNTDOWN = 3.0
"""Seconds of the reference pose before the movement."""
_BEST = {
    "nod and shake of the head": 0.62,
    "lift and turn of the arms": 0.35,
    "bend of the elbows": 0.25,
    "circle of the hands": 0.5,
    "squats": 0.25,
    "left leg": 0.36,
    "right leg": 0.36,
    "twist of the trunk and bow": 0.7,
    "one hand on the other": 0.7,
    "palms together": 0.7,
}
"""The share of each exercise at which it shows best."""
_SCALE, _ROWS_OF, _GAP, _CAPTION = 230.0, 6, 8, 40


def moments() -> list[tuple[str, float, float]]:
    """Return what to do, when it begins, and when to draw it; seconds since the movement began."""
    begin = MOVEMENT_SECONDS - sum(exercise.seconds for exercise in EXERCISES)
    found = [("reference pose", -COUNTDOWN, 0.0)]
    for exercise in EXERCISES:
        found.append((exercise.name, begin, begin + _BEST[exercise.name] * exercise.seconds))
        begin += exercise.seconds
    return found


def draw() -> str:
    """Return the picture."""
    figures, shown = _load_figures(), moments()
    width, height = round(2.0 * _SCALE * figures.HALF_WIDTH), round(_SCALE * figures.TOP)
    rows = -(-len(shown) // _ROWS_OF)
    size = _ROWS_OF * (width + _GAP) + _GAP, rows * (height + _CAPTION + _GAP) + _GAP
    shapes = []
    for number, (name, begin, seconds) in enumerate(shown):
        x = _GAP + (number % _ROWS_OF) * (width + _GAP)
        y = _GAP + (number // _ROWS_OF) * (height + _CAPTION + _GAP)
        shapes.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="#1c1d21"/>'
        )
        shapes += _draw_figure(figures, number, seconds, x + width / 2.0, y + height)
        shapes.append(_text(x + width // 2, y + height + 15, f"{begin + COUNTDOWN:.0f} s"))
        shapes.append(_text(x + width // 2, y + height + 31, name))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}"'
            f' viewBox="0 0 {size[0]} {size[1]}">',
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            '<g font-family="sans-serif" font-size="13" fill="#1d2a33" text-anchor="middle">',
            *shapes,
            "</g></svg>\n",
        ]
    )


def _load_figures() -> ModuleType:
    """Return the module of the figure without the add-on around it, which needs Blender."""
    path = ROOT / "ssrhmr_blender" / "live" / "figure.py"
    spec = importlib.util.spec_from_file_location("guide_figure", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _draw_figure(
    figures: ModuleType, number: int, seconds: float, middle: float, floor: float
) -> list[str]:
    """Return the lines of a figure that stands at a place of the picture."""
    figure = figures.Figure()
    figures.add_body(figure, make_adult(), seconds, ReferencePose.T_POSE)
    figures.add_ring(figure, exercise_progress(seconds) if number else 0.5)
    figures.add_marks(figure, [True] * (number - 1), number - 1, len(EXERCISES))
    shapes = []
    for thickness, (positions, colours) in figure.lines.items():
        paths: dict[str, list[str]] = {}
        last: dict[str, str] = {}
        for start, end, colour in zip(positions[::2], positions[1::2], colours[::2], strict=True):
            ends = [
                f"{middle + _SCALE * across:.1f},{floor - _SCALE * up:.1f}"
                for across, up in (start, end)
            ]
            tone = "#" + "".join(f"{round(255 * channel):02x}" for channel in colour[:3])
            begin = "" if last.get(tone) == ends[0] else f"M{ends[0]}"
            paths.setdefault(tone, []).append(f"{begin}L{ends[1]}")
            last[tone] = ends[1]
        shapes += [
            f'<path d="{"".join(path)}" stroke="{tone}" stroke-width="{_SCALE * thickness:.1f}"'
            ' stroke-linecap="round" fill="none"/>'
            for tone, path in paths.items()
        ]
    return shapes


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}">{escape(text)}</text>'


def main() -> None:
    """Write the picture."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    PICTURE.write_text(draw(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
