"""Metadata databases to fill, and what services need to work with them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.fernet import Fernet

from tests.support.filled import PROJECT
from tests.support.metadata import mariadb_server, need_server, postgresql_server
from trove import migrations
from trove.db import Database
from trove.providers.fake import FakeWorld, provider_of
from trove.services.installation import Caller, Installation
from trove.settings import Settings
from trove.vault import Vault

CALLER = Caller(project_id=PROJECT, user_id="bench", roles=frozenset({"member"}))
SERVERS = {"postgresql": postgresql_server, "mariadb": mariadb_server}


@contextmanager
def databases(name: str, count: int) -> Iterator[list[Database]]:
    """So many empty metadata databases of this kind."""
    with TemporaryDirectory(prefix="trove-bench-") as directory:
        urls = _urls_of(name, Path(directory))
        opened = [Database(next(urls)) for _ in range(count)]
        for database in opened:
            migrations.upgrade(database.engine.url.render_as_string(hide_password=False))
        try:
            yield opened
        finally:
            for database in opened:
                database.dispose()
            urls.close()


def installation_on(database: Database, directory: str = "/nowhere") -> Installation:
    """What services work with; the provider is the fake one."""
    settings = Settings(state_directory=Path(directory))
    catalog = provider_of(FakeWorld()).catalog
    return Installation(settings, database, Vault(Fernet.generate_key()), catalog)


def _urls_of(name: str, directory: Path) -> Generator[str]:
    if name == "sqlite":
        for number in range(100):
            yield f"sqlite:///{directory}/{number}.sqlite"
        return
    for server in need_server(SERVERS[name]):
        while True:
            yield server.new_database()
