# SPDX-License-Identifier: GPL-3.0-or-later
"""Detection over rigs that are drawn at random: what is right, what is asked, what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.body.skeleton import INDEX, REQUIRED_JOINTS
from ssrhmr_core.rigs.bone_mapping import NONE, map_bones
from tests.core.example_rigs import RIGS
from tests.core.rigs.generator import HOMEMADE, GeneratedRig, draw_rig
from tests.core.rigs.table import Score, score_rigs

KINDS = [*sorted(RIGS), HOMEMADE]


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    """Return the scores of four rigs of each kind."""
    return score_rigs(4)


def share(score: Score, *kinds: str) -> float:
    """Return the share of slots of some kinds, in percent."""
    slots = sum(score.counts[kind] for kind in ("right", "asked", "wrong", "left empty"))
    return 100.0 * sum(score.counts[kind] for kind in kinds) / slots


def test_named_rigs(scores: dict[str, Score]) -> None:
    named = scores["all, named"]
    assert share(named, "right") > 99.0, "\n".join(named.wrong)
    assert share(named, "wrong", "left empty") < 0.2, "\n".join(named.wrong)


def test_nameless_rigs(scores: dict[str, Score]) -> None:
    nameless = scores["all, nameless"]
    assert share(nameless, "right", "asked, right") > 90.0, "\n".join(nameless.wrong)
    assert share(nameless, "wrong", "left empty") < 5.0, "\n".join(nameless.wrong)


def test_confidence_means_something(scores: dict[str, Score]) -> None:
    """At 0.9 and above 99.5 % are right; below 0.7 no bone is taken without asking."""
    confidence, right = (np.array(column) for column in zip(*scores["all"].mapped, strict=True))
    sure = confidence >= 0.9
    assert sure.sum() > 3000 and right[sure].mean() >= 0.995
    likely = (confidence >= 0.7) & ~sure
    assert likely.sum() > 500 and right[likely].mean() >= 0.9
    assert right[confidence < 0.7].mean() < right[likely].mean()


def sure_and_wrong(rig: GeneratedRig) -> list[str]:
    """Return the bones of confidence 0.9 and above that are wrong."""
    mapping = map_bones(rig.names, rig.parents, rig.positions)
    return [
        f"{rig.names[bone]} for joint {joint}, {rig.traits}, {mapping.family}"
        for joint, bone in enumerate(mapping.bones.tolist())
        if mapping.confidence[joint] > 0.89 and bone not in rig.right.get(joint, frozenset())
    ]


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 100_000))
def test_at_most_a_few_bones_are_wrong_in_silence(kind: str, seed: int) -> None:
    """No rig is mapped wrong as a whole, whatever stands before, after and beside its names."""
    assert len(sure_and_wrong(draw_rig(kind, seed))) <= 4


@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 100_000))
def test_whatever_is_doubtful_is_asked(kind: str, seed: int) -> None:
    rig = draw_rig(kind, seed)
    mapping = map_bones(rig.names, rig.parents, rig.positions)
    for joint, bone in enumerate(mapping.bones.tolist()):
        if bone != NONE and mapping.confidence[joint] < 0.7:
            assert mapping.ambiguous[joint][0] == bone
        if bone == NONE and joint in mapping.ambiguous:
            assert len(mapping.ambiguous[joint]) > 1
    assert len(mapping.missing) == sum(mapping.bones[joint] == NONE for joint in REQUIRED_JOINTS)


@given(kind=st.sampled_from(sorted(RIGS)), seed=st.integers(0, 100_000))
def test_the_generator_tells_the_truth(kind: str, seed: int) -> None:
    """What it calls right exists, is one body, and is the example's where nothing is left out."""
    rig = draw_rig(kind, seed)
    assert len(rig.names) == len(rig.parents) == len(rig.positions)
    assert all(0 <= bone < len(rig.names) for bones in rig.right.values() for bone in bones)
    for joint in ("hips", "chest", "head", "left_elbow", "right_knee"):
        assert rig.right[INDEX[joint]]
    if not rig.nameless and "scrambled" not in rig.traits:
        head = rig.names[next(iter(rig.right[INDEX["head"]]))].lower()
        letters = "".join(filter(str.isalpha, RIGS[kind][1]["head"].lower()))
        assert letters in "".join(filter(str.isalpha, head))
