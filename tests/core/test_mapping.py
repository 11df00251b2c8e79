"""Which bone is which joint, for the rigs people have."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from ssrhmr_core.mapping import NONE, BoneMapping, Family, families, map_bones
from ssrhmr_core.skeleton import INDEX, JOINTS, PARENTS, Skeleton

LEG = ("hip", "knee", "ankle", "toe")
ARM = ("clavicle", "shoulder", "elbow", "wrist")


class Rig:
    """Bones told as chains: each begins at a bone that is already there, or is a new root."""

    def __init__(self, *chains: str) -> None:
        self.names: list[str] = []
        self.parents: list[int] = []
        for chain in chains:
            first, *rest = [word.replace("~", " ") for word in chain.split()]
            above = self.names.index(first) if first in self.names else self.add(first, NONE)
            for name in rest:
                above = self.add(name, above)

    def add(self, name: str, parent: int) -> int:
        self.names.append(name)
        self.parents.append(parent)
        return len(self.names) - 1

    def map(self, positions: np.ndarray | None = None) -> BoneMapping:
        return map_bones(self.names, self.parents, positions)

    def named(self, mapping: BoneMapping) -> dict[str, str]:
        """Joint -> name of its bone."""
        return {
            joint: self.names[bone]
            for joint, bone in zip(JOINTS, mapping.bones, strict=True)
            if bone != NONE
        }


def expected(trunk: str, leg: str, arm: str, sides: tuple[str, str]) -> dict[str, str]:
    """Joints and bones; a "-" stands for a joint that the rig has not, "$" for the side."""
    found = dict(zip(("hips", *JOINTS[9:14]), trunk.split(), strict=True))
    for side, mark in zip(("left", "right"), sides, strict=True):
        for parts, words in ((LEG, leg), (ARM, arm)):
            for part, word in zip(parts, words.split(), strict=True):
                found[f"{side}_{part}"] = word.replace("$", mark)
    return {joint: name.replace("~", " ") for joint, name in found.items() if name != "-"}


def both(sides: tuple[str, str], *chains: str) -> list[str]:
    return [chain.replace("$", side) for chain in chains for side in sides]


LR, LONG = ("L", "R"), ("Left", "Right")
LOW = ("l", "r")

# family: rig, bones of the joints. Twist, IK, face and finger bones stand where the real rigs have
# them.
RIGS: dict[str, tuple[Rig, dict[str, str]]] = {
    "Mixamo and HumanIK": (
        Rig(
            "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck"
            " mixamorig:Head mixamorig:HeadTop_End",
            *both(
                LONG,
                "mixamorig:Spine2 mixamorig:$Shoulder mixamorig:$Arm mixamorig:$ForeArm"
                " mixamorig:$Hand mixamorig:$HandIndex1 mixamorig:$HandIndex2",
                "mixamorig:$Hand mixamorig:$HandThumb1",
                "mixamorig:Hips mixamorig:$UpLeg mixamorig:$Leg mixamorig:$Foot"
                " mixamorig:$ToeBase mixamorig:$Toe_End",
            ),
        ),
        expected(
            "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck"
            " mixamorig:Head",
            "mixamorig:$UpLeg mixamorig:$Leg mixamorig:$Foot mixamorig:$ToeBase",
            "mixamorig:$Shoulder mixamorig:$Arm mixamorig:$ForeArm mixamorig:$Hand",
            LONG,
        ),
    ),
    "CMU (MotionBuilder)": (
        Rig(
            "Hips LowerBack Spine Spine1 Neck Neck1 Head",
            *both(
                LR,
                "Hips $HipJoint",
            ),
            "LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase",
            "RHipJoint RightUpLeg RightLeg RightFoot RightToeBase",
            *both(LONG, "Spine1 $Shoulder $Arm $ForeArm $Hand $FingerBase $HandIndex1"),
        ),
        expected(
            "Hips LowerBack Spine Spine1 Neck Head",
            "$UpLeg $Leg $Foot $ToeBase",
            "$Shoulder $Arm $ForeArm $Hand",
            LONG,
        ),
    ),
    "CMU (Acclaim)": (
        Rig(
            "root lowerback upperback thorax lowerneck upperneck head",
            *both(
                LOW,
                "root $hipjoint $femur $tibia $foot $toes",
                "thorax $clavicle $humerus $radius $wrist $hand $fingers",
                "$hand $thumb",
            ),
        ),
        expected(
            "root lowerback upperback thorax lowerneck head",
            "$femur $tibia $foot $toes",
            "$clavicle $humerus $radius $wrist",
            LOW,
        ),
    ),
    "SMPL": (
        Rig(
            "Pelvis Spine1 Spine2 Spine3 Neck Head",
            *both(
                LR,
                "Pelvis $_Hip $_Knee $_Ankle $_Foot",
                "Spine3 $_Collar $_Shoulder $_Elbow $_Wrist $_Hand",
            ),
        ),
        expected(
            "Pelvis Spine1 Spine2 Spine3 Neck Head",
            "$_Hip $_Knee $_Ankle $_Foot",
            "$_Collar $_Shoulder $_Elbow $_Wrist",
            LR,
        ),
    ),
    "Xsens MVN": (
        Rig(
            "Pelvis L5 L3 T12 T8 Neck Head",
            *both(
                LONG,
                "Pelvis $UpperLeg $LowerLeg $Foot $Toe",
                "T8 $Shoulder $UpperArm $ForeArm $Hand",
            ),
        ),
        expected(
            "Pelvis L5 T12 T8 Neck Head",
            "$UpperLeg $LowerLeg $Foot $Toe",
            "$Shoulder $UpperArm $ForeArm $Hand",
            LONG,
        ),
    ),
    "Bandai Namco": (
        Rig(
            "joint_Root Hips Spine Chest Neck Head",
            *both(
                LR,
                "Hips UpperLeg_$ LowerLeg_$ Foot_$ Toes_$",
                "Chest Shoulder_$ UpperArm_$ LowerArm_$ Hand_$",
            ),
        ),
        expected(
            "Hips Spine - Chest Neck Head",
            "UpperLeg_$ LowerLeg_$ Foot_$ Toes_$",
            "Shoulder_$ UpperArm_$ LowerArm_$ Hand_$",
            LR,
        ),
    ),
    "DAZ and Poser": (
        Rig(
            "hip pelvis",
            "hip abdomenLower abdomenUpper chestLower chestUpper neckLower neckUpper head lEye",
            "head rEye",
            *both(
                LOW,
                "pelvis $ThighBend $ThighTwist $Shin $Foot $Metatarsals $Toe $BigToe",
                "chestUpper $Collar $ShldrBend $ShldrTwist $ForearmBend $ForearmTwist $Hand",
                "chestLower $Pectoral",
            ),
        ),
        expected(
            "hip abdomenLower chestLower chestUpper neckLower head",
            "$ThighBend $Shin $Foot $Toe",
            "$Collar $ShldrBend $ForearmBend $Hand",
            LOW,
        ),
    ),
    "Rigify meta-rig": (
        Rig(
            "spine spine.001 spine.002 spine.003 spine.004 spine.005 spine.006 face jaw chin",
            *both(
                LR,
                "spine thigh.$ shin.$ foot.$ toe.$",
                "foot.$ heel.02.$",
                "spine pelvis.$",
                "spine.003 shoulder.$ upper_arm.$ forearm.$ hand.$ palm.01.$ f_index.01.$",
                "spine.003 breast.$",
                "face lip.T.$ lip.T.$.001",
            ),
        ),
        expected(
            "spine spine.001 spine.002 spine.003 spine.004 spine.006",
            "thigh.$ shin.$ foot.$ toe.$",
            "shoulder.$ upper_arm.$ forearm.$ hand.$",
            LR,
        ),
    ),
    # A generated rig: the parts hang on helper bones, and every part is there four times.
    "Rigify deform bones": (
        Rig(
            "root MCH-torso.parent torso hips ORG-spine DEF-spine",
            "DEF-spine DEF-spine.001 DEF-spine.002 DEF-spine.003 DEF-spine.004 DEF-spine.005"
            " DEF-spine.006",
            "torso chest neck head",
            *both(
                LR,
                "ORG-spine ORG-thigh.$ ORG-shin.$ ORG-foot.$ ORG-toe.$",
                "ORG-thigh.$ DEF-thigh.$ DEF-thigh.$.001 DEF-shin.$ DEF-shin.$.001 DEF-foot.$"
                " DEF-toe.$",
                "hips thigh_fk.$ shin_fk.$ foot_fk.$ toe_fk.$",
                "root foot_ik.$ foot_heel_ik.$",
                "root thigh_ik_target.$",
                "chest ORG-shoulder.$ ORG-upper_arm.$ ORG-forearm.$ ORG-hand.$",
                "chest shoulder.$",
                "ORG-shoulder.$ DEF-shoulder.$",
                "ORG-upper_arm.$ DEF-upper_arm.$ DEF-upper_arm.$.001 DEF-forearm.$"
                " DEF-forearm.$.001 DEF-hand.$ DEF-f_index.01.$",
                "chest upper_arm_fk.$ forearm_fk.$ hand_fk.$",
                "root hand_ik.$",
            ),
        ),
        expected(
            "DEF-spine DEF-spine.001 DEF-spine.002 DEF-spine.003 DEF-spine.004 DEF-spine.006",
            "DEF-thigh.$ DEF-shin.$ DEF-foot.$ DEF-toe.$",
            "DEF-shoulder.$ DEF-upper_arm.$ DEF-forearm.$ DEF-hand.$",
            LR,
        ),
    ),
    "VRoid": (
        Rig(
            "Root J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck"
            " J_Bip_C_Head J_Sec_Hair1_01 J_Sec_Hair2_01",
            *both(
                LR,
                "J_Bip_C_Hips J_Bip_$_UpperLeg J_Bip_$_LowerLeg J_Bip_$_Foot J_Bip_$_ToeBase",
                "J_Bip_C_UpperChest J_Bip_$_Shoulder J_Bip_$_UpperArm J_Bip_$_LowerArm J_Bip_$_Hand"
                " J_Bip_$_Index1",
                "J_Bip_C_UpperChest J_Sec_$_Bust1",
                "J_Bip_$_UpperLeg J_Sec_$_SkirtSide0_01",
                "J_Bip_C_Head J_Adj_$_FaceEye",
            ),
        ),
        expected(
            "J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Chest J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head",
            "J_Bip_$_UpperLeg J_Bip_$_LowerLeg J_Bip_$_Foot J_Bip_$_ToeBase",
            "J_Bip_$_Shoulder J_Bip_$_UpperArm J_Bip_$_LowerArm J_Bip_$_Hand",
            LR,
        ),
    ),
    "Unreal mannequin": (
        Rig(
            "root pelvis spine_01 spine_02 spine_03 spine_04 spine_05 neck_01 neck_02 head",
            "root ik_foot_root ik_foot_l",
            "ik_foot_root ik_foot_r",
            "root ik_hand_root ik_hand_gun ik_hand_l",
            "ik_hand_gun ik_hand_r",
            *both(
                LOW,
                "pelvis thigh_$ calf_$ foot_$ ball_$",
                "thigh_$ thigh_twist_01_$",
                "calf_$ calf_twist_01_$",
                "spine_05 clavicle_$ upperarm_$ lowerarm_$ hand_$ index_metacarpal_$ index_01_$",
                "upperarm_$ upperarm_twist_01_$",
                "lowerarm_$ lowerarm_twist_01_$",
            ),
        ),
        expected(
            "pelvis spine_01 spine_03 spine_05 neck_01 head",
            "thigh_$ calf_$ foot_$ ball_$",
            "clavicle_$ upperarm_$ lowerarm_$ hand_$",
            LOW,
        ),
    ),
    "Character Creator and AccuRig": (
        Rig(
            "CC_Base_BoneRoot CC_Base_Hip CC_Base_Pelvis",
            "CC_Base_Hip CC_Base_Waist CC_Base_Spine01 CC_Base_Spine02 CC_Base_NeckTwist01"
            " CC_Base_NeckTwist02 CC_Base_Head CC_Base_FacialBone",
            *both(
                LR,
                "CC_Base_Pelvis CC_Base_$_Thigh CC_Base_$_Calf CC_Base_$_Foot CC_Base_$_ToeBase",
                "CC_Base_$_Thigh CC_Base_$_ThighTwist01",
                "CC_Base_Spine02 CC_Base_$_Clavicle CC_Base_$_Upperarm CC_Base_$_Forearm"
                " CC_Base_$_Hand CC_Base_$_Index1",
                "CC_Base_$_Forearm CC_Base_$_ForearmTwist01",
            ),
        ),
        expected(
            "CC_Base_Hip CC_Base_Waist CC_Base_Spine01 CC_Base_Spine02 CC_Base_NeckTwist01"
            " CC_Base_Head",
            "CC_Base_$_Thigh CC_Base_$_Calf CC_Base_$_Foot CC_Base_$_ToeBase",
            "CC_Base_$_Clavicle CC_Base_$_Upperarm CC_Base_$_Forearm CC_Base_$_Hand",
            LR,
        ),
    ),
    # Its thighs hang on the spine and its clavicles on the neck.
    "3ds Max Biped": (
        Rig(
            "Bip001 Bip001~Pelvis Bip001~Spine Bip001~Spine1 Bip001~Spine2 Bip001~Neck Bip001~Head",
            "Bip001 Bip001~Footsteps",
            *both(
                LR,
                "Bip001~Spine Bip001~$~Thigh Bip001~$~Calf Bip001~$~Foot Bip001~$~Toe0",
                "Bip001~Neck Bip001~$~Clavicle Bip001~$~UpperArm Bip001~$~Forearm Bip001~$~Hand"
                " Bip001~$~Finger0",
                "Bip001~$~Forearm Bip001~$~ForeTwist",
            ),
        ),
        expected(
            "Bip001~Pelvis Bip001~Spine Bip001~Spine1 Bip001~Spine2 Bip001~Neck Bip001~Head",
            "Bip001~$~Thigh Bip001~$~Calf Bip001~$~Foot Bip001~$~Toe0",
            "Bip001~$~Clavicle Bip001~$~UpperArm Bip001~$~Forearm Bip001~$~Hand",
            LR,
        ),
    ),
}


@pytest.mark.parametrize("family", RIGS)
def test_families(family: str) -> None:
    rig, joints = RIGS[family]
    mapping = rig.map()
    assert mapping.family == family
    assert rig.named(mapping) == joints
    assert not mapping.missing
    present = mapping.bones != NONE
    assert (mapping.confidence[present] >= 0.8).all()
    assert (mapping.confidence[~present] == 0.0).all()
    assert (mapping.confidence == 1.0).sum() >= present.sum() - 3


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
        lambda name: name.replace("_l", " Left").replace("_r", " Right").title(),
        lambda name: "DEF-" + name,
    ],
    ids=["upper", "hero", "namespace", "dot", "kanji", "words", "deform"],
)
def test_other_spellings(change: Callable[[str], str]) -> None:
    rig, joints = RIGS["Unreal mannequin"]
    names = [change(name) for name in rig.names]
    mapping = map_bones(names, rig.parents)
    assert {j: rig.names[mapping.bones[INDEX[j]]] for j in joints} == joints
    assert (mapping.confidence >= 0.7).all()


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
    assert np.allclose(mapping.confidence, 0.5)


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
    found_by_shape = [INDEX["left_knee"], INDEX["head"]]
    assert np.allclose(mapping.confidence[found_by_shape], 0.5)
    assert np.allclose(np.delete(mapping.confidence, found_by_shape), 1.0)


def test_contradiction_lowers_confidence() -> None:
    """A bone called knee that hangs on the head is not sure to be one."""
    names, parents = list(JOINTS), list(PARENTS)
    parents[INDEX["left_knee"]] = INDEX["head"]
    mapping = map_bones(names, parents)
    assert mapping.confidence[INDEX["left_knee"]] == 0.5
    assert mapping.confidence[INDEX["right_knee"]] == 1.0


def test_names_without_hierarchy_count() -> None:
    mapping = map_bones(JOINTS, [NONE] * 22)
    assert mapping.bones.tolist() == list(range(22))
    assert (mapping.confidence == 1.0).all()


@pytest.mark.parametrize("family", RIGS)
def test_order_of_bones_does_not_matter(family: str) -> None:
    rig, joints = RIGS[family]
    order = np.random.default_rng(1).permutation(len(rig.names))
    place = np.argsort(order)
    names = [rig.names[bone] for bone in order]
    parents = [NONE if rig.parents[bone] < 0 else place[rig.parents[bone]] for bone in order]
    mapping = map_bones(names, parents)
    assert mapping.family == family
    assert {j: names[mapping.bones[INDEX[j]]] for j in joints} == joints


def test_nothing_to_map() -> None:
    assert map_bones([], [], np.zeros((0, 3))).missing
    assert map_bones(["Cube"], [NONE], np.zeros((1, 3))).missing


@pytest.mark.parametrize("known", [True, False])
def test_speed(skeleton: Skeleton, known: bool) -> None:
    """900 bones in less than 0.2 s."""
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
    assert min(seconds) < 0.2
