# SPDX-License-Identifier: GPL-3.0-or-later
"""The captures that are running: the core's session of each, and what it moves in Blender.

There is at most one for each source of trackers, and all are of one scene. They hold names, never
references, so that undo, File > Open and deleted objects do no harm; :func:`stop` releases
everything.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..common.axes import metre
from ..common.errors import UserError
from ..common.typed import window_manager_of
from ..common.user_folder import user_folder
from ..common.validation import check_character
from ..properties.characters import active_source_number, find_setup_of_source, find_source
from ..properties.live import NO_ROLE, PROP_ROLE, live_of
from ..properties.preferences import openvr_package
from ..properties.setup import setup_of
from ..properties.tracker import TRACKERS
from ..rig.details import DetailsPreview
from ..rig.preview import Preview
from ..rig.reading import read_character
from ..trackers.stored_calibration import readable
from ..trackers.take import chosen_segments
from .guide import Guide
from .overlay import Overlay
from .picture import Picture, picture_of_session
from .setup_calibration import SetupCalibration
from .takes import next_take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ssrhmr_core.body.extra_trackers import Segment
    from ssrhmr_core.geometry.scalar import Quaternion
    from ssrhmr_core.live import LivePose, LiveSession, LiveStatus, RawTake
    from ssrhmr_core.streaming import (
        Announcement,
        Device,
        ProtocolName,
        Reading,
        Receiver,
        SharedReceiver,
    )
    from ssrhmr_core.tracking.calibration import Calibration, CalibrationOptions

    from ..properties.live import SSRHMR_Live
    from ..properties.setup import SSRHMR_Setup

_PROTOCOLS: dict[str, ProtocolName] = {
    "VMC": "vmc",
    "VRCHAT": "vrchat",
    "MOCOPI": "mocopi",
    "JSON": "json",
}

_captures: list[Capture] = []
_timer: bpy.types.Timer | None = None
"""Timer of the window that makes all captures tick; None where there is no window."""


class CaptureError(UserError):
    """Capture cannot be started or used; the message says what to do."""


def running() -> Capture | None:
    """Return the capture of the active character's source, None if it does not run."""
    scene = bpy.context.scene
    if scene is not None and any(capture.scene == scene.name for capture in _captures):
        return _find(scene.name, active_source_number(scene))
    # Another scene was chosen just now, or that of the capture was deleted.
    return _captures[0] if _captures else None


def all_running() -> tuple[Capture, ...]:
    """Return all captures, in the order in which they were started."""
    return tuple(_captures)


def require_running() -> Capture:
    """Return the capture of the active character's source.

    Raises:
        CaptureError: if there is none.
    """
    capture = running()
    if capture is None:
        raise CaptureError("Live capture is not running: press Start Live")
    return capture


def start(scene: bpy.types.Scene) -> Capture:
    """Start capturing the source of a scene's active character.

    Raises:
        UserError, ValueError: with a message for the user; nothing is left open.
    """
    source = active_source_number(scene)
    if _find(scene.name, source) or any(capture.scene != scene.name for capture in _captures):
        raise CaptureError("Live capture is running already: press Stop Live first")
    capture = Capture(scene, source)
    _captures.append(capture)
    return capture


def stop(capture: Capture | None = None) -> list[tuple[Capture, RawTake]]:
    """End a capture; its recording is complete on disk.

    Args:
        capture: The capture; all that are running if not given.

    Returns:
        The recordings that were under way.
    """
    takes: list[tuple[Capture, RawTake]] = []
    with contextlib.ExitStack() as closing:
        for ending in [capture] if capture else all_running():
            if ending in _captures:
                _captures.remove(ending)
                closing.callback(_close, ending, takes)
        if not _captures:
            closing.callback(set_timer, None)
    return takes


def _close(capture: Capture, takes: list[tuple[Capture, RawTake]]) -> None:
    take = capture.close()
    if take is not None:
        takes.append((capture, take))


def timer() -> bpy.types.Timer | None:
    """Return the timer that makes all captures tick, None where there is no window."""
    return _timer


def set_timer(new: bpy.types.Timer | None) -> None:
    """Replace the timer that makes all captures tick."""
    global _timer
    if _timer is not None:
        window_manager_of(bpy.context).event_timer_remove(_timer)
    _timer = new


def _find(scene: str, source: int) -> Capture | None:
    matches = (c for c in _captures if c.scene == scene and c.source == source)
    return next(matches, None)


