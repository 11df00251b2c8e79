# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of real senders. Each class says whose source or document it follows."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from ssrhmr_core.body.skeleton import TRACKERS

from .performer import FINGERS, JOINT_OF_BONE, UNITY_BONES, Performer, Pose, euler_of, to_unity
from .wire import bundle, field, message

ORIGIN: Pose = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
SERIALS = {
    "pelvis": "LHR-7E57AB01",
    "head": "LHR-F0A1B2C3",
    "left_hand": "LHR-11AA22BB",
    "right_hand": "LHR-33CC44DD",
    "left_foot": "LHR-7E57AB02",
    "right_foot": "LHR-7E57AB03",
}
WORDS = {"head": "Hmd", "left_hand": "Con", "right_hand": "Con"}
SENT_BONES = tuple(bone for bone in UNITY_BONES if bone != "Jaw")


class Emulator:
    """A sender.

    Attributes:
        rate: Frames a second.
    """

    rate = 60.0

    def __init__(self, body: Performer) -> None:
        """Send a performer."""
        self.body = body

    def frame(self, time: float) -> list[bytes]:
        """Return the datagrams of a frame, in the order in which they are sent."""
        raise NotImplementedError

    def bones(self, time: float, names: Iterable[str] = SENT_BONES) -> list[bytes]:
        """Return messages of bones relative to their parents."""
        return [bone_message(name, self.body.local_bone(time, name)) for name in names]


def pose_message(address: str, name: str, pose: Pose, sign: float = 1.0) -> bytes:
    """Return a message of VMC from a pose in Unity's axes."""
    position, (w, x, y, z) = pose
    quaternion = [sign * value for value in (x, y, z, w)]
    return message(address, "sfffffff", name, *position, *quaternion)


def bone_message(name: str, pose: Pose, sign: float = 1.0) -> bytes:
    """Return the message of a bone."""
    return pose_message("/VMC/Ext/Bone/Pos", name, pose, sign)


class VirtualMotionCapture(Emulator):
    """Virtual Motion Capture 0.61: 13 bones a bundle, the rest nested with devices and state.

    Places in the room are scaled to the avatar, raw ones come as ``/Local``. The state says "not
    tracking" as soon as one device is lost, which stays where it was.
    """

    rate = 90.0

    def __init__(
        self,
        body: Performer,
        *,
        devices: bool = True,
        bones: bool = True,
        scale: float = 1.0,
        lost: Callable[[float], Sequence[str]] = lambda time: (),
        serials: dict[str, str] = SERIALS,
        version: int = 4,
    ) -> None:
        """Send devices, an avatar or both."""
        super().__init__(body)
        self._devices, self._bones, self._scale = devices, bones, scale
        self._lost, self._serials, self._version = lost, serials, version
        self._last: dict[str, Pose] = {}

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        scale = self._scale
        root = message(
            *("/VMC/Ext/Root/Pos", "s" + "f" * 13, "root", *(0.0,) * 6, 1.0),
            *(scale, scale, scale, 0.0, 0.0, 0.0),
        )
        nested, datagrams = [root], []
        if self._bones:
            messages = []
            for name in SENT_BONES:
                position, rotation = self.body.local_bone(time, name)
                x, y, z = (scale * value for value in position)
                messages.append(bone_message(name, ((x, y, z), rotation)))
            parts = [bundle(*messages[at : at + 13]) for at in range(0, len(messages), 13)]
            datagrams += parts[:-1]
            nested.append(parts[-1])
            shapes = [message("/VMC/Ext/Blend/Val", "sf", n, 0.25) for n in ("Joy", "A", "表情")]
            datagrams.append(bundle(*shapes, message("/VMC/Ext/Blend/Apply", "")))
        nested.append(message("/VMC/Ext/Cam", "sffffffff", "Camera", 0, 1, 3, 0, 0, 0, 1, 60))
        lost = self._lost(time)
        if self._devices:
            nested += self._device_messages(time, lost)
        state = (1, 3, 0, int(self._devices and not lost))[: self._version]
        nested.append(message("/VMC/Ext/OK", "i" * self._version, *state))
        nested.append(message("/VMC/Ext/T", "f", 37.25 + time))
        return [*datagrams, bundle(*nested)]

    def _device_messages(self, time: float, lost: Sequence[str]) -> list[bytes]:
        messages = []
        for role, serial in self._serials.items():
            pose = self._last.get(role) if role in lost else None
            pose = pose or to_unity(self.body.tracker(time, role))
            self._last[role] = pose
            address = f"/VMC/Ext/{WORDS.get(role, 'Tra')}/Pos"
            x, y, z = (self._scale * value for value in pose[0])
            messages.append(pose_message(address, serial, ((x, y, z), pose[1])))
            messages.append(pose_message(f"{address}/Local", serial, pose))
        return messages


