"""The contract of datastores, as test classes that a package elsewhere runs on its own engine.

A package has `pytest_plugins = ["trove.testing.datastores"]` in its `conftest.py`, and there the
session fixtures `installation` and `client`; in a test module it derives a class from the contract
of each part that its datastore has: `class TestDriver(DriverContract): ...`.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from trove.datastores.base import Empty, Installation
from trove.datastores.configuration import usable_memory
from trove.datastores.parts import Part
from trove.datastores.process import exists, wait_until
from trove.errors import AlreadyExists, Failed, NotFound
from trove.protocol import Account, DatabaseAccount, EngineState
from trove.testing.authority import Authority
from trove.testing.engines import (
    IS_ROOT,
    Client,
    Engine,
    Refused,
    another_user,
    equip,
    free_address,
    make_engine,
    make_spec,
    prepared_engine,
    privileged,
    running_engine,
    short_directory,
    unprivileged,
)

PASSWORD = "pä'ss\"w\\ö%s`$;-- €"  # noqa: S105 - breaks what quotes it wrongly
OTHER = "another"


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def as_another_user() -> Iterator[None]:
    """Root is refused by drivers, so tests started by root become an unprivileged user."""
    with unprivileged():
        yield


@pytest.fixture(scope="session")
def shared(installation: Installation, client: Client, authority: Authority) -> Iterator[Engine]:
    """An engine that runs and keeps running; each test uses names of its own."""
    stack = ExitStack()
    with unprivileged():
        engine = stack.enter_context(running_engine(installation, client, authority))
    yield engine
    with unprivileged():
        stack.close()


@pytest.fixture(scope="session")
def prepared(installation: Installation, client: Client, authority: Authority) -> Iterator[Engine]:
    stack = ExitStack()
    with unprivileged():
        engine = stack.enter_context(prepared_engine(installation, client, authority))
    yield engine
    with unprivileged():
        stack.close()


@pytest.fixture
def idle(prepared: Engine, authority: Authority, as_another_user: None) -> Iterator[Engine]:
    """An engine that is prepared and does not run: a test may start and break it."""
    yield prepared
    prepared.driver.stop()
    equip(prepared, authority)
    prepared.driver.configure()


def account(name: str, *databases: str, password: str = PASSWORD) -> Account:
    return Account(name, None, list(databases), password)


def login_of(engine: Engine, name: str) -> dict[str, Any]:
    """A login with a database of this name, as far as the engine has users and databases."""
    if engine.has(Part.DATABASES):
        engine.parts.databases.create([DatabaseAccount(name)])
    if not engine.has(Part.USERS):
        return {}
    engine.parts.users.create([account(name, name)])
    return {"user": name, "password": PASSWORD, "database": name}


def users_of(engine: Engine) -> dict[str, list[str]]:
    return {u.name: sorted(u.databases) for u in engine.parts.accounts().users}


def databases_of(engine: Engine) -> list[str]:
    return [d.name for d in engine.parts.accounts().databases]


def has(engine: Engine, name: str, **login: Any) -> bool:
    with engine.connected(**login) as link:
        return engine.client.has(link, name)


def write(engine: Engine, name: str, **login: Any) -> None:
    with engine.connected(**login) as link:
        engine.client.write(link, name)


def refuses(engine: Engine, **login: Any) -> bool:
    """Whether the engine refuses this login."""
    try:
        with engine.connected(**login):
            return False
    except Refused:
        return True


def kill(engine: Engine) -> int:
    pid = engine.pid()
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: engine.driver.state() is EngineState.STOPPED, 10)
    return pid


@pytest.mark.engine
@pytest.mark.usefixtures("as_another_user")
class DriverContract:
    """What `Driver` promises; every datastore has one."""

    def test_a_run_from_preparation_to_stop(
        self, installation: Installation, client: Client, authority: Authority
    ) -> None:
        with prepared_engine(installation, client, authority) as engine:
            assert engine.driver.is_prepared()
            assert engine.driver.state() is EngineState.STOPPED
            assert not engine.driver.is_alive()
            engine.driver.start()
            assert engine.driver.state() is EngineState.RUNNING
            assert engine.driver.is_alive()
            assert engine.driver.version() == installation.version
            pid = engine.pid()
            make_engine(installation, engine.spec, client).driver.start()
            assert engine.pid() == pid, "a running engine is adopted"
            engine.driver.prepare(Empty())
            engine.driver.tend()
            assert engine.driver.state() is EngineState.RUNNING
            engine.driver.stop()
            assert engine.driver.state() is EngineState.STOPPED
            assert not exists(pid)
            engine.driver.stop()

    def test_half_made_data_is_made_again(
        self, installation: Installation, client: Client, authority: Authority
    ) -> None:
        with short_directory() as root:
            engine = make_engine(installation, make_spec(root, installation), client)
            equip(engine, authority)
            half: Path = engine.server.directory
            half.mkdir()
            (half / "half").write_text("half")
            assert not engine.driver.is_prepared()
            with pytest.raises(Failed, match="not complete"):
                engine.driver.start()
            engine.driver.prepare(Empty())
            engine.driver.configure()
            try:
                engine.driver.start()
                assert engine.driver.state() is EngineState.RUNNING
                assert not (half / "half").exists()
            finally:
                engine.driver.stop()

    @pytest.mark.skipif(not IS_ROOT, reason="needs root to show that root is refused")
    def test_root_is_refused(self, idle: Engine) -> None:
        with privileged():
            with pytest.raises(Failed, match="must not run as root"):
                idle.driver.prepare(Empty())
            with pytest.raises(Failed, match="must not run as root"):
                idle.driver.start()
        assert idle.driver.state() is EngineState.STOPPED

    @pytest.mark.skipif(not IS_ROOT, reason="needs root to become two users")
    def test_the_engine_of_another_user_is_not_overlooked(self, shared: Engine) -> None:
        """A user who cannot see into the process must not take it for stopped."""
        pid = shared.pid()
        with another_user():
            for refused in (shared.driver.stop, shared.driver.start):
                with pytest.raises(Failed, match=f"another user .process {pid}"):
                    refused()
        assert shared.driver.state() is EngineState.RUNNING

    def test_the_engine_is_detached_from_its_starter(self, shared: Engine) -> None:
        pid = shared.pid()
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1]
        assert os.getsid(pid) != os.getsid(0)
        assert int(parent) != os.getpid()

    def test_two_side_by_side(self, shared: Engine, idle: Engine) -> None:
        idle.driver.start()
        assert idle.spec.port == shared.spec.port
        login = login_of(idle, "side")
        write(idle, "side", **login)
        assert has(idle, "side", **login)
        if shared.has(Part.USERS):
            assert refuses(shared, **login)
        else:
            assert not has(shared, "side", **login)

    def test_a_killed_engine_starts_again(self, idle: Engine, shared: Engine) -> None:
        idle.driver.start()
        pid = kill(idle)
        # The pid is another engine's by now, as after a restart of a sandbox.
        for path in (idle.spec.data, idle.spec.run):
            for stale in (*path.rglob("*.pid"), *path.rglob(".*.lock")):
                stale.write_text(stale.read_text().replace(str(pid), str(shared.pid()), 1))
        assert idle.driver.state() is EngineState.STOPPED
        idle.driver.stop()
        idle.driver.start()
        assert idle.driver.state() is EngineState.RUNNING
        assert shared.driver.state() is EngineState.RUNNING

    def test_an_engine_that_hangs_is_blocked(self, shared: Engine) -> None:
        pid = shared.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            assert shared.driver.state() is EngineState.BLOCKED
            assert shared.driver.is_alive()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert wait_until(lambda: shared.driver.state() is EngineState.RUNNING, 10)

    def test_a_port_in_use_is_reported(self, idle: Engine) -> None:
        engine = idle.changed(address=free_address(idle.spec.port))
        engine.driver.configure()
        with socket.create_server((engine.spec.address, engine.spec.port)):
            with pytest.raises(Failed, match="(?i)address already in use"):
                engine.driver.start()
            assert engine.driver.state() is EngineState.STOPPED

    def test_a_missing_program_is_reported(
        self, idle: Engine, installation: Installation, client: Client
    ) -> None:
        with short_directory() as root:
            nowhere = root / "nowhere"
            spec = make_spec(root, installation, binaries=nowhere)
            for engine in (make_engine(installation, spec, client), idle.changed(binaries=nowhere)):
                with pytest.raises(Failed, match=rf"{nowhere}/\S+ is missing.*install the engine"):
                    engine.driver.prepare(Empty())
                    engine.driver.start()

    def test_the_smallest_memory_is_enough(self, idle: Engine) -> None:
        smallest = idle.manifest.smallest_memory
        engine = idle.changed(memory=smallest)
        engine.driver.configure()
        engine.driver.start()
        assert engine.memory() < usable_memory(smallest) << 20


@pytest.mark.engine
@pytest.mark.usefixtures("as_another_user")
class TlsContract:
    """What `Tls` promises: no connection without it, and certificates change meanwhile."""

    def test_tls_only_and_verified(self, shared: Engine) -> None:
        login = login_of(shared, "tls_name")
        assert not refuses(shared, **login)
        assert refuses(shared, **login, tls=False)
        other, known = Authority().pem(), shared.spec.authority.read_text()
        shared.spec.authority.write_text(other)
        try:
            assert refuses(shared, **login), "the client does not trust this authority"
        finally:
            shared.spec.authority.write_text(known)

    def test_another_certificate_is_taken_up(self, idle: Engine) -> None:
        idle.driver.start()
        login = login_of(idle, "renewed")
        Authority().equip(idle.spec)  # another authority: its certificate file is the new one
        idle.parts.tls.reload()
        assert wait_until(lambda: not refuses(idle, **login), 10)
        idle.driver.stop()
        idle.parts.tls.reload()

    def test_a_missing_certificate_is_reported(self, idle: Engine) -> None:
        idle.spec.certificate.unlink()
        with pytest.raises(Failed, match=r"server\.crt is missing"):
            idle.driver.start()


@pytest.mark.engine
@pytest.mark.usefixtures("as_another_user")
class DatabasesContract:
    """What `Databases` promises."""

    def test_databases_are_created_and_deleted(self, shared: Engine) -> None:
        databases = shared.parts.databases
        databases.create([DatabaseAccount("first"), DatabaseAccount("second")])
        assert {"first", "second"} <= set(databases_of(shared))
        with pytest.raises(AlreadyExists, match="'second'"):
            databases.create([DatabaseAccount("third"), DatabaseAccount("second")])
        assert "third" not in databases_of(shared), "nothing remains of a call that fails"
        with pytest.raises(AlreadyExists):
            databases.create([DatabaseAccount("twice"), DatabaseAccount("twice")])
        databases.delete("first")
        assert "first" not in databases_of(shared)
        with pytest.raises(NotFound, match="'first'"):
            databases.delete("first")

    def test_the_engines_own_databases_are_hidden(self, shared: Engine) -> None:
        reserved = shared.manifest.database_names.reserved
        for name in reserved:
            with pytest.raises(NotFound):
                shared.parts.databases.delete(name)
        assert not reserved & set(databases_of(shared))


@pytest.mark.engine
@pytest.mark.usefixtures("as_another_user")
class UsersContract:
    """What `Users` promises."""

    def test_a_user_works_in_the_granted_database_alone(self, shared: Engine) -> None:
        ann, eve = login_of(shared, "one_user"), login_of(shared, "other_user")
        assert users_of(shared)["one_user"] == ["one_user"]
        write(shared, "t", **ann)
        assert has(shared, "t", **ann)
        with pytest.raises(Exception):  # noqa: B017, PT011 - at the login or at the first use
            has(shared, "t", **(eve | {"database": "one_user"}))

    def test_users_are_created_all_or_none(self, shared: Engine) -> None:
        login_of(shared, "existing")
        with pytest.raises(AlreadyExists, match="existing"):
            shared.parts.users.create([account("fresh"), account("existing")])
        assert "fresh" not in users_of(shared)

    def test_passwords_change(self, shared: Engine) -> None:
        login = login_of(shared, "pass")
        shared.parts.users.change_passwords([account("pass", password=OTHER)])
        assert refuses(shared, **login)
        assert not refuses(shared, **(login | {"password": OTHER}))
        assert refuses(shared, **(login | {"password": ""}))
        with pytest.raises(NotFound, match="no_such"):
            shared.parts.users.change_passwords([account("pass"), account("no_such")])
        assert not refuses(shared, **(login | {"password": OTHER}))

    def test_a_user_is_renamed(self, shared: Engine) -> None:
        login, _ = login_of(shared, "old"), login_of(shared, "taken")
        with pytest.raises(AlreadyExists):
            shared.parts.users.update(account("old"), new_name="taken", new_password=OTHER)
        assert not refuses(shared, **login)
        with pytest.raises(NotFound):
            shared.parts.users.update(account("no_such"), new_name="x")
        shared.parts.users.update(account("old"), new_name="new")
        assert not refuses(shared, **(login | {"user": "new"}))
        shared.parts.users.update(account("new"), new_name="newer", new_password=OTHER)
        assert not refuses(shared, **(login | {"user": "newer", "password": OTHER}))
        assert users_of(shared)["newer"] == ["old"]

    def test_grants(self, shared: Engine) -> None:
        own, _ = login_of(shared, "grantee"), login_of(shared, "more")
        shared.parts.users.grant(account("grantee"), ["more"])
        shared.parts.users.grant(account("grantee"), ["more"])
        assert users_of(shared)["grantee"] == ["grantee", "more"]
        write(shared, "t", **(own | {"database": "more"}))
        shared.parts.users.revoke(account("grantee"), "more")
        assert users_of(shared)["grantee"] == ["grantee"]
        with pytest.raises(NotFound):
            shared.parts.users.revoke(account("grantee"), "more")
        with pytest.raises(NotFound):
            shared.parts.users.grant(account("no_such"), ["more"])

    def test_a_deleted_user_is_disconnected(self, shared: Engine) -> None:
        login = login_of(shared, "leaver")
        link = shared.connect(**login)
        shared.parts.users.delete(account("leaver"))
        with pytest.raises(Exception):  # noqa: B017, PT011 - each client library has its own
            for _ in range(50):
                shared.client.has(link, "t")
        shared.client.close(link)
        assert "leaver" not in users_of(shared)
        assert refuses(shared, **login)
        with pytest.raises(NotFound):
            shared.parts.users.delete(account("leaver"))

    def test_the_engines_own_users_are_hidden(self, shared: Engine) -> None:
        reserved = shared.manifest.user_names.reserved
        assert not reserved & set(users_of(shared))
        with pytest.raises(NotFound):
            shared.parts.users.delete(Account(shared.manifest.root_name or "os_admin"))


@pytest.mark.engine
@pytest.mark.usefixtures("as_another_user")
class RootContract:
    """What `Root` promises."""

    def test_root_is_locked_until_enabled(self, shared: Engine) -> None:
        root, name = shared.parts.root, shared.manifest.root_name
        for password in ("", name, PASSWORD):
            assert refuses(shared, user=name, password=password)
        assert not shared.parts.accounts().root_enabled
        assert root.enable(PASSWORD) == name
        assert shared.parts.accounts().root_enabled
        assert name not in users_of(shared)
        assert not refuses(shared, user=name, password=PASSWORD)
        assert root.enable(OTHER) == name
        assert not refuses(shared, user=name, password=OTHER)
        root.disable()
        assert not shared.parts.accounts().root_enabled
        assert refuses(shared, user=name, password=OTHER)
        root.disable()
