# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver whose sender is a helper process that reads SteamVR."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..readings import StreamingError
from ..receiver import LOCALHOST, Receiver

HELPER = Path(__file__).with_name("helper.py")
_PATIENCE = 5.0
"""Seconds that the helper has to end by itself."""


class SteamVrReceiver(Receiver):
    """Receives SteamVR's devices by a helper process, which ends with it."""

    def __init__(
        self,
        folder: str = "",
        command: Sequence[str] = (sys.executable, "-I", str(HELPER)),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Create a receiver; nothing is started yet.

        Args:
            folder: The folder with the package ``openvr``; if empty, where Python has installed it.
            command: The command that runs the helper.
            clock: Returns the seconds of arrival and of readings.
        """
        super().__init__("json", 0, LOCALHOST, clock=clock)
        self._command = [*command]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Open a port and start the helper.

        Raises:
            StreamingError: if the receiver listens already, or Python cannot be started.
        """
        super().start()
        command = [*self._command, str(self.port)]
        if self._folder:
            command += ["--folder", self._folder]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # No black window on Windows.
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            super().stop()
            raise StreamingError(
                f"the helper for SteamVR cannot be started ({error.strerror or error}): check"
                " that Blender's own Python is complete"
            ) from error

    def stop(self) -> None:
        """End the helper and close the port; both are done when this returns."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        super().stop()

    @property
    def notice(self) -> str:
        """What the user should know, in plain words; "" if nothing."""
        if self._process is not None and self._process.poll() is not None:
            return (
                f"the helper for SteamVR has crashed (code {self._process.returncode}): press Stop"
                " Live and Start Live; if it happens again, update SteamVR and openvr"
            )
        return super().notice


def unpack_wheel(chosen: Path, folder: Path) -> Path:
    """Return the folder with the package ``openvr`` that a person has chosen.

    Args:
        chosen: The folder that contains the package, the package's own folder, or its wheel.
        folder: The folder to unpack a wheel into.

    Raises:
        StreamingError: if it is none of those.
    """
    if (chosen / "openvr" / "__init__.py").is_file():
        return chosen
    if chosen.name == "openvr" and (chosen / "__init__.py").is_file():
        return chosen.parent
    if chosen.suffix == ".whl" and chosen.is_file():
        target = folder / chosen.stem
        try:
            with zipfile.ZipFile(chosen) as wheel:
                if "openvr/__init__.py" in wheel.namelist():
                    # A library in use cannot be written again on Windows.
                    if not (target / "openvr" / "__init__.py").is_file():
                        wheel.extractall(target)
                    return target
        except (zipfile.BadZipFile, OSError) as error:
            raise StreamingError(
                f"'{chosen}' cannot be unpacked ({error}): fetch it again"
            ) from error
    raise StreamingError(
        f"'{chosen}' has no package openvr: choose the wheel of openvr from PyPI, or the folder"
        " that it was unpacked to"
    )
