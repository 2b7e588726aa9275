"""An agent's directory, and an engine and accounts that are kept in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from trove.errors import AlreadyExists, Failed, NotFound, TroveError
from trove.guestagent.state import Home
from trove.protocol import Account, Accounts, DatabaseAccount, EngineState


class MemoryDriver:
    """An engine that can be told how to behave."""

    def __init__(self) -> None:
        self.now = EngineState.STOPPED
        self.calls: list[str] = []
        self.asked = self.tended = 0
        self.start_error: TroveError | None = None
        self.version_error: TroveError | None = None

    def install(self) -> None:
        self.calls.append("install")

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
        self.asked += 1
        return self.now

    def is_alive(self) -> bool:
        return self.now is not EngineState.STOPPED

    def tend(self) -> None:
        self.tended += 1

    def version(self) -> str:
        if self.version_error:
            raise self.version_error
        return "15.2"

    def is_installed(self) -> bool:
        return "install" in self.calls


class ReloadingDriver(MemoryDriver):
    """One whose engine need not be restarted for a certificate."""

    def reload(self) -> None:
        self.calls.append("reload")


class MemoryKeeper:
    """Accounts that are kept in memory."""

    def __init__(self) -> None:
        self.databases: list[str] = []
        self.users: dict[str, Account] = {}
        self.root: str | None = None
        self.errors: list[Exception] = []
        """Raised one by one, each after the call had its effect."""

    def accounts(self) -> Accounts:
        users = [Account(u.name, databases=u.databases) for u in self.users.values()]
        return Accounts([DatabaseAccount(d) for d in self.databases], users, self.root is not None)

    def create_databases(self, databases: Sequence[DatabaseAccount]) -> None:
        if any(d.name in self.databases for d in databases):
            raise AlreadyExists
        self.databases += [d.name for d in databases]
        self._break()

    def delete_database(self, name: str) -> None:
        if name not in self.databases:
            raise NotFound
        self.databases.remove(name)
        self._break()

    def create_users(self, users: Sequence[Account]) -> None:
        if any(u.name in self.users for u in users):
            raise AlreadyExists
        self.users |= {u.name: u for u in users}
        self._break()

    def change_passwords(self, users: Sequence[Account]) -> None:
        for user in users:
            self._user(user).password = user.password
        self._break()

    def update_user(
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
            del self.users[user.name]
            found.name = new_name
            self.users[new_name] = found
        self._break()

    def delete_user(self, user: Account) -> None:
        del self.users[self._user(user).name]
        self._break()

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        found = self._user(user)
        found.databases = sorted({*found.databases, *databases})
        self._break()

    def revoke(self, user: Account, database: str) -> None:
        found = self._user(user)
        if database not in found.databases:
            raise NotFound
        found.databases = [name for name in found.databases if name != database]
        self._break()

    def enable_root(self, password: str) -> str:
        self.root = password
        self._break()
        return "root"

    def disable_root(self) -> None:
        self.root = None
        self._break()

    def _user(self, user: Account) -> Account:
        if user.name not in self.users:
            raise NotFound
        return self.users[user.name]

    def _break(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


def broken() -> Failed:
    return Failed("FATAL: no space left")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """As the provider and the control plane leave it."""
    place = {name: str(tmp_path / name) for name in ("data", "run", "config", "logs", "binaries")}
    place |= {"manager": "postgresql", "address": "127.72.0.7", "port": 5432}
    (tmp_path / "place.json").write_text(json.dumps(place | {"memory": 256, "vcpus": 1, "x": 1}))
    start = {"conductor_url": "http://127.72.0.7:1", "token": "t", "authority": None}
    (tmp_path / "agent.json").write_text(json.dumps(start | {"instance_id": "i"}))
    return tmp_path


@pytest.fixture
def home(directory: Path) -> Home:
    return Home(directory)


@pytest.fixture
def driver() -> MemoryDriver:
    return MemoryDriver()


@pytest.fixture
def keeper() -> MemoryKeeper:
    return MemoryKeeper()
