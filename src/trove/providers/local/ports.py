"""Whether a port can be had, and who has it."""

from __future__ import annotations

import socket
from pathlib import Path

from trove.processes import PROC, all_processes

# TCP_LISTEN, as /proc/net/tcp has it (include/net/tcp_states.h).
LISTENING = "0A"


def try_to_bind(address: str, port: int) -> None:
    """Bind as an engine would, and let go again; raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Else connections in TIME_WAIT, of an instance that has gone, would hold the port for long.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))


def holder_of_all(port: int, proc: Path = PROC) -> str | None:
    """The process that listens on this port of every address; None if there is none."""
    for table in ("tcp", "tcp6"):
        inode = _wildcard_inode(proc / "net" / table, port)
        if inode is not None:
            return _program_with(inode, proc) or "a program of another user"
    return None


def _wildcard_inode(table: Path, port: int) -> str | None:
    """From lines such as `0: 00000000:1538 00000000:0000 0A ...` the socket's inode."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return None
    for fields in map(str.split, lines):
        address, _, number = fields[1].partition(":")
        if fields[3] == LISTENING and int(number, 16) == port and not int(address, 16):
            return fields[9]
    return None


def _program_with(inode: str, proc: Path) -> str | None:
    holder = next((p for p in all_processes(proc) if p.has_socket(inode)), None)
    try:
        return f"{holder.name()} (process {holder.pid})" if holder else None
    except OSError:
        return None
