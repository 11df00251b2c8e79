# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the layers of core and add-on from the import contracts, and the way of the data.

``python scripts/draw_architecture.py`` writes ``docs/pictures/layers.svg`` and ``data.svg``. They
need no script of another server to be seen, unlike diagrams in Markdown.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
_LETTER, _LINE, _GAP, _PAD = 7.4, 34, 10, 16
_COLUMN = 400
"""Width of the column of one package."""
_HIDDEN = {"__main__"}
_ADDON, _CORE, _DATA = "#cfe3f1", "#d9ecd6", "#f3e6cf"
_WAY = (
    ("motion files, tracker tables | tracker objects | network: UDP, TCP", "what comes in"),
    ("Take: positions, rotations, valid", "tracking/take.py, reading_buffer.py"),
    ("calibration", "tracking/calibration.py"),
    ("dropouts", "tracking/dropout.py, live_dropout.py"),
    ("denoising", "tracking/denoising.py, one_euro.py"),
    ("60 Hz clock", "body/interpolation.py"),
    ("gap filling, planting", "tracking/gap_filling.py, foot_planting.py"),
    ("network", "model/network.py"),
    ("exact solve", "solver/"),
    ("Motion, then keyframes", "body/motion.py, then the add-on's baking/"),
)


def layers(container: str) -> list[list[str]]:
    """Return the layers of a package, top first, as the contract in ``pyproject.toml`` has them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers" and contract["containers"] == [container]
    )
    split = [re.split(r" [|:] ", layer) for layer in contract["layers"]]
    return [layer for layer in split if not _HIDDEN.issuperset(layer)]


def draw_layers() -> str:
    """Return the picture of both packages, the add-on on the left."""
    shapes: list[str] = []
    heights = [
        _draw_column(shapes, _PAD, "ssrhmr_blender", _ADDON),
        _draw_column(shapes, _COLUMN + 3 * _PAD, "ssrhmr_core", _CORE),
    ]
    shapes.append(_arrow(_COLUMN + _PAD, 60, _COLUMN + 3 * _PAD, 60))
    return _svg(2 * _COLUMN + 4 * _PAD, max(heights) + _PAD, shapes)


def draw_way() -> str:
    """Return the picture of what happens to a take, from top to bottom."""
    shapes: list[str] = []
    width, y = 760, _PAD
    for number, (step, module) in enumerate(_WAY):
        shapes.append(_box(_PAD, y, 420, _LINE, step, _DATA))
        shapes.append(_text(460, y + 22, module, anchor="start"))
        if number:
            shapes.append(_arrow(_PAD + 210, y - _GAP - 4, _PAD + 210, y))
        y += _LINE + _GAP + 4
    return _svg(width, y, shapes)


def _draw_column(shapes: list[str], x: int, package: str, colour: str) -> int:
    """Draw the layers of a package as rows of names, and return the height."""
    shapes.append(_text(x + _COLUMN // 2, 26, package, weight="bold"))
    y = 42
    for layer in layers(package):
        rows = _wrap(layer)
        height = _LINE + 20 * (len(rows) - 1)
        shapes.append(_box(x, y, _COLUMN, height, "", colour))
        for number, row in enumerate(rows):
            shapes.append(_text(x + _COLUMN // 2, y + 22 + 20 * number, " · ".join(row)))
        y += height + _GAP
    return y


def _wrap(names: Sequence[str]) -> list[list[str]]:
    """Break a row of names where it would be wider than the column."""
    rows: list[list[str]] = [[]]
    for name in names:
        if rows[-1] and _LETTER * len(" · ".join([*rows[-1], name])) > _COLUMN - 2 * _PAD:
            rows.append([])
        rows[-1].append(name)
    return rows


def _box(x: int, y: int, width: int, height: int, text: str, colour: str) -> str:
    size = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="5"'
    label = _text(x + width // 2, y + 22, text) if text else ""
    return f'<rect {size} fill="{colour}" stroke="#4a5a66"/>{label}'


def _text(x: int, y: int, text: str, anchor: str = "middle", weight: str = "normal") -> str:
    style = f'text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


def _arrow(x: int, y: int, to_x: int, to_y: int) -> str:
    ends = f'x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"'
    return f'<line {ends} stroke="#4a5a66" stroke-width="2" marker-end="url(#head)"/>'


def _svg(width: int, height: int, shapes: Sequence[str]) -> str:
    head = (
        '<marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#4a5a66"/></marker>'
    )
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    font = 'font-family="sans-serif" font-size="14" fill="#1d2a33"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            f'<defs>{head}</defs><rect width="100%" height="100%" fill="#ffffff"/>',
            f"<g {font}>",
            *shapes,
            "</g></svg>\n",
        ]
    )


PICTURE_FUNCTIONS = {"layers.svg": draw_layers, "data.svg": draw_way}


def main() -> None:
    """Write the pictures."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    for name, draw in PICTURE_FUNCTIONS.items():
        (PICTURES / name).write_text(draw(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
