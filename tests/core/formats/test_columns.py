# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers of tables, recognised or named."""

from __future__ import annotations

import pytest

from ssrhmr_core.formats.columns import Column, ColumnMapping, recognize_columns

QUATERNION = "qx,qy,qz,qw"


def channels(header: str, mapping: str = "") -> dict[str, dict[str, int]]:
    """Return indices of columns by channel, by device."""
    layout = recognize_columns(header.split(","), ColumnMapping.parse(mapping))
    return {
        device: {key: column.index for key, column in columns.items()}
        for device, columns in layout.channels.items()
    }


LONG = {"x": 2, "y": 3, "z": 4, "qw": 8, "qx": 5, "qy": 6, "qz": 7}


@pytest.mark.parametrize(
    "header",
    [
        "time,tracker,x,y,z,qx,qy,qz,qw",
        "Timestamp,Device,px,py,pz,qx,qy,qz,qw",
        "t,id,pos_x,pos_y,pos_z,rot_x,rot_y,rot_z,rot_w",
        "Time (Seconds),Name,Position X,Position Y,Position Z,"
        "Rotation X,Rotation Y,Rotation Z,Rotation W",
        "time,serial,PosX,PosY,PosZ,RotX,RotY,RotZ,RotW",
        "time,device,position.x,position.y,position.z,"
        "orientation.x,orientation.y,orientation.z,orientation.w",
        "time,device,x,y,z,quat_x,quat_y,quat_z,quat_w,velocity_x,velocity_y,angular_velocity_z",
        "time,device,tracker_x,tracker_y,tracker_z,tracker_qx,tracker_qy,tracker_qz,tracker_qw",
    ],
)
def test_long_headers(header: str) -> None:
    assert channels(header) == {"": LONG}


def test_wide_headers() -> None:
    header = "time,head_px,head_py,head_pz,head_qw,head_qx,head_qy,head_qz,head_valid"
    header += ",Left Hand X,Left Hand Y,Left Hand Z"
    header += ",Left Hand QW,Left Hand QX,Left Hand QY,Left Hand QZ,battery"
    keys = ("x", "y", "z", "qw", "qx", "qy", "qz")
    assert channels(header) == {
        "head": {key: 1 + i for i, key in enumerate((*keys, "valid"))},
        "left hand": {key: 9 + i for i, key in enumerate(keys)},
    }


def test_units_of_headers() -> None:
    header = f"timestamp_ms,device,x [cm],y [cm],z [cm],{QUATERNION}".split(",")
    layout = recognize_columns(header, ColumnMapping())
    assert layout.time == Column(0, unit="ms")
    assert {layout.channels[""][key].unit for key in "xyz"} == {"cm"}


def test_named_columns() -> None:
    mapping = "time=#1:us, device=what, x=-a, y=b, z=c, qw=Q, rx=ignored"
    header = ["when", "what", "a", "b", "c", "q", "qx", "qy", "qz", "ignored"]
    layout = recognize_columns(header, ColumnMapping.parse(mapping))
    assert "rx" not in layout.channels[""]
    assert layout.time == Column(0, unit="us")
    assert layout.channels[""]["x"] == Column(2, sign=-1.0)


def test_angles_need_an_order() -> None:
    header = "time,device,x,y,z,rx,ry,rz"
    assert set(channels(header, "order=ZXY")[""]) == {"x", "y", "z", "rx", "ry", "rz"}
    with pytest.raises(ValueError, match="no columns of positions and rotations among time, dev"):
        channels(header)


@pytest.mark.parametrize(
    ("header", "mapping", "message"),
    [
        ("a,device,x,y,z,qw,qx,qy,qz", "", "no column of times among a, device"),
        ("time,device,x,y,z,pos_x,qw,qx,qy,qz", "", "'pos_x' and 'x' are the same"),
        ("time,x,y,z,qw,qx,qy,qz", "x=x", "no column of devices"),
        ("time,device,x,y,z,qw,qx,qy,qz", "time=clock", "no column 'clock' among"),
        ("time,device,x,y,z,qw,qx,qy,qz", "time=#10", "no column '#10' among"),
        ("time,device,a,a,z,qw,qx,qy,qz", "x=a", "several columns 'a' among"),
        ("time,device,x,y,z", "", "no columns of positions and rotations"),
    ],
)
def test_unclear_headers(header: str, mapping: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        channels(header, mapping)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time", "'time' is not KEY=VALUE"),
        ("speed=v", "'speed' is unknown: the keys are time, device"),
        ("order=xyx", "the order is 'xyx': choose one of xyz"),
        ("time=t:weeks", "unknown unit 'weeks'"),
        ("time=t:0fps", "unknown unit '0fps'"),
        ("x=a:cm", "unknown unit 'cm'"),
    ],
)
def test_wrong_mappings(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ColumnMapping.parse(text)


def test_devices_of_a_mapping() -> None:
    mapping = ColumnMapping.parse("head=LHR-1, left_hand=Controller (left)")
    assert mapping.devices == {"head": "LHR-1", "left_hand": "Controller (left)"}
    assert not mapping.columns
