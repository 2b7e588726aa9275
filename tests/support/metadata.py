"""Empty metadata databases for tests: SQLite files, and PostgreSQL and MariaDB servers of our own.

A server is started when the first test needs it, as an unprivileged user, within this machine
alone, without fsync; it ends with the test session, or with the death of the test process.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.support import slot
from trove.db import Database

PATIENCE = 60.0
ENGINES = ("sqlite", "postgresql", "mariadb")


class NotInstalled(Exception):
    """The engine's programs are not on this machine."""


@dataclass
class Server:
    """One database server, ours alone."""

    name: str
    user: str
    """Whom it runs as, when we are root."""
    prepare: list[str]
    """The command that fills the empty data directory."""
    command: list[str]
    url_of: Callable[[str], str]
    stop_signal: signal.Signals
    root: Path
    socket: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        if not (self.root / "data").exists():
            self._prepare()
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(self._as_user(self.command), stdout=log, stderr=log)
        self._await_answer()

    def kill(self) -> None:
        """As a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(self.stop_signal)
        shutil.rmtree(self.root, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a database that was not there before."""
        name = f"t{uuid.uuid4().hex[:16]}"
        self._execute(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def _prepare(self) -> None:
        if os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            os.chown(self.root, account.pw_uid, account.pw_gid)
        with (self.root / "log").open("ab") as log:
            subprocess.run(self._as_user(self.prepare), stdout=log, stderr=log, check=True)

    def _as_user(self, command: list[str]) -> list[str]:
        drop = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            ids = ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid)]
            drop += [*ids, "--clear-groups"]
        return [*drop, *command]

    def _await_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = (self.root / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} did not start: {output}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.socket))
            self._execute("SELECT 1")
        except (OSError, OperationalError):
            return False
        return True

    def _execute(self, statement: str) -> None:
        engine = create_engine(self.url_of(""), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()

    def _end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


def postgresql_server() -> Server:
    """A PostgreSQL of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_major_of)
    on_path = shutil.which("postgres")
    if not found and not on_path:
        raise NotInstalled("no PostgreSQL server: apt-get install postgresql")
    programs = found[-1].parent if found else Path(str(on_path)).resolve().parent
    root = Path(tempfile.mkdtemp(prefix="trove-pg-", dir="/tmp"))
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(root),
        "fsync": "off",  # what the kernel has outlives a kill, and no test takes away the power
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "deadlock_timeout": "200ms",
        "client_encoding": "UTF8",
    }
    data = str(root / "data")
    chosen = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Server(
        name="postgresql",
        user="postgres",
        prepare=[
            str(programs / "initdb"),
            *("-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"),
        ],
        command=[str(programs / "postgres"), "-D", data, *chosen],
        url_of=lambda name: f"postgresql+psycopg://postgres@/{name or 'postgres'}?host={root}",
        stop_signal=signal.SIGQUIT,
        root=root,
        socket=root / ".s.PGSQL.5432",
    )


def mariadb_server() -> Server:
    """A MariaDB of the version that is installed, on a loopback address of this process's own.

    PyMySQL leaks the unix socket of a connection that it could not make.
    """
    programs = [shutil.which(name, path=_PATH) for name in ("mariadbd", "mariadb-install-db")]
    daemon, installer = programs
    if not daemon or not installer:
        raise NotInstalled("no MariaDB server: apt-get install mariadb-server")
    root = Path(tempfile.mkdtemp(prefix="trove-my-", dir="/tmp"))
    data, socket_path, address, password = (
        root / "data",
        root / "s",
        own_address(),
        uuid.uuid4().hex,
    )
    (root / "accounts.sql").write_text(
        f"CREATE USER IF NOT EXISTS trove@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO trove@'127.0.0.1';\n"
    )
    return Server(
        name="mariadb",
        user="mysql",
        prepare=[
            *(installer, "--no-defaults", f"--datadir={data}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        ],
        command=[
            *(daemon, "--no-defaults", f"--datadir={data}", f"--socket={socket_path}"),
            *(f"--bind-address={address}", f"--pid-file={root}/pid", "--max-connections=300"),
            *("--skip-name-resolve", f"--init-file={root}/accounts.sql"),
            *("--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M"),
            *("--innodb-doublewrite=0", "--sync-binlog=0", "--character-set-server=utf8mb4"),
        ],
        url_of=lambda name: f"mysql+pymysql://trove:{password}@{address}:3306/{name}",
        stop_signal=signal.SIGKILL,
        root=root,
        socket=socket_path,
    )


def own_address() -> str:
    """A loopback address that only this process takes."""
    return slot.address(60)


def need_server(make: Callable[[], Server]) -> Iterator[Server]:
    """A started server; skips when it is not installed, unless the tests require it."""
    try:
        server = make()
    except NotInstalled as missing:
        if os.environ.get("TROVE_TESTS_REQUIRE_ENGINES"):
            raise
        pytest.skip(str(missing))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    yield from need_server(postgresql_server)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    yield from need_server(mariadb_server)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/{uuid.uuid4().hex[:8]}.sqlite"


@pytest.fixture
def postgresql_url(postgresql: Server) -> str:
    return postgresql.new_database()


@pytest.fixture
def mariadb_url(mariadb: Server) -> str:
    return mariadb.new_database()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.engine),
        pytest.param("mariadb", marks=pytest.mark.engine),
    ]
)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty metadata database, on each of the three."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A metadata database with every table that was imported, on each of the three."""
    yield from made(database_url)


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """A metadata database for tests to which the engine makes no difference."""
    yield from made(sqlite_url)


def made(url: str) -> Iterator[Database]:
    opened = Database(url)
    opened.create_all()
    yield opened
    opened.dispose()


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin"


def _major_of(program: Path) -> float:
    return float(program.parent.parent.name)
