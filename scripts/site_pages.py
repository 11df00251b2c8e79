# SPDX-License-Identifier: GPL-3.0-or-later
"""A hook of MkDocs: pages that lie outside of ``docs/``, and pages made from the sources.

The README, CONTRIBUTING and so on stay where their readers on a code host look for them; links
between all pages are the ones that work there, and are rewritten here for the site.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "weights/MODEL_CARD.md": "model_card.md",
}
"""Pages of the site by the file of the checkout that they are."""
_LEFT_OUT = {"README.md"}
"""The list of pages, which the site's navigation replaces."""
_LINK = re.compile(r"(\]\()(?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?(\))")
_IN_ITEM, _ITEM_INDENT = re.compile(r"^ {2,3}(?=\S)", re.MULTILINE), "    "
"""What belongs to an item of a list: MkDocs ends the list unless it is indented by four blanks,
code hosts let it begin where the text of the item does."""
_ITEM_END = re.compile(r"(\n\n {4}\S[^\n]*(?:\n {4}\S[^\n]*)*)\n(?=\d+\. |[-*] )")
"""A paragraph of an item that the next item follows at once: MkDocs takes both for one."""
_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):<code>(~?)([\w.]+)")
"""A reference in a docstring, such as ``:class:`~package.module.Name``` after Markdown."""
_API = {"Python API": "api/index.md"}
_LESS = "---\nsearch:\n  boost: 0.3\n---\n\n"
"""Searches show the manual first: users are more than programmers."""
_UNDOCUMENTED = {"cli"}
"""Packages whose users are not programs."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of the API to the navigation."""
    pages = [{name: f"api/{name}.md"} for name in packages()]
    for section in config.nav or []:
        for title, entries in section.items():
            if isinstance(entries, list) and _API in entries:
                at = entries.index(_API)
                section[title] = [
                    *entries[:at],
                    {"Python API": ["api/index.md", *pages]},
                    *entries[at + 1 :],
                ]
                return config
    raise ValueError(f"mkdocs.yml: the navigation has no {_API}")


def packages() -> list[str]:
    """Return the packages of the core that have a page of the API."""
    found = {path.parent.name for path in (ROOT / "ssrhmr_core").glob("*/__init__.py")}
    return sorted(found - _UNDOCUMENTED)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in ``docs/``, and files that pages link to."""
    from mkdocs.structure.files import File  # here, so that tests need no MkDocs

    for name in _LEFT_OUT:
        left_out = files.get_file_from_path(name)
        if left_out is not None:
            files.remove(left_out)
    for source, page in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for page, text in api_pages().items():
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, "api/operators.md", content=operators_page()))
    for target in sorted(linked_files(files)):
        files.append(File.generated(config, f"files/{target}", abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the checkout into links between pages."""
    path = page.file.src_uri

    def rewrite(link: re.Match[str]) -> str:
        start, target, anchor, end = link.groups()
        if not target:
            return link[0]
        place = site_path(repository_path(path), target)
        relative = posixpath.relpath(place, posixpath.dirname(path) or ".")
        return f"{start}{relative}{anchor or ''}{end}"

    indented = outside_of_code(_IN_ITEM, _ITEM_INDENT, markdown)
    return outside_of_code(_LINK, rewrite, outside_of_code(_ITEM_END, r"\1\n\n", indented))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show names that docstrings refer to as code; in Markdown their roles are plain text."""
    return _ROLE.sub(
        lambda role: f"<code>{role[2].rpartition('.')[2] if role[1] else role[2]}", html
    )


def outside_of_code(pattern: re.Pattern[str], replace: object, markdown: str) -> str:
    """Substitute a pattern in a page, fenced blocks of code excepted."""
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if part.startswith("```") else pattern.sub(replace, part)  # type: ignore[call-overload]
        for part in parts
    )


def repository_path(page: str) -> str:
    """Return the file of the checkout that a page of the site is."""
    return {page: source for source, page in OUTSIDE.items()}.get(page, f"docs/{page}")


def site_path(source: str, target: str) -> str:
    """Return where the site has the file that a file of the checkout links to."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path == "docs/README.md":
        return "index.md"
    if path in OUTSIDE:
        return OUTSIDE[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"


def linked_files(files: Files) -> set[str]:
    """Return the files of the checkout that pages link to and that are not pages."""
    targets = set()
    for file in files.documentation_pages():
        source = repository_path(file.src_uri)
        for _, target, _, _ in _LINK.findall(file.content_string):
            place = site_path(source, target) if target else ""
            if place.startswith("files/") and (ROOT / place.removeprefix("files/")).is_file():
                targets.add(place.removeprefix("files/"))
    return targets


def api_pages() -> dict[str, str]:
    """Return the pages of the core's API: its public names, and one page a package."""
    pages = {
        "api/index.md": "# Python API\n\n"
        "`pip install .` in a checkout gives the core without Blender. The names below are"
        " imported from `ssrhmr_core`; the packages hold everything else.\n\n"
        + "".join(f"- [`ssrhmr_core.{name}`]({name}.md)\n" for name in packages())
        + "\n::: ssrhmr_core\n    options:\n      members_order: __all__\n\n"
        "::: ssrhmr_core.pipeline\n"
    }
    for package in packages():
        blocks = "\n".join(f"::: {module}\n" for module in public_modules(package))
        pages[f"api/{package}.md"] = f"{_LESS}# ssrhmr_core.{package}\n\n{blocks}"
    return pages


def public_modules(package: str) -> Iterator[str]:
    """Yield the modules of a package of the core by their dotted names."""
    for path in sorted((ROOT / "ssrhmr_core" / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not any(part.startswith("_") for part in parts):
            yield ".".join(parts)


def operators_page() -> str:
    """Return the page of the add-on's operators, from their classes."""
    rows = sorted(operators())
    table = "\n".join(f"| `bpy.ops.{name}` | {label} | {text} |" for name, label, text in rows)
    return (
        "# Operators\n\nEverything that the panels do can be called from scripts. Settings are in"
        " `scene.ssrhmr` (the active character's setup), `scene.ssrhmr_live` and"
        " `scene.ssrhmr_characters`; tooltips with *Python Tooltips* enabled show their names.\n\n"
        f"| operator | button | what it does |\n|---|---|---|\n{table}\n"
    )


def operators() -> Iterator[tuple[str, str, str]]:
    """Yield identifier, label and description of each operator of the add-on."""
    for path in (ROOT / "ssrhmr_blender").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef):
                continue
            texts = {
                target.id: statement.value.value
                for statement in node.body
                if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
                for target in statement.targets
                if isinstance(target, ast.Name)
            }
            name = texts.get("bl_idname")
            if isinstance(name, str) and name.startswith("ssrhmr."):
                yield (
                    name,
                    str(texts["bl_label"]),
                    " ".join((ast.get_docstring(node) or "").split()),
                )
