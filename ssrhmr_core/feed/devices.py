"""The devices of a feed, and which of them is worn where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .readings import Quaternion, Reading, Vector


@dataclass(frozen=True)
class Device:
    """A device as it was last heard of.

    Attributes:
        name: serial or name, as the sender gives it.
        kind: "hmd", "controller", "tracker" or "bone".
        rate: readings a second over the last two seconds.
        ago: seconds since the last reading.
        valid: whether it is seen now: heard of lately, and valid by the sender.
        position: where it was last seen, metres, core axes.
        rotation: how it was turned then, w, x, y, z.
    """

    name: str
    kind: str
    rate: float
    ago: float
    valid: bool
    position: Vector
    rotation: Quaternion


class DeviceTable:
    """Keeps track of all devices of a feed, worn or not."""

    def note(self, readings: Iterable[Reading]) -> None:
        """Take in readings as they were drained."""
        raise NotImplementedError

    def devices(self, now: float) -> list[Device]:
        """All devices heard of in the last minute, sorted by name."""
        raise NotImplementedError

    def wiggled(self, now: float) -> str | None:
        """The device that moved in the last seconds while all others stood still, or None."""
        raise NotImplementedError


def guess_roles(devices: Iterable[Device], known: Mapping[str, str]) -> dict[str, str]:
    """Guess which device is worn where, by names and kinds, never by order.

    Args:
        devices: of a feed.
        known: device name by role; stays as it is.

    Returns:
        Device name by role, for the roles that are known or clear.
    """
    raise NotImplementedError


def assign_role(roles: Mapping[str, str], role: str, device: str) -> dict[str, str]:
    """Return the roles with a device (none if "") in this one and in no other.

    Raises:
        FeedError: if there is no such role.
    """
    raise NotImplementedError
