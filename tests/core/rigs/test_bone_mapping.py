# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bone is which joint, for the rigs people have."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssrhmr_core.body.skeleton import INDEX, JOINTS, PARENTS, Skeleton
from ssrhmr_core.rigs.bone_mapping import NONE, Family, families, map_bones
from tests.core.drawn import seeds
from tests.core.example_rigs import LONG, RIGS, Rig, both, family_of, place_bones

# Kinds whose tables write their names with another prefix.
PREFIXED = {"Mixamo and HumanIK: Decentraland", "Character Creator and AccuRig: iClone"}


@pytest.mark.parametrize("kind", RIGS)
def test_families(kind: str) -> None:
    rig, joints = RIGS[kind]
    mapping = rig.map()
    assert mapping.family == family_of(kind)
    assert rig.named(mapping) == joints
    assert not mapping.missing
    present = mapping.bones != NONE
    assert (mapping.confidence[present] >= 0.8).all()
    assert (mapping.confidence[~present] == 0.0).all()
    as_written = 0.9 if kind in PREFIXED else 1.0
    assert np.isclose(mapping.confidence, as_written).sum() >= present.sum() - 3
    assert not mapping.ambiguous and not mapping.warnings


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_tables(family: Family) -> None:
    """Every table names each joint once, and its own first names lead back to it."""
    assert set(family.joints) <= set(JOINTS)
    names, parents = [""] * 22, list(PARENTS)
    for joint, candidates in family.joints.items():
        names[INDEX[joint]] = candidates[0]
    known = [joint for joint in JOINTS if joint in family.joints]
    mapping = map_bones(names, parents)
    for joint in known:
        assert mapping.bones[INDEX[joint]] == INDEX[joint] or "spine" in joint
    if family.confidence == 1.0:
        assert mapping.confidence[[0, 1, 2, 3, 13, 16, 20]].min() == 1.0


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda name: f"Hero_{name}",
        lambda name: f"Armature|Hero:{name}",
        lambda name: name.replace("_l", ".L").replace("_r", ".R"),
        lambda name: name.replace("_l", "_左").replace("_r", "_右"),
        lambda name: name.replace("_l", "_Lft").replace("_r", "_Rgt"),
        lambda name: name.replace("_l", " Left").replace("_r", " Right").title(),
        lambda name: "DEF-" + name,
        lambda name: f"{name}.001",
        lambda name: f"{name}_{sum(map(ord, name))}",
        lambda name: f"Rig007{name}",
    ],
    ids=[
        *("upper", "hero", "namespace", "dot", "kanji", "maya", "words", "deform"),
        *("copy", "gltf", "glued"),
    ],
)
def test_other_spellings(change: Callable[[str], str]) -> None:
    rig, joints = RIGS["Unreal mannequin: UE5"]
    names = [change(name) for name in rig.names]
    mapping = map_bones(names, rig.parents)
    assert {j: rig.names[mapping.bones[INDEX[j]]] for j in joints} == joints
    assert (mapping.confidence >= 0.7).all()


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("Mixamo and HumanIK", "mixamorig:", "mixamorig1:"),
        ("Mixamo and HumanIK", "mixamorig:", "mixamorig_"),
        ("Mixamo and HumanIK", "mixamorig:", ""),
        ("3ds Max Biped", "Bip001 ", "Bip01 "),
        ("3ds Max Biped", "Bip001 ", "ValveBiped.Bip01_"),
        ("Character Creator and AccuRig", "CC_Base_", ""),
        ("Rigify meta-rig", "", "ORG-"),
    ],
)
def test_other_prefixes(kind: str, old: str, new: str) -> None:
    rig, joints = RIGS[kind]
    names = [new + name.removeprefix(old) for name in rig.names]
    mapping = map_bones(names, rig.parents)
    assert {j: rig.names[mapping.bones[INDEX[j]]] for j in joints} == joints


