"""MariaDB's settings, computed from its size."""

from __future__ import annotations

from trove.datastores import configuration
from trove.protocol.engine_spec import EngineSpec

AT_START = "at_start.sql"
"""What the server runs before it takes connections."""
OVERHEAD = 96
"""MiB that the engine needs before any buffer."""


def settings_of(spec: EngineSpec) -> dict[str, str]:
    """Every setting that differs from the engine's own, by name."""
    return configuration.settings_of(spec, sizes_of, _fixed(spec))


def sizes_of(usable: int, vcpus: int, volume: int) -> dict[str, str]:
    """Settings that follow from MiB of memory, processors and MiB of volume."""
    # The rest is for connections: sort and join buffers come on top, as they are used.
    buffers = max(32, (usable - OVERHEAD) * 6 // 10)
    # It has its full size from the start, on a volume that is the tenant's to fill.
    log = min(1024, max(16, min(buffers // 4, volume // 16)))
    connections = min(1000, max(25, usable // 8))
    return {
        "innodb_buffer_pool_size": f"{buffers}M",
        "innodb_log_file_size": f"{log}M",
        "innodb_read_io_threads": str(min(16, max(2, vcpus))),
        "innodb_write_io_threads": str(min(16, max(2, vcpus))),
        "max_connections": str(connections),
        "thread_cache_size": str(min(100, max(8, connections // 8))),
        "tmp_table_size": f"{max(4, min(64, usable // 64))}M",
        "max_heap_table_size": f"{max(4, min(64, usable // 64))}M",
        "key_buffer_size": f"{min(32, max(4, usable // 64))}M",
        "aria_pagecache_buffer_size": f"{min(128, max(8, usable // 32))}M",
        "table_open_cache": str(min(2000, max(200, usable // 2))),
    }


def render(settings: dict[str, str]) -> str:
    """The text of the option file."""
    lines = (f"{name} = {_quoted(value)}" for name, value in sorted(settings.items()))
    return "# Written by the agent; changes are lost.\n[mariadbd]\n" + "\n".join(lines) + "\n"


def _fixed(spec: EngineSpec) -> dict[str, str]:
    return {
        "datadir": str(spec.data / "mariadb"),
        "init_file": str(spec.config / AT_START),
        # On the volume: /tmp is in the server's memory, and counts as such.
        "tmpdir": str(spec.data / "mariadb-tmp"),
        "socket": str(spec.run / "mariadb.sock"),
        "pid_file": str(spec.run / "mariadb.pid"),
        "log_error": str(spec.logs / "mariadb.log"),
        "bind_address": spec.address,
        "port": str(spec.port),
        # A Unix socket counts as secure, so the administrator needs no TLS.
        "require_secure_transport": "ON",
        "ssl_cert": str(spec.certificate),
        "ssl_key": str(spec.private_key),
        "tls_version": "TLSv1.2,TLSv1.3",
        # Hosts of users are patterns of addresses: a DNS server must not decide who may log in.
        "skip_name_resolve": "ON",
        "character_set_server": "utf8mb4",
        # Whatever the zone of the machine is.
        "default_time_zone": "+00:00",
        "local_infile": "OFF",
        "symbolic_links": "OFF",
        # Or root, once enabled, reads the administrator's secret with LOAD_FILE.
        "secure_file_priv": str(spec.data / "mariadb-tmp"),
        "general_log": "OFF",
        "innodb_buffer_pool_dump_at_shutdown": "OFF",
        "performance_schema": "OFF",
        "slow_query_log": "ON",
        "slow_query_log_file": str(spec.logs / "mariadb-slow.log"),
        # Seconds.
        "long_query_time": "2",
        # For SSDs, which write more pages in a second than the rotating disks of the engine's own
        # defaults, and do not gain by neighbouring pages being written along.
        "innodb_io_capacity": "2000",
        "innodb_flush_neighbors": "0",
    }


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
