"""What tests ask of an engine's accounts, as short as it can be said."""

from __future__ import annotations

from tests.support.engines import Engine
from trove.protocol import Account, DatabaseAccount

HARD_PASSWORD = "pä'ss\"w\\ö%s`$;-- €"


def database(name: str) -> DatabaseAccount:
    return DatabaseAccount(name)


def user(name: str, *databases: str, password: str = "secret", host: str | None = None) -> Account:
    return Account(name, host, list(databases), password)


def listed(engine: Engine) -> dict[str, list[str]]:
    return {u.name: sorted(u.databases) for u in engine.parts.accounts().users}


def databases_of(engine: Engine) -> list[str]:
    return [d.name for d in engine.parts.accounts().databases]


def other_tables(engine: Engine, names: list[str], owner: str, password: str = "secret") -> None:
    for name in names:
        engine.query("CREATE TABLE t (x int)", user=owner, password=password, database=name)


def outside_transaction(engine: Engine, text: str, **who: str) -> None:
    """PostgreSQL makes and drops no database inside of a transaction."""
    link = engine.connect(**who)
    if engine.manager == "postgresql":
        link.autocommit = True
    link.cursor().execute(text)
    link.close()
