# SPDX-License-Identifier: GPL-3.0-or-later
"""The bones of an avatar, as VMC sends them, put together to the points that trackers measure."""

from __future__ import annotations

import math
from functools import cache

from ...body.skeleton import INDEX
from ...geometry.scalar import IDENTITY_QUAT, Quaternion, Vector, compose
from ...tracking.proportions import make_adult
from ..readings import ORIGIN, Reading, is_in_room

ENDS = ("Hips", "Head", "LeftHand", "RightHand", "LeftFoot", "RightFoot")
"""The bones that become devices."""
_SIDES = ("Left", "Right")
_LIMBS = {
    # Bone: its parent, and the joint of the core's skeleton.
    "Shoulder": ("UpperChest", "clavicle"),
    "UpperArm": ("Shoulder", "shoulder"),
    "LowerArm": ("UpperArm", "elbow"),
    "Hand": ("LowerArm", "wrist"),
    "UpperLeg": ("Hips", "hip"),
    "LowerLeg": ("UpperLeg", "knee"),
    "Foot": ("LowerLeg", "ankle"),
    "Toes": ("Foot", "toe"),
}
_PARENTS = {
    "Spine": "Hips",
    "Chest": "Spine",
    "UpperChest": "Chest",
    "Neck": "UpperChest",
    "Head": "Neck",
    **{
        side + bone: parent if parent in ("UpperChest", "Hips") else side + parent
        for side in _SIDES
        for bone, (parent, _) in _LIMBS.items()
    },
}
_ORDER = ("Hips", *_PARENTS)
"""The bones, parents before their children."""
BONES = set(_ORDER)
"""The bones that matter: those between the hips and an end, and toes."""
POINTS = {
    "Chest": ("UpperChest", "UpperChest"),
    **{
        side + point: (side + position, side + rotation)
        for point, position, rotation in (
            ("Shoulder", "UpperArm", "Shoulder"),
            ("Elbow", "LowerArm", "UpperArm"),
            ("Knee", "LowerLeg", "UpperLeg"),
            ("Toe", "Toes", "Toes"),
        )
        for side in _SIDES
    },
}
"""The points that optional trackers measure, which become devices too: the bone that begins there,
and the bone that is turned as the tracker."""
_DEVICES = [
    (f"Bone {point}", position, rotation)
    for point, (position, rotation) in ({end: (end, end) for end in ENDS} | POINTS).items()
]
"""The devices: their names, and the bones that have their positions and rotations."""
_CHESTS = ("UpperChest", "Chest")
"""The bones of the chest: if an avatar has no upper one, the other takes its place."""
_JOINTS = {
    "Hips": "hips",
    "Spine": "lower_spine",
    "Chest": "middle_spine",
    "UpperChest": "chest",
    "Neck": "neck",
    "Head": "head",
    **{
        side + bone: f"{side.lower()}_{joint}"
        for side in _SIDES
        for bone, (_, joint) in _LIMBS.items()
    },
}
_BONE_LIFETIME = 1.0
"""Seconds after which a bone that is not sent any more is forgotten: the avatar was changed."""
_ROUNDS_WITHOUT_HIPS = 10
_SWITCH_FRAMES = 30
"""Number of frames that must disagree before bones count as global instead of local, or back."""
_NO_LENGTH = 1e-4

NO_HIPS = (
    "the sender sends bones but no hips (as SnekStudio does): its root is taken for the hips, so"
    " the character stays in place"
)
NO_LENGTHS = (
    "the sender sends rotations of bones but no lengths: they are put on a body of usual"
    " proportions, which stays in place. Load your avatar in the sender (SlimeVR: a VRM file on"
    " its VMC page), or let it send trackers too"
)
GLOBAL_BONES = (
    "the sender sends bones in room coordinates instead of relative to their parents (as ALVR"
    " does): they cannot be used. Use a program that sends trackers, or bones as VMC defines them"
)

Transform = tuple[Vector, Quaternion]


