# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs drawn at random from the example rigs, with the right bone of every joint.

A rig is drawn as people make them: the names of a family behind the character's name or without
any name, sides spelled in other ways, hair, skirts, ribbons and sleeves, bones left out, wings,
tails, weapons and IK targets, arms that hang, other proportions, other axes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ssrhmr_core.body.skeleton import INDEX, JOINTS, Skeleton
from ssrhmr_core.rigs.bone_mapping import NONE
from tests.core.conftest import make_skeleton
from tests.core.example_rigs import ARM, LEG, RIGS, Rig, place_bones

TRUNK = ("hips", "lower_spine", "middle_spine", "chest")
HOMEMADE = "homemade names"
_HOMEMADE = {
    "hips": ("hips", "pelvis", "hip", "Hips", "Pelvis"),
    "lower_spine": ("spine", "spine1", "abdomen", "lower_back", "belly", "stomach", "waist"),
    "chest": ("chest", "spine2", "torso", "ribcage", "thorax", "upper_chest", "Chest"),
    "neck": ("neck", "Neck", "neck1"),
    "head": ("head", "Head"),
    "clavicle": ("clavicle", "shoulder", "collar", "collarbone"),
    "shoulder": ("upperarm", "upper_arm", "arm", "bicep", "uparm", "arm_upper", "shoulder"),
    "elbow": ("forearm", "lowerarm", "lower_arm", "elbow", "arm_lower", "fore_arm"),
    "wrist": ("hand", "wrist", "palm", "Hand"),
    "hip": ("thigh", "upperleg", "upper_leg", "upleg", "leg", "leg_upper"),
    "knee": ("shin", "calf", "lowerleg", "lower_leg", "knee", "leg_lower", "leg"),
    "ankle": ("foot", "ankle", "Foot"),
    "toe": ("toe", "toes", "ball", "toe_base"),
}
"""Words that people who name their own bones use."""
_OPTIONAL = ("toe", "clavicle", "neck", "middle_spine")
_SAME_PLACE = 0.012
"""Metres within which bones of one chain are the same joint to one who sees no names."""

Rename = Callable[[str], str]

PREFIXES = ("", "", "", "Hero_", "Hero:", "Armature|Hero:", "UnityChan_", "Bot ")
SUFFIXES = ("", "", "", ".001", "_jnt", "_014")
SPELLINGS: dict[str, Rename] = {
    "as written": str,
    "upper": str.upper,
    "lower": str.lower,
    "blanks": lambda name: name.replace("_", " "),
    "underscores": lambda name: re.sub(r"[. -]", "_", name),
    "sides in front": lambda name: re.sub(
        r"^((?:DEF-|ORG-|FK-|IK-|c_)?)(.*?)[._]([lrLR])$", r"\1\3_\2", name
    ),
    "sides in words": lambda name: re.sub(
        r"[._]([lrLR])$", lambda match: "_Left" if match[1] in "lL" else "_Right", name
    ),
    "short sides": lambda name: re.sub("(?:Left|left)_?", "L_", re.sub("Right_?", "R_", name)),
}


@dataclass(frozen=True)
class GeneratedRig:
    """A rig and the right bones of its joints.

    Attributes:
        kind: The example rig it was made from.
        names: The names of its bones.
        parents: The index of each bone's parent.
        positions: (bones, 3) heads of the bones.
        right: The bones that are right for each joint; joints without any are missing.
        optional: Joints that may be left without a bone.
        nameless: Whether its names mean nothing.
        traits: What sets it apart from the example.
    """

    kind: str
    names: list[str]
    parents: list[int]
    positions: np.ndarray
    right: dict[int, frozenset[int]]
    optional: frozenset[int]
    nameless: bool
    traits: tuple[str, ...]


@dataclass
class _Draft:
    """A rig that is being drawn; a bone that is left out has no name."""

    names: list[str | None]
    parents: list[int]
    positions: list[np.ndarray]
    joint_bones: dict[str, int]
    body: set[int]
    traits: list[str] = field(default_factory=list)

    def add(self, name: str, parent: int, position: np.ndarray) -> int:
        self.names.append(name)
        self.parents.append(parent)
        self.positions.append(position)
        return len(self.names) - 1

    def add_chain(
        self, name: str, parent: int, start: np.ndarray, step: np.ndarray, count: int
    ) -> None:
        """Add a chain of bones whose heads lie ``step`` apart."""
        for number in range(count):
            bend = 0.15 * number * np.array([0.0, -np.linalg.norm(step), 0.0])
            parent = self.add(
                name.replace("#", f"{number:02}"), parent, start + number * step + bend
            )

    def remove(self, bone: int) -> None:
        """Leave a bone out; what hangs on it hangs on its parent."""
        for child, parent in enumerate(self.parents):
            if parent == bone:
                self.parents[child] = self.parents[bone]
        self.names[bone] = None


