# SPDX-License-Identifier: GPL-3.0-or-later
"""Run pytest on the ``bpy`` wheel: ``python tests/run_pytest_bpy.py [pytest's arguments]``.

Blender starts in an empty user folder, so that nothing of the developer's own is read or changed.
The folder's name has a blank and other letters, as a home folder may.
The process ends without Python's usual clean-up: with classes or handlers still registered, the
wheel crashes there (4.2) or never returns (4.5), whatever the tests said.
"""

from __future__ import annotations

import os
import sys
import tempfile

import pytest


def main() -> int:
    """Run the tests in a fresh user folder and return pytest's exit code."""
    with tempfile.TemporaryDirectory(
        prefix="ssrhmr Jörg 工程 ", ignore_cleanup_errors=True
    ) as folder:
        # Blender reads this when bpy is first imported. Only then can its other modules (mathutils,
        # addon_utils) be imported, which a test file must not have to care about.
        os.environ["BLENDER_USER_RESOURCES"] = folder
        import bpy  # noqa: F401

        return int(pytest.main(sys.argv[1:]))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
