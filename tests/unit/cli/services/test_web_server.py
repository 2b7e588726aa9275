"""A head that does not end is refused while it comes in; bodies and later requests are not."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support import slot
from trove.cli.services.serving import Endpoint, Site

ADDRESS = slot.address(75, 9)


async def length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def port() -> Iterator[int]:
    endpoint = Endpoint(ADDRESS, 0)
    app = Starlette(routes=[Route("/", length, methods=["GET", "POST"])])
    with endpoint.listen() as listener:
        server = Site(endpoint, app, listener).server()
        serving = threading.Thread(target=lambda: asyncio.run(server.serve(listener)), daemon=True)
        serving.start()
        yield listener.getsockname()[1]
        server.stop()
        serving.join(20)


def test_a_head_without_end(port: int) -> None:
    with socket.create_connection((ADDRESS, port), timeout=20) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
        received = b""
        for _ in range(64):
            try:
                caller.sendall(b"x" * 65536)
            except OSError:
                break
        while chunk := _received(caller):
            received += chunk
    assert received.startswith(b"HTTP/1.1 431 ") or not received


def _received(caller: socket.socket) -> bytes:
    try:
        return caller.recv(4096)
    except OSError:
        return b""


def test_the_refusal_is_received(port: int) -> None:
    with socket.create_connection((ADDRESS, port), timeout=20) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 66000)
        assert caller.recv(4096).startswith(b"HTTP/1.1 431 ")


def test_a_long_body_and_a_second_request(port: int) -> None:
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=20)
    for size in (1_000_000, 3, 200_000):
        connection.request("POST", "/", body=b"x" * size, headers={"X-Some": "y" * 30000})
        assert connection.getresponse().read() == str(size).encode()
    connection.close()