SLIMEVR_TURNED = {
    f"{side}Lower{limb}": f"{side}Upper{limb}"
    for side in ("Left", "Right")
    for limb in ("Arm", "Leg")
}
"""SlimeVR's knees and elbows turn with the bone above them, by the bone that begins there."""


class SlimeVrVmc(Emulator):
    """SlimeVR server: one bundle of time, state, root, bones and trackers, 250 a second.

    Quaternions have a negative w. Bones have lengths if a VRM file was loaded.
    """

    rate = 250.0
    _NAMES: ClassVar = {
        "head": "human://HEAD",
        "pelvis": "human://WAIST",
        "left_foot": "human://LEFT_FOOT",
        "right_foot": "human://RIGHT_FOOT",
        "left_hand": "human://LEFT_HAND",
        "right_hand": "human://RIGHT_HAND",
    }
    _EXTRA: ClassVar = {
        "human://CHEST": "UpperChest",
        "human://LEFT_KNEE": "LeftLowerLeg",
        "human://RIGHT_KNEE": "RightLowerLeg",
        "human://LEFT_ELBOW": "LeftLowerArm",
        "human://RIGHT_ELBOW": "RightLowerArm",
    }

    def __init__(self, body: Performer, *, lengths: bool = True, trackers: bool = True) -> None:
        """Send bones, and trackers if wanted."""
        super().__init__(body)
        self._lengths, self._trackers = lengths, trackers

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        messages = [
            message("/VMC/Ext/T", "f", round(1000.0 * (12.0 + time)) / 1000.0),
            message("/VMC/Ext/OK", "i", 1),
            pose_message("/VMC/Ext/Root/Pos", "root", ORIGIN, -1.0),
        ]
        for name in JOINT_OF_BONE:
            if name.endswith("Toes"):
                continue
            position, rotation = self.body.local_bone(time, name)
            if not self._lengths:
                position = ORIGIN[0]
            elif name == "Hips":
                position = (0.0, 0.97, 0.0)
            messages.append(bone_message(name, (position, rotation), -1.0))
        if self._trackers:
            for role, name in self._NAMES.items():
                address = f"/VMC/Ext/{WORDS.get(role, 'Tra')}/Pos"
                pose = to_unity(self.body.tracker(time, role))
                messages.append(pose_message(address, name, pose, -1.0))
            for name, bone in self._EXTRA.items():
                position, _ = self.body.joint(time, bone)
                _, rotation = self.body.joint(time, SLIMEVR_TURNED.get(bone, bone))
                pose = to_unity((position, rotation))
                messages.append(pose_message("/VMC/Ext/Tra/Pos", name, pose, -1.0))
        return [bundle(*messages)]


class VrchatTrackers(Emulator):
    """A sender of VRChat's OSC trackers, which are joints with numbers."""

    numbers: ClassVar[dict[int, str]] = {}
    turned: ClassVar[dict[str, str]] = {}
    """The bone whose rotation is sent instead of its own, by bone."""

    def messages(self, time: float, rotations: bool) -> list[bytes]:
        """Return the messages of a frame; the head has a position alone."""
        head, _ = to_unity(self.body.tracker(time, "head"))
        messages = [message("/tracking/trackers/head/position", "fff", *head)]
        for number, bone in self.numbers.items():
            position, _ = self.body.joint(time, bone)
            pose = position, self.body.joint(time, self.turned.get(bone, bone))[1]
            address = f"/tracking/trackers/{number}"
            messages.append(message(f"{address}/position", "fff", *to_unity(pose)[0]))
            if rotations:
                messages.append(message(f"{address}/rotation", "fff", *euler_of(pose)))
        return messages


