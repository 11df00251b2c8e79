# SPDX-License-Identifier: GPL-3.0-or-later
"""The capture that is running: the core's session, and what of Blender it moves.

There is at most one. It holds names, never references, so that undo, File > Open and deleted
objects do no harm; everything is released by :func:`stop`.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..common.axes import core_axes, metre
from ..common.errors import UserError
from ..common.validation import check_character
from ..properties.settings import TRACKER_LABELS, TRACKERS, live_of, setup_of
from ..rig.preview import Preview
from ..rig.reading import read_character
from ..trackers.stored_calibration import (
    Adjustments,
    adjustments_of,
    store_calibration,
    stored_calibration,
)
from .overlay import Overlay, Picture, add_skeleton, picture_of_trackers

if TYPE_CHECKING:
    from ssrhmr_core.live.session import LivePose, LiveSession, LiveStatus, RawTake
    from ssrhmr_core.streaming import Device, Receiver
    from ssrhmr_core.tracking.calibration import Calibration

    from ..properties.settings import SSRHMR_Live, SSRHMR_Setup

_PROTOCOLS = {"VMC": "vmc", "VRCHAT": "vrchat", "JSON": "json"}

_running: Capture | None = None


class CaptureError(UserError):
    """Capture cannot be started or used; the message says what to do."""


def running() -> Capture | None:
    """Return the capture that is running."""
    return _running


def start(scene: bpy.types.Scene) -> Capture:
    """Start capturing for a scene's setup.

    Raises:
        UserError, ValueError: with a message for the user; nothing is left open.
    """
    global _running
    if _running is not None:
        raise CaptureError("Live capture is running already: press Stop Live first")
    _running = Capture(scene)
    return _running


def stop() -> RawTake | None:
    """End the capture that is running; what it has recorded is complete on disk.

    Returns:
        The recording, if one was under way.
    """
    global _running
    capture, _running = _running, None
    return capture.close() if capture is not None else None


class Capture:
    """Receiver, session, preview and overlay of one scene.

    Attributes:
        scene: its name.
        unit: length of a metre in it.
        receiver: hears the trackers.
        session: makes poses of them.
        heard: devices by name, as of the last tick.
        pose: the newest one, None before the first.
        timer: of the window, that makes it tick; None where there is no window.
    """

    def __init__(self, scene: bpy.types.Scene) -> None:
        """Open the port and get the character ready, if there is one."""
        from ssrhmr_core.live.session import LiveSession
        from ssrhmr_core.streaming import ANYWHERE, LOCALHOST, Receiver

        setup, live = setup_of(scene), live_of(scene)
        self.scene, self.unit = scene.name, metre(scene)
        self.heard: dict[str, Device] = {}
        self._preview: Preview | None = None
        self.pose: LivePose | None = None
        self.timer: bpy.types.Timer | None = None
        self._picture: Picture | None = None
        self._overlaid = live.overlay
        self._calibrations = 0
        self._nudges: Adjustments = ()
        self._due: float | None = None
        self._path = Path()
        self.receiver: Receiver = Receiver(
            _PROTOCOLS[live.protocol],
            live.port,
            ANYWHERE if live.everywhere else LOCALHOST,
        )
        self.session: LiveSession = LiveSession(self.receiver, roles=_roles(live))
        self.take_character(setup)
        self.receiver.start()
        self._overlay = Overlay(self.picture)

    @property
    def status(self) -> LiveStatus:
        """How the session goes."""
        return self.session.status

    @property
    def waited_for(self) -> str:
        """Seconds until the calibration or the recording, as one counts; "" if none is due."""
        wait = self.status.countdown or self.pre_roll
        return str(math.ceil(wait)) if wait else ""

    @property
    def has_character(self) -> bool:
        """Whether poses are shown on a character."""
        return self._preview is not None

    def take_character(self, setup: SSRHMR_Setup) -> None:
        """Show poses on the setup's character from now on.

        A setup without a character is no error: the performer is shown instead.

        Raises:
            UserError: if the character cannot be used.
        """
        from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
        from ssrhmr_core.tracking.denoising import Smoothing

        self.pose = None
        if self._preview is not None:
            self._preview.take_back()
            self._preview = None
        if setup.armature is None:
            self._take_performer(self._stored_calibration(setup))
            return
        armature = check_character(setup)
        character = read_character(armature, tuple(slot.bone for slot in setup.bones))
        options = ReconstructionOptions(
            smoothing=Smoothing(cutoff=setup.cutoff if setup.smoothing == "CUTOFF" else 0.0),
            tracker_weights=tuple(getattr(setup, f"{role}_weight") for role in TRACKERS),
        )
        skeleton = character.rest.skeleton.scaled(1.0 / self.unit)
        self.session.reconstructor = Reconstructor(skeleton, options)
        self.session.calibration = self._stored_calibration(setup)
        self._preview = Preview(armature, character)

    def _take_performer(self, calibration: Calibration | None) -> None:
        """Reconstruct the body that wears the trackers, as far as it is known."""
        from ssrhmr_core.pipeline import Reconstructor
        from ssrhmr_core.tracking.proportions import make_adult

        body = (calibration and calibration.performer) or make_adult()
        self.session.reconstructor = Reconstructor(body)
        self.session.calibration = calibration

    def tick(self, now: float | None = None) -> bool:
        """Take in all that came, and show the newest pose.

        Args:
            now: seconds on the session's clock; its time now if not given.

        Returns:
            Whether there is something new to draw.

        Raises:
            GoneError: if the character was deleted.
        """
        scene = bpy.data.scenes.get(self.scene)
        if scene is None:
            raise CaptureError(f"The scene '{self.scene}' was deleted: start again in another one")
        live = live_of(scene)
        roles = _roles(live)
        if roles != self.session.roles:
            self.session.bind(roles)
        pose = self.session.tick(now)
        self._note_devices(live)
        self._follow_calibration(setup_of(scene))
        if pose is not None:
            self.pose = pose
            if self._preview is not None:
                self._preview.show(pose.rotations, pose.root * self.unit)
        self._picture, self._overlaid = None, live.overlay
        return pose is not None or live.overlay

    def show_again(self) -> None:
        """Put the newest pose over what a frame change made of it."""
        if self._preview is not None and self.pose is not None:
            self._preview.show(self.pose.rotations, self.pose.root * self.unit)

    def _note_devices(self, live: SSRHMR_Live) -> None:
        """List devices that are new, on the role that their name speaks of."""
        from ssrhmr_core.streaming import guess_roles

        listed = {device.name for device in live.devices}
        found = self.session.devices()
        self.heard = {device.name: device for device in found}
        if all(device.name in listed for device in found):
            return
        known = _roles(live)
        guessed = {name: role for role, name in guess_roles(found, known).items()}
        for device in found:
            if device.name not in listed:
                row = live.devices.add()
                row.name = device.name
                if device.name in guessed and guessed[device.name] not in known:
                    row.role = guessed[device.name]

    @property
    def recording(self) -> bool:
        """Whether a recording runs, or will when its pre-roll is over."""
        return self._due is not None or self.status.recording >= 0

    @property
    def pre_roll(self) -> float:
        """Seconds until the recording begins, 0 when none is due."""
        return 0.0 if self._due is None else max(0.0, self._due - time.monotonic())

    def record(self, folder: Path, pre_roll: float = 0.0) -> Path:
        """Get ready to record into the next free file of a folder.

        Args:
            folder: is made if it is not there.
            pre_roll: seconds until it is :attr:`due`.

        Raises:
            CaptureError: if nothing is worn, or the folder cannot be written to.
        """
        if not self.session.roles:
            raise CaptureError(
                "No device is worn: say in the table where each is worn, then record"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._path = next_take(folder)
            self._path.touch()
        except OSError as error:
            raise CaptureError(
                f"'{folder}' cannot be written to ({error.strerror}): choose another folder"
            ) from error
        self._due = time.monotonic() + pre_roll
        return self._path

    @property
    def due(self) -> bool:
        """Whether a recording is to begin now: its pre-roll is over."""
        return self._due is not None and time.monotonic() >= self._due

    def begin_recording(self) -> None:
        """Begin the recording that is due.

        Raises:
            OSError: if its file cannot be written.
        """
        self._due = None
        self.session.start_recording(self._path)

    def end_recording(self) -> RawTake | None:
        """Close the recording; None if it had not begun yet."""
        if self._due is not None:
            self._due = None
            self._path.unlink(missing_ok=True)
            return None
        return self.session.stop_recording()

    def close(self) -> RawTake | None:
        """Release everything; the character stands as before."""
        take = None
        try:
            if self.recording:
                take = self.end_recording()
        finally:
            self.receiver.stop()
            self._overlay.close()
            if self.timer is not None:
                bpy.context.window_manager.event_timer_remove(self.timer)
            if self._preview is not None:
                self._preview.take_back()
        return take

    def _stored_calibration(self, setup: SSRHMR_Setup) -> Calibration | None:
        self._nudges = adjustments_of(setup)
        if not setup.calibration:
            return None
        return _scaled(stored_calibration(setup), 1.0 / self.unit)

    def _follow_calibration(self, setup: SSRHMR_Setup) -> None:
        """Put a calibration that has just been made into the setup; take nudges from it."""
        new = self.session.calibrations != self._calibrations
        self._calibrations = self.session.calibrations
        found, reconstructor = self.session.calibration, self.session.reconstructor
        if found is None or reconstructor is None or not self._shows(setup):
            # Or another character's settings are shown meanwhile.
            return
        if new:
            if self._preview is None:
                self._take_performer(found)
            store_calibration(
                setup,
                _scaled(found, self.unit),
                (found.performer or reconstructor.skeleton).scaled(self.unit),
                self.session.calibration_speeds,
                self.session.calibration_warnings,
            )
            if not bpy.app.background:
                # A step of its own, or what is undone next takes it along.
                bpy.ops.ed.undo_push(message="Calibrate")
        nudges = adjustments_of(setup)
        nudged = nudges != self._nudges or (new and any(map(any, nudges)))
        if setup.calibration and nudged:
            self.session.calibration = self._stored_calibration(setup)

    def _shows(self, setup: SSRHMR_Setup) -> bool:
        """Whether poses are shown on the setup's character, or it has none."""
        if self._preview is None:
            return setup.armature is None
        return self._preview.shows(setup.armature)

    def picture(self) -> Picture | None:
        """What the overlay shows; made when a view draws it, however often there are ticks."""
        if self._picture is None and self._overlaid:
            self._picture = self._painted()
        return self._picture

    def _painted(self) -> Picture:
        import numpy as np
        from pymotion.rotations import quat_np as quat

        from ssrhmr_core.body.skeleton import PARENTS, forward_kinematics

        axes = core_axes().T
        known = [tracker for tracker in self.session.trackers() if tracker.has_reading]
        places = np.array([axes @ tracker.position for tracker in known]).reshape(-1, 3)
        turned = np.array([tracker.rotation for tracker in known], float).reshape(-1, 4)
        picture = picture_of_trackers(
            [iface_(TRACKER_LABELS[tracker.role]) for tracker in known],
            places * self.unit,
            axes @ quat.to_matrix(turned) @ axes.T,
            np.array([tracker.valid for tracker in known], bool),
            self.unit,
        )
        if self.pose is not None and self.session.reconstructor is not None:
            rotations = quat.to_matrix(self.pose.rotations)
            offsets = self.session.reconstructor.skeleton.offsets
            joints = forward_kinematics(rotations, self.pose.root, offsets)
            bones = np.array([(joint, parent) for joint, parent in enumerate(PARENTS) if joint])
            add_skeleton(picture, joints @ axes.T * self.unit, bones)
        picture.title = self.waited_for
        return picture


def _roles(live: SSRHMR_Live) -> dict[str, str]:
    """Device name by role."""
    return {device.role: device.name for device in live.devices if device.role != "NONE"}


def takes_folder(live: SSRHMR_Live) -> Path:
    """Where takes are recorded."""
    if live.folder:
        return Path(bpy.path.abspath(live.folder))
    if bpy.data.filepath:
        return Path(bpy.data.filepath).parent / "takes"
    return Path(bpy.utils.user_resource("DATAFILES", path="ssrhmr")) / "takes"


def next_take(folder: Path) -> Path:
    """Return the first number of ``take_001.csv`` and on that was never used in a folder."""
    used = [re.match(r"take_(\d+)\b", path.name) for path in folder.glob("take_*")]
    number = max((int(match.group(1)) for match in used if match), default=0) + 1
    return folder / f"take_{number:03d}.csv"


def _scaled(calibration: Calibration, factor: float) -> Calibration:
    """Return a calibration in other units of length."""
    import numpy as np

    return replace(
        calibration,
        mount_offsets=(calibration.mount_offsets * factor).astype(np.float32),
        deviations=(calibration.deviations * factor).astype(np.float32),
        performer=calibration.performer and calibration.performer.scaled(factor),
    )
