# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs as people have them: their bones, hierarchy, and which bone is which joint."""

from __future__ import annotations

import re

import numpy as np

from ssrhmr_core.body.skeleton import INDEX, JOINTS, Skeleton
from ssrhmr_core.rigs.bone_mapping import NONE, BoneMapping, map_bones

LEG = ("hip", "knee", "ankle", "toe")
ARM = ("clavicle", "shoulder", "elbow", "wrist")


class Rig:
    """Bones given as chains: each begins at an existing bone or at a new root."""

    def __init__(self, *chains: str) -> None:
        self.names: list[str] = []
        self.parents: list[int] = []
        for chain in chains:
            first, *rest = [word.replace("~", " ") for word in chain.split()]
            parent = self.names.index(first) if first in self.names else self.add(first, NONE)
            for name in rest:
                parent = self.add(name, parent)

    def add(self, name: str, parent: int) -> int:
        """Add a bone and return its index."""
        self.names.append(name)
        self.parents.append(parent)
        return len(self.names) - 1

    def map(self, positions: np.ndarray | None = None) -> BoneMapping:
        """Detect the joints' bones."""
        return map_bones(self.names, self.parents, positions)

    def named(self, mapping: BoneMapping) -> dict[str, str]:
        """Return the name of each joint's bone."""
        return {
            joint: self.names[bone]
            for joint, bone in zip(JOINTS, mapping.bones, strict=True)
            if bone != NONE
        }


def expected(trunk: str, leg: str, arm: str, sides: tuple[str, str]) -> dict[str, str]:
    """Return the bone of each joint; "-" stands for a missing joint, "$" for the side."""
    joints = dict(zip(("hips", *JOINTS[9:14]), trunk.split(), strict=True))
    for side, mark in zip(("left", "right"), sides, strict=True):
        for parts, words in ((LEG, leg), (ARM, arm)):
            for part, word in zip(parts, words.split(), strict=True):
                joints[f"{side}_{part}"] = word.replace("$", mark)
    return {joint: name.replace("~", " ") for joint, name in joints.items() if name != "-"}


def both(sides: tuple[str, str], *chains: str) -> list[str]:
    """Return chains for both sides."""
    return [chain.replace("$", side) for chain in chains for side in sides]


LR, LONG = ("L", "R"), ("Left", "Right")
LOW = ("l", "r")


def family_of(kind: str) -> str:
    """Return the family that a kind of rig belongs to: the part before the colon."""
    return kind.partition(": ")[0]


def mikumikudance(left: str, right: str) -> tuple[Rig, dict[str, str]]:
    """Build the rig of MikuMikuDance with its semi-standard bones.

    Args:
        left: How the name of a left bone is made from that of the body part.
        right: The same on the right side.
    """
    chains = [
        "全ての親 センター グルーブ 腰 上半身 上半身2 首 頭 両目",
        "腰 下半身",
    ]
    for form in (left, right):
        chains += [
            " ".join(form.format(part[1:]) if part[0] == "$" else part for part in chain.split())
            for chain in (
                "下半身 $腰キャンセル $足 $ひざ $足首 $つま先",
                "$腰キャンセル $足D $ひざD $足首D $足先EX",
                "全ての親 $足IK親 $足ＩＫ $つま先ＩＫ",
                "上半身2 $肩P $肩 $肩C $腕 $腕捩 $ひじ $手捩 $手首 $人指１ $人指２ $人指３",
                "$手首 $親指０ $親指１ $親指２",
                "$手首 $中指１ $中指２ $中指３",
                "$手首 $小指１ $小指２ $小指３",
                "頭 $目",
            )
        ]
    rig = Rig(*chains)
    joints = {"hips": "腰", "lower_spine": "上半身", "chest": "上半身2", "neck": "首", "head": "頭"}
    for side, form in (("left", left), ("right", right)):
        for parts, words in ((LEG, "足 ひざ 足首 つま先"), (ARM, "肩 腕 ひじ 手首")):
            for part, word in zip(parts, words.split(), strict=True):
                joints[f"{side}_{part}"] = form.format(word)
    return rig, joints


