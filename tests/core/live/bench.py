# SPDX-License-Identifier: GPL-3.0-or-later
"""The live panel without Blender, in simulated time: packets in, poses and their errors out."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.skeleton import TRACKERS, forward_kinematics
from ssrhmr_core.live import LivePose, LiveSession
from ssrhmr_core.pipeline import Reconstructor
from ssrhmr_core.streaming import ProtocolName, Reading, propose_roles
from ssrhmr_core.streaming.decoding import ReadingQueue
from ssrhmr_core.tracking.calibration import CalibrationOptions
from tests.core.streaming.emulators.performer import STANDING, Performer
from tests.core.streaming.emulators.senders import Emulator

BEGIN = 1000.0
"""Seconds on the local clock at which the performance begins."""
_TICK = 1.0 / 60.0
_CALIBRATED_AT = 2.0
_COUNTDOWN = 3.0

Datagram = tuple[float, str, bytes]
"""Seconds since the beginning, address of the sender, packet."""


@dataclass(frozen=True)
class Errors:
    """How far poses are from the truth while the performer acts.

    Attributes:
        mpjpe: Mean distance of joints in millimetres.
        posture: The same with both hips at the same position and heading.
        heading: Median error of the hips' direction in degrees.
    """

    mpjpe: float
    posture: float
    heading: float


class QueueSource:
    """A receiver without sockets, on a clock that stands still until it is set."""

    def __init__(self, protocol: ProtocolName) -> None:
        self.now = BEGIN
        self.queue = ReadingQueue(protocol, 32768)

    @property
    def notice(self) -> str:
        return self.queue.notice

    def drain(self) -> list[Reading]:
        return self.queue.drain()

    def clock(self) -> float:
        return self.now


class Bench:
    """Plays senders to a session, as the add-on's capture does."""

    def __init__(self, protocol: ProtocolName, body: Performer) -> None:
        self.body = body
        self.source = QueueSource(protocol)
        self.session = LiveSession(
            self.source, Reconstructor(body.motion.skeleton), clock=self.source.clock
        )
        self.listed: set[str] = set()
        self.poses: list[LivePose] = []
        self.messages: list[str] = []

    def run(self, datagrams: Iterable[Datagram], until: float) -> None:
        """Play the datagrams; calibrate after five seconds."""
        arriving = iter(datagrams)
        next_one = next(arriving, None)
        for number in range(round(until / _TICK)):
            now = number * _TICK
            self.source.now = BEGIN + now
            while next_one and next_one[0] <= now:
                at, address, packet = next_one
                self.source.queue.add_packet(packet, address, BEGIN + at)
                next_one = next(arriving, None)
            if number == round(_CALIBRATED_AT / _TICK):
                self.session.begin_calibration(_COUNTDOWN, CalibrationOptions())
            pose = self.session.tick()
            self._assign_roles()
            if pose:
                self.poses.append(pose)
            message = self.session.status.message
            if message and message not in self.messages:
                self.messages.append(message)

    def _assign_roles(self) -> None:
        devices, roles = self.session.devices(), self.session.roles
        new = {device.name for device in devices} - self.listed
        standing = self.session.status.countdown > 0.0 and not roles.keys() >= set(TRACKERS)
        if new or standing:
            self.listed |= new
            proposed = propose_roles(devices, roles, new, standing)
            if proposed:
                self.session.bind({**roles, **proposed})

    def errors(self) -> Errors:
        """Compare the poses of the act with the truth."""
        poses = [pose for pose in self.poses if pose.time - BEGIN > STANDING + 0.3]
        times = np.array([pose.time - BEGIN for pose in poses])
        rotations = quat.to_matrix(np.stack([pose.rotations for pose in poses]))
        root = np.stack([pose.root for pose in poses])
        assert self.session.reconstructor
        offsets = self.session.reconstructor.skeleton.offsets
        joints = forward_kinematics(rotations.astype(np.float32), root, offsets)
        truth = self.body.motion.at(times)
        turned = quat.to_matrix(truth.rotations[:, 0]) @ np.swapaxes(rotations[:, 0], -1, -2)
        forward, wanted = rotations[:, 0, :, 2], quat.to_matrix(truth.rotations[:, 0])[..., 2]
        angles = np.arctan2(forward[:, 0], forward[:, 2]) - np.arctan2(wanted[:, 0], wanted[:, 2])
        angles = (np.degrees(angles) + 180.0) % 360.0 - 180.0
        local = np.einsum("fij,fkj->fki", turned, joints - joints[:, :1])
        true_joints = truth.positions()
        posture = np.linalg.norm(local - (true_joints - true_joints[:, :1]), axis=-1)
        return Errors(
            mpjpe=float(1000.0 * np.linalg.norm(joints - true_joints, axis=-1).mean()),
            posture=float(1000.0 * posture.mean()),
            heading=float(np.median(np.abs(angles))),
        )


def play(
    sender: Emulator, until: float, address: str = "a", begin: float = 0.0
) -> Iterator[Datagram]:
    """Generate the datagrams of a sender, 20 microseconds after each other within a frame."""
    for number in range(int((until - begin) * sender.rate)):
        time = begin + number / sender.rate
        for place, packet in enumerate(sender.frame(time)):
            yield time + place * 2e-5, address, packet


def merge(*streams: Iterable[Datagram]) -> Iterator[Datagram]:
    """Generate the datagrams of several senders in order of time."""
    yield from heapq.merge(*streams, key=lambda datagram: datagram[0])
