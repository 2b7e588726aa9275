"""The protocol of Redis, against a server that answers what a test writes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trove.datastores.redis import session
from trove.datastores.redis.session import Refusal, Session, connect, execute, query, translated
from trove.errors import Failed, TroveError, Unavailable
from trove.protocol.engine_spec import EngineSpec

Answer = Callable[[bytes], None]


@pytest.fixture
def ends() -> Iterator[tuple[Session, socket.socket]]:
    ours, theirs = socket.socketpair()
    link = Session(ours)
    yield link, theirs
    link.close()
    theirs.close()


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"+OK\r\n", "OK"),
        (b":42\r\n", 42),
        (b"$-1\r\n", None),
        (b"$4\r\na\r\nb\r\n", "a\r\nb"),
        (b"$2\r\n\xc3\xa4\r\n", "ä"),
        (b"$1\r\n\xff\r\n", "\udcff"),
        (b"*0\r\n", []),
        (b"*2\r\n$1\r\n7\r\n*1\r\n:1\r\n", ["7", [1]]),
    ],
)
def test_answers_are_read(ends: tuple[Session, socket.socket], sent: bytes, answer: object) -> None:
    link, server = ends
    server.sendall(sent)
    assert query(link, "ECHO", "ä", "") == answer
    assert server.recv(100) == b"*3\r\n$4\r\nECHO\r\n$2\r\n\xc3\xa4\r\n$0\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"$4\r\nab", b"+O"])
def test_a_connection_that_ends_is_an_error(
    ends: tuple[Session, socket.socket], sent: bytes
) -> None:
    link, server = ends
    server.sendall(sent)
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError, match="closed"):
        query(link, "PING")


def test_a_refusal_in_a_transaction_is_raised(ends: tuple[Session, socket.socket]) -> None:
    link, server = ends
    server.sendall(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n-ERR no such user\r\n")
    with pytest.raises(Refusal, match="no such user"):
        execute(link, ("ACL", "SAVE"), ("ACL", "DELUSER", "x"))
    server.sendall(b"+OK\r\n-NOPERM no\r\n-EXECABORT because\r\n")
    with pytest.raises(Refusal, match="EXECABORT"):
        execute(link, ("ACL", "SAVE"))
    server.sendall(b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n")
    execute(link, ("ACL", "SAVE"))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refusal("LOADING Redis is loading the dataset in memory"), Unavailable),
        (Refusal("ERR syntax error"), Failed),
        (TimeoutError("timed out"), Unavailable),
    ],
)
def test_foreign_errors_are_translated(error: Exception, kind: type[TroveError]) -> None:
    with pytest.raises(kind, match="Redis"), translated():
        raise error


def test_a_login_that_is_refused_leaves_no_connection(spec: EngineSpec) -> None:
    session.secret_file(spec).write_text("secret")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(spec.run / session.SOCKET))
        server.listen()
        refusing = threading.Thread(target=_refuse, args=(server,))
        refusing.start()
        with pytest.raises(Refusal, match="WRONGPASS") as refusal:
            connect(spec, seconds=5)
        refusing.join()
    assert refusal.value.code == "WRONGPASS"


def _refuse(server: socket.socket) -> None:
    link, _ = server.accept()
    with link:
        assert b"secret" in link.recv(1000)
        link.sendall(b"-WRONGPASS invalid username-password pair\r\n")
        assert link.recv(1) == b""


def test_a_lost_secret_fails(spec: EngineSpec) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(spec.run / session.SOCKET))
        server.listen()
        with pytest.raises(Failed, match="password cannot be read"):
            connect(spec, seconds=5)


@pytest.fixture
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSpec]:
    root = tmp_path_factory.mktemp("r")
    folders: dict[str, Any] = dict.fromkeys(("binaries", "data", "run", "config", "logs"), root)
    yield EngineSpec(
        manager="redis", address="127.71.0.1", port=6379, memory=256, vcpus=1, **folders
    )
