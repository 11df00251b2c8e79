# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ssrhmr_core.streaming.discovery.osc_query import describe_host, make_tree, respond

HOST = describe_host("Blender", "127.0.0.1", 9000)


def get(target: str) -> tuple[int, Any]:
    response = respond(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), HOST)
    head, body = response.split(b"\r\n\r\n", 1)
    assert f"Content-Length: {len(body)}".encode() in head
    return int(head.split()[1]), json.loads(body) if body else None


@pytest.mark.parametrize(
    "target", ["/?HOST_INFO", "/HOST_INFO", "?HOST_INFO", "/tracking?HOST_INFO="]
)
def test_host_information(target: str) -> None:
    assert get(target) == (200, HOST)
    assert (HOST["OSC_IP"], HOST["OSC_PORT"], HOST["OSC_TRANSPORT"]) == ("127.0.0.1", 9000, "UDP")


def addresses(node: dict[str, Any], parent: str = "") -> list[tuple[str, int, str]]:
    """Leaves of a tree; paths must be those of the nesting."""
    assert node["FULL_PATH"] == (parent or "/")
    found = [] if "CONTENTS" in node else [(node["FULL_PATH"], node["ACCESS"], node["TYPE"])]
    for name, child in node.get("CONTENTS", {}).items():
        found += addresses(child, f"{parent}/{name}")
    return found


def test_the_tree_has_all_that_is_received() -> None:
    status, tree = get("/")
    assert status == 200 and tree == make_tree()
    wanted = {
        (f"/tracking/trackers/{name}/{part}", 2, "fff")
        for name in ("head", *range(1, 9))
        for part in ("position", "rotation")
    }
    wanted |= {
        (f"/tracking/vrsystem/{name}/pose", 2, "ffffff")
        for name in ("head", "leftwrist", "rightwrist")
    }
    assert set(addresses(tree)) == wanted


def test_parts_of_the_tree() -> None:
    status, node = get("/tracking/vrsystem/")
    assert status == 200 and node["FULL_PATH"] == "/tracking/vrsystem"
    assert get("/tracking/trackers/1/position?TYPE") == (200, {"TYPE": "fff"})
    assert get("/tracking/trackers/1/position?VALUE") == (204, None)
    assert get("/tracking?TYPE") == (204, None)
    assert get("/tracking?NONSENSE") == (400, None)
    assert get("/avatar/parameters")[0] == 404
    assert get("/tracking/trackers/1/position/deeper")[0] == 404


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"HEAD / HTTP/1.1\r\n\r\n", 200),
        (b"POST / HTTP/1.1\r\n\r\n", 405),
        (b"GET /\r\n\r\n", 400),
        (b"GET / FTP/1\r\n\r\n", 400),
        (b"\xff\xfe\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"", 400),
    ],
)
def test_other_requests(request_: bytes, status: int) -> None:
    response = respond(request_, HOST)
    assert int(response.split()[1]) == status and response.endswith(b"\r\n\r\n")
