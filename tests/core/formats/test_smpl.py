# SPDX-License-Identifier: GPL-3.0-or-later
"""AMASS archives, made here with the joints and keys of each body model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.formats.smpl import SmplError, load_smpl

FRAMES = 20
STAND = np.pi / 2
"""Turn about X that stands a body upright where Z is up."""


def archive(size: int = 156) -> dict[str, Any]:
    """A body that stands and walks along the archive's X, poses of ``size`` values."""
    poses = np.zeros((FRAMES, size))
    poses[:, 0] = STAND
    trans = np.zeros((FRAMES, 3))
    trans[:, 0] = np.linspace(0.0, 1.0, FRAMES)
    trans[:, 2] = 1.2
    return {
        "poses": poses,
        "trans": trans,
        "mocap_framerate": np.float64(120.0),
        "gender": np.array("neutral"),
        "betas": np.ones(16),
    }


def saved(path: Path, data: dict[str, Any]) -> Path:
    np.savez(path, **data)
    return path


def split(data: dict[str, Any], body: int = 63) -> dict[str, Any]:
    data = {**data, "mocap_frame_rate": data["mocap_framerate"]}
    poses = data.pop("poses")
    del data["mocap_framerate"]
    return {**data, "root_orient": poses[:, :3], "pose_body": poses[:, 3 : 3 + body]}


@pytest.mark.parametrize(
    "data",
    [archive(72), archive(156), archive(165), split(archive(165)), split(archive(72), 69)],
    ids=["smpl", "smpl+h", "smpl-x", "split", "split smpl"],
)
def test_models(tmp_path: Path, data: dict[str, Any]) -> None:
    motion = load_smpl(saved(tmp_path / "clip.npz", data))
    assert len(motion) == FRAMES
    assert motion.rate == pytest.approx(120.0)
    # The pelvis is 22 cm under and 3 cm before SMPL's origin, in the archive's own axes.
    assert np.allclose(motion.root[0], (0.0, 1.2 + 0.03, 0.22), atol=1e-6)
    assert np.allclose(motion.root[-1] - motion.root[0], (1.0, 0.0, 0.0), atol=1e-6)
    positions = motion.positions()[0]
    assert positions[INDEX["head"], 1] > positions[0, 1] + 0.4
    assert positions[INDEX["left_ankle"], 1] < positions[0, 1] - 0.8
    assert positions[INDEX["left_wrist"], 0] > positions[INDEX["right_wrist"], 0] + 1.0
    assert positions[INDEX["left_toe"], 2] > positions[INDEX["left_ankle"], 2]
    assert 1.2 < motion.skeleton.size < 1.6


def test_joints_turn_as_told(tmp_path: Path) -> None:
    data = archive()
    data["poses"][10:, 3 * 18 + 1] = -STAND  # the left elbow bends forward
    data["poses"][10:, 3 * 5] = STAND  # the right knee bends back
    motion = load_smpl(saved(tmp_path / "clip.npz", data))
    before, after = motion.positions()[[0, 10]] - motion.root[[0, 10], None]
    forearm = after[INDEX["left_wrist"]] - after[INDEX["left_elbow"]]
    assert forearm[2] > 0.2
    shin = after[INDEX["right_ankle"]] - after[INDEX["right_knee"]]
    assert shin[2] < -0.3
    still = [INDEX[name] for name in ("left_elbow", "right_knee", "head", "right_wrist")]
    assert np.allclose(before[still], after[still], atol=1e-6)


def test_objects_are_refused(tmp_path: Path) -> None:
    data = {**archive(), "gender": np.array({"a": 1}, dtype=object)}
    with pytest.raises(SmplError, match=r"clip\.npz: .*[Oo]bject"):
        load_smpl(saved(tmp_path / "clip.npz", data))


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in archive().items() if name != key}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (without("poses"), "no 'root_orient'"),
        (without("trans"), "no 'trans'"),
        (without("mocap_framerate"), "no frame rate"),
        ({**archive(), "mocap_framerate": np.array(0.0)}, "no frame rate"),
        ({**archive(), "trans": np.zeros((3, 3))}, "do not go with"),
        ({**archive(), "poses": np.zeros((FRAMES, 7))}, "none of SMPL"),
        ({**archive(), "poses": np.zeros(FRAMES)}, "none of SMPL"),
        ({**archive(), "trans": np.full((FRAMES, 3), np.nan)}, "not finite"),
        ({**archive(), "poses": np.array("poses")}, "not finite numbers"),
        ({**split(archive()), "pose_body": np.zeros((3, 63))}, "do not go together"),
        ({**archive(), "poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "0 poses"),
    ],
)
def test_damages(tmp_path: Path, data: dict[str, Any], message: str) -> None:
    with pytest.raises(SmplError, match=message):
        load_smpl(saved(tmp_path / "clip.npz", data))


def test_cut_off(tmp_path: Path) -> None:
    path = saved(tmp_path / "clip.npz", archive())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SmplError, match="cannot be read"):
        load_smpl(path)
    path.write_bytes(b"")
    with pytest.raises(SmplError, match="cannot be read"):
        load_smpl(path)
    path.write_bytes(b"no archive at all")
    with pytest.raises(SmplError, match="cannot be read"):
        load_smpl(path)
    with pytest.raises(FileNotFoundError):
        load_smpl(tmp_path / "none.npz")


def test_bare_array(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.zeros(3))
    with pytest.raises(SmplError, match="not a zip file"):
        load_smpl((tmp_path / "clip.npy").rename(tmp_path / "clip.npz"))
