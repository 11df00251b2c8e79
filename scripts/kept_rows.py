# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a table that takes long to measure, kept in a JSON file: an interrupted run resumes."""

from __future__ import annotations

import json
from pathlib import Path

from ssrhmr_core.files import atomic_write


class KeptRows(dict[str, dict]):
    """The rows by their names; those that the file has need not be measured again."""

    def __init__(self, path: Path) -> None:
        """Read the rows that the file has."""
        super().__init__(json.loads(path.read_text(encoding="utf-8")) if path.exists() else {})
        self._path = path

    def keep(self, name: str, row: dict) -> None:
        """Add or replace a row, and write the file."""
        self[name] = row
        atomic_write(self._path, json.dumps(self, indent=1) + "\n")
