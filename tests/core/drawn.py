# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis strategies for the core's tests: directions, rotations, bodies, motions, takes."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import MIRROR, Skeleton
from ssrhmr_core.tracking.take import Take
from tests.core.conftest import make_motion, make_skeleton


def numbers(size: int, most: float) -> st.SearchStrategy[np.ndarray]:
    """Draw numbers (size,) of any sign up to ``most``, zeros and tiny ones among them."""
    return arrays(np.float64, size, elements=st.floats(-most, most))


def directions() -> st.SearchStrategy[np.ndarray]:
    """Draw unit vectors (3,)."""
    long = numbers(3, 1.0).filter(lambda vector: bool(np.linalg.norm(vector) > 1e-3))
    return long.map(lambda vector: vector / np.linalg.norm(vector))


def quaternions() -> st.SearchStrategy[np.ndarray]:
    """Draw unit quaternions (4,) of either sign."""
    long = numbers(4, 1.0).filter(lambda four: bool(np.linalg.norm(four) > 1e-3))
    return long.map(lambda four: four / np.linalg.norm(four))


def rotations() -> st.SearchStrategy[np.ndarray]:
    """Draw rotations (3, 3)."""
    return quaternions().map(quat.to_matrix)


def headings() -> st.SearchStrategy[np.ndarray]:
    """Draw quaternions (4,) of rotations about Y."""
    return st.floats(-np.pi, np.pi).map(
        lambda angle: np.array([np.cos(0.5 * angle), 0.0, np.sin(0.5 * angle), 0.0])
    )


def seeds() -> st.SearchStrategy[int]:
    """Draw seeds for values that would take long to draw number by number."""
    return st.integers(0, 2**32 - 1)


@st.composite
def bodies(draw: st.DrawFn, small: float = 0.5, large: float = 1.4) -> Skeleton:
    """Draw bodies of ``small`` to ``large`` times an adult's size, limbs varied by a fifth."""
    offsets = make_skeleton().offsets.astype(float)
    shares = draw(arrays(np.float64, 22, elements=st.floats(0.8, 1.2)))
    # Both sides are alike.
    shares = 0.5 * (shares + shares[list(MIRROR)])
    return Skeleton(offsets * shares[:, None] * draw(st.floats(small, large)))


@st.composite
def motions(draw: st.DrawFn, frames: int = 12, small: float = 0.5, large: float = 1.4) -> Motion:
    """Draw some frames of a body's wandering, at any rate."""
    rate = draw(st.sampled_from([24.0, 29.97, 30.0, 60.0, 90.0, 120.0, 240.0]))
    return make_motion(
        draw(bodies(small, large)), draw(st.integers(1, frames)), rate, draw(seeds())
    )


@st.composite
def takes(draw: st.DrawFn) -> Take:
    """Draw trackers of such a motion on an uneven clock, lost now and then, some of them NaN."""
    motion = draw(motions())
    random = np.random.default_rng(draw(seeds()))
    times = np.cumsum(random.uniform(1e-3, 0.2, len(motion))) + draw(st.floats(-1e5, 1e5))
    ideal = Take.from_motion(motion)
    valid = random.random((len(motion), 6)) < draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))
    finite = valid[..., None] | (random.random((len(motion), 6, 1)) < 0.5)
    positions = np.where(finite, ideal.positions, np.nan)
    return Take(times, positions.astype("f4"), ideal.rotations, valid)
