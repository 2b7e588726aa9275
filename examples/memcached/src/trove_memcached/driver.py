"""memcached as a process. It reads no configuration file: its settings are its arguments."""

from __future__ import annotations

import socket
import ssl
from signal import SIGKILL, SIGTERM

from trove.datastores.base import Driver, Source, Tls
from trove.datastores.configuration import usable_memory
from trove.datastores.server import Program, Server
from trove.errors import Unavailable
from trove.protocol import EngineState
from trove.protocol.engine_spec import EngineSpec

SECONDS = 2


def create_driver(spec: EngineSpec) -> Driver:
    return MemcachedDriver(spec)


def create_tls(spec: EngineSpec) -> Tls:
    return MemcachedDriver(spec)


def sizes_of(usable: int, vcpus: int, volume: int) -> dict[str, str]:
    """Settings that follow from MiB of memory, processors and MiB of volume."""
    return {
        "memory-limit": str(usable * 7 // 10),
        "conn-limit": str(min(4096, usable * 2)),
        "threads": str(max(1, min(vcpus, 16))),
    }


def program_at(spec: EngineSpec) -> Program:
    pid_file = spec.run / "memcached.pid"
    return Program(
        title="memcached",
        name="memcached",
        directory="memcached",
        configuration=pid_file,  # the argument by which another user's process is known
        pid_file=pid_file,
        endings=[(SIGTERM, 10.0), (SIGKILL, 10.0)],
        is_alone=True,
    )


class MemcachedDriver:
    """See `trove.datastores.base.Driver`, and `Tls`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self.server = Server(spec, program_at(spec))

    def is_prepared(self) -> bool:
        return self.server.is_prepared()

    def prepare(self, source: Source) -> None:
        self.server.prepare(lambda: self.server.directory.mkdir(mode=0o700))

    def configure(self) -> None:
        """Nothing: `start` computes the arguments."""

    def start(self) -> None:
        files = {"ssl_chain_cert": self.spec.certificate, "ssl_key": self.spec.private_key}
        fixed = {
            "listen": self.spec.address,
            "port": str(self.spec.port),
            "udp-port": "0",
            "pidfile": str(self.server.program.pid_file),
            "extended": ",".join(f"{name}={path}" for name, path in files.items()),
        }
        # Of any volume: nothing is written to it.
        sizes = sizes_of(usable_memory(self.spec.memory), self.spec.vcpus, 0)
        settings = sizes | fixed | self.spec.settings
        options = [f"--{name}={value}" for name, value in settings.items()]
        self.server.start(["--enable-ssl", *options], self._is_ready)

    def stop(self) -> None:
        self.server.stop()
        # It removes the file itself only when it has detached itself.
        self.server.program.pid_file.unlink(missing_ok=True)

    def reload(self) -> None:
        """Use the present certificate; succeeds if memcached does not run."""
        if self.is_alive():
            self._answer(b"refresh_certs\r\n")

    def state(self) -> EngineState:
        if not self.is_alive():
            return EngineState.STOPPED
        try:
            self.version()
        except Unavailable as error:
            is_late = isinstance(error.__cause__, TimeoutError)
            return EngineState.BLOCKED if is_late else EngineState.STARTING
        return EngineState.RUNNING

    def is_alive(self) -> bool:
        return self.server.pid() is not None

    def tend(self) -> None:
        self.server.trim_logs()

    def version(self) -> str:
        return self._answer(b"version\r\n").split()[1]

    def _is_ready(self) -> bool:
        return self.state() is EngineState.RUNNING

    def _answer(self, command: bytes) -> str:
        """Raises Unavailable."""
        context = ssl.create_default_context()
        # Its own engine, which may still have the certificate of before.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        address = (self.spec.address, self.spec.port)
        try:
            with (
                socket.create_connection(address, SECONDS) as plain,
                context.wrap_socket(plain) as link,
            ):
                link.sendall(command)
                return link.recv(1024).decode()
        except OSError as error:
            raise Unavailable(f"memcached does not answer: {error}") from error
