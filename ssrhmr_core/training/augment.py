# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of windows, varied in the training step on tensors.

One window is made of parts of several clips: each part of the body (legs, arms, torso, head) may
take its local rotations from another clip, all on one body whose proportions are drawn anew. With
two hours of motion of thirty bodies this is what carries over to people that were never seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..body.skeleton import INDEX, JOINTS, MIRROR, PARENTS, forward_kinematics
from ..geometry.rotations import from_rotvec
from ..model.network import HISTORY
from .corpus import Corpus

_PARTS = (
    ("left_hip", "left_knee", "left_ankle", "left_toe"),
    ("right_hip", "right_knee", "right_ankle", "right_toe"),
    ("lower_spine", "middle_spine", "chest"),
    ("neck", "head"),
    ("left_clavicle", "left_shoulder", "left_elbow", "left_wrist"),
    ("right_clavicle", "right_shoulder", "right_elbow", "right_wrist"),
)


@dataclass(frozen=True)
class Augmentation:
    """How strongly windows are varied; zero switches an ingredient off.

    Attributes:
        mix: chance that a window is mixed: each part of the body then comes from another clip
            with an even chance.
        other_body: chance that a window is put on the body of another clip.
        bone_scale: spread of the logarithm of each bone's length.
        offset: spread of joints of torso, hips, clavicles and feet, share of the body's size.
        short_spine: chance that a spine joint is taken out.
        hold: spread of the turn of hands, feet and head about their joints, radians: people
            hold and wear trackers differently.
        warp: spread of the logarithm of the speed at which a window is played.
        weights: chance of a clip to be drawn, by group name, beside its length.
    """

    mix: float = 0.65
    other_body: float = 0.6
    bone_scale: float = 0.14
    offset: float = 0.012
    short_spine: float = 0.25
    hold: float = 0.12
    warp: float = 0.2
    weights: tuple[tuple[str, float], ...] = (("mhad", 0.35), ("cmu_daz", 0.6))


@dataclass(frozen=True)
class Batch:
    """Windows of motion: N windows of L frames.

    Attributes:
        rotations: (N, L, 22, 3, 3) global.
        positions: (N, L, 22, 3).
        offsets: (N, 22, 3).
        sizes: (N,).
    """

    rotations: Tensor
    positions: Tensor
    offsets: Tensor
    sizes: Tensor

    def part(self, rows: slice) -> Batch:
        """Return some of the windows."""
        tables = (self.rotations, self.positions, self.offsets, self.sizes)
        return Batch(*(table[rows] for table in tables))


