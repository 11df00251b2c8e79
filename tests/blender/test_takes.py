"""Takes from files: imported as empties, baked directly."""

from __future__ import annotations

from .test_bake import bone_places  # noqa: F401