class SlimeVrVrchat(VrchatTrackers):
    """SlimeVR server: one bundle, up to a thousand a second; the head's rotation seldom."""

    rate = 250.0
    turned: ClassVar[dict[str, str]] = SLIMEVR_TURNED
    numbers: ClassVar[dict[int, str]] = {
        1: "Hips",
        2: "LeftFoot",
        3: "RightFoot",
        4: "LeftLowerLeg",
        5: "RightLowerLeg",
        6: "UpperChest",
        7: "LeftLowerArm",
        8: "RightLowerArm",
    }

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        return [bundle(*self.messages(time, rotations=True))]


class AmethystVrchat(VrchatTrackers):
    """Amethyst's OSC plug-in: a datagram for each position and rotation; the head is not turned."""

    rate = 90.0
    numbers: ClassVar[dict[int, str]] = {
        1: "Hips",
        2: "UpperChest",
        8: "LeftFoot",
        7: "RightFoot",
        6: "LeftLowerLeg",
        5: "RightLowerLeg",
    }

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        head = message("/tracking/trackers/head/rotation", "fff", 0.0, 0.0, 0.0)
        return [*self.messages(time, rotations=True), head]


class AlvrVrchat(VrchatTrackers):
    """ALVR: positions only, a datagram each."""

    rate = 72.0
    numbers: ClassVar[dict[int, str]] = {
        1: "UpperChest",
        2: "Hips",
        3: "LeftLowerArm",
        4: "RightLowerArm",
        5: "LeftLowerLeg",
        6: "LeftFoot",
        7: "RightLowerLeg",
        8: "RightFoot",
    }

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        return self.messages(time, rotations=False)


class AlvrVmc(Emulator):
    """ALVR: bones in room coordinates of OpenXR, a datagram each, without root, state and time."""

    rate = 72.0
    _BONES = (
        *("Head", "LeftHand", "RightHand", "Chest", "Hips", "LeftLowerArm", "RightLowerArm"),
        *("LeftLowerLeg", "LeftFoot", "RightLowerLeg", "RightFoot"),
    )

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        messages = []
        for name in self._BONES:
            (x, y, z), (w, a, b, c) = self.body.joint(time, name)
            messages.append(bone_message(name, ((-x, y, -z), (-w, -a, b, c))))
        return messages


class VMagicMirror(Emulator):
    """VMagicMirror: one bundle of all bones, however long; the root has no name."""

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        root = pose_message("/VMC/Ext/Root/Pos", "", ORIGIN)
        shapes = [message("/VMC/Ext/Blend/Val", "sf", name, 0.1) for name in ("Joy", "A", "Blink")]
        apply = message("/VMC/Ext/Blend/Apply", "")
        return [bundle(root, *self.bones(time)), bundle(*shapes, apply)]


class XrAnimator(Emulator):
    """XR Animator: the root by itself, a bundle of bones with time tag 0, the state, no time.

    While nobody is seen, the root is 999 m below the floor.
    """

    def __init__(
        self, body: Performer, hidden: Callable[[float], bool] = lambda time: False
    ) -> None:
        """Send a performer who is hidden now and then."""
        super().__init__(body)
        self._hidden = hidden

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        root = ((0.0, -999.0 if self._hidden(time) else 0.0, 0.0), ORIGIN[1])
        return [
            pose_message("/VMC/Ext/Root/Pos", "root", root),
            bundle(*self.bones(time, sorted(SENT_BONES)), stamp=0),
            message("/VMC/Ext/OK", "i", 1),
        ]


class ThreeDPoseTracker(Emulator):
    """ThreeDPoseTracker, and VMC's own sample of bones: a datagram a message.

    Six "trackers" are bones of the avatar; that of the pelvis is called Spine.
    """

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        datagrams = [pose_message("/VMC/Ext/Root/Pos", "root", ORIGIN), *self.bones(time)]
        for name in ("Head", "Spine", "LeftHand", "RightHand", "LeftFoot", "RightFoot"):
            pose = to_unity(self.body.joint(time, name))
            datagrams.append(pose_message("/VMC/Ext/Tra/Pos", name, pose))
        datagrams += [message("/VMC/Ext/OK", "i", 1), message("/VMC/Ext/T", "f", time)]
        return datagrams


