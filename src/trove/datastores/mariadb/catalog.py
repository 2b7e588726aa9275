"""What databases, users and grants a running MariaDB has."""

from __future__ import annotations

import re

from trove.datastores.mariadb import MANIFEST
from trove.datastores.mariadb.session import session
from trove.datastores.mysqlfamily.session import ADMIN, Session, query
from trove.protocol import Account, Accounts, DatabaseAccount
from trove.protocol.engine_spec import EngineSpec

ANY_HOST = "%"
ROLE_HOST = ""
HIDDEN_USERS = (ADMIN, "root", "mariadb.sys")


def accounts_of(spec: EngineSpec) -> Accounts:
    """What tenants may see of databases, users and root."""
    with session(spec) as link:
        return Accounts(databases(link), users(link), root_enabled(link))


def databases(link: Session) -> list[DatabaseAccount]:
    """What tenants may see."""
    rows = query(
        link,
        "SELECT schema_name, default_character_set_name, default_collation_name "
        "FROM information_schema.schemata ORDER BY 1",
    )
    hidden = MANIFEST.database_names.reserved
    return [DatabaseAccount(*row) for row in rows if row[0].lower() not in hidden]


def users(link: Session) -> list[Account]:
    """What tenants may see, each with the databases that were granted."""
    granted: dict[tuple[str, str], dict[str, None]] = {}
    for name, host, pattern in _grants(link):
        granted.setdefault((name, host), {})[_unescaped(pattern)] = None
    rows = query(link, "SELECT User, Host FROM mysql.user WHERE is_role = 'N' ORDER BY 1, 2")
    return [
        Account(name, host, list(granted.get((name, host), {})))
        for name, host in rows
        if name not in HIDDEN_USERS
    ]


def grants_on(link: Session, database: str) -> list[tuple[Account, str]]:
    """Who was granted a database, with the pattern as it was written: perhaps by root's hand."""
    return [
        (Account(name, host), pattern)
        for name, host, pattern in _grants(link)
        if _unescaped(pattern) == database
    ]


def root_enabled(link: Session) -> bool:
    rows = query(
        link,
        # mysql.user, a view since 10.4, does not show the lock.
        "SELECT 1 FROM mysql.global_priv WHERE User = 'root' AND Host = '%'"
        " AND NOT coalesce(json_value(Priv, '$.account_locked'), false)",
    )
    return bool(rows)


def database_names(link: Session) -> list[str]:
    """Every one, the engine's own too."""
    return [name for (name,) in query(link, "SELECT schema_name FROM information_schema.schemata")]


def account_names(link: Session) -> set[str]:
    """Every `name@host`, the engine's own too."""
    rows = query(link, "SELECT User, Host FROM mysql.global_priv")
    return {f"{name}@{host}" for name, host in rows}


def visible(link: Session) -> dict[str, Account]:
    """The users that tenants may see, by `name@host`."""
    return {full_name(user): user for user in users(link)}


def full_name(user: Account) -> str:
    return f"{user.name}@{user.host or ANY_HOST}"


def connections(link: Session, *, database: str, user: str = ANY_HOST) -> list[int]:
    """Ids of connections that use a database, of one user or of all."""
    rows = query(
        link,
        "SELECT id FROM information_schema.processlist WHERE db = %s "
        "AND (%s = '%%' OR user = %s) AND id <> connection_id()",
        database,
        user,
        user,
    )
    return [number for (number,) in rows]


def _grants(link: Session) -> list[tuple[str, str, str]]:
    """Users (or roles), hosts and patterns."""
    return [
        (name, host, pattern)
        for name, host, pattern in query(link, "SELECT User, Host, Db FROM mysql.db ORDER BY 3")
    ]


def _unescaped(pattern: str) -> str:
    return re.sub(r"\\([_%\\])", r"\1", pattern)
