"""Connections are counted from their acceptance to their loss, each once."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove.cli.services import connections
from trove.cli.services.connections import Acceptor, ConnectionCount, Limits

PEERS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


@given(st.lists(st.tuples(st.sampled_from(PEERS), st.booleans()), max_size=60))
def test_no_more_than_the_limits_allow(steps: list[tuple[str, bool]]) -> None:
    """Against a model; the last of the peers is a trusted proxy."""
    count = ConnectionCount(Limits(total=10, per_peer=4), proxies=PEERS[2:])
    there: list[tuple[str, Callable[[], None]]] = []
    for peer, leaves in steps:
        if leaves and there:
            _, release = there.pop(0)
            release()
            release()
            continue
        of_peer = Counter(name for name, _ in there)[peer]
        is_allowed = len(there) < 10 and (peer == PEERS[2] or of_peer < 4)
        admitted = count.admit(peer)
        assert (admitted is not None) is is_allowed
        if admitted:
            there.append((peer, admitted))


@pytest.mark.parametrize(
    ("descriptors", "total"), [(1, 1), (1024, 341), (30_000, 8192), (1_000_000, 8192)]
)
def test_the_limit_leaves_descriptors_for_the_rest(descriptors: int, total: int) -> None:
    assert Limits().within(descriptors).total == total


class Listener:
    """One that has errors before its connections."""

    def __init__(self, inner: socket.socket, errors: list[OSError]) -> None:
        self.inner = inner
        self.errors = errors

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self.errors:
            raise self.errors.pop()
        return self.inner.accept()


class Greeting(asyncio.Protocol):
    """Says hello, and leaves."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self.on_lost = on_lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.on_lost()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED])
def test_it_goes_on_once_there_are_descriptors(
    number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "PAUSE", 0.01)

    async def greeting() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as inner:
            listener = Listener(inner, [OSError(number, "no more")])
            acceptor = Acceptor(listener, Greeting, Limits())  # type: ignore[arg-type]
            reader, writer = await asyncio.open_connection(*inner.getsockname())
            received = await reader.read()
            writer.close()
            await writer.wait_closed()
            acceptor.close()
            await acceptor.wait_closed()
            return received

    assert asyncio.run(greeting()) == b"hello"
    is_logged = "no connection can be accepted" in caplog.text
    assert is_logged is (number != errno.ECONNABORTED)


def test_once_closed_it_accepts_no_more() -> None:
    async def rest() -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            acceptor = Acceptor(listener, Greeting, Limits())
            acceptor.close()
            acceptor._resume()
            return int(asyncio.get_running_loop().remove_reader(listener))

    assert asyncio.run(rest()) == 0