class SampleTrackers(Emulator):
    """VMC's sample of trackers, and scripts like it: a datagram a device, no time, any names."""

    rate = 90.0

    def __init__(self, body: Performer, names: dict[str, str]) -> None:
        """Send devices of those names."""
        super().__init__(body)
        self._names = names

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        return [
            pose_message("/VMC/Ext/Tra/Pos", name, to_unity(self.body.tracker(time, role)))
            for role, name in self._names.items()
        ]


class OpenVrOsc(Emulator):
    """OpenVR-OSC: addresses of its own, six numbers each; no protocol that is known here."""

    rate = 250.0

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        addresses = ("/tracker/1", "/hmd/1", "/controller/1", "/controller/2")
        messages = []
        for address, role in zip(addresses, TRACKERS, strict=False):
            pose = self.body.tracker(time, role)
            messages.append(message(address, "ffffff", *pose[0], *euler_of(pose)))
        return [bundle(*messages)]


class SnekStudio(Emulator):
    """SnekStudio: no bone Hips; a time tag of whole seconds; state and time by themselves."""

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        numbers = (*(0.0,) * 6, *(1.0,) * 4, *(0.0,) * 3)
        root = message("/VMC/Ext/Root/Pos", "s" + "f" * 13, "root", *numbers)
        bones = self.bones(time, [name for name in SENT_BONES if name != "Hips"])
        stamp = int(1.75e9 + time)
        return [
            bundle(root, *bones, stamp=stamp),
            message("/VMC/Ext/OK", "i", 1),
            message("/VMC/Ext/T", "t", stamp),
        ]


class Mocopi(Emulator):
    """Sony's mocopi app: nested binary fields, 27 bones, relative to their parents."""

    rate = 50.0
    _BONES = (
        *("Hips", "Spine", None, "Chest", None, None, None, "UpperChest", None, "Neck", "Head"),
        *("LeftShoulder", "LeftUpperArm", "LeftLowerArm", "LeftHand"),
        *("RightShoulder", "RightUpperArm", "RightLowerArm", "RightHand"),
        *("LeftUpperLeg", "LeftLowerLeg", "LeftFoot", "LeftToes"),
        *("RightUpperLeg", "RightLowerLeg", "RightFoot", "RightToes"),
    )
    """Unity's names by mocopi's numbers; bones in between do not move."""

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        bones = b""
        for number, name in enumerate(self._BONES):
            position, rotation = self.body.local_bone(time, name) if name else ORIGIN
            (x, y, z), (w, a, b, c) = to_unity((position, rotation))
            pose = struct.pack("<7f", a, b, c, w, x, y, z)
            numbered = field(b"bnid", struct.pack("<H", number))
            bones += field(b"btdt", numbered + field(b"tran", pose))
        content = field(b"fnum", struct.pack("<I", round(50.0 * time)))
        content += field(b"time", struct.pack("<f", time)) + field(b"btrs", bones)
        kind = field(b"ftyp", b"sony motion format") + field(b"vrsn", b"\1")
        source = field(b"ipad", bytes(8)) + field(b"rcvp", struct.pack("<H", 12351))
        return [field(b"head", kind) + field(b"sndf", source) + field(b"fram", content)]


class VSeeFace(Emulator):
    """VSeeFace and Warudo: bundles of at most 1,400 bytes, quaternions of either sign, 13 numbers.

    Written from the protocol's document, not from a source: bones in any order, root with scale.
    """

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        sign = -1.0 if round(time * self.rate) % 2 else 1.0
        numbers = (*(0.0,) * 6, 1.0, *(1.0,) * 3, *(0.0,) * 3)
        messages = [message("/VMC/Ext/Root/Pos", "s" + "f" * 13, "root", *numbers)]
        for name in reversed(SENT_BONES):
            messages.append(bone_message(name, self.body.local_bone(time, name), sign))
        messages.append(message("/VMC/Ext/OK", "iii", 1, 3, 0))
        messages.append(message("/VMC/Ext/T", "f", time))
        return [bundle(*messages[at : at + 12]) for at in range(0, len(messages), 12)]


class UpperBody(Emulator):
    """A webcam program: head, arms and fingers of an avatar that sits; legs never move."""

    rate = 30.0

    def frame(self, time: float) -> list[bytes]:
        """Return a frame."""
        names = [*(name for name in JOINT_OF_BONE if "Toes" not in name), *FINGERS]
        return [bundle(pose_message("/VMC/Ext/Root/Pos", "root", ORIGIN), *self.bones(time, names))]
