"""Redis as a process: its server alone, or Valkey's, which differs in name only."""

from __future__ import annotations

import secrets
from signal import SIGKILL, SIGTERM

from trove.datastores.base import Driver, Source, Tls
from trove.datastores.redis import MANIFEST
from trove.datastores.redis.access import FILE, first_file
from trove.datastores.redis.configuration import render, settings_of
from trove.datastores.redis.session import (
    SOCKET,
    Refusal,
    connect,
    execute,
    query,
    secret_file,
    session,
)
from trove.datastores.server import Program, Server
from trove.errors import Failed, Unavailable
from trove.files import write_private
from trove.protocol import EngineState
from trove.protocol.engine_spec import EngineSpec

PING_SECONDS = 2


def create_driver(spec: EngineSpec) -> Driver:
    return RedisDriver(spec)


def create_tls(spec: EngineSpec) -> Tls:
    return RedisDriver(spec)


def program_at(spec: EngineSpec) -> Program:
    """One process, and for a while a child that writes a snapshot or a shorter log."""
    program = MANIFEST.program_in(spec.binaries)
    return Program(
        title=MANIFEST.title,
        name=program.name,
        # Debian's server is a link to the program that also checks data files.
        executable=program.resolve().name,
        directory="redis",
        configuration=spec.config / "redis.conf",
        pid_file=spec.run / "redis.pid",
        logs=MANIFEST.logs,
        # It saves on the way out.
        endings=[(SIGTERM, 120.0), (SIGKILL, 10.0)],
        stale=[spec.run / SOCKET],
    )


class RedisDriver:
    """See `trove.datastores.base.Driver`, and `Tls`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self.server = Server(spec, program_at(spec))

    def is_prepared(self) -> bool:
        return self.server.is_prepared()

    def prepare(self, source: Source) -> None:
        self.server.prepare(self._make)

    def configure(self) -> None:
        self.server.configure({"redis.conf": render(settings_of(self.spec))})

    def start(self) -> None:
        self.server.start([str(self.server.program.configuration)], self._is_ready)

    def stop(self) -> None:
        self.server.stop()

    def reload(self) -> None:
        """Use the present certificate; succeeds if the engine does not run."""
        if self.server.pid():
            files = ("tls-cert-file", str(self.spec.certificate))
            keys = ("tls-key-file", str(self.spec.private_key))
            with session(self.spec) as link:
                # Setting them reads the files again, though the names are the same.
                execute(link, ("CONFIG", "SET", *files, *keys))

    def state(self) -> EngineState:
        return self._ping() if self.server.pid() else EngineState.STOPPED

    def is_alive(self) -> bool:
        return self.server.pid() is not None

    def tend(self) -> None:
        self.server.trim_logs()

    def version(self) -> str:
        with session(self.spec) as link:
            lines = query(link, "INFO", "server").splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        # Valkey reports the version of Redis that it is compatible with besides.
        return str(facts.get("valkey_version") or facts["redis_version"])

    def complaint(self) -> str | None:
        """It refuses writes, and PING, as long as it cannot write its log or its snapshot."""
        try:
            with session(self.spec, seconds=PING_SECONDS) as link:
                query(link, "PING")
        except Failed as error:
            return str(error)
        except Unavailable:
            return None
        return None

    def _make(self) -> None:
        self.server.directory.mkdir(mode=0o700)
        password = secrets.token_urlsafe(32)
        write_private(secret_file(self.spec), password)
        write_private(self.server.directory / FILE, first_file(password))

    def _is_ready(self) -> bool:
        return self.server.pid() is not None and self._ping() is EngineState.RUNNING

    def _ping(self) -> EngineState:
        try:
            link = connect(self.spec, seconds=PING_SECONDS)
            try:
                link.call("PING")
            finally:
                link.close()
        except (FileNotFoundError, ConnectionRefusedError):
            return EngineState.STARTING
        except Refusal as error:
            return EngineState.STARTING if error.code == "LOADING" else EngineState.RUNNING
        except (OSError, Failed):
            return EngineState.BLOCKED
        return EngineState.RUNNING
