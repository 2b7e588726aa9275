"""What agents send and receive: enrolment, tasks and their results.

Law: an agent is known by its credential alone, and the credential belongs to one instance; nothing
that an agent sends can name another. A task is answered once, the first answer stands, and the
operation that waits for it is woken in the same transaction.

A request that was refused is never done later: until a task is handed out it can be withdrawn; the
agent does not begin it after its deadline; what may have begun is answered as unknown, and what
became of it is an event.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, exists, or_, select, update
from sqlalchemy.orm import Session

from trove.db import Clock, Database, DatabaseNow
from trove.engine import ACTIVE, Operation, wake
from trove.errors import (
    AlreadyExists,
    Failed,
    Invalid,
    NotFound,
    NotSupported,
    TroveError,
    Unauthenticated,
    Unavailable,
)
from trove.models import Agent, Instance, Task
from trove.models.agent import digest_of
from trove.models.event import record_event
from trove.models.task import DISPATCHED, FORGOTTEN, find_task
from trove.notifications import notify
from trove.protocol import (
    EnrolRequest,
    ErrorKind,
    SyncRequest,
    TaskProgress,
    TaskRequest,
    TaskResult,
)
from trove.protocol.tasks import task_of
from trove.services.agent_reports import LONGEST_TEXT, cut, is_changed
from trove.services.installation import Installation
from trove.services.senders import identify
from trove.vault import Vault

SHORTEST_CREDENTIAL = 32

ERRORS: dict[str, type[TroveError]] = {
    ErrorKind.INVALID: Invalid,
    ErrorKind.EXISTS: AlreadyExists,
    ErrorKind.NOT_FOUND: NotFound,
    ErrorKind.UNAVAILABLE: Unavailable,
    ErrorKind.FAILED: Failed,
    ErrorKind.LATE: Unavailable,
    ErrorKind.UNKNOWN: Unavailable,
}

BEGIN_SHARE = 0.6
"""Of a request's time: in the rest, a task that began last can wait for a lock and say so."""
UNCONFIRMED = 30.0
"""Seconds for which the task of an operation may wait at its agent. Then it is not begun, but sent
again if it is still wanted: the operation may have been cancelled out of the agent's sight."""

__all__ = [
    "Enrolled",
    "OpenTask",
    "answer_of",
    "await_answer",
    "enrol",
    "expiry_of",
    "open_tasks",
    "raise_for",
    "receive",
]


@dataclass(frozen=True)
class Enrolled:
    """Who the agent is, and what it shows from now on."""

    instance_id: str
    credential: str


def enrol(session: Session, request: EnrolRequest, clock: Clock) -> Enrolled:
    """Trade the one-time token for a credential, once.

    An agent that names its own credential may repeat the request: a repeated request with the
    accepted credential gets the same answer. Raises Unauthenticated, Invalid, and NotFound when the
    instance has been deleted.
    """
    credential = request.credential or secrets.token_urlsafe(32)
    if len(credential) < SHORTEST_CREDENTIAL:
        raise Invalid("must have at least 32 characters", field="credential")
    if request.credential and _is_known(session, credential):
        return Enrolled(identify(session, credential), credential)
    instance_id = session.scalar(
        select(Agent.instance_id).where(
            Agent.enrolment_digest == digest_of(request.token),
            Agent.enrolment_expires_at > clock.now(session),
        )
    )
    if instance_id is None or not _spend(session, instance_id, request, credential):
        raise Unauthenticated("This enrolment token is unknown, used or too old.")
    return Enrolled(identify(session, credential), credential)


def receive(session: Session, instance_id: str, request: SyncRequest, clock: Clock) -> None:
    """Store the progress and results of an agent's tasks."""
    if not request.progress and not request.results:
        return
    pending = set(session.scalars(_pending(instance_id)))  # all else is not worth a statement
    for task_id, progress in {p.id: p for p in request.progress}.items():
        if task_id in pending:
            _keep_progress(session, instance_id, progress)
    for result in request.results:
        if result.id in pending:
            pending.remove(result.id)
            _keep_result(session, instance_id, result, clock)


class OpenTask(NamedTuple):
    """A task that something waits for."""

    instance_id: str
    id: str
    is_late: bool
    """Whether it may not be handed out any more; it may be under way."""


def open_tasks(session: Session, clock: Clock) -> Sequence[OpenTask]:
    """Every one, of all instances."""
    columns = (Task.instance_id, Task.id, Task.expires_at, DatabaseNow().label("now"))
    return [
        OpenTask(row.instance_id, row.id, _is_late(row.expires_at, clock.given(row.now)))
        for row in session.execute(_open(*columns).where(Task.abandoned_at.is_(None)))
    ]


