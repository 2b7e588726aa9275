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
from trove.errors import AlreadyExists, Invalid, NotFound, NotSupported, TroveError, Unavailable
from trove.guestagent.attempt import Attempt
from trove.guestagent.guest import Guest, LongGuest
from trove.protocol import ErrorKind
from trove.protocol.tasks import AgentTask, Lane, load_packages

A = TypeVar("A", bound=AgentTask[Any])
G = TypeVar("G", Guest, LongGuest)
R = TypeVar("R")

Do = Callable[[G, A, Attempt], R]
Existing = Callable[[Guest, A], list[str]]

KINDS: tuple[tuple[type[TroveError], ErrorKind], ...] = (
    (AlreadyExists, ErrorKind.EXISTS),
    (Invalid, ErrorKind.INVALID),
    (NotFound, ErrorKind.NOT_FOUND),
    (NotSupported, ErrorKind.INVALID),
    (Unavailable, ErrorKind.UNAVAILABLE),
)


@dataclass(frozen=True)
class Handler:
    """How one kind of task is done."""

    task: type[AgentTask[Any]]
    do: Callable[[Any, Any, Attempt], Any]
    existing: Existing[Any] | None = None
    """Which of the things that the task is to create are there already."""


HANDLERS: dict[str, Handler] = {}
"""By the kind of the task; `@handles` adds to it."""


def handles(
    task: type[A], *, existing: Existing[A] | None = None
) -> Callable[[Do[G, A, R]], Do[G, A, R]]:
    """Register the function that does this task and returns its `Result`.

    In the long lane, it takes a `LongGuest` and runs in a process of its own. For a task that is
    not repeatable, `existing` says what is there before its first attempt.
    """

    def register(do: Do[G, A, R]) -> Do[G, A, R]:
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


def lane_of(kind: str) -> Lane:
    """Of a kind that is not known: where it is soon refused."""
    try:
        return handler_of(kind).task.lane
    except NotSupported:
        return Lane.ACCOUNTS


def error_kind_of(error: TroveError) -> ErrorKind:
    return next((kind for cls, kind in KINDS if isinstance(error, cls)), ErrorKind.FAILED)
