# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies that are fitted to a movement."""

from __future__ import annotations

import numpy as np

from ssrhmr_core.body.skeleton import INDEX, Skeleton
from ssrhmr_core.tracking.body_shapes import body_prior, straighten_trunk

SPINE = [INDEX[name] for name in ("lower_spine", "middle_spine", "chest")]
NECK = [INDEX[name] for name in ("neck", "head")]


def odd_body(usual: Skeleton) -> Skeleton:
    """Return a body with a spine that folds: one bone points down, another is twice as long."""
    offsets = usual.offsets.copy()
    offsets[INDEX["middle_spine"]] = (0.0, -0.065, -0.009)
    offsets[INDEX["chest"]] = (0.0, 0.23, 0.06)
    offsets[INDEX["head"], 1] = -0.01
    offsets[INDEX["left_knee"]] *= 1.1
    return Skeleton(offsets, usual.present)


def test_no_bone_of_the_spine_turns_around() -> None:
    usual = body_prior().skeleton
    even = straighten_trunk(usual, odd_body(usual))
    shares = even.offsets[SPINE + NECK, 1] / usual.offsets[SPINE + NECK, 1]
    assert (shares > 0.4).all() and (shares < 1.6).all(), shares


def test_chest_head_and_limbs_stay_where_they_were_fitted() -> None:
    usual = body_prior().skeleton
    odd = odd_body(usual)
    even = straighten_trunk(usual, odd)
    for chain in (SPINE, NECK):
        np.testing.assert_allclose(even.offsets[chain].sum(0), odd.offsets[chain].sum(0), atol=1e-6)
    others = [joint for joint in INDEX.values() if joint not in SPINE + NECK]
    np.testing.assert_array_equal(even.offsets[others], odd.offsets[others])


def test_bones_that_all_run_upwards_stay() -> None:
    usual = body_prior().skeleton
    offsets = usual.offsets.copy()
    offsets[INDEX["lower_spine"]] *= -0.5
    offsets[INDEX["middle_spine"]] *= 0.3
    fitted = Skeleton(offsets, usual.present)
    np.testing.assert_allclose(straighten_trunk(usual, fitted).offsets, offsets, atol=1e-7)
