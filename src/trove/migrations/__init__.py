"""The metadata database's schema, from release to release: only upward.

Law: a released migration is never edited; `trove.models` and the newest migration agree.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from trove import models
from trove.db import Base, Database, url_from
from trove.errors import Unavailable

LOCK = 8779
"""Of PostgreSQL's advisory locks."""

PATIENCE = 300
"""Seconds that another process may migrate while this one waits, on MariaDB."""

LONGEST = 3600
"""Seconds that one statement may take there: a large table is altered row by row."""


def upgrade(url: str, revision: str = "head") -> str:
    """Bring the schema up to this release, or to an earlier `revision`; returns the revision.

    Any number of processes may call this at the same time.
    """
    with _alone(url), _connection(url) as connection:
        connection.execute(text("SAVEPOINT migrations"))  # a first write, which locks SQLite's file
        command.upgrade(_config(connection), revision)
        return str(_revision_of(connection))


def current(url: str) -> str | None:
    """The revision that the schema has; None where nothing was ever migrated."""
    with _connection(url) as connection:
        return _revision_of(connection)


def newest() -> str:
    """The revision of this release."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def differences(url: str) -> list[Any]:
    """What the schema lacks to be what the models say, as Alembic reports it: empty when equal."""
    with _connection(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, models.Operation.metadata))


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["metadata"] = Base.metadata
    return config


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    _keep_private(url)
    database = Database(url, pool_size=1, silence=LONGEST)
    try:
        with database.engine.begin() as connection:
            yield connection
    finally:
        database.dispose()


def _keep_private(url: str) -> None:
    """The metadata contains secrets: its file, and those that SQLite adds, are private."""
    parsed = url_from(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        with suppress(OSError):  # SQLite then reports it in its own words
            os.close(os.open(parsed.database, os.O_CREAT | os.O_RDWR, 0o600))


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Held on a connection of its own, until what was migrated is committed; raises Unavailable.

    MariaDB commits each CREATE by itself: there the transaction's locks exclude no one.
    """
    with _connection(url) as connection:
        match connection.dialect.name:
            case "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            case "mysql":
                held = connection.execute(text(f"SELECT GET_LOCK('trove.migrations', {PATIENCE})"))
                if not held.scalar():
                    raise Unavailable("Another process has been migrating for minutes.")
        yield
