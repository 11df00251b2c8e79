# SPDX-License-Identifier: GPL-3.0-or-later
"""Every emulated sender, played to a session: ``python -m tests.core.live.sender_table``.

Prints for each what was recognised, the roles, errors against the truth in simulated time, and what
the user reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.streaming import ProtocolName
from tests.core.live.bench import Bench, play
from tests.core.streaming.emulators import senders
from tests.core.streaming.emulators.performer import Performer, performer

BONES = {
    "pelvis": "Bone Hips",
    "head": "Bone Head",
    "left_hand": "Bone LeftHand",
    "right_hand": "Bone RightHand",
    "left_foot": "Bone LeftFoot",
    "right_foot": "Bone RightFoot",
}
BODY_TRACKERS = {
    "pelvis": "tracker 1",
    "head": "head",
    "left_foot": "tracker 2",
    "right_foot": "tracker 3",
}
_LIMBS = ("chest", "left_elbow", "right_elbow", "left_knee", "right_knee")
_NAMES = {role: role for role in TRACKERS}
_NUMBERS = {
    "pelvis": "A1",
    "head": "A2",
    "left_hand": "A3",
    "right_hand": "A4",
    "left_foot": "A5",
    "right_foot": "A6",
}


@dataclass(frozen=True)
class SenderCase:
    """A sender and what has to come of it.

    Attributes:
        name: What is sent.
        protocol: The protocol that the user chose.
        make: Makes the sender.
        roles: Device by role in the end.
        posture: Millimetres that joints may be off with both hips in one place, None if refused.
        placed: Whether the character stands where the performer does, and faces the same way.
        message: What the user reads among other things, "" if nothing.
    """

    name: str
    protocol: ProtocolName
    make: Callable[[Performer], senders.Emulator]
    roles: dict[str, str]
    posture: float | None
    placed: bool = True
    message: str = ""


_THREE_POINTS = ("head", "left_hand", "right_hand")


def _lost_foot(time: float) -> tuple[str, ...]:
    return ("left_foot",) if 7.0 < time < 8.5 else ()


CASES = (
    SenderCase(
        "VMC devices",
        "vmc",
        lambda body: senders.VirtualMotionCapture(body, bones=False),
        senders.SERIALS,
        18.0,
    ),
    SenderCase(
        "VMC devices and avatar",
        "vmc",
        lambda body: senders.VirtualMotionCapture(body, scale=0.7),
        senders.SERIALS,
        18.0,
    ),
    SenderCase(
        "VMC avatar without devices",
        "vmc",
        lambda body: senders.VirtualMotionCapture(body, devices=False),
        BONES,
        6.0,
    ),
    SenderCase(
        "VMC, a foot lost",
        "vmc",
        lambda body: senders.VirtualMotionCapture(body, bones=False, lost=_lost_foot),
        senders.SERIALS,
        18.0,
    ),
    SenderCase(
        "VMC, a headset and two controllers",
        "vmc",
        lambda body: senders.VirtualMotionCapture(
            body, bones=False, serials={role: senders.SERIALS[role] for role in _THREE_POINTS}
        ),
        {role: senders.SERIALS[role] for role in _THREE_POINTS},
        40.0,
        message="the model fills in what nobody tracks",
    ),
    SenderCase(
        "VMC with a state of three numbers",
        "vmc",
        lambda body: senders.VirtualMotionCapture(body, bones=False, version=3),
        senders.SERIALS,
        18.0,
    ),
    SenderCase(
        "SlimeVR VMC, trackers",
        "vmc",
        senders.SlimeVrVmc,
        {
            "pelvis": "human://WAIST",
            **{role: f"human://{role.upper()}" for role in TRACKERS if role not in ("pelvis",)},
            **{role: f"human://{role.upper()}" for role in _LIMBS},
        },
        18.0,
    ),
    SenderCase(
        "SlimeVR VMC, bones of a VRM file",
        "vmc",
        lambda body: senders.SlimeVrVmc(body, trackers=False),
        BONES,
        6.0,
        placed=False,
    ),
    SenderCase(
        "SlimeVR VMC, bones without lengths",
        "vmc",
        lambda body: senders.SlimeVrVmc(body, lengths=False, trackers=False),
        BONES,
        9.0,
        placed=False,
        message="no lengths",
    ),
    SenderCase(
        "SlimeVR VRChat OSC",
        "vrchat",
        senders.SlimeVrVrchat,
        {
            **BODY_TRACKERS,
            "left_knee": "tracker 4",
            "right_knee": "tracker 5",
            "chest": "tracker 6",
            "left_elbow": "tracker 7",
            "right_elbow": "tracker 8",
        },
        55.0,
        message="left_hand and right_hand",
    ),
    SenderCase(
        "Amethyst VRChat OSC",
        "vrchat",
        senders.AmethystVrchat,
        {
            **BODY_TRACKERS,
            "left_foot": "tracker 8",
            "right_foot": "tracker 7",
            "chest": "tracker 2",
            "left_knee": "tracker 6",
            "right_knee": "tracker 5",
        },
        68.0,
        message="left_hand and right_hand",
    ),
    SenderCase(
        "ALVR VRChat OSC",
        "vrchat",
        senders.AlvrVrchat,
        {
            "pelvis": "tracker 2",
            "head": "head",
            "chest": "tracker 1",
        },
        75.0,
        placed=False,
        message="no rotations",
    ),
    SenderCase(
        "ALVR VMC",
        "vmc",
        senders.AlvrVmc,
        {},
        None,
        message="room coordinates",
    ),
    SenderCase("VMagicMirror", "vmc", senders.VMagicMirror, BONES, 6.0),
    SenderCase(
        "XR Animator, hidden for a second",
        "vmc",
        lambda body: senders.XrAnimator(body, lambda time: 6.5 < time < 7.5),
        BONES,
        40.0,
    ),
    SenderCase(
        "ThreeDPoseTracker",
        "vmc",
        senders.ThreeDPoseTracker,
        {
            "pelvis": "Spine",
            "head": "Head",
            "left_hand": "LeftHand",
            "right_hand": "RightHand",
            "left_foot": "LeftFoot",
            "right_foot": "RightFoot",
        },
        9.0,
    ),
    SenderCase(
        "script with names",
        "vmc",
        lambda body: senders.SampleTrackers(body, _NAMES),
        _NAMES,
        18.0,
    ),
    SenderCase(
        # Nothing shows which side is the front, so left and right are left to the user.
        "script with numbers",
        "vmc",
        lambda body: senders.SampleTrackers(body, _NUMBERS),
        {"pelvis": "A1", "head": "A2"},
        75.0,
        placed=False,
        message="left_hand, right_hand, left_foot and right_foot",
    ),
    SenderCase(
        "OpenVR-OSC",
        "vmc",
        senders.OpenVrOsc,
        {},
        None,
        message="/tracker/1",
    ),
    SenderCase(
        "SnekStudio",
        "vmc",
        senders.SnekStudio,
        BONES,
        6.0,
        placed=False,
        message="no hips",
    ),
    SenderCase("mocopi", "mocopi", senders.Mocopi, BONES, 6.0),
    SenderCase("mocopi, with VMC chosen", "vmc", senders.Mocopi, {}, None, message="mocopi"),
    SenderCase(
        "VMC, with JSON chosen",
        "json",
        lambda body: senders.VirtualMotionCapture(body),
        {},
        None,
        message="VMC",
    ),
    SenderCase("VSeeFace", "vmc", senders.VSeeFace, BONES, 6.0),
    SenderCase("webcam program at 30 Hz", "vmc", senders.UpperBody, BONES, 6.0),
)


def run(case: SenderCase) -> Bench:
    """Play a case."""
    body = performer()
    bench = Bench(case.protocol, body)
    bench.run(play(case.make(body), body.end), body.end)
    return bench


def main() -> None:
    print("| sender | roles | heading | MPJPE | hips in one place | message |")
    print("| --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        bench = run(case)
        roles = ", ".join(f"{role}: {name}" for role, name in bench.session.roles.items())
        figures = "refused | |"
        if bench.poses:
            errors = bench.errors()
            figures = f"{errors.heading:.1f} deg | {errors.mpjpe:.1f} mm | {errors.posture:.1f} mm"
        print(f"| {case.name} | {roles} | {figures} | {'; '.join(bench.messages)} |", flush=True)


if __name__ == "__main__":
    main()
