"""Engines with an instance's settings and nothing else of Trove around them, and loads for them.

Law: an engine here is as an agent makes and configures it; only where it lies, and which settings
differ, is the caller's choice.
"""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.bare import NotThere
from benchmarks.table import Result
from trove.datastores import datastore_of
from trove.datastores.base import Empty
from trove.datastores.parts import Parts
from trove.protocol.engine_spec import EngineSpec
from trove.testing.authority import Authority
from trove.testing.engines import installations_of, make_spec, unprivileged

LIMIT = 600.0
"""Seconds for one run of a load."""


@dataclass(frozen=True)
class Endpoint:
    """Where an engine listens, and as whom a load connects; a directory as `host` is a socket's."""

    manager: str
    binaries: Path
    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)

    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PGPASSWORD": self.password,
            "MYSQL_PWD": self.password,
            # libpq uses no TLS on a socket.
            "PGSSLMODE": "prefer",
        }


@dataclass(frozen=True)
class Load:
    """One kind of work: prepared once, then measured as often as wanted, in units per second."""

    title: str
    manager: str
    prepare: Callable[[Endpoint], None]
    measure: Callable[[Endpoint], float]


def compared(  # noqa: PLR0913 - two sides, and what to say of them
    load: Load, ours: Endpoint, other: Endpoint, *, against: str, bar: float, rounds: int
) -> Result:
    """Both in turns, the best of each: what else the machine does only takes away from it."""
    load.prepare(ours)
    load.prepare(other)
    pairs = [(load.measure(ours), load.measure(other)) for _ in range(rounds)]
    new, old = (max(side) for side in zip(*pairs, strict=True))
    return Result(
        f"{load.manager}, {load.title}, best of {rounds}",
        f"{new:.0f}/s",
        f"{against} {old:.0f}/s",
        new / old,
        bar,
        at_least=True,
    )


@dataclass(frozen=True)
class Running:
    """An engine, by its administrator's socket and by TLS as its superuser for tenants."""

    socket: Endpoint
    network: Endpoint


@contextmanager
def running(
    manager: str, below: Path, settings: Mapping[str, str], memory: int = 1024, vcpus: int = 1
) -> Iterator[Running]:
    """The newest version of an engine, in a directory of its own; raises NotThere."""
    found = installations_of(manager)
    if not found:
        raise NotThere(f"{manager} is not installed")
    with _directory(below) as place, unprivileged():
        spec = make_spec(place, found[-1], settings=dict(settings), memory=memory, vcpus=vcpus)
        parts = Parts(datastore_of(manager), spec)
        Authority().equip(spec)
        parts.driver.prepare(Empty())
        parts.driver.configure()
        parts.driver.start()
        try:
            password = secrets.token_urlsafe(16)
            yield _endpoints(spec, parts.root.enable(password), password)
        finally:
            parts.driver.stop()


def tpcb(scale: int, clients: int, seconds: int) -> Load:
    """Small writing transactions, each of which waits until it is on the disk."""
    return _pgbench("TPC-B", scale, clients, seconds)


def selects(scale: int, clients: int, seconds: int) -> Load:
    """Reads of one row by its key."""
    return _pgbench("select", scale, clients, seconds, "--select-only")


def logins(seconds: int) -> Load:
    """A new connection for each read, one after the other."""
    return _pgbench("new connections", 1, 1, seconds, "--select-only", "--connect")


def queries(title: str, text: str, scale: int, clients: int, seconds: int) -> Load:
    """A query on pgbench's tables."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql", delete=False) as file:
        file.write(text)
    atexit.register(os.unlink, file.name)
    Path(file.name).chmod(0o644)
    return _pgbench(title, scale, clients, seconds, "-f", file.name)


def inserts(clients: int, queries: int) -> Load:
    """MariaDB: rows by a random key, each a transaction that waits until it is on the disk."""

    def measure(at: Endpoint) -> float:
        words = ["--auto-generate-sql-load-type=write", "--auto-generate-sql-guid-primary"]
        return queries / _slap(at, clients, queries, *words)

    return Load("inserts", "mariadb", lambda _: None, measure)


def updates(clients: int, queries: int) -> Load:
    """MariaDB: updates of rows by their key."""

    def measure(at: Endpoint) -> float:
        words = ["--auto-generate-sql-load-type=update", "--auto-generate-sql-add-autoincrement"]
        return queries / _slap(at, clients, queries, *words)

    return Load("updates", "mariadb", lambda _: None, measure)


def _pgbench(title: str, scale: int, clients: int, seconds: int, *words: str) -> Load:
    def prepare(at: Endpoint) -> None:
        _run(at, _pgbench_at(at, "-i", "-q", "-s", str(scale)))

    def measure(at: Endpoint) -> float:
        shape = ["-n", "-c", str(clients), "-j", "2", "-T", str(seconds), *words]
        said = _run(at, _pgbench_at(at, *shape))
        found = re.search(r"tps = ([\d.]+)", said)
        assert found, said
        return float(found[1])

    return Load(title, "postgresql", prepare, measure)


def _pgbench_at(at: Endpoint, *words: str) -> list[str]:
    program = str(at.binaries / "pgbench")
    return [program, "-h", at.host, "-p", str(at.port), "-U", at.user, *words, at.database]


def _slap(at: Endpoint, clients: int, queries: int, *words: str) -> float:
    """Seconds for all of them."""
    program = shutil.which("mariadb-slap")
    if program is None:
        raise NotThere("mariadb-slap is not installed")
    where = (
        [f"--socket={at.host}"]
        if at.host.startswith("/")
        else [f"--host={at.host}", f"--port={at.port}", "--ssl", "--disable-ssl-verify-server-cert"]
    )
    shape = [f"--concurrency={clients}", f"--number-of-queries={queries}", "--engine=innodb"]
    said = _run(
        at,
        [
            *[program, "--no-defaults", *where, f"--user={at.user}", "--auto-generate-sql"],
            *[*shape, "--create-schema=slap", *words],
        ],
    )
    found = re.search(r"Average number of seconds to run all queries: ([\d.]+)", said)
    assert found, said
    return float(found[1])


def _run(at: Endpoint, command: list[str]) -> str:
    done = subprocess.run(
        command, env=at.environ(), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr}")
    return done.stdout


def _endpoints(spec: EngineSpec, root: str, password: str) -> Running:
    secret = (spec.config / "os_admin.secret").read_text()
    sockets = {"mariadb": spec.run / "mariadb.sock"}
    host = str(sockets.get(spec.manager, spec.run))
    by_socket = Endpoint(
        spec.manager, spec.binaries, host, spec.port, "os_admin", "postgres", secret
    )
    return Running(by_socket, replace(by_socket, host=spec.address, user=root, password=password))


@contextmanager
def _directory(below: Path) -> Iterator[Path]:
    """Short, for a socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="tuned-", dir=below) as name:
        if os.geteuid() == 0:
            shutil.chown(name, "nobody", "nogroup")
        yield Path(name)
