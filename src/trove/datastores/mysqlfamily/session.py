"""The administrator's connection to a server that speaks MySQL's protocol, and its statements."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CR, ER

from trove.errors import AlreadyExists, Failed, Invalid, NotFound, TroveError, Unavailable
from trove.protocol.engine_spec import EngineSpec

ADMIN = "os_admin"
CONNECT_SECONDS = 5
YEAR = 31536000
"""Seconds, the most that `long_query_time` takes."""
WRONG_STRING_LENGTH = 1470
"""As servers number it; the client library has another number."""

if TYPE_CHECKING:
    Session = pymysql.Connection[Any]
else:
    Session = pymysql.Connection


class LocalConnection(Session):
    """A connection through a Unix socket that is opened here, because the client library does not
    close one that it could not connect."""

    # The library knows this only of sockets that it has opened itself. A secure connection takes
    # the password of caching_sha2_password as it is; any other needs `cryptography` for RSA, which
    # an agent must not import.
    _secure = True


KINDS: dict[int, type[TroveError]] = {
    ER.DB_CREATE_EXISTS: AlreadyExists,
    # 1396, of CREATE USER and DROP USER alike; what is to be dropped was looked for before.
    ER.CANNOT_USER: AlreadyExists,
    ER.DB_DROP_EXISTS: NotFound,
    ER.BAD_DB_ERROR: NotFound,
    ER.NONEXISTING_GRANT: NotFound,
    # 1133: no such user, in spite of its name.
    ER.PASSWORD_NO_MATCH: NotFound,
    ER.UNKNOWN_CHARACTER_SET: Invalid,
    ER.UNKNOWN_COLLATION: Invalid,
    ER.COLLATION_CHARSET_MISMATCH: Invalid,
    ER.TOO_LONG_IDENT: Invalid,
    ER.WRONG_DB_NAME: Invalid,
    WRONG_STRING_LENGTH: Invalid,
    ER.DISK_FULL: Failed,
    ER.SERVER_SHUTDOWN: Unavailable,
    ER.CON_COUNT_ERROR: Unavailable,
    CR.CR_CONNECTION_ERROR: Unavailable,
    CR.CR_CONN_HOST_ERROR: Unavailable,
    CR.CR_SERVER_GONE_ERROR: Unavailable,
    CR.CR_SERVER_LOST: Unavailable,
}


def secret_file(spec: EngineSpec) -> Path:
    """Where the administrator's password is kept, mode 0600."""
    return spec.config / "os_admin.secret"


def connect(spec: EngineSpec, path: Path, *, seconds: int, lock_seconds: int) -> Session:
    """Through the Unix socket of this path; no answer may take longer than `seconds`.

    Raises the client library's own errors and OSError.
    """
    link = LocalConnection(
        user=ADMIN,
        password=_secret(spec),
        charset="utf8mb4",
        autocommit=True,
        read_timeout=seconds,
        write_timeout=seconds,
        # Statements with password verifiers must not reach the log of slow ones.
        init_command=f"SET SESSION lock_wait_timeout = {lock_seconds}, long_query_time = {YEAR}",
        ssl_disabled=True,  # the socket is private
        defer_connect=True,
    )
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        opened.settimeout(min(CONNECT_SECONDS, seconds))
        opened.connect(str(path))
        link.connect(opened)
    except BaseException:
        opened.close()
        raise
    return link


def query(link: Session, text: str, *values: str) -> list[tuple[Any, ...]]:
    """The rows of a query whose %s are these values."""
    with link.cursor() as cursor:
        cursor.execute(text, values or None)
        return list(cursor.fetchall())


def execute(link: Session, text: str) -> None:
    """Run a statement in which every name and value is quoted already."""
    with link.cursor() as cursor:
        cursor.execute(text)


def quoted(name: str) -> str:
    """A name as an identifier."""
    return "`" + name.replace("`", "``") + "`"


def quoted_pattern(name: str) -> str:
    """A database in a GRANT, where _ and % would stand for any character."""
    return quoted(name.replace("_", "\\_").replace("%", "\\%"))


def literal(link: Session, value: str) -> str:
    return str(link.escape(value))


def verifier(password: str) -> str:
    """What mysql_native_password keeps, so that the engine never sees the password."""
    stage = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(stage, usedforsecurity=False).hexdigest().upper()


@contextmanager
def unless(code: int) -> Iterator[None]:
    """Ignore this error of the engine."""
    try:
        yield
    except pymysql.Error as error:
        if error.args[0] != code:
            raise


@contextmanager
def translated(title: str) -> Iterator[None]:
    """Errors of the engine become Invalid, AlreadyExists, NotFound, Unavailable or Failed."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{title} does not answer: {error}") from None
    except pymysql.Error as error:
        code = error.args[0] if error.args else 0
        if code == ER.LOCK_WAIT_TIMEOUT:
            hint = "in use by another session; end it and try again"
            raise Unavailable(f"{hint} ({title}: {error.args[-1]})") from None
        said = f"{title}: {error.args[-1]}" if error.args else f"{title} closed the connection"
        raise KINDS.get(code, Failed)(said) from None


def _secret(spec: EngineSpec) -> str:
    try:
        return secret_file(spec).read_text()
    except OSError as error:
        raise Failed(f"the administrator's password cannot be read: {error}") from None
