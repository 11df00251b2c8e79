# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Blender's extensions platform, as far as sources and manifest can show a breach."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

# The manual's page "Extensions Tags".
TAGS = frozenset(
    {
        *("3D View", "Add Curve", "Add Mesh", "Animation", "Bake", "Camera", "Compositing"),
        *("Development", "Game Engine", "Geometry Nodes", "Grease Pencil", "Import-Export"),
        *("Lighting", "Material", "Modeling", "Mesh", "Node", "Object", "Paint", "Pipeline"),
        *("Physics", "Render", "Rigging", "Scene", "Sculpt", "Sequencer", "System"),
        *("Text Editor", "Tracking", "User Interface", "UV"),
    }
)
LICENSES = frozenset({"SPDX:GPL-3.0-or-later"})
LONGEST_LINE = 64
"""Characters of a tagline and of the reason of a permission."""

# Each place where the platform asks for a reason, with that reason. The extension is the add-on and
# the part of the core that it runs; the core's commands for a terminal are not part of it.
NOT_RUN = ("ssrhmr_core/cli/*", "ssrhmr_core/evaluation/*", "ssrhmr_core/training/*")
NETWORK = {
    "ssrhmr_core/streaming/*": "receives trackers, on loopback unless the user opens it",
}
THREADS = {
    "ssrhmr_core/streaming/*": "reads sockets while live; stop() joins it",
    "ssrhmr_core/live/guided_calibration.py": "computes a calibration while live; close() joins it",
}
PROCESSES = {
    "ssrhmr_blender/headless/pool.py": "starts Blender, for a command that asks for it",
    "ssrhmr_core/streaming/steamvr/receiver.py": "starts the helper that reads SteamVR, while live",
}
SEARCH_PATH = {
    "ssrhmr_core/streaming/steamvr/helper.py": "runs outside Blender, in a process of its own",
}
OWN_FOLDER = {
    "ssrhmr_core/model/weights.py": "reads the weights",
    "ssrhmr_core/streaming/protocols/json_lines.py": "reads the schema",
    "ssrhmr_blender/headless/tasks.py": "reads the sources for a checksum",
    "ssrhmr_blender/translations/__init__.py": "reads the languages",
    "ssrhmr_blender/rig/control_schemes.py": "reads the schemes that come with the add-on",
    "ssrhmr_blender/example/performance.py": "reads the example",
    "ssrhmr_core/streaming/steamvr/receiver.py": "names the helper",
}
WRITES = {
    "ssrhmr_core/files.py": "writes the file that its caller names",
    "ssrhmr_core/formats/*": "writes the file that its caller names",
    "ssrhmr_core/model/weights.py": "writes the file that training names",
    "ssrhmr_blender/bake/control_rig.py": "copies a chosen scheme into the extension's user folder",
    "ssrhmr_blender/headless/*": "writes into the folder of the command line",
    "ssrhmr_blender/live/capture.py": "records into the user's folder",
    "ssrhmr_blender/presets/*": "writes presets into the extension's user folder, or exports one",
}
USER_FOLDER = {
    "ssrhmr_blender/common/user_folder.py": "the folder that Blender gives the extension",
}

_FOLDERS = {
    "user_resource",
    "extension_path_user",
    "expanduser",
    "home",
    "gettempdir",
    "script_path_user",
}
_BANNED_CALLS = {"eval", "exec", "compile", "__import__"}
_BANNED_IMPORTS = {
    **dict.fromkeys(("pip", "ensurepip", "venv", "site"), "installs packages"),
    **dict.fromkeys(
        ("urllib.request", "http", "ssl", "ftplib", "smtplib", "requests"), "goes online"
    ),
    **dict.fromkeys(("pickle", "marshal", "shelve", "runpy", "code"), "runs code from elsewhere"),
    **dict.fromkeys(("ctypes", "cffi"), "loads native code"),
}
_PLACED_IMPORTS: dict[str, Mapping[str, str]] = {
    **dict.fromkeys(("socket", "socketserver", "asyncio"), NETWORK),
    **dict.fromkeys(("threading", "concurrent", "_thread"), THREADS),
    **dict.fromkeys(("subprocess", "multiprocessing"), PROCESSES),
}
_WRITE_METHODS = {
    *("write_text", "write_bytes", "mkdir", "touch", "unlink", "rmdir", "rename", "symlink_to"),
    *("makedirs", "os.remove", "rmtree", "copyfile", "save_as_mainfile", "savez", "atomic_write"),
}
_SYS_STATE = {"path", "modules", "stdout", "stderr", "excepthook", "meta_path"}


def find_breaches(file: str, source: str) -> list[str]:
    """Return what a reviewer of the platform would send back.

    Args:
        file: Path of the source, from the checkout and with slashes.
        source: Its text.
    """
    if any(fnmatch(file, pattern) for pattern in NOT_RUN):
        return []
    return [
        f"{file}:{getattr(node, 'lineno', 0)}: {breach}"
        for node in ast.walk(ast.parse(source))
        for breach in (
            *_check_import(file, node),
            *_check_call(file, node),
            *_check_names(file, node),
        )
    ]


def _allowed(file: str, places: Mapping[str, str]) -> bool:
    return any(fnmatch(file, pattern) for pattern in places)


