# SPDX-License-Identifier: GPL-3.0-or-later
"""The published architecture, kept to be compared with on the same data by the same script.

Source: Li et al., "Skeleton-Aware Sparse Node-Based Real-Time Human Motion Reconstruction",
Electronics 2025, 14(18), 3664. Where the publication is known to be weak, and the comparison is not
about that, it gets what ours has: the root's heading and place in the room are taken out, lengths
are in sizes of the body, windows are varied, the trackers that it learns from are ideal.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from pymotion.rotations import dual_quat_torch as dual
from pymotion.rotations import quat_torch as quat
from torch import Tensor, nn
from torch.nn import functional

from ..body.skeleton import INDEX, JOINTS, PARENTS, TRACKER_JOINTS, forward_kinematics
from .augment import Batch
from .sensors import Readings

KERNEL, LAYERS, REACH = 15, 3, 2
WINDOW = LAYERS * (KERNEL - 1) + 1
"""Frames from which one pose is made."""
_HIDDEN = 128
_CHANNELS = 8
_ENDS = TRACKER_JOINTS[1:]


def _joints(*names: str) -> tuple[int, ...]:
    return tuple(INDEX[name] for name in names)


_TORSO = (
    _joints("chest"),
    _joints("middle_spine", "chest", "neck"),
    _joints("hips", "lower_spine", "middle_spine"),
)
_TORSO_TRACKERS = (0, 1, 2, 3)
_LIMBS = {
    f"{side}_{limb}": tuple(
        _joints(*(f"{side}_{part}" for part in parts[:count])) for count in (1, 2, 3)
    )
    for side in ("left", "right")
    for limb, parts in (
        ("leg", ("hip", "knee", "ankle")),
        ("arm", ("clavicle", "shoulder", "elbow")),
    )
}
_LIMB_TRACKERS = {"left_arm": (2,), "right_arm": (3,), "left_leg": (4,), "right_leg": (5,)}


class Published(nn.Module):
    """Skeletal graph convolutions over time, then small nets that rewrite torso and limbs."""

    mask: Tensor

    def __init__(self, seed: int) -> None:
        """Draw weights; the same seed gives the same ones."""
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            width = _CHANNELS * len(JOINTS)
            self.convolutions = nn.ModuleList(
                nn.Conv1d(width, width, KERNEL) for _ in range(LAYERS)
            )
            self.torso = nn.ModuleList(_Rewriter(t, _TORSO_TRACKERS) for t in _TORSO)
            self.limbs = nn.ModuleDict(
                {
                    name: nn.ModuleList(_Rewriter(t, _LIMB_TRACKERS[name]) for t in targets)
                    for name, targets in _LIMBS.items()
                }
            )
        near = _near()
        mask = torch.as_tensor(near, dtype=torch.float32).repeat_interleave(_CHANNELS, 0)
        self.register_buffer("mask", mask.repeat_interleave(_CHANNELS, 1)[..., None], False)
        with torch.no_grad():
            for convolution in cast(list[nn.Conv1d], self.convolutions):
                # As if only the neighbours' channels were inputs.
                convolution.weight *= (len(JOINTS) / float(near.astype(bool).sum(1).mean())) ** 0.5

    def optimizers(self, rate: float) -> tuple[torch.optim.Optimizer, ...]:
        """The published one."""
        return (torch.optim.AdamW(self.parameters(), lr=rate),)

    def export(self) -> dict[str, np.ndarray]:
        """Weights as float32 arrays."""
        return {
            name: t.detach().cpu().numpy().astype("f4") for name, t in self.state_dict().items()
        }

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what :meth:`export` gave."""
        self.load_state_dict({name: torch.as_tensor(array) for name, array in arrays.items()})

    def pose(self, positions: Tensor, rotations: Tensor, offsets: Tensor, sizes: Tensor) -> Tensor:
        """Reconstruct poses.

        Args:
            positions: (N, L, 6, 3) of the tracked joints, metres.
            rotations: (N, L, 6, 3, 3).
            offsets: (N, 22, 3) metres.
            sizes: (N,) of the bodies.

        Returns:
            (N, L - 42, 22, 3, 3) global rotations, one for each frame that has 42 before it.
        """
        heading = _heading(rotations[:, :, 0])
        trackers = _dual_quaternions(positions, rotations, heading, sizes)
        generated = self._generate(trackers)
        rewritten = self._rewrite_torso(generated, trackers, offsets, sizes)
        rewritten = self._rewrite_limbs(rewritten, trackers, offsets, sizes)
        now = slice(WINDOW - 1, None)
        return _globals(rewritten, rotations[:, now, 0], heading[:, now])

    def forward(self, batch: Batch, readings: Readings) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its terms; the stages learn side by side, each on its own."""
        del readings  # It can do nothing about noise and loss, so it is not trained on them.
        now, joints = slice(WINDOW - 1, None), list(TRACKER_JOINTS)
        heading = _heading(batch.rotations[:, :, 0])
        trackers = _dual_quaternions(
            batch.positions[:, :, joints], batch.rotations[:, :, joints], heading, batch.sizes
        )
        truth = _dual_quaternions(batch.positions, batch.rotations, heading, batch.sizes)[:, now]
        generated = self._generate(trackers)
        # q and -q are the same pose: the one that is nearer counts.
        near = (generated * truth).sum(-1, keepdim=True) < 0.0
        missed = (generated - torch.where(near, -truth, truth)).square()
        guess = 10.0 * missed[:, :, 0].mean() + missed[:, :, 1:].mean()
        torso = self._rewrite_torso(generated.detach(), trackers, batch.offsets, batch.sizes)
        limbs = self._rewrite_limbs(torso.detach(), trackers, batch.offsets, batch.sizes)
        terms = {"guess": guess}
        for name, body in (("torso", torso), ("limbs", limbs)):
            turned = _globals(body, batch.rotations[:, now, 0], heading[:, now])
            terms[name] = _stage_loss(turned, batch, now)
        return sum(terms.values()), terms  # type: ignore[return-value]

    def _generate(self, trackers: Tensor) -> Tensor:
        """Dual quaternions of trackers (N, L, 6, 8) -> of joints (N, L - 42, 22, 8)."""
        spread = trackers[:, :, _nearest_trackers()].flatten(2).transpose(1, 2)
        for number, layer in enumerate(self.convolutions):
            convolution = cast(nn.Conv1d, layer)
            spread = functional.conv1d(spread, convolution.weight * self.mask, convolution.bias)
            if number < LAYERS - 1:
                spread = functional.leaky_relu(spread, 0.2)
        return _unit(spread.transpose(1, 2).unflatten(2, (len(JOINTS), _CHANNELS)))

    def _rewrite_torso(
        self, body: Tensor, trackers: Tensor, offsets: Tensor, sizes: Tensor
    ) -> Tensor:
        for rewriter in self.torso:
            body = rewriter(body, trackers[:, WINDOW - 1 :], offsets / sizes[:, None, None])
        return body

    def _rewrite_limbs(
        self, body: Tensor, trackers: Tensor, offsets: Tensor, sizes: Tensor
    ) -> Tensor:
        for rewriters in self.limbs.values():
            for rewriter in cast(nn.ModuleList, rewriters):
                body = rewriter(body, trackers[:, WINDOW - 1 :], offsets / sizes[:, None, None])
        return body


class _Rewriter(nn.Module):
    """A net that rewrites some joints' dual quaternions."""

    def __init__(self, targets: tuple[int, ...], trackers: tuple[int, ...]) -> None:
        super().__init__()
        path = set(targets)
        for joint in targets:
            while PARENTS[joint] >= 0:
                joint = PARENTS[joint]
                path.add(joint)
        self._targets, self._path, self._trackers = list(targets), sorted(path), list(trackers)
        inputs = (3 + _CHANNELS) * len(path) + _CHANNELS * len(trackers)
        self.net = nn.Sequential(
            nn.Linear(inputs, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _CHANNELS * len(targets)),
        )

    def forward(self, body: Tensor, trackers: Tensor, offsets: Tensor) -> Tensor:
        """Rewrite joints of (N, L, 22, 8), given trackers (N, L, 6, 8) and offsets (N, 22, 3)."""
        lead = body.shape[:2]
        bones = offsets[:, None, self._path].expand(*lead, len(self._path), 3)
        seen = [bones, body[:, :, self._path], trackers[:, :, self._trackers]]
        out = self.net(torch.cat([part.flatten(2) for part in seen], -1))
        changed = body[:, :, self._targets] + out.unflatten(2, (len(self._targets), _CHANNELS))
        rows = list(body.unbind(2))
        for joint, row in zip(self._targets, _unit(changed).unbind(2), strict=True):
            rows[joint] = row
        return torch.stack(rows, 2)


