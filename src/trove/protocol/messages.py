"""The messages between conductor and agent, as JSON over HTTP(S).

Law: unknown fields are ignored and every field added after protocol 1 has a default, so that an
agent one release older, or newer, than the conductor works. A field is never given a new meaning.

| call (agent -> conductor)    | request            | answer            | authorised by          |
|------------------------------|--------------------|-------------------|------------------------|
| `POST /v1/enrol`             | EnrolRequest       | EnrolAnswer       | the one-time token     |
| `POST /v1/certificate`       | CertificateRequest | CertificateAnswer | `Authorization: Bearer`|
| `POST /v1/sync`              | SyncRequest        | SyncAnswer        | `Authorization: Bearer`|

`sync` is held open by the conductor for up to `SyncRequest.hold` seconds while it has no task to
give; results are acknowledged by the answer. 401 means: enrol again. 410 means: the instance was
deleted, stop for good. 426 means: this protocol is not supported any more. The arguments and
results of tasks are in `tasks.py`.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any

import msgspec

from trove.protocol.accounts import Accounts

PROTOCOL = 1
OLDEST_PROTOCOL = 1

# What a column holds: a guest that is taken over must not make the conductor's statements fail.
Protocol = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
Gigabytes = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class EngineState(enum.StrEnum):
    """The state of an engine, as its agent sees it."""

    NEW = "new"
    """Nothing is installed yet."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    """Stopped on purpose; of a driver: there is no process, for whatever reason."""
    CRASHED = "crashed"
    """Died, and is being restarted."""
    FAILED = "failed"
    """Does not come up."""
    BLOCKED = "blocked"
    """Runs, but takes no new connections."""
    RESTART_REQUIRED = "restart_required"


class ErrorKind(enum.StrEnum):
    """Why a task failed, so that the API can answer with the right error."""

    INVALID = "invalid"
    EXISTS = "exists"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    LATE = "late"
    """Not begun, and not to be begun: too late, or withdrawn before. Nothing was changed."""
    UNKNOWN = "unknown"
    """It began, and an interruption left open how far it came."""


class Report(msgspec.Struct, omit_defaults=True):
    """The current state: sent with every sync, at least every ten seconds."""

    # Not EngineState: a state that an older conductor does not know must not hide all else.
    engine: str = EngineState.NEW
    engine_version: str | None = None
    volume_used: Gigabytes | None = None
    """GiB of the data volume."""
    volume_total: Gigabytes | None = None
    accounts: Accounts | None = None
    """Only when they changed since the last answered report."""
    error: str | None = None
    """Why the engine does not run, when it should, or why it refuses work."""
    details: dict[str, Any] = {}


class TaskRequest(msgspec.Struct, omit_defaults=True):
    """A task to do; an agent that has done it already answers from its journal."""

    id: str
    # Neither the kind nor the arguments are typed here: a task that an older agent does not know
    # must fail alone, not with the whole answer. `tasks.py` has the types.
    kind: str
    args: dict[str, Any] = {}
    request_id: str | None = None
    begin_within: float | None = None
    """Seconds, counted from when the agent made the call that brings this task: if it has not begun
    by then, it is not begun, but answered with ErrorKind.LATE. None: whenever there is time."""


class TaskResult(msgspec.Struct, omit_defaults=True):
    """How a task ended: with a result, or with an error."""

    id: str
    result: dict[str, Any] | None = None
    error: str | None = None
    # Not ErrorKind, for the same reason the other way round.
    error_kind: str | None = None


class TaskProgress(msgspec.Struct, omit_defaults=True):
    """How far a task has come that is not done."""

    id: str
    progress: float = 0.0
    note: str | None = None


class EnrolRequest(msgspec.Struct, omit_defaults=True):
    """Trade the one-time token for a credential."""

    token: str
    protocol: Protocol = PROTOCOL
    agent_version: str | None = None
    credential: str | None = None
    """What the agent chose and wrote down before the call, so that a lost answer costs nothing: the
    same request is answered again. At least 32 characters; None leaves the choice to the
    conductor."""


class EnrolAnswer(msgspec.Struct, omit_defaults=True):
    """Who the agent is, and the credential that it shows from now on."""

    instance_id: str
    credential: str
    report_seconds: float = 10.0


class CertificateRequest(msgspec.Struct):
    """Request a server certificate; the private key stays where it was made."""

    csr: str
    """PEM. The conductor takes the public key only; names and addresses are the instance's."""


class CertificateAnswer(msgspec.Struct):
    """PEM each."""

    certificate: str
    authority: str
    renew_seconds: float = 30 * 86400.0
    """After how long the agent requests the next one."""


class SyncRequest(msgspec.Struct, omit_defaults=True):
    """The current state, and what was done since."""

    report: Report
    protocol: Protocol = PROTOCOL
    agent_version: str | None = None
    results: list[TaskResult] = []
    progress: list[TaskProgress] = []
    busy: list[str] = []
    """Ids of tasks that the agent has and works on: they need not be sent again."""
    accepts_withdrawal: bool = False
    """Whether it ends the tasks in `SyncAnswer.withdrawn`, and then calls them busy no more."""
    settling: list[str] | None = None
    """Withdrawn tasks whose results are still to come; None from an agent that reports none."""
    hold: float = 10.0
    """How many seconds the answer may take; 0 for an answer at once."""


class SyncAnswer(msgspec.Struct, omit_defaults=True):
    """What to do. Its arrival means that the results of the request are stored."""

    tasks: list[TaskRequest] = []
    report_seconds: float = 10.0
    withdrawn: list[str] = []
    """Ids of tasks that are to end, or not to begin. An agent that sends `settling` reports what
    became of each, also of those that it does not have."""
