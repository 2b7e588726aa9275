"""PostgreSQL's seed, and its copies.

A copy gets an identity of its own, in the way of PostgreSQL's own pg_createsubscriber: the control
file's first field, and then a new write-ahead log by pg_resetwal. A standby, or an archive of the
log, of one instance can so never be taken for another's.
"""

from __future__ import annotations

import secrets
import struct
import time
from pathlib import Path

from trove.datastores import process
from trove.datastores.postgresql import cluster
from trove.errors import Failed
from trove.protocol.seeds import Seed

# Everybody may read a seed; PostgreSQL refuses a data directory that others may read.
COPY = 'umask 077 && exec cp -R -- "$1" "$2"'
SEGMENT = 16
"""MiB of a file of the write-ahead log, as everywhere."""
SHORT_LOG = "--wal-segsize=1"
"""Of the seed's log, which no copy keeps."""
IDENTITY = struct.Struct("=Q")
CHECKSUM = struct.Struct("=I")
LONGEST_CONTROL = 512
"""Bytes: what is in use of the control file fits into one sector."""
POLYNOMIAL = 0x82F63B78
"""Of CRC-32C, bits reversed (RFC 3720, B.4)."""


def create_seed() -> Seed:
    return PostgresqlSeed()


class PostgresqlSeed:
    """See `trove.protocol.seeds.Seed`."""

    def make(self, binaries: Path, directory: Path) -> None:
        cluster.make(binaries, directory, SHORT_LOG)
        process.sync_tree(directory)

    def copy(self, binaries: Path, seed: Path, directory: Path) -> None:
        """Not synced."""
        process.run(["/bin/sh", "-c", COPY, "sh", str(seed), str(directory)], "cp")
        control = directory / "global" / "pg_control"
        control.write_bytes(with_new_identity(control.read_bytes()))
        # The old log has the seed's identity, and has files of another size.
        program = process.program_of(binaries, "pg_resetwal")
        process.run([str(program), f"--wal-segsize={SEGMENT}", str(directory)], "pg_resetwal")


def with_new_identity(control: bytes) -> bytes:
    """The content of pg_control with another system identifier; raises Failed for another format.

    The identifier is the first field, and a CRC-32C of all that is before it the last; where that
    is differs between versions, and is found by its being right.
    """
    end = _checksum_at(control)
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    # As PostgreSQL composes it (BootStrapXLOG); but for its last part, the pid, there is chance:
    # in sandboxes pids are alike.
    identity = seconds << 32 | nanoseconds // 1000 << 12 | secrets.randbits(12)
    body = IDENTITY.pack(identity) + control[IDENTITY.size : end]
    return body + CHECKSUM.pack(checksums(body)[-1]) + control[end + CHECKSUM.size :]


def _checksum_at(control: bytes) -> int:
    found = checksums(control[:LONGEST_CONTROL])
    for end in range(IDENTITY.size, min(len(control), LONGEST_CONTROL) - CHECKSUM.size):
        if CHECKSUM.unpack_from(control, end)[0] == found[end]:
            return end
    raise Failed("pg_control is not of a known format")


def checksums(data: bytes) -> list[int]:
    """The CRC-32C of the first 0, 1, 2 ... bytes."""
    register = 0xFFFFFFFF
    found = [0]
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (POLYNOMIAL if register & 1 else 0)
        found.append(register ^ 0xFFFFFFFF)
    return found
