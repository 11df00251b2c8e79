# SPDX-License-Identifier: GPL-3.0-or-later
"""Take names and paths out of texts that users show to strangers."""

from __future__ import annotations

import contextlib
import getpass
import platform
import re
from collections.abc import Iterable
from pathlib import Path

import bpy

NAME, PATH = "<name>", "<path>"
_SHORTEST = 2
"""Letters of the shortest name that is replaced: 'x' would take apart every word with a sign."""
_COLLECTIONS = ("actions", "armatures", "cameras", "collections", "meshes", "objects", "scenes")
# A path may hold spaces: as long as a separator follows, they belong to it, and in the last part up
# to the ending of the file.
_PART = r"(?:[^\\/:*?\"<>|'\n]|'(?=\w))"
_LAST = rf"(?:{_PART}*?\.\w{{1,6}}\b|[^\s\\/:*?\"<>|'\n]*)"
_PATHS = re.compile(rf"(?<![\w.])(?:[A-Za-z]:|~|\\|\.\.?)?[\\/](?:{_PART}+[\\/])*{_LAST}")
_FILES = re.compile(r"\b[\w\-. ()]+\.(?:avatar|blend|bvh|csv|fbx|json|npz|trc|tsv|txt|vrm|xz)\b")
_QUOTED = re.compile(r"(?<!\w)'(?:[^'\n]|'(?=\w))+'")


def redact(text: str, names: Iterable[str] = ()) -> str:
    """Return a text without names and paths.

    Args:
        text: Message, such as of an error.
        names: Names to replace wherever they stand as words. Whatever stands between single quotes
            is replaced in any case: messages quote what the user named.
    """
    text = _QUOTED.sub(f"'{NAME}'", _PATHS.sub(PATH, text))
    present = {name for name in names if len(name) >= _SHORTEST and name in text}
    for name in sorted(present, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", NAME, text)
    return _FILES.sub(PATH, text)


def private_names() -> set[str]:
    """Return the names that the open file and this computer hold."""
    names = {block.name for kind in _COLLECTIONS for block in getattr(bpy.data, kind)}
    names |= {bone.name for armature in bpy.data.armatures for bone in armature.bones}
    names |= {platform.node(), Path(bpy.data.filepath).stem}
    with contextlib.suppress(OSError, KeyError, ImportError):  # no such user, as in a container
        names.add(getpass.getuser())
    return names