def answer_of(  # noqa: PLR0913 - of what the agent's call says, what decides
    session: Session,
    vault: Vault,
    instance_id: str,
    clock: Clock,
    *,
    busy: Collection[str] = (),
    watched: Collection[str] = (),
    settling: Collection[str] | None = None,
    held: float = 0.0,
) -> tuple[list[TaskRequest], list[str]]:
    """What one agent is to do, the oldest first, without what it is `busy` with already; and what
    it is not to do any more: of the tasks that are `watched`, and all that were abandoned.

    `settling` are those that it will report of; None if it does not. `held` is how many seconds ago
    it made the call. A task that was sealed with another key fails here: its agent would never
    receive it.
    """
    rows = session.execute(
        _open(Task, DatabaseNow())
        .where(Task.instance_id == instance_id)
        .order_by(Task.created_at, Task.id)
    ).all()
    wanted = [(task, clock.given(now)) for task, now in rows if task.abandoned_at is None]
    requests = [
        _handed(session, vault, task, clock, held + _seconds_left(task, now))
        for task, now in wanted
        if task.id not in busy and not _is_late(task.expires_at, now)
    ]
    # Found among all open ones, not by `IN (busy)`: a guest that is taken over may send ids
    # without end.
    withdrawn = set(watched) - {task.id for task, _ in wanted}
    if settling is not None:
        withdrawn |= {task.id for task, _ in rows if task.abandoned_at is not None}
        withdrawn -= set(settling)
    return [request for request in requests if request is not None], sorted(withdrawn)


def expiry_of(inst: Installation, session: Session) -> datetime:
    """Until when the task of a request that arrives now may begin."""
    timeout = inst.settings.timing.agent_call_low_timeout
    return inst.clock.now(session) + timedelta(seconds=timeout * BEGIN_SHARE)


def await_answer(database: Database, task_id: str, timeout: float) -> Task:
    """The answered task; waits for up to `timeout` seconds.

    A task that is not answered in time is withdrawn, so that nothing happens hours later: it then
    has an error of the kind `late`. One that its agent may have begun is abandoned instead.
    """
    begun = time.monotonic()
    with database.notifications.watch(_answer_topic(task_id)) as notified:
        while True:
            # Before the look, so that an answer that comes after it ends the pause below.
            notified.clear()
            with database.session() as session:
                task = find_task(session, task_id)
            if task is None:
                raise NotFound(f"There is no task {task_id}.")
            if task.answered:
                return task
            waited = time.monotonic() - begun
            if waited >= timeout:
                return _withdraw(database, task_id, timeout)
            pause = database.notifications.pause_after(waited)
            notified.wait(min(pause, timeout - waited))


def raise_for(task: Task) -> None:
    """Raise the error that a task was answered with, if it was, or that it was not answered."""
    if task.error is not None:
        raise ERRORS.get(task.error_kind or ErrorKind.FAILED, Failed)(task.error)
    if not task.answered:
        raise Unavailable(_unknown(task))


def _is_known(session: Session, credential: str) -> bool:
    known = select(Agent.instance_id).where(Agent.credential_digest == digest_of(credential))
    return session.scalar(known) is not None


def _spend(session: Session, instance_id: str, request: EnrolRequest, credential: str) -> bool:
    """Use the token up; of two who try at the same moment, one succeeds."""
    spent = session.execute(
        update(Agent)
        .where(
            Agent.instance_id == instance_id,
            Agent.enrolment_digest == digest_of(request.token),
        )
        .values(
            enrolment_digest=None,
            enrolment_expires_at=None,
            credential_digest=digest_of(credential),
            protocol=request.protocol,
            version=cut(request.agent_version, 64),
        )
        .execution_options(synchronize_session=False)
    )
    return bool(spent.rowcount)  # type: ignore[attr-defined]


def _keep_progress(session: Session, instance_id: str, progress: TaskProgress) -> None:
    session.execute(
        _unanswered(instance_id, progress.id).values(
            progress=min(max(progress.progress, 0.0), 1.0), note=cut(progress.note, LONGEST_TEXT)
        )
    )


def _handed(
    session: Session, vault: Vault, task: Task, clock: Clock, seconds: float
) -> TaskRequest | None:
    """The task as it travels; None if it cannot be handed out."""
    try:
        secret = vault.open(task.sealed_args) if task.sealed_args else {}
    except Failed as error:
        result = TaskResult(task.id, error=error.message, error_kind=ErrorKind.FAILED)
        _keep_result(session, task.instance_id, result, clock)
        return None
    if task.expires_at is not None and task.handed_at is None:
        first = _unanswered(task.instance_id, task.id).values(handed_at=clock.stamp())
        # Its caller may have given up at this moment, and been answered that nothing happens.
        if not is_changed(session, first):
            return None
    args = (task.args or {}) | secret
    return TaskRequest(task.id, task.kind, args, task.request_id, begin_within=seconds)


