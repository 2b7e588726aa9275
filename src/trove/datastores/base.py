"""What Trove asks of a database engine, by capability.

Law: a capability that an engine lacks is absent from its manifest; it is never a method that
raises. Foreign errors become `Unavailable`, `Failed`, `Invalid`, `AlreadyExists` or `NotFound` at
the driver's edge.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from trove.protocol import Account, Accounts, DatabaseAccount, EngineState


class Capability(enum.StrEnum):
    """What an engine can do for tenants."""

    DATABASES = "databases"
    USERS = "users"
    ROOT = "root"
    TLS = "tls"


@dataclass(frozen=True)
class NameRules:
    """What the engine allows as a name, checked before anything is written."""

    longest: int
    """Bytes in UTF-8."""
    forbidden: str = ""
    """Characters that may not occur."""
    highest: str = "\U0010ffff"
    """The last character of Unicode that may."""
    reserved: frozenset[str] = frozenset()
    """Lower-case names that the engine, or Trove, keeps to itself."""
    reserved_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """What both sides need to know of an engine without importing it."""

    manager: str
    title: str
    port: int
    capabilities: frozenset[Capability]
    database_names: NameRules
    user_names: NameRules
    root_name: str
    program: str
    """The server's program, by which an installation is recognised."""
    search: tuple[str, ...]
    """Glob patterns of directories that may hold the program, before those in PATH; a relative one
    is below any directory of Python's path, where wheels are installed."""
    user_hosts: bool = False
    """Whether users have host patterns (`user@10.0.0.%`)."""
    smallest_memory: int = 64
    """MiB: a flavor with less is refused."""
    longest_password: int = 128
    character_sets: frozenset[str] | None = None
    """Lower-case names that may be asked for; None means: the engine decides."""
    collations_by_character_set: bool = False
    """Whether a collation's name begins with its character set's."""
    url_scheme: str = ""
    client: str = ""
    """The command-line client, for `trove connect`."""
    # The program itself is asked: what else tells (pg_config) is in another package on Debian.
    lacks_tls: bytes = b""
    """What stands in the program of a build without TLS; such a build is not offered."""
    seed: tuple[str, ...] = ()
    """One of the engine's programs and its options; given a directory besides, it makes a seed
    there: a data directory without any secret, which instances may begin with a copy of."""


@dataclass(frozen=True)
class Installation:
    """One version of an engine that this machine has."""

    manager: str
    version: str
    """As the program says it, for example `15.20` or `10.11.19`."""
    directory: Path
    """Where its programs are."""


@dataclass(frozen=True)
class Place:
    """Where one engine lives in its guest, and how large it may be."""

    binaries: Path
    """The directory of the engine's programs (`Installation.directory`)."""
    data: Path
    """The data volume; the engine's own directory is below it."""
    run: Path
    """Sockets and pid files; short enough for a socket path."""
    config: Path
    """Configuration, certificate and key; only the engine's user reads it."""
    logs: Path
    address: str
    port: int
    memory: int
    """MiB, the flavor's."""
    vcpus: int
    settings: dict[str, str] = field(default_factory=dict)
    """Further engine settings, which win over the computed ones."""
    seed: Path | None = None
    """What `Manifest.seed` has made, for everybody to read; None where nobody has."""

    @property
    def certificate(self) -> Path:
        return self.config / "server.crt"

    @property
    def private_key(self) -> Path:
        return self.config / "server.key"

    @property
    def authority(self) -> Path:
        return self.config / "ca.crt"


class Driver(Protocol):
    """The engine as a process. Every call may be repeated; all run as the engine's own user."""

    def install(self) -> None:
        """Make the data directory unless it is complete; what a crash left half made is redone."""

    def configure(self) -> None:
        """Write the configuration that follows from the place; needs no running engine."""

    def start(self) -> None:
        """Start the engine detached from this process and return when it answers.

        Raises Failed with the last lines of the engine's log when it does not come up.
        """

    def stop(self) -> None:
        """Stop the engine and return when it is down; content if it is."""

    def state(self) -> EngineState:
        """RUNNING, STARTING, STOPPED (not there) or BLOCKED, by asking it; soon, never raises."""

    def is_alive(self) -> bool:
        """Whether its process is there; asks it nothing, so that it may be called all the time."""

    def tend(self) -> None:
        """Keep what a running engine leaves behind, such as its logs, within bounds."""

    def version(self) -> str:
        """As the running engine says it."""

    def is_installed(self) -> bool: ...


# Asked for with isinstance; a method that raises would break the law above.
@runtime_checkable
class Reloads(Protocol):
    """A driver whose engine takes up a new certificate without ending connections.

    The others are restarted for it.
    """

    def reload(self) -> None: ...


class AccountKeeper(Protocol):
    """Databases, users, grants and root on the running engine.

    Identifiers are quoted by the database client's own means. `create_` of what exists raises
    AlreadyExists, and nothing of the call remains; a missing one raises NotFound.
    """

    def accounts(self) -> Accounts:
        """What tenants may see: without the engine's own, and Trove's own, names."""

    def create_databases(self, databases: Sequence[DatabaseAccount]) -> None: ...

    def delete_database(self, name: str) -> None: ...

    def create_users(self, users: Sequence[Account]) -> None: ...

    def change_passwords(self, users: Sequence[Account]) -> None: ...

    def update_user(
        self,
        user: Account,
        *,
        new_name: str | None = None,
        new_password: str | None = None,
        new_host: str | None = None,
    ) -> None: ...

    def delete_user(self, user: Account) -> None: ...

    def grant(self, user: Account, databases: Sequence[str]) -> None: ...

    def revoke(self, user: Account, database: str) -> None: ...

    def enable_root(self, password: str) -> str:
        """Let the engine's superuser in with this password; its name."""

    def disable_root(self) -> None: ...


@runtime_checkable
class Mends(Protocol):
    """Accounts of an engine where a crash may leave a database that is there and not yet closed."""

    def mend_databases(self, names: Sequence[str]) -> None:
        """Do what follows the making of each, again if need be."""
