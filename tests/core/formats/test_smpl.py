# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPL archives, written here with the joints and keys of each body model and project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import INDEX
from ssrhmr_core.formats import MotionFileError, MotionFileWarning
from ssrhmr_core.formats.smpl import SmplError, load_smpl
from ssrhmr_core.formats.smpl.body import BODY

FRAMES = 20
STAND = np.pi / 2
"""Rotation about X that stands a body upright where Z is up."""


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


def test_joints_rotate_as_the_poses_say(tmp_path: Path) -> None:
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


OBJECT = np.array({"a": 1}, dtype=object)


def test_objects_elsewhere_do_not_matter(tmp_path: Path) -> None:
    """As in the stage II files of AMASS."""
    data = {**archive(), "gender": OBJECT, "markers_latent_vids": OBJECT}
    motion = load_smpl(saved(tmp_path / "clip.npz", data))
    check_same(motion, load_smpl(saved(tmp_path / "clip.npz", archive())))


@pytest.mark.parametrize("key", ["poses", "trans"])
def test_objects_in_place_of_the_motion_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(SmplError, match=rf"clip\.npz: .*{key}.*Python objects"):
        load_smpl(saved(tmp_path / "clip.npz", {**archive(), key: OBJECT}))


def check_same(motion: Motion, other: Motion) -> None:
    np.testing.assert_allclose(motion.times, other.times, atol=1e-9)
    np.testing.assert_allclose(motion.positions(), other.positions(), atol=1e-5)


def y_up(data: dict[str, Any]) -> dict[str, Any]:
    """The same motion in an archive where Y is up."""
    poses = data["poses"].copy()
    poses[:, :3] = 0.0
    pelvis = np.array([0.0, -0.22, 0.03])
    x, y, z = (data["trans"] + pelvis).T
    return {**data, "poses": poses, "trans": np.stack([x, z, -y], -1) - pelvis}


def test_y_up_stands(tmp_path: Path) -> None:
    truth = load_smpl(saved(tmp_path / "clip.npz", archive()))
    path = saved(tmp_path / "y_up.npz", y_up(archive()))
    with pytest.warns(MotionFileWarning, match=r"y_up\.npz: the body stands along y: assumed"):
        check_same(load_smpl(path), truth)


