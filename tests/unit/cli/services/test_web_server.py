"""A head that does not end is refused while it comes in; bodies and later requests are not."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support import slot
from tests.support.waiting import until
from trove.cli.services.connections import Limits
from trove.cli.services.serving import Endpoint, Site
from trove.cli.services.web_server import Tls, WebServer
from trove.services.authority import load_authority

MANY = 300
ADDRESS = slot.address(75, 9)


async def length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@contextmanager
def served(limits: Limits | None = None, tls: Tls | None = None) -> Iterator[int]:
    """The port of a server with these limits."""
    endpoint = Endpoint(ADDRESS, 0, tls, limits=limits or Limits())
    app = Starlette(routes=[Route("/", length, methods=["GET", "POST"])])
    with endpoint.listen() as listener:
        server = Site(endpoint, app, listener).server()
        serving = threading.Thread(target=lambda: run(server, listener), daemon=True)
        serving.start()
        yield listener.getsockname()[1]
        server.stop()
        serving.join(20)


def run(server: WebServer, listener: socket.socket) -> None:
    # The loop that services use.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(listener))


@pytest.fixture
def port() -> Iterator[int]:
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    directory = tmp_path_factory.mktemp("authority")
    certificate = directory / "listener.pem"
    load_authority(directory).ensure_listener_certificate(
        certificate, ADDRESS, now=datetime.now(UTC)
    )
    return Tls(str(certificate))


@contextmanager
def callers(port: int, count: int, data: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, on each of which this was sent."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            caller = stack.enter_context(socket.create_connection((ADDRESS, port), timeout=30))
            caller.sendall(data)
            found.append(caller)
        yield found


def answer_of(port: int, tls: Tls | None = None) -> int:
    """The status of a whole request."""
    context = ssl._create_unverified_context() if tls else None
    connection: http.client.HTTPConnection
    if context:
        connection = http.client.HTTPSConnection(ADDRESS, port, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection(ADDRESS, port, timeout=30)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


SLOW = {
    "nothing": b"",
    "half a line": b"GET / HT",
    "line ends alone": b"\r\n\r\n",
    "a head without end": b"GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n",
    "a body without end": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
}


@pytest.mark.parametrize("name", SLOW)
def test_a_request_that_does_not_end_is_given_up(name: str) -> None:
    """On many connections at once; who sends whole requests is served meanwhile."""
    limits = Limits(head=0.5, body=0.5, total=MANY + 10, per_peer=MANY + 10)
    with served(limits) as port, callers(port, MANY, SLOW[name]) as slow:
        assert answer_of(port) == 200
        assert {_received(caller) for caller in slow} == {b""}
        assert answer_of(port) == 200


@pytest.mark.parametrize("after", [b"", b"GET / HTTP/1.1\r\nHo", b"\r\n"])
def test_a_second_request_that_does_not_come_is_given_up(after: bytes) -> None:
    first = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with served(Limits(head=0.5, idle=0.5)) as port, callers(port, 20, first) as slow:
        for caller in slow:
            assert caller.recv(4096).startswith(b"HTTP/1.1 200 ")
            caller.sendall(after)
        assert {_received(caller) for caller in slow} == {b""}


@pytest.mark.parametrize("shakes_hands", [False, True])
def test_an_idle_tls_connection_is_given_up(tls: Tls, shakes_hands: bool) -> None:
    limits = Limits(handshake=0.5, head=0.5)
    context = ssl._create_unverified_context()
    with served(limits, tls) as port, callers(port, 40) as plain, ExitStack() as stack:
        idle: list[socket.socket] = plain
        if shakes_hands:
            idle = [stack.enter_context(context.wrap_socket(caller)) for caller in plain]
        assert {_received(caller) for caller in idle} == {b""}
        assert answer_of(port, tls) == 200


def test_what_is_no_tls_is_refused(tls: Tls) -> None:
    with served(None, tls) as port, callers(port, 40, b"GET / HTTP/1.1\r\n\r\n") as plain:
        for caller in plain:
            while _received(caller):
                pass
        assert answer_of(port, tls) == 200


@pytest.mark.parametrize("limits", [Limits(total=30), Limits(per_peer=30)], ids=["total", "peer"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_connections_beyond_the_limit_are_refused(tls: Tls, limits: Limits, secure: bool) -> None:
    """Also those that are still in their handshake."""
    with served(limits, tls if secure else None) as port:
        with callers(port, 30), callers(port, 20) as refused:
            assert {_received(caller) for caller in refused} == {b""}
        # What has gone counts no more, as soon as the server has seen it go.
        deadline = time.monotonic() + 30
        while True:
            try:
                assert answer_of(port, tls if secure else None) == 200
                break
            except OSError:
                assert time.monotonic() < deadline


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


def serial_of(port: int) -> int:
    """Of the certificate that a new connection is shown."""
    pem = ssl.get_server_certificate((ADDRESS, port), timeout=30)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def serial_in(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


@pytest.fixture
def renewable(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A certificate that may be replaced, and the port where it is shown."""
    path = tmp_path / "listener.pem"
    renew(path)
    with served(tls=Tls(str(path))) as port:
        assert serial_of(port) == serial_in(path)
        yield path, port


def renew(path: Path) -> None:
    authority = load_authority(path.with_name("ca"))
    authority.ensure_listener_certificate(path, ADDRESS, now=datetime.now(UTC))


def test_a_certificate_is_renewed_without_a_restart(renewable: tuple[Path, int]) -> None:
    path, port = renewable
    with socket.create_connection((ADDRESS, port), timeout=30) as connection:
        context = ssl._create_unverified_context()
        with context.wrap_socket(connection) as old:
            renew(path)
            until(lambda: serial_of(port) == serial_in(path))
            old.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            # Closed as idle meanwhile, or answered: never broken by the renewal.
            assert old.recv(12) in {b"HTTP/1.1 200", b""}


@pytest.mark.parametrize("content", [b"", b"no certificate", None], ids=["empty", "wrong", "gone"])
def test_what_cannot_be_used_does_not_replace_what_is_used(
    renewable: tuple[Path, int], content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path, port = renewable
    before = serial_in(path)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    until(lambda: "is not renewed" in caplog.text)
    assert serial_of(port) == before
    renew(path)
    until(lambda: serial_of(port) == serial_in(path))


def test_the_key_of_another_certificate_does_not_replace_the_one_in_use(
    renewable: tuple[Path, int], caplog: pytest.LogCaptureFixture
) -> None:
    """As between the writing of two files."""
    path, port = renewable
    before = serial_in(path)
    other = path.with_name("other.pem")
    renew(other)
    certificate = path.read_text().partition("-----BEGIN CERTIFICATE")
    key = other.read_text().partition("-----BEGIN CERTIFICATE")[0]
    path.write_text(key + certificate[1] + certificate[2])
    until(lambda: "is not renewed" in caplog.text)
    assert serial_of(port) == before