def draw_rig(kind: str, seed: int) -> GeneratedRig:
    """Draw a rig of a kind: an example rig's, or :data:`HOMEMADE`."""
    random = np.random.default_rng([seed, sum(map(ord, kind))])
    rig, joints = _make_homemade(random) if kind == HOMEMADE else RIGS[kind]
    draft = _begin(rig, joints, random)
    nameless = bool(random.random() < 0.2)
    if random.random() < 0.35:
        _leave_out(draft, random)
    if random.random() < 0.15 and not nameless:
        _scramble(draft, random)
    if random.random() < 0.25 and not nameless:
        _add_decoys(draft, random)
    if random.random() < 0.55:
        _dress(draft, random, nameless)
    if random.random() < 0.35:
        _add_extras(draft, random, nameless)
    _rename(draft, random, nameless)
    return _finish(kind, draft, random, nameless)


def _make_homemade(random: np.random.Generator) -> tuple[Rig, dict[str, str]]:
    """Return a rig with names that its maker thought of."""
    form = str(random.choice(["{}.L", "{}_L", "L_{}", "left_{}", "{}_left", "Left{}", "{}_l"]))
    words = {joint: str(random.choice(choices)) for joint, choices in _HOMEMADE.items()}
    if words["knee"] == words["hip"] or words["elbow"] == words["shoulder"]:
        words |= {"knee": "shin", "elbow": "forearm"}
    if words["clavicle"] == "shoulder" and words["shoulder"] == "shoulder":
        words["shoulder"] = "upperarm"
    if form[0] == "L" and form[1] == "e":
        words = {joint: word.title().replace("_", "") for joint, word in words.items()}

    def name(joint: str, side: str) -> str:
        swapped = {"L_": "R_", ".L": ".R", "_L": "_R", "_l": "_r"}
        text = form if side == "left" else re.sub("left", "right", form).replace("Left", "Right")
        if side == "right" and text == form:
            text = next(form.replace(old, new) for old, new in swapped.items() if old in form)
        return text.format(words[joint])

    joints = {joint: words[joint] for joint in ("hips", "lower_spine", "chest", "neck", "head")}
    chains = ["root " + " ".join(joints.values())]
    for side in ("left", "right"):
        leg, arm = ({f"{side}_{part}": name(part, side) for part in parts} for parts in (LEG, ARM))
        chains += [f"{joints['hips']} " + " ".join(leg.values())]
        chains += [f"{joints['chest']} " + " ".join(arm.values())]
        for finger in ("index", "thumb"):
            words |= {"1": f"{finger}1", "2": f"{finger}2"}
            chains += [f"{arm[f'{side}_wrist']} {name('1', side)} {name('2', side)}"]
        joints |= leg | arm
    return Rig(*chains), joints


def _scramble(draft: _Draft, random: np.random.Generator) -> None:
    """Give some bones of the body names that mean nothing."""
    for joint in random.choice(list(draft.joint_bones), int(random.integers(1, 5)), replace=False):
        draft.names[draft.joint_bones[str(joint)]] = f"node{random.integers(100, 999)}"
        draft.body.discard(draft.joint_bones[str(joint)])
    draft.traits.append("scrambled")


def _add_decoys(draft: _Draft, random: np.random.Generator) -> None:
    """Add helpers whose names contain those of body parts."""
    form = str(random.choice(["{}_ik", "IK_{}", "{}_twist", "ctrl_{}", "{}_weapon", "{}_offset"]))
    for joint in ("ankle", "wrist", "elbow", "hip"):
        for side in ("left", "right"):
            bone = draft.joint_bones[f"{side}_{joint}"]
            name = draft.names[bone]
            if name is None or bone not in draft.body:
                continue
            match = re.fullmatch(r"(.*?)([._](?:l|r|L|R))?", name)
            assert match is not None
            parent = draft.parents[bone] if random.random() < 0.5 else NONE
            decoy = form.format(match[1]) + (match[2] or "")
            draft.body.add(draft.add(decoy, parent, draft.positions[bone].copy()))
    draft.traits.append(form.replace("{}", "*"))


def _begin(rig: Rig, joints: dict[str, str], random: np.random.Generator) -> _Draft:
    skeleton = _proportions(random)
    positions = place_bones(rig, joints, skeleton)
    joint_bones = {joint: rig.names.index(bone) for joint, bone in joints.items()}
    draft = _Draft(
        names=list(rig.names),
        parents=list(rig.parents),
        positions=list(positions),
        joint_bones=joint_bones,
        body=set(range(len(rig.names))),
    )
    _hang_arms(draft, np.radians(random.choice([0.0, 0.0, 20.0, 45.0, 75.0])))
    return draft


