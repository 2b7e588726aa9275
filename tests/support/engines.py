"""Real engines for tests: found on this machine, run by an unprivileged user, spoken to over TLS.

Law: what a test starts, it ends; engines live below one short directory, on 127.71.0.0/16.
"""

from __future__ import annotations

import importlib
import itertools
import os
import pwd
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import psycopg
import pymysql

from tests.support import slot
from tests.support.authority import Authority
from trove.datastores import datastore_of, manifest_of
from trove.datastores.base import Driver, Empty, Installation
from trove.datastores.discovery import installed_engines
from trove.datastores.parts import Lazy, Parts
from trove.datastores.process import engine_processes
from trove.protocol.engine_spec import EngineSpec

IS_ROOT = os.geteuid() == 0
USER = pwd.getpwnam("nobody")
_addresses = itertools.count(1)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody, and come back: programs that are started meanwhile can not come back."""
    if not IS_ROOT:
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
def someone_else() -> Iterator[None]:
    """Another unprivileged user for a moment, inside of `unprivileged`."""
    with privileged():
        os.setresuid(USER.pw_uid - 1, USER.pw_uid - 1, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)


@contextmanager
def privileged() -> Iterator[None]:
    """Root for a moment, inside of `unprivileged`."""
    os.setresuid(0, 0, 0)
    try:
        yield
    finally:
        os.setresuid(USER.pw_uid, USER.pw_uid, 0)


def engines_here() -> list[Installation]:
    """Every version of every engine, those named by TROVE_ENGINES included."""
    found = installed_engines()
    for manager in {installation.manager for installation in found}:
        # Loaded while everything can be read, for nobody may not read root's own Python.
        for part in vars(datastore_of(manager)).values():
            if isinstance(part, Lazy):
                part.resolve()
    "".encode("idna")
    return found


def module_of(manager: str, name: str) -> ModuleType:
    """A module of a datastore's folder."""
    return importlib.import_module(f"trove.datastores.{manager}.{name}")


def next_address() -> str:
    number = next(_addresses)
    return slot.address(71, number % 250 + 1)


@dataclass
class Engine:
    """One engine of one version, with the means to speak to it."""

    installation: Installation
    spec: EngineSpec
    parts: Parts

    @property
    def driver(self) -> Driver:
        return self.parts.driver

    @property
    def manager(self) -> str:
        return self.installation.manager

    def pid(self) -> int:
        pid = self.driver.server.pid()  # type: ignore[attr-defined]
        assert pid is not None
        return int(pid)

    def memory(self) -> int:
        """Bytes that all its processes use, what they share counted once."""
        server = self.driver.server  # type: ignore[attr-defined]
        pids = engine_processes(server.program.name, server.directory)
        rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
        return sum(
            int(line.split()[1]) << 10
            for r in rollups
            for line in r.splitlines()
            if line.startswith("Pss:")
        )

    def changed(self, **changes: Any) -> Engine:
        """The same engine with another spec, such as another `memory`."""
        return make_engine(self.installation, msgspec.structs.replace(self.spec, **changes))

    def query(
        self, text: str, *, user: str, password: str, database: str | None = None, tls: bool = True
    ) -> list[tuple[Any, ...]]:
        """What a tenant's client gets, over verified TLS unless told otherwise."""
        with self.connect(user=user, password=password, database=database, tls=tls) as link:
            cursor = link.cursor()
            cursor.execute(text)
            rows = list(cursor.fetchall()) if cursor.description else []
            link.commit()
            return rows

    def connect(
        self, *, user: str, password: str, database: str | None = None, tls: bool = True
    ) -> Any:
        return CONNECT[self.manager](self.spec, user, password, database, tls)


class Refused(Exception):
    """The engine did not let this user in."""


def make_spec(
    root: Path, installation: Installation, *, address: str | None = None, **changes: Any
) -> EngineSpec:
    """Directories of an engine, as the provider makes them."""
    folders = {name: root / name for name in ("data", "run", "config", "logs")}
    for folder in folders.values():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "manager": installation.manager,
        "version": installation.version,
        "binaries": installation.directory,
        "address": address or next_address(),
        "port": manifest_of(installation.manager).port,
        "memory": 512,
        "vcpus": 1,
        **folders,
    }
    return EngineSpec(**(values | changes))


def make_engine(installation: Installation, spec: EngineSpec) -> Engine:
    return Engine(installation, spec, Parts(datastore_of(installation.manager), spec))


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory of the present user with a short name, for sockets."""
    path = Path(tempfile.mkdtemp(prefix="tv", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


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


@contextmanager
def prepared_engine(
    installation: Installation, authority: Authority, **changes: Any
) -> Iterator[Engine]:
    """Installed and configured, not yet started; ended and removed afterwards."""
    with short_directory() as root, engine_in(root, installation, authority, **changes) as engine:
        yield engine


@contextmanager
def engine_in(
    root: Path, installation: Installation, authority: Authority, **changes: Any
) -> Iterator[Engine]:
    """Installed there and configured; ended afterwards."""
    engine = make_engine(installation, make_spec(root, installation, **changes))
    authority.equip(engine.spec)
    try:
        engine.driver.prepare(Empty())
        engine.driver.configure()
        yield engine
    finally:
        engine.driver.stop()
        assert not [*root.rglob("*.pid")], "an engine was left running"


@contextmanager
def running_engine(
    installation: Installation, authority: Authority, **changes: Any
) -> Iterator[Engine]:
    with prepared_engine(installation, authority, **changes) as engine:
        engine.driver.start()
        yield engine


def _connect_postgresql(
    spec: EngineSpec, user: str, password: str, database: str | None, tls: bool
) -> Any:
    options: Mapping[str, Any] = {
        "sslmode": "verify-full" if tls else "disable",
        "sslrootcert": str(spec.authority),
        "sslcert": "/nonexistent/client.crt",  # not the one of whoever runs the tests
        "gssencmode": "disable",
    }
    try:
        return psycopg.connect(
            host=spec.address,
            port=spec.port,
            user=user,
            password=password,
            dbname=database or "postgres",
            connect_timeout=10,
            **options,
        )
    except psycopg.OperationalError as error:
        raise Refused(str(error)) from None


def _connect_mariadb(
    spec: EngineSpec, user: str, password: str, database: str | None, tls: bool
) -> Any:
    context = ssl.create_default_context(cafile=str(spec.authority)) if tls else None
    try:
        return pymysql.connect(
            host=spec.address,
            port=spec.port,
            user=user,
            password=password.encode(),  # a text would be sent as latin1
            database=database,
            ssl=context,
            ssl_disabled=not tls,
            charset="utf8mb4",
            connect_timeout=10,
        )
    except pymysql.OperationalError as error:
        raise Refused(str(error)) from None


CONNECT: dict[str, Callable[[EngineSpec, str, str, str | None, bool], Any]] = {
    "postgresql": _connect_postgresql,
    "mariadb": _connect_mariadb,
}
