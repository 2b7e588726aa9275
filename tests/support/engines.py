"""SQL engines under test: what is different of each, and statements of a tenant's client."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from trove.protocol.engine_spec import EngineSpec
from trove.testing.engines import Client, Engine, Login, privileged

FAILED_LINK = "(?i)terminat|lost|gone|closed|kill"
"""What client libraries report of a connection that the server has ended."""


@dataclass(frozen=True)
class SqlClient:
    """A client that speaks SQL by DB-API, and the facts that tests of SQL engines need."""

    own_databases: Sequence[str]
    refused_user: str
    """A name that the engine itself refuses."""
    encoding: tuple[str, str]
    """Another character set than the usual one, and a collation."""
    character_set: str
    """A query with a row for a character set ({}) that the engine knows."""
    aliases: frozenset[str]
    """Character sets that this query does not know."""
    tls_versions: tuple[str, str]
    """A query and its answer."""
    buffer_size: str
    """A query for bytes."""
    open_to_all: str
    """A statement by which root opens its own database to every user; empty if there is none."""
    sleep: str
    late: str
    """What is reported of a statement that takes too long."""
    hung: str
    """What is reported of a server that hangs."""

    def connect(self, spec: EngineSpec, login: Login) -> Any:
        raise NotImplementedError

    def write(self, link: Any, name: str) -> None:
        link.cursor().execute(f"CREATE TABLE {name} (x int)")
        link.commit()

    def has(self, link: Any, name: str) -> bool:
        cursor = link.cursor()
        text = "SELECT 1 FROM information_schema.tables WHERE table_name = %s"
        cursor.execute(text, (name,))
        return cursor.fetchone() is not None

    def close(self, link: Any) -> None:
        link.close()


def client_of(manager: str) -> Client:
    client: Client = importlib.import_module(f"tests.contracts.datastores.clients.{manager}").CLIENT
    return client


def sql(engine: Engine) -> SqlClient:
    assert isinstance(engine.client, SqlClient)
    return engine.client


def query(
    engine: Engine,
    text: str,
    *,
    user: str,
    password: str,
    database: str | None = None,
    tls: bool = True,
) -> list[tuple[Any, ...]]:
    """What a tenant's client gets."""
    with closing(engine.connect(user=user, password=password, database=database, tls=tls)) as link:
        cursor = link.cursor()
        cursor.execute(text)
        rows = list(cursor.fetchall()) if cursor.description else []
        link.commit()
        return rows


def rows_of(link: Any, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query on a connection of any client library."""
    cursor = link.cursor()
    cursor.execute(text)
    return list(cursor.fetchall())


def module_of(manager: str, name: str) -> ModuleType:
    """A module of a datastore's folder."""
    return importlib.import_module(f"trove.datastores.{manager}.{name}")


@contextmanager
def volume(directory: Path, *, mebibytes: int) -> Iterator[None]:
    """A small volume mounted there, by root inside of `unprivileged`."""
    directory.mkdir(exist_ok=True)
    options = f"size={mebibytes}m,mode=0777"
    with privileged():
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "t", directory], check=True)
    try:
        yield
    finally:
        with privileged():
            subprocess.run(["umount", directory], check=True)
