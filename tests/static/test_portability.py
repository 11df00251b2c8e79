# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows and macOS would trip over, as far as the sources show it."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
LONGEST = 120
"""Characters of a path in the checkout; Windows allows 260 with the folder that it lies in."""


def tracked(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "-z", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return [name for name in done.stdout.split("\0") if name]


def find_bad_names(names: list[str]) -> list[str]:
    """Return the names that a file cannot have everywhere."""
    same = Counter(name.lower() for name in names)
    return [
        name
        for name in names
        if same[name.lower()] > 1
        or len(name) > LONGEST
        or any(
            RESERVED.match(part) or re.search(r'[<>:"|?*\\]|[ .]$', part)
            for part in PurePosixPath(name).parts
        )
    ]


def test_names_of_files_are_possible_everywhere() -> None:
    names = tracked()
    assert len(names) > 300 and find_bad_names(names) == []


@pytest.mark.parametrize(
    "name", ["docs/aux.md", "a:b.py", "end.", "COM1", "x" * 121, "what?.md", "README.MD"]
)
def test_a_bad_name_is_found(name: str) -> None:
    assert name in find_bad_names(["README.md", name])


def test_line_ends_are_the_same_everywhere() -> None:
    """In the repository and, by .gitattributes, in every checkout."""
    kinds = {tuple(line.split()[:3]) for line in tracked("--eol")}
    text = {kind for kind in kinds if kind[0] != "i/-text"}
    assert {kind[0] for kind in text} <= {"i/lf", "i/none"}
    assert {kind[2] for kind in text} == {"attr/text=auto"}, kinds
    assert {kind[2] for kind in kinds - text} <= {"attr/-text"}, "name these in .gitattributes"


def find_default_encodings(source: str) -> list[int]:
    """Return the lines that read or write text in whatever encoding the system has."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        modes = [*node.args, *(word.value for word in node.keywords if word.arg == "mode")]
        binary = any(
            isinstance(mode, ast.Constant) and re.fullmatch(r"[rwxa+t]*b[rwxa+t]*", str(mode.value))
            for mode in modes
        )
        opens_text = name == "open" and not binary and ast.unparse(node.func) != "lzma.open"
        # zipfile, tarfile, os and Pillow have functions of this name that know no text.
        opens_text &= not re.match(r"(os|archive|packed|tarfile|Image)\.", ast.unparse(node.func))
        named = any(word.arg == "encoding" for word in node.keywords)
        method = isinstance(node.func, ast.Attribute) and name in ("read_text", "write_text")
        # What a program says, as text.
        method |= any(
            word.arg in ("text", "universal_newlines") and ast.unparse(word.value) == "True"
            for word in node.keywords
        )
        if (opens_text or method) and not named:
            lines.append(node.lineno)
    return lines


def test_text_has_a_named_encoding() -> None:
    sources = [name for name in tracked("*.py") if not name.startswith("tests/")]
    assert len(sources) > 150
    faults = {
        name: lines
        for name in sources
        if (lines := find_default_encodings((ROOT / name).read_text(encoding="utf-8")))
    }
    assert faults == {}


@pytest.mark.parametrize(
    "line",
    [
        *("open(path)", "path.open('w')", "path.read_text()", "path.write_text(text)"),
        *("subprocess.run(words, text=True)", "Popen(words, universal_newlines=True)"),
    ],
)
def test_a_default_encoding_is_found(line: str) -> None:
    assert find_default_encodings(line) == [1]
    assert find_default_encodings("path.open('rb')\nopen(path, 'xb')") == []
    assert find_default_encodings("run(words, text=True, encoding='utf-8')") == []
