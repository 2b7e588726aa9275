"""The administrator's connection to a running Redis: the local socket, with a generated password.

Speaks RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec/) itself: a few
commands need no client library in the agent, which must stay small.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trove.datastores.process import DISK_FULL, is_disk_full
from trove.datastores.redis import ADMIN
from trove.errors import Failed, TroveError, Unavailable
from trove.protocol.engine_spec import EngineSpec

SOCKET = "redis.sock"
QUICK = 60
"""Seconds for an answer."""
CONNECT_SECONDS = 5
ENCODING = ("utf-8", "surrogateescape")
"""Keys are any bytes; those that are not text come through unchanged."""

KINDS: dict[str, type[TroveError]] = {
    # Reads its data after a start; runs a long script.
    "LOADING": Unavailable,
    "BUSY": Unavailable,
}


class Refusal(Exception):
    """An error answer of the engine."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0]


class Session:
    """A connection that sends commands and reads their answers."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._answers = link.makefile("rb")

    def call(self, *words: str) -> Any:
        """The answer to one command; raises Refusal and OSError."""
        return _checked(self.call_all([words])[0])

    def call_all(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        """An answer for each, sent together; a refusal is an answer. Raises OSError."""
        self._link.sendall(b"".join(map(_encoded, commands)))
        return [self._read() for _ in commands]

    def close(self) -> None:
        self._answers.close()
        self._link.close()

    def _read(self) -> Any:
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        kind, rest = line[:1], line[1:-2].decode(*ENCODING)
        match kind:
            case b"-":
                return Refusal(rest)
            case b"+":
                return rest
            case b":":
                return int(rest)
            case b"*":
                return [self._read() for _ in range(int(rest))]
        return self._bulk(int(rest))

    def _bulk(self, length: int) -> str | None:
        if length < 0:
            return None
        # A timeout in the middle, or the end of the stream, leaves fewer bytes.
        body = self._answers.read(length + 2)
        if len(body) < length + 2:
            raise ConnectionError("the connection was closed")
        return body[:-2].decode(*ENCODING)


def secret_file(spec: EngineSpec) -> Path:
    """Where the administrator's password is kept, mode 0600."""
    return spec.config / "os_admin.secret"


@contextmanager
def session(spec: EngineSpec, *, seconds: int = QUICK) -> Iterator[Session]:
    """The administrator's session; foreign errors become Trove's."""
    try:
        with translated():
            link = connect(spec, seconds=seconds)
            try:
                yield link
            finally:
                link.close()
    except Failed as error:
        # Redis says of a file only that it cannot be saved.
        if is_disk_full(spec.data):
            raise Failed(f"{error}; {DISK_FULL}") from None
        raise


def connect(spec: EngineSpec, *, seconds: int) -> Session:
    """Raises Refusal, OSError and Failed; no answer may take longer than these seconds."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened = Session(link)
    try:
        link.settimeout(min(CONNECT_SECONDS, seconds))
        link.connect(str(spec.run / SOCKET))
        link.settimeout(seconds)
        opened.call("AUTH", ADMIN, _secret(spec))
    except BaseException:
        opened.close()
        raise
    return opened


def query(link: Session, *words: str) -> Any:
    """The answer to one command that changes nothing of users."""
    return link.call(*words)


def execute(link: Session, *commands: Sequence[str]) -> None:
    """Run these in one transaction; raises Refusal for the first that is refused.

    Redis takes nothing back: the others have taken effect then.
    """
    answers = link.call_all([("MULTI",), *commands, ("EXEC",)])
    for answer in (*answers[:-1], *_checked(answers[-1])):
        _checked(answer)


def verifier(password: str) -> str:
    """What Redis keeps of a password, so that it never sees the password until a login."""
    return hashlib.sha256(password.encode()).hexdigest()


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the engine become Unavailable or Failed."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"Redis does not answer: {error}") from None
    except Refusal as error:
        raise KINDS.get(error.code, Failed)(f"Redis: {error}") from None


def _checked(answer: Any) -> Any:
    if isinstance(answer, Refusal):
        raise answer
    return answer


def _encoded(words: Sequence[str]) -> bytes:
    parts = [word.encode(*ENCODING) for word in words]
    bulks = (b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%s" % (len(parts), b"".join(bulks))


def _secret(spec: EngineSpec) -> str:
    try:
        return secret_file(spec).read_text()
    except OSError as error:
        raise Failed(f"the administrator's password cannot be read: {error}") from None
