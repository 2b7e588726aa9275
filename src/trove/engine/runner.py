"""Runs operations: claim one, do one step, commit the step and its effects together.

A step's effects and the pointer to the next step are one transaction, guarded by the lease
token. So a crash at any point leaves the operation exactly before or exactly after a step; the
lease then runs out, and any other runner takes the operation up.
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
from trove.engine.control import call_children_back, wake
from trove.engine.lease import Claim, Leases
from trove.engine.operation import ACTIVE, Operation, State
from trove.engine.outcome import (
    Position,
    Result,
    after_action,
    after_failure,
    after_unknown_code,
    is_hopeless,
)
from trove.engine.workflow import Wait, Workflow
from trove.errors import Failed

log = logging.getLogger(__name__)

A_MOMENT = 0.05


class LeaseLost(Exception):
    """Another runner, or a supersession, has taken this operation: keep no result."""


@dataclass(frozen=True)
class StepDone:
    """What a runner tells its observer after each step."""

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
    leases: Leases = field(init=False)

    def __post_init__(self) -> None:
        self.leases = Leases(self.database, self.clock, self.lease)

    def run_until_idle(self) -> None:
        while self.run_once():
            pass

    def run_once(self, keep_going: Callable[[], bool] = lambda: True) -> bool:
        """Take up one due operation and advance it; says whether there was one."""
        claim = self.leases.take()
        if claim is None:
            return False
        self.advance(claim, keep_going)
        return True

    def advance(self, claim: Claim, keep_going: Callable[[], bool] = lambda: True) -> None:
        """Do one step after the other as far as it goes without waiting.

        `keep_going` is asked between two steps.
        """
        following: Claim | None = claim
        try:
            while following is not None:
                following = self._attempt(following)
                if following and not keep_going():
                    self._give_back(following, attempt=0)
                    following = None
        finally:
            self.leases.drop(claim)

    def renew(self) -> None:
        """Prolong every lease held here; called now and then while steps are at work."""
        self.leases.renew()

    def _attempt(self, claim: Claim) -> Claim | None:
        """Do one step; the claim for the next one when it may follow at once."""
        try:
            return self._advance(claim)
        except LeaseLost:
            log.warning("lease lost on operation %s", claim.operation_id)
            self.leases.let_go(claim)
        except SQLAlchemyError as error:
            log.warning("could not commit a step of %s: %s", claim.operation_id, error)
            self._give_back(claim, seconds=1.0)
        return None

    def _advance(self, claim: Claim) -> Claim | None:
        began = time.monotonic()
        with self.database.session() as session:
            operation = session.get_one(Operation, claim.operation_id)
            if operation.lease_token != claim.token:
                raise LeaseLost
            name = operation.step
            position = self._position(operation)
            result, following = self._act_and_commit(session, claim, operation, position)
        spent = time.monotonic() - began
        self.observe(StepDone(operation.workflow, name, result.word, spent))
        return following

    def _position(self, operation: Operation) -> Position | None:
        workflow = self.workflows.get(operation.workflow)
        if workflow is None or operation.step not in workflow.index:
            log.error("no code for %s at %s", operation.workflow, operation.step)
            return None
        return Position(workflow, workflow.index[operation.step])

    def _act_and_commit(
        self, session: Session, claim: Claim, operation: Operation, position: Position | None
    ) -> tuple[Result, Claim | None]:
        if position is None:
            result = after_unknown_code(operation)
            return result, self._commit(session, claim, operation, result)
        try:
            result = after_action(position, operation, self._act(session, position, operation))
        except Exception as error:  # noqa: BLE001 - the engine's loop
            result = self._after_failure(session, position, operation, error)
        try:
            return result, self._commit(session, claim, operation, result)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            result = self._after_failure(session, position, operation, error)
            return result, self._commit(session, claim, operation, result)

    def _act(self, session: Session, position: Position, operation: Operation) -> Wait | None:
        step, undoing = position.step, operation.state == State.UNDOING
        doing = f"undoing {step.name}" if undoing else step.name
        if operation.attempt > step.attempts:
            raise Failed(f"{doing} did not survive {step.attempts} attempts")
        action = self._undo if undoing else self._run
        outcome = action(session, position, operation)
        if outcome is None:
            return None
        left = step.timeout - self._spent(session, operation)
        if left < 0:
            awaited = f" ({outcome.note})" if outcome.note else ""
            raise Failed(f"{doing} did not finish in {step.timeout:.0f} seconds{awaited}")
        return replace(outcome, seconds=min(outcome.seconds, left + A_MOMENT))

    def _run(self, session: Session, position: Position, operation: Operation) -> Wait | None:
        return position.step.run(self.context(session, operation))

    def _undo(self, session: Session, position: Position, operation: Operation) -> Wait | None:
        """Whatever the operation has started must be over before a step of it is taken back."""
        patient = self._spent(session, operation) <= position.step.timeout
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
        """Drop the step's effects, and say what becomes of the row."""
        session.rollback()
        session.refresh(operation)
        log.warning(
            "%s of %s failed in %s, attempt %d: %r",
            operation.workflow,
            operation.subject_id,
            operation.step,
            operation.attempt,
            error,
            exc_info=None if isinstance(error, Failed) else error,
        )
        spent = self._spent(session, operation)
        stuck = operation.state == State.RUNNING and not position.can_turn_back
        if stuck and is_hopeless(position, operation, error, spent):
            log.error("ALARM: %s can not go on or back: %s", operation.id, error)
        return after_failure(position, operation, error, spent)

    def _commit(
        self, session: Session, claim: Claim, operation: Operation, result: Result
    ) -> Claim | None:
        """Keep the result unless the lease was lost.

        The parent's row is locked before the child's, as `supersede` does.
        """
        now = self._moment(session, claim)
        ended = result.values.get("state", operation.state) not in ACTIVE
        values = _changed_columns(operation, result.values) | _lease_after(
            now, self.lease, None if ended else result.wait, ended, claim
        )
        if ended and operation.parent_id:
            wake(session, operation.parent_id, clock=self.clock)
        if {"step", "state"} & values.keys():
            values["step_since"] = now
        kept = session.execute(
            update(Operation)
            .where(Operation.id == claim.operation_id, Operation.lease_token == claim.token)
            .values(updated_at=now, **values)
            .execution_options(synchronize_session=False)
        )
        if not kept.rowcount:  # type: ignore[attr-defined]
            raise LeaseLost
        if ended:
            self.on_end(session, operation, values["state"])
        session.commit()
        going_on = result.wait is None and not ended
        return replace(claim, now=now, read_at=time.monotonic()) if going_on else None

    def _moment(self, session: Session, claim: Claim) -> datetime:
        """The clock that was given, or its last reading carried on."""
        if isinstance(self.clock, DatabaseClock):
            return claim.moment()
        return self.clock.now(session)

    def _give_back(self, claim: Claim, *, seconds: float = 0.0, **values: Any) -> None:
        """Let the step be done again soon; a lease that is not ours any more is let go."""
        try:
            if not self.leases.give_back(claim, seconds=seconds, **values):
                self.leases.let_go(claim)
        except SQLAlchemyError as worse:
            log.warning("the lease of %s must run out: %s", claim.operation_id, worse)


def _changed_columns(operation: Operation, values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if getattr(operation, name) != value}


def _lease_after(
    now: datetime, lease: timedelta, wait: float | None, ended: bool, claim: Claim
) -> dict[str, Any]:
    """The columns of the lease; a wake-up that came meanwhile is kept."""
    if ended:
        gone = {"lease_token": None, "lease_until": EPOCH}
        return gone | {"active_subject_id": None, "due_at": None}
    if wait is None:
        return {"lease_until": now + lease}
    due = case((Operation.wakeups != claim.wakeups, now), else_=now + timedelta(seconds=wait))
    return {"due_at": due, "lease_until": EPOCH, "lease_token": None}
