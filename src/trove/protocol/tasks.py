"""The tasks of an agent: one struct for each, with its result and its properties beside it.

A further task is a struct here (or in a package that the entry-point group `trove.tasks` names), a
function with `@handles` in the agent, and a step or a service that dispatches it.

Law: the name and the fields of a released task are never given another meaning. A field that is
added has a default, and so has every field of a result: agents of another release go without it.
"""

from __future__ import annotations

import enum
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from trove.entry_points import TASKS, loaded
from trove.errors import Failed, NotSupported
from trove.protocol.accounts import Account, Accounts, DatabaseAccount

R = TypeVar("R")
C_co = TypeVar("C_co", covariant=True)

USUAL_PATIENCE = 8.0


class Lane(enum.StrEnum):
    """Tasks of one lane run one after the other; what two lanes may do at once, the agent knows."""

    ENGINE = "engine"
    """Changes whether, or how, the engine runs."""
    ACCOUNTS = "accounts"
    """Short work on a running engine."""
    LONG = "long"
    """A process of its own, which outlives the agent's."""


class AgentTask(msgspec.Struct, Generic[C_co], frozen=True, omit_defaults=True):
    """What an agent can do. The fields are the arguments; C_co is the `Result`."""

    kind: ClassVar[str]
    """The name on the wire, in the journal and in the metadata database."""
    lane: ClassVar[Lane] = Lane.ACCOUNTS
    patience: ClassVar[float] = USUAL_PATIENCE
    """Seconds for which it is tried again while something that it needs is unavailable."""
    event: ClassVar[str | None] = None
    """The event that a request for it records; with `.error` behind it, the one of its failure."""
    repeatable: ClassVar[bool] = True
    """Whether an attempt may follow an interrupted one without knowing what was there before."""
    Result: ClassVar[type[Any]]


class Nothing(msgspec.Struct):
    """The result of a task that only has an effect."""


class AccountsNow(msgspec.Struct):
    """What there is in the engine once the task is done."""

    accounts: Accounts = msgspec.field(default_factory=Accounts)


class Prepared(AccountsNow):
    """What there is in the new engine."""

    engine_version: str | None = None


class RootEnabled(AccountsNow):
    """The name of the superuser, too."""

    name: str | None = None


class Diagnosis(msgspec.Struct):
    """Of the agent's machine and process; sizes in kB."""

    hwinfo: dict[str, int] = {}
    diagnostics: dict[str, str | int] = {}


class Prepare(AgentTask[Prepared], frozen=True):
    """Make and start the engine, with these databases and users."""

    kind: ClassVar = "prepare"
    lane: ClassVar = Lane.ENGINE
    patience: ClassVar = 600.0
    Result: ClassVar = Prepared

    memory: int | None = None
    """MiB."""
    vcpus: int | None = None
    databases: list[DatabaseAccount] = []
    users: list[Account] = []
    root_password: str | None = None


class Restart(AgentTask[Nothing], frozen=True):
    """Stop and start the engine."""

    kind: ClassVar = "restart"
    lane: ClassVar = Lane.ENGINE
    Result: ClassVar = Nothing


class Stop(AgentTask[Nothing], frozen=True):
    """Stop the engine and keep it stopped."""

    kind: ClassVar = "stop"
    lane: ClassVar = Lane.ENGINE
    Result: ClassVar = Nothing


class Start(AgentTask[Nothing], frozen=True):
    """Start the engine. No workflow uses it; agents of protocol 1 know it."""

    kind: ClassVar = "start"
    lane: ClassVar = Lane.ENGINE
    Result: ClassVar = Nothing


class Resize(AgentTask[Nothing], frozen=True):
    """Compute the configuration for this size and restart."""

    kind: ClassVar = "resize"
    lane: ClassVar = Lane.ENGINE
    Result: ClassVar = Nothing

    memory: int
    """MiB."""
    vcpus: int


