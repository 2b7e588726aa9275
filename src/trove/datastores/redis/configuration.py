"""Redis' settings, computed from its size."""

from __future__ import annotations

from trove.datastores import configuration
from trove.datastores.redis.access import FILE
from trove.datastores.redis.session import SOCKET
from trove.protocol.engine_spec import EngineSpec


def settings_of(spec: EngineSpec) -> dict[str, str]:
    """Every setting that differs from the engine's own, by name."""
    return configuration.settings_of(spec, sizes_of, _fixed(spec))


def sizes_of(usable: int, vcpus: int, volume: int) -> dict[str, str]:
    """Settings that follow from MiB of memory, processors and MiB of volume."""
    return {
        # The rest is for the process, the buffers of clients, fragmentation, and pages that are
        # written while a child saves.
        "maxmemory": f"{usable * 6 // 10}mb",
        "maxclients": str(min(10000, max(100, usable * 2))),
        # Threads help with TLS, from four processors on; see redis.conf.
        "io-threads": str(min(8, vcpus - 1) if vcpus >= 4 else 1),
    }


def render(settings: dict[str, str]) -> str:
    """The text of redis.conf."""
    lines = (f"{name} {_quoted(value)}" for name, value in sorted(settings.items()))
    return "# Written by the agent; changes are lost.\n" + "\n".join(lines) + "\n"


def _fixed(spec: EngineSpec) -> dict[str, str]:
    directory = spec.data / "redis"
    return {
        "dir": str(directory),
        "aclfile": str(directory / FILE),
        "pidfile": str(spec.run / "redis.pid"),
        "unixsocket": str(spec.run / SOCKET),
        "unixsocketperm": "700",
        "logfile": str(spec.logs / "redis.log"),
        "bind": spec.address,
        "port": "0",
        "tls-port": str(spec.port),
        "tls-cert-file": str(spec.certificate),
        "tls-key-file": str(spec.private_key),
        "tls-auth-clients": "no",
        "tls-protocols": "TLSv1.2 TLSv1.3",
        # It is about servers without a password that listen everywhere.
        "protected-mode": "no",
        "daemonize": "no",
        # The command line shows which configuration it is.
        "set-proc-title": "no",
        # Keys without an expiry are data, and are never evicted.
        "maxmemory-policy": "volatile-lru",
        # The log of commands loses at most a second; the snapshot is what it starts from.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "3600 1 300 100 60 10000",
    }


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
