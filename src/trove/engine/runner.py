"""Runs operations: lease one, execute one step, commit the step and its effects together.

A step's effects and the pointer to the next step are one transaction, guarded by the lease
token. So a crash at any point leaves the operation exactly before or exactly after a step; the
lease then expires, and any other runner continues the operation.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from trove.db import EPOCH, Clock, Database, DatabaseClock
from trove.engine.claims import release
from trove.engine.control import call_children_back, wake
from trove.engine.lease import Lease, Leases
from trove.engine.operation import ACTIVE, Operation, State
from trove.engine.outcome import (
    Columns,
    Position,
    Result,
    after_action,
    after_failure,
    after_unknown_code,
    is_hopeless,
)
from trove.engine.workflow import StepResult, Wait, Workflow
from trove.errors import Failed, TroveError

log = logging.getLogger(__name__)

CHECKPOINTS = ("leased", "before commit", "after commit")
"""Where a runner calls its `checkpoint`: tests let the process die there."""
PAST_TIMEOUT = 0.05
"""Seconds after a step's timeout at which it is run again, to fail then."""


class LeaseLost(Exception):
    """The operation was superseded, cancelled or leased by another runner: keep no result."""


@dataclass(frozen=True)
class StepDone:
    """What a runner reports to its observer after each step."""

    workflow: str
    step: str
    outcome: str
    """`done`, `waiting` or `failed`."""
    seconds: float


