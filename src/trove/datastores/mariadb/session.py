"""The administrator's way into a running MariaDB: the local socket, with a generated password."""

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
SOCKET = "mariadb.sock"
# MariaDB's own default is a day, for which a tenant's open transaction could hold us up.
QUICK = 60
"""Seconds for an answer."""
SLOW = 600
"""The same, for what removes as much as tenants have."""
LOCK_SECONDS = 5
"""So short that a tenant hears what is in the way while the API still waits for our answer."""
WRONG_STRING_LENGTH = 1470
"""As MariaDB numbers it; the client library has another number."""

if TYPE_CHECKING:
    Session = pymysql.Connection[Any]
else:
    Session = pymysql.Connection

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


@contextmanager
def session(spec: EngineSpec, *, seconds: int = QUICK) -> Iterator[Session]:
    """A connection that commits every statement; foreign errors become Trove's."""
    with translated():
        link = connect(spec, seconds=seconds)
        try:
            yield link
        finally:
            link.close()


def connect(spec: EngineSpec, *, seconds: int) -> Session:
    """Raises pymysql's own errors and OSError; no answer may take longer than these seconds."""
    link = pymysql.connect(
        user=ADMIN,
        password=_secret(spec),
        charset="utf8mb4",
        autocommit=True,
        read_timeout=seconds,
        write_timeout=seconds,
        init_command=f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
        ssl_disabled=True,  # the socket is private
        defer_connect=True,
    )
    # Opened here, for the client forgets to close a socket that it could not connect.
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        door.settimeout(min(5, seconds))
        door.connect(str(spec.run / SOCKET))
        link.connect(door)
    except BaseException:
        door.close()
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
    """This error of the engine is none here."""
    try:
        yield
    except pymysql.Error as error:
        if error.args[0] != code:
            raise


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the engine become Invalid, AlreadyExists, NotFound, Unavailable or Failed."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"MariaDB does not answer: {error}") from None
    except pymysql.Error as error:
        code = error.args[0] if error.args else 0
        if code == ER.LOCK_WAIT_TIMEOUT:
            told = "in use by another session; end it and try again"
            raise Unavailable(f"{told} (MariaDB: {error.args[-1]})") from None
        said = f"MariaDB: {error.args[-1]}" if error.args else "MariaDB broke the connection off"
        raise KINDS.get(code, Failed)(said) from None


def _secret(spec: EngineSpec) -> str:
    try:
        return secret_file(spec).read_text()
    except OSError as error:
        raise Failed(f"the administrator's password can not be read: {error}") from None
