"""The operations of a project: listed, shown, cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlalchemy.orm import Session

from trove.engine import ACTIVE, Operation, State, Workflow, cancel
from trove.errors import Conflict, Invalid, NotFound
from trove.models.event import record_event
from trove.services.installation import Caller, Installation
from trove.services.paging import Page, is_before, page_of, size_of
from trove.workflows import WORKFLOWS

AT_WORK = {
    State.RUNNING: "running",
    State.UNDOING: "undoing",
    State.SUPERSEDED: "superseded",
}
"""The state shown for the step at which an operation stands."""
TURNED_BACK = (State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class StepView:
    """One step of an operation."""

    name: str
    state: str
    """`done`, `running`, `pending`, `undoing`, `undone`, `failed`, `cancelled` or `superseded`."""


@dataclass(frozen=True)
class OperationView:
    """An operation with its steps."""

    row: Operation
    steps: Sequence[StepView]
    can_be_cancelled: bool

    @property
    def step(self) -> str:
        """The current step; the one at which it turned back, once everything is undone."""
        turned = self.row.turned_back_at if self.row.state in TURNED_BACK else None
        return turned or self.row.step


@dataclass(frozen=True)
class OperationFilter:
    """Which operations are wanted; None is any."""

    subject_id: str | None = None
    state: str | None = None
    """A state, or `active` for those that have not ended."""
    workflow: str | None = None


def list_page(
    inst: Installation, caller: Caller, wanted: OperationFilter, *, limit: int, marker: str | None
) -> Page[OperationView]:
    """Operations of the caller's project, newest first; `marker` is an operation's id."""
    with inst.database.session() as session:
        conditions = [Operation.project_id == caller.project_id]
        if marker is not None:
            last = find(session, caller, marker)
            conditions.append(is_before(Operation, last.created_at, last.id))
        query = _matching(wanted, conditions, limit)
        if wanted == OperationFilter() and marker is not None:
            # MariaDB would begin at the newest.
            query = query.with_hint(Operation, "FORCE INDEX (operations_of_project)", "mysql")
        rows = [_view_of(row) for row in session.scalars(query).all()]
    return page_of(rows, limit, lambda view: view.row.id)


def show(inst: Installation, caller: Caller, operation_id: str) -> OperationView:
    """One operation; raises NotFound."""
    with inst.database.session() as session:
        return _view_of(find(session, caller, operation_id))


def cancel_one(inst: Installation, caller: Caller, operation_id: str) -> None:
    """Turn an operation back; raises NotFound, or Conflict when there is no way back."""
    with inst.database.begin() as session:
        row = find(session, caller, operation_id)
        workflow = WORKFLOWS.get(row.workflow)
        if workflow is None:
            raise Conflict(f"{row.workflow} is not known to this release and cannot be cancelled.")
        cancel(session, row, workflow, clock=inst.clock)
        record_event(
            session,
            "operation.cancel",
            project_id=row.project_id,
            subject_id=row.subject_id,
            operation_id=row.id,
            user_id=caller.user_id,
            request_id=caller.request_id,
            payload={"workflow": row.workflow},
        )


def find(session: Session, caller: Caller, operation_id: str) -> Operation:
    """The operation, if the caller may see it; raises NotFound."""
    row = session.get(Operation, operation_id)
    if row is None or not (caller.is_admin or row.project_id == caller.project_id):
        raise NotFound(f"Operation {operation_id!r} could not be found.")
    return row


def _matching(
    wanted: OperationFilter, conditions: list[ColumnElement[bool]], limit: int
) -> Select[Operation]:
    if wanted.subject_id is not None:
        conditions.append(Operation.subject_id == wanted.subject_id)
    if wanted.workflow is not None:
        conditions.append(Operation.workflow == wanted.workflow)
    if wanted.state == "active":
        # A page of each: no index has the rows of two states in one order.
        pages = (_newest(Operation.id, [*conditions, Operation.state == s], limit) for s in ACTIVE)
        ids = union_all(*(select(page.subquery().c.id) for page in pages)).subquery()
        conditions = [Operation.id.in_(select(ids.c.id))]
    elif wanted.state is not None:
        conditions.append(Operation.state == _state_of(wanted.state))
    return _newest(Operation, conditions, limit)


def _newest(what: Any, conditions: Iterable[ColumnElement[bool]], limit: int) -> Select[Any]:
    newest = select(what).where(*conditions)
    order = Operation.created_at.desc(), Operation.id.desc()
    return newest.order_by(*order).limit(size_of(limit))


def _state_of(word: str) -> State:
    try:
        return State(word)
    except ValueError:
        known = ", ".join(["active", *State])
        raise Invalid(f"{word!r} is none of: {known}", field="state") from None


def _view_of(row: Operation) -> OperationView:
    workflow = WORKFLOWS.get(row.workflow)
    if workflow is None or row.step not in workflow.index:
        return OperationView(row, [], can_be_cancelled=False)
    at, reached = _place_of(row, workflow), _furthest_of(row, workflow)
    steps = [
        StepView(step.name, _step_state(row, number, at, reached))
        for number, step in enumerate(workflow.steps)
    ]
    free = row.state == State.RUNNING and workflow.can_be_cancelled(at)
    return OperationView(row, steps, can_be_cancelled=free)


def _place_of(row: Operation, workflow: Workflow[Any]) -> int:
    """After the last step when all are done, before the first when all are undone."""
    if row.state == State.SUCCEEDED:
        return len(workflow.steps)
    return -1 if row.state in TURNED_BACK else workflow.index[row.step]


def _furthest_of(row: Operation, workflow: Workflow[Any]) -> int:
    """The last step that was started; after all when it is a step of another release."""
    if row.turned_back_at is None and row.state in {State.RUNNING, State.SUPERSEDED}:
        return workflow.index[row.step]
    return workflow.index.get(row.turned_back_at or "", len(workflow.steps))


def _step_state(row: Operation, number: int, at: int, reached: int) -> str:
    """The state of a step, from the operation's current step and the furthest one."""
    if number < at:
        return "done"
    if number == at:
        return AT_WORK[State(row.state)]
    if number == reached:
        return "cancelled" if row.cancelled else "failed"
    return "undone" if number < reached else "pending"
