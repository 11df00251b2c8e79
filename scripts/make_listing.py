# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the pictures of ``docs/listing``, with which the extensions platform presents the add-on.

Run it with the project's environment: ``.venv/bin/python scripts/make_listing.py``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from examples import demo  # noqa: E402

LISTING = ROOT / "docs" / "listing"
FEATURED_SIZE = (1920, 1080)
ICON_SIZE = (256, 256)
ICON_PART = (575, 175, 945, 545)
"""Left, top, right and bottom of the icon in the featured picture: who reaches up."""


def main() -> None:
    """Render the featured picture and cut the icon out of it."""
    LISTING.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        rendered = Path(folder) / "featured.png"
        armature, performance = demo.make_scene()
        demo.make_stage()
        demo.render(armature, performance, rendered, FEATURED_SIZE)
        with Image.open(rendered) as picture:
            featured = picture.convert("RGB")
    icon = featured.crop(ICON_PART).resize(ICON_SIZE, Image.Resampling.LANCZOS)
    # In true colours: a palette would band the background and pale the trackers.
    featured.save(LISTING / "featured.png", optimize=True)
    icon.save(LISTING / "icon.png", optimize=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the bpy module hangs in Python's own way out