# kind: rig, bones of the joints. Twist, IK, face and finger bones stand where the real rigs have
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
    "DAZ and Poser: Genesis 8": (
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
    "Unreal mannequin: UE5": (
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
                "thigh_$ thigh_twist_02_$",
                "calf_$ calf_twist_02_$",
                "calf_$ calf_twist_01_$",
                "spine_05 clavicle_$ upperarm_$ lowerarm_$ hand_$ index_metacarpal_$ index_01_$",
                "upperarm_$ upperarm_twist_01_$",
                "upperarm_$ upperarm_twist_02_$",
                "lowerarm_$ lowerarm_twist_02_$",
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
                "CC_Base_$_Thigh CC_Base_$_ThighTwist01 CC_Base_$_ThighTwist02",
                "CC_Base_$_Calf CC_Base_$_CalfTwist01 CC_Base_$_CalfTwist02",
                "CC_Base_$_Calf CC_Base_$_KneeShareBone",
                "CC_Base_Spine02 CC_Base_$_Clavicle CC_Base_$_Upperarm CC_Base_$_Forearm"
                " CC_Base_$_Hand CC_Base_$_Index1",
                "CC_Base_$_Upperarm CC_Base_$_UpperarmTwist01 CC_Base_$_UpperarmTwist02",
                "CC_Base_$_Forearm CC_Base_$_ForearmTwist01 CC_Base_$_ForearmTwist02",
                "CC_Base_$_Forearm CC_Base_$_ElbowShareBone",
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
    "Unreal mannequin: UE4": (
        Rig(
            "root pelvis spine_01 spine_02 spine_03 neck_01 head",
            "root ik_foot_root ik_foot_l",
            "ik_foot_root ik_foot_r",
            "root ik_hand_root ik_hand_gun ik_hand_l",
            "ik_hand_gun ik_hand_r",
            *both(
                LOW,
                "pelvis thigh_$ calf_$ foot_$ ball_$",
                "thigh_$ thigh_twist_01_$",
                "calf_$ calf_twist_01_$",
                "spine_03 clavicle_$ upperarm_$ lowerarm_$ hand_$ index_01_$ index_02_$",
                "upperarm_$ upperarm_twist_01_$",
                "lowerarm_$ lowerarm_twist_01_$",
            ),
        ),
        expected(
            "pelvis spine_01 spine_02 spine_03 neck_01 head",
            "thigh_$ calf_$ foot_$ ball_$",
            "clavicle_$ upperarm_$ lowerarm_$ hand_$",
            LOW,
        ),
    ),
    "Unreal mannequin: MetaHuman": (
        Rig(
            "root pelvis spine_01 spine_02 spine_03 spine_04 spine_05 neck_01 neck_02 head",
            "head FACIAL_C_FacialRoot FACIAL_C_Jaw",
            "neck_02 FACIAL_C_Neck2Root",
            *both(
                LOW,
                "pelvis thigh_$ calf_$ foot_$ ball_$ bigtoe_01_$",
                "thigh_$ thigh_twist_01_$",
                "thigh_$ thigh_twist_02_$",
                "thigh_$ thigh_correctiveRoot_$ thigh_out_$",
                "calf_$ calf_twist_02_$",
                "calf_$ calf_twist_01_$",
                "calf_$ calf_correctiveRoot_$ calf_kneeBack_$",
                "spine_05 clavicle_$ upperarm_$ lowerarm_$ hand_$ index_metacarpal_$ index_01_$",
                "spine_04 clavicle_pec_$",
                "upperarm_$ upperarm_twist_01_$ upperarm_twistCor_01_$",
                "upperarm_$ upperarm_twist_02_$ upperarm_tricep_$",
                "upperarm_$ upperarm_correctiveRoot_$ upperarm_out_$",
                "lowerarm_$ lowerarm_twist_02_$",
                "lowerarm_$ lowerarm_twist_01_$",
                "lowerarm_$ lowerarm_correctiveRoot_$ lowerarm_in_$",
            ),
        ),
        expected(
            "pelvis spine_01 spine_03 spine_05 neck_01 head",
            "thigh_$ calf_$ foot_$ ball_$",
            "clavicle_$ upperarm_$ lowerarm_$ hand_$",
            LOW,
        ),
    ),
    "Unreal mannequin: MPFB game engine": (
        Rig(
            "Root pelvis spine_01 spine_02 spine_03 neck_01 head",
            *both(
                LOW,
                "pelvis thigh_$ calf_$ foot_$ ball_$",
                "spine_03 clavicle_$ upperarm_$ lowerarm_$ hand_$ index_01_$ index_02_$",
            ),
        ),
        expected(
            "pelvis spine_01 spine_02 spine_03 neck_01 head",
            "thigh_$ calf_$ foot_$ ball_$",
            "clavicle_$ upperarm_$ lowerarm_$ hand_$",
            LOW,
        ),
    ),
    "DAZ Genesis 9": (
        Rig(
            "hip pelvis",
            "hip spine1 spine2 spine3 spine4 neck1 neck2 head lowerjaw",
            *both(
                LOW,
                "pelvis $_thigh $_shin $_foot $_metatarsal $_toes $_bigtoe1",
                "$_thigh $_thightwist1",
                "$_thigh $_thightwist2",
                "spine4 $_shoulder $_upperarm $_forearm $_hand $_indexmetacarpal $_index1",
                "spine4 $_pectoral",
                "$_upperarm $_upperarmtwist1",
                "$_upperarm $_upperarmtwist2",
                "$_forearm $_forearmtwist1",
                "$_forearm $_forearmtwist2",
            ),
        ),
        expected(
            "hip spine1 spine3 spine4 neck1 head",
            "$_thigh $_shin $_foot $_toes",
            "$_shoulder $_upperarm $_forearm $_hand",
            LOW,
        ),
    ),
    "MakeHuman": (
        Rig(
            "root spine05 spine04 spine03 spine02 spine01 neck01 neck02 neck03 head jaw tongue00",
            *both(
                LR,
                "root pelvis.$ upperleg01.$ upperleg02.$ lowerleg01.$ lowerleg02.$ foot.$"
                " toe1-1.$ toe1-2.$",
                "foot.$ toe2-1.$ toe2-2.$",
                "spine01 clavicle.$ shoulder01.$ upperarm01.$ upperarm02.$ lowerarm01.$"
                " lowerarm02.$ wrist.$ metacarpal1.$ finger2-1.$",
                "wrist.$ finger1-1.$",
                "spine02 breast.$",
            ),
        ),
        expected(
            "root spine05 spine03 spine01 neck01 head",
            "upperleg01.$ lowerleg01.$ foot.$ toe1-1.$",
            "clavicle.$ upperarm01.$ lowerarm01.$ wrist.$",
            LR,
        ),
    ),
    "SMPL: SMPL-X": (
        Rig(
            "root pelvis spine1 spine2 spine3 neck head jaw",
            "head left_eye_smplhf",
            "head right_eye_smplhf",
            *both(
                ("left", "right"),
                "pelvis $_hip $_knee $_ankle $_foot",
                "spine3 $_collar $_shoulder $_elbow $_wrist $_index1 $_index2 $_index3",
                "$_wrist $_thumb1",
            ),
        ),
        expected(
            "pelvis spine1 spine2 spine3 neck head",
            "$_hip $_knee $_ankle $_foot",
            "$_collar $_shoulder $_elbow $_wrist",
            ("left", "right"),
        ),
    ),
    "Xsens BVH and other classic BVH": (
        Rig(
            "Hips Chest Chest2 Chest3 Chest4 Neck Head",
            *both(
                LONG,
                "Hips $Hip $Knee $Ankle $Toe",
                "Chest4 $Collar $Shoulder $Elbow $Wrist",
            ),
        ),
        expected(
            "Hips Chest Chest3 Chest4 Neck Head",
            "$Hip $Knee $Ankle $Toe",
            "$Collar $Shoulder $Elbow $Wrist",
            LONG,
        ),
    ),
    "Rokoko": (
        Rig(
            "Hips Spine1 Spine2 Spine3 Spine4 Neck Head",
            *both(
                LONG,
                "Hips $Thigh $Shin $Foot $Toe $ToeTip",
                "Spine4 $Shoulder $Arm $ForeArm $Hand $Finger2Metacarpal $Finger2Proximal",
                "$Hand $Finger1Metacarpal",
            ),
        ),
        expected(
            "Hips Spine1 Spine3 Spine4 Neck Head",
            "$Thigh $Shin $Foot $Toe",
            "$Shoulder $Arm $ForeArm $Hand",
            LONG,
        ),
    ),
    "LaFAN": (
        Rig(
            "Hips Spine Spine1 Spine2 Neck Head",
            *both(
                LONG,
                "Hips $UpLeg $Leg $Foot $Toe",
                "Spine2 $Shoulder $Arm $ForeArm $Hand",
            ),
        ),
        expected(
            "Hips Spine Spine1 Spine2 Neck Head",
            "$UpLeg $Leg $Foot $Toe",
            "$Shoulder $Arm $ForeArm $Hand",
            LONG,
        ),
    ),
    "Mixamo and HumanIK: HumanIK": (
        Rig(
            "Character1_Reference Character1_Hips Character1_Spine Character1_Spine1"
            " Character1_Spine2 Character1_Neck Character1_Head",
            *both(
                LONG,
                "Character1_Hips Character1_$UpLeg Character1_$UpLegRoll Character1_$Leg"
                " Character1_$LegRoll Character1_$Foot Character1_$ToeBase",
                "Character1_Spine2 Character1_$Shoulder Character1_$Arm Character1_$ArmRoll"
                " Character1_$ForeArm Character1_$ForeArmRoll Character1_$Hand"
                " Character1_$HandIndex1",
            ),
        ),
        expected(
            "Character1_Hips Character1_Spine Character1_Spine1 Character1_Spine2 Character1_Neck"
            " Character1_Head",
            "Character1_$UpLeg Character1_$Leg Character1_$Foot Character1_$ToeBase",
            "Character1_$Shoulder Character1_$Arm Character1_$ForeArm Character1_$Hand",
            LONG,
        ),
    ),
    # With its twist bones in the chain; the mapped bones are those at shoulder and hip.
    "Auto-Rig Pro export": (
        Rig(
            "c_traj root.x spine_01.x spine_02.x spine_03.x neck.x head.x jawbone.x",
            *both(
                LOW,
                "root.x thigh_twist.$ thigh_stretch.$ leg_stretch.$ leg_twist.$ foot.$ toes_01.$",
                "spine_03.x shoulder.$ c_arm_twist_offset.$ arm_stretch.$ forearm_stretch.$"
                " forearm_twist.$ hand.$ index1.$ c_index2.$",
            ),
        ),
        expected(
            "root.x spine_01.x spine_02.x spine_03.x neck.x head.x",
            "thigh_twist.$ leg_stretch.$ foot.$ toes_01.$",
            "shoulder.$ c_arm_twist_offset.$ forearm_stretch.$ hand.$",
            LOW,
        ),
    ),
    # With its twist bones aside, as for game engines.
    "Auto-Rig Pro export: humanoid": (
        Rig(
            "root root.x spine_01.x spine_02.x spine_03.x neck.x head.x",
            *both(
                LOW,
                "root.x thigh_stretch.$ leg_stretch.$ foot.$ toes_01.$",
                "thigh_stretch.$ thigh_twist.$",
                "leg_stretch.$ leg_twist.$",
                "spine_03.x shoulder.$ arm_stretch.$ forearm_stretch.$ hand.$ index1.$",
                "arm_stretch.$ arm_twist.$",
                "forearm_stretch.$ forearm_twist.$",
            ),
        ),
        expected(
            "root.x spine_01.x spine_02.x spine_03.x neck.x head.x",
            "thigh_stretch.$ leg_stretch.$ foot.$ toes_01.$",
            "shoulder.$ arm_stretch.$ forearm_stretch.$ hand.$",
            LOW,
        ),
    ),
    # As rigs that are made in Blender by hand are named most often.
    "Blender": (
        Rig(
            "root hips spine chest neck head",
            *both(
                LR,
                "hips thigh.$ shin.$ foot.$ toe.$",
                "chest shoulder.$ upper_arm.$ forearm.$ hand.$ f_index.01.$",
                "hand.$ thumb.01.$",
                "head eye.$",
            ),
        ),
        expected(
            "hips spine - chest neck head",
            "thigh.$ shin.$ foot.$ toe.$",
            "shoulder.$ upper_arm.$ forearm.$ hand.$",
            LR,
        ),
    ),
    "VRChat": (
        Rig(
            "Hips Spine Chest Neck Head Hair",
            *both(
                LONG,
                "Hips $~leg $~knee $~ankle $~toe",
                "Chest $~shoulder $~arm $~elbow $~wrist IndexFinger1_$",
                "$~wrist Thumb0_$",
                "Head Eye_$",
            ),
        ),
        expected(
            "Hips Spine - Chest Neck Head",
            "$~leg $~knee $~ankle $~toe",
            "$~shoulder $~arm $~elbow $~wrist",
            LONG,
        ),
    ),
    "VRM humanoid": (
        Rig(
            "root hips spine chest upperChest neck head jaw",
            *both(
                ("left", "right"),
                "hips $UpperLeg $LowerLeg $Foot $Toes",
                "upperChest $Shoulder $UpperArm $LowerArm $Hand $IndexProximal",
                "head $Eye",
            ),
        ),
        expected(
            "hips spine chest upperChest neck head",
            "$UpperLeg $LowerLeg $Foot $Toes",
            "$Shoulder $UpperArm $LowerArm $Hand",
            ("left", "right"),
        ),
    ),
    "SMPL: HumanML3D": (
        Rig(
            "pelvis spine1 spine2 spine3 neck head",
            *both(
                ("left", "right"),
                "pelvis $_hip $_knee $_ankle $_foot",
                "spine3 $_collar $_shoulder $_elbow $_wrist",
            ),
        ),
        expected(
            "pelvis spine1 spine2 spine3 neck head",
            "$_hip $_knee $_ankle $_foot",
            "$_collar $_shoulder $_elbow $_wrist",
            ("left", "right"),
        ),
    ),
    # Its "leg" is the thigh.
    "SOMA (Kimodo)": (
        Rig(
            "Hips Spine1 Spine2 Chest Neck1 Neck2 Head HeadEnd",
            "Head Jaw",
            *both(
                LONG,
                "Head $Eye",
                "Hips $Leg $Shin $Foot $ToeBase $ToeEnd",
                "Chest $Shoulder $Arm $ForeArm $Hand $HandIndex1 $HandIndex2 $HandIndex3",
                "$Hand $HandThumb1 $HandThumb2",
                "$Hand $HandMiddle1 $HandMiddle2",
            ),
        ),
        expected(
            "Hips Spine1 Spine2 Chest Neck1 Head",
            "$Leg $Shin $Foot $ToeBase",
            "$Shoulder $Arm $ForeArm $Hand",
            LONG,
        ),
    ),
    "Sony mocopi": (
        Rig(
            "root torso_1 torso_2 torso_3 torso_4 torso_5 torso_6 torso_7 neck_1 neck_2 head",
            *both(
                LOW,
                "root $_up_leg $_low_leg $_foot $_toes",
                "torso_7 $_shoulder $_up_arm $_low_arm $_hand",
            ),
        ),
        expected(
            "root torso_1 torso_4 torso_7 neck_1 head",
            "$_up_leg $_low_leg $_foot $_toes",
            "$_shoulder $_up_arm $_low_arm $_hand",
            LOW,
        ),
    ),
    "Captury": (
        Rig(
            "Root Hips Spine Spine1 Spine2 Spine3 Spine4 Neck Head HeadEE",
            *both(
                LONG,
                "Hips $UpLeg $Leg $Foot $ToeBase $FootEE",
                "Spine4 $Shoulder $Arm $ForeArm $ForeArmRoll $Hand $HandEE",
            ),
        ),
        expected(
            "Hips Spine Spine2 Spine4 Neck Head",
            "$UpLeg $Leg $Foot $ToeBase",
            "$Shoulder $Arm $ForeArm $Hand",
            LONG,
        ),
    ),
    "Theia": (
        Rig(
            "worldbody pelvis abdomen torso neck head",
            *both(
                LOW,
                "pelvis $_thigh $_shank $_foot $_toes",
                "torso $_clavicle $_uarm $_larm $_hand",
            ),
        ),
        expected(
            "pelvis abdomen - torso neck head",
            "$_thigh $_shank $_foot $_toes",
            "$_clavicle $_uarm $_larm $_hand",
            LOW,
        ),
    ),
    # No toes, and a bone called pelvis on each side.
    "FreeMoCap": (
        Rig(
            "root pelvis spine spine.001 neck face",
            *both(
                LR,
                "pelvis pelvis.$ thigh.$ shin.$ foot.$",
                "shin.$ heel.02.$",
                "spine.001 shoulder.$ upper_arm.$ forearm.$ hand.$ palm.01.$ f_index.01.$",
                "hand.$ thumb.carpal.$ thumb.01.$",
            ),
        ),
        expected(
            "pelvis spine - spine.001 neck face",
            "thigh.$ shin.$ foot.$ -",
            "shoulder.$ upper_arm.$ forearm.$ hand.$",
            LR,
        ),
    ),
    "OptiTrack Motive": (
        Rig(
            "Hip Ab Chest Neck Head",
            *both(
                LR,
                "Hip $Thigh $Shin $Foot $Toe",
                "Chest $Shoulder $UArm $FArm $Hand $Index1 $Index2",
            ),
        ),
        expected(
            "Hip Ab - Chest Neck Head",
            "$Thigh $Shin $Foot $Toe",
            "$Shoulder $UArm $FArm $Hand",
            LR,
        ),
    ),
    "iPi Mocap Studio": (
        Rig(
            "Hip LowerSpine MiddleSpine Chest Neck Head",
            *both(
                LR,
                "Hip $Thigh $Shin $Foot $Toe",
                "Chest $Clavicle $Shoulder $Forearm $Hand",
            ),
        ),
        expected(
            "Hip LowerSpine MiddleSpine Chest Neck Head",
            "$Thigh $Shin $Foot $Toe",
            "$Clavicle $Shoulder $Forearm $Hand",
            LR,
        ),
    ),
    "MocapNET": (
        Rig(
            "hip abdomen chest neck neck1 head",
            *both(
                LOW,
                "hip $buttock $hip $knee $foot toe1-1.$ toe1-2.$",
                "chest $collar $shoulder $elbow $hand",
            ),
        ),
        expected(
            "hip abdomen - chest neck head",
            "$hip $knee $foot toe1-1.$",
            "$collar $shoulder $elbow $hand",
            LOW,
        ),
    ),
    # Legs twice, on bones that cancel the waist; IK, twist and shadow bones.
    "MikuMikuDance": mikumikudance("{}.L", "{}.R"),
    "MikuMikuDance: Japanese sides": mikumikudance("左{}", "右{}"),
    # Without the semi-standard bones.
    "MikuMikuDance: plain": (
        Rig(
            "センター 上半身 首 頭",
            "センター 下半身",
            *both(
                LR,
                "下半身 足.$ ひざ.$ 足首.$",
                "センター 足ＩＫ.$ つま先ＩＫ.$",
                "上半身 肩.$ 腕.$ ひじ.$ 手首.$ 人指１.$ 人指２.$",
                "手首.$ 親指１.$ 親指２.$",
            ),
        ),
        expected(
            "センター - - 上半身 首 頭",
            "足.$ ひざ.$ 足首.$ -",
            "肩.$ 腕.$ ひじ.$ 手首.$",
            LR,
        ),
    ),
    # Its pelvis is called spine.
    "CloudRig meta-rig": (
        Rig(
            "Root Spine RibCage Chest Neck Head Jaw",
            *both(
                LR,
                "Spine Thigh.$ Knee.$ Foot.$ Toes.$",
                "Foot.$ HeelPivot.$",
                "Chest Shoulder.$ UpperArm.$ Forearm.$ Wrist.$ Finger_Index1.$ Finger_Index2.$",
                "Wrist.$ Finger_Thumb1.$",
                "Head Eye.$",
            ),
        ),
        expected(
            "Spine RibCage - Chest Neck Head",
            "Thigh.$ Knee.$ Foot.$ Toes.$",
            "Shoulder.$ UpperArm.$ Forearm.$ Wrist.$",
            LR,
        ),
    ),
    # A generated rig: its FK controls are what is keyed.
    "CloudRig": (
        Rig(
            "root MSTR-Spine_Torso MSTR-Spine_Hips FK-Spine FK-RibCage FK-Chest FK-Neck FK-Head",
            "FK-Spine DEF-Spine",
            "FK-RibCage DEF-RibCage",
            "FK-Chest DEF-Chest",
            "FK-Neck DEF-Neck",
            "FK-Head DEF-Head",
            *both(
                LR,
                "FK-Spine FK-P-Thigh.$ FK-Thigh.$ FK-Knee.$ FK-Foot.$ FK-Toes.$",
                "FK-Thigh.$ DEF-Thigh_1.$ DEF-Thigh_2.$",
                "FK-Knee.$ DEF-Knee_1.$ DEF-Knee_2.$",
                "FK-Foot.$ DEF-Foot.$",
                "root IK-MSTR-Foot.$ IK-Foot.$",
                "root IK-POLE-Thigh.$",
                "FK-Chest FK-Shoulder.$ FK-P-UpperArm.$ FK-UpperArm.$ FK-Forearm.$ FK-Wrist.$",
                "FK-UpperArm.$ DEF-UpperArm_1.$ DEF-UpperArm_2.$",
                "FK-Forearm.$ DEF-Forearm_1.$ DEF-Forearm_2.$",
                "FK-Wrist.$ DEF-Wrist.$",
                "root IK-MSTR-Wrist.$ IK-Wrist.$",
            ),
        ),
        expected(
            "FK-Spine FK-RibCage - FK-Chest FK-Neck FK-Head",
            "FK-Thigh.$ FK-Knee.$ FK-Foot.$ FK-Toes.$",
            "FK-Shoulder.$ FK-UpperArm.$ FK-Forearm.$ FK-Wrist.$",
            LR,
        ),
    ),
    # As version 2 generates them: bones without a mark follow FK and IK controls.
    "CloudRig controls": (
        Rig(
            "root TORSO-Spine FK-Spine FK-Chest Chest ROOT-Neck Neck ROOT-Head Head",
            "FK-Spine Spine",
            "TORSO-Spine HIP-Spine HipsLower-Spine Hips",
            "TORSO-Spine CHST-Spine",
            "HipsLower-Spine FK-Hips",
            "FK-HNG-Neck FK-Neck",
            "FK-HNG-Head FK-Head",
            "DEF-Hips DEF-Spine DEF-Chest",
            *both(
                LR,
                "Chest Shoulder.$ ROOT-UpperArm.$ UpperArm.$ Forearm.$ Hand.$",
                "Chest FK-Shoulder.$",
                "FK-HNG-UpperArm.$ FK-UpperArm.$ FK-Forearm.$ FK-Hand.$",
                "P-IK-Hand.$ IK-Hand.$",
                "Hips ROOT-Thigh.$ Thigh.$ Knee.$ Foot.$ Toes.$",
                "FK-HNG-Thigh.$ FK-Thigh.$ FK-Knee.$ FK-Foot.$",
                "FK-Toes.$",
                "P-IK-Foot.$ IK-Foot.$",
                "STR-Thigh_1.$ DEF-Thigh_1.$ DEF-Thigh_2.$ DEF-Knee_1.$ DEF-Knee_2.$ DEF-Foot.$",
                "STR-UpperArm_1.$ DEF-UpperArm_1.$ DEF-UpperArm_2.$ DEF-Forearm_1.$",
            ),
        ),
        expected(
            "TORSO-Spine FK-Spine - FK-Chest Neck Head",
            "Thigh.$ Knee.$ Foot.$ Toes.$",
            "Shoulder.$ UpperArm.$ Forearm.$ Hand.$",
            LR,
        ),
    ),
    "CloudRig: deform bones": (
        Rig(
            "root DEF-Hips DEF-Spine DEF-RibCage DEF-Chest DEF-Neck DEF-Head",
            *both(
                LR,
                "DEF-Hips DEF-Thigh_1.$ DEF-Thigh_2.$ DEF-Knee_1.$ DEF-Knee_2.$ DEF-Foot.$"
                " DEF-Toes.$",
                "DEF-Chest DEF-Shoulder.$ DEF-UpperArm_1.$ DEF-UpperArm_2.$ DEF-Forearm_1.$"
                " DEF-Forearm_2.$ DEF-Wrist.$ DEF-Finger_Index1.$",
            ),
        ),
        expected(
            "DEF-Hips DEF-Spine DEF-RibCage DEF-Chest DEF-Neck DEF-Head",
            "DEF-Thigh_1.$ DEF-Knee_1.$ DEF-Foot.$ DEF-Toes.$",
            "DEF-Shoulder.$ DEF-UpperArm_1.$ DEF-Forearm_1.$ DEF-Wrist.$",
            LR,
        ),
    ),
    # With its collision volumes, and the bones of wings and tails that most avatars leave alone.
    "Second Life": (
        Rig(
            "mPelvis mSpine1 mSpine2 mTorso mSpine3 mSpine4 mChest mNeck mHead mSkull",
            "mPelvis PELVIS",
            "mPelvis BUTT",
            "mTorso BELLY",
            "mChest CHEST",
            "mNeck NECK",
            "mHead HEAD",
            "mPelvis mTail1 mTail2 mTail3 mTail4",
            "mPelvis mGroin",
            "mChest mWingsRoot",
            *both(
                LONG,
                "mPelvis mHip$ mKnee$ mAnkle$ mFoot$ mToe$",
                "mPelvis mHindLimb1$ mHindLimb2$ mHindLimb3$ mHindLimb4$",
                "mChest mCollar$ mShoulder$ mElbow$ mWrist$ mHandIndex1$ mHandIndex2$",
                "mWrist$ mHandThumb1$",
                "mWingsRoot mWing1$ mWing2$ mWing3$ mWing4$",
                "mHead mEye$",
            ),
            *(
                f"{bone} {volume}"
                for side, mark in zip(LONG, LR, strict=True)
                for bone, volume in (
                    (f"mHip{side}", f"{mark}_UPPER_LEG"),
                    (f"mKnee{side}", f"{mark}_LOWER_LEG"),
                    (f"mAnkle{side}", f"{mark}_FOOT"),
                    (f"mCollar{side}", f"{mark}_CLAVICLE"),
                    (f"mShoulder{side}", f"{mark}_UPPER_ARM"),
                    (f"mElbow{side}", f"{mark}_LOWER_ARM"),
                    (f"mWrist{side}", f"{mark}_HAND"),
                )
            ),
        ),
        expected(
            "mPelvis mSpine1 mSpine3 mChest mNeck mHead",
            "mHip$ mKnee$ mAnkle$ mFoot$",
            "mCollar$ mShoulder$ mElbow$ mWrist$",
            LONG,
        ),
    ),
    # Ruth2 without Bento: a spine of two bones.
    "Second Life: Ruth2": (
        Rig(
            "mPelvis mTorso mChest mNeck mHead mSkull",
            *both(
                LONG,
                "mPelvis mHip$ mKnee$ mAnkle$ mFoot$ mToe$",
                "mChest mCollar$ mShoulder$ mElbow$ mWrist$",
                "mHead mEye$",
            ),
        ),
        expected(
            "mPelvis mTorso - mChest mNeck mHead",
            "mHip$ mKnee$ mAnkle$ mFoot$",
            "mCollar$ mShoulder$ mElbow$ mWrist$",
            LONG,
        ),
    ),
    "Roblox R15": (
        Rig(
            "HumanoidRootPart LowerTorso UpperTorso Head",
            *both(
                LONG,
                "LowerTorso $UpperLeg $LowerLeg $Foot",
                "UpperTorso $UpperArm $LowerArm $Hand",
            ),
        ),
        expected(
            "LowerTorso - - UpperTorso - Head",
            "$UpperLeg $LowerLeg $Foot -",
            "- $UpperArm $LowerArm $Hand",
            LONG,
        ),
    ),
    # "Body" carries the legs and "Hips" only the spine; the feet hang on the root.
    "Quaternius": (
        Rig(
            "Root Body Hips Abdomen Torso Neck Head",
            *both(
                LR,
                "Body UpperLeg.$ LowerLeg.$",
                "Root Foot.$ Foot.$_end",
                "Root PT.$",
                "Torso Shoulder.$ UpperArm.$ LowerArm.$ Wrist.$ Index1.$ Index2.$",
                "Wrist.$ Thumb1.$ Thumb2.$",
            ),
        ),
        expected(
            "Body Hips Abdomen Torso Neck Head",
            "UpperLeg.$ LowerLeg.$ Foot.$ -",
            "Shoulder.$ UpperArm.$ LowerArm.$ Wrist.$",
            LR,
        ),
    ),
    "Kenney": (
        Rig(
            "Root HipsCtrl Hips Spine Chest Neck Head Head_end",
            *both(
                LONG,
                "Root $FootCtrl $HeelRoll $ToeRoll $FootIK",
                "$FootCtrl $FootRollCtrl",
                "Root $KneeCtrl",
                "Hips $UpLeg $Leg $Foot $Toes $Toes_end",
                "Chest $Shoulder $Arm $ForeArm $Hand $HandIndex1 $HandIndex2 $HandIndex3",
                "$Hand $HandThumb1 $HandThumb2",
            ),
        ),
        expected(
            "Hips Spine - Chest Neck Head",
            "$UpLeg $Leg $Foot $Toes",
            "$Shoulder $Arm $ForeArm $Hand",
            LONG,
        ),
    ),
    "KayKit": (
        Rig(
            "root hips spine chest head",
            *both(
                LOW,
                "hips upperleg.$ lowerleg.$ foot.$ toes.$",
                "root kneeIK.$",
                "root control-toe-roll.$ control-heel-roll.$ control-foot-roll.$ heelIK.$"
                " IK-foot.$",
                "chest upperarm.$ lowerarm.$ wrist.$ hand.$ handslot.$",
                "root handIK.$",
                "root elbowIK.$",
            ),
        ),
        expected(
            "hips spine - chest - head",
            "upperleg.$ lowerleg.$ foot.$ toes.$",
            "- upperarm.$ lowerarm.$ wrist.$",
            LOW,
        ),
    ),
    # One bone for the trunk; the hips hang on it.
    "GDQuest": (
        Rig(
            "root torso neck head",
            "torso hips",
            *both(
                LR,
                "hips upperleg.$ lowerleg.$ foot.$",
                "torso upperarm.$ lowerarm.$ hand.$",
            ),
        ),
        expected(
            "hips - - torso neck head",
            "upperleg.$ lowerleg.$ foot.$ -",
            "- upperarm.$ lowerarm.$ hand.$",
            LR,
        ),
    ),
    "Mesh2Motion and Quaternius Universal": (
        Rig(
            "root DEF-hips DEF-spine.001 DEF-spine.002 DEF-spine.003 DEF-neck DEF-head",
            *both(
                LR,
                "DEF-hips DEF-thigh.$ DEF-shin.$ DEF-foot.$ DEF-toe.$ DEF-toe.$_end",
                "DEF-spine.003 DEF-shoulder.$ DEF-upper_arm.$ DEF-forearm.$ DEF-hand.$"
                " DEF-f_index.01.$ DEF-f_index.02.$",
                "DEF-hand.$ DEF-thumb.01.$",
            ),
        ),
        expected(
            "DEF-hips DEF-spine.001 DEF-spine.002 DEF-spine.003 DEF-neck DEF-head",
            "DEF-thigh.$ DEF-shin.$ DEF-foot.$ DEF-toe.$",
            "DEF-shoulder.$ DEF-upper_arm.$ DEF-forearm.$ DEF-hand.$",
            LR,
        ),
    ),
    # Controls and what they move, side by side.
    "Auto-Rig Pro controls": (
        Rig(
            "c_pos c_traj c_root_master.x c_spine_01.x c_spine_02.x c_spine_03.x c_neck.x c_head.x",
            "c_root_master.x c_root.x root.x",
            "c_spine_01.x spine_01.x spine_02.x spine_03.x neck.x head.x",
            *both(
                LOW,
                "root.x c_thigh_b.$ c_thigh_fk.$ c_leg_fk.$ c_foot_fk.$ c_toes_fk.$",
                "c_thigh_b.$ thigh_stretch.$ leg_stretch.$ foot.$ toes_01.$",
                "c_thigh_b.$ c_thigh_ik.$ c_leg_ik.$",
                "c_traj c_foot_ik.$ c_foot_01.$",
                "c_traj c_leg_pole.$",
                "c_spine_03.x c_shoulder.$ c_arm_fk.$ c_forearm_fk.$ c_hand_fk.$",
                "c_shoulder.$ shoulder.$ arm_stretch.$ forearm_stretch.$ hand.$ index1.$",
                "c_traj c_hand_ik.$",
                "c_traj c_arms_pole.$",
            ),
        ),
        expected(
            "c_root_master.x c_spine_01.x c_spine_02.x c_spine_03.x c_neck.x c_head.x",
            "c_thigh_fk.$ c_leg_fk.$ c_foot_fk.$ c_toes_fk.$",
            "c_shoulder.$ c_arm_fk.$ c_forearm_fk.$ c_hand_fk.$",
            LOW,
        ),
    ),
    "MB-Lab": (
        Rig(
            "root pelvis spine01 spine02 spine03 neck head",
            *both(
                LR,
                "pelvis thigh_$ calf_$ foot_$ toes_$",
                "thigh_$ thigh_twist_$",
                "calf_$ calf_twist_$",
                "spine03 breast_$",
                "spine03 clavicle_$ upperarm_$ lowerarm_$ hand_$ index00_$ index01_$",
                "upperarm_$ upperarm_twist_$",
                "lowerarm_$ lowerarm_twist_$",
                "hand_$ thumb01_$",
            ),
        ),
        expected(
            "pelvis spine01 spine02 spine03 neck head",
            "thigh_$ calf_$ foot_$ toes_$",
            "clavicle_$ upperarm_$ lowerarm_$ hand_$",
            LR,
        ),
    ),
    "Unity and Godot humanoid": (
        Rig(
            "Root Hips Spine Chest UpperChest Neck Head Jaw",
            *both(
                LONG,
                "Hips $UpperLeg $LowerLeg $Foot $Toes",
                "UpperChest $Shoulder $UpperArm $LowerArm $Hand $IndexProximal",
                "$Hand $ThumbMetacarpal",
                "Head $Eye",
            ),
        ),
        expected(
            "Hips Spine Chest UpperChest Neck Head",
            "$UpperLeg $LowerLeg $Foot $Toes",
            "$Shoulder $UpperArm $LowerArm $Hand",
            LONG,
        ),
    ),
    # Voxel avatars: no toes, no fingers.
    "Unity and Godot humanoid: Meebits": (
        Rig(
            "Root Hips Spine Chest Neck Head",
            *both(
                LONG,
                "Hips $UpperLeg $LowerLeg $Foot",
                "Chest $Shoulder $UpperArm $LowerArm $Hand",
            ),
        ),
        expected(
            "Hips Spine - Chest Neck Head",
            "$UpperLeg $LowerLeg $Foot -",
            "$Shoulder $UpperArm $LowerArm $Hand",
            LONG,
        ),
    ),
    "Mixamo and HumanIK: Decentraland": (
        Rig(
            "Avatar_Hips Avatar_Spine Avatar_Spine1 Avatar_Spine2 Avatar_Neck Avatar_Head"
            " Avatar_HeadTop_End",
            *both(
                LONG,
                "Avatar_Hips Avatar_$UpLeg Avatar_$Leg Avatar_$Foot Avatar_$ToeBase",
                "Avatar_Spine2 Avatar_$Shoulder Avatar_$Arm Avatar_$ForeArm Avatar_$Hand"
                " Avatar_$HandIndex1",
            ),
        ),
        expected(
            "Avatar_Hips Avatar_Spine Avatar_Spine1 Avatar_Spine2 Avatar_Neck Avatar_Head",
            "Avatar_$UpLeg Avatar_$Leg Avatar_$Foot Avatar_$ToeBase",
            "Avatar_$Shoulder Avatar_$Arm Avatar_$ForeArm Avatar_$Hand",
            LONG,
        ),
    ),
    # A robot's links: three hinges where people have one ball joint.
    "Unitree G1": (
        Rig(
            "pelvis waist_yaw_link waist_roll_link torso_link head_link",
            "pelvis pelvis_contour_link",
            *both(
                ("left", "right"),
                "pelvis $_hip_pitch_link $_hip_roll_link $_hip_yaw_link $_knee_link"
                " $_ankle_pitch_link $_ankle_roll_link",
                "torso_link $_shoulder_pitch_link $_shoulder_roll_link $_shoulder_yaw_link"
                " $_elbow_link $_wrist_roll_link $_wrist_pitch_link $_wrist_yaw_link"
                " $_rubber_hand",
            ),
        ),
        expected(
            "pelvis waist_yaw_link waist_roll_link torso_link - head_link",
            "$_hip_pitch_link $_knee_link $_ankle_pitch_link -",
            "- $_shoulder_pitch_link $_elbow_link $_wrist_roll_link",
            ("left", "right"),
        ),
    ),
    "Unitree H1": (
        Rig(
            "pelvis torso_link head_link",
            *both(
                ("left", "right"),
                "pelvis $_hip_yaw_link $_hip_roll_link $_hip_pitch_link $_knee_link $_ankle_link",
                "torso_link $_shoulder_pitch_link $_shoulder_roll_link $_shoulder_yaw_link"
                " $_elbow_link $_hand_link",
            ),
        ),
        expected(
            "pelvis - - torso_link - head_link",
            "$_hip_yaw_link $_knee_link $_ankle_link -",
            "- $_shoulder_pitch_link $_elbow_link $_hand_link",
            ("left", "right"),
        ),
    ),
    "Character Creator and AccuRig: iClone": (
        Rig(
            "RL_BoneRoot Hip Pelvis",
            "Hip Waist Spine01 Spine02 NeckTwist01 NeckTwist02 Head",
            *both(
                LR,
                "Pelvis $_Thigh $_Calf $_Foot $_ToeBase",
                "$_Thigh $_ThighTwist01 $_ThighTwist02",
                "$_Calf $_CalfTwist01",
                "Spine02 $_Clavicle $_Upperarm $_Forearm $_Hand $_Index1",
                "Spine02 $_RibsTwist $_Breast",
                "$_Upperarm $_UpperarmTwist01",
                "$_Forearm $_ForearmTwist01",
            ),
        ),
        expected(
            "Hip Waist Spine01 Spine02 NeckTwist01 Head",
            "$_Thigh $_Calf $_Foot $_ToeBase",
            "$_Clavicle $_Upperarm $_Forearm $_Hand",
            LR,
        ),
    ),
}


def _step_to(name: str, parent: np.ndarray) -> np.ndarray:
    """Return the offset (3,) of a bone that is no joint: ends lie at the end of a body part."""
    if re.search("end$|EE|Nub|Skull", name):
        upper = parent[1] > 0.3
        return np.array([0.0, 0.17, 0.0]) if upper else np.array([0.0, 0.0, 0.06])
    return np.array([0.0, 0.02, 0.03])


def place_bones(rig: Rig, joints: dict[str, str], skeleton: Skeleton) -> np.ndarray:
    """Return heads (bones, 3) of a rig: joints in the T-pose, bones between them evenly on the way.

    Other bones stick out a little from their parents.
    """
    rest = skeleton.t_pose().astype(float)
    known = {rig.names.index(bone): rest[INDEX[joint]] for joint, bone in joints.items()}
    heads = np.array([known.get(bone, [0.0, 0.0, 0.0]) for bone in range(len(rig.names))])
    for bone, parent in enumerate(rig.parents):
        if bone not in known and parent >= 0:
            heads[bone] = heads[parent] + _step_to(rig.names[bone], heads[parent])
        between: list[int] = []
        while bone in known and parent >= 0 and parent not in known:
            between.append(parent)
            parent = rig.parents[parent]
        if between and parent >= 0:
            shares = np.linspace(1.0, 0.0, len(between) + 2)[1:-1, None]
            heads[between] = heads[parent] + shares * (heads[bone] - heads[parent])
    return heads
