"""How every change of an instance is begun: found, checked, written, told, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from trove.db import is_conflict
from trove.engine import Operation, State, active_of, start, supersede
from trove.errors import NotFound, NotReady
from trove.models.agent import Agent
from trove.models.event import record_event
from trove.models.instance import Instance
from trove.models.status import is_silent
from trove.services.installation import Caller, Installation
from trove.services.instance_view import expiry_of
from trove.workflows import WORKFLOWS
from trove.workflows.context import forget_secrets
from trove.workflows.ending import conclude


def find(session: Session, caller: Caller, instance_id: str, *, deleted: bool = False) -> Instance:
    """The instance, if the caller may know of it; raises NotFound."""
    row = session.get(Instance, instance_id)
    known = row is not None and (caller.is_admin or row.project_id == caller.project_id)
    if row is None or not known or (row.deleted_at is not None and not deleted):
        raise NotFound(f"Instance {instance_id!r} could not be found.")
    return row


@contextmanager
def changing(
    inst: Installation, caller: Caller, instance_id: str, workflow: str, *, silent: bool = False
) -> Iterator[tuple[Session, Instance, Operation]]:
    """A transaction that begins this workflow, unless another one goes on.

    Raises NotFound, or NotReady saying what the instance is busy with, has never become, or
    (unless a `silent` agent will do) why it can not be asked.
    """
    try:
        with inst.database.begin() as session:
            row = find(session, caller, instance_id)
            _must_be_idle(session, row)
            operation = begin(inst, caller, session, row, workflow)
            must_be_built(row)
            if not silent:
                must_answer(inst, session, row)
            yield session, row, operation
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        raise NotReady(f"Instance {instance_id} has just become busy; try again.") from None


def must_be_built(row: Instance) -> None:
    """Raises NotReady for an instance that has never come to be."""
    if row.server_id is None:
        raise NotReady(f"Instance {row.id} was never built; look at its fault, and delete it.")


def must_answer(inst: Installation, session: Session, row: Instance) -> Agent:
    """The agent of an instance, which was heard of lately; raises NotReady."""
    must_be_built(row)
    agent = session.get_one(Agent, row.id)
    if is_silent(agent.reported_at, inst.clock.now(session), expiry_of(inst.settings)):
        raise NotReady(
            f"The agent of instance {row.id} has been silent since {agent.reported_at}; "
            "the control plane brings its server back if it can."
        )
    return agent


def begin(  # noqa: PLR0913 - what an operation is begun with
    inst: Installation,
    caller: Caller,
    session: Session,
    row: Instance,
    workflow: str,
    *,
    args: dict[str, Any] | None = None,
) -> Operation:
    """Start the workflow on this instance, from which its status follows, and tell of it.

    Whoever has begun is alone with the instance, so its row is read anew: what the last
    operation made of it is seen, and nothing changes it any more. Quota is taken after this, in
    the order in which `trove.engine.control` says that rows are locked. Raises NotFound when the
    instance has been deleted meanwhile, and what the database does when another one has begun.
    """
    operation = start(
        session,
        WORKFLOWS[workflow],
        row.id,
        args=args,
        project_id=row.project_id,
        request_id=caller.request_id,
        clock=inst.clock,
    )
    session.flush()
    session.refresh(row)
    find(session, caller, row.id)
    row.last_operation_id = operation.id
    note(caller, session, row, f"{workflow}.start", operation=operation)
    return operation


def give_up(inst: Installation, session: Session, active: Operation) -> None:
    """Supersede an operation, unless it has ended by itself since it was looked up."""
    if supersede(session, active.id, clock=inst.clock):
        conclude(session, active, State.SUPERSEDED)
        forget_secrets(active)


def note(
    caller: Caller,
    session: Session,
    row: Instance,
    kind: str,
    *,
    operation: Operation | None = None,
    **payload: Any,
) -> None:
    """Write the event of a change."""
    record_event(
        session,
        kind,
        project_id=row.project_id,
        subject_id=row.id,
        operation_id=operation.id if operation else None,
        user_id=caller.user_id,
        request_id=caller.request_id,
        payload={"name": row.name} | payload,
    )


def _must_be_idle(session: Session, row: Instance) -> None:
    active = active_of(session, row.id)
    if active is not None:
        raise NotReady(
            f"Instance {row.id} is busy: {active.workflow} is {active.state} at {active.step} "
            f"(operation {active.id}); wait for it, or cancel it."
        )
