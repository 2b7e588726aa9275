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
    "log_statement=none",
    "log_min_duration_statement=-1",
    "password_encryption=scram-sha-256",
    # For recovery after a crash, which a library of a tenant's must not hinder.
    "shared_preload_libraries=",
)
"""Settings for single statements, which must reach no log."""
REPAIR = """\
UPDATE pg_authid SET rolname = 'os_user_' || oid WHERE rolname = '{admin}' AND oid <> 10
UPDATE pg_authid SET rolname = '{admin}', rolsuper = true, rolinherit = true, \
rolcreaterole = true, rolcreatedb = true, rolcanlogin = true, rolreplication = true, \
rolbypassrls = true, rolconnlimit = -1, rolvaliduntil = NULL WHERE oid = 10
DELETE FROM pg_db_role_setting WHERE setrole = 10
CREATE DATABASE postgres TEMPLATE template0
UPDATE pg_database SET datallowconn = true, datconnlimit = -1 WHERE datname = 'postgres'
REVOKE ALL ON DATABASE postgres FROM PUBLIC
ALTER ROLE {admin} PASSWORD '{password}'
SELECT 'repaired ' || 'by the agent' FROM pg_authid WHERE oid = 10 AND rolsuper AND rolcanlogin \
AND rolname = '{admin}' AND rolpassword LIKE 'SCRAM-SHA-256$%'
"""
"""One statement a line. The role that initdb made has the id 10 whatever it is called now, and is
the superuser of a server without clients whatever it may do otherwise. The server puts the last
words together, so that no error which quotes them passes for their success."""
REPAIRED = "repaired by the agent"


def make(binaries: Path, directory: Path, *options: str) -> None:
    """By initdb, from nothing; not synced. Raises Failed."""
    program = process.program_of(binaries, INITDB[0])
    command = [str(program), *INITDB[1:], *options, "--no-sync", "--no-clean", str(directory)]
    process.run(command, "initdb", environment=ZONE)


def set_password(binaries: Path, directory: Path, password: str) -> None:
    """The superuser's, of letters and digits, - and _. Raises Failed."""
    statement = f"ALTER ROLE {ADMIN} PASSWORD '{_checked(password)}'\n"
    # It ends with 0 whatever became of the statement.
    if "ERROR" in _run_alone(binaries, directory, "postgres", statement):
        raise Failed("postgres --single did not set the administrator's password")


def repair(binaries: Path, directory: Path, password: str) -> None:
    """Give the administrator back its name, its rights, this password and its database.

    Nothing may run in the directory. Raises Failed.
    """
    statements = REPAIR.format(admin=ADMIN, password=_checked(password))
    # That a database exists already is an error, and no matter; so each is looked at in the end.
    said = _run_alone(binaries, directory, "template0", statements)
    if REPAIRED not in said:
        raise Failed("postgres --single did not repair the administrator's account")


def _run_alone(binaries: Path, directory: Path, database: str, statements: str) -> str:
    """Execute lines of SQL as a server of its own that takes no connections; what it said."""
    program = process.program_of(binaries, "postgres")
    options = [word for setting in ALONE for word in ("-c", setting)]
    command = [str(program), "--single", "-D", str(directory), *options, database]
    return process.run(command, "postgres --single", feed=statements, environment=ZONE)


def _checked(password: str) -> str:
    # Ours are (secrets.token_urlsafe); there is no driver here to quote another.
    if not is_plain(password):
        raise ValueError("a password that would have to be quoted")
    return password


def is_plain(password: str) -> bool:
    """Whether it is one that `set_password` takes."""
    return password.isascii() and password.replace("-", "").replace("_", "").isalnum()
