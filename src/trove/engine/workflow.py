"""What a workflow is: a named tuple of steps, each of which may know how to undo itself.

Law: a step may run more than once, so it finds what an earlier run has made.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

import msgspec
from sqlalchemy.orm import Session

from trove.engine.claims import Mode
from trove.engine.operation import Operation, State

C = TypeVar("C")
S = TypeVar("S")


class StepResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a step hands on to later ones: kept in the operation's row, under the step's name."""


@dataclass(frozen=True)
class Wait:
    """The step is not finished: run it again later, or when the operation is woken."""

    seconds: float = 5.0
    note: str | None = None
    """What is being waited for, shown to users."""
    progress: float = 0.0
    """How much of the step is done, 0 to 1."""
    result: StepResult | None = None
    """What this run of the step hands on to the next one; None leaves what is there."""


Action = Callable[[C], Wait | StepResult | None]
Undo = Callable[[C], Wait | None]
Timeout = float | Callable[[Any], float]
"""Seconds, or a function of the settings that the runner was given."""


@dataclass(eq=False)
class Step(Generic[C]):
    """One small, repeatable action, perhaps with the action that takes it back."""

    run: Action[C]
    undo: Undo[C] | None = None
    attempts: int = 8
    timeout: Timeout = 600.0
    """How long the step may take in total, waits and retries included; its undo likewise."""
    final: bool = False
    """Once done there is no way back: what fails later is retried, not undone."""

    @property
    def name(self) -> str:
        return f"{self.run.__module__.rpartition('.')[2]}.{self.run.__name__}"

    def undone_by(self, action: Undo[C]) -> Undo[C]:
        """Declare the action that undoes this step."""
        self.undo = action
        return action

    def seconds(self, settings: Any) -> float:
        """The timeout under these settings."""
        return self.timeout(settings) if callable(self.timeout) else self.timeout


@overload
def step(action: Action[C]) -> Step[C]: ...
@overload
def step(*, attempts: int = 8, timeout: Timeout = 600.0) -> Callable[[Action[C]], Step[C]]: ...
def step(
    action: Action[C] | None = None, *, attempts: int = 8, timeout: Timeout = 600.0
) -> Step[C] | Callable[[Action[C]], Step[C]]:
    """Make a step of a plain function; `@step` or `@step(timeout=1800)`."""
    if action is None:
        return lambda late: Step(late, attempts=attempts, timeout=timeout)
    return Step(action, attempts=attempts, timeout=timeout)


@overload
def final_step(action: Action[C]) -> Step[C]: ...
@overload
def final_step(
    *, attempts: int = 8, timeout: Timeout = 600.0
) -> Callable[[Action[C]], Step[C]]: ...
def final_step(
    action: Action[C] | None = None, *, attempts: int = 8, timeout: Timeout = 600.0
) -> Step[C] | Callable[[Action[C]], Step[C]]:
    """Make a step after which there is no way back; takes what `step` takes."""
    if action is None:
        return lambda late: Step(late, attempts=attempts, timeout=timeout, final=True)
    return Step(action, attempts=attempts, timeout=timeout, final=True)


@dataclass(frozen=True)
class Kind(Generic[S]):
    """A kind of subject: how its rows are found, and what is recorded when an operation starts."""

    name: str
    load: Callable[[Session, str], S]
    """Raises NoResultFound."""
    on_start: Callable[[S, Operation], None] = lambda subject, operation: None
    status_of: Callable[..., Any] | None = None
    """Derives the status that clients see; None for kinds without one."""


def _nothing(session: Session, operation: Operation, state: State) -> None:
    """What most workflows do at their end."""


@dataclass(frozen=True)
class Workflow(Generic[C]):
    """A recipe: what is done, in which order, and what holds while it runs."""

    name: str
    status: str
    """The status shown for the subject meanwhile; empty to show none."""
    steps: tuple[Step[C], ...]
    subject: Kind[Any] | None = None
    claim: Mode = Mode.EXCLUSIVE
    """How the subject is claimed."""
    blocks: frozenset[str] = frozenset()
    """Activities that are refused while it runs; the words are the caller's."""
    removes_subject: bool = False
    """Nothing supersedes it, and the subject counts as removed while it runs."""
    reversible: bool = True
    """False: never turned back; a step that fails is retried until it succeeds."""
    on_end: Callable[[Session, Operation, State], None] = _nothing
    """Called in the transaction that ends an operation, in whichever state."""
    index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Raises ValueError when a step's name, which is the pointer, would be ambiguous."""
        twice = [name for name, n in Counter(s.name for s in self.steps).items() if n > 1]
        if twice or not self.steps:
            raise ValueError(f"{self.name} must have steps, each once; twice: {twice}")
        object.__setattr__(self, "index", {s.name: i for i, s in enumerate(self.steps)})

    def can_turn_back(self, at: int) -> bool:
        """Whether an operation whose step at this place is not done may still be undone."""
        return self.reversible and not any(step.final for step in self.steps[:at])

    def can_be_cancelled(self, at: int) -> bool:
        """Like `can_turn_back`, when it is unknown whether the step at this place is done."""
        return self.can_turn_back(at + 1)


def periodic(
    name: str, action: Step[C], *, subject: Kind[Any] | None = None, claim: Mode = Mode.EXCLUSIVE
) -> Workflow[C]:
    """A workflow whose one step does its round, returns `Wait(period)`, and never ends."""
    action.timeout = math.inf
    return Workflow(
        name, status="", steps=(action,), subject=subject, claim=claim, reversible=False
    )
