# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's commands, as far as can be told without running them."""

from __future__ import annotations

import pytest

from tests.replay_readme import README, commands


def test_commands_are_found_and_known() -> None:
    found = [command.run for command in commands(README.read_text(encoding="utf-8"))]
    assert found[:3] == ["python tasks.py demo", "python tasks.py test", ". .venv/bin/activate"]
    assert "python -m ssrhmr_core reconstruct examples/sample_take.bvh -o OUT.bvh" in found
    assert "python build_addon.py" in found
    with pytest.raises(ValueError, match=r"stand in for CLIP\.fbx"):
        commands("    python -m ssrhmr_core reconstruct CLIP.fbx -o OUT.bvh")
