"""What tests do with an engine's accounts, in few words."""

from __future__ import annotations

from typing import Any

from tests.support.engines import query
from trove.protocol import Account, DatabaseAccount, EngineState
from trove.testing.engines import Engine

HARD_PASSWORD = "pä'ss\"w\\ö%s`$;-- €"


def database(name: str) -> DatabaseAccount:
    return DatabaseAccount(name)


def user(name: str, *databases: str, password: str = "secret", host: str | None = None) -> Account:
    return Account(name, host, list(databases), password)


def tenant(engine: Engine, name: str) -> dict[str, Any]:
    """A new database with a user of the same name; how that user logs in there."""
    engine.parts.databases.create([database(name)])
    engine.parts.users.create([user(name, name)])
    return {"user": name, "password": "secret", "database": name}


def restart(engine: Engine) -> None:
    """As the agent does it."""
    engine.driver.stop()
    engine.driver.configure()
    engine.driver.start()
    assert engine.driver.state() is EngineState.RUNNING


def listed(engine: Engine) -> dict[str, list[str]]:
    return {u.name: sorted(u.databases) for u in engine.parts.accounts().users}


def databases_of(engine: Engine) -> list[str]:
    return [d.name for d in engine.parts.accounts().databases]


def other_tables(engine: Engine, names: list[str], owner: str, password: str = "secret") -> None:
    for name in names:
        query(engine, "CREATE TABLE t (x int)", user=owner, password=password, database=name)


def outside_transaction(engine: Engine, text: str, **who: Any) -> None:
    """A statement that no transaction may contain, such as CREATE DATABASE."""
    link = engine.connect(**who)
    link.autocommit = True
    link.cursor().execute(text)
    link.close()
