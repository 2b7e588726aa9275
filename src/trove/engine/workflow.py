"""What a workflow is: a named tuple of steps, each of which may know how to undo itself.

Law: a step may run more than once, so it finds what it made the last time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, overload

C = TypeVar("C")


@dataclass(frozen=True)
class Wait:
    """The step is not finished: look again later, or when somebody wakes the operation."""

    seconds: float = 5.0
    note: str | None = None
    """What is being waited for, for whoever watches."""
    progress: float = 0.0
    """How much of the step is done, 0 to 1."""


Action = Callable[[C], Wait | None]


@dataclass(eq=False)
class Step(Generic[C]):
    """One small, repeatable action, perhaps with the action that takes it back."""

    run: Action[C]
    undo: Action[C] | None = None
    attempts: int = 8
    timeout: float = 600.0
    """Seconds that the step may take in all, waits and retries counted; its undoing likewise."""
    final: bool = False
    """Once done there is no way back: what fails later is retried, not undone."""

    @property
    def name(self) -> str:
        return f"{self.run.__module__.rpartition('.')[2]}.{self.run.__name__}"

    def undone_by(self, action: Action[C]) -> Action[C]:
        """Declare the action that takes this step back."""
        self.undo = action
        return action


@overload
def step(action: Action[C]) -> Step[C]: ...
@overload
def step(*, attempts: int = 8, timeout: float = 600.0) -> Callable[[Action[C]], Step[C]]: ...
def step(
    action: Action[C] | None = None, *, attempts: int = 8, timeout: float = 600.0
) -> Step[C] | Callable[[Action[C]], Step[C]]:
    """Make a step of a plain function; `@step` or `@step(timeout=1800)`."""
    if action is None:
        return lambda late: Step(late, attempts=attempts, timeout=timeout)
    return Step(action, attempts=attempts, timeout=timeout)


@overload
def final_step(action: Action[C]) -> Step[C]: ...
@overload
def final_step(*, attempts: int = 8, timeout: float = 600.0) -> Callable[[Action[C]], Step[C]]: ...
def final_step(
    action: Action[C] | None = None, *, attempts: int = 8, timeout: float = 600.0
) -> Step[C] | Callable[[Action[C]], Step[C]]:
    """Make a step after which there is no way back; takes what `step` takes."""
    if action is None:
        return lambda late: Step(late, attempts=attempts, timeout=timeout, final=True)
    return Step(action, attempts=attempts, timeout=timeout, final=True)


@dataclass(frozen=True)
class Workflow(Generic[C]):
    """A recipe: what is done, in what order, and the status shown while it lasts."""

    name: str
    status: str
    steps: tuple[Step[C], ...]
    reversible: bool = True
    """False: never turned back; a step that fails is tried again until it is done."""
    index: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Raises ValueError when the pointer, a step's name, would not tell where it points."""
        twice = [name for name, n in Counter(s.name for s in self.steps).items() if n > 1]
        if twice or not self.steps:
            raise ValueError(f"{self.name} must have steps, each once; twice: {twice}")
        object.__setattr__(self, "index", {s.name: i for i, s in enumerate(self.steps)})

    def can_turn_back(self, at: int) -> bool:
        """Whether an operation whose step at this place is not done may still be undone."""
        return self.reversible and not any(step.final for step in self.steps[:at])

    def can_be_cancelled(self, at: int) -> bool:
        """Like `can_turn_back`, when nobody knows whether the step at this place is done."""
        return self.can_turn_back(at + 1)


def periodic(name: str, action: Step[C]) -> Workflow[C]:
    """A workflow whose one step does its round, returns `Wait(period)`, and never ends."""
    action.timeout = math.inf
    return Workflow(name, status="", steps=(action,), reversible=False)