@dataclass
class Runner:
    """Advances operations one step at a time; any number may run on one database."""

    database: Database
    workflows: Mapping[str, Workflow[Any]]
    context: Callable[[Session, Operation], Any]
    clock: Clock = field(default_factory=DatabaseClock)
    lease: timedelta = timedelta(seconds=20)
    observe: Callable[[StepDone], None] = lambda done: None
    on_end: Callable[[Session, Operation, str], None] = lambda session, operation, state: None
    """Called with the state in which an operation ends, in the transaction that ends it."""
    settings: Any = None
    """What timeouts of steps are functions of."""
    checkpoint: Callable[[str], None] = lambda name: None
    """Called with each of CHECKPOINTS."""
    leases: Leases = field(init=False)

    def __post_init__(self) -> None:
        self.leases = Leases(self.database, self.clock, self.lease)

    def run_until_idle(self) -> None:
        while self.run_once():
            pass

    def run_once(self, keep_going: Callable[[], bool] = lambda: True) -> bool:
        """Lease one due operation and advance it; whether there was one."""
        lease = self.leases.take()
        if lease is None:
            return False
        self.advance(lease, keep_going)
        return True

    def advance(self, lease: Lease, keep_going: Callable[[], bool] = lambda: True) -> None:
        """Execute one step after the other until one waits.

        `keep_going` is called between two steps.
        """
        following: Lease | None = lease
        try:
            while following is not None:
                following = self._attempt(following)
                if following and not keep_going():
                    self._give_back(following, attempt=0)
                    following = None
        finally:
            self.leases.drop(lease)

    def renew(self) -> None:
        """Prolong every lease held here; called periodically while steps run."""
        self.leases.renew()

    def _attempt(self, lease: Lease) -> Lease | None:
        """Execute one step; the lease for the next one when it may follow at once."""
        self.checkpoint(CHECKPOINTS[0])
        try:
            return self._advance(lease)
        except LeaseLost:
            log.warning("lease lost on operation %s", lease.operation_id)
            self.leases.end_lost(lease)
        except SQLAlchemyError as error:
            log.warning("could not commit a step of %s: %s", lease.operation_id, error)
            self._give_back(lease, seconds=1.0)
        return None

    def _advance(self, lease: Lease) -> Lease | None:
        began = time.monotonic()
        with self.database.session() as session:
            operation = session.get_one(Operation, lease.operation_id)
            self._secure(session, lease, operation)
            name = operation.step
            position = self._position(operation)
            result, following = self._act_and_commit(session, lease, operation, position)
        spent = time.monotonic() - began
        self.observe(StepDone(operation.workflow, name, result.word, spent))
        return following

    def _secure(self, session: Session, lease: Lease, operation: Operation) -> None:
        """No step begins with a lease that another runner may take while it is executed.

        One that was taken a while ago, by a process or a database that then stood still, is
        extended before. Raises LeaseLost.
        """
        while operation.lease_token == lease.token:
            if operation.lease_until - self._now(session, lease) >= self.lease / 2:
                return
            session.rollback()  # no connection is kept while another one is needed
            self.leases.extend(lease)
            session.refresh(operation)
        raise LeaseLost

    def _position(self, operation: Operation) -> Position | None:
        workflow = self.workflows.get(operation.workflow)
        if workflow is None or operation.step not in workflow.index:
            log.error("no code for %s at %s", operation.workflow, operation.step)
            return None
        at = workflow.index[operation.step]
        return Position(workflow, at, workflow.steps[at].seconds(self.settings))

    def _act_and_commit(
        self, session: Session, lease: Lease, operation: Operation, position: Position | None
    ) -> tuple[Result, Lease | None]:
        if position is None:
            result = after_unknown_code(operation)
            return result, self._commit(session, lease, operation, result)
        try:
            result = after_action(position, operation, self._act(session, position, operation))
        except Exception as error:  # noqa: BLE001 - the engine's loop
            result = self._after_failure(session, position, operation, error)
        try:
            return result, self._commit(session, lease, operation, result)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            result = self._after_failure(session, position, operation, error)
            return result, self._commit(session, lease, operation, result)

    def _act(
        self, session: Session, position: Position, operation: Operation
    ) -> Wait | StepResult | None:
        step, undoing = position.step, operation.state == State.UNDOING
        doing = f"undoing {step.name}" if undoing else step.name
        if operation.attempt > step.attempts:
            raise Failed(f"{doing} did not survive {step.attempts} attempts")
        action = self._undo if undoing else self._run
        outcome = action(session, position, operation)
        if not isinstance(outcome, Wait):
            return outcome
        left = position.timeout - self._spent(session, operation)
        if left < 0:
            awaited = f" ({outcome.note})" if outcome.note else ""
            raise Failed(f"{doing} did not finish within {position.timeout:.0f} seconds{awaited}")
        return replace(outcome, seconds=min(outcome.seconds, left + PAST_TIMEOUT))

    def _run(
        self, session: Session, position: Position, operation: Operation
    ) -> Wait | StepResult | None:
        return position.step.run(self.context(session, operation))

    def _undo(self, session: Session, position: Position, operation: Operation) -> Wait | None:
        """All children of the operation must have ended before one of its steps is undone."""
        patient = self._spent(session, operation) <= position.timeout
        waiting = call_children_back(
            self.database, operation.id, self.workflows, patient=patient, clock=self.clock
        )
        if waiting or position.step.undo is None:
            return waiting
        return position.step.undo(self.context(session, operation))

    def _spent(self, session: Session, operation: Operation) -> float:
        return (self.clock.now(session) - operation.step_since).total_seconds()

    def _after_failure(
        self, session: Session, position: Position, operation: Operation, error: Exception
    ) -> Result:
        """Discard the step's effects, and derive the next state of the row."""
        session.rollback()
        session.refresh(operation)
        log.warning(
            "%s of %s failed in %s, attempt %d: %r",
            operation.workflow,
            operation.subject_id,
            operation.step,
            operation.attempt,
            error,
            exc_info=None if isinstance(error, TroveError) else error,
        )
        spent = self._spent(session, operation)
        stuck = operation.state == State.RUNNING and not position.can_turn_back
        if stuck and is_hopeless(position, operation, error, spent):
            log.error(
                "ALARM: operation %s can neither proceed nor turn back: %s", operation.id, error
            )
        return after_failure(position, operation, error, spent)

    def _commit(
        self, session: Session, lease: Lease, operation: Operation, result: Result
    ) -> Lease | None:
        """Keep the result unless the lease was lost.

        The parent's row is locked before the child's, as `supersede` does.
        """
        self.checkpoint(CHECKPOINTS[1])
        now = self._now(session, lease)
        ended = result.values.get("state", operation.state) not in ACTIVE
        values = _changed_columns(operation, result.values) | _lease_after(
            now, self.lease, None if ended else result.wait, ended, lease
        )
        if ended and operation.parent_id:
            wake(session, operation.parent_id, clock=self.clock)
        if {"step", "state"} & values.keys():
            values["step_since"] = now
        kept = session.execute(
            update(Operation)
            .where(Operation.id == lease.operation_id, Operation.lease_token == lease.token)
            .values(updated_at=now, **values)
            .execution_options(synchronize_session=False)
        )
        if not kept.rowcount:  # type: ignore[attr-defined]
            raise LeaseLost
        if ended:
            release(session, [operation.id])
            session.refresh(operation)  # what was committed above, the last step's result too
            self.on_end(session, operation, values["state"])
        session.commit()
        self.checkpoint(CHECKPOINTS[2])
        continues = result.wait is None and not ended
        return lease if continues else None

    def _now(self, session: Session, lease: Lease) -> datetime:
        """Computed from the last reading of the database's clock: one query less for each step."""
        if isinstance(self.clock, DatabaseClock):
            return lease.time()
        return self.clock.now(session)

    def _give_back(self, lease: Lease, *, seconds: float = 0.0, **values: Any) -> None:
        """Let the step be executed again soon."""
        try:
            if not self.leases.give_back(lease, seconds=seconds, **values):
                self.leases.end_lost(lease)
        except SQLAlchemyError as worse:
            log.warning("the lease of %s must expire: %s", lease.operation_id, worse)


def _changed_columns(operation: Operation, values: Columns) -> Columns:
    return {name: value for name, value in values.items() if getattr(operation, name) != value}


def _lease_after(
    now: datetime, lease: timedelta, wait: float | None, ended: bool, held: Lease
) -> Columns:
    """The columns of the lease; a wake-up that arrived since it was taken is kept."""
    if ended:
        return {"lease_token": None, "lease_until": EPOCH, "due_at": None}
    if wait is None:
        return {"lease_until": now + lease}
    due = case((Operation.wakeups != held.wakeups, now), else_=now + timedelta(seconds=wait))
    return {"due_at": due, "lease_until": EPOCH, "lease_token": None}
