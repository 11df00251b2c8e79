# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension keeps the platform's rules; and each rule notices a planted breach."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

import build_addon
import tasks
from tests.static import platform_rules
from tests.static.platform_rules import (
    check_manifest,
    find_breaches,
    find_unasked_network,
    find_used_permissions,
)

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for package in ("ssrhmr_blender", "ssrhmr_core")
    for path in sorted((ROOT / package).rglob("*.py"))
}
OLDEST = min(tasks.BLENDERS, key=lambda version: tuple(map(int, version.split("."))))


def manifest() -> dict[str, Any]:
    """Return the manifest of the zip."""
    text = (ROOT / "ssrhmr_blender" / "blender_manifest.toml").read_text(encoding="utf-8")
    complete = build_addon.complete_manifest(text, build_addon.read_version(), None, ["a.whl"])
    return tomllib.loads(complete)


def test_the_sources_keep_the_rules() -> None:
    assert len(SOURCES) > 100
    assert [breach for file, text in SOURCES.items() for breach in find_breaches(file, text)] == []


@pytest.mark.parametrize(
    ("line", "breach"),
    [
        ("eval('1')", "calls eval()"),
        ("exec(text)", "calls exec()"),
        ("sys.path.append(folder)", "uses sys.path"),
        ("sys.stdout = log", "replaces sys.stdout"),
        ("import pip", "imports pip"),
        ("from pip._internal import main", "imports pip"),
        ("import urllib.request", "goes online"),
        ("from urllib import request", "goes online"),
        ("import requests", "goes online"),
        ("import pickle", "runs code from elsewhere"),
        ("import ctypes", "loads native code"),
        ("import socket", "no reason is given"),
        ("from threading import Thread", "no reason is given"),
        ("import subprocess", "no reason is given"),
        ("os.system('pip install x')", "starts a program"),
        ("open(path, 'w')", "writes with open()"),
        ("open(path, mode='ab')", "writes with open()"),
        ("path.open('r+')", "writes with path.open()"),
        ("target.write_text('y')", "writes with target.write_text()"),
        ("folder = Path.home()", "asks for a folder with Path.home()"),
        ("bpy.utils.user_resource('CONFIG')", "asks for a folder with bpy.utils.user_resource()"),
        ("folder.mkdir(parents=True)", "writes with folder.mkdir()"),
        ("here = Path(__file__).parent", "uses __file__"),
        ("from ssrhmr_core import __file__", "uses __file__"),
        ("from ssrhmr_core.streaming.sender import send", "only receives"),
    ],
)
def test_a_breach_in_the_sources_is_noticed(line: str, breach: str) -> None:
    (found,) = find_breaches("ssrhmr_blender/bake/ops.py", line)
    assert found.startswith("ssrhmr_blender/bake/ops.py:1: ") and breach in found


@pytest.mark.parametrize(
    "line", ["open(path)", "path.open('rb')", "from urllib.parse import quote"]
)
def test_what_only_reads_is_no_breach(line: str) -> None:
    assert find_breaches("ssrhmr_blender/bake/ops.py", line) == []


PLACES = [
    (name, place)
    for name in (
        *("NETWORK", "THREADS", "PROCESSES", "SEARCH_PATH", "OWN_FOLDER", "WRITES", "USER_FOLDER"),
    )
    for place in getattr(platform_rules, name)
]


@pytest.mark.parametrize(("name", "place"), PLACES)
def test_every_reason_is_needed(monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    """A place that no longer needs its exception loses it."""
    monkeypatch.delitem(getattr(platform_rules, name), place)
    files = [file for file in SOURCES if fnmatch(file, place)]
    assert any(find_breaches(file, SOURCES[file]) for file in files)


def test_the_manifest_keeps_the_rules() -> None:
    assert check_manifest(manifest(), OLDEST) == []


@pytest.mark.parametrize(
    ("key", "value", "breach"),
    [
        ("maintainer", "", "lacks maintainer"),
        ("copyright", [], "lacks copyright"),
        ("copyright", ["The contributors"], "needs a year"),
        ("tags", ["Animation", "Mocap"], "unknown tag Mocap"),
        ("license", ["SPDX:Apache-2.0"], "is not the project's"),
        ("name", "SSR-HMR for Blender", "'Blender'"),
        ("tagline", "It animates.", "tagline"),
        ("permissions", {"files": "a" * 65}, "files"),
        ("blender_version_min", "4.0.0", "oldest one tested"),
        ("blender_version_max", "6.0.0", "blender_version_max"),
    ],
)
def test_a_breach_in_the_manifest_is_noticed(key: str, value: object, breach: str) -> None:
    found = check_manifest({**manifest(), key: value}, OLDEST)
    assert any(breach in each for each in found), found


def test_permissions_are_those_that_are_used() -> None:
    assert set(manifest()["permissions"]) == find_used_permissions(SOURCES)


def test_a_permission_that_is_not_declared_is_noticed() -> None:
    planted = {"ssrhmr_blender/a.py": "context.window_manager.clipboard = text"}
    assert find_used_permissions(planted) == {"clipboard"}
    assert find_used_permissions({"ssrhmr_core/a.py": "Receiver"}) == set()


def test_the_network_is_opened_only_with_blenders_permission() -> None:
    planted = {"ssrhmr_blender/a.py": "Receiver(host=ANYWHERE)"}
    assert find_unasked_network(planted) == ["ssrhmr_blender/a.py"]
    assert any("ANYWHERE" in text for file, text in SOURCES.items() if "ssrhmr_blender" in file)
    assert find_unasked_network(SOURCES) == []


def test_version_and_website_are_written_once() -> None:
    """Manifest and wheel take the version from the core, the website from pyproject.toml."""
    source = (ROOT / "ssrhmr_blender" / "blender_manifest.toml").read_text(encoding="utf-8")
    assert not {"version", "website", "wheels"} & set(tomllib.loads(source))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    complete = tomllib.loads(
        build_addon.complete_manifest(source, "1.2.3", "https://example.org", ["a.whl", "b.whl"])
    )
    assert (complete["version"], complete["website"]) == ("1.2.3", "https://example.org")
    assert complete["wheels"] == ["./wheels/a.whl", "./wheels/b.whl"]
