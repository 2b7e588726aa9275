"""PostgreSQL's settings, computed from its size."""

from __future__ import annotations

from trove.datastores import configuration
from trove.protocol.engine_spec import EngineSpec

# The first line that fits decides. `all` does not mean replication: no client may stream the log.
CLIENT_RULES = """\
# Written by the agent: the administrator comes through the socket alone, everybody else with TLS.
local    all  os_admin       scram-sha-256
local    all  all            reject
host     all  os_admin  all  reject
hostssl  all  all       all  scram-sha-256
"""


KEPT = (
    "hba_file",
    "ident_file",
    "listen_addresses",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
)
"""What a tenant's superuser must not set otherwise."""
JIT_VCPUS = 4
"""From so many processors on, a long query is worth the time of compiling it."""


def settings_of(spec: EngineSpec) -> dict[str, str]:
    """Every setting that differs from the engine's own, by name."""
    return configuration.settings_of(spec, sizes_of, _fixed(spec))


def reach_of(spec: EngineSpec) -> list[tuple[str, str]]:
    """Settings without which neither the agent nor clients reach the server as they should."""
    own = _fixed(spec)
    return [(name, own[name]) for name in KEPT]


def sizes_of(usable: int, vcpus: int, volume: int) -> dict[str, str]:
    """Settings that follow from MiB of memory, processors and MiB of volume."""
    connections = min(500, max(25, usable // 8))
    shared = usable // 4
    wal = min(4096, max(64, volume // 10))
    return {
        "max_connections": str(connections),
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{usable * 3 // 4}MB",
        # A query takes it once for each sort and hash, so a connection may have several.
        "work_mem": f"{max(1024, (usable - shared) * 1024 // (connections * 3))}kB",
        "maintenance_work_mem": f"{min(2048, max(16, usable // 16))}MB",
        "max_wal_size": f"{wal}MB",
        # At least 32 MB, two files of the log, or PostgreSQL does not start.
        "min_wal_size": f"{min(80, wal // 2)}MB",
        "max_worker_processes": str(max(8, vcpus)),
        "max_parallel_workers": str(max(2, vcpus)),
        "max_parallel_workers_per_gather": str(max(1, vcpus // 2)),
        "max_parallel_maintenance_workers": str(max(1, vcpus // 2)),
        "jit": "on" if vcpus >= JIT_VCPUS else "off",
    }


def render(settings: dict[str, str]) -> str:
    """The text of postgresql.conf."""
    lines = (f"{name} = {_quoted(value)}" for name, value in sorted(settings.items()))
    return "# Written by the agent; changes are lost.\n" + "\n".join(lines) + "\n"


def _fixed(spec: EngineSpec) -> dict[str, str]:
    return {
        "data_directory": str(spec.data / "postgresql"),
        "hba_file": str(spec.config / "pg_hba.conf"),
        "ident_file": str(spec.config / "pg_ident.conf"),
        "listen_addresses": spec.address,
        "port": str(spec.port),
        "unix_socket_directories": str(spec.run),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "ssl": "on",
        "ssl_cert_file": str(spec.certificate),
        "ssl_key_file": str(spec.private_key),
        "ssl_min_protocol_version": "TLSv1.2",
        "row_security": "on",
        "log_statement": "none",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
        "timezone": "UTC",
        # A file for each day of the week, truncated after a week; the driver trims a long one.
        "logging_collector": "on",
        "log_directory": str(spec.logs),
        "log_filename": "postgresql-%a.log",
        "log_file_mode": "0600",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
        # On by default since 15, a line every few minutes.
        "log_checkpoints": "off",
        # Milliseconds. Values of parameters may be as long as a row, and logs lie on the volume.
        "log_min_duration_statement": "2000",
        "log_parameter_max_length": "1024",
        # For SSDs, where a page anywhere costs hardly more than the next one, and many requests
        # at once no more than one. The engine's own defaults are for rotating disks.
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
    }


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