class CreateDatabases(AgentTask[AccountsNow], frozen=True):
    """Create databases, all or none."""

    kind: ClassVar = "create_databases"
    event: ClassVar = "database.create"
    repeatable: ClassVar = False
    Result: ClassVar = AccountsNow

    databases: list[DatabaseAccount]


class DeleteDatabase(AgentTask[AccountsNow], frozen=True):
    """Delete a database with all that is in it."""

    kind: ClassVar = "delete_database"
    event: ClassVar = "database.delete"
    Result: ClassVar = AccountsNow

    name: str


class CreateUsers(AgentTask[AccountsNow], frozen=True):
    """Create users with their passwords and grants, all or none."""

    kind: ClassVar = "create_users"
    event: ClassVar = "user.create"
    repeatable: ClassVar = False
    Result: ClassVar = AccountsNow

    users: list[Account]


class UpdateUser(AgentTask[AccountsNow], frozen=True):
    """Change name, password or host of a user."""

    kind: ClassVar = "update_user"
    event: ClassVar = "user.update"
    Result: ClassVar = AccountsNow

    name: str
    host: str | None = None
    new_name: str | None = None
    new_password: str | None = None
    new_host: str | None = None


class ChangePasswords(AgentTask[AccountsNow], frozen=True):
    """Give users other passwords."""

    kind: ClassVar = "change_passwords"
    event: ClassVar = "user.change_password"
    Result: ClassVar = AccountsNow

    users: list[Account]


class DeleteUser(AgentTask[AccountsNow], frozen=True):
    """Delete a user."""

    kind: ClassVar = "delete_user"
    event: ClassVar = "user.delete"
    Result: ClassVar = AccountsNow

    name: str
    host: str | None = None


class Grant(AgentTask[AccountsNow], frozen=True):
    """Give a user access to databases."""

    kind: ClassVar = "grant"
    event: ClassVar = "user.grant"
    Result: ClassVar = AccountsNow

    name: str
    databases: list[str]
    host: str | None = None


class Revoke(AgentTask[AccountsNow], frozen=True):
    """Take the access to a database from a user."""

    kind: ClassVar = "revoke"
    event: ClassVar = "user.revoke"
    Result: ClassVar = AccountsNow

    name: str
    database: str
    host: str | None = None


class EnableRoot(AgentTask[RootEnabled], frozen=True):
    """Enable the engine's superuser with this password."""

    kind: ClassVar = "enable_root"
    event: ClassVar = "root.enable"
    Result: ClassVar = RootEnabled

    password: str


class DisableRoot(AgentTask[AccountsNow], frozen=True):
    """Disable the engine's superuser."""

    kind: ClassVar = "disable_root"
    event: ClassVar = "root.disable"
    Result: ClassVar = AccountsNow


class Diagnose(AgentTask[Diagnosis], frozen=True):
    """Describe the agent's machine and process."""

    kind: ClassVar = "diagnose"
    Result: ClassVar = Diagnosis


def tasks() -> dict[str, type[AgentTask[Any]]]:
    """Every task that is known to this process, by its kind."""
    return {task.kind: task for task in AgentTask.__subclasses__()}


def task_of(kind: str) -> type[AgentTask[Any]]:
    """The task of this kind; raises NotSupported.

    Other packages are looked for only when the kind is none of ours: that takes a while.
    """
    found = tasks().get(kind)
    if found is None:
        load_packages()
        found = tasks().get(kind)
    if found is None:
        raise NotSupported(f"no task is called {kind!r}")
    return found


def load_packages() -> None:
    """Import the tasks, and the handlers, of other packages."""
    loaded(TASKS)


def arguments_of(task: AgentTask[Any]) -> dict[str, Any]:
    """The arguments as they travel."""
    return dict(msgspec.to_builtins(task))


def result_of(task: AgentTask[R], result: dict[str, Any] | None) -> R:
    """What an agent returned; raises Failed when it is malformed."""
    try:
        converted: R = msgspec.convert(result or {}, task.Result)
    except msgspec.ValidationError as error:
        raise Failed(f"the agent's result of {task.kind!r} is malformed: {error}") from None
    return converted
