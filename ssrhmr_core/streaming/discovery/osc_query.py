# SPDX-License-Identifier: GPL-3.0-or-later
"""OSCQuery: what a receiver of VRChat's OSC trackers takes, as JSON over HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

from ..protocols.vrchat import ADDRESSES

LONGEST_REQUEST = 4096
"""Bytes of the longest request that is read."""

_ATTRIBUTES = ("FULL_PATH", "ACCESS", "TYPE", "CONTENTS", "DESCRIPTION", "VALUE")
_CONTAINER, _WRITE_ONLY = 0, 2
_REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
}


def describe_host(name: str, address: str, port: int) -> dict[str, Any]:
    """Describe where OSC is received.

    Args:
        name: The name of the receiver.
        address: IPv4 address of the OSC port.
        port: The OSC port.
    """
    extensions = {"ACCESS": True, "TYPE": True, "DESCRIPTION": True, "VALUE": False}
    return {
        "NAME": name,
        "OSC_IP": address,
        "OSC_PORT": port,
        "OSC_TRANSPORT": "UDP",
        "EXTENSIONS": extensions,
    }


def make_tree() -> dict[str, Any]:
    """Return all addresses that are received, nested as OSCQuery wants it."""
    root: dict[str, Any] = {
        "FULL_PATH": "/",
        "ACCESS": _CONTAINER,
        "DESCRIPTION": "Trackers for a character in Blender",
        "CONTENTS": {},
    }
    for address, arguments in ADDRESSES.items():
        node, path = root, ""
        for part in address.strip("/").split("/"):
            path += f"/{part}"
            node = node.setdefault("CONTENTS", {}).setdefault(
                part, {"FULL_PATH": path, "ACCESS": _CONTAINER}
            )
        node |= {"ACCESS": _WRITE_ONLY, "TYPE": arguments}
    return root


def respond(request: bytes, host: dict[str, Any]) -> bytes:
    """Return the response to a request.

    Args:
        request: The request, up to the empty line.
        host: What :func:`describe_host` returned.
    """
    try:
        method, target, version = request.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        url = urlsplit(target)
    except ValueError:
        return _write_response(400)
    if not version.startswith("HTTP/"):
        return _write_response(400)
    if method not in ("GET", "HEAD"):
        return _write_response(405)
    status, body = _find(unquote(url.path), url.query.upper(), host)
    return _write_response(status, body, with_body=method == "GET")


def _find(path: str, attribute: str, host: dict[str, Any]) -> tuple[int, Any]:
    """Return the status and what was asked for."""
    if attribute.startswith("HOST_INFO") or path == "/HOST_INFO":
        return 200, host
    node: Any = make_tree()
    for part in path.strip("/").split("/"):
        if part:
            node = node.get("CONTENTS", {}).get(part)
        if node is None:
            return 404, None
    if not attribute:
        return 200, node
    if attribute not in _ATTRIBUTES:
        return 400, None
    return (200, {attribute: node[attribute]}) if attribute in node else (204, None)


def _write_response(status: int, body: object = None, with_body: bool = True) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(content)}",
        "Connection: close",
    ]
    if status == 405:
        head.append("Allow: GET, HEAD")
    return "\r\n".join((*head, "", "")).encode() + (content if with_body else b"")
