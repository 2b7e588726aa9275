"""What others may do to operations: start, wake, cancel, supersede, wait for children.

Law: each of these is a guarded UPDATE or INSERT in the caller's own transaction, so none waits
for a step at work, and a step at work can not undo it. The one order in which rows are locked, as
runners do when they commit: operations, a parent before its children; then a project's quota; then
all else.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trove.db import Clock, Database, DatabaseClock, new_id, notify
from trove.engine.lease import end_of_steps
from trove.engine.operation import ACTIVE, TURNED_BACK_AT, Operation, State
from trove.engine.workflow import Wait, Workflow
from trove.errors import Conflict, Failed

DATABASE_CLOCK = DatabaseClock()
DUE = "operations due"
"""Announced to this process when an operation may have become due."""

TRIES = 5
"""How often a cancellation looks again at an operation that went on to its next step meanwhile."""


def start(  # noqa: PLR0913 - one keyword per column that a caller may set
    session: Session,
    workflow: Workflow[Any],
    subject_id: str,
    *,
    args: dict[str, Any] | None = None,
    parent: Operation | None = None,
    project_id: str | None = None,
    request_id: str | None = None,
    due_at: datetime | None = None,
    clock: Clock = DATABASE_CLOCK,
) -> Operation:
    """Begin a workflow in the caller's own transaction, not before `due_at`.

    Nor before the steps in flight of what was superseded on this subject are sure to be over,
    however long ago that was: a runner that is at work for longer holds it back.
    Raises IntegrityError at flush when the subject has an active operation already.
    """
    now = clock.now(session)
    operation = Operation(
        id=new_id(),
        workflow=workflow.name,
        subject_id=subject_id,
        active_subject_id=subject_id,
        parent_id=parent.id if parent else None,
        project_id=project_id or (parent.project_id if parent else None),
        request_id=request_id or (parent.request_id if parent else None),
        args=args or {},
        step=workflow.steps[0].name,
        step_since=now,
        due_at=max(due_at or now, end_of_steps(session, subject_id)),
        created_at=now,
        updated_at=now,
    )
    session.add(operation)
    notify(session, DUE)
    return operation


def wake(session: Session, operation_id: str, *, clock: Clock = DATABASE_CLOCK) -> None:
    """Something that an operation may be waiting for has happened."""
    session.execute(
        update(Operation)
        .where(Operation.id == operation_id, Operation.state.in_(ACTIVE))
        .values(due_at=clock.now(session), wakeups=Operation.wakeups + 1)
    )
    notify(session, DUE)


def active_of(session: Session, subject_id: str) -> Operation | None:
    """The operation that is at work on this subject, if any."""
    return session.scalars(
        select(Operation).where(Operation.active_subject_id == subject_id)
    ).first()


def supersede(session: Session, operation_id: str, *, clock: Clock = DATABASE_CLOCK) -> bool:
    """Take an operation and its children off their runners for good; whether it still went on.

    The steps that may be in flight can not commit any more, for the tokens that they hold are
    gone. What is started on the same subject waits until they are over.
    """
    return _take_off(session, operation_id, clock.now(session))


def cancel(  # noqa: PLR0913 - two keywords more than what it acts on
    session: Session,
    operation: Operation,
    workflow: Workflow[Any],
    *,
    reason: str = "cancelled on request",
    clock: Clock = DATABASE_CLOCK,
) -> None:
    """Turn an operation back; raises Conflict when it has ended or there is no way back.

    Its children are turned back before the first of its own steps is undone.
    """
    for _ in range(TRIES):
        step = _step_to_cancel(session, operation.id, workflow)
        if _turn_back(session, operation.id, step, reason, clock.now(session)):
            return
    raise Conflict(f"Operation {operation.id} goes from step to step too quickly; try again.")


def await_children(session: Session, operation: Operation) -> Wait | None:
    """Join: Wait while any child goes on; raises Failed when one of them failed."""
    children = session.scalars(select(Operation).where(Operation.parent_id == operation.id)).all()
    going = [child for child in children if child.is_active]
    if going:
        done = len(children) - len(going)
        return Wait(60, f"{done} of {len(children)} parts done", done / len(children))
    failed = [child for child in children if child.state != State.SUCCEEDED]
    if failed:
        raise Failed(
            "; ".join(f"{c.workflow} of {c.subject_id}: {c.error or c.state}" for c in failed)
        )
    return None


def call_children_back(
    database: Database,
    operation_id: str,
    workflows: Mapping[str, Workflow[Any]],
    *,
    patient: bool,
    clock: Clock = DATABASE_CLOCK,
) -> Wait | None:
    """Turn an operation's children back: Wait until none goes on any more.

    Those that have no way back are waited for while that is `patient`, and then superseded.
    """
    with database.begin() as session:
        going = session.scalars(_going_children_of(operation_id)).all()
    for child in going:
        _call_back(database, child, workflows.get(child.workflow), patient, clock)
    return Wait(60, f"{len(going)} parts are turning back") if going else None


def ensure_periodic(
    database: Database, workflow: Workflow[Any], *, clock: Clock = DATABASE_CLOCK
) -> None:
    """Start a periodic workflow unless it goes on already; many processes may call this."""
    subject = str(uuid.uuid5(uuid.NAMESPACE_URL, f"periodic:{workflow.name}"))
    try:
        with database.begin() as session:
            if active_of(session, subject) is None:
                start(session, workflow, subject, clock=clock)
    except IntegrityError:
        return


def _take_off(session: Session, operation_id: str, now: datetime) -> bool:
    """The parent first: what a step in flight has started is seen once its row is locked."""
    taken = session.execute(
        update(Operation)
        .where(Operation.id == operation_id, Operation.state.in_(ACTIVE))
        .values(
            state=State.SUPERSEDED,
            active_subject_id=None,
            lease_token=None,
            due_at=None,
            updated_at=now,
        )
    )
    children = select(Operation.id).where(Operation.parent_id == operation_id)
    for child in session.scalars(children.order_by(Operation.id)).all():
        _take_off(session, child, now)
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _step_to_cancel(session: Session, operation_id: str, workflow: Workflow[Any]) -> str:
    """Where it stands by now, whatever was read of it before."""
    standing = select(Operation.state, Operation.step).where(Operation.id == operation_id)
    state, step = session.execute(standing).one()
    if state != State.RUNNING:
        raise Conflict(f"Operation {operation_id} is {state}: nothing to cancel.")
    if not workflow.can_be_cancelled(workflow.index.get(step, 0)):
        raise Conflict(f"{workflow.name} can not be cancelled any more at {step}.")
    return step


def _turn_back(session: Session, operation_id: str, step: str, reason: str, now: datetime) -> bool:
    """Turn it back unless it does not stand at this step any more; says whether it did."""
    mine = update(Operation).where(Operation.id == operation_id)
    turned = session.execute(
        mine.where(Operation.state == State.RUNNING, Operation.step == step).values(
            state=State.UNDOING,
            cancelled=True,
            attempt=0,
            lease_token=None,
            error=reason,
            step_since=now,
            updated_at=now,
        )
    )
    if not turned.rowcount:  # type: ignore[attr-defined]
        return False
    # Read now that the row is locked: a step that waits may change its arguments until then.
    known = select(Operation.lease_until, Operation.args).where(Operation.id == operation_id)
    over, args = session.execute(known).one()
    session.execute(mine.values(due_at=max(over, now), args=args | {TURNED_BACK_AT: step}))
    return True


def _call_back(
    database: Database,
    child: Operation,
    workflow: Workflow[Any] | None,
    patient: bool,
    clock: Clock,
) -> None:
    """In a transaction of its own, so that no row is locked while its parent's is wanted."""
    with suppress(Conflict), database.begin() as session:
        if not patient:
            supersede(session, child.id, clock=clock)
        elif workflow:
            reason = "what it is a part of turned back"
            cancel(session, child, workflow, reason=reason, clock=clock)


def _going_children_of(operation_id: str) -> Select[Operation]:
    return select(Operation).where(Operation.parent_id == operation_id, Operation.state.in_(ACTIVE))
