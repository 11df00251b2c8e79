# SPDX-License-Identifier: GPL-3.0-or-later
"""How projects name the arrays of SMPL, and which of them an archive holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "framerate", "frame_rate")
_TRANSLATIONS = ("trans", "transl", "translation")
_CAMERA_TRANSLATIONS = ("pred_cam_t", "cam_t", "pred_cam_t_full")
_GVHMR_GROUP, _GVHMR_RATE = "smpl_params_global", 30.0
_GVHMR_NOTE = (
    "no frame rate: assumed the 30 frames a second of GVHMR; add fps to the archive if that is"
    " wrong"
)


@dataclass(frozen=True)
class Spelling:
    """How a project names its arrays.

    Attributes:
        poses: The array of all poses, or those of the root and of the rest of the body.
        translations: Names of the translation; the first that the archive holds counts.
        up: The up axis by convention, or None if users of these names differ.
        scaling: An array that the translation is divided by.
        rate: Frames a second if no array says.
    """

    poses: tuple[str, ...]
    translations: tuple[str, ...] = _TRANSLATIONS
    up: str | None = None
    scaling: str = ""
    rate: float | None = None


_SPELLINGS = (
    # WHAM also has the motion relative to its camera, as pose and trans.
    Spelling(("pose_world",), ("trans_world",)),
    Spelling(("root_orient", "pose_body"), up="z"),
    Spelling(("poses",), up="z"),
    Spelling(("smpl_poses",), ("smpl_trans",), up="y", scaling="smpl_scaling", rate=60.0),
    Spelling(("global_orient", "body_pose"), (*_TRANSLATIONS, *_CAMERA_TRANSLATIONS)),
    Spelling(("fullpose",)),
    Spelling(("full_pose",)),
    Spelling(("pose",)),
)


@dataclass(frozen=True)
class Source:
    """The arrays of one archive that make a motion, by their full names ("" for missing ones).

    Attributes:
        poses: The one or two arrays of poses.
        translation: The translation.
        scaling: An array that the translation is divided by.
        rate: The frame rate.
        betas: The shape of the body.
        up: The up axis by convention, or None.
        camera: Whether the motion is relative to a camera.
        usual_rate: Frames a second where the archive does not say, or None.
        rate_note: A message for the user about ``usual_rate``, or "".
    """

    poses: tuple[str, ...]
    translation: str
    scaling: str
    rate: str
    betas: str
    up: str | None
    camera: bool
    usual_rate: float | None
    rate_note: str

    @property
    def names(self) -> list[str]:
        """All arrays to read."""
        return [*self.poses, self.translation, self.scaling, self.rate, self.betas]


def find_source(names: Sequence[str]) -> Source:
    """Choose the arrays of a motion among the names in an archive.

    Names may have a group in front, as in ``smpl_params_global/body_pose``: motion in the world is
    preferred to motion relative to a camera.

    Raises:
        ValueError: The archive holds no motion.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        group, _, key = name.replace(".", "/").rpartition("/")
        groups.setdefault(group, {})[key] = name
    outside = groups.get("", {})
    for group in sorted(groups, key=_group_rank):
        for spelling in _SPELLINGS:
            if not all(key in groups[group] for key in spelling.poses):
                continue
            known = {**outside, **groups[group]}
            translation = _first(spelling.translations, known)
            if translation:
                return _source(spelling, group, known, translation)
            raise ValueError(
                f"poses, but no translation ({', '.join(spelling.translations)}); it holds"
                f" {_listed(names)}: add it, or export the motion in the world"
            )
    raise ValueError(
        f"no SMPL motion; it holds {_listed(names)}: save poses and trans (or global_orient,"
        " body_pose and transl), and fps, under these names with numpy.savez"
    )


def _group_rank(group: str) -> tuple[int, str]:
    if "global" in group or "world" in group:
        return 0, group
    return (2 if group else 1), group


def _source(spelling: Spelling, group: str, known: dict[str, str], translation: str) -> Source:
    in_world = "global" in group or "world" in group
    in_camera = not in_world and (
        "cam" in group or translation.rpartition("/")[2] in _CAMERA_TRANSLATIONS
    )
    rate = _first(_RATES, known)
    usual_rate, rate_note = spelling.rate, ""
    if group == _GVHMR_GROUP and not rate:
        usual_rate, rate_note = _GVHMR_RATE, _GVHMR_NOTE
    return Source(
        poses=tuple(known[key] for key in spelling.poses),
        translation=translation,
        scaling=known.get(spelling.scaling, "") if spelling.scaling else "",
        rate=rate,
        betas=known.get("betas", ""),
        up="y" if in_world else "-y" if in_camera else spelling.up,
        camera=in_camera,
        usual_rate=usual_rate,
        rate_note=rate_note,
    )


def _first(keys: Iterable[str], known: dict[str, str]) -> str:
    return next((known[key] for key in keys if key in known), "")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:12])
    return (shown or "nothing") + (", ..." if len(names) > 12 else "")
