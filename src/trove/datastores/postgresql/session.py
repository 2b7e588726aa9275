"""The administrator's connection to a running PostgreSQL: its socket, with its password."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import errors, sql

from trove.datastores.postgresql import ADMIN
from trove.errors import AlreadyExists, Failed, Invalid, NotFound, Unavailable
from trove.protocol.engine_spec import EngineSpec

MAINTENANCE = "postgres"
QUICK = 60
"""Seconds for a statement; all of a session gets twice as many."""
SLOW = 600
"""The same, for what moves or removes as much as tenants have: large databases, many tables."""
LOCK_SECONDS = 5
"""So short that a tenant learns what is in the way while the API still waits for an answer."""
# Statements with password verifiers must not reach the log, not even when they fail. What tenants
# set for their database (ALTER DATABASE ... SET) is no concern of the administrator.
# search_path: no function or operator of a tenant's is called by a superuser (CVE-2018-1058).
OPTIONS = (
    "-c log_min_error_statement=panic -c log_statement=none -c log_min_duration_statement=-1 "
    "-c log_duration=off -c search_path=pg_catalog "
    "-c default_transaction_read_only=off -c role=none"
)

HARMED = (
    f"the administrator's account {ADMIN} was renamed, locked or changed, so that nothing can be "
    "managed; restart the instance to have it repaired"
)
# libpq gives no code of an error that ends a login.
REFUSED = re.compile(
    r"authentication failed|not permitted to log in|pg_hba\.conf|does not exist|permission denied"
    r"|not currently accepting connections|too many connections for|invalid value for parameter"
)
"""Of what the server says to a login that fails until it is repaired."""

IN_USE = (errors.LockNotAvailable, errors.ObjectInUse, errors.DeadlockDetected)

Session = psycopg.Connection[tuple[str, ...]]


def secret_file(spec: EngineSpec) -> Path:
    """Where the administrator's password is kept, mode 0600."""
    return spec.config / "os_admin.secret"


class Harmed(Unavailable):
    """The administrator's account cannot be used."""


def is_harmed(spec: EngineSpec) -> bool:
    """Whether the last login was refused."""
    return _mark(spec).exists()


@contextmanager
def session(
    spec: EngineSpec, database: str = MAINTENANCE, *, seconds: float = QUICK
) -> Iterator[Session]:
    """A connection that commits every statement; errors of the engine become Trove's.

    A statement that takes longer than these seconds is ended, and after twice as many the session.
    """
    with (
        translated(),
        _connect(spec, database, seconds) as connection,
        _ended_after(connection, seconds * 2),
    ):
        yield connection


def query(connection: Session, text: LiteralString, *names: str | None) -> list[tuple[str, ...]]:
    """The rows of a query whose values are passed apart from it."""
    return connection.execute(text, names or None).fetchall()


def execute(connection: Session, text: LiteralString, *parts: str | sql.Composable) -> None:
    """Run a statement whose {} are identifiers (or ready-made parts)."""
    composed = (
        part if isinstance(part, sql.Composable) else sql.Identifier(part) for part in parts
    )
    connection.execute(sql.SQL(text).format(*composed))


def set_password(link: Session, name: str, password: str) -> None:
    """The engine sees the SCRAM verifier alone, never the password."""
    verifier = link.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    execute(link, "ALTER ROLE {} PASSWORD {}", name, sql.Literal(verifier.decode()))


def end_sessions(link: Session, user: str, database: str | None = None) -> None:
    """End the connections of a user, to one database or to all."""
    query(
        link,
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity "
        "WHERE usename = %s AND datname = coalesce(%s, datname)",
        user,
        database,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the engine become Invalid, AlreadyExists, NotFound, Unavailable or Failed."""
    try:
        yield
    except (errors.DuplicateDatabase, errors.DuplicateObject) as error:
        raise AlreadyExists(_said(error)) from None
    except (errors.UndefinedObject, errors.InvalidCatalogName) as error:
        raise NotFound(_said(error)) from None
    # Before its parent, OperationalError: nothing gets better by trying again.
    except errors.DiskFull as error:
        raise Failed(f"the data volume is full: {_said(error)}") from None
    except psycopg.OperationalError as error:
        raise Unavailable(_hindrance(error)) from None
    except (psycopg.DataError, psycopg.ProgrammingError) as error:
        raise Invalid(_said(error)) from None
    except psycopg.Error as error:
        raise Failed(_said(error)) from None


@contextmanager
def _ended_after(connection: Session, seconds: float) -> Iterator[None]:
    """Ends the connection when a server that hangs does not keep its own limit.

    Raises Unavailable.
    """
    late = threading.Event()
    copy = socket.socket(fileno=os.dup(connection.pgconn.socket))

    def end_connection() -> None:
        late.set()
        with suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end_connection)
    timer.daemon = True
    timer.start()
    try:
        yield
    except psycopg.OperationalError:
        if not late.is_set():
            raise
        late_by = f"PostgreSQL did not answer within {seconds / 60:g} minutes"
        raise Unavailable(f"{late_by}; see whether its disk hangs, and try again") from None
    finally:
        timer.cancel()
        timer.join()
        copy.close()


def _connect(spec: EngineSpec, database: str, seconds: float) -> Session:
    limits = f"-c lock_timeout={LOCK_SECONDS}s -c statement_timeout={round(seconds * 1000)}"
    try:
        link = _connected(spec, database, f"{OPTIONS} {limits}")
    except psycopg.OperationalError as error:
        # A database other than the usual one may have gone meanwhile.
        if database == MAINTENANCE and REFUSED.search(str(error)):
            raise _harmed(spec) from None
        raise
    if link.info.parameter_status("is_superuser") != "on":
        link.close()
        raise _harmed(spec)
    _mark(spec).unlink(missing_ok=True)
    return link


def _harmed(spec: EngineSpec) -> Harmed:
    with suppress(OSError):
        _mark(spec).touch(mode=0o600)
    return Harmed(HARMED)


def _mark(spec: EngineSpec) -> Path:
    """A file, because reports and changes are made by several threads and processes."""
    return spec.run / "os_admin.refused"


def _connected(spec: EngineSpec, database: str, options: str) -> Session:
    return psycopg.connect(
        host=str(spec.run),
        port=spec.port,
        user=ADMIN,
        password=_secret(spec),
        dbname=database,
        connect_timeout=5,
        options=options,
        # CREATE and DROP DATABASE refuse to be part of a transaction.
        autocommit=True,
    )


def _secret(spec: EngineSpec) -> str:
    try:
        return secret_file(spec).read_text()
    except OSError as error:
        raise Failed(f"the administrator's password cannot be read: {error}") from None


def _hindrance(error: psycopg.OperationalError) -> str:
    if isinstance(error, IN_USE):
        return f"in use by another session; end it and try again (PostgreSQL: {_said(error)})"
    if isinstance(error, errors.QueryCanceled):
        reason = "PostgreSQL took too long; see whether its disk is overloaded, and try again"
        return f"{reason} ({_said(error)})"
    return f"PostgreSQL does not answer: {_said(error)}"


def _said(error: psycopg.Error) -> str:
    """The first line only: what follows may quote the statement."""
    return error.diag.message_primary or str(error).strip().partition("\n")[0]
