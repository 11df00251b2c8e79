# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of markers; the table of files has more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymotion.rotations import quat_np as quat

from ssrhmr_core.body.extra_trackers import EXTRA_TRACKERS
from ssrhmr_core.body.skeleton import TRACKERS
from ssrhmr_core.formats.trackers_csv import TrackerFileError, load_trackers
from ssrhmr_core.tracking.take import Take
from tests.core.formats.tracker_files import CLUSTER, NAMES, Style, standing_take, trc_table

STYLE = Style(names=NAMES["title"], unit="mm", digits=4)
FOUR = np.array([(0.06, 0.0, 0.0), (-0.06, 0.0, 0.0), (0.0, 0.05, 0.0), (0.0, -0.05, 0.04)])


@pytest.fixture
def take() -> Take:
    return standing_take(12)


def read(tmp_path: Path, text: str) -> Take:
    path = tmp_path / "take.trc"
    path.write_text(text, encoding="utf-8")
    return load_trackers(path)


@pytest.mark.parametrize("cluster", [CLUSTER, FOUR - FOUR.mean(0)], ids=["three", "four"])
def test_clusters(tmp_path: Path, take: Take, cluster: np.ndarray) -> None:
    loaded = read(tmp_path, trc_table(take, STYLE, cluster))
    np.testing.assert_allclose(loaded.positions, take.positions, atol=1e-4)
    # Rotations count from the first frame.
    turned = quat.mul(take.rotations, quat.inverse(take.rotations[:1]))
    assert np.abs((loaded.rotations * turned).sum(-1)).min() > 1.0 - 1e-5


def test_a_marker_that_is_lost(tmp_path: Path, take: Take) -> None:
    """Three of four markers are enough, two are not."""
    cluster = FOUR - FOUR.mean(0)
    lines = [line.split("\t") for line in trc_table(take, STYLE, cluster).splitlines()]
    head = TRACKERS.index("head")
    first = 2 + 3 * len(cluster) * head
    lines[6 + 5][first : first + 3] = ["", "", ""]
    lines[6 + 7][first : first + 6] = ["0.0"] * 6
    loaded = read(tmp_path, "\n".join("\t".join(line) for line in lines))
    assert loaded.valid[:, head].tolist() == [frame != 7 for frame in range(len(take))]
    np.testing.assert_allclose(loaded.positions[5], take.positions[5], atol=1e-4)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("\tmm\t", "\tells\t"), "unit of length 'ells' is unknown"),
        (lambda text: text.replace("Time", "Clock"), "headers of the TRC are not complete"),
        (lambda text: "\n".join(text.splitlines()[:5]), "no frames"),
        (lambda text: text.replace("0.033333", "later"), "line 8: .*later"),
    ],
)
def test_damages(tmp_path: Path, take: Take, edit: object, message: str) -> None:
    assert callable(edit)
    with pytest.raises(TrackerFileError, match=message):
        read(tmp_path, edit(trc_table(take, STYLE)))


def test_clusters_that_give_no_rotation(tmp_path: Path, take: Take) -> None:
    line = np.array([(0.05, 0.0, 0.0), (-0.05, 0.0, 0.0), (0.0, 0.001, 0.0)])
    with pytest.raises(TrackerFileError, match="markers of 'Hips' lie on a line"):
        read(tmp_path, trc_table(take, STYLE, line))
    with pytest.raises(TrackerFileError, match="no clusters of markers: a tracker needs three"):
        read(tmp_path, trc_table(take, STYLE, line[:2]))


def test_a_cluster_of_an_optional_tracker(tmp_path: Path, take: Take) -> None:
    names = ("Hips", "Head", "LeftHand", "RightHand", "LeftFoot", "RightThigh")
    loaded = read(tmp_path, trc_table(take, Style(names=names, unit="mm", digits=4), CLUSTER))
    assert loaded.extras is not None and loaded.extras.worn == ("right_knee",)
    knee, foot = EXTRA_TRACKERS.index("right_knee"), TRACKERS.index("right_foot")
    np.testing.assert_allclose(loaded.extras.positions[:, knee], take.positions[:, foot], atol=1e-4)
    assert not loaded.valid[:, foot].any()
