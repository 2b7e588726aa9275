"""Real engines for tests: found on this machine, run by an unprivileged user, used by a client.

Law: what a test starts, it ends; engines live below one short directory, on 127.71.0.0/16.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from trove.datastores import datastore_of
from trove.datastores.base import Driver, Empty, Installation, Manifest
from trove.datastores.discovery import installed_engines
from trove.datastores.parts import Lazy, Part, Parts
from trove.datastores.process import engine_processes
from trove.datastores.server import Server
from trove.protocol.engine_spec import EngineSpec
from trove.testing.authority import Authority

IS_ROOT = os.geteuid() == 0
USER = pwd.getpwnam("nobody")


class Refused(Exception):
    """The engine did not accept this login."""


@dataclass(frozen=True)
class Login:
    """Who connects, and to which database; all empty for an engine without users."""

    user: str = ""
    password: str = ""
    database: str | None = None
    tls: bool = True


class Client(Protocol):
    """How a user's client works with the engine; an author of a datastore writes one.

    A connection is whatever `connect` returns; it is passed back as it is.
    """

    def connect(self, spec: EngineSpec, login: Login) -> Any:
        """With `tls`, over a connection verified by `spec.authority`; raises Refused."""

    def write(self, link: Any, name: str) -> None:
        """Store something under this name, such as an empty table or a key."""

    def has(self, link: Any, name: str) -> bool:
        """Whether something is stored under this name; any exception if the link is broken."""

    def close(self, link: Any) -> None: ...


@dataclass(frozen=True)
class Engine:
    """One engine of one version, with the means to use it."""

    installation: Installation
    spec: EngineSpec
    parts: Parts
    client: Client

    @property
    def driver(self) -> Driver:
        return self.parts.driver

    @property
    def manager(self) -> str:
        return self.installation.manager

    @property
    def manifest(self) -> Manifest:
        return self.parts.datastore.manifest

    def has(self, part: Part) -> bool:
        return self.parts.datastore.has(part)

    @property
    def server(self) -> Server:
        """The process: every driver has it as its attribute `server`."""
        found = getattr(self.driver, "server", None)
        assert isinstance(found, Server), "the driver needs an attribute `server`, a Server"
        return found

    def pid(self) -> int:
        pid = self.server.pid()
        assert pid is not None
        return int(pid)

    def memory(self) -> int:
        """Bytes that all its processes use, what they share counted once."""
        pids = engine_processes(self.server.program.name, self.server.directory)
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
        lines = [line for rollup in rollups for line in rollup.splitlines()]
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))

    def changed(self, **changes: Any) -> Engine:
        """The same engine with another spec, such as another `memory`."""
        spec = msgspec.structs.replace(self.spec, **changes)
        return make_engine(self.installation, spec, self.client)

    def connect(
        self,
        *,
        user: str = "",
        password: str = "",
        database: str | None = None,
        tls: bool | None = None,
    ) -> Any:
        """A connection of a user's client, over TLS where the engine has it; raises Refused."""
        encrypted = self.has(Part.TLS) if tls is None else tls
        return self.client.connect(self.spec, Login(user, password, database, encrypted))

    @contextmanager
    def connected(self, **login: Any) -> Iterator[Any]:
        link = self.connect(**login)
        try:
            yield link
        finally:
            self.client.close(link)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run as an unprivileged user, and come back; programs that are started meanwhile cannot.

    No more happens to a process that is not root, or is inside of another one of these.
    """
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setresgid(USER.pw_gid, USER.pw_gid, 0)
    os.setresuid(USER.pw_uid, USER.pw_uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


@contextmanager
def privileged() -> Iterator[None]:
    """Run as root again, inside of `unprivileged`."""
    os.setresuid(0, 0, 0)
    try:
        yield
    finally:
        os.setresuid(USER.pw_uid, USER.pw_uid, 0)


@contextmanager
def another_user() -> Iterator[None]:
    """Run as another unprivileged user, inside of `unprivileged`."""
    with privileged():
        os.setresuid(USER.pw_uid - 1, USER.pw_uid - 1, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)


def installations_of(*managers: str) -> list[Installation]:
    """Every version of these engines, or of all, those named by TROVE_ENGINES included."""
    found = [i for i in installed_engines() if not managers or i.manager in managers]
    for manager in {installation.manager for installation in found}:
        # Imported while everything can be read: another user may not read root's own Python.
        for part in vars(datastore_of(manager)).values():
            if isinstance(part, Lazy):
                part.resolve()
    "".encode("idna")
    return found


def free_address(port: int) -> str:
    """An address of the loopback network at which nothing listens on this port."""
    while True:
        address = f"127.71.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"
        with socket.socket() as probe, suppress(OSError):
            probe.bind((address, port))
            return address


def make_spec(
    root: Path, installation: Installation, *, address: str | None = None, **changes: Any
) -> EngineSpec:
    """Directories of an engine, as the provider makes them."""
    folders = {name: root / name for name in ("data", "run", "config", "logs")}
    for folder in folders.values():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = datastore_of(installation.manager).manifest.port
    values: dict[str, Any] = {
        "manager": installation.manager,
        "version": installation.version,
        "binaries": installation.directory,
        "address": address or free_address(port),
        "port": port,
        "memory": 512,
        "vcpus": 1,
        **folders,
    }
    return EngineSpec(**(values | changes))


def make_engine(installation: Installation, spec: EngineSpec, client: Client) -> Engine:
    return Engine(installation, spec, Parts(datastore_of(installation.manager), spec), client)


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory of the present user with a short name, for sockets."""
    path = Path(tempfile.mkdtemp(prefix="tv", dir="/tmp"))  # noqa: S108 - mkdtemp makes it private
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def prepared_engine(
    installation: Installation, client: Client, authority: Authority, **changes: Any
) -> Iterator[Engine]:
    """Prepared and configured, not yet started; ended and removed afterwards."""
    with short_directory() as root:
        engine = make_engine(installation, make_spec(root, installation, **changes), client)
        with ended_after(engine, authority):
            yield engine


def equip(engine: Engine, authority: Authority) -> None:
    """As the agent does: an engine without TLS gets no certificate."""
    if engine.has(Part.TLS):
        authority.equip(engine.spec)


@contextmanager
def ended_after(engine: Engine, authority: Authority) -> Iterator[None]:
    """Prepare and configure an engine, and end it afterwards."""
    equip(engine, authority)
    try:
        engine.driver.prepare(Empty())
        engine.driver.configure()
        yield
    finally:
        engine.driver.stop()
        root = engine.spec.data.parent
        assert not [*root.rglob("*.pid")], "an engine was left running"


@contextmanager
def running_engine(
    installation: Installation, client: Client, authority: Authority, **changes: Any
) -> Iterator[Engine]:
    with prepared_engine(installation, client, authority, **changes) as engine:
        engine.driver.start()
        yield engine
