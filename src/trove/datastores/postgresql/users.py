"""Users and their grants on a running PostgreSQL.

Each database belongs to a group role of its own (`os_db_...`), and no one else may connect to it.
A user with a grant is a member of that group: members create tables in `public`, use what other
members create (default privileges), and `SET ROLE` to the group makes an object everybody's. Like
ALL in MariaDB, a grant is the whole of a database: its users may alter it, and may drop it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from psycopg import sql

from trove.datastores.base import Users
from trove.datastores.names import check_absent, check_present
from trove.datastores.postgresql import catalog
from trove.datastores.postgresql.groups import groups_of
from trove.datastores.postgresql.session import (
    SLOW,
    Session,
    end_sessions,
    execute,
    session,
    set_password,
)
from trove.errors import Invalid, Unavailable
from trove.protocol import Account
from trove.protocol.engine_spec import EngineSpec

KINDS = ("TABLES", "SEQUENCES", "FUNCTIONS", "TYPES", "SCHEMAS")


def create_users(spec: EngineSpec) -> Users:
    return PostgresUsers(spec)


class PostgresUsers:
    """See `trove.datastores.base.Users`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def create(self, users: Sequence[Account]) -> None:
        with session(self.spec) as link:
            check_absent("user", catalog.role_names(link), [user.name for user in users])
            groups = groups_of(self.spec, link, {name for user in users for name in user.databases})
            with link.transaction():
                for user in users:
                    _create_user(link, user)
                    _join(link, user, [groups[name] for name in user.databases])
            with ExitStack() as undo:
                for user in users:
                    undo.callback(self.delete, user)
                self._share(users, groups)
                undo.pop_all()

    def change_passwords(self, users: Sequence[Account]) -> None:
        with session(self.spec) as link:
            check_present("user", catalog.user_names(link), [user.name for user in users])
            with link.transaction():
                for user in users:
                    set_password(link, user.name, user.password or "")

    def update(
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
        with session(self.spec) as link:
            check_present("user", catalog.user_names(link), [user.name])
            with link.transaction():
                if new_password:
                    set_password(link, user.name, new_password)
                if new_name and new_name != user.name:
                    execute(link, "ALTER ROLE {} RENAME TO {}", user.name, new_name)

    def delete(self, user: Account) -> None:
        """What the user owns goes to the group of the database that it is in.

        While another session uses what the user owns, the user stays, and may log in.
        """
        with session(self.spec, seconds=SLOW) as link, ExitStack() as undo:
            roles = catalog.tenants_roles(link)
            check_present("user", roles, [user.name])
            _refuse_while_in_use(link, user.name)
            if roles[user.name]:
                undo.callback(execute, link, "ALTER ROLE {} LOGIN", user.name)
            # First, or a client could connect again in between.
            execute(link, "ALTER ROLE {} NOLOGIN", user.name)
            end_sessions(link, user.name)
            self._give_away(link, user.name)
            execute(link, "DROP ROLE {}", user.name)
            undo.pop_all()

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        with session(self.spec) as link:
            check_present("user", catalog.user_names(link), [user.name])
            groups = groups_of(self.spec, link, set(databases))
            _join(link, user, groups.values())
            self._share([Account(user.name, databases=list(databases))], groups)

    def revoke(self, user: Account, database: str) -> None:
        with session(self.spec) as link:
            known = {u.name: u.databases for u in catalog.users(link)}
            check_present("user", known, [user.name])
            check_present(f"grant of user {user.name!r} on", known[user.name], [database])
            group = groups_of(self.spec, link, {database})[database]
            execute(link, "REVOKE {} FROM {}", group, user.name)
            # CONNECT is checked at the login alone: open sessions would stay.
            end_sessions(link, user.name, database)
        with session(self.spec, database) as inside:
            _default_privileges(inside, user.name, group, "REVOKE", "FROM")

    def _give_away(self, link: Session, user: str) -> None:
        # Else REASSIGN, which takes databases along, would give them to another's group.
        for name in catalog.owned_databases(link, user):
            execute(link, "ALTER DATABASE {} OWNER TO postgres", name)
        for name, owner in catalog.places_of(link, user):
            with session(self.spec, name, seconds=SLOW) as inside:
                # Both see only the database that they are called in, and what is shared by all.
                execute(inside, "REASSIGN OWNED BY {} TO {}", user, owner)
                execute(inside, "DROP OWNED BY {}", user)
        execute(link, "DROP OWNED BY {}", user)

    def _share(self, users: Sequence[Account], groups: dict[str, str]) -> None:
        """What these users make from now on in a database, its other users may use."""
        for name, group in groups.items():
            members = [user for user in users if name in user.databases]
            with session(self.spec, name) as inside:
                for user in members:
                    _default_privileges(inside, user.name, group, "GRANT", "TO")


def _refuse_while_in_use(link: Session, user: str) -> None:
    """Before anything is changed: giving a table to another owner needs all of its locks."""
    found = [
        f"process {pid} of user {name!r} in database {database!r}"
        for pid, name, database in catalog.users_of_property(link, user)
    ]
    if found:
        raise Unavailable(
            f"what user {user!r} owns is in use by another session, and nothing was changed: "
            f"{', '.join(found)}; end it and try again"
        )


def _create_user(link: Session, user: Account) -> None:
    execute(link, "CREATE ROLE {} LOGIN", user.name)
    set_password(link, user.name, user.password or "")


def _join(link: Session, user: Account, groups: Iterable[str]) -> None:
    for group in groups:
        execute(link, "GRANT {} TO {}", group, user.name)


def _default_privileges(inside: Session, user: str, group: str, verb: str, to: str) -> None:
    with inside.transaction():
        for kind in KINDS:
            change = sql.SQL(f"{verb} ALL ON {kind} {to} {{}}").format(sql.Identifier(group))
            execute(inside, "ALTER DEFAULT PRIVILEGES FOR ROLE {} {}", user, change)
