"""Databases of tenants on a running MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from trove.datastores.base import Databases
from trove.datastores.mariadb import catalog
from trove.datastores.mariadb.grants import end_connections, revoke_pattern
from trove.datastores.mariadb.session import SLOW, session
from trove.datastores.mysqlfamily.session import Session, execute, quoted
from trove.datastores.names import check_absent, check_present
from trove.protocol import DatabaseAccount
from trove.protocol.engine_spec import EngineSpec


def create_databases(spec: EngineSpec) -> Databases:
    return MariadbDatabases(spec)


class MariadbDatabases:
    """See `trove.datastores.base.Databases`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def create(self, databases: Sequence[DatabaseAccount]) -> None:
        with session(self.spec) as link, ExitStack() as undo:
            check_absent("database", catalog.database_names(link), [d.name for d in databases])
            for database in databases:
                _create(link, database)
                undo.callback(execute, link, f"DROP DATABASE {quoted(database.name)}")
            undo.pop_all()

    def delete(self, name: str) -> None:
        """Its grants go first, so that no one has any on a later database of this name."""
        with session(self.spec) as link:
            check_present("database", [d.name for d in catalog.databases(link)], [name])
            for user, pattern in catalog.grants_on(link, name):
                revoke_pattern(link, user, pattern)
            # An open transaction holds metadata locks, for which DROP DATABASE would wait.
            end_connections(link, catalog.connections(link, database=name))
        with session(self.spec, seconds=SLOW) as link:
            execute(link, f"DROP DATABASE {quoted(name)}")


def _create(link: Session, database: DatabaseAccount) -> None:
    text = f"CREATE DATABASE {quoted(database.name)}"
    if database.character_set:
        text += f" CHARACTER SET {quoted(database.character_set)}"
    if database.collate:
        text += f" COLLATE {quoted(database.collate)}"
    execute(link, text)
