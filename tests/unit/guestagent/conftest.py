"""An agent's directory, and an engine and accounts that are kept in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trove.datastores import manifest_of
from trove.datastores.base import Source
from trove.datastores.parts import Datastore
from trove.errors import AlreadyExists, Failed, NotFound, TroveError
from trove.guestagent.state import AgentDirectory
from trove.protocol import Account, Accounts, DatabaseAccount, EngineState


class MemoryDriver:
    """An engine whose behaviour tests choose."""

    def __init__(self) -> None:
        self.now = EngineState.STOPPED
        self.calls: list[str] = []
        self.queries = self.tended = 0
        self.start_error: TroveError | None = None
        self.version_error: TroveError | None = None
        self.prepared = threading.Event()
        """Cleared by a test, it holds `prepare` back until it is set."""
        self.prepared.set()

    def prepare(self, source: Source) -> None:
        assert self.prepared.wait(30)
        self.calls.append("prepare")

    def configure(self) -> None:
        self.calls.append("configure")

    def start(self) -> None:
        self.calls.append("start")
        if self.start_error:
            raise self.start_error
        self.now = EngineState.RUNNING

    def stop(self) -> None:
        self.calls.append("stop")
        self.now = EngineState.STOPPED

    def state(self) -> EngineState:
        self.queries += 1
        return self.now

    def is_alive(self) -> bool:
        return self.now is not EngineState.STOPPED

    def tend(self) -> None:
        self.tended += 1

    def version(self) -> str:
        if self.version_error:
            raise self.version_error
        return "15.2"

    def is_prepared(self) -> bool:
        return "prepare" in self.calls

    def reload(self) -> None:
        self.calls.append("reload")


class MemoryAccounts:
    """Accounts that are kept in memory; the parts of an engine work on them."""

    def __init__(self) -> None:
        self.databases: list[str] = []
        self.users: dict[str, Account] = {}
        self.root: str | None = None
        self.errors: list[BaseException] = []
        """Raised one by one, each after the call had its effect."""

    def read(self) -> Accounts:
        users = [Account(u.name, databases=u.databases) for u in self.users.values()]
        return Accounts([DatabaseAccount(d) for d in self.databases], users, self.root is not None)

    def fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class MemoryDatabases:
    def __init__(self, accounts: MemoryAccounts) -> None:
        self.accounts = accounts

    def create(self, databases: Sequence[DatabaseAccount]) -> None:
        if any(d.name in self.accounts.databases for d in databases):
            raise AlreadyExists
        self.accounts.databases += [d.name for d in databases]
        self.accounts.fail()

    def delete(self, name: str) -> None:
        if name not in self.accounts.databases:
            raise NotFound
        self.accounts.databases.remove(name)
        self.accounts.fail()


class MemoryUsers:
    def __init__(self, accounts: MemoryAccounts) -> None:
        self.accounts = accounts

    def create(self, users: Sequence[Account]) -> None:
        if any(u.name in self.accounts.users for u in users):
            raise AlreadyExists
        self.accounts.users |= {u.name: u for u in users}
        self.accounts.fail()

    def change_passwords(self, users: Sequence[Account]) -> None:
        for user in users:
            self._user(user).password = user.password
        self.accounts.fail()

    def update(
        self,
        user: Account,
        *,
        new_name: str | None = None,
        new_password: str | None = None,
        new_host: str | None = None,
    ) -> None:
        found = self._user(user)
        found.password = new_password or found.password
        if new_name:
            del self.accounts.users[user.name]
            found.name = new_name
            self.accounts.users[new_name] = found
        self.accounts.fail()

    def delete(self, user: Account) -> None:
        del self.accounts.users[self._user(user).name]
        self.accounts.fail()

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        found = self._user(user)
        found.databases = sorted({*found.databases, *databases})
        self.accounts.fail()

    def revoke(self, user: Account, database: str) -> None:
        found = self._user(user)
        if database not in found.databases:
            raise NotFound
        found.databases = [name for name in found.databases if name != database]
        self.accounts.fail()

    def _user(self, user: Account) -> Account:
        if user.name not in self.accounts.users:
            raise NotFound
        return self.accounts.users[user.name]


class MemoryRoot:
    def __init__(self, accounts: MemoryAccounts) -> None:
        self.accounts = accounts

    def enable(self, password: str) -> str:
        self.accounts.root = password
        self.accounts.fail()
        return "root"

    def disable(self) -> None:
        self.accounts.root = None
        self.accounts.fail()


def memory_datastore(driver: MemoryDriver, accounts: MemoryAccounts) -> Datastore:
    """A datastore with every part, on this driver and these accounts."""
    return Datastore(
        manifest_of("postgresql"),
        driver=lambda spec: driver,
        databases=lambda spec: MemoryDatabases(accounts),
        users=lambda spec: MemoryUsers(accounts),
        root=lambda spec: MemoryRoot(accounts),
        accounts=lambda spec: accounts.read(),
        tls=lambda spec: driver,
    )


def broken() -> Failed:
    return Failed("FATAL: no space left")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """As the provider and the control plane leave it."""
    place: dict[str, Any] = {
        name: str(tmp_path / name) for name in ("data", "run", "config", "logs", "binaries")
    }
    place |= {"manager": "postgresql", "address": "127.72.0.7", "port": 5432}
    (tmp_path / "place.json").write_text(json.dumps(place | {"memory": 256, "vcpus": 1, "x": 1}))
    start = {"conductor_url": "http://127.72.0.7:1", "token": "t", "authority": None}
    (tmp_path / "agent.json").write_text(json.dumps(start | {"instance_id": "i"}))
    return tmp_path


@pytest.fixture
def agent_directory(directory: Path) -> AgentDirectory:
    return AgentDirectory(directory)


@pytest.fixture
def driver() -> MemoryDriver:
    return MemoryDriver()


@pytest.fixture
def accounts() -> MemoryAccounts:
    return MemoryAccounts()
