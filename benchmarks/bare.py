"""The engines by themselves: made, started and queried once, with nothing of Trove around them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pymysql

from benchmarks.disk import PLACE

LIMIT = 120.0
"""Seconds until an engine has to answer."""


class NotThere(Exception):
    """This machine does not have the engine."""


@dataclass(frozen=True)
class BareEngine:
    """How to make, start, query and stop one engine in a directory of its own."""

    name: str
    make: Callable[[Path], list[str]]
    serve: Callable[[Path], list[str]]
    query: Callable[[Path], None]
    """Raises OSError or the driver's error until the engine answers."""
    stop: signal.Signals

    def run(self) -> float:
        """Seconds from nothing to the first answer; leaves nothing behind."""
        return self.run_from(time.monotonic())

    def run_from(
        self, begun: float, until: Callable[[], object] = lambda: None, below: Path = PLACE
    ) -> float:
        """Seconds from that moment to the first answer; `until` says when it may stop."""
        with _directory(below) as place:
            subprocess.run(_unprivileged(self.make(place)), check=True, stdout=subprocess.DEVNULL)
            with (place / "log").open("wb") as log:
                server = subprocess.Popen(_unprivileged(self.serve(place)), stdout=log, stderr=log)
            try:
                self._await_answer(place, server)
                taken = time.monotonic() - begun
                until()
                return taken
            finally:
                server.send_signal(self.stop)
                server.wait(timeout=LIMIT)

    def _await_answer(self, place: Path, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                return self.query(place)
            except (OSError, psycopg.Error, pymysql.Error):
                if server.poll() is not None or time.monotonic() > deadline:
                    print((place / "log").read_text(errors="replace")[-2000:])
                    raise
                time.sleep(0.01)


def postgresql() -> BareEngine:
    """The newest PostgreSQL of this machine. Raises NotThere."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major)
    initdb = found[-1] if found else _program("initdb")
    return BareEngine(
        "postgresql",
        make=lambda at: [str(initdb), "-D", str(at / "data"), "-A", "trust", "-U", "postgres"],
        serve=lambda at: [
            *[str(initdb.with_name("postgres")), "-D", str(at / "data"), "-k", str(at)],
            *["-c", "listen_addresses="],
        ],
        query=_query_postgresql,
        stop=signal.SIGINT,
    )


def mariadb() -> BareEngine:
    """MariaDB as this machine has it. Raises NotThere."""
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    return BareEngine(
        "mariadb",
        make=lambda at: [
            *[str(install), "--no-defaults", f"--datadir={at / 'data'}", f"--tmpdir={at}"],
            "--auth-root-authentication-method=normal",
        ],
        serve=lambda at: [
            *[str(server), "--no-defaults", f"--datadir={at / 'data'}", f"--tmpdir={at}"],
            *[f"--socket={at / 'socket'}", f"--pid-file={at / 'pid'}", "--skip-networking"],
        ],
        query=_query_mariadb,
        stop=signal.SIGTERM,
    )


ENGINES = {"postgresql": postgresql, "mariadb": mariadb}


def _query_postgresql(place: Path) -> None:
    with psycopg.connect(host=str(place), user="postgres", dbname="postgres") as connection:
        connection.execute("select 1").fetchone()


def _query_mariadb(place: Path) -> None:
    with pymysql.connect(unix_socket=str(place / "socket"), user="root") as connection:
        connection.cursor().execute("select 1")


def _program(name: str) -> Path:
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        raise NotThere(f"{name} is not installed")
    return Path(found)


def _major(program: Path) -> int:
    return int(program.parent.parent.name)


@contextmanager
def _directory(below: Path) -> Iterator[Path]:
    """Short, for a socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="bare-", dir=below) as name:
        if os.geteuid() == 0:
            account = pwd.getpwnam("nobody")
            os.chown(name, account.pw_uid, account.pw_gid)
        yield Path(name)


def _unprivileged(command: list[str]) -> list[str]:
    """Engines do not run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *command]
