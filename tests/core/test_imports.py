# SPDX-License-Identifier: GPL-3.0-or-later
"""What the core imports without being told to."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN_TIME = """
import importlib
import pkgutil
import sys

import ssrhmr_core

TRAINING = ("ssrhmr_core.training", "ssrhmr_core.evaluation.paper", "ssrhmr_core.__main__")
for found in pkgutil.walk_packages(ssrhmr_core.__path__, "ssrhmr_core."):
    if not found.name.startswith(TRAINING):
        importlib.import_module(found.name)
ssrhmr_core.load_motion(sys.argv[1])
print("torch" in sys.modules)
"""


def test_only_training_imports_torch() -> None:
    """It would take 0.2 GB of each process that bakes, and a second to start."""
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    done = subprocess.run(
        [sys.executable, "-c", RUN_TIME, str(ROOT / "examples" / "sample_take.bvh")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