@pytest.mark.parametrize(
    ("spine", "chosen"),
    [
        ("A", (None, None, "A")),
        ("A B", ("A", None, "B")),
        ("A B C", ("A", "B", "C")),
        ("A B C D", ("A", "C", "D")),
        ("A B C D E", ("A", "C", "E")),
    ],
)
def test_spine_of_any_length(spine: str, chosen: tuple[str | None, ...]) -> None:
    last = spine.split()[-1]
    rig = Rig(
        f"Hips {spine} Neck Neck1 Head",
        *both(LONG, "Hips $UpLeg $Leg $Foot", f"{last} $Arm $ForeArm $Hand"),
    )
    found = rig.named(rig.map())
    assert tuple(found.get(j) for j in ("lower_spine", "middle_spine", "chest")) == chosen
    assert (found["neck"], found["head"]) == ("Neck", "Head")
    assert "left_clavicle" not in found
    assert "left_toe" not in found


def body(skeleton: Skeleton) -> tuple[list[int], np.ndarray]:
    return list(PARENTS), skeleton.t_pose().astype(float)


@pytest.mark.parametrize("turn", ["as it is", "z up", "facing back", "facing x"])
def test_unknown_names(skeleton: Skeleton, turn: str) -> None:
    parents, points = body(skeleton)
    matrix = {
        "as it is": np.eye(3),
        "z up": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
        "facing back": np.diag([-1.0, 1, -1]),
        "facing x": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
    }[turn]
    mapping = map_bones([f"bone_{i}" for i in range(22)], parents, points @ matrix.T)
    assert mapping.family == "unknown"
    assert mapping.bones.tolist() == list(range(22))
    assert np.allclose(mapping.confidence, 0.75)
    assert not mapping.ambiguous


def test_unknown_names_with_more_and_fewer_bones(skeleton: Skeleton) -> None:
    """Fingers, a face, helpers, a root on the floor; no clavicles and no toes."""
    parents, points = body(skeleton)
    drop = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("clavicle", "toe")]
    keep = [joint for joint in range(22) if joint not in drop]
    place = {joint: i + 1 for i, joint in enumerate(keep)}
    above = [p if p not in drop else PARENTS[p] for p in parents]
    new_parents = [NONE, *(place.get(above[joint], 0) for joint in keep)]
    new_points = [np.array([0.0, -0.95, 0.0]), *points[keep]]
    names = [f"x{i}" for i in range(len(new_parents))]

    def add(parent: int, offset: tuple[float, float, float], name: str = "") -> int:
        names.append(name or f"x{len(names)}")
        new_parents.append(parent)
        new_points.append(new_points[parent] + np.array(offset))
        return len(names) - 1

    for side, sign in (("left", 1.0), ("right", -1.0)):
        for finger in range(5):
            bone = place[INDEX[f"{side}_wrist"]]
            for _ in range(3):
                bone = add(bone, (0.035 * sign, 0.0, 0.01 * finger))
        add(place[INDEX[f"{side}_hip"]], (0.0, -0.2, 0.0), "twist")
        add(add(0, (0.1 * sign, 0.0, 0.0), "IK foot"), (0.0, 0.5, 0.5), "IK pole")
        add(place[INDEX["head"]], (0.03 * sign, 0.05, 0.08))
    mapping = map_bones(names, new_parents, np.array(new_points))
    assert {joint: mapping.bones[joint] for joint in keep} == place
    assert (mapping.bones[drop] == NONE).all()


@pytest.mark.parametrize(
    "kind",
    ["Auto-Rig Pro export", "DAZ and Poser: Genesis 8", "MakeHuman", "Unreal mannequin: UE5"],
)
def test_unknown_names_of_limbs_with_twist_bones(skeleton: Skeleton, kind: str) -> None:
    rig, joints = RIGS[kind]
    names = [f"x{number}" for number in range(len(rig.names))]
    mapping = map_bones(names, rig.parents, place_bones(rig, joints, skeleton))
    parts = ("hip", "knee", "ankle", "clavicle", "shoulder", "elbow", "wrist")
    for joint in (f"{side}_{part}" for side in ("left", "right") for part in parts):
        assert rig.names[mapping.bones[INDEX[joint]]] == joints[joint]


