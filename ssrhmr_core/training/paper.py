# SPDX-License-Identifier: GPL-3.0-or-later
"""The published architecture, kept for comparison on the same data by the same script.

Source: Li et al., "Skeleton-Aware Sparse Node-Based Real-Time Human Motion Reconstruction",
Electronics 2025, 14(18), 3664. Where the publication is known to be weak, and the comparison is not
about that, this version has the advantages of ours: its inputs leave out the root's heading and
position in the room, lengths are in sizes of the body, windows are varied, and it learns from ideal
trackers.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from pymotion.rotations import dual_quat_torch as dual
from pymotion.rotations import quat_torch as quat
from torch import Tensor, nn
from torch.nn import functional

from ..body.skeleton import INDEX, JOINTS, PARENTS, TRACKER_JOINTS, TRACKERS, forward_kinematics
from ..geometry.rotations import Y_AXIS, rotation_about
from .augment import Batch
from .sensors import Readings

KERNEL, LAYERS, REACH = 15, 3, 2
WINDOW = LAYERS * (KERNEL - 1) + 1
"""Number of frames that one pose is computed from."""
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
_TORSO_TRACKERS = tuple(
    TRACKERS.index(name) for name in ("pelvis", "head", "left_hand", "right_hand")
)
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
_LIMB_TRACKERS = {
    f"{side}_{limb}": (TRACKERS.index(f"{side}_{end}"),)
    for side in ("left", "right")
    for limb, end in (("leg", "foot"), ("arm", "hand"))
}


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
        near = _adjacency()
        mask = torch.as_tensor(near, dtype=torch.float32).repeat_interleave(_CHANNELS, 0)
        self.register_buffer("mask", mask.repeat_interleave(_CHANNELS, 1)[..., None], False)
        with torch.no_grad():
            for convolution in cast(list[nn.Conv1d], self.convolutions):
                # As if only the neighbours' channels were inputs.
                convolution.weight *= (len(JOINTS) / float(near.astype(bool).sum(1).mean())) ** 0.5

    def optimizers(self, rate: float) -> tuple[torch.optim.Optimizer, ...]:
        """Return the published optimizer."""
        return (torch.optim.AdamW(self.parameters(), lr=rate),)

    def export(self) -> dict[str, np.ndarray]:
        """Return the weights as float32 arrays."""
        return {
            name: t.detach().cpu().numpy().astype("f4") for name, t in self.state_dict().items()
        }

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Copy weights from :meth:`export`."""
        self.load_state_dict({name: torch.as_tensor(array) for name, array in arrays.items()})

    def pose(self, positions: Tensor, rotations: Tensor, offsets: Tensor, sizes: Tensor) -> Tensor:
        """Reconstruct poses.

        Args:
            positions: (N, L, 6, 3) positions of the tracked joints, metres.
            rotations: (N, L, 6, 3, 3) rotations of the tracked joints.
            offsets: (N, 22, 3) offsets of the bodies, metres.
            sizes: (N,) sizes of the bodies.

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
        """Compute the loss of a batch, and its terms; each stage learns on its own."""
        del readings  # The architecture has no answer to noise and loss.
        now, joints = slice(WINDOW - 1, None), list(TRACKER_JOINTS)
        heading = _heading(batch.rotations[:, :, 0])
        trackers = _dual_quaternions(
            batch.positions[:, :, joints], batch.rotations[:, :, joints], heading, batch.sizes
        )
        truth = _dual_quaternions(batch.positions, batch.rotations, heading, batch.sizes)[:, now]
        generated = self._generate(trackers)
        # q and -q are the same pose: the nearer one counts.
        opposite = (generated * truth).sum(-1, keepdim=True) < 0.0
        error = (generated - torch.where(opposite, -truth, truth)).square()
        guess = 10.0 * error[:, :, 0].mean() + error[:, :, 1:].mean()
        torso = self._rewrite_torso(generated.detach(), trackers, batch.offsets, batch.sizes)
        limbs = self._rewrite_limbs(torso.detach(), trackers, batch.offsets, batch.sizes)
        terms = {"guess": guess}
        for name, body in (("torso", torso), ("limbs", limbs)):
            rotations = _globals(body, batch.rotations[:, now, 0], heading[:, now])
            terms[name] = _stage_loss(rotations, batch, now)
        return sum(terms.values()), terms  # type: ignore[return-value]

    def _generate(self, trackers: Tensor) -> Tensor:
        """Map dual quaternions of trackers (N, L, 6, 8) to those of joints (N, L - 42, 22, 8)."""
        spread = trackers[:, :, nearest_trackers()].flatten(2).transpose(1, 2)
        for number, layer in enumerate(self.convolutions):
            convolution = cast(nn.Conv1d, layer)
            spread = functional.conv1d(spread, convolution.weight * self.mask, convolution.bias)
            if number < LAYERS - 1:
                spread = functional.leaky_relu(spread, 0.2)
        return _normalize(spread.transpose(1, 2).unflatten(2, (len(JOINTS), _CHANNELS)))

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
    """A net that rewrites the dual quaternions of some joints."""

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
        inputs = [bones, body[:, :, self._path], trackers[:, :, self._trackers]]
        out = self.net(torch.cat([part.flatten(2) for part in inputs], -1))
        changed = body[:, :, self._targets] + out.unflatten(2, (len(self._targets), _CHANNELS))
        rows = list(body.unbind(2))
        for joint, row in zip(self._targets, _normalize(changed).unbind(2), strict=True):
            rows[joint] = row
        return torch.stack(rows, 2)


def _stage_loss(rotations: Tensor, batch: Batch, now: slice) -> Tensor:
    """Return the loss of a stage: errors of the ends and of velocities count ten times."""
    positions = forward_kinematics(rotations, batch.positions[:, now, 0], batch.offsets[:, None])
    error = (positions - batch.positions[:, now]) / batch.sizes[:, None, None, None]
    difference = rotations - batch.rotations[:, now]
    ends, rest = list(_ENDS), [joint for joint in range(len(JOINTS)) if joint not in _ENDS]
    loss = 10.0 * (error[:, :, ends].square().mean() + difference[:, :, ends].square().mean())
    loss = loss + error[:, :, rest].square().mean() + difference[:, :, rest].square().mean()
    for ago in (1, 3, 5):
        loss = loss + 10.0 * (error[:, ago:] - error[:, :-ago]).square().mean()
    return loss


def _adjacency() -> np.ndarray:
    """Return (22, 22): joints at most two bones apart, normalised on both sides."""
    near = (bones_between() <= REACH).astype(np.float64)
    degree = near.sum(1) ** -0.5
    return degree[:, None] * near * degree


def bones_between() -> np.ndarray:
    """Return (22, 22): how many bones lie between two joints."""
    away = np.full((len(JOINTS),) * 2, len(JOINTS))
    np.fill_diagonal(away, 0)
    for joint, parent in enumerate(PARENTS[1:], 1):
        # Parents come first: the paths of a joint are those of its parent and one bone.
        away[joint, :joint] = away[parent, :joint] + 1
        away[:joint, joint] = away[joint, :joint]
    return away


def nearest_trackers() -> list[int]:
    """Return, for each joint, the tracker whose joint is the fewest bones away."""
    return bones_between()[:, list(TRACKER_JOINTS)].argmin(1).tolist()


def _heading(roots: Tensor) -> Tensor:
    """Return the rotations about Y (..., 3, 3) that face where rotations (..., 3, 3) face."""
    forward = roots[..., :, 2]
    return rotation_about(Y_AXIS, torch.atan2(forward[..., 0], forward[..., 2]))


def _dual_quaternions(
    positions: Tensor, rotations: Tensor, heading: Tensor, sizes: Tensor
) -> Tensor:
    """Return root-space dual quaternions (N, L, J, 8); the root's own is its tilt and height.

    Args:
        positions: (N, L, J, 3) positions, the root's first, metres.
        rotations: (N, L, J, 3, 3) global rotations.
        heading: (N, L, 3, 3) headings of the root.
        sizes: (N,) sizes of the bodies.
    """
    inverse = rotations[:, :, :1].mT
    relative = (inverse @ (positions - positions[:, :, :1])[..., None])[..., 0]
    relative = relative / sizes[:, None, None, None]
    local = inverse @ rotations
    local = torch.cat([(heading.mT @ rotations[:, :, 0])[:, :, None], local[:, :, 1:]], 2)
    height = functional.pad(positions[:, :, :1, 1:2] / sizes[:, None, None, None], (1, 1))
    relative = torch.cat([height, relative[:, :, 1:]], 2)
    quats = quat.from_matrix(local)
    quats = torch.where(quats[..., :1] < 0.0, -quats, quats)
    return dual.from_rotation_translation(quats, relative)


def _normalize(values: Tensor) -> Tensor:
    """Return the unit dual quaternions nearest to numbers (..., 8)."""
    real, other = values[..., :4], values[..., 4:]
    length = real.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    real, other = real / length, other / length
    return torch.cat([real, other - (real * other).sum(-1, keepdim=True) * real], -1)


def _globals(body: Tensor, roots: Tensor, heading: Tensor) -> Tensor:
    """Convert root-space dual quaternions (N, L, 22, 8) to global rotations (N, L, 22, 3, 3)."""
    local = quat.to_matrix(body[..., :4])
    return torch.cat(
        [(heading @ local[:, :, 0])[:, :, None], roots[:, :, None] @ local[:, :, 1:]], 2
    )