def _proportions(random: np.random.Generator) -> Skeleton:
    """Return a body: adults, and cartoon figures with short limbs."""
    offsets = make_skeleton().offsets.astype(float)
    scale = dict.fromkeys(("legs", "arms", "trunk"), 1.0)
    if random.random() < 0.5:
        scale = {part: random.uniform(0.6, 1.25) for part in scale}
    for joint, name in enumerate(JOINTS):
        part = "trunk"
        if name.endswith(("knee", "ankle")):
            part = "legs"
        elif name.endswith(("elbow", "wrist")):
            part = "arms"
        offsets[joint] *= scale[part]
    return Skeleton(offsets)


def _hang_arms(draft: _Draft, angle: float) -> None:
    """Rotate everything from each shoulder down by an angle."""
    for side, sign in (("left", -1.0), ("right", 1.0)):
        shoulder = draft.joint_bones[f"{side}_shoulder"]
        cosine, sine = np.cos(angle), sign * np.sin(angle)
        matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        pivot = draft.positions[shoulder]
        for bone in range(len(draft.names)):
            above = bone
            while above not in (shoulder, NONE):
                above = draft.parents[above]
            if above == shoulder:
                draft.positions[bone] = pivot + matrix @ (draft.positions[bone] - pivot)


def _leave_out(draft: _Draft, random: np.random.Generator) -> None:
    """Leave out toes, clavicles, neck or a spine bone, most often on both sides."""
    part = str(random.choice(_OPTIONAL))
    joints = [joint for joint in draft.joint_bones if joint.endswith(part)]
    for joint in joints[: 1 if random.random() < 0.15 else None]:
        if part == "toe":  # and all that hangs on it
            for bone in range(len(draft.names)):
                above = bone
                while above not in (draft.joint_bones[joint], NONE):
                    above = draft.parents[above]
                if above != NONE and bone != above:
                    draft.remove(bone)
        draft.remove(draft.joint_bones.pop(joint))
        if f"no {part}" not in draft.traits:
            draft.traits.append(f"no {part}")


_CLOTHES = (
    # name, the joint it hangs on, where it starts, its step, bones: a 1.7 m body facing +Z
    ("J_$_HairTail_#", "head", (0.1, 0.1, -0.05), (0.02, -0.11, -0.02), 8),
    ("hair_$_#", "head", (0.07, 0.12, 0.05), (0.01, -0.06, 0.0), 4),
    ("髪#.$", "head", (0.08, 0.1, -0.08), (0.0, -0.1, -0.01), 7),
    ("Ribbon.$.#", "head", (0.05, 0.2, 0.0), (0.03, 0.05, 0.0), 3),
    ("Skirt_$_#", "hips", (0.12, -0.05, 0.08), (0.02, -0.12, 0.01), 4),
    ("スカート#.$", "hips", (0.12, -0.05, -0.1), (0.02, -0.11, -0.01), 5),
    ("Sode_$_#", "elbow", (0.0, -0.05, 0.0), (0.0, -0.1, 0.0), 3),
    ("Breast.$.#", "chest", (0.08, 0.05, 0.1), (0.0, -0.02, 0.05), 2),
    ("Coat_$_#", "hips", (0.15, 0.0, -0.12), (0.0, -0.15, -0.02), 5),
)


def _dress(draft: _Draft, random: np.random.Generator, nameless: bool) -> None:
    """Add hair, skirts, ribbons and sleeves."""
    count = int(random.integers(1, 5))
    for index in random.choice(len(_CLOTHES), count, replace=False):
        name, joint, start, step, bones = _CLOTHES[index]
        for side, mark, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
            mirror = np.array([sign, 1.0, 1.0])
            parent = draft.joint_bones[f"{side}_{joint}" if joint == "elbow" else joint]
            head = draft.positions[parent] + mirror * np.array(start)
            draft.add_chain(name.replace("$", mark), parent, head, mirror * np.array(step), bones)
        draft.traits.append(name.split("_")[0].split(".")[0].strip("#$"))


