# SPDX-License-Identifier: GPL-3.0-or-later
"""What a calibration says about trackers and performer, as the panels show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as iface_

from .typed import Icon

if TYPE_CHECKING:
    from ..properties.calibration import SSRHMR_TrackerFit
    from ..properties.setup import SSRHMR_Setup

_GOOD, _FAIR = 0.6, 0.35
_CERTAIN, _LESS_CERTAIN = 2.0, 4.0
"""Centimetres within which a place is known well, and fairly well."""


def draw_tracker_fits(layout: bpy.types.UILayout, setup: SSRHMR_Setup) -> None:
    """Draw a line for each tracker: how well its place is known, or how usual it is."""
    for fit in setup.fits:
        split = layout.split(factor=0.6)
        split.label(text=fit.name, icon=_mark(fit))
        if fit.deviation > 0.0:
            text = iface_("known to {error:.1f} cm").format(error=fit.deviation)
        elif fit.optional:
            text = iface_("{error:.1f} cm to joint") if fit.mount_distance else ""
            text = text.format(error=fit.error)
        else:
            text = iface_("{error:.1f} cm off").format(error=fit.error)
        split.label(text=text, translate=False)


def draw_measures(layout: bpy.types.UILayout, setup: SSRHMR_Setup, unit: float) -> None:
    """Draw the measured body beside what is typical of people of that height.

    Args:
        layout: The layout to draw into.
        setup: The setup.
        unit: Length of a metre in the scene.
    """
    names = {
        "Height": iface_("Height"),
        "Leg": iface_("Leg"),
        "Arm": iface_("Arm"),
        "Trunk": iface_("Trunk"),
        "Shoulders": iface_("Shoulders"),
    }
    for measure in setup.measures:
        usual = measure.low <= measure.length <= measure.high
        split = layout.split(factor=0.38)
        name = names.get(measure.name, measure.name)
        split.label(text=name, icon="CHECKMARK" if usual else "QUESTION", translate=False)
        text = iface_("{length:.0f} cm (typical {low:.0f}–{high:.0f})").format(
            length=100.0 * measure.length / unit,
            low=100.0 * measure.low / unit,
            high=100.0 * measure.high / unit,
        )
        split.label(text=text, translate=False)


def _mark(fit: SSRHMR_TrackerFit) -> Icon:
    if fit.deviation > 0.0:
        known = fit.deviation <= _LESS_CERTAIN
        return "CHECKMARK" if fit.deviation <= _CERTAIN else "QUESTION" if known else "ERROR"
    return "CHECKMARK" if fit.quality >= _GOOD else "QUESTION" if fit.quality >= _FAIR else "ERROR"
