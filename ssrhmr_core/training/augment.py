# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of windows, varied on tensors in the training step.

One window combines parts of several clips: each part of the body (legs, arms, torso, head) may take
its local rotations from another clip, all on one body with randomly drawn proportions. With two
hours of motion of thirty bodies, this variation carries over to people that training never sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pymotion.rotations import quat_torch
from torch import Tensor

from ..body.interpolation import MODEL_RATE
from ..body.skeleton import (
    INDEX,
    JOINTS,
    LEG_BONES,
    MIRROR,
    PARENTS,
    TRACKER_JOINTS,
    TRUNK,
    forward_kinematics,
)
from ..geometry.rotations import from_rotvec
from ..model.features import HISTORY
from .corpus import Corpus
from .random_tensors import RandomTensors

_PARTS = (
    ("left_hip", "left_knee", "left_ankle", "left_toe"),
    ("right_hip", "right_knee", "right_ankle", "right_toe"),
    ("lower_spine", "middle_spine", "chest"),
    ("neck", "head"),
    ("left_clavicle", "left_shoulder", "left_elbow", "left_wrist"),
    ("right_clavicle", "right_shoulder", "right_elbow", "right_wrist"),
)
_MOVABLE = [
    *(
        INDEX[f"{side}_{part}"]
        for side in ("left", "right")
        for part in ("hip", "clavicle", "shoulder", "toe")
    ),
    *TRUNK,
]
"""Joints whose offsets vary in direction too."""
_HELD = (("wrist", 1.0), ("toe", 0.5))
"""Joints that people hold differently about, and how much of the spread applies to them."""


_LIVE_SECONDS = (0.3, 60.0)
"""Shortest and longest past that is known of a performer who is seen live."""


@dataclass(frozen=True)
class Augmentation:
    """How strongly windows are varied; zero switches an ingredient off.

    Attributes:
        mix: Chance that a window is mixed: each part of the body then comes from another clip with
            an even chance.
        other_body: Chance that a window is put on the body of another clip.
        bone_scale: Standard deviation of the logarithm of each bone's length.
        offset: Standard deviation of joints of torso, hips, clavicles and feet, as a share of the
            body's size.
        short_spine: Chance that a spine joint is taken out.
        hold: Standard deviation of the rotation of hands, feet and head about their joints,
            radians: people hold and mount trackers differently.
        warp: Standard deviation of the logarithm of the speed at which a window is played.
        weights: Factors, by group name, for the chance of a clip to be drawn; without one, the
            chance is in proportion to the clip's length.
    """

    mix: float = 0.65
    other_body: float = 0.6
    bone_scale: float = 0.14
    offset: float = 0.012
    short_spine: float = 0.25
    hold: float = 0.12
    warp: float = 0.2
    weights: tuple[tuple[str, float], ...] = (
        ("mhad", 0.35),
        ("cmu_daz", 0.6),
        ("cmu_amc2", 0.5),
        # Standing with hands that do not move and feet without toes: nothing to learn.
        ("reactidle", 0.0),
    )


@dataclass(frozen=True)
class Batch:
    """Windows of motion: N windows of L frames.

    Attributes:
        rotations: (N, L, 22, 3, 3) global rotations.
        positions: (N, L, 22, 3) joint positions, metres.
        offsets: (N, 22, 3) offsets of each window's body, metres.
        sizes: (N,) sizes of the bodies, see :attr:`Skeleton.size`.
        context_positions: (N, K, 6, 3) positions of the tracked joints in other frames of the same
            performer, metres.
        context_rotations: (N, K, 6, 3, 3) their rotations.
    """

    rotations: Tensor
    positions: Tensor
    offsets: Tensor
    sizes: Tensor
    context_positions: Tensor
    context_rotations: Tensor

    def part(self, rows: slice) -> Batch:
        """Return some of the windows."""
        return Batch(
            rotations=self.rotations[rows],
            positions=self.positions[rows],
            offsets=self.offsets[rows],
            sizes=self.sizes[rows],
            context_positions=self.context_positions[rows],
            context_rotations=self.context_rotations[rows],
        )


@dataclass(frozen=True)
class _Span:
    """The frames that windows and, after them, their contexts are read from.

    Attributes:
        clips: (N,) index of the clip.
        frames: (N, L + K) frames in the corpus.
        share: (N, L + K) share of the frame that follows.
    """

    clips: Tensor
    frames: Tensor
    share: Tensor