class Capture:
    """Receiver, session, preview and overlay of one performer.

    Attributes:
        scene: Name of the scene.
        source: Number of the source of its trackers.
        unit: Length of a metre in it.
        receiver: Receiver of the trackers' readings.
        session: Session that turns readings into poses.
        heard: Devices by name, as of the last tick.
        pose: Newest pose, None before the first.
        guide: The guided calibration that is under way, None if there is none.
    """

    def __init__(self, scene: bpy.types.Scene, source: int) -> None:
        """Open the port and get the character ready, if there is one.

        Args:
            scene: The scene, whose active character shows the performance.
            source: Number of that character's source.
        """
        from ssrhmr_core.live import LiveSession

        setup, live = setup_of(scene), live_of(scene)
        self.scene, self.unit, self.source = scene.name, metre(scene), source
        self.heard: dict[str, Device] = {}
        self._preview: Preview | None = None
        self._details: DetailsPreview | None = None
        self.pose: LivePose | None = None
        self.guide: Guide | None = None
        self._picture: Picture | None = None
        self._overlaid, self._shows_certainty = live.overlay, live.certainty
        self._due: float | None = None
        self._path = Path()
        self._is_steamvr = live.protocol == "STEAMVR"
        self._everywhere = live.everywhere and not self._is_steamvr
        self.receiver: Receiver | SharedReceiver = _make_receiver(live)
        self.session: LiveSession = LiveSession(self.receiver, roles=_roles(live))
        self._segments: dict[str, Segment] = {}
        self._calibration = SetupCalibration(self.session, self.unit)
        self.take_character(setup)
        self.receiver.start()
        self._overlay = Overlay(self.picture)

    @property
    def status(self) -> LiveStatus:
        """Status of the session."""
        return self.session.status

    @property
    def message(self) -> str:
        """What went wrong or what the user should know, with the labels of trackers."""
        return readable(self.status.message)

    @property
    def is_steamvr(self) -> bool:
        """Whether the devices come from SteamVR, without a program that sends them."""
        return self._is_steamvr

    @property
    def countdown_text(self) -> str:
        """Seconds until the calibration or the recording, as one counts; "" if none is due."""
        seconds = self.session.countdown or self.pre_roll
        return str(math.ceil(seconds)) if seconds else ""

    @property
    def has_character(self) -> bool:
        """Whether poses are shown on a character."""
        return self._preview is not None

    def take_character(self, setup: SSRHMR_Setup) -> None:
        """Show poses on the setup's character from now on.

        Without a character the performer is shown instead.

        Raises:
            UserError: if the character cannot be used.
        """
        from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
        from ssrhmr_core.tracking.denoising import Smoothing

        self.pose = None
        self._end_guide()
        if self._preview is not None:
            self._restore()
            self._preview = self._details = None
        if setup.armature is None:
            self._take_performer(self._calibration.read(setup))
            return
        armature = check_character(setup)
        if any(c is not self and c.shows(armature) for c in _captures):
            raise CaptureError(
                f"'{armature.name}' shows another performer already: stop that capture first, or"
                " choose another character"
            )
        character = read_character(armature, tuple(slot.bone for slot in setup.bones))
        options = ReconstructionOptions(
            smoothing=Smoothing(cutoff=setup.cutoff if setup.smoothing == "CUTOFF" else 0.0),
            tracker_weights=tuple(setup.weights()),
            extra_weights=tuple(setup.extra_weights()),
            certainty=self._shows_certainty,
        )
        skeleton = character.rest.skeleton.scaled(1.0 / self.unit)
        self.session.set_reconstructor(Reconstructor(skeleton, options))
        self.session.set_calibration(self._calibration.read(setup))
        self._preview = Preview(armature, character)
        self._details = DetailsPreview(armature, character)

    def _show_certainty(self, shown: bool) -> None:
        """Let poses come with expected errors from now on, or without."""
        from ssrhmr_core.pipeline import Reconstructor

        self._shows_certainty = shown
        former = self.session.reconstructor
        if former is not None:
            options = replace(former.options, certainty=shown)
            self.session.set_reconstructor(Reconstructor(former.skeleton, options))

    def begin_guide(self, countdown: float, options: CalibrationOptions, sound: bool) -> None:
        """Begin a guided calibration.

        Args:
            countdown: Seconds until the performer has to be in the reference pose.
            options: How to calibrate from the pose.
            sound: Whether to beep.

        Raises:
            TrackerError: If the session cannot be calibrated from a movement.
        """
        self.guide = Guide(self.session, countdown, options, sound)

    def _end_guide(self) -> None:
        """End a guided calibration that is under way; the setup keeps what it has."""
        if self.guide is not None:
            self.guide.calibration.close()
            self.guide = None

    def _take_performer(self, calibration: Calibration | None) -> None:
        """Reconstruct the body that wears the trackers, as far as it was measured."""
        from ssrhmr_core.pipeline import ReconstructionOptions, Reconstructor
        from ssrhmr_core.tracking.proportions import make_adult

        body = (calibration and calibration.performer) or make_adult()
        options = ReconstructionOptions(certainty=self._shows_certainty)
        self.session.set_reconstructor(Reconstructor(body, options))
        self.session.set_calibration(calibration)

    def tick(self, now: float | None = None) -> bool:
        """Read all that has arrived, and show the newest pose.

        Args:
            now: Seconds on the session's clock; its time now if not given.

        Returns:
            Whether there is something new to draw.

        Raises:
            CaptureError: if the scene was deleted, or Blender may not use the network any more.
            GoneError: if the character was deleted.
        """
        scene = bpy.data.scenes.get(self.scene)
        if scene is None:
            raise CaptureError(f"The scene '{self.scene}' was deleted: start again in another one")
        live = find_source(scene, self.source)
        if live is None:
            raise CaptureError("The character of this performer was removed: start again")
        if self._everywhere:
            check_online_access()
        if self.receiver.announced == "everywhere" and not bpy.app.online_access:
            self.receiver.announce("loopback")
        if live.certainty != self._shows_certainty:
            self._show_certainty(live.certainty)
        setup = self.find_setup(scene)
        self._follow_devices(setup, live)
        pose = self.session.tick(now)
        self._list_devices(live)
        if setup is not None:
            self._follow_calibration(setup)
        if pose is not None:
            self.pose = pose
        if pose is not None or (self.session.details and not self.session.paused):
            self.show_again()
        self._picture, self._overlaid = None, live.overlay
        return pose is not None or live.overlay or self.guide is not None

    def find_setup(self, scene: bpy.types.Scene) -> SSRHMR_Setup | None:
        """Return the setup whose character shows the performance.

        Returns:
            The setup; None if the panels show another performer's, and there is no character.
        """
        return find_setup_of_source(scene, self.source, lambda s: self.shows(s.armature))

    def shows(self, armature: bpy.types.Object | None) -> bool:
        """Return whether poses are shown on this character."""
        return self._preview is not None and self._preview.shows(armature)

    def _follow_devices(self, setup: SSRHMR_Setup | None, live: SSRHMR_Live) -> None:
        """Bind devices as the panels say now."""
        roles = _roles(live)
        segments = self._segments if setup is None else chosen_segments(setup)
        if roles != self.session.roles or segments != self._segments:
            self._segments = segments
            self.session.bind(roles, segments)
        self.session.set_props(row.name for row in live.devices if row.role == PROP_ROLE)

    def show_again(self) -> None:
        """Show the newest pose, as after a frame change has replaced it."""
        if self._preview is not None and self.pose is not None:
            self._preview.show(self.pose.rotations, self.pose.root * self.unit)
        if self._details is not None and self.session.details:
            self._details.show(*_split_details(self.session.details))

    def _restore(self) -> None:
        """Restore the character as it was before."""
        if self._preview is not None:
            self._preview.restore()
        if self._details is not None:
            self._details.restore()

    def _list_devices(self, live: SSRHMR_Live) -> None:
        """List new devices, in the role that their name or their position suggests."""
        from ssrhmr_core.streaming import MAX_DEVICES, propose_roles

        devices = self.session.devices()
        self.heard = {device.name: device for device in devices}
        new = [device.name for device in devices if device.name not in live.devices]
        taken = _roles(live)
        # In the T-pose of a calibration, positions show which device is which.
        standing = self.session.countdown > 0.0 and not taken.keys() >= set(TRACKERS)
        if not new and not standing:
            return
        _forget_rows(live, set(self.heard), MAX_DEVICES - len(new))
        for name in new[: max(MAX_DEVICES - len(live.devices), 0)]:
            live.devices.add().name = name
        for role, name in propose_roles(devices, taken, new, standing).items():
            if name in live.devices:
                live.devices[name].role = role

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
            folder: Folder of takes; it is created if it does not exist.
            pre_roll: Seconds until the recording is :attr:`due`.

        Raises:
            CaptureError: if no device has a role, or the folder cannot be written to.
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
        """Whether the pre-roll is over and the recording has to begin."""
        return self._due is not None and time.monotonic() >= self._due

    def begin_recording(self) -> None:
        """Begin the recording that is due.

        Raises:
            OSError: if its file cannot be written.
        """
        self._due = None
        self.session.start_recording(self._path)

    def end_recording(self) -> RawTake | None:
        """Close the recording; return None if it had not begun yet."""
        if self._due is not None:
            self._due = None
            self._path.unlink(missing_ok=True)
            return None
        return self.session.stop_recording()

    def close(self) -> RawTake | None:
        """Release everything and restore the character's pose."""
        take = None
        try:
            if self.recording:
                take = self.end_recording()
        finally:
            self.receiver.stop()
            self._overlay.close()
            self._end_guide()
            self._restore()
            scene = bpy.data.scenes.get(self.scene)
            live = find_source(scene, self.source) if scene is not None else None
            if live is not None:
                # Files keep the devices that the user needs, not whatever was in the air.
                _forget_rows(live, heard=set(), most=0)
        return take

    def _follow_calibration(self, setup: SSRHMR_Setup) -> None:
        """Store a calibration that has just been made; apply nudges of the setup."""
        new = self._calibration.take_new()
        guided = self.guide.calibration if self.guide is not None else None
        if self.guide is not None:
            new = self._follow_guide(self.guide, setup, new)
        reconstructor = self.session.reconstructor
        if self.session.calibration is None or reconstructor is None or not self._shows(setup):
            # Not calibrated yet, or the panels show another character's setup.
            return
        if new is not None:
            if self._preview is None:
                self._take_performer(new)
            body = new.performer or reconstructor.skeleton
            self._calibration.store(setup, new, body, guided)
        self._calibration.follow_nudges(setup, is_new=new is not None)

    def _follow_guide(
        self, guide: Guide, setup: SSRHMR_Setup, new: Calibration | None
    ) -> Calibration | None:
        """Return what the setup has to store now, given a calibration from a pose if there is one.

        A setup that is calibrated keeps what it has until the guide is over.
        """
        guide.tick()
        if guide.active:
            guide.stored = guide.stored or (None if setup.calibration else new)
            return None if setup.calibration else new
        self.guide = None
        return guide.outcome or new

    def _shows(self, setup: SSRHMR_Setup) -> bool:
        """Return whether poses are shown on the setup's character, or it has none."""
        if self._preview is None:
            return setup.armature is None
        return self.shows(setup.armature)

    def picture(self) -> Picture | None:
        """Return the overlay's picture; it is built when a view draws it, not at every tick."""
        if self._picture is None and (self._overlaid or self.guide is not None):
            picture = Picture()
            if self._overlaid:
                picture = picture_of_session(self.session, self.pose, self.unit)
            picture.title = self.countdown_text
            picture.figure = self.guide.figure() if self.guide is not None else None
            self._picture = picture
        return self._picture