class Windows:
    """Draws batches from a corpus that lies on the training device.

    The windows hold ``max(HISTORY)`` frames of the past and then ``frames`` to train on; before
    a clip's first frame that frame is repeated, as at run time.
    """

    def __init__(
        self, corpus: Corpus, frames: int, augmentation: Augmentation, device: torch.device
    ) -> None:
        """Move the tables to ``device``."""
        self._frames = frames
        self._augmentation = augmentation
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
        chances = dict(augmentation.weights)
        weight = torch.tensor([chances.get(name, 1.0) for name in corpus.group_names])
        groups = torch.as_tensor(corpus.groups)
        self._chance = (weight[groups] * torch.as_tensor(corpus.lengths)).to(device)
        self._mirror = torch.tensor(MIRROR, device=device)
        self._flip = torch.tensor([1.0, 1.0, -1.0, -1.0], device=device)

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Draw ``count`` windows; the same state of ``generator`` gives the same windows."""
        device, wish = self._local.device, self._augmentation

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=device)

        clips = torch.multinomial(self._chance, count, replacement=True, generator=generator)
        last = (uniform(count) * self._lengths[clips]).long()
        span = torch.arange(1 - self._frames - max(HISTORY), 1, device=device)
        speed = torch.exp(wish.warp * normal(count, 1))
        moments = (last[:, None] + speed * span).clamp(min=0.0)
        share = moments.frac()
        frames = self._starts[clips, None] + moments.long()

        # Which window each part of the body is taken from, and so which frames each joint.
        windows = torch.arange(count, device=device)
        sources = windows[:, None].repeat(1, len(_PARTS) + 1)
        mixed = uniform(count) < wish.mix
        for part in range(1, len(_PARTS) + 1):
            other = torch.randperm(count, generator=generator, device=device)
            taken = mixed & (uniform(count) < 0.5)
            sources[:, part] = torch.where(taken, other, windows)
        joint_sources = sources[:, self._part_of]
        joint_frames = frames[joint_sources].transpose(1, 2)
        joint_share = share[joint_sources].transpose(1, 2)[..., None]
        joints = torch.arange(len(JOINTS), device=device)
        local = self._local[joint_frames, joints]
        if wish.warp:
            following = self._local[(joint_frames + 1).clamp(max=len(self._local) - 1), joints]
            # Along the shorter arc; the frames are so near that a straight line will do.
            following = torch.where((local * following).sum(-1, True) < 0.0, -following, following)
            local = torch.nn.functional.normalize(local.lerp(following, joint_share), dim=-1)

        bodies = torch.multinomial(
            self._chance.new_ones(len(self._chance)), count, replacement=True, generator=generator
        )
        bodies = torch.where(uniform(count) < wish.other_body, bodies, clips)
        offsets = self._vary(self._offsets[bodies], uniform, normal)
        sizes = _sizes(offsets)
        following = self._root[(frames + 1).clamp(max=len(self._root) - 1)]
        root = self._root[frames].lerp(following, share[..., None])
        root = root * (sizes / self._sizes[clips])[:, None, None]

        mirrored = uniform(count) < 0.5
        local = torch.where(
            mirrored[:, None, None, None], local[:, :, self._mirror] * self._flip, local
        )
        turn = offsets.new_tensor([-1.0, 1.0, 1.0])
        offsets = torch.where(mirrored[:, None, None], offsets[:, self._mirror] * turn, offsets)
        root = torch.where(mirrored[:, None, None], root * turn, root)

        rotations = self._globals(local)
        held = from_rotvec(wish.hold * normal(count, len(JOINTS), 3))
        for name, strength in (("wrist", 1.0), ("toe", 0.5)):
            for joint in (INDEX[f"left_{name}"], INDEX[f"right_{name}"]):
                own = from_rotvec(strength * wish.hold * normal(count, 1, 3))
                rotations[joint] = rotations[joint] @ own
        rotations[INDEX["head"]] = rotations[INDEX["head"]] @ held[:, None, INDEX["head"]]
        stacked = torch.stack(rotations, -3)
        positions = forward_kinematics(stacked, root, offsets[:, None])
        return Batch(stacked, positions, offsets, sizes)

    def _vary(self, offsets: Tensor, uniform: object, normal: object) -> Tensor:
        """Draw other proportions around those of (N, 22, 3) bodies, nearly symmetric ones."""
        wish, count = self._augmentation, len(offsets)
        both, own = normal(count, len(JOINTS), 1), normal(count, len(JOINTS), 1)  # type: ignore[operator]
        both = 0.5**0.5 * (both + both[:, self._mirror])
        scale = torch.exp(wish.bone_scale * both + 0.15 * wish.bone_scale * own)
        # Whole limbs and trunks are long or short together, beyond their single bones.
        moved = normal(count, len(JOINTS), 3)  # type: ignore[operator]
        turn = offsets.new_tensor([-1.0, 1.0, 1.0])
        moved = 0.5**0.5 * (moved + moved[:, self._mirror] * turn)
        free = offsets.new_zeros(len(JOINTS), 1)
        for name in ("hip", "clavicle", "shoulder", "toe"):
            free[[INDEX[f"left_{name}"], INDEX[f"right_{name}"]]] = 1.0
        for name in ("lower_spine", "middle_spine", "chest", "neck", "head"):
            free[INDEX[name]] = 1.0
        moved = moved * free * wish.offset * _sizes(offsets)[:, None, None]
        offsets = offsets * scale + moved

        # Rigs with one or two spine bones: the joint moves onto the next one and turns nothing.
        lower, middle, chest = (INDEX[n] for n in ("lower_spine", "middle_spine", "chest"))
        for joint, following in ((middle, chest), (lower, middle)):
            gone = (uniform(count) < wish.short_spine)[:, None]  # type: ignore[operator]
            joined = offsets[:, joint] + offsets[:, following]
            rows = list(offsets.unbind(1))
            rows[joint] = torch.where(gone, joined, offsets[:, joint])
            rows[following] = torch.where(gone, torch.zeros_like(joined), offsets[:, following])
            offsets = torch.stack(rows, 1)
        return offsets

    @staticmethod
    def _globals(local: Tensor) -> list[Tensor]:
        """Local quaternions (N, L, 22, 4) -> 22 global rotations (N, L, 3, 3)."""
        matrices = _to_matrix(local)
        rotations = [matrices[:, :, 0]]
        for joint, parent in enumerate(PARENTS[1:], 1):
            rotations.append(rotations[parent] @ matrices[:, :, joint])
        return rotations


def _sizes(offsets: Tensor) -> Tensor:
    """Size (N,) of bodies (N, 22, 3); the batched twin of :attr:`Skeleton.size`."""
    lengths = offsets.norm(dim=-1)
    return 0.5 * lengths[:, [2, 3, 6, 7]].sum(-1) + offsets[:, 9:14].sum(1).norm(dim=-1)


def _to_matrix(q: Tensor) -> Tensor:
    """Unit quaternions (..., 4) -> rotations (..., 3, 3)."""
    w, x, y, z = q.unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)