def test_the_user_knows_the_axis(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    truth = load_smpl(saved(tmp_path / "clip.npz", archive()))
    check_same(load_smpl(saved(tmp_path / "y_up.npz", y_up(archive())), up="y"), truth)
    assert not recwarn.list
    lying = load_smpl(tmp_path / "y_up.npz", up="z").positions()[0]
    assert abs(lying[INDEX["head"], 1] - lying[0, 1]) < 0.1


def test_a_body_that_lies_stays_lying(tmp_path: Path) -> None:
    """Along an axis of the archive, on its floor, far from the middle of the room."""
    data = archive()
    data["poses"][:, :3] = 0.0  # Head towards Y, face up: SMPL's zero pose where Z is up.
    data["trans"][:] = (3.0, 2.0, 0.1)
    with pytest.warns(MotionFileWarning, match="hardly ever stands: assumed that z is up"):
        positions = load_smpl(saved(tmp_path / "clip.npz", data)).positions()
    assert np.ptp(positions[0, :, 1]) < 0.4


@pytest.mark.parametrize(("unit", "metres"), [("cm", 0.01), ("mm", 0.001)])
def test_a_translation_in_another_unit(tmp_path: Path, unit: str, metres: float) -> None:
    truth = load_smpl(saved(tmp_path / "clip.npz", archive()))
    path = saved(tmp_path / "big.npz", {**archive(), "trans": archive()["trans"] / metres})
    with pytest.warns(MotionFileWarning, match=rf"big\.npz: .*assumed {unit};"):
        check_same(load_smpl(path), truth)
    for named in (unit, metres):
        check_same(load_smpl(path, unit=named), truth)


def test_nobody_is_so_fast(tmp_path: Path) -> None:
    data = archive()
    data["trans"][:, 0] = np.linspace(0.0, 100.0, FRAMES)
    with pytest.raises(SmplError, match="moves at 632 m/s: set the unit"):
        load_smpl(saved(tmp_path / "clip.npz", data))


@pytest.mark.parametrize("options", [{"up": "w"}, {"unit": "ell"}, {"unit": -1.0}])
def test_unknown_axes_and_units(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(MotionFileError, match="choose"):
        load_smpl(saved(tmp_path / "clip.npz", archive()), **options)


def test_aist(tmp_path: Path) -> None:
    """Y up, centimetres over a scaling, always 60 frames a second."""
    data = y_up(archive(72))
    arrays = {
        "smpl_poses": data["poses"],
        "smpl_trans": 90.0 * data["trans"],
        "smpl_scaling": np.array([90.0]),
    }
    motion = load_smpl(saved(tmp_path / "aist.npz", arrays))
    truth = load_smpl(saved(tmp_path / "clip.npz", {**archive(), "mocap_framerate": 60.0}))
    check_same(motion, truth)


def test_the_world_is_preferred_to_the_camera(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """GVHMR has both, in groups, and never says that it works at 30 frames a second."""
    data = y_up(archive())
    arrays = {
        "smpl_params_global/global_orient": data["poses"][:, :3],
        "smpl_params_global/body_pose": data["poses"][:, 3:66],
        "smpl_params_global/transl": data["trans"],
        "smpl_params_incam/global_orient": data["poses"][:, :3] + (np.pi, 0.0, 0.0),
        "smpl_params_incam/body_pose": data["poses"][:, 3:66],
        "smpl_params_incam/transl": data["trans"] + (0.0, 0.0, 4.0),
    }
    truth = load_smpl(saved(tmp_path / "clip.npz", {**archive(), "mocap_framerate": 30.0}))
    check_same(load_smpl(saved(tmp_path / "gvhmr.npz", {**arrays, "fps": 30.0})), truth)
    assert not recwarn.list
    path = saved(tmp_path / "gvhmr.npz", arrays)
    with pytest.warns(MotionFileWarning, match="no frame rate: assumed the 30 frames a second"):
        check_same(load_smpl(path), truth)
    alone = {key: values for key, values in arrays.items() if "incam" in key}
    path = saved(tmp_path / "camera.npz", {**alone, "fps": 30.0})
    with pytest.warns(MotionFileWarning, match="relative to a camera"):
        positions = load_smpl(path).positions()[0]
    assert positions[INDEX["head"], 1] > positions[0, 1] + 0.4


def test_the_body_of_a_table_of_joints(tmp_path: Path) -> None:
    """Shape 1 makes legs longer, shape 2 does nothing; the rest of the table is not of the body."""
    standard = load_smpl(saved(tmp_path / "clip.npz", archive()), up="z")
    shapedirs = np.zeros((24, 3, 2))
    shapedirs[[4, 5, 7, 8, 10, 11], 1, 0] = -0.05
    table = saved(tmp_path / "joints.npz", {"J_template": SMPL_JOINTS, "J_shapedirs": shapedirs})
    data = {**archive(), "betas": np.array([2.0, 5.0, 7.0])}
    path = saved(tmp_path / "tall.npz", data)
    tall = load_smpl(path, up="z", smpl_joints=table)
    lengths = np.linalg.norm(tall.skeleton.offsets, axis=-1)
    usual = np.linalg.norm(standard.skeleton.offsets, axis=-1)
    knees = [INDEX["left_knee"], INDEX["right_knee"]]
    assert np.allclose(lengths[knees] - usual[knees], 0.1, atol=2e-3)
    others = [joint for joint in range(22) if joint not in knees]
    assert np.allclose(lengths[others], usual[others], atol=1e-6)
    del data["betas"]
    plain = load_smpl(saved(tmp_path / "plain.npz", data), up="z", smpl_joints=table)
    check_same(plain, standard)


SMPL_JOINTS = np.zeros((24, 3))
"""The joints of the average body, and two hands."""
for _joint, (_, _parent, _offset) in enumerate(BODY):
    SMPL_JOINTS[_joint] = _offset if _parent < 0 else SMPL_JOINTS[_parent] + _offset


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"J_template": SMPL_JOINTS}, "joints.npz has no 'J_shapedirs'"),
        ({"J_template": SMPL_JOINTS[:5], "J_shapedirs": np.zeros((5, 3, 2))}, r"\(5, 3\) is not"),
        ({"J_template": SMPL_JOINTS, "J_shapedirs": np.zeros((24, 2))}, r"\(24, 2\) is not"),
        ({"J_template": SMPL_JOINTS * np.nan, "J_shapedirs": np.zeros((24, 3, 2))}, "not finite"),
    ],
)
def test_tables_of_joints_that_are_wrong(
    tmp_path: Path, table: dict[str, Any], message: str
) -> None:
    path = saved(tmp_path / "joints.npz", table)
    with pytest.raises(SmplError, match=message):
        load_smpl(saved(tmp_path / "clip.npz", archive()), smpl_joints=path)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in archive().items() if name != key}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (without("poses"), "no SMPL motion; it holds betas, gender, .*: save poses and trans"),
        (without("trans"), r"no translation \(trans, transl, translation\)"),
        (without("mocap_framerate"), "no frame rate"),
        ({**archive(), "mocap_framerate": np.array(0.0)}, "no frame rate"),
        ({**archive(), "trans": np.zeros((3, 3))}, "do not go with"),
        ({**archive(), "poses": np.zeros((FRAMES, 7))}, "no poses of SMPL"),
        ({**archive(), "poses": np.zeros(FRAMES)}, "no poses of SMPL"),
        ({**archive(), "trans": np.full((FRAMES, 3), np.nan)}, "not finite"),
        ({**archive(), "poses": np.array("poses")}, "not finite numbers"),
        ({**archive(), "poses": np.ones((FRAMES, 24, 3, 3))}, "not rotations"),
        ({**archive(), "poses": -np.tile(np.eye(3), (FRAMES, 24, 1, 1))}, "not rotations"),
        ({**archive(), "poses": np.zeros((FRAMES, 24, 6))}, "no poses of SMPL"),
        (
            {
                "smpl_poses": archive(72)["poses"],
                "smpl_trans": archive()["trans"],
                "smpl_scaling": np.zeros(1),
            },
            "not a positive number",
        ),
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
