# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs that people have: their bones, hierarchy, and which bone is which joint."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.body.skeleton import JOINTS
from ssrhmr_core.rigs.bone_mapping import NONE, BoneMapping, map_bones

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


def family_of(kind: str) -> str:
    """The family that a kind of rig belongs to: what stands before the colon."""
    return kind.partition(": ")[0]


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
}
