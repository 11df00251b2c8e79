# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of extensions: a folder that any web server can serve to Blender.

Blender's own tool lists the zips. Blender shows the last entry of an extension that fits its
version, but installs the first: the listing therefore has one entry for each Blender, the newest
version that runs there. Older versions stay in the folder, to be downloaded from its page.
"""

from __future__ import annotations

import html
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

INDEX = "index.json"
PAGE = "index.html"

Entry = dict[str, Any]
"""An extension's manifest as Blender's tool lists it, with its archive's name, size and hash."""


class RepositoryError(Exception):
    """The zip cannot be published; the message says why."""


def publish(archive: Path, folder: Path, tool: Path) -> None:
    """Put a zip into a repository, and write its listing and its page.

    Args:
        archive: The built extension.
        folder: The repository; it is created if it does not exist.
        tool: Blender's ``blender_ext.py``.

    Raises:
        RepositoryError: The folder has other bytes under this version, or Blender's tool fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / archive.name
    if target.exists() and target.read_bytes() != archive.read_bytes():
        # People who have this version would never be offered the new one.
        raise RepositoryError(f"{target} is published with other bytes: raise the version")
    shutil.copyfile(archive, target)
    done = subprocess.run(
        [sys.executable, tool, "server-generate", "--repo-dir", folder],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    if done.returncode != 0:
        raise RepositoryError(f"Blender's tool fails: {done.stdout}{done.stderr}")
    listing = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    entries = sorted(listing["data"], key=lambda entry: (entry["id"], _numbers(entry["version"])))
    listing["data"] = select_entries(entries)
    text = json.dumps(listing, indent=2, sort_keys=True) + "\n"
    (folder / INDEX).write_text(text, encoding="utf-8", newline="\n")
    (folder / PAGE).write_text(make_page(entries), encoding="utf-8", newline="\n")


def select_entries(entries: list[Entry]) -> list[Entry]:
    """Return at most one entry for each extension and Blender: the newest version that runs there.

    Args:
        entries: Entries by id, and from the oldest version to the newest.
    """
    selected = []
    for _, versions in itertools.groupby(entries, key=lambda entry: entry["id"]):
        newer_minimum: str | None = None
        for entry in reversed(list(versions)):
            minimum = entry["blender_version_min"]
            if newer_minimum is None:
                selected.append(entry)
            elif _numbers(minimum) < _numbers(newer_minimum):
                maximum = min(
                    entry.get("blender_version_max", newer_minimum), newer_minimum, key=_numbers
                )
                selected.append({**entry, "blender_version_max": maximum})
            else:
                continue
            newer_minimum = minimum
    return selected


def make_page(entries: list[Entry]) -> str:
    """Return the page of a repository: the newest version to drag, all versions to download."""
    newest_first = entries[::-1]
    newest = newest_first[0]
    query = {"repository": f"./{INDEX}", "blender_version_min": newest["blender_version_min"]}
    rows = "\n".join(
        f'<tr><td><a download href="{html.escape(entry["archive_url"])}">'
        f"{html.escape(entry['version'])}</a></td>"
        f"<td>{html.escape(entry['blender_version_min'])}</td>"
        f"<td>{entry['archive_size'] / 1e6:.1f} MB</td>"
        f"<td><code>{html.escape(entry['archive_hash'])}</code></td></tr>"
        for entry in newest_first
    )
    return _PAGE.substitute(
        name=html.escape(newest["name"]),
        tagline=html.escape(newest["tagline"]),
        version=html.escape(newest["version"]),
        blender=html.escape(newest["blender_version_min"]),
        drag=html.escape(f"{newest['archive_url']}?{urlencode(query)}"),
        index=INDEX,
        rows=rows,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


_PAGE = Template(
    """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$name for Blender</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
.drag { display: inline-block; padding: .8rem 1.6rem; border-radius: .5rem; color: #fff;
  background: #0a5fb4; text-decoration: none; font-weight: 600; }
.versions { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; }
code { font-size: .8rem; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1d1d1d; } a { color: #8bbdf0; } .drag { color: #fff; }
}
</style>
</head>
<body>
<h1>$name</h1>
<p>$tagline.</p>
<p><a class="drag" href="$drag">Drag me into Blender</a></p>
<p>Drag the button into a window of Blender $blender or later, and choose OK to install $name
$version. The first time, Blender asks for more before that:</p>
<ol>
<li>If it has never been online: choose Allow Online Access, tick it in the preferences that open,
and drag again.</li>
<li>To add this repository: choose Add Repository, tick Check for Updates on Startup, choose Create,
and drag again.</li>
</ol>
<h2>Updates</h2>
<p>Instead of dragging you can add the repository yourself: Edit &gt; Preferences &gt; Get
Extensions &gt; Repositories &gt; + &gt; Add Remote Repository, with the address of
<a href="$index">$index</a>. Blender then offers new versions; your settings and presets stay.</p>
<h2>All versions</h2>
<p>A downloaded zip is installed with Edit &gt; Preferences &gt; Get Extensions &gt; Install from
Disk.</p>
<div class="versions">
<table>
<tr><th>Version</th><th>Blender from</th><th>Size</th><th>Checksum</th></tr>
$rows
</table>
</div>
</body>
</html>
"""
)
