# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom: features use services, services have an order, the core knows no Blender."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADDON = ROOT / "ssrhmr_blender"

LAYERS = (
    ("translations",),
    ("properties", "common"),
    ("animation",),
    ("rig",),
    ("trackers",),
    ("baking",),
)
"""Services, each of which may import from those of its own layer and of the layers before."""
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
FEATURES = {path.name for path in ADDON.iterdir() if (path / "__init__.py").is_file()} - {*LAYER_OF}


def imported_modules(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Yield line and absolute name of each module that a file imports, at any place in it."""
    package = [root.name, *path.relative_to(root).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            names = [*above, *filter(None, (node.module or "").split("."))]
            if len(names) > 1 or node.module:
                yield node.lineno, ".".join(names)
            else:
                # ``from . import x`` and ``from .. import x`` name modules or packages.
                yield from ((node.lineno, ".".join([*names, a.name])) for a in node.names)


def parts_imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and folder of the add-on of each import from another of its folders."""
    own = path.relative_to(ADDON).parts[0]
    for line, module in imported_modules(path, ADDON):
        package, _, rest = module.partition(".")
        part = rest.split(".")[0]
        if package == ADDON.name and part != own:
            yield line, part


def files_of(part: str) -> list[Path]:
    return sorted((ADDON / part).rglob("*.py"))


@pytest.mark.parametrize("feature", sorted(FEATURES))
def test_features_import_services_only(feature: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {part}"
        for path in files_of(feature)
        for line, part in parts_imported(path)
        if part not in LAYER_OF
    ]
    assert wrong == []


@pytest.mark.parametrize("service", sorted(LAYER_OF))
def test_services_import_from_layers_below(service: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {part}"
        for path in files_of(service)
        for line, part in parts_imported(path)
        if LAYER_OF.get(part, len(LAYERS)) > LAYER_OF[service]
    ]
    assert wrong == []


def test_the_core_knows_no_blender() -> None:
    core = ROOT / "ssrhmr_core"
    foreign = {"bpy", "mathutils", "bpy_extras", "ssrhmr_blender"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sorted(core.rglob("*.py"))
        for line, module in imported_modules(path, core)
        if module.split(".")[0] in foreign
    ]
    assert wrong == []


def test_breaches_are_seen() -> None:
    """Among the imports of known files are those that these tests judge."""
    job = {part for _, part in parts_imported(ADDON / "baking" / "job.py")}
    assert {"animation", "common", "properties", "rig", "trackers"} <= job
    register = {module for _, module in imported_modules(ADDON / "__init__.py", ADDON)}
    assert "ssrhmr_blender.properties" in register and "ssrhmr_blender.live" in register
    assert {"bake", "batch", "headless", "live", "presets"} <= FEATURES
