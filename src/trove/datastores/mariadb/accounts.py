"""Databases, users, grants and root on a running MariaDB.

A user is a name and a host pattern; a grant is every privilege on one database. The engine is
given password verifiers only. Its account statements are not transactional: what was made of a
call that fails is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress

import pymysql
from pymysql.constants import ER

from trove.datastores.base import Place
from trove.datastores.mariadb import MANIFEST, catalog
from trove.datastores.mariadb.session import (
    SLOW,
    Session,
    literal,
    quoted,
    quoted_pattern,
    session,
    tell,
    unless,
    verifier,
)
from trove.datastores.names import check_absent, check_present
from trove.protocol import Account, Accounts, DatabaseAccount


def create_accounts(place: Place) -> MariadbAccounts:
    """The keeper of the accounts of the MariaDB that lives there."""
    return MariadbAccounts(place)


class MariadbAccounts:
    """See `trove.datastores.base.AccountKeeper`."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def accounts(self) -> Accounts:
        with session(self.place) as link:
            users = catalog.users(link)
            return Accounts(catalog.databases(link), users, catalog.root_enabled(link))

    def create_databases(self, databases: Sequence[DatabaseAccount]) -> None:
        with session(self.place) as link, ExitStack() as undo:
            check_absent("database", catalog.database_names(link), [d.name for d in databases])
            for database in databases:
                _create_database(link, database)
                undo.callback(tell, link, f"DROP DATABASE {quoted(database.name)}")
            undo.pop_all()

    def delete_database(self, name: str) -> None:
        """Its grants go first, so that a later database of this name is nobody's."""
        with session(self.place) as link:
            check_present("database", [d.name for d in catalog.databases(link)], [name])
            for user, pattern in catalog.grants_on(link, name):
                _revoke(link, user, pattern)
            # An open transaction holds metadata locks, for which DROP DATABASE would wait.
            _kill(link, catalog.connections(link, database=name))
        with session(self.place, seconds=SLOW) as link:
            tell(link, f"DROP DATABASE {quoted(name)}")

    def create_users(self, users: Sequence[Account]) -> None:
        with session(self.place) as link, ExitStack() as undo:
            names = [catalog.full_name(user) for user in users]
            check_absent("user", catalog.account_names(link), names)
            _check_databases(link, (name for user in users for name in user.databases))
            for user in users:
                tell(link, f"CREATE USER {_account(user)} {_identified(link, user)}")
                undo.callback(tell, link, f"DROP USER {_account(user)}")
                for name in user.databases:
                    _grant(link, user, name)
            undo.pop_all()

    def change_passwords(self, users: Sequence[Account]) -> None:
        with session(self.place) as link:
            names = [catalog.full_name(user) for user in users]
            check_present("user", catalog.visible(link), names)
            for user in users:
                _set_password(link, user)

    def update_user(
        self,
        user: Account,
        *,
        new_name: str | None = None,
        new_password: str | None = None,
        new_host: str | None = None,
    ) -> None:
        with session(self.place) as link:
            check_present("user", catalog.visible(link), [catalog.full_name(user)])
            changed = Account(new_name or user.name, new_host or user.host)
            moves = catalog.full_name(changed) != catalog.full_name(user)
            if moves:
                check_absent("user", catalog.account_names(link), [catalog.full_name(changed)])
            # The rename last: until it is done, a repetition finds the user by the old name.
            if new_password:
                _set_password(link, Account(user.name, user.host, password=new_password))
            if moves:
                tell(link, f"RENAME USER {_account(user)} TO {_account(changed)}")

    def delete_user(self, user: Account) -> None:
        with session(self.place) as link:
            check_present("user", catalog.visible(link), [catalog.full_name(user)])
            # DROP USER leaves open connections alone. Locked first, or a client that connects anew
            # would slip in between.
            for verb in ("ALTER USER {} ACCOUNT LOCK", "KILL USER {}", "DROP USER {}"):
                tell(link, verb.format(_account(user)))

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        with session(self.place) as link:
            check_present("user", catalog.visible(link), [catalog.full_name(user)])
            _check_databases(link, databases)
            for name in databases:
                _grant(link, user, name)

    def revoke(self, user: Account, database: str) -> None:
        with session(self.place) as link:
            known = catalog.visible(link)
            name = catalog.full_name(user)
            check_present("user", known, [name])
            check_present(f"grant of user {name!r} on", known[name].databases, [database])
            for holder, pattern in catalog.grants_on(link, database):
                if catalog.full_name(holder) == name:
                    _revoke(link, holder, pattern)
            # A session keeps its privileges on a database until its next USE.
            _kill(link, catalog.connections(link, database=database, user=user.name))

    def enable_root(self, password: str) -> str:
        root = _account(Account(MANIFEST.root_name))
        with session(self.place) as link:
            tell(link, f"CREATE USER IF NOT EXISTS {root} ACCOUNT LOCK")
            tell(link, f"GRANT ALL PRIVILEGES ON *.* TO {root} WITH GRANT OPTION")
            _set_password(link, Account(MANIFEST.root_name, password=password))
            # Last: until then nobody gets in, with whatever password it had before.
            tell(link, f"ALTER USER {root} ACCOUNT UNLOCK")
        return MANIFEST.root_name

    def disable_root(self) -> None:
        root = _account(Account(MANIFEST.root_name))
        with session(self.place) as link:
            tell(link, f"ALTER USER IF EXISTS {root} ACCOUNT LOCK")
            tell(link, f"KILL USER {root}")


def _account(user: Account) -> str:
    return f"{quoted(user.name)}@{quoted(user.host or catalog.ANY_HOST)}"


def _create_database(link: Session, database: DatabaseAccount) -> None:
    text = f"CREATE DATABASE {quoted(database.name)}"
    if database.character_set:
        text += f" CHARACTER SET {quoted(database.character_set)}"
    if database.collate:
        text += f" COLLATE {quoted(database.collate)}"
    tell(link, text)


def _set_password(link: Session, user: Account) -> None:
    tell(link, f"ALTER USER {_account(user)} {_identified(link, user)}")


def _identified(link: Session, user: Account) -> str:
    known = literal(link, verifier(user.password or ""))
    return f"IDENTIFIED VIA mysql_native_password USING {known}"


def _grant(link: Session, user: Account, database: str) -> None:
    tell(link, f"GRANT ALL PRIVILEGES ON {quoted_pattern(database)}.* TO {_account(user)}")


def _revoke(link: Session, user: Account, pattern: str) -> None:
    """The grant goes with the last of its privileges, of which ALL does not name GRANT OPTION."""
    whom = quoted(user.name) if user.host == catalog.ROLE_HOST else _account(user)
    for what in ("ALL PRIVILEGES", "GRANT OPTION"):
        with unless(ER.NONEXISTING_GRANT):
            tell(link, f"REVOKE {what} ON {quoted(pattern)}.* FROM {whom}")


def _check_databases(link: Session, names: Iterable[str]) -> None:
    check_present("database", [d.name for d in catalog.databases(link)], names)


def _kill(link: Session, connections: Iterable[int]) -> None:
    for number in connections:
        with suppress(pymysql.OperationalError):  # it went by itself
            tell(link, f"KILL {number:d}")
