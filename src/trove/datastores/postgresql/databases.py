"""Databases of tenants on a running PostgreSQL, each owned by a group role of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack

from psycopg import sql

from trove.datastores.base import Databases
from trove.datastores.names import check_absent, check_present
from trove.datastores.postgresql import GROUP_PREFIX, USUAL, USUAL_LOCALE, catalog
from trove.datastores.postgresql.groups import (
    close_to_others,
    create_group,
    drop_group,
    groups_of,
)
from trove.datastores.postgresql.session import SLOW, execute, session
from trove.protocol import DatabaseAccount
from trove.protocol.engine_spec import EngineSpec

USUAL_OPTIONS = ("UTF8", "C.UTF-8")
"""What initdb made the templates with."""


def create_databases(spec: EngineSpec) -> Databases:
    return PostgresDatabases(spec)


class PostgresDatabases:
    """See `trove.datastores.base.Databases`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def create(self, databases: Sequence[DatabaseAccount]) -> None:
        with session(self.spec, seconds=SLOW) as link, ExitStack() as undo:
            check_absent("database", catalog.database_names(link), [d.name for d in databases])
            for unused in catalog.unused_groups(link):
                drop_group(link, unused)
            for database in databases:
                group = create_group(link)
                undo.callback(execute, link, "DROP ROLE {}", group)
                options = _options_of(database)
                # It cannot be part of a transaction, so a failure is undone by hand.
                execute(link, "CREATE DATABASE {} OWNER {} {}", database.name, group, options)
                undo.callback(execute, link, "DROP DATABASE {} WITH (FORCE)", database.name)
                close_to_others(self.spec, link, database.name, group)
            undo.pop_all()

    def repair(self, names: Sequence[str]) -> None:
        with session(self.spec) as link:
            for name, group in groups_of(self.spec, link, names).items():
                close_to_others(self.spec, link, name, group)

    def delete(self, name: str) -> None:
        """Connections to it end; the group goes too, unless it owns things elsewhere."""
        with session(self.spec, seconds=SLOW) as link:
            owners = catalog.owners(link)
            check_present("database", owners, [name])
            execute(link, "DROP DATABASE {} WITH (FORCE)", name)
            if owners[name].startswith(GROUP_PREFIX):
                drop_group(link, owners[name])


def _options_of(database: DatabaseAccount) -> sql.Composable:
    """Encoding and locale as requested; another encoding than the engine's takes the locale C."""
    encoding, locale = encoding_and_locale_of(database)
    if (encoding, locale) == USUAL_OPTIONS:
        return sql.SQL("")
    # template1 may hold text, so PostgreSQL copies it into no other encoding or locale.
    text = "TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
    return sql.SQL(text).format(*(sql.Literal(value) for value in (encoding, locale, locale)))


def encoding_and_locale_of(database: DatabaseAccount) -> tuple[str, str]:
    """To name what is usual, in any spelling, is to name nothing."""
    encoding, locale = USUAL_OPTIONS
    is_usual = re.fullmatch(USUAL, (database.character_set or encoding).lower())
    if database.character_set and not is_usual:
        encoding, locale = database.character_set, "C"
    if database.collate and not re.fullmatch(USUAL_LOCALE, database.collate):
        locale = database.collate
    return encoding, locale
