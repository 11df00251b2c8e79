# SPDX-License-Identifier: GPL-3.0-or-later
"""An extension repository over HTTP on loopback: Blender installs, updates and removes the add-on.

These tests build on each other, in order.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import addon_utils
import bpy
import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
REPOSITORY = "loopback"
MODULE = f"bl_ext.{REPOSITORY}.ssrhmr"


def load_module(place: str) -> ModuleType:
    """Return a module of the checkout, which is not on the import path."""
    spec = importlib.util.spec_from_file_location(Path(place).stem, CHECKOUT / place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


archives = load_module("tests/install/archives.py")
web_server = load_module("tests/install/web_server.py")
BUILT = archives.built_zip(CHECKOUT / "dist")


def repository() -> tuple[int, Any]:
    """Return index and settings of the repository in Blender's preferences."""
    repositories = bpy.context.preferences.extensions.repos
    return next((i, r) for i, r in enumerate(repositories) if r.module == REPOSITORY)


def installed_version() -> str:
    """Return the version in the manifest of the installed extension."""
    manifest = Path(repository()[1].directory) / "ssrhmr" / "blender_manifest.toml"
    match = re.search(r'^version = "(.+)"$', manifest.read_text(encoding="utf-8"), re.MULTILINE)
    assert match is not None
    return match[1]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which loopback serves it."""
    folder = tmp_path_factory.mktemp("repository")
    with web_server.served(folder) as address:
        yield folder, f"{address}/index.json"


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """What the tests tell each other."""
    return {}


def publish(folder: Path, archive: Path) -> None:
    scripts = Path(bpy.utils.system_resource("SCRIPTS"))
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    load_module("scripts/extension_repository.py").publish(archive, folder, tool)


def test_installs_from_the_repository(served: tuple[Path, str], state: dict[str, Any]) -> None:
    folder, address = served
    publish(folder, BUILT)
    preferences = bpy.context.preferences
    preferences.system.use_online_access = True
    state["user"] = Path(os.environ["BLENDER_USER_RESOURCES"])
    state["files"] = archives.files_below(state["user"])
    preferences.extensions.repos.new(name="Loopback", module=REPOSITORY, remote_url=address)
    number, _ = repository()
    assert bpy.ops.extensions.repo_sync(repo_index=number) == {"FINISHED"}
    bpy.ops.extensions.package_install(repo_index=number, pkg_id="ssrhmr", enable_on_install=True)
    assert addon_utils.check(MODULE) == (True, True)
    assert installed_version() == importlib.import_module("ssrhmr_core").__version__
    assert f'"{installed_version()}"' in (folder / "index.json").read_text(encoding="utf-8")


def test_updates_and_keeps_settings(
    served: tuple[Path, str], state: dict[str, Any], tmp_path: Path
) -> None:
    folder, _ = served
    scene = bpy.context.scene
    scene.ssrhmr.planting, scene.ssrhmr.proportions = 0.25, "FIT"
    scene.ssrhmr_live.port = 40001
    bpy.ops.ssrhmr.preset_save(kind="live", name="Mine")
    bpy.context.preferences.addons[MODULE].preferences.log_level = "DEBUG"
    blend = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))

    old = installed_version()
    archive = tmp_path / f"ssrhmr-{archives.NEXT}.zip"
    archive.write_bytes(archives.rewrite(BUILT.read_bytes(), old, archives.NEXT))
    publish(folder, archive)
    assert {path.name for path in folder.glob("*.zip")} == {BUILT.name, archive.name}
    bpy.ops.extensions.repo_sync(repo_index=repository()[0])
    bpy.ops.extensions.package_upgrade_all(use_active_only=False)

    assert installed_version() == archives.NEXT
    assert addon_utils.check(MODULE) == (True, True)
    assert importlib.import_module("ssrhmr_core").__version__ == archives.NEXT, (
        "the old core still runs"
    )
    for _ in range(2):
        scene = bpy.context.scene
        assert scene.ssrhmr.planting == pytest.approx(0.25)
        assert scene.ssrhmr.proportions == "FIT" and scene.ssrhmr_live.port == 40001
        bpy.ops.wm.open_mainfile(filepath=str(blend))
    assert bpy.context.preferences.addons[MODULE].preferences.log_level == "DEBUG"
    presets = list(state["user"].rglob("Mine.json"))
    assert len(presets) == 1 and json.loads(presets[0].read_text(encoding="utf-8"))


def test_uninstalling_leaves_nothing(state: dict[str, Any]) -> None:
    # A recording of a file that was never saved, as a live session leaves it.
    takes = Path(bpy.utils.extension_path_user(MODULE, path="takes", create=True))
    (takes / "take_001.csv").write_text("time,tracker\n", encoding="utf-8")
    added = archives.files_below(state["user"]) - state["files"]
    kinds = {Path(name).suffix for name in added}
    print(f"\n{len(added)} files were added: {', '.join(sorted(kinds))}")
    for part in ("/ssrhmr/blender_manifest.toml", "/ssrhmr_core/", "Mine.json", "take_001.csv"):
        assert any(part in name for name in added), part
    bpy.ops.extensions.package_uninstall(repo_index=repository()[0], pkg_id="ssrhmr")
    assert addon_utils.check(MODULE) == (False, False)
    assert archives.files_below(state["user"]) == state["files"]
    assert not [name for name in sys.modules if name.startswith(MODULE)]
