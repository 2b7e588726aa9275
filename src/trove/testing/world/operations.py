"""Level two: recipes, runners that execute them, and points at which a runner may die.

A runner dies at the first point where a `Crash` is raised; another one takes its place once the
lease has run out. All points that were passed are recorded.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from trove.engine import (
    ACTIVE,
    Claim,
    ClaimRequest,
    Operation,
    Runner,
    State,
    Workflow,
    cancel,
    start,
    supersede,
    wake,
)
from trove.engine.claims import ClaimedResource
from trove.testing.clock import ManualClock
from trove.testing.world.metadata import Metadata

LEASE = timedelta(seconds=20)
ROUND = 61.0
"""Seconds that pass while nothing is due: longer than any step waits before it is tried again."""

Interference = Callable[[int, str], None]
"""Called with the number and the name of each point."""
OnEnd = Callable[[Session, Operation, str], None]


class Crash(BaseException):
    """The process dies here."""


def crash_at(wanted: int) -> Interference:
    """The process dies at this point."""

    def die(number: int, name: str) -> None:
        if number == wanted:
            raise Crash(name)

    return die


def act_at(wanted: int, action: Callable[[], object]) -> Interference:
    """Something else happens at this point."""

    def act(number: int, name: str) -> None:
        if number == wanted:
            action()

    return act


def do_nothing(number: int, name: str) -> None:
    """The interference of most tests."""


class Operations:
    """Operations of some recipes, begun and brought to their end.

    A level above says what a step may touch (`context_of`) and what happens by itself beside the
    runners (`react`).
    """

    def __init__(self, metadata: Metadata, workflows: Mapping[str, Workflow[Any]]) -> None:
        self.metadata = metadata
        self.database = metadata.database
        self.clock = cast(ManualClock, metadata.clock)
        """A test with a real clock does not move it."""
        self.workflows = workflows
        self.trace: list[str] = []
        """The points that were passed."""
        self.at: Interference = do_nothing
        self.failing: dict[str, Exception] = {}
        """Points that raise, for as long as they stand here."""
        self.on_end: OnEnd = lambda session, operation, state: None
        self.settings: Any = None
        """What timeouts of steps are functions of."""

    def context_of(self, session: Session, operation: Operation) -> Any:
        raise NotImplementedError

    def react(self) -> None:
        """Called between two rounds of the runners."""

    def point(self, name: str) -> None:
        """Something is about to be done, or has just been done."""
        self.trace.append(name)
        self.at(len(self.trace) - 1, name)
        if name in self.failing:
            raise self.failing[name]

    def reset(self) -> None:
        """Forget the points that were passed, and interfere no more."""
        self.at = do_nothing
        self.trace.clear()

    def runner(self) -> Runner:
        return Runner(
            self.database,
            self.workflows,
            self.context_of,
            clock=self.clock,
            lease=LEASE,
            on_end=self.on_end,
            settings=self.settings,
            checkpoint=self.point,
        )

    def drain(self, rounds: int = 30) -> None:
        """Let runners live and die until everything has ended, or the rounds are over."""
        for _ in range(rounds):
            try:
                self.runner().run_until_idle()
                self.react()
            except Crash:
                self.metadata.pass_time(LEASE.total_seconds())
            if not self.active():
                return
            self.metadata.pass_time(ROUND)

    def begin(
        self,
        workflow: str,
        subject: str | None = None,
        *,
        claims: Sequence[ClaimRequest] = (),
        **args: Any,
    ) -> str:
        """Start a workflow; the id of the operation."""
        with self.database.begin() as session:
            subject = subject or str(uuid.uuid4())
            chosen = self.workflows[workflow]
            started = start(session, chosen, subject, args=args, claims=claims, clock=self.clock)
            return started.id

    def replace(self, operation_id: str, workflow: str) -> str:
        """Supersede an operation by another workflow on its subject, as a delete does."""
        with self.database.begin() as session:
            subject = session.get_one(Operation, operation_id).subject_id
            supersede(session, operation_id, clock=self.clock)
            return start(session, self.workflows[workflow], subject, clock=self.clock).id

    def cancel(self, operation_id: str) -> None:
        with self.database.begin() as session:
            operation = session.get_one(Operation, operation_id)
            cancel(session, operation, self.workflows[operation.workflow], clock=self.clock)

    def wake(self, operation_id: str) -> None:
        with self.database.begin() as session:
            wake(session, operation_id, clock=self.clock)

    def active(self) -> list[str]:
        """The ids of the operations that have not ended, oldest first."""
        going = select(Operation.id).where(Operation.state.in_(ACTIVE))
        with self.database.session() as session:
            return list(session.scalars(going.order_by(Operation.created_at)))

    def claimed(self) -> list[str]:
        """The resources that are claimed, by the claims and by the resources' own rows."""
        with self.database.session() as session:
            claims = select(Claim.resource).where(Claim.released.is_(False))
            held = or_(ClaimedResource.holder.is_not(None), ClaimedResource.shared != 0)
            rows = select(ClaimedResource.resource).where(held)
            by_claims, by_rows = set(session.scalars(claims)), set(session.scalars(rows))
        assert by_claims == by_rows
        return sorted(by_claims)

    def look(self, operation_id: str) -> Operation:
        with self.database.session() as session:
            return session.get_one(Operation, operation_id)

    def state_of(self, operation_id: str) -> State:
        return State(self.look(operation_id).state)