class Windows:
    """Draws batches from a corpus that lies on the training device.

    The windows hold ``max(HISTORY)`` frames of the past and then ``frames`` to train on. Where a
    window begins before its clip, the clip's first frame repeats, as at run time. With each window
    go frames of the same performer from elsewhere in the clip: from all of it, as whole takes are
    seen, or only from some time before the window, as a performer is seen live.
    """

    def __init__(
        self,
        corpus: Corpus,
        frames: int,
        augmentation: Augmentation,
        device: torch.device,
        context: int,
    ) -> None:
        """Move the tables to ``device``.

        Args:
            corpus: The motion.
            frames: Number of frames of each window to train on.
            augmentation: How to vary the windows.
            device: Device for all tensors.
            context: Number of frames that go with each window.
        """
        self._frames, self._augmentation, self._device = frames, augmentation, device
        self._length, self._context = frames + max(HISTORY), context
        self._local = torch.as_tensor(corpus.local, device=device)
        self._root = torch.as_tensor(corpus.root, device=device)
        self._starts = torch.as_tensor(corpus.starts, device=device)
        self._lengths = torch.as_tensor(corpus.lengths, device=device)
        self._offsets = torch.as_tensor(corpus.offsets, device=device)
        self._sizes = torch.as_tensor(corpus.sizes, device=device)
        part_of = torch.zeros(len(JOINTS), dtype=torch.long, device=device)
        for number, names in enumerate(_PARTS, 1):
            part_of[[INDEX[name] for name in names]] = number
        self._part_of = part_of
        factors = dict(augmentation.weights)
        weight = torch.tensor([factors.get(name, 1.0) for name in corpus.group_names])
        groups = torch.as_tensor(corpus.groups)
        self._weights = (weight[groups] * torch.as_tensor(corpus.lengths)).to(device)
        self._mirror = torch.tensor(MIRROR, device=device)
        self._mirror_quat = torch.tensor([1.0, 1.0, -1.0, -1.0], device=device)
        self._mirror_vector = torch.tensor([-1.0, 1.0, 1.0], device=device)

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw ``count`` windows; the same state of ``generator`` gives the same windows."""
        random, strength = RandomTensors(generator, self._device), self._augmentation
        span = self._draw_span(count, random)
        local = self._mixed_rotations(span, random)

        bodies = random.indices(self._weights.new_ones(len(self._weights)), count)
        bodies = torch.where(random.uniform(count) < strength.other_body, bodies, span.clips)
        offsets = self._vary_proportions(self._offsets[bodies], random)
        sizes = _body_sizes(offsets)
        following = self._root[(span.frames + 1).clamp(max=len(self._root) - 1)]
        root = self._root[span.frames].lerp(following, span.share[..., None])
        root = root * (sizes / self._sizes[span.clips])[:, None, None]

        mirrored = (random.uniform(count) < 0.5)[:, None, None]
        mirrored_local = local[:, :, self._mirror] * self._mirror_quat
        local = torch.where(mirrored[..., None], mirrored_local, local)
        mirrored_offsets = offsets[:, self._mirror] * self._mirror_vector
        offsets = torch.where(mirrored, mirrored_offsets, offsets)
        root = torch.where(mirrored, root * self._mirror_vector, root)

        rotations = self._global_rotations(local, random)
        positions = forward_kinematics(rotations, root, offsets[:, None])
        joints, length = list(TRACKER_JOINTS), self._length
        return Batch(
            rotations=rotations[:, :length],
            positions=positions[:, :length],
            offsets=offsets,
            sizes=sizes,
            context_positions=positions[:, length:, joints],
            context_rotations=rotations[:, length:, joints],
        )

    def _draw_span(self, count: int, random: RandomTensors) -> _Span:
        """Draw clips, last frames, speeds, and the frames of the context."""
        clips = random.indices(self._weights, count)
        last = (random.uniform(count) * self._lengths[clips]).long()
        steps = torch.arange(1 - self._length, 1, device=self._device)
        speed = torch.exp(self._augmentation.warp * random.normal(count, 1))
        moments = (last[:, None] + speed * steps).clamp(min=0.0)
        shortest, longest = _LIVE_SECONDS
        seconds = shortest * (longest / shortest) ** random.uniform(count, 1)
        live = random.uniform(count, 1) < 0.5
        latest = torch.where(live, last[:, None], self._lengths[clips, None] - 1)
        earliest = torch.where(live, (latest - MODEL_RATE * seconds).clamp(min=0.0), 0.0)
        context = earliest + random.uniform(count, self._context) * (latest - earliest)
        moments = torch.cat([moments, context], 1)
        frames = self._starts[clips, None] + moments.long()
        return _Span(clips, frames, moments.frac())

    def _mixed_rotations(self, span: _Span, random: RandomTensors) -> Tensor:
        """Return local quaternions (N, L, 22, 4), parts of the body taken from several windows."""
        count = len(span.clips)
        windows = torch.arange(count, device=self._device)
        # The window that each part of the body, and so each joint, is taken from.
        sources = windows[:, None].repeat(1, len(_PARTS) + 1)
        mixed = random.uniform(count) < self._augmentation.mix
        for part in range(1, len(_PARTS) + 1):
            other = random.permutation(count)
            taken = mixed & (random.uniform(count) < 0.5)
            sources[:, part] = torch.where(taken, other, windows)
        joint_sources = sources[:, self._part_of]
        frames = span.frames[joint_sources].transpose(1, 2)
        share = span.share[joint_sources].transpose(1, 2)[..., None]
        joints = torch.arange(len(JOINTS), device=self._device)
        local = self._local[frames, joints]
        if not self._augmentation.warp:
            return local
        following = self._local[(frames + 1).clamp(max=len(self._local) - 1), joints]
        # Along the shorter arc; the frames are so near that a straight line will do.
        following = torch.where((local * following).sum(-1, True) < 0.0, -following, following)
        return torch.nn.functional.normalize(local.lerp(following, share), dim=-1)

    def _vary_proportions(self, offsets: Tensor, random: RandomTensors) -> Tensor:
        """Draw other proportions around those of (N, 22, 3) bodies, nearly symmetric ones."""
        strength, count = self._augmentation, len(offsets)
        both, own = random.normal(count, len(JOINTS), 1), random.normal(count, len(JOINTS), 1)
        both = 0.5**0.5 * (both + both[:, self._mirror])
        scale = torch.exp(strength.bone_scale * both + 0.15 * strength.bone_scale * own)
        moved = random.normal(count, len(JOINTS), 3)
        moved = 0.5**0.5 * (moved + moved[:, self._mirror] * self._mirror_vector)
        movable = offsets.new_zeros(len(JOINTS), 1)
        movable[_MOVABLE] = 1.0
        moved = moved * movable * strength.offset * _body_sizes(offsets)[:, None, None]
        offsets = offsets * scale + moved

        # Rigs with one or two spine bones: the joint moves onto the next one and turns nothing.
        lower, middle, chest = (INDEX[name] for name in ("lower_spine", "middle_spine", "chest"))
        for joint, following in ((middle, chest), (lower, middle)):
            gone = (random.uniform(count) < strength.short_spine)[:, None]
            joined = offsets[:, joint] + offsets[:, following]
            rows = list(offsets.unbind(1))
            rows[joint] = torch.where(gone, joined, offsets[:, joint])
            rows[following] = torch.where(gone, torch.zeros_like(joined), offsets[:, following])
            offsets = torch.stack(rows, 1)
        return offsets

    def _global_rotations(self, local: Tensor, random: RandomTensors) -> Tensor:
        """Return global rotations (N, L, 22, 3, 3), ends rotated as people hold trackers."""
        count, spread = len(local), self._augmentation.hold
        matrices = quat_torch.to_matrix(local)
        rotations = [matrices[:, :, 0]]
        for joint, parent in enumerate(PARENTS[1:], 1):
            rotations.append(rotations[parent] @ matrices[:, :, joint])
        # One vector is drawn for each joint, though only the head's is used: other numbers would
        # follow otherwise, and runs could not be repeated.
        held = from_rotvec(spread * random.normal(count, len(JOINTS), 3))
        for name, share in _HELD:
            for joint in (INDEX[f"left_{name}"], INDEX[f"right_{name}"]):
                own = from_rotvec(share * spread * random.normal(count, 1, 3))
                rotations[joint] = rotations[joint] @ own
        head = INDEX["head"]
        rotations[head] = rotations[head] @ held[:, None, head]
        return torch.stack(rotations, -3)


def _body_sizes(offsets: Tensor) -> Tensor:
    """Return the sizes (N,) of bodies (N, 22, 3); the batched twin of :attr:`Skeleton.size`."""
    lengths = offsets.norm(dim=-1)
    legs = 0.5 * lengths[:, list(LEG_BONES)].sum(-1)
    return legs + offsets[:, list(TRUNK)].sum(1).norm(dim=-1)
