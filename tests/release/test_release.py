# SPDX-License-Identifier: GPL-3.0-or-later
"""A release, made of a copy of this checkout; nothing leaves the machine."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import build_addon
from scripts import release

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n\n- News.\n\n## 0.1.0\n\n- Old.\n"


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the files of this checkout, all committed."""
    root = tmp_path_factory.mktemp("project")
    for name in git(ROOT, "ls-files", "-co", "--exclude-standard", "-z").split("\0")[:-1]:
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    git(root, "init", "--quiet", "--initial-branch", "main")
    git(root, "config", "user.name", "Tester")
    git(root, "config", "user.email", "tester@example.org")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "All")
    return root


def test_a_dry_run_makes_and_checks_all_files_and_changes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the same with --apply: the checkout has the version, the changelog and the tag."""
    head = git(project, "rev-parse", "HEAD")
    release.main(["7.8.9"], root=project)
    assert "Nothing else was changed" in capsys.readouterr().out
    assert git(project, "rev-parse", "HEAD") == head and git(project, "tag") == ""
    assert git(project, "status", "--porcelain") == ""
    out = project / "dist" / "release-7.8.9"
    assert {path.name for path in out.iterdir()} == {
        *("ssrhmr-7.8.9.zip", "ssrhmr_core-7.8.9-py3-none-any.whl", "ssrhmr_core-7.8.9.tar.gz"),
        *("SHA256SUMS", "NOTES.md"),
    }
    for line in (out / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest

    (project / "note.txt").write_text("?", encoding="utf-8")
    with pytest.raises(SystemExit, match="not committed"):
        release.main(["7.8.9"], root=project)
    (project / "note.txt").unlink()


def test_applying_commits_and_tags(project: Path, tmp_path: Path) -> None:
    release.make_clone(project, tmp_path / "clone", "7.8.9", "2026-11-30")
    release.apply_release(project, tmp_path / "clone", "7.8.9")
    assert build_addon.read_version(project) == "7.8.9"
    changelog = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## Unreleased\n\n## 7.8.9 - 2026-11-30\n\n### " in changelog
    assert git(project, "describe") == "v7.8.9\n"
    assert git(project, "log", "-1", "--format=%an <%ae> %s") == (
        "Tester <tester@example.org> Release 7.8.9\n"
    )
    with pytest.raises(SystemExit, match=r"v7\.8\.9 exists"):
        release.main(["7.8.9"], root=project)


@pytest.mark.parametrize(
    ("wanted", "message"), [("1.2", "three numbers"), ("0.9.0", "older than 0.10.0")]
)
def test_versions_that_are_refused(wanted: str, message: str) -> None:
    assert release.next_version("0.10.0", "0.10.0") == "0.10.0"
    with pytest.raises(release.ReleaseError, match=message):
        release.next_version("0.10.0", wanted)


def test_the_changelog_is_rolled_over() -> None:
    assert release.roll_changelog(CHANGELOG, "0.2.0", "2026-11-30") == (
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-11-30\n\n### Added\n\n- News.\n"
        "\n## 0.1.0\n\n- Old.\n"
    )
    with pytest.raises(release.ReleaseError, match="nothing under Unreleased"):
        release.roll_changelog(CHANGELOG.replace("### Added\n\n- News.\n", ""), "0.2.0", "")


def test_an_upload_needs_a_tag_an_address_and_a_token(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in release.TOKENS.values():
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit):
        release.main(["8.0.0", "--upload", "pypi"], root=project)
    assert "--upload needs --apply" in capsys.readouterr().err
    problems = "; ".join(release.find_problems(project, "8.0.0", ["blender", "pypi"]))
    assert "SSRHMR_BLENDER_TOKEN" in problems and "SSRHMR_PYPI_TOKEN" in problems
    assert ("no address" in problems) == (build_addon.read_website(project) is None)


def test_builds_that_differ_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.zip", "a.whl", "a.tar.gz", "b.whl")]
    for path in paths:
        path.write_bytes(path.name[:1].encode())
    first = release.Files(paths[0], paths[1], paths[2])
    release.check_same(first, first)
    with pytest.raises(release.ReleaseError, match=r"another a\.whl"):
        release.check_same(first, release.Files(paths[0], paths[3], paths[2]))


class Platform(HTTPServer):
    """The platform on loopback: it keeps what it receives and answers as told."""

    status = 201
    received: tuple[str, str, bytes] = ("", "", b"")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Platform)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received = (self.path, self.headers["Authorization"], body)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b'{"message": "version exists"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def platform() -> Iterator[Platform]:
    server = Platform(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_extension_is_sent_with_its_notes_and_token(platform: Platform, tmp_path: Path) -> None:
    archive = tmp_path / "ssrhmr-7.8.9.zip"
    archive.write_bytes(b"PK\0zip")
    address = f"http://127.0.0.1:{platform.server_address[1]}"
    release.upload_extension(archive, "News.", "secret", address)
    path, authorization, body = platform.received
    assert path == "/api/v1/extensions/ssrhmr/versions/upload/"
    assert authorization == "Bearer secret"
    assert b'name="version_file"; filename="ssrhmr-7.8.9.zip"\r\n\r\nPK\0zip\r\n--' in body
    assert b'name="release_notes"\r\n\r\nNews.\r\n--' in body
    platform.status = 400
    with pytest.raises(release.ReleaseError, match=r"refuses the upload \(400\).*version exists"):
        release.upload_extension(archive, "News.", "secret", address)
    with pytest.raises(release.ReleaseError, match="no answer"):
        release.upload_extension(archive, "News.", "secret", "http://127.0.0.1:1")
