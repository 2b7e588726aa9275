"""The next state of an operation after a step: pure functions of the row and of the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from trove.engine.operation import Operation, State
from trove.engine.workflow import Step, StepResult, Wait, Workflow
from trove.errors import Failed, Invalid, TroveError

LONGEST_DELAY = 60.0
UNKNOWN_CODE_DELAY = 30.0

Columns = dict[str, Any]
"""Columns of an operation that change, by name."""


@dataclass(frozen=True)
class Position:
    """Where in which recipe an operation stands."""

    workflow: Workflow[Any]
    at: int
    timeout: float
    """Seconds that the step may take in total."""

    @property
    def step(self) -> Step[Any]:
        return self.workflow.steps[self.at]

    @property
    def can_turn_back(self) -> bool:
        return self.workflow.can_turn_back(self.at)


class Result(NamedTuple):
    """The columns that change, and the seconds until the next attempt: None to continue at once."""

    word: str
    """`done`, `waiting` or `failed`, for the metrics."""
    values: Columns
    wait: float | None = None


def after_unknown_code(operation: Operation) -> Result:
    """Another process, or the next release, may have the code: wait for it."""
    note = f"no code here for {operation.workflow} at {operation.step}"
    return Result("failed", {"attempt": 0, "note": note}, UNKNOWN_CODE_DELAY)


def after_action(
    position: Position, operation: Operation, outcome: Wait | StepResult | None
) -> Result:
    """The step, or its undoing, did not fail."""
    if isinstance(outcome, Wait):
        values = _waiting(position, operation, outcome)
        kept = _kept(position, operation, outcome.result)
        return Result("waiting", values | kept, outcome.seconds)
    if operation.state == State.UNDOING:
        return Result("done", _undone(position, operation))
    return Result("done", _done(position) | _kept(position, operation, outcome))


def after_failure(
    position: Position, operation: Operation, error: Exception, spent: float
) -> Result:
    """Retry later; turn back when that is hopeless, or retry forever where there is no way back."""
    undoing = operation.state == State.UNDOING
    hopeless = is_hopeless(position, operation, error, spent)
    if undoing and hopeless:
        both = f"{operation.error}; besides, undoing {position.step.name} failed: {text_of(error)}"
        return Result("failed", _undone(position, operation) | {"error": both})
    if undoing:
        return Result("failed", {}, _delay_after(operation.attempt))
    if hopeless and position.can_turn_back:
        return Result("failed", _turned_back(position, error))
    attempt = min(operation.attempt, position.step.attempts - 1)
    values = {"error": text_of(error), "attempt": attempt}
    return Result("failed", values, _delay_after(operation.attempt))


def is_hopeless(position: Position, operation: Operation, error: Exception, spent: float) -> bool:
    """Whether retrying the step cannot help, or has been done for long enough."""
    final = isinstance(error, Failed | Invalid)
    return final or operation.attempt >= position.step.attempts or spent > position.timeout


def text_of(error: Exception) -> str:
    """The error in words that a tenant may read: no statement, no parameters."""
    if isinstance(error, TroveError):
        return error.message
    if isinstance(error, SQLAlchemyError):
        return f"the metadata database refused the result ({type(error).__name__})"
    return f"{type(error).__name__}: {error}"


def _waiting(position: Position, operation: Operation, outcome: Wait) -> Columns:
    values: Columns = {"attempt": 0, "note": outcome.note}
    if operation.state == State.UNDOING:
        return values
    share = min(max(outcome.progress, 0.0), 1.0)
    progress = int(100 * (position.at + share) / len(position.workflow.steps))
    return values | {"progress": progress, "error": None}


def _done(position: Position) -> Columns:
    following, total = position.at + 1, len(position.workflow.steps)
    values = {"note": None, "error": None, "progress": 100 * following // total}
    if following == total:
        return values | {"state": State.SUCCEEDED}
    return values | {"step": position.workflow.steps[following].name, "attempt": 1}


def _kept(position: Position, operation: Operation, result: StepResult | None) -> Columns:
    """What the step returned, beside what those before it did."""
    if result is None:
        return {}
    return {
        "results": (operation.results or {}) | {position.step.name: msgspec.to_builtins(result)}
    }


def _turned_back(position: Position, error: Exception) -> Columns:
    values = {"state": State.UNDOING, "attempt": 1, "note": None, "error": text_of(error)}
    return values | {"turned_back_at": position.step.name}


def _undone(position: Position, operation: Operation) -> Columns:
    if position.at > 0:
        previous = position.workflow.steps[position.at - 1].name
        return {"note": None, "step": previous, "attempt": 1}
    return {"note": None, "state": State.CANCELLED if operation.cancelled else State.FAILED}


def _delay_after(attempt: int) -> float:
    return min(2.0 ** min(attempt, 10), LONGEST_DELAY)
