"""How every change of an instance starts: found, checked, written, recorded, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from trove.db import is_conflict
from trove.engine import Operation, State, active_of, supersede
from trove.errors import NotFound, NotReady, ResourceBusy
from trove.models.agent import Agent
from trove.models.event import record_event
from trove.models.instance import Instance
from trove.models.status import is_silent
from trove.services.installation import Caller, Installation
from trove.services.instance_view import expiry_of
from trove.workflows import WORKFLOWS
from trove.workflows.ending import conclude
from trove.workflows.starting import start_on


def find(session: Session, caller: Caller, instance_id: str, *, deleted: bool = False) -> Instance:
    """The instance, if the caller may see it; raises NotFound."""
    row = session.get(Instance, instance_id)
    known = row is not None and (caller.is_admin or row.project_id == caller.project_id)
    if row is None or not known or (row.deleted_at is not None and not deleted):
        raise not_found(instance_id)
    return row


def not_found(instance_id: str) -> NotFound:
    return NotFound(f"Instance {instance_id!r} could not be found.")


@dataclass
class Change:
    """A change that has started: nothing else changes the instance until it commits."""

    session: Session
    row: Instance
    operation: Operation

    def takes(self, args: msgspec.Struct) -> None:
        """Set the operation's arguments, before the transaction that starts it commits."""
        self.operation.args = msgspec.to_builtins(args)


@contextmanager
def changing(
    inst: Installation, caller: Caller, instance_id: str, workflow: str, *, silent: bool = False
) -> Iterator[Change]:
    """A transaction that starts this workflow, unless the instance is claimed by another one.

    Raises NotFound, or NotReady: the instance is busy, was never built, or (unless `silent` is
    allowed) its agent does not answer.
    """
    try:
        with inst.database.begin() as session:
            row = find(session, caller, instance_id)
            operation = begin(inst, caller, session, row, workflow)
            must_be_built(row)
            if not silent:
                must_answer(inst, session, row)
            yield Change(session, row, operation)
    except ResourceBusy:
        raise _busy(inst, instance_id) from None
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        raise _busy(inst, instance_id) from None


def must_be_built(row: Instance) -> None:
    """Raises NotReady for an instance whose creation failed."""
    if row.server_id is None:
        raise NotReady(f"Instance {row.id} was never built; look at its fault, and delete it.")


def must_answer(inst: Installation, session: Session, row: Instance) -> Agent:
    """The agent of an instance, which has reported lately; raises NotReady."""
    must_be_built(row)
    agent = session.get_one(Agent, row.id)
    if is_silent(agent.reported_at, inst.clock.now(session), expiry_of(inst.settings)):
        raise NotReady(
            f"The agent of instance {row.id} has been silent since {agent.reported_at}; "
            "the control plane restarts its server if it can."
        )
    return agent


def begin(  # noqa: PLR0913 - what an operation is started with
    inst: Installation,
    caller: Caller,
    session: Session,
    row: Instance,
    workflow: str,
    *,
    sealed: str | None = None,
) -> Operation:
    """Start the workflow on this instance, from which its status follows, and record the event.

    Quota is taken after this, in the order in which `trove.engine.control` says that rows are
    locked. Raises ResourceBusy, and NotFound when the instance has been deleted meanwhile.
    """
    operation = start_on(
        session,
        WORKFLOWS[workflow],
        row,
        sealed=sealed,
        request_id=caller.request_id,
        clock=inst.clock,
    )
    find(session, caller, row.id)
    note(caller, session, row, f"{workflow}.start", operation=operation)
    return operation


def give_up(inst: Installation, session: Session, active: Operation) -> None:
    """Supersede an operation, unless it has ended by itself since it was read."""
    if supersede(session, active.id, clock=inst.clock):
        conclude(session, active, WORKFLOWS.get(active.workflow), State.SUPERSEDED)


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


def _busy(inst: Installation, instance_id: str) -> NotReady:
    """Names the operation that has claimed the instance, unless it has ended meanwhile."""
    with inst.database.session() as session:
        active = active_of(session, instance_id)
    if active is None:
        return NotReady(f"Instance {instance_id} has just become busy; try again.")
    return NotReady(
        f"Instance {instance_id} is busy: {active.workflow} is {active.state} at {active.step} "
        f"(operation {active.id}); wait for it, or cancel it."
    )