def check_online_access() -> None:
    """Check that Blender may use the network.

    Raises:
        CaptureError: if the user does not allow it.
    """
    if not bpy.app.online_access:
        raise CaptureError(
            "Blender may not use the network: enable Allow Online Access under Preferences > System"
            " > Network, or disable Other Computers"
        )


def _make_receiver(live: SSRHMR_Live) -> Receiver | SharedReceiver:
    """Return a receiver that listens to what the settings and Blender's preferences allow.

    Raises:
        CaptureError: if Blender may not use the network.
        StreamingError: if an allowed address is none, or the package openvr cannot be used.
    """
    from ssrhmr_core.streaming import ANYWHERE, LOCALHOST, Receiver, split_addresses
    from ssrhmr_core.streaming.steamvr import SteamVrReceiver, unpack_wheel

    if live.protocol == "STEAMVR":
        chosen = openvr_package()
        home = user_folder("openvr", create=True)
        return SteamVrReceiver(str(unpack_wheel(chosen, home)) if chosen else "")
    if live.everywhere:
        check_online_access()
    protocol, host = _PROTOCOLS[live.protocol], ANYWHERE if live.everywhere else LOCALHOST
    allowed = split_addresses(live.allowed) if live.everywhere else ()
    for capture in _captures:
        if capture.receiver.can_share(protocol, live.port, host, allowed):
            return capture.receiver.share(live.sender, live.details)
    receiver = Receiver(protocol, live.port, host, allowed=allowed, announced=_announcement(live))
    receiver.listen_to(live.sender, live.details)
    return receiver