def _stage_loss(turned: Tensor, batch: Batch, now: slice) -> Tensor:
    """Ten times what ends miss and how they move, once what the others miss."""
    places = forward_kinematics(turned, batch.positions[:, now, 0], batch.offsets[:, None])
    missed = (places - batch.positions[:, now]) / batch.sizes[:, None, None, None]
    off = turned - batch.rotations[:, now]
    ends, rest = list(_ENDS), [joint for joint in range(len(JOINTS)) if joint not in _ENDS]
    loss = 10.0 * (missed[:, :, ends].square().mean() + off[:, :, ends].square().mean())
    loss = loss + missed[:, :, rest].square().mean() + off[:, :, rest].square().mean()
    for ago in (1, 3, 5):
        loss = loss + 10.0 * (missed[:, ago:] - missed[:, :-ago]).square().mean()
    return loss


def _near() -> np.ndarray:
    """(22, 22) adjacency of joints no more than two bones apart, normalised on both sides."""
    near = (_bones_between() <= REACH).astype(np.float64)
    degree = near.sum(1) ** -0.5
    return degree[:, None] * near * degree


def _bones_between() -> np.ndarray:
    """(22, 22): how many bones lie between two joints."""
    away = np.full((len(JOINTS),) * 2, len(JOINTS))
    np.fill_diagonal(away, 0)
    for joint, parent in enumerate(PARENTS[1:], 1):
        # Parents come first: the ways of a joint are those of its parent and one bone.
        away[joint, :joint] = away[parent, :joint] + 1
        away[:joint, joint] = away[joint, :joint]
    return away


