"""Which function does which task.

Law: a handler may be called again for a task that an earlier call left half done; `Attempt` says
so. It raises a TroveError when the task fails, Unavailable when another try may succeed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from trove import __version__
from trove.errors import Invalid, NotSupported
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import Guest
from trove.protocol.tasks import AgentTask, load_packages

A = TypeVar("A", bound=AgentTask[Any])
R = TypeVar("R")

Do = Callable[[Guest, A, Attempt], R]
Existing = Callable[[Guest, A], list[str]]


@dataclass(frozen=True)
class Handler:
    """How one kind of task is done."""

    task: type[AgentTask[Any]]
    do: Do[Any, Any]
    existing: Existing[Any] | None = None
    """Which of the things that the task is to create are there already."""


HANDLERS: dict[str, Handler] = {}
"""By the kind of the task; `@handles` adds to it."""


def handles(
    task: type[A], *, existing: Existing[A] | None = None
) -> Callable[[Do[A, R]], Do[A, R]]:
    """Register the function that does this task and returns its `Result`.

    Of a task that is not repeatable, `existing` says what is there before its first attempt.
    """

    def register(do: Do[A, R]) -> Do[A, R]:
        HANDLERS[task.kind] = Handler(task, do, existing)
        return do

    return register


def handler_of(kind: str) -> Handler:
    """The handler of this kind of task; raises NotSupported."""
    if kind not in HANDLERS:
        load_packages()
    if kind not in HANDLERS:
        raise NotSupported(
            f"this agent ({__version__}) knows no task called {kind!r}; upgrade the guest"
        )
    return HANDLERS[kind]


def typed(handler: Handler, args: dict[str, Any]) -> AgentTask[Any]:
    """The task with its arguments; raises Invalid when one is missing or malformed."""
    try:
        task: AgentTask[Any] = msgspec.convert(args, handler.task)
    except msgspec.ValidationError as error:
        raise Invalid(f"{handler.task.kind}: {error}") from None
    return task
