"""PostgreSQL as a process, by the two programs that every distribution has: initdb and postgres."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGQUIT

from psycopg import pq
from psycopg.conninfo import make_conninfo

from trove.datastores import process
from trove.datastores.base import Driver, Source, Tls
from trove.datastores.postgresql import MANIFEST, cluster
from trove.datastores.postgresql.configuration import CLIENT_RULES, reach_of, render, settings_of
from trove.datastores.postgresql.seed import create_seed
from trove.datastores.postgresql.session import (
    HARMED,
    Harmed,
    execute,
    is_harmed,
    query,
    secret_file,
    session,
)
from trove.datastores.server import Program, Server
from trove.errors import Failed
from trove.files import write_private
from trove.protocol import EngineState
from trove.protocol.engine_spec import EngineSpec
from trove.protocol.seeds import seed_for

log = logging.getLogger(__name__)

PING_SECONDS = 2


def create_driver(spec: EngineSpec) -> Driver:
    return PostgresDriver(spec)


def create_tls(spec: EngineSpec) -> Tls:
    return PostgresDriver(spec)


def program_at(spec: EngineSpec) -> Program:
    """The postmaster, whose children serve a connection each."""
    socket = spec.run / f".s.PGSQL.{spec.port}"
    return Program(
        title="PostgreSQL",
        name="postgres",
        directory="postgresql",
        configuration=spec.config / "postgresql.conf",
        pid_file=spec.data / "postgresql" / "postmaster.pid",
        logs=MANIFEST.logs,
        # Fast, then immediate shutdown. Not SIGTERM: it waits until every client has left.
        endings=[(SIGINT, 60.0), (SIGQUIT, 10.0), (SIGKILL, 10.0)],
        # A lock names a pid, which in a new sandbox may be anybody's: PostgreSQL would not start.
        stale=[socket, Path(f"{socket}.lock")],
    )


class PostgresDriver:
    """See `trove.datastores.base.Driver`, and `Tls`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self.server = Server(spec, program_at(spec))
        # Inside, so that it goes when the data directory is made again.
        self._arranged = self.server.directory / "trove.arranged"

    def is_prepared(self) -> bool:
        return self.server.is_prepared()

    def prepare(self, source: Source) -> None:
        self.server.prepare(self._make)

    def configure(self) -> None:
        settings = render(settings_of(self.spec))
        self.server.configure(
            {"postgresql.conf": settings, "pg_hba.conf": CLIENT_RULES, "pg_ident.conf": ""}
        )

    def start(self) -> None:
        """An administrator's account that a tenant's superuser has harmed is repaired."""
        self._launch()
        try:
            self.version()
        except Harmed:
            log.warning("the administrator's account is harmed: repairing it")
            self.server.stop()
            self._repair()
            self._launch()
            self.version()
        if not self._arranged.exists():
            self._arrange()

    def stop(self) -> None:
        self.server.stop()

    def reload(self) -> None:
        """Use the present certificate and settings; succeeds if it does not run."""
        pid = self.server.pid()
        if pid:
            os.kill(pid, SIGHUP)

    def state(self) -> EngineState:
        if not self.server.pid():
            return EngineState.STOPPED
        if self._status() != "ready":
            return EngineState.STARTING
        return self._ping()

    def complaint(self) -> str | None:
        """What the last login has found; the agent reads the accounts all the time."""
        return HARMED if is_harmed(self.spec) else None

    def is_alive(self) -> bool:
        return self.server.pid() is not None

    def tend(self) -> None:
        self.server.trim_logs()

    def last_write(self) -> float | None:
        """Every change of a catalog is in the write-ahead log before it counts."""
        return process.newest_change((self.server.directory / "pg_wal").iterdir())

    def version(self) -> str:
        with session(self.spec) as connection:
            return query(connection, "SHOW server_version")[0][0].split()[0]

    def _launch(self) -> None:
        program = self.server.program
        options = ["-D", str(self.server.directory), f"--config-file={program.configuration}"]
        # Before postgresql.auto.conf, which ALTER SYSTEM of a tenant's superuser writes.
        options += [word for setting in reach_of(self.spec) for word in ("-c", "=".join(setting))]
        self.server.start(options, self._is_ready)

    def _repair(self) -> None:
        """Also what a tenant's program, which runs as the agent's user, made of the password."""
        file = secret_file(self.spec)
        password = file.read_text() if file.is_file() else ""
        if not cluster.is_plain(password):
            password = secrets.token_urlsafe(32)
            write_private(file, password)
        cluster.repair(self.spec.binaries, self.server.directory, password)

    def _make(self) -> None:
        """Not synced, which `prepare` does for all of it at once."""
        binaries, directory, seed = self.spec.binaries, self.server.directory, seed_for(self.spec)
        password = secrets.token_urlsafe(32)
        write_private(secret_file(self.spec), password)
        if seed is None or not self._copy(seed, password):
            cluster.make(binaries, directory)
            cluster.set_password(binaries, directory, password)

    def _copy(self, seed: Path, password: str) -> bool:
        """Whether that went well; if not, nothing is left of it."""
        try:
            create_seed().copy(self.spec.binaries, seed, self.server.directory)
            cluster.set_password(self.spec.binaries, self.server.directory, password)
        except (Failed, OSError) as error:
            log.warning("the seed %s is of no use, so initdb runs: %s", seed, error)
            process.remove_tree(self.server.directory)
            return False
        return True

    def _is_ready(self) -> bool:
        return self._status() == "ready" and self.server.pid() is not None

    def _arrange(self) -> None:
        """Once, at the first start: the superuser for tenants, locked, and no grants to PUBLIC."""
        with session(self.spec) as connection:
            # It exists after an attempt that was killed before the marker was written.
            if not query(
                connection, "SELECT rolname::text FROM pg_roles WHERE rolname = 'postgres'"
            ):
                execute(connection, "CREATE ROLE postgres SUPERUSER CREATEDB CREATEROLE NOLOGIN")
            for database in ("postgres", "template1"):
                execute(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
        with process.failures_of(self.server.program.title):
            write_private(self._arranged, "")

    def _status(self) -> str:
        """The eighth line of the pid file: starting, ready, standby or stopping."""
        try:
            lines = self.server.program.pid_file.read_text().splitlines()
        except OSError:
            return ""
        return lines[7].strip() if len(lines) > 7 else ""

    def _ping(self) -> EngineState:
        host, port = str(self.spec.run), self.spec.port
        target = make_conninfo(host=host, port=port, connect_timeout=PING_SECONDS)
        # Needs no password, so that a server which refuses the login counts as running.
        answer = pq.PGconn.ping(target.encode())
        if answer == pq.Ping.OK:
            return EngineState.RUNNING
        return EngineState.STARTING if answer == pq.Ping.REJECT else EngineState.BLOCKED
