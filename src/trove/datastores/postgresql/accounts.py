"""Databases, users, grants and root on a running PostgreSQL.

Each database belongs to a group role of its own (`os_db_...`), and nobody else may connect to it.
A user with a grant is a member of that group: members create tables in `public`, use what other
members make (default privileges), and `SET ROLE` to the group makes an object everybody's. Like
ALL in MariaDB, a grant is the whole of a database: its users may alter it, and may drop it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress

from psycopg import errors, sql

from trove.datastores.base import Place
from trove.datastores.names import check_absent, check_present
from trove.datastores.postgresql import GROUP_PREFIX, MANIFEST, catalog
from trove.datastores.postgresql.session import SLOW, Session, ask, session, tell
from trove.errors import Invalid
from trove.protocol import Account, Accounts, DatabaseAccount

KINDS = ("TABLES", "SEQUENCES", "FUNCTIONS", "TYPES", "SCHEMAS")
OWN_SCHEMA = 150000
"""From this version on the owner of a database owns its schema `public`."""


def create_accounts(place: Place) -> PostgresAccounts:
    """The keeper of the accounts of the PostgreSQL that lives there."""
    return PostgresAccounts(place)


class PostgresAccounts:
    """See `trove.datastores.base.AccountKeeper`."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def accounts(self) -> Accounts:
        with session(self.place) as link:
            return Accounts(
                catalog.databases(link), catalog.users(link), catalog.root_enabled(link)
            )

    def create_databases(self, databases: Sequence[DatabaseAccount]) -> None:
        with session(self.place, seconds=SLOW) as link, ExitStack() as undo:
            check_absent("database", catalog.database_names(link), [d.name for d in databases])
            for unused in catalog.unused_groups(link):
                _drop_group(link, unused)
            for database in databases:
                group = _create_group(link)
                undo.callback(tell, link, "DROP ROLE {}", group)
                options = _database_options(database)
                # It can not be part of a transaction, so what fails is taken back by hand.
                tell(link, "CREATE DATABASE {} OWNER {} {}", database.name, group, options)
                undo.callback(tell, link, "DROP DATABASE {} WITH (FORCE)", database.name)
                self._enclose(link, database.name, group)
            undo.pop_all()

    def mend_databases(self, names: Sequence[str]) -> None:
        with session(self.place) as link:
            for name, group in self._groups(link, names).items():
                self._enclose(link, name, group)

    def delete_database(self, name: str) -> None:
        with session(self.place, seconds=SLOW) as link:
            check_present("database", catalog.owners(link), [name])
            _drop_database(link, name)

    def create_users(self, users: Sequence[Account]) -> None:
        with session(self.place) as link:
            check_absent("user", catalog.role_names(link), [user.name for user in users])
            groups = self._groups(link, {name for user in users for name in user.databases})
            with link.transaction():
                for user in users:
                    _create_user(link, user)
                    _join(link, user, [groups[name] for name in user.databases])
            with ExitStack() as undo:
                for user in users:
                    undo.callback(self.delete_user, user)
                self._share(users, groups)
                undo.pop_all()

    def change_passwords(self, users: Sequence[Account]) -> None:
        with session(self.place) as link:
            check_present("user", catalog.user_names(link), [user.name for user in users])
            with link.transaction():
                for user in users:
                    _set_password(link, user.name, user.password or "")

    def update_user(
        self,
        user: Account,
        *,
        new_name: str | None = None,
        new_password: str | None = None,
        new_host: str | None = None,
    ) -> None:
        """The verifier does not depend on the name, so a renamed user keeps the password."""
        if new_host not in {None, "%"}:
            raise Invalid("PostgreSQL has no hosts for users", field="user.host")
        with session(self.place) as link:
            check_present("user", catalog.user_names(link), [user.name])
            with link.transaction():
                if new_password:
                    _set_password(link, user.name, new_password)
                if new_name and new_name != user.name:
                    tell(link, "ALTER ROLE {} RENAME TO {}", user.name, new_name)

    def delete_user(self, user: Account) -> None:
        """What the user owns goes to the group of the database that it is in.

        As long as somebody else is at what the user owns, the user stays, and may log in.
        """
        with session(self.place, seconds=SLOW) as link, ExitStack() as undo:
            roles = catalog.tenants_roles(link)
            check_present("user", roles, [user.name])
            if roles[user.name]:
                undo.callback(tell, link, "ALTER ROLE {} LOGIN", user.name)
            # First, or a client that connects anew would slip in between.
            tell(link, "ALTER ROLE {} NOLOGIN", user.name)
            _end_sessions(link, user.name)
            self._give_away(link, user.name)
            tell(link, "DROP ROLE {}", user.name)
            undo.pop_all()

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        with session(self.place) as link:
            check_present("user", catalog.user_names(link), [user.name])
            groups = self._groups(link, set(databases))
            _join(link, user, groups.values())
            self._share([Account(user.name, databases=list(databases))], groups)

    def revoke(self, user: Account, database: str) -> None:
        with session(self.place) as link:
            known = {u.name: u.databases for u in catalog.users(link)}
            check_present("user", known, [user.name])
            check_present(f"grant of user {user.name!r} on", known[user.name], [database])
            group = self._groups(link, {database})[database]
            tell(link, "REVOKE {} FROM {}", group, user.name)
            # CONNECT is asked for at the door alone: who is inside would stay.
            _end_sessions(link, user.name, database)
        with session(self.place, database) as inside:
            _default_privileges(inside, user.name, group, "REVOKE", "FROM")

    def enable_root(self, password: str) -> str:
        with session(self.place) as link, link.transaction():
            tell(link, "ALTER ROLE postgres SUPERUSER LOGIN")
            _set_password(link, MANIFEST.root_name, password)
        return MANIFEST.root_name

    def disable_root(self) -> None:
        with session(self.place) as link:
            tell(link, "ALTER ROLE postgres NOLOGIN PASSWORD NULL")
            _end_sessions(link, MANIFEST.root_name)

    def _give_away(self, link: Session, user: str) -> None:
        # Else REASSIGN, which takes databases along, would give them to another's group.
        for name in catalog.owned_databases(link, user):
            tell(link, "ALTER DATABASE {} OWNER TO postgres", name)
        for name, owner in catalog.places_of(link, user):
            with session(self.place, name, seconds=SLOW) as inside:
                # Both see only the database that they are called in, and what is shared by all.
                tell(inside, "REASSIGN OWNED BY {} TO {}", user, owner)
                tell(inside, "DROP OWNED BY {}", user)
        tell(link, "DROP OWNED BY {}", user)

    def _enclose(self, link: Session, name: str, group: str) -> None:
        """Nobody but the group may connect, and the group owns the schema `public`."""
        tell(link, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        if link.info.server_version < OWN_SCHEMA:
            with session(self.place, name) as inside:
                tell(inside, "ALTER SCHEMA public OWNER TO {}", group)
                tell(inside, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")

    def _groups(self, link: Session, names: Iterable[str]) -> dict[str, str]:
        """The group of each database; one that root made is given its group now."""
        wanted = set(names)
        owners = catalog.owners(link)
        check_present("database", owners, wanted)
        for name in wanted:
            if not owners[name].startswith(GROUP_PREFIX):
                owners[name] = _create_group(link)
                tell(link, "ALTER DATABASE {} OWNER TO {}", name, owners[name])
                self._enclose(link, name, owners[name])
        return {name: owners[name] for name in wanted}

    def _share(self, users: Sequence[Account], groups: dict[str, str]) -> None:
        """What these users make from now on in a database, its other users may use."""
        for name, group in groups.items():
            members = [user for user in users if name in user.databases]
            with session(self.place, name) as inside:
                for user in members:
                    _default_privileges(inside, user.name, group, "GRANT", "TO")


def _database_options(database: DatabaseAccount) -> sql.Composable:
    """Encoding and locale as asked; another encoding than the engine's takes the locale C."""
    if not (database.character_set or database.collate):
        return sql.SQL("")
    locale = database.collate or ("C" if database.character_set else "C.UTF-8")
    # template1 may hold text, so PostgreSQL copies it into no other encoding or locale.
    text = "TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
    values = (database.character_set or "UTF8", locale, locale)
    return sql.SQL(text).format(*(sql.Literal(value) for value in values))


def _create_group(link: Session) -> str:
    # Not from the database's name: it may change, and may be as long as a role's.
    group = GROUP_PREFIX + secrets.token_hex(8)
    tell(link, "CREATE ROLE {} NOLOGIN", group)
    return group


def _drop_database(link: Session, name: str) -> None:
    """Whoever is connected is thrown out; the group goes too, unless it owns things elsewhere."""
    group = catalog.owners(link)[name]
    tell(link, "DROP DATABASE {} WITH (FORCE)", name)
    if group.startswith(GROUP_PREFIX):
        _drop_group(link, group)


def _drop_group(link: Session, group: str) -> None:
    with suppress(errors.DependentObjectsStillExist):
        tell(link, "DROP ROLE {}", group)


def _create_user(link: Session, user: Account) -> None:
    tell(link, "CREATE ROLE {} LOGIN", user.name)
    _set_password(link, user.name, user.password or "")


def _set_password(link: Session, name: str, password: str) -> None:
    """The engine sees the SCRAM verifier alone, never the password."""
    verifier = link.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    tell(link, "ALTER ROLE {} PASSWORD {}", name, sql.Literal(verifier.decode()))


def _join(link: Session, user: Account, groups: Iterable[str]) -> None:
    for group in groups:
        tell(link, "GRANT {} TO {}", group, user.name)


def _default_privileges(inside: Session, user: str, group: str, verb: str, to: str) -> None:
    with inside.transaction():
        for kind in KINDS:
            change = sql.SQL(f"{verb} ALL ON {kind} {to} {{}}").format(sql.Identifier(group))
            tell(inside, "ALTER DEFAULT PRIVILEGES FOR ROLE {} {}", user, change)


def _end_sessions(link: Session, user: str, database: str | None = None) -> None:
    ask(
        link,
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity "
        "WHERE usename = %s AND datname = coalesce(%s, datname)",
        user,
        database,
    )
