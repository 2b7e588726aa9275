"""Statements about accounts that several parts need."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import pymysql
from pymysql.constants import ER

from trove.datastores.mariadb import catalog
from trove.datastores.mysqlfamily.session import Session, execute, literal, quoted, unless, verifier
from trove.protocol import Account


def account(user: Account) -> str:
    """`name`@`host` as a statement has it."""
    return f"{quoted(user.name)}@{quoted(user.host or catalog.ANY_HOST)}"


def set_password(link: Session, user: Account) -> None:
    execute(link, f"ALTER USER {account(user)} {identified(link, user)}")


def identified(link: Session, user: Account) -> str:
    known = literal(link, verifier(user.password or ""))
    return f"IDENTIFIED VIA mysql_native_password USING {known}"


def revoke_pattern(link: Session, user: Account, pattern: str) -> None:
    """The grant goes with the last of its privileges, of which ALL does not name GRANT OPTION."""
    grantee = quoted(user.name) if user.host == catalog.ROLE_HOST else account(user)
    for what in ("ALL PRIVILEGES", "GRANT OPTION"):
        with unless(ER.NONEXISTING_GRANT):
            execute(link, f"REVOKE {what} ON {quoted(pattern)}.* FROM {grantee}")


def end_connections(link: Session, connections: Iterable[int]) -> None:
    for number in connections:
        with suppress(pymysql.OperationalError):  # it ended by itself
            execute(link, f"KILL {number:d}")