def _nearest_trackers() -> list[int]:
    """For each joint, the tracker whose joint is the fewest bones away."""
    return _bones_between()[:, list(TRACKER_JOINTS)].argmin(1).tolist()


def _heading(roots: Tensor) -> Tensor:
    """Turns about the vertical (..., 3, 3) that rotations (..., 3, 3) hold."""
    forward = roots[..., :, 2]
    angle = torch.atan2(forward[..., 0], forward[..., 2])
    turn = torch.zeros_like(roots)
    turn[..., 0, 0] = turn[..., 2, 2] = torch.cos(angle)
    turn[..., 0, 2], turn[..., 2, 0] = torch.sin(angle), -torch.sin(angle)
    turn[..., 1, 1] = 1.0
    return turn


def _dual_quaternions(
    positions: Tensor, rotations: Tensor, heading: Tensor, sizes: Tensor
) -> Tensor:
    """Positions (N, L, J, 3) and rotations, the root's first, as root-space (N, L, J, 8).

    The root's own is its tilt and height.
    """
    inverse = rotations[:, :, :1].mT
    places = (inverse @ (positions - positions[:, :, :1])[..., None])[..., 0]
    places = places / sizes[:, None, None, None]
    turns = inverse @ rotations
    turns = torch.cat([(heading.mT @ rotations[:, :, 0])[:, :, None], turns[:, :, 1:]], 2)
    height = functional.pad(positions[:, :, :1, 1:2] / sizes[:, None, None, None], (1, 1))
    places = torch.cat([height, places[:, :, 1:]], 2)
    quaternions = quat.from_matrix(turns)
    quaternions = torch.where(quaternions[..., :1] < 0.0, -quaternions, quaternions)
    return dual.from_rotation_translation(quaternions, places)


def _unit(values: Tensor) -> Tensor:
    """Make unit dual quaternions of (..., 8)."""
    real, other = values[..., :4], values[..., 4:]
    length = real.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    real, other = real / length, other / length
    return torch.cat([real, other - (real * other).sum(-1, keepdim=True) * real], -1)


def _globals(body: Tensor, roots: Tensor, heading: Tensor) -> Tensor:
    """Root-space dual quaternions (N, L, 22, 8) -> global rotations (N, L, 22, 3, 3)."""
    turns = quat.to_matrix(body[..., :4])
    return torch.cat(
        [(heading @ turns[:, :, 0])[:, :, None], roots[:, :, None] @ turns[:, :, 1:]], 2
    )