@pytest.mark.parametrize("kind", RIGS)
def test_sides_that_the_body_contradicts(skeleton: Skeleton, kind: str) -> None:
    """A mirrored rig whose names were left: the body's left hand is what is left of its feet."""
    rig, joints = RIGS[kind]
    points = place_bones(rig, joints, skeleton)
    plain = map_bones(rig.names, rig.parents, points)
    assert rig.named(plain) == joints and not plain.mirrored
    found = map_bones(rig.names, rig.parents, points * [-1.0, 1.0, 1.0])
    assert found.family == plain.family
    if "left_toe" not in joints:  # nothing contradicts the names
        assert rig.named(found) == joints and not found.mirrored
        return
    assert found.mirrored
    other = {"left": "right", "right": "left"}
    for joint, bone in joints.items():
        side, _, part = joint.partition("_")
        assert rig.named(found)[f"{other[side]}_{part}" if side in other else joint] == bone
    wrist = INDEX["left_wrist"]
    assert found.confidence[wrist] <= 0.5 < found.confidence[INDEX["head"]]
    # Shape does not overrule names without asking.
    assert [rig.names[bone] for bone in found.ambiguous[wrist]] == [
        joints["right_wrist"],
        joints["left_wrist"],
    ]


def test_without_positions_unknown_names_stay_unknown() -> None:
    mapping = map_bones([f"bone_{i}" for i in range(22)], PARENTS)
    assert mapping.family == "unknown"
    assert (mapping.bones == NONE).all()
    assert "hips" in mapping.missing


def test_shape_fills_what_names_miss(skeleton: Skeleton) -> None:
    parents, points = body(skeleton)
    names = [name.replace("left_knee", "joint7").replace("head", "kopf") for name in JOINTS]
    mapping = map_bones(names, parents, points)
    assert mapping.family == "SSR-HMR"
    assert mapping.bones.tolist() == list(range(22))
    filled = [INDEX["left_knee"], INDEX["head"]]  # as on the right, and by shape
    assert np.allclose(mapping.confidence[filled], [0.8, 0.75])
    assert np.allclose(np.delete(mapping.confidence, filled), 1.0)


def test_contradiction_lowers_confidence() -> None:
    """A bone called knee that hangs on the head is not sure to be one."""
    names, parents = list(JOINTS), list(PARENTS)
    parents[INDEX["left_knee"]] = INDEX["head"]
    mapping = map_bones(names, parents)
    assert mapping.confidence[INDEX["left_knee"]] == 0.5
    assert mapping.confidence[INDEX["right_knee"]] == 1.0


def hero(*more: str) -> Rig:
    """A rig whose names begin with its own, so that none is written as in a table."""
    rig = Rig(
        "pelvis spine chest neck head",
        *both(
            ("left", "right"),
            "pelvis $~thigh $~shin $~foot $~toe",
            "chest $~clavicle $~upper~arm $~forearm $~hand",
        ),
        *more,
    )
    rig.names = [f"Hero {name}" for name in rig.names]
    return rig


@pytest.mark.parametrize(
    ("more", "joint", "found"),
    [
        ("left~forearm Hand.L", "left_wrist", {"Hero left hand", "Hero Hand.L"}),
        ("neck HEAD", "head", {"Hero head", "Hero HEAD"}),
        ("right~shin R_Foot", "right_ankle", set()),  # the toe hangs on the other one
        ("pelvis LeftHand", "left_wrist", set()),  # hands hang on forearms
        ("IK~root LeftHand", "left_wrist", set()),
    ],
)
def test_equally_good_bones_are_asked_for(more: str, joint: str, found: set[str]) -> None:
    plain, rig = hero(), hero(more)
    mapping = rig.map()
    asked = {JOINTS[j]: {rig.names[b] for b in bones} for j, bones in mapping.ambiguous.items()}
    assert asked == ({joint: found} if found else {})
    known = plain.named(plain.map())
    assert rig.named(mapping) == {j: b for j, b in known.items() if not found or j != joint}
    assert (mapping.confidence[INDEX[joint]] == 0.0) == bool(found)


