"""What others may do to operations: start, wake, cancel, supersede, wait for children.

Law: each of these is a guarded UPDATE or INSERT in the caller's own transaction, so none waits
for a running step, and a running step cannot revert it. Rows are locked in one order, here and
when runners commit, so that no two transactions wait for each other: operations, a parent before
its children; then claimed resources, in their own order; then a project's quota; then all else.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from trove.db import Clock, Database, DatabaseClock, JsonObject, new_id
from trove.engine.claims import Claim, ClaimRequest, acquire, in_order, release
from trove.engine.lease import end_of_steps
from trove.engine.operation import ACTIVE, Operation, State
from trove.engine.workflow import Wait, Workflow
from trove.errors import Conflict, Failed, ResourceBusy
from trove.notifications import notify

DATABASE_CLOCK = DatabaseClock()
DUE = "operations due"
"""Topic of the notification that an operation may have become due."""

TRIES = 5
"""How often a cancellation retries on an operation that proceeded to its next step meanwhile."""


def start(  # noqa: PLR0913 - one keyword per column that a caller may set
    session: Session,
    workflow: Workflow[Any],
    subject_id: str,
    *,
    args: JsonObject | msgspec.Struct | None = None,
    sealed: str | None = None,
    claims: Iterable[ClaimRequest] = (),
    parent: Operation | None = None,
    project_id: str | None = None,
    request_id: str | None = None,
    due_at: datetime | None = None,
    clock: Clock = DATABASE_CLOCK,
) -> Operation:
    """Start a workflow in the caller's own transaction, not before `due_at`.

    It claims the subject, as the workflow says, and the further `claims`. It does not begin before
    the running steps of superseded operations on these resources have ended, however long ago
    they were superseded: a runner that still executes one delays it.
    Raises ResourceBusy when another operation has a claim that excludes one of these.
    """
    now = clock.now(session)
    wanted = in_order([ClaimRequest(subject_id, workflow.claim), *claims])
    operation = Operation(
        id=new_id(),
        workflow=workflow.name,
        subject_id=subject_id,
        parent_id=parent.id if parent else None,
        project_id=project_id or (parent.project_id if parent else None),
        request_id=request_id or (parent.request_id if parent else None),
        args=msgspec.to_builtins(args) if args else {},
        sealed=sealed,
        step=workflow.steps[0].name,
        step_since=now,
        due_at=due_at or now,
        created_at=now,
        updated_at=now,
    )
    session.add(operation)
    session.flush()  # before its claims: the order in which rows are locked
    acquire(session, operation.id, wanted)
    # After the claims, whose locks a supersession in another transaction has released by now.
    over = end_of_steps(session, [want.resource for want in wanted])
    operation.due_at = max(operation.due_at or now, over)
    notify(session, DUE)
    return operation


def wake(session: Session, operation_id: str, *, clock: Clock = DATABASE_CLOCK) -> None:
    """Something that an operation may be waiting for has happened.

    Counted, not only made due: a runner that is about to commit a `Wait` would overwrite `due_at`,
    but sees that the count differs from the one that it read.
    """
    session.execute(
        update(Operation)
        .where(Operation.id == operation_id, Operation.state.in_(ACTIVE))
        .values(due_at=clock.now(session), wakeups=Operation.wakeups + 1)
    )
    notify(session, DUE)


def active_of(session: Session, resource: str) -> Operation | None:
    """An active operation that has claimed this resource, preferably exclusively."""
    return next(iter(holders_of(session, resource)), None)


def holders_of(session: Session, resource: str) -> Sequence[Operation]:
    """The active operations that have claimed this resource, an exclusive claim first."""
    held = (
        select(Operation)
        .join(Claim, Claim.operation_id == Operation.id)
        .where(Claim.resource == resource, Claim.released.is_(False))
    )
    return session.scalars(held.order_by(Claim.mode, Operation.created_at)).all()


def supersede(session: Session, operation_id: str, *, clock: Clock = DATABASE_CLOCK) -> bool:
    """End an operation and its children at once; whether it was still active.

    Running steps cannot commit any more, because the tokens that they hold are gone. What claims
    the same resources afterwards begins when these steps have ended.
    """
    ended: list[str] = []
    taken = _supersede(session, operation_id, clock.now(session), ended)
    release(session, ended)
    return taken


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
            notify(session, DUE)
            return
    raise Conflict(f"Operation {operation.id} proceeds from step to step too quickly; try again.")


def await_children(session: Session, operation: Operation) -> Wait | None:
    """Join: Wait while any child is active; raises Failed when one of them failed."""
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
    """Turn an operation's children back: Wait until none is active.

    Those without a way back are waited for while `patient`, and superseded afterwards.
    """
    with database.begin() as session:
        going = session.scalars(_going_children_of(operation_id)).all()
    for child in going:
        _call_back(database, child, workflows.get(child.workflow), patient, clock)
    return Wait(60, f"{len(going)} parts are turning back") if going else None


def ensure_periodic(
    database: Database,
    workflow: Workflow[Any],
    subject_id: str | None = None,
    *,
    clock: Clock = DATABASE_CLOCK,
) -> None:
    """Start a periodic workflow unless it is active; any number of processes may call this.

    There is one operation per workflow, or one per subject where a subject is given.
    """
    periodic = str(uuid.uuid5(uuid.NAMESPACE_URL, f"periodic:{workflow.name}"))
    subject = subject_id or periodic
    with suppress(ResourceBusy), database.begin() as session:
        if not any(o.workflow == workflow.name for o in holders_of(session, subject)):
            start(session, workflow, subject, clock=clock)


def _supersede(session: Session, operation_id: str, now: datetime, ended: list[str]) -> bool:
    """The parent first: what its running step has started is visible once its row is locked."""
    taken = session.execute(
        update(Operation)
        .where(Operation.id == operation_id, Operation.state.in_(ACTIVE))
        .values(
            state=State.SUPERSEDED,
            lease_token=None,
            due_at=None,
            updated_at=now,
        )
    )
    ended.append(operation_id)
    children = select(Operation.id).where(Operation.parent_id == operation_id)
    for child in session.scalars(children.order_by(Operation.id)).all():
        _supersede(session, child, now, ended)
    return bool(taken.rowcount)  # type: ignore[attr-defined]


def _step_to_cancel(session: Session, operation_id: str, workflow: Workflow[Any]) -> str:
    """The step at which it stands by now; the row that was read may be outdated."""
    standing = select(Operation.state, Operation.step).where(Operation.id == operation_id)
    state, step = session.execute(standing).one()
    if state != State.RUNNING:
        raise Conflict(f"Operation {operation_id} is {state}: nothing to cancel.")
    if not workflow.can_be_cancelled(workflow.index.get(step, 0)):
        raise Conflict(f"{workflow.name} cannot be cancelled any more at {step}.")
    return step


def _turn_back(session: Session, operation_id: str, step: str, reason: str, now: datetime) -> bool:
    """Turn it back if it still stands at this step; whether it did."""
    mine = update(Operation).where(Operation.id == operation_id)
    turned = session.execute(
        mine.where(Operation.state == State.RUNNING, Operation.step == step).values(
            state=State.UNDOING,
            cancelled=True,
            turned_back_at=step,
            attempt=0,
            lease_token=None,
            error=reason,
            step_since=now,
            updated_at=now,
        )
    )
    if not turned.rowcount:  # type: ignore[attr-defined]
        return False
    # Read now that the row is locked: a runner may have renewed its lease until then.
    known = select(Operation.lease_until).where(Operation.id == operation_id)
    session.execute(mine.values(due_at=max(session.scalars(known).one(), now)))
    return True


def _call_back(
    database: Database,
    child: Operation,
    workflow: Workflow[Any] | None,
    patient: bool,
    clock: Clock,
) -> None:
    """In a transaction of its own, so that no row is locked while its parent's is waited for."""
    with suppress(Conflict), database.begin() as session:
        if not patient:
            supersede(session, child.id, clock=clock)
        elif workflow:
            reason = "what it is a part of turned back"
            cancel(session, child, workflow, reason=reason, clock=clock)


def _going_children_of(operation_id: str) -> Select[Operation]:
    return select(Operation).where(Operation.parent_id == operation_id, Operation.state.in_(ACTIVE))
