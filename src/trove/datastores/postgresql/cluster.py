"""A data directory ("database cluster") before its first start: made, and given its password."""

from __future__ import annotations

from pathlib import Path

from trove.datastores import process
from trove.datastores.postgresql import ADMIN, INITDB
from trove.errors import Failed

ZONE = {"TZ": "UTC"}
"""Without it, initdb compares every time zone of the machine with its clock."""
ALONE = (
    "fsync=off",
    "shared_buffers=1MB",
    # The seed's own, made for a log of 1 MB files, is refused with larger ones.
    "min_wal_size=80MB",
    "log_min_error_statement=panic",
    "password_encryption=scram-sha-256",
)
"""Settings for a single statement, which must reach no log."""


def make(binaries: Path, directory: Path, *options: str) -> None:
    """By initdb, from nothing; not synced. Raises Failed."""
    program = process.program_of(binaries, INITDB[0])
    command = [str(program), *INITDB[1:], *options, "--no-sync", "--no-clean", str(directory)]
    process.run(command, "initdb", environment=ZONE)


def set_password(binaries: Path, directory: Path, password: str) -> None:
    """The superuser's, of letters and digits, - and _. Raises Failed."""
    program = process.program_of(binaries, "postgres")
    options = [word for setting in ALONE for word in ("-c", setting)]
    command = [str(program), "--single", "-D", str(directory), *options, "postgres"]
    said = process.run(command, "postgres --single", feed=_statement(password), environment=ZONE)
    # It ends with 0 whatever became of the statement.
    if "ERROR" in said:
        raise Failed("postgres --single did not set the administrator's password")


def _statement(password: str) -> str:
    # Ours are (secrets.token_urlsafe); there is no driver here to quote another.
    if not password.replace("-", "").replace("_", "").isalnum():
        raise ValueError("a password that would have to be quoted")
    return f"ALTER ROLE {ADMIN} PASSWORD '{password}'\n"