def test_two_bodies_in_one_rig_are_asked_for() -> None:
    one = hero()
    names = [*one.names, *(name.upper() for name in one.names)]
    parents = [*one.parents, *(p + len(one.names) if p >= 0 else p for p in one.parents)]
    mapping = map_bones(names, parents)
    assert {len(found) for found in mapping.ambiguous.values()} == {2}
    assert {JOINTS[joint] for joint in mapping.ambiguous} >= {"hips", "head", "left_wrist"}
    assert (mapping.bones == NONE).all()


def test_sides_that_nothing_tells_are_a_guess(skeleton: Skeleton) -> None:
    """No names, no toes, facing neither -Y nor +Z."""
    parents, points = body(skeleton)
    keep = [joint for joint, name in enumerate(JOINTS) if "toe" not in name]
    new = [NONE if parents[joint] < 0 else keep.index(parents[joint]) for joint in keep]
    aside = points[keep] @ np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T
    mapping = map_bones([f"bone_{i}" for i in keep], new, aside)
    assert not mapping.missing
    assert mapping.confidence[INDEX["left_wrist"]] < 0.3
    assert mapping.confidence[INDEX["head"]] == 0.75
    ahead = map_bones([f"bone_{i}" for i in keep], new, points[keep])
    assert ahead.confidence[INDEX["left_wrist"]] == 0.5
    assert INDEX["left_wrist"] in mapping.ambiguous and INDEX["left_wrist"] in ahead.ambiguous


def test_names_without_hierarchy_count() -> None:
    mapping = map_bones(JOINTS, [NONE] * 22)
    assert mapping.bones.tolist() == list(range(22))
    assert (mapping.confidence == 1.0).all()


@pytest.mark.parametrize("kind", RIGS)
def test_order_of_bones_does_not_matter(kind: str) -> None:
    rig, joints = RIGS[kind]
    order = np.random.default_rng(1).permutation(len(rig.names))
    place = np.argsort(order)
    names = [rig.names[bone] for bone in order]
    parents = [NONE if rig.parents[bone] < 0 else place[rig.parents[bone]] for bone in order]
    mapping = map_bones(names, parents)
    assert mapping.family == family_of(kind)
    assert {j: names[mapping.bones[INDEX[j]]] for j in joints} == joints


def test_nothing_to_map() -> None:
    assert map_bones([], [], np.zeros((0, 3))).missing
    assert map_bones(["Cube"], [NONE], np.zeros((1, 3))).missing


@pytest.mark.parametrize("known", [True, False])
def test_speed(skeleton: Skeleton, known: bool) -> None:
    """Print how long 900 bones take: 0.2 s are allowed, but machines differ."""
    random = np.random.default_rng(5)
    parents, points = body(skeleton)
    names = [*JOINTS] if known else [f"bone_{i}" for i in range(22)]
    spots = list(points)
    while len(names) < 900:
        parent = int(random.integers(13, len(names))) if len(names) > 30 else 13
        names.append(f"extra_{len(names)}.{'LR'[len(names) % 2]}")
        parents.append(parent)
        spots.append(spots[parent] + 0.01 * random.standard_normal(3))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        mapping = map_bones(names, parents, np.array(spots))
        seconds.append(time.perf_counter() - start)
    assert not mapping.missing
    print(f"\n900 bones, names {'known' if known else 'unknown'}: {1000 * min(seconds):.0f} ms")


def test_a_long_chain_takes_no_long_time() -> None:
    """Quadratic in its length it may be, in steps that cost next to nothing."""
    count = 2000
    points = np.cumsum(np.tile([[0.0, 1.0, 0.0]], (count, 1)), 0)
    start = time.process_time()
    mapping = map_bones([f"b{i}" for i in range(count)], range(-1, count - 1), points)
    assert mapping.missing and time.process_time() - start < 20.0