def _check_import(file: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return
    for name in names:
        for banned, why in _BANNED_IMPORTS.items():
            if f"{name}.".startswith(f"{banned}."):
                yield f"imports {name}, which {why}"
        for placed, places in _PLACED_IMPORTS.items():
            if f"{name}.".startswith(f"{placed}.") and not _allowed(file, places):
                yield f"imports {name}, for which no reason is given"
        if file.startswith("ssrhmr_blender/") and name.startswith("ssrhmr_core.streaming.sender."):
            yield "imports the sender: the add-on only receives"


def _check_call(file: str, node: ast.AST) -> Iterator[str]:
    if not isinstance(node, ast.Call):
        return
    function = node.func
    if isinstance(function, ast.Name) and function.id in _BANNED_CALLS:
        yield f"calls {function.id}()"
    if _writes(node) and not _allowed(file, WRITES):
        yield f"writes with {ast.unparse(function)}(), for which no reason is given"
    asked = isinstance(function, ast.Attribute) and function.attr in _FOLDERS
    if asked and not _allowed(file, USER_FOLDER):
        yield f"asks for a folder with {ast.unparse(function)}(), for which no reason is given"
    if isinstance(function, ast.Attribute) and ast.unparse(function) in ("os.system", "os.popen"):
        yield f"starts a program with {ast.unparse(function)}()"


def _writes(call: ast.Call) -> bool:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    if name == "open":
        first = [] if isinstance(function, ast.Attribute) else [ast.Constant("r")]
        modes = [*call.args[len(first) :], *(k.value for k in call.keywords if k.arg == "mode")]
        return any(
            isinstance(mode, ast.Constant)
            and re.fullmatch(r"[rbt]*[wax+][wbtax+]*", str(mode.value))
            for mode in modes
        )
    return name in _WRITE_METHODS or ast.unparse(function) in _WRITE_METHODS


def _check_names(file: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and node.id == "__file__" and not _allowed(file, OWN_FOLDER):
        yield "uses __file__, for which no reason is given"
    if isinstance(node, ast.alias) and node.name == "__file__" and not _allowed(file, OWN_FOLDER):
        yield "uses __file__, for which no reason is given"
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "sys":
        if node.attr == "path" and not _allowed(file, SEARCH_PATH):
            yield "uses sys.path"
        elif node.attr in _SYS_STATE and isinstance(node.ctx, ast.Store):
            yield f"replaces sys.{node.attr}"


def check_manifest(manifest: Mapping[str, object], oldest_blender: str) -> list[str]:
    """Return what is wrong with a manifest, complete or as it lies in the sources.

    Args:
        manifest: The parsed manifest.
        oldest_blender: The oldest Blender in which the add-on is tested, such as "4.2".
    """
    breaches = [
        f"lacks {key}"
        for key in (
            *("schema_version", "id", "name", "tagline", "maintainer", "type", "tags", "license"),
            *("blender_version_min", "copyright", "permissions"),
        )
        if not manifest.get(key)
    ]
    tags, licenses, permissions, holders = (
        manifest.get(key) or () for key in ("tags", "license", "permissions", "copyright")
    )
    assert isinstance(tags, (list, tuple)) and isinstance(licenses, (list, tuple))
    assert isinstance(permissions, (dict, tuple)) and isinstance(holders, (list, tuple))
    breaches += [f"unknown tag {tag}" for tag in tags if tag not in TAGS]
    breaches += [
        f"licence {each} is not the project's" for each in licenses if each not in LICENSES
    ]
    if "blender" in str(manifest.get("name")).lower():
        breaches.append("the name must not have 'Blender' in it")
    lines = {"tagline": str(manifest.get("tagline")), **dict(permissions)}
    for what, line in lines.items():
        if not line[:1].isupper() or not line[-1:].isalnum() or len(line) > LONGEST_LINE:
            breaches.append(f"{what} is no short sentence without a full stop: {line!r}")
    breaches += [
        f"copyright needs a year and a name: {holder!r}"
        for holder in holders
        if not re.fullmatch(r"\d{4}(-\d{4})? \S.*", holder)
    ]
    if manifest.get("blender_version_min") != f"{oldest_blender}.0":
        breaches.append(f"blender_version_min is not {oldest_blender}.0, the oldest one tested")
    if "blender_version_max" in manifest:
        breaches.append("blender_version_max is set, although no Blender is known to break it")
    return breaches


# What each permission of the manifest stands for in the sources.
_USES = {
    "files": r"ExportHelper|ImportHelper|\.write_text\(|atomic_write",
    "network": r"\bReceiver\b",
    "clipboard": r"\.clipboard\b",
    "camera": r"VideoCapture",
    "microphone": r"sounddevice",
}


def find_used_permissions(sources: Mapping[str, str]) -> set[str]:
    """Return the permissions that the add-on's sources need."""
    texts = [text for file, text in sources.items() if file.startswith("ssrhmr_blender/")]
    return {name for name, use in _USES.items() if any(re.search(use, text) for text in texts)}


def find_unasked_network(sources: Mapping[str, str]) -> list[str]:
    """Return the modules of the add-on that open the network without Blender's permission."""
    return [
        file
        for file, text in sources.items()
        if file.startswith("ssrhmr_blender/")
        and re.search(r"\bANYWHERE\b|INADDR_ANY|0\.0\.0\.0", text)
        if "bpy.app.online_access" not in text
    ]