def _announcement(live: SSRHMR_Live) -> Announcement:
    """Return where senders may find the receiver by themselves."""
    if not live.announce:
        return "none"
    return "everywhere" if bpy.app.online_access else "loopback"


def _roles(live: SSRHMR_Live) -> dict[str, str]:
    """Return the device's name by role."""
    rows = (row for row in live.devices if row.role not in (NO_ROLE, PROP_ROLE))
    return {row.role: row.name for row in rows}


def _split_details(
    details: Mapping[str, Reading],
) -> tuple[dict[str, Quaternion], dict[str, float]]:
    """Return the rotations of fingers and the values of shapes by their names."""
    from ssrhmr_core.formats.detail_rows import FINGER, split_detail_name

    fingers: dict[str, Quaternion] = {}
    shapes: dict[str, float] = {}
    for device, reading in details.items():
        kind, name = split_detail_name(device)
        if kind == FINGER:
            fingers[name] = reading.rotation
        else:
            shapes[name] = reading.position[0]
    return fingers, shapes


def _forget_rows(live: SSRHMR_Live, heard: set[str], most: int) -> None:
    """Remove rows of silent devices without a role, if there are too many rows."""
    for index in reversed(range(len(live.devices))):
        row = live.devices[index]
        if len(live.devices) > most and row.role == NO_ROLE and row.name not in heard:
            live.devices.remove(index)
