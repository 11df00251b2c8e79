# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and paths go; what a maintainer needs stays."""

from __future__ import annotations

import bpy
import pytest

from ssrhmr_blender.common.redaction import private_names, redact


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("'Alice Rig' has no bone 'spine.001'", "'<name>' has no bone '<name>'"),
        ("No bone for the left knee", "No bone for the left knee"),
        ("/home/ann/take one.csv: No such file", "<path>: No such file"),
        ("C:\\Users\\John Smith\\my take.csv: Denied", "<path>: Denied"),
        ("\\\\server\\share\\x.blend is locked", "<path> is locked"),
        ("see ~/Ann/take.bvh, line 3", "see <path>, line 3"),
        ("../Ann/take.bvh, line 3", "<path>, line 3"),
        ("/home/ann is full", "<path> is full"),
        ("Anns take.bvh, line 3", "<path>, line 3"),
        ("60 readings/s, 1.5 m/s and 3/4", "60 readings/s, 1.5 m/s and 3/4"),
        ("Größe von /home/zoë/Szene ä.blend", "Größe von <path>"),
        (
            "The action Alice Walk is gone, Alices is not",
            "The action <name> is gone, Alices is not",
        ),
        ("'/home/O'Neill/my takes/a b.csv': Denied", "'<name>': Denied"),
        ("/home/O'Neill/my takes/a b.csv: Denied", "<path>: Denied"),
        ("'Alice's Rig' isn't here, 'Bob' is", "'<name>' isn't here, '<name>' is"),
        ('File "/opt/ext/ssrhmr/bake/ops.py", line 3, in x', 'File "<path>", line 3, in x'),
    ],
)
def test_redact(text: str, wanted: str) -> None:
    assert redact(text, ["Alice", "Alice Walk", "m"]) == wanted


def test_names_of_the_file_and_of_the_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann-of-cleves")
    monkeypatch.setattr("platform.node", lambda: "anns-tower")
    armature = bpy.data.armatures.new("Bones of Ann")
    rig = bpy.data.objects.new("Ann", armature)
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    armature.edit_bones.new("anns_hip").tail = (0.0, 0.0, 1.0)
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.data.actions.new("Walk of Ann")
    wanted = {"Ann", "Bones of Ann", "anns_hip", "Walk of Ann", "ann-of-cleves", "anns-tower"}
    assert wanted <= private_names()
