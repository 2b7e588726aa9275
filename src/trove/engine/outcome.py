"""What becomes of an operation after a step: pure functions of the row and of what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from trove.engine.operation import TURNED_BACK_AT, Operation, State
from trove.engine.workflow import Step, Wait, Workflow
from trove.errors import Failed, Invalid, TroveError

LONGEST_DELAY = 60.0
UNKNOWN_CODE_DELAY = 30.0


@dataclass(frozen=True)
class Position:
    """Where in which recipe an operation stands."""

    workflow: Workflow[Any]
    at: int

    @property
    def step(self) -> Step[Any]:
        return self.workflow.steps[self.at]

    @property
    def can_turn_back(self) -> bool:
        return self.workflow.can_turn_back(self.at)


class Result(NamedTuple):
    """The columns that change, and the seconds until the next look: None to go on at once."""

    word: str
    """`done`, `waiting` or `failed`, for whoever counts."""
    values: dict[str, Any]
    wait: float | None = None


def after_unknown_code(operation: Operation) -> Result:
    """Another process, or the next release, may have the code: wait for it."""
    note = f"no code here for {operation.workflow} at {operation.step}"
    return Result("failed", {"attempt": 0, "note": note}, UNKNOWN_CODE_DELAY)


def after_action(position: Position, operation: Operation, outcome: Wait | None) -> Result:
    """The step, or its undoing, did not fail."""
    if outcome:
        return Result("waiting", _waiting(position, operation, outcome), outcome.seconds)
    if operation.state == State.UNDOING:
        return Result("done", _undone(position, operation))
    return Result("done", _done(position))


def after_failure(
    position: Position, operation: Operation, error: Exception, spent: float
) -> Result:
    """Try again later; turn back when that is hopeless, or else go on trying for ever."""
    undoing = operation.state == State.UNDOING
    hopeless = is_hopeless(position, operation, error, spent)
    if undoing and hopeless:
        told = f"{operation.error}; besides, undoing {position.step.name} failed: {text_of(error)}"
        return Result("failed", _undone(position, operation) | {"error": told})
    if undoing:
        return Result("failed", {}, _delay_after(operation.attempt))
    if hopeless and position.can_turn_back:
        return Result("failed", _turned_back(position, operation, error))
    attempt = min(operation.attempt, position.step.attempts - 1)
    values = {"error": text_of(error), "attempt": attempt}
    return Result("failed", values, _delay_after(operation.attempt))


def is_hopeless(position: Position, operation: Operation, error: Exception, spent: float) -> bool:
    """Whether trying the step again can not help, or has been tried for long enough."""
    step = position.step
    final = isinstance(error, Failed | Invalid)
    return final or operation.attempt >= step.attempts or spent > step.timeout


def text_of(error: Exception) -> str:
    """What went wrong, in words that a tenant may read: no statement, no parameters."""
    if isinstance(error, TroveError):
        return error.message
    if isinstance(error, SQLAlchemyError):
        return f"the metadata database refused the result ({type(error).__name__})"
    return f"{type(error).__name__}: {error}"


def _waiting(position: Position, operation: Operation, outcome: Wait) -> dict[str, Any]:
    values: dict[str, Any] = {"attempt": 0, "note": outcome.note}
    if operation.state == State.UNDOING:
        return values
    share = min(max(outcome.progress, 0.0), 1.0)
    progress = int(100 * (position.at + share) / len(position.workflow.steps))
    return values | {"progress": progress, "error": None}


def _done(position: Position) -> dict[str, Any]:
    following, total = position.at + 1, len(position.workflow.steps)
    values = {"note": None, "error": None, "progress": 100 * following // total}
    if following == total:
        return values | {"state": State.SUCCEEDED}
    return values | {"step": position.workflow.steps[following].name, "attempt": 1}


def _turned_back(position: Position, operation: Operation, error: Exception) -> dict[str, Any]:
    args = operation.args | {TURNED_BACK_AT: position.step.name}
    values = {"state": State.UNDOING, "attempt": 1, "note": None, "error": text_of(error)}
    return values | {"args": args}


def _undone(position: Position, operation: Operation) -> dict[str, Any]:
    if position.at > 0:
        previous = position.workflow.steps[position.at - 1].name
        return {"note": None, "step": previous, "attempt": 1}
    return {"note": None, "state": State.CANCELLED if operation.cancelled else State.FAILED}


def _delay_after(attempt: int) -> float:
    return min(2.0 ** min(attempt, 10), LONGEST_DELAY)
