"""Users, their passwords and grants on a running MariaDB.

A user is a name and a host pattern; a grant is every privilege on one database. The engine is
given password verifiers only. Its account statements are not transactional: a call that fails
removes what it created.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from trove.datastores.base import Users
from trove.datastores.mariadb import catalog
from trove.datastores.mariadb.grants import (
    account,
    end_connections,
    identified,
    revoke_pattern,
    set_password,
)
from trove.datastores.mariadb.session import session
from trove.datastores.mysqlfamily.session import Session, execute, quoted_pattern
from trove.datastores.names import check_absent, check_present
from trove.protocol import Account
from trove.protocol.engine_spec import EngineSpec


def create_users(spec: EngineSpec) -> Users:
    return MariadbUsers(spec)


class MariadbUsers:
    """See `trove.datastores.base.Users`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec

    def create(self, users: Sequence[Account]) -> None:
        with session(self.spec) as link, ExitStack() as undo:
            names = [catalog.full_name(user) for user in users]
            check_absent("user", catalog.account_names(link), names)
            _check_databases(link, (name for user in users for name in user.databases))
            for user in users:
                execute(link, f"CREATE USER {account(user)} {identified(link, user)}")
                undo.callback(execute, link, f"DROP USER {account(user)}")
                for name in user.databases:
                    _grant(link, user, name)
            undo.pop_all()

    def change_passwords(self, users: Sequence[Account]) -> None:
        with session(self.spec) as link:
            names = [catalog.full_name(user) for user in users]
            check_present("user", catalog.visible(link), names)
            for user in users:
                set_password(link, user)

    def update(
        self,
        user: Account,
        *,
        new_name: str | None = None,
        new_password: str | None = None,
        new_host: str | None = None,
    ) -> None:
        with session(self.spec) as link:
            check_present("user", catalog.visible(link), [catalog.full_name(user)])
            changed = Account(new_name or user.name, new_host or user.host)
            moves = catalog.full_name(changed) != catalog.full_name(user)
            if moves:
                check_absent("user", catalog.account_names(link), [catalog.full_name(changed)])
            # The rename last: until it is done, a repetition finds the user by the old name.
            if new_password:
                set_password(link, Account(user.name, user.host, password=new_password))
            if moves:
                execute(link, f"RENAME USER {account(user)} TO {account(changed)}")

    def delete(self, user: Account) -> None:
        with session(self.spec) as link:
            check_present("user", catalog.visible(link), [catalog.full_name(user)])
            # DROP USER leaves open connections alone. Locked first, or a client could
            # connect again in between.
            for verb in ("ALTER USER {} ACCOUNT LOCK", "KILL USER {}", "DROP USER {}"):
                execute(link, verb.format(account(user)))

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        with session(self.spec) as link:
            check_present("user", catalog.visible(link), [catalog.full_name(user)])
            _check_databases(link, databases)
            for name in databases:
                _grant(link, user, name)

    def revoke(self, user: Account, database: str) -> None:
        with session(self.spec) as link:
            known = catalog.visible(link)
            name = catalog.full_name(user)
            check_present("user", known, [name])
            check_present(f"grant of user {name!r} on", known[name].databases, [database])
            for holder, pattern in catalog.grants_on(link, database):
                if catalog.full_name(holder) == name:
                    revoke_pattern(link, holder, pattern)
            # A session keeps its privileges on a database until its next USE.
            end_connections(link, catalog.connections(link, database=database, user=user.name))


def _grant(link: Session, user: Account, database: str) -> None:
    execute(link, f"GRANT ALL PRIVILEGES ON {quoted_pattern(database)}.* TO {account(user)}")


def _check_databases(link: Session, names: Iterable[str]) -> None:
    check_present("database", [d.name for d in catalog.databases(link)], names)
