# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender that the command starts: ``python worker.py --command ssrhmr_bake ...``.

The bpy module has no program to start; this does what Blender does with ``--command``. A take
called "crash" ends it as a fault in Blender's own code would, one called "endless" never ends.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time


def main() -> int:
    """Run the command with the words that follow its name."""
    words = sys.argv[sys.argv.index("--command") + 2 :]
    if any(word.endswith("crash.bvh") for word in words):
        os.abort()
    if any(word.endswith("endless.bvh") for word in words):
        time.sleep(600)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ["BLENDER_USER_RESOURCES"] = folder
        import bpy  # noqa: F401

        import ssrhmr_blender
        from ssrhmr_blender.headless import command

        ssrhmr_blender.register()
        return command.run(words)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
