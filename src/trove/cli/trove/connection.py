"""How each engine's own client is started, and what a connection URL looks like.

Law: the client reads the password from its environment or prompts for it; it is never an argument.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, urlencode

from trove.client.errors import ClientError
from trove.client.token_cache import cache_directory
from trove.files import PRIVATE, ensure_directory, write_private

PASSWORD = "TROVE_DATABASE_PASSWORD"  # noqa: S105 - the variable, not the password


@dataclass(frozen=True)
class Connection:
    """Where a database is, who connects, and how, as the service describes it."""

    scheme: str
    """Of the URL."""
    client: str
    """The engine's own client program; empty when it has none."""
    address: str
    port: int | None
    """None for the default of the client."""
    user: str
    """Empty for an engine without users."""
    database: str = ""
    authority: str = ""
    """A file with the certificate of the authority to trust; empty for the system's."""

    @property
    def server(self) -> str:
        """Host and port as in a URL."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}" if self.port else host


@dataclass(frozen=True)
class Invocation:
    """A program to run: its words, and additions to its environment."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


def psql(to: Connection, password: str) -> Invocation:
    # The default of psql, `prefer`, would accept any certificate, or none.
    environment = {"PGSSLMODE": "verify-full"} | ({"PGPASSWORD": password} if password else {})
    if to.authority:
        environment["PGSSLROOTCERT"] = to.authority
    words = ["psql", "--host", to.address, *_option("--port", to.port)]
    words += ["--username", to.user, "--dbname", to.database]
    return Invocation(tuple(words), environment)


def mysql(to: Connection, password: str) -> Invocation:
    """The client of MySQL and its relatives, by the name that is installed."""
    is_mysql = shutil.which(to.client) is None
    program = "mysql" if is_mysql else to.client
    words = [program, "--host", to.address, *_option("--port", to.port), "--user", to.user]
    # Neither program knows the other's option. The name is verified too, because the same
    # authority signs for every tenant.
    words += ["--ssl-mode=VERIFY_IDENTITY" if program == "mysql" else "--ssl-verify-server-cert"]
    words += [f"--ssl-ca={to.authority}"] if to.authority else []
    # Without this option there would be no prompt.
    words += [] if password else ["--password"]
    words += [to.database] if to.database else []
    return Invocation(tuple(words), {"MYSQL_PWD": password} if password else {})


def redis_cli(to: Connection, password: str) -> Invocation:
    words = ["redis-cli", "-h", to.address, *_option("-p", to.port), "--tls"]
    words += _option("--cacert", to.authority)
    # Without --askpass there would be no prompt.
    words += ["--user", to.user] + ([] if password else ["--askpass"])
    return Invocation(tuple(words), {"REDISCLI_AUTH": password} if password else {})


def _option(flag: str, value: object) -> list[str]:
    return [flag, str(value)] if value else []


@dataclass(frozen=True)
class Client:
    """A client program, and the URLs of the engine that it belongs to."""

    invoke: Callable[[Connection, str], Invocation]
    database: str = ""
    """For users without a database; the client would use one with the name of the user."""
    tls: Mapping[str, str] = field(default_factory=dict)
    """The query that verifies the server and its name; URLs are unverified without it."""
    authority: str = ""
    """The parameter of the query for a file with the authority's certificate."""
    names_database: bool = True
    """Whether URLs name the database; the path of Redis' URLs is a number."""


MYSQL = Client(mysql, tls={"ssl-mode": "VERIFY_IDENTITY"}, authority="ssl-ca")
# The service names a program, but only these are run: it must not choose what runs here.
CLIENTS = {
    "psql": Client(psql, "postgres", {"sslmode": "verify-full"}, "sslrootcert"),
    "mariadb": MYSQL,
    "mysql": MYSQL,
    "redis-cli": Client(redis_cli, authority="ssl_ca_certs", names_database=False),
}
UNKNOWN = Client(lambda to, password: Invocation((), {}))


def client_of(to: Connection) -> Invocation:
    """Raises ClientError when there is no client program for the engine."""
    if to.client not in CLIENTS:
        raise ClientError(
            f"The service names no client program that is known here; connect to {to.server} "
            "with the one of your choice."
        )
    return CLIENTS[to.client].invoke(_with_database(to), os.environ.get(PASSWORD, ""))


def url_of(to: Connection) -> str:
    """`postgresql://user@host:port/db?sslmode=verify-full&sslrootcert=FILE`, or less of it."""
    client = CLIENTS.get(to.client, UNKNOWN)
    database = quote(_with_database(to).database, safe="")
    user = f"{quote(to.user, safe='')}@" if to.user else ""
    path = f"/{database}" if user or database else ""
    url = f"{to.scheme}://{user}{to.server}{path}"
    query = {**client.tls}
    if client.authority and to.authority:
        query[client.authority] = to.authority
    return f"{url}?{urlencode(query, safe='/')}" if query else url


def _with_database(to: Connection) -> Connection:
    client = CLIENTS.get(to.client, UNKNOWN)
    named = to.database if client.names_database else ""
    return replace(to, database=named or client.database)


def keep_authority(certificate: str) -> Path:
    """A permanent file with this certificate, for clients and URLs."""
    # Named by its content, because two clouds have different authorities.
    digest = hashlib.sha256(certificate.encode()).hexdigest()[:16]
    path = cache_directory(os.environ) / f"authority-{digest}.pem"
    if not path.exists():
        ensure_directory(path.parent, PRIVATE)
        write_private(path, certificate, durable=False)
    return path


def replace_process(invocation: Invocation) -> NoReturn:
    """Become the client; raises ClientError when it is not installed."""
    program = shutil.which(invocation.words[0])
    if program is None:
        raise ClientError(
            f"{invocation.words[0]} is not installed; install it (Debian, Ubuntu: apt install "
            "postgresql-client, mariadb-client or redis-tools), or use `trove url`."
        )
    # Buffered output would be lost.
    sys.stdout.flush()
    environment = {**os.environ, **invocation.environment}
    # The client has the password under another name; its children do not need it.
    environment.pop(PASSWORD, None)
    # In place of this process: the client has the terminal, its signals and the exit status.
    os.execve(program, invocation.words, environment)  # noqa: S606 - no shell, no secret in words
