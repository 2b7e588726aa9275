"""What Trove requires of a database engine: its manifest, its driver, and a Protocol for each part.

Law: errors of the engine become `Unavailable`, `Failed`, `Invalid`, `AlreadyExists` or `NotFound`
inside the datastore's folder. A part that an engine lacks is absent from its `Datastore` (see
`parts.py`); it is never a method that raises.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from trove.protocol import Account, DatabaseAccount, EngineState


@dataclass(frozen=True)
class NameRules:
    """What the engine allows as a name, checked before anything is written."""

    longest: int = 64
    """Bytes in UTF-8."""
    forbidden: str = ""
    """Characters that may not occur."""
    highest: str = "\U0010ffff"
    """The last character of Unicode that may."""
    reserved: frozenset[str] = frozenset()
    """Lower-case names that the engine or Trove uses for itself."""
    reserved_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Log:
    """One kind of log that the engine writes."""

    kind: str
    files: str
    """A pattern below the engine's directory of logs."""


@dataclass(frozen=True)
class Manifest:
    """What both sides need to know of an engine without importing it."""

    manager: str
    title: str
    port: int
    program: str
    """The server's program, by which an installation is recognised."""
    search: tuple[str, ...]
    """Glob patterns of directories that may hold the program, before those in PATH; a relative one
    is below any directory of Python's path, where wheels are installed."""
    other_programs: tuple[str, ...] = ()
    """Names of programs that do the same, used in directories that lack it."""
    packages: tuple[str, ...] = ()
    """Debian's packages with the server and the client."""
    logs: tuple[Log, ...] = ()
    series_parts: int = 2
    """Parts of a version that name its series, within which data files are compatible."""
    database_names: NameRules = NameRules()
    user_names: NameRules = NameRules()
    root_name: str = ""
    user_hosts: bool = False
    """Whether users have host patterns (`user@10.0.0.%`)."""
    smallest_memory: int = 64
    """MiB: a flavor with less is refused."""
    longest_password: int = 128
    character_sets: frozenset[str] | None = None
    """Lower-case names that may be requested; None means: the engine decides."""
    collations: str | None = None
    """A regular expression of the names that may be requested; None means: the engine decides."""
    own_collations: str | None = None
    """A regular expression of those that need no locale of the operating system, where the others
    do; None: none does."""
    newer_collations: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Regular expressions of further ones, and the versions that have them first."""
    url_scheme: str = ""
    client: str = ""
    """The command-line client, for `trove connect`."""
    # Found in the program itself: the other source (pg_config) is in another package on Debian.
    lacks_tls: bytes = b""
    """What stands in the program of a build without TLS; such a build is not offered."""
    has_tls: bytes = b""
    """What stands in the program of every build with TLS; others are not offered."""

    def program_in(self, directory: Path) -> Path:
        """The server's program in this directory; `program` if there is none."""
        names = (self.program, *self.other_programs)
        # Not `exists`, which raises for a directory of PATH that this user may not enter.
        found = next((name for name in names if os.access(directory / name, os.F_OK)), self.program)
        return directory / found


@dataclass(frozen=True)
class Installation:
    """One version of an engine that this machine has."""

    manager: str
    version: str
    """As the program says it, for example `15.20` or `10.11.19`."""
    directory: Path
    """Where its programs are."""


@dataclass(frozen=True)
class Empty:
    """New data, with nothing of tenants in it."""


Source = Empty
"""Where the data of a new engine comes from: the kinds of all that `Driver.prepare` takes."""


class Driver(Protocol):
    """The engine as a process. Every call may be repeated; all run as the engine's own user."""

    def prepare(self, source: Source) -> None:
        """Make the data directory from this source, unless it is complete.

        What a crash left half made is removed and made again.
        """

    def configure(self) -> None:
        """Write the configuration that follows from the spec; needs no running engine."""

    def start(self) -> None:
        """Start the engine detached from this process and return when it answers.

        Raises Failed with the first and last lines of the engine's log when it does not come up.
        """

    def stop(self) -> None:
        """Stop the engine and return when it is down; succeeds if it is."""

    def state(self) -> EngineState:
        """By connecting; within a few seconds, never raises.

        STOPPED without a process, also after a crash; STARTING while it refuses connections;
        BLOCKED if it takes one, or lets it hang, and does not answer; else RUNNING.
        """

    def is_alive(self) -> bool:
        """Whether its process is there; opens no connection, so that it may be called often."""

    def tend(self) -> None:
        """Keep what a running engine leaves behind, such as its logs, within bounds."""

    def version(self) -> str:
        """As the running engine says it."""

    def is_prepared(self) -> bool:
        """Whether the data directory is complete."""


@runtime_checkable
class Complains(Protocol):
    """A driver whose engine runs on when something is wrong, and refuses work."""

    def complaint(self) -> str | None:
        """What the running engine says is wrong, such as a full volume; soon, never raises."""


@runtime_checkable
class NotesWrites(Protocol):
    """A driver that sees from outside whether its engine has written."""

    def last_write(self) -> float | None:
        """When it was, by the files' own time; None if that cannot be seen.

        As long as this stays the same, databases, users and grants do; opens no connection.
        """


class Tls(Protocol):
    """Encrypted connections, with the certificate that lies in the engine's directory."""

    def reload(self) -> None:
        """Use the present certificate without ending connections; succeeds if nothing runs."""


class Databases(Protocol):
    """Databases of tenants on the running engine.

    Names are quoted by the means of the engine's client library.
    """

    def create(self, databases: Sequence[DatabaseAccount]) -> None:
        """All or none; raises AlreadyExists."""

    def delete(self, name: str) -> None:
        """Its grants go too, and connections to it end; raises NotFound."""


@runtime_checkable
class RepairsDatabases(Protocol):
    """Databases of an engine where a crash may leave one that exists and is not yet closed."""

    def repair(self, names: Sequence[str]) -> None:
        """Do again what follows the creation of each, if necessary."""


class Users(Protocol):
    """Users of tenants on the running engine, with their passwords and grants."""

    def create(self, users: Sequence[Account]) -> None:
        """All or none; raises AlreadyExists, and NotFound for a database."""

    def change_passwords(self, users: Sequence[Account]) -> None:
        """Raises NotFound before any is changed."""

    def update(
        self,
        user: Account,
        *,
        new_name: str | None = None,
        new_password: str | None = None,
        new_host: str | None = None,
    ) -> None:
        """Raises NotFound, and AlreadyExists for the new name."""

    def delete(self, user: Account) -> None:
        """Connections of the user end; what the user made stays. Raises NotFound."""

    def grant(self, user: Account, databases: Sequence[str]) -> None:
        """Succeeds if granted already; raises NotFound."""

    def revoke(self, user: Account, database: str) -> None:
        """Connections of the user to that database end; raises NotFound."""


class Root(Protocol):
    """The superuser that a tenant may enable."""

    def enable(self, password: str) -> str:
        """Unlock the superuser with this password; its name."""

    def disable(self) -> None:
        """Lock it and end its connections; succeeds if it is locked."""
