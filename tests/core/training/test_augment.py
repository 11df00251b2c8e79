# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of motion and how they are varied."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import (
    INDEX,
    LEG_BONES,
    MIRROR,
    PARENTS,
    TRACKER_JOINTS,
    Skeleton,
)
from ssrhmr_core.model.features import HISTORY
from ssrhmr_core.training.augment import Augmentation, Batch, Windows
from ssrhmr_core.training.corpus import Corpus
from tests.core.conftest import make_motion
from tests.core.training.conftest import CONTEXT_FRAMES, CPU, PLAIN


def draw(corpus: Corpus, augmentation: Augmentation, count: int = 64, seed: int = 1) -> Batch:
    return Windows(corpus, 8, augmentation, CPU, CONTEXT_FRAMES).draw(
        count, torch.Generator().manual_seed(seed)
    )


def clips_and_mirrors(skeleton: Skeleton) -> list[np.ndarray]:
    """Return the joint positions (90, 22, 3) of the corpus' clips, and mirrored."""
    clips: list[Motion] = [make_motion(skeleton, frames=90, seed=seed) for seed in range(3)]
    positions = [clip.positions() for clip in clips]
    return positions + [clip[:, list(MIRROR)] * (-1.0, 1.0, 1.0) for clip in positions]


def test_windows_without_augmentation_are_the_clips(corpus: Corpus, skeleton: Skeleton) -> None:
    batch = draw(corpus, PLAIN, 32)
    frames = 8 + max(HISTORY)
    assert batch.positions.shape == (32, frames, 22, 3)
    clips = clips_and_mirrors(skeleton)
    mirrored = 0
    for window in batch.positions.numpy():
        distances = [np.abs(clip - window[-1]).max((1, 2)) for clip in clips]
        clip = int(np.argmin([distance.min() for distance in distances]))
        last = int(distances[clip].argmin())
        mirrored += clip >= 3
        # Before the clip's first frame that frame repeats.
        moments = np.maximum(np.arange(last - frames + 1, last + 1), 0)
        np.testing.assert_allclose(window, clips[clip][moments], atol=1e-3)
    assert 8 < mirrored < 24


def test_the_same_seed_gives_the_same_windows(corpus: Corpus) -> None:
    first, second, other = (draw(corpus, Augmentation(), 8, seed) for seed in (5, 5, 6))
    assert torch.equal(first.positions, second.positions)
    assert not torch.equal(first.positions, other.positions)


def test_augmented_bodies_hold_together(corpus: Corpus) -> None:
    batch = draw(corpus, Augmentation())
    bones = batch.positions[:, :, 1:] - batch.positions[:, :, list(PARENTS[1:])]
    lengths = batch.offsets[:, None, 1:].norm(dim=-1).expand(bones.shape[:-1])
    assert torch.allclose(bones.norm(dim=-1), lengths, atol=1e-4)
    identity = torch.eye(3).expand(batch.rotations.shape)
    assert torch.allclose(batch.rotations @ batch.rotations.mT, identity, atol=1e-4)
    for offsets, size in zip(batch.offsets.numpy(), batch.sizes, strict=True):
        assert float(size) == pytest.approx(Skeleton(offsets).size, rel=1e-5)


def test_bones_vary_by_their_spread_and_sides_alike(corpus: Corpus, skeleton: Skeleton) -> None:
    batch = draw(corpus, replace(PLAIN, bone_scale=0.14), 512)
    own = torch.as_tensor(skeleton.offsets).norm(dim=-1)
    scale = torch.log(batch.offsets.norm(dim=-1) / own)[:, list(LEG_BONES)]
    assert 0.12 < float(scale.std()) < 0.16
    left, right = scale[:, :2], scale[:, 2:]
    assert float((left - right).std()) < 0.05
    assert not torch.equal(left, right)


def test_spines_lose_joints(corpus: Corpus) -> None:
    batch = draw(corpus, replace(PLAIN, short_spine=0.25), 512)
    gone = (batch.offsets[:, [INDEX["middle_spine"], INDEX["chest"]]] == 0.0).all(-1)
    shares = gone.float().mean(0)
    assert ((shares > 0.15) & (shares < 0.35)).all()
    height = batch.offsets[:, INDEX["lower_spine"] : INDEX["chest"] + 1].sum(1)
    assert torch.allclose(height, height[:1].expand(512, 3) * torch.sign(height), atol=1e-4) or (
        height[:, 1].std() < 1e-4
    )


def test_hands_feet_and_head_are_held_differently(corpus: Corpus, skeleton: Skeleton) -> None:
    plain, held = draw(corpus, PLAIN), draw(corpus, replace(PLAIN, hold=0.12))
    # The same clips and frames: only rotations of ends differ.
    assert torch.allclose(plain.positions, held.positions, atol=1e-5)
    change = (plain.rotations - held.rotations).abs().amax((0, 1, 3, 4))
    ends = [INDEX["head"]]
    ends += [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("wrist", "toe")]
    assert torch.nonzero(change > 1e-3)[:, 0].tolist() == sorted(ends)


def test_mixed_windows_take_parts_from_other_clips(corpus: Corpus, skeleton: Skeleton) -> None:
    batch = draw(corpus, replace(PLAIN, mix=1.0))
    clips = clips_and_mirrors(skeleton)
    from_clip = [
        any(np.abs(clip - window[-1]).max((1, 2)).min() < 1e-3 for clip in clips)
        for window in batch.positions.numpy()
    ]
    assert np.mean(from_clip) < 0.5


def test_parts_of_a_batch(corpus: Corpus) -> None:
    batch = draw(corpus, Augmentation(), 6)
    part = batch.part(slice(2, 4))
    assert torch.equal(part.positions, batch.positions[2:4])
    assert torch.equal(part.rotations, batch.rotations[2:4])
    assert torch.equal(part.offsets, batch.offsets[2:4])
    assert torch.equal(part.sizes, batch.sizes[2:4])


def test_contexts_show_the_same_performer(corpus: Corpus, skeleton: Skeleton) -> None:
    """Their trackers are joints of the same clip, mirrored like the window."""
    batch = draw(corpus, PLAIN, 32)
    clips = clips_and_mirrors(skeleton)
    joints = list(TRACKER_JOINTS)
    assert batch.context_positions.shape == (32, CONTEXT_FRAMES, 6, 3)
    for window, context in zip(
        batch.positions.numpy(), batch.context_positions.numpy(), strict=True
    ):
        clip = clips[
            int(np.argmin([np.abs(clip - window[-1]).max((1, 2)).min() for clip in clips]))
        ]
        for frame in context:
            # Between two frames, trackers lie near both.
            assert np.abs(clip[:, joints] - frame).max((1, 2)).min() < 0.05


def test_some_contexts_end_with_the_window(corpus: Corpus, skeleton: Skeleton) -> None:
    """As live: nothing is known of what comes later."""
    batch = draw(corpus, PLAIN, 256)
    clips = clips_and_mirrors(skeleton)
    joints = list(TRACKER_JOINTS)
    past = 0
    for window, context in zip(
        batch.positions.numpy(), batch.context_positions.numpy(), strict=True
    ):
        distances = [np.abs(clip - window[-1]).max((1, 2)) for clip in clips]
        number = int(np.argmin([distance.min() for distance in distances]))
        last = int(distances[number].argmin())
        moments = [
            int(np.abs(clips[number][:, joints] - frame).max((1, 2)).argmin()) for frame in context
        ]
        past += max(moments) <= last + 1
    # Half of them, and those windows that happen to end late.
    assert 128 <= past < 220
