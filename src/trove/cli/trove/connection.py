"""How each engine's own client is started, and what a connection URL looks like.

Law: the client reads the password from its environment or prompts for it; it is never an argument.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlencode

from trove.client.errors import ClientError
from trove.client.token_cache import cache_directory
from trove.files import write_private

PASSWORD = "TROVE_DATABASE_PASSWORD"  # noqa: S105 - the variable, not the password


@dataclass(frozen=True)
class Connection:
    """Where a database is and who connects."""

    datastore: str
    address: str
    user: str
    database: str = ""
    port: int | None = None
    authority: str = ""
    """A file with the certificate of the authority to trust; empty for the system's."""

    @property
    def host(self) -> str:
        """As it stands in a URL."""
        return f"[{self.address}]" if ":" in self.address else self.address


@dataclass(frozen=True)
class Invocation:
    """A program to run: its words, and what its environment has beside ours."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


def psql(to: Connection, password: str) -> Invocation:
    # psql's own default, `prefer`, would take any certificate, or none.
    environment = {"PGSSLMODE": "verify-full"} | ({"PGPASSWORD": password} if password else {})
    if to.authority:
        environment["PGSSLROOTCERT"] = to.authority
    words = ["psql", "--host", to.address, "--port", str(to.port or 5432)]
    # psql would otherwise look for a database with the user's name.
    words += ["--username", to.user, "--dbname", to.database or "postgres"]
    return Invocation(tuple(words), environment)


def mariadb(to: Connection, password: str) -> Invocation:
    # Distributions have one of the two; newer packages of MariaDB warn at the name mysql.
    program = "mariadb" if shutil.which("mariadb") else "mysql"
    words = [program, "--host", to.address, "--port", str(to.port or 3306), "--user", to.user]
    # MySQL's client does not know MariaDB's option, nor the other way round. The name must be
    # verified too: the same authority signs for every tenant.
    is_mariadb = program == "mariadb"
    words += ["--ssl-verify-server-cert" if is_mariadb else "--ssl-mode=VERIFY_IDENTITY"]
    words += [f"--ssl-ca={to.authority}"] if to.authority else []
    # Without this word it would try without a password, not ask for one.
    words += [] if password else ["--password"]
    words += [to.database] if to.database else []
    return Invocation(tuple(words), {"MYSQL_PWD": password} if password else {})


def redis_cli(to: Connection, password: str) -> Invocation:
    words = ["redis-cli", "-h", to.address, "-p", str(to.port or 6379), "--tls"]
    words += ["--cacert", to.authority] if to.authority else []
    # The same with redis-cli, which asks only when it is told to.
    words += ["--user", to.user] + ([] if password else ["--askpass"])
    return Invocation(tuple(words), {"REDISCLI_AUTH": password} if password else {})


CLIENTS: dict[str, Callable[[Connection, str], Invocation]] = {
    "postgresql": psql,
    "mariadb": mariadb,
    "mysql": mariadb,
    "percona": mariadb,
    "redis": redis_cli,
    "valkey": redis_cli,
}
SCHEMES = {
    "postgresql": ("postgresql", 5432),
    "mariadb": ("mariadb", 3306),
    "mysql": ("mysql", 3306),
    "percona": ("mysql", 3306),
    "redis": ("rediss", 6379),
    "valkey": ("rediss", 6379),
}


def client_of(to: Connection) -> Invocation:
    """Raises ClientError when the engine has no client that we know."""
    make = CLIENTS.get(to.datastore)
    if make is None:
        raise ClientError(
            f"No client for {to.datastore} is known here; connect to {to.host}:{to.port} "
            "with the one of your choice."
        )
    return make(to, os.environ.get(PASSWORD, ""))


def url_of(to: Connection) -> str:
    """`postgresql://user@host:port/db?sslmode=verify-full&sslrootcert=FILE`"""
    scheme, port = SCHEMES.get(to.datastore, (to.datastore, to.port))
    database = quote(to.database or ("postgres" if scheme == "postgresql" else ""), safe="")
    url = f"{scheme}://{quote(to.user, safe='')}@{to.host}:{to.port or port}/{database}"
    query = _tls_query(scheme, to.authority)
    return f"{url}?{urlencode(query, safe='/')}" if query else url


def _tls_query(scheme: str, authority: str) -> dict[str, str]:
    if scheme == "postgresql":
        return {"sslmode": "verify-full"} | ({"sslrootcert": authority} if authority else {})
    # As MySQL's own programs have it in their URLs; without the mode they take any certificate.
    mode = {"ssl-mode": "VERIFY_IDENTITY"} if scheme in ("mariadb", "mysql") else {}
    return mode | ({"ssl-ca": authority} if authority else {})


def keep_authority(certificate: str) -> Path:
    """A file with this certificate that stays where it is, for clients and URLs to name."""
    # Named by its content: the authorities of two clouds do not overwrite each other.
    digest = hashlib.sha256(certificate.encode()).hexdigest()[:16]
    place = cache_directory(os.environ) / f"authority-{digest}.pem"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(place, certificate, durable=False)
    return place


def replace_process(invocation: Invocation) -> NoReturn:
    """Become the client; raises ClientError when it is not installed."""
    program = shutil.which(invocation.words[0])
    if program is None:
        raise ClientError(
            f"{invocation.words[0]} is not installed; install it (Debian, Ubuntu: apt install "
            "postgresql-client, mariadb-client or redis-tools), or use `trove url`."
        )
    # What Python still holds back would be lost with it.
    sys.stdout.flush()
    environment = {**os.environ, **invocation.environment}
    # The client has it under the name that it knows, and its own children need it not.
    environment.pop(PASSWORD, None)
    # In our place, not below us: so the terminal, its signals and the exit status are the client's.
    os.execve(program, invocation.words, environment)  # noqa: S606 - no shell, no secret in words