# What stands before and after the names of a character's bones, and what spells them otherwise.
BEFORE = ("", "Hero_", "Hero:", "Armature|Hero:", "mixamorig:", "mixamorig7:", "Character1_")
AFTER = ("", ".001", ".013", "_01", " 2")
OTHERWISE: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.lower,
    lambda name: name.replace("_", "."),
    lambda name: name.replace("_", " "),
    lambda name: name.replace(".", "_"),
    lambda name: name.replace(" ", "-"),
    lambda name: name.replace("Left", "L_").replace("Right", "R_"),
    lambda name: re.sub(r"(?<![A-Za-z])[Ll](?![A-Za-z])", "Left", name.replace("_r", "_右")),
)


@given(
    # Its deform bones and those beside them differ by what stands before them alone.
    kind=st.sampled_from(sorted(set(RIGS) - {"Rigify deform bones"})),
    before=st.sampled_from(BEFORE),
    after=st.sampled_from(AFTER),
    otherwise=st.sampled_from(OTHERWISE),
    seed=seeds(),
)
def test_known_rigs_under_other_names(
    kind: str, before: str, after: str, otherwise: Callable[[str], str], seed: int
) -> None:
    """Prefixes, numbers, spellings of words and sides, bones in any order: the same slots."""
    rig, joints = RIGS[kind]
    order = np.random.default_rng(seed).permutation(len(rig.names))
    place = np.argsort(order)
    names = [before + otherwise(rig.names[bone]) + after for bone in order]
    parents = [NONE if rig.parents[bone] < 0 else int(place[rig.parents[bone]]) for bone in order]
    mapping = map_bones(names, parents)
    found = dict(zip(JOINTS, mapping.bones.tolist(), strict=True))
    assert {j: rig.names[order[bone]] for j, bone in found.items() if bone != NONE} == joints


@st.composite
def hierarchies(draw: st.DrawFn) -> tuple[list[str], list[int], np.ndarray]:
    """Bones whose names are words of bodies, helpers and anything, on any bones."""
    known = sorted({n for family in families() for bones in family.joints.values() for n in bones})
    words = st.sampled_from(known) | st.sampled_from(["ik", "twist", "L", "right", "spine.001", ""])
    names = draw(st.lists(words | st.text(max_size=8), max_size=60))
    random = np.random.default_rng(draw(seeds()))
    order = random.permutation(len(names))
    parents = [NONE] * len(names)
    for rank, bone in enumerate(order[1:], 1):
        parents[bone] = NONE if random.random() < 0.1 else int(order[random.integers(rank)])
    spread = draw(st.sampled_from([0.0, 1e-9, 1.0, 100.0]))
    return names, parents, spread * random.standard_normal((len(names), 3))


@given(rig=hierarchies(), placed=st.booleans())
def test_any_hierarchy(rig: tuple[list[str], list[int], np.ndarray], placed: bool) -> None:
    """Whatever it is: no bone stands for two joints, and what is sure of nothing has none."""
    names, parents, points = rig
    mapping = map_bones(names, parents, points if placed else None)
    chosen = mapping.bones[mapping.bones != NONE]
    assert len(set(chosen.tolist())) == len(chosen)
    assert ((mapping.bones >= NONE) & (mapping.bones < len(names))).all()
    assert ((mapping.confidence >= 0.0) & (mapping.confidence <= 1.0)).all()
    assert ((mapping.confidence > 0.0) == (mapping.bones != NONE)).all()
    for joint, bones in mapping.ambiguous.items():
        assert len(set(bones)) == len(bones)
        if mapping.bones[joint] == NONE:
            assert len(bones) > 1
        else:
            assert bones[0] == mapping.bones[joint] and mapping.confidence[joint] < 0.7
    doubtful = (mapping.bones != NONE) & (mapping.confidence < 0.7)
    assert set(np.flatnonzero(doubtful).tolist()) <= set(mapping.ambiguous)