def _add_extras(draft: _Draft, random: np.random.Generator, nameless: bool) -> None:
    """Add wings, a tail, a weapon or IK targets."""
    extra = str(random.choice(["wings", "tail", "weapon", "IK"]))
    if extra == "wings":
        chest = draft.joint_bones["chest"]
        for mark, sign in (("L", 1.0), ("R", -1.0)):
            start = draft.positions[chest] + np.array([0.05 * sign, 0.1, -0.1])
            draft.add_chain(f"Wing_{mark}_#", chest, start, np.array([0.2 * sign, 0.1, -0.1]), 5)
    elif extra == "tail":
        hips = draft.joint_bones["hips"]
        start = draft.positions[hips] + np.array([0.0, -0.02, -0.1])
        draft.add_chain("Tail_#", hips, start, np.array([0.0, -0.02, -0.12]), 7)
    elif extra == "weapon":
        hand = draft.joint_bones["right_wrist"]
        start = draft.positions[hand] + np.array([-0.08, 0.0, 0.02])
        draft.add_chain("Sword_#", hand, start, np.array([0.0, 0.0, 0.3]), 3)
    elif not nameless:  # nobody could tell a target from a body part without its name
        for mark, side in (("L", "left"), ("R", "right")):
            for part in ("ankle", "wrist"):
                position = draft.positions[draft.joint_bones[f"{side}_{part}"]]
                draft.add(f"{part}_IK_target.{mark}", NONE, position)
    draft.traits.append(extra)


def _rename(draft: _Draft, random: np.random.Generator, nameless: bool) -> None:
    if nameless:
        numbers = random.permutation(len(draft.names))
        draft.names = [
            None if name is None else f"bone_{number}"
            for name, number in zip(draft.names, numbers, strict=True)
        ]
        draft.traits.append("nameless")
        return
    spelling = str(random.choice(list(SPELLINGS)))
    prefix, suffix = str(random.choice(PREFIXES)), str(random.choice(SUFFIXES))
    everywhere = bool(random.random() < 0.5)
    for bone, name in enumerate(draft.names):
        if name is not None and bone in draft.body:
            draft.names[bone] = prefix + SPELLINGS[spelling](name) + suffix
        elif name is not None and everywhere:
            draft.names[bone] = prefix + name + suffix
    if prefix:
        draft.traits.append("prefix" if everywhere else "prefix on the body")
    if spelling != "as written":
        draft.traits.append(spelling)
    if suffix:
        draft.traits.append("suffix")


def _finish(kind: str, draft: _Draft, random: np.random.Generator, nameless: bool) -> GeneratedRig:
    """Shuffle the bones, turn the axes and scale."""
    kept = [bone for bone, name in enumerate(draft.names) if name is not None]
    order = [kept[place] for place in random.permutation(len(kept))]
    place_of = {bone: place for place, bone in enumerate(order)}
    parents = [place_of.get(draft.parents[bone], NONE) for bone in order]
    positions = np.array([draft.positions[bone] for bone in order])
    right = {
        INDEX[joint]: frozenset(
            place_of[bone] for bone in _same_joint(draft, bone, nameless) if bone in place_of
        )
        for joint, bone in draft.joint_bones.items()
    }
    optional = _allow_others(right, parents)
    if random.random() < 0.5:  # Z up, facing -Y
        positions = positions @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    positions = positions * random.choice([0.01, 1.0, 100.0])
    return GeneratedRig(
        kind=kind,
        names=[str(draft.names[bone]) for bone in order],
        parents=parents,
        positions=positions,
        right=right,
        optional=optional,
        nameless=nameless,
        traits=tuple(draft.traits),
    )


def _same_joint(draft: _Draft, bone: int, nameless: bool) -> list[int]:
    """Return the bone and, without names, those in its chain that lie at its place."""
    same = [bone]
    if nameless:
        near = [
            other
            for other in range(len(draft.names))
            if np.linalg.norm(draft.positions[other] - draft.positions[bone]) < _SAME_PLACE
        ]
        for _ in near:
            same += [
                other
                for other in near
                if other not in same
                and (draft.parents[other] in same or other in [draft.parents[b] for b in same])
            ]
    return same


_BETWEEN = {
    "lower_spine": ("hips", "chest"),
    "middle_spine": ("hips", "chest"),
    "neck": ("chest", "head"),
    **{f"{side}_clavicle": ("chest", f"{side}_shoulder") for side in ("left", "right")},
}
"""Joints for which any bone between two others is right where the example's is left out."""


def _allow_others(right: dict[int, frozenset[int]], parents: list[int]) -> frozenset[int]:
    """Allow any bone in between for joints that are left out; return those."""
    optional = set()
    for name, (top, bottom) in _BETWEEN.items():
        if INDEX[name] in right and "spine" not in name:
            continue
        path: list[int] = []
        bone = parents[next(iter(right[INDEX[bottom]]))]
        while bone not in (NONE, *right[INDEX[top]]):
            path.append(bone)
            bone = parents[bone]
        right[INDEX[name]] = frozenset(path if bone != NONE else ())
        optional.add(INDEX[name])
    for side in ("left", "right"):
        toe, ankles = INDEX[f"{side}_toe"], right[INDEX[f"{side}_ankle"]]
        if toe not in right:
            below = [bone for bone, parent in enumerate(parents) if parent in ankles]
            right[toe] = frozenset(below)
            optional.add(toe)
    return frozenset(optional)