class Avatar:
    """Assembles the bones of one performer to frames.

    Bones of a frame may be spread over several datagrams: it begins with the one that has the hips
    (or, of senders without hips, with one that has a bone again), and is complete when all bones
    of the former frames have come.

    Attributes:
        root: Position and rotation of the root in the room, core axes.
        notice: What the user should know about the bones, "" if nothing.
    """

    def __init__(self) -> None:
        """Create an avatar without bones."""
        self.root: Transform = (ORIGIN, IDENTITY_QUAT)
        self.notice = ""
        self._bones: dict[str, Transform] = {}
        self._arrivals: dict[str, float] = {}
        self._fresh: set[str] = set()
        self._frames = 0
        self._moment = (math.nan, math.nan)
        self._has_hips: bool | None = None
        self._rounds = 0
        self._is_global: bool | None = None
        self._disagreeing = 0

    def add(self, bones: dict[str, Transform], time: float, arrival: float) -> list[Reading]:
        """Take in the bones of a datagram.

        Args:
            bones: Local position and rotation by name, core axes.
            time: Seconds on the sender's clock, nan if unknown.
            arrival: Seconds on the receiver's clock.

        Returns:
            Readings of ends and points, of frames that are complete or over.
        """
        names = bones.keys()
        begins = self._begins_frame(bones)
        readings: list[Reading] = []
        if self._fresh and (begins or names & self._fresh):
            # What is still missing was lost, or comes seldom.
            readings += self._finish_frame()
        if begins:
            self._frames += 1
            self._forget_bones(arrival)
        self._bones |= bones
        self._arrivals |= dict.fromkeys(bones, arrival)
        self._fresh |= names
        self._moment = (time, arrival)
        # The number of bones is known when the second frame begins.
        if self._frames > 1 and len(self._fresh) == len(self._bones):
            readings += self._finish_frame()
        return readings

    def _begins_frame(self, bones: dict[str, Transform]) -> bool:
        if "Hips" in bones:
            if not self._has_hips:
                # What came before belongs to a frame whose beginning was missed.
                self._has_hips = True
                self._fresh.clear()
                self._frames = 0
            self._rounds = 0
            return True
        repeats = not self._fresh.isdisjoint(bones)
        if repeats and self._has_hips is not False:
            self._rounds += 1
            if self._rounds > _ROUNDS_WITHOUT_HIPS:
                self._has_hips = False
                self._bones.pop("Hips", None)
        return repeats and self._has_hips is False

    def _forget_bones(self, arrival: float) -> None:
        if min(self._arrivals.values(), default=arrival) >= arrival - _BONE_LIFETIME:
            return
        for name, last in list(self._arrivals.items()):
            if last < arrival - _BONE_LIFETIME:
                del self._arrivals[name], self._bones[name]

    def _finish_frame(self) -> list[Reading]:
        """Return the devices of the frame; none before the sender's kind is known."""
        fresh = self._fresh.copy()
        self._fresh.clear()
        if self._has_hips is None:
            return []
        self._update_kind()
        if self._is_global:
            self.notice = GLOBAL_BONES
            return []
        lengths = not self._lacks_lengths()
        self.notice = "" if self._has_hips else NO_HIPS
        if not lengths:
            self.notice = NO_LENGTHS
        if not self._has_hips:
            fresh.add("Hips")
        if not fresh.isdisjoint(_CHESTS):
            fresh.add("UpperChest")
        time, arrival = self._moment
        room, bones = self._to_room(lengths), self._bones
        readings = []
        for device, position_bone, rotation_bone in _DEVICES:
            if position_bone in fresh and (rotation_bone in bones or rotation_bone in fresh):
                position, rotation = room[position_bone][0], room[rotation_bone][1]
                valid = is_in_room(position)
                place = position if valid else ORIGIN
                # Much faster than by name.
                values = (device, place, rotation, time, valid, "bone", arrival, True, "", True)
                readings.append(tuple.__new__(Reading, values))
        return readings

    def _update_kind(self) -> None:
        """Find out whether positions are local to parents, as they should be, or global."""
        hips, head = self._bones.get("Hips"), self._bones.get("Head")
        feet = [self._bones[name] for name in ("LeftFoot", "RightFoot") if name in self._bones]
        if hips is None or head is None or not feet:
            return
        height = hips[0][1]
        # A foot hangs below its knee by the length of a shin, or is on the floor.
        foot = min(position[1] for position, _ in feet)
        looks_global = head[0][1] > 1.1 * height > 0.0 and foot > -0.25 * height
        looks_local = foot < -0.25 * abs(height)
        if self._is_global is None and (looks_global or looks_local):
            self._is_global = looks_global
        if looks_local if self._is_global else looks_global:
            self._disagreeing += 1
            if self._disagreeing > _SWITCH_FRAMES:
                self._is_global, self._disagreeing = not self._is_global, 0
        else:
            self._disagreeing = 0

    def _lacks_lengths(self) -> bool:
        return len(self._bones) > 1 and all(
            max(map(abs, position)) < _NO_LENGTH
            for name, (position, _) in self._bones.items()
            if name != "Hips"
        )

    def _to_room(self, lengths: bool) -> dict[str, Transform]:
        """Return where the bones are in the room.

        Args:
            lengths: Whether to use the sender's bone lengths, or usual ones.
        """
        room: dict[str, Transform] = {}
        bones = self._bones
        for bone in _ORDER:
            above = self.root if bone == "Hips" else room[_PARENTS[bone]]
            local = bones.get(bone)
            if not lengths:
                position, rotation = local or (ORIGIN, IDENTITY_QUAT)
                is_placed = bone == "Hips" and any(position)
                local = (position if is_placed else _usual_offset(bone)), rotation
            # Chest, upper chest, neck and shoulders may be missing: their children are then local
            # to the next bone up.
            room[bone] = compose(*above, *local) if local else above
        return room


@cache
def _usual_offset(bone: str) -> Vector:
    """Return the offset of a bone from its parent, of an adult in the T-pose."""
    body = make_adult()
    x, y, z = body.offsets[INDEX[_JOINTS[bone]]].tolist()
    if bone == "Hips":
        return 0.0, float(-body.t_pose()[[INDEX["left_toe"], INDEX["right_toe"]], 1].mean()), 0.0
    return x, y, z