def _seconds_left(task: Task, now: datetime) -> float:
    return UNCONFIRMED if task.expires_at is None else (task.expires_at - now).total_seconds()


def _is_late(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at <= now


def _is_sent_again(session: Session, task_id: str, clock: Clock) -> bool:
    """Whether a task that its agent found too old is still wanted."""
    open_task = _open(Task).where(Task.id == task_id, Task.abandoned_at.is_(None))
    task = session.scalar(open_task)
    return task is not None and not _is_late(task.expires_at, clock.now(session))


def _keep_result(session: Session, instance_id: str, result: TaskResult, clock: Clock) -> None:
    """The first answer stands; an operation that has ended since then is not changed."""
    if result.error_kind == ErrorKind.LATE and _is_sent_again(session, result.id, clock):
        return
    answer = _unanswered(instance_id, result.id).values(
        answered=True,
        sealed_args=FORGOTTEN,
        result=result.result,
        error=cut(result.error, LONGEST_TEXT),
        error_kind=cut(result.error_kind, 32),
        progress=1.0,
        note=None,
        answered_at=clock.stamp(),
    )
    if not is_changed(session, answer):
        return
    task = session.get_one(Task, result.id)
    if task.operation_id is not None:
        wake(session, task.operation_id, clock=clock)
        return
    notify(session, _answer_topic(task.id))
    if result.error is not None:
        _record(session, task, "error", error=result.error)
    elif task.abandoned_at is not None:
        _record(session, task, "end")


def _record(session: Session, task: Task, what: str, **payload: str) -> None:
    """The request recorded an event when it dispatched the task: this one says what became of it,
    `error` or, after `unknown`, `end`."""
    event = _event_of(task.kind)
    if event is not None:
        record_event(
            session,
            f"{event}.{what}",
            project_id=session.get_one(Instance, task.instance_id).project_id,
            subject_id=task.instance_id,
            request_id=task.request_id,
            payload=payload,
        )


def _event_of(kind: str) -> str | None:
    """None for a task of another release, too."""
    try:
        return task_of(kind).event
    except NotSupported:
        return None


def _pending(instance_id: str) -> Select[str]:
    return select(Task.id).where(Task.instance_id == instance_id, Task.answered.is_(False))


def _unanswered(instance_id: str, task_id: str) -> Any:
    return (
        update(Task)
        .where(Task.id == task_id, Task.instance_id == instance_id, Task.answered.is_(False))
        .execution_options(synchronize_session=False)
    )


def _open(*what: Any) -> Select[Any]:
    """Unanswered tasks of requests, abandoned ones too, and of operations that still wait for
    them."""
    waits = exists().where(
        Operation.id == Task.operation_id,
        Operation.state.in_(ACTIVE),
        # One that turned back waits for what its undos dispatch. NULL is of an older release.
        or_(Task.operation_state.is_(None), Task.operation_state == Operation.state),
    )
    return select(*what).where(Task.answered.is_(False), or_(Task.operation_id.is_(None), waits))


def _withdraw(database: Database, task_id: str, timeout: float) -> Task:
    with database.begin() as session:
        task = session.get_one(Task, task_id)
        error = (
            f"The instance's agent did not answer within {timeout:g} seconds, and the change was "
            "not made; look at the instance, and try again."
        )
        unanswered = _unanswered(task.instance_id, task_id)
        withdrawn = unanswered.where(Task.handed_at.is_(None)).values(
            answered=True,
            sealed_args=FORGOTTEN,
            error=error,
            error_kind=ErrorKind.LATE,
            answered_at=DatabaseNow(),
        )
        abandoned = unanswered.values(abandoned_at=DatabaseNow(), sealed_args=FORGOTTEN)
        if is_changed(session, withdrawn):
            _record(session, task, "error", error=error)
        elif is_changed(session, abandoned):
            _record(session, task, "unknown", error=_unknown(task))
        notify(session, DISPATCHED)
        session.refresh(task)
    return task


def _unknown(task: Task) -> str:
    event = _event_of(task.kind)
    later = (
        f"an event {event}.end or {event}.error will say so" if event else "nothing depends on it"
    )
    return (
        "The instance's agent did not answer in time after it had received the task, so it is not "
        f"known whether it is done{later}. Look at the instance before trying again."
    )


def _answer_topic(task_id: str) -> str:
    return f"answer to task {task_id}"
