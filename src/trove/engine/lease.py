"""The right to do the next step of an operation: taken, kept, given back, lost.

Law: a lease is one row's token and end, changed by guarded UPDATEs alone. A row that still has
an end in the future and no token was taken off a runner whose step may not be over yet.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, and_, bindparam, func, select, update
from sqlalchemy.orm import Session

from trove.db import EPOCH, Clock, Database, new_id
from trove.engine.operation import ACTIVE, Operation, State

CANDIDATES = 8
"""How many due rows are looked at where locked ones can not be skipped."""

FREE = and_(Operation.due_at <= bindparam("now"), Operation.lease_until <= bindparam("now"))
DUE = select(Operation.id, Operation.wakeups).where(FREE).order_by(Operation.due_at)
FIRST_DUE = DUE.limit(1).with_for_update(skip_locked=True)
SOME_DUE = DUE.limit(CANDIDATES)
"""Made once: idle runners ask this for ever."""


@dataclass(frozen=True)
class Claim:
    """The right to do the next step of one operation, until the lease runs out."""

    operation_id: str
    token: str
    wakeups: int
    now: datetime
    """By the database's clock, when `read_at` was the monotonic time of this process."""
    read_at: float = field(default_factory=time.monotonic)

    def moment(self) -> datetime:
        """What the database's clock says now, without asking it again."""
        return self.now + timedelta(seconds=time.monotonic() - self.read_at)


@dataclass
class Leases:
    """The claims that one runner holds."""

    database: Database
    clock: Clock
    length: timedelta
    held: dict[str, Claim] = field(default_factory=dict)

    def take(self) -> Claim | None:
        """Claim the free operation that has been due for longest, if there is one."""
        with self.database.begin() as session:
            now = self.clock.now(session)
            claim = self._first_taken(session, now)
        if claim:
            self.held[claim.token] = claim
        return claim

    def drop(self, claim: Claim) -> None:
        """Forget a claim whose row says already that nobody holds it, or soon will."""
        self.held.pop(claim.token, None)

    def renew(self) -> None:
        """Prolong every lease held here, and hold back what waits for the end of a lost one.

        One transaction for each: it locks no row while it waits for another.
        """
        for claim in tuple(self.held.values()):
            with self.database.begin() as session:
                until = self.clock.now(session) + self.length
                mine = _held_by(claim).values(lease_until=until)
                if not _changed(session, mine):
                    self._hold_back(session, claim, until)

    def give_back(self, claim: Claim, *, seconds: float = 0.0, **values: Any) -> bool:
        """Let anybody do the step again after so long; says whether it was ours to give."""
        with self.database.begin() as session:
            due = self.clock.now(session) + timedelta(seconds=seconds)
            values |= {"lease_token": None, "lease_until": EPOCH, "due_at": due}
            return _changed(session, _held_by(claim).values(values))

    def let_go(self, claim: Claim) -> None:
        """Our step is over though the lease is lost: nobody need wait for its end any longer."""
        with self.database.begin() as session:
            now = self.clock.now(session)
            if _changed(session, _lost(claim, now).values(lease_until=EPOCH)):
                turned_back = update(Operation).where(
                    Operation.id == claim.operation_id, Operation.state == State.UNDOING
                )
                _changed(session, turned_back.values(due_at=now))
                top = _superseded_top(session, claim.operation_id)
                over = max(now, end_of_steps(session, top.subject_id))
                _changed(session, _successor_of(top, now).values(due_at=over))

    def _first_taken(self, session: Session, now: datetime) -> Claim | None:
        due = FIRST_DUE if self.database.skips_locked else SOME_DUE
        for row in session.execute(due, {"now": now}).all():
            claim = Claim(row.id, new_id(), row.wakeups, now)
            if _changed(session, _take(claim, now + self.length)):
                return claim
        return None

    def _hold_back(self, session: Session, claim: Claim, until: datetime) -> None:
        now = until - self.length
        if _changed(session, _lost(claim, now).values(lease_until=until)):
            top = _superseded_top(session, claim.operation_id)
            _changed(session, _successor_of(top, now).values(due_at=until))


def end_of_steps(session: Session, subject_id: str) -> datetime:
    """When the steps in flight of all that was superseded on a subject are sure to be over.

    Those of its descendants too, which may be on other subjects.
    """
    superseded = select(Operation.id).where(
        Operation.subject_id == subject_id, Operation.state == State.SUPERSEDED
    )
    end: datetime = EPOCH
    generation = list(session.scalars(superseded))
    while generation:
        latest = select(func.max(Operation.lease_until)).where(Operation.id.in_(generation))
        end = max(end, session.scalars(latest).one() or EPOCH)
        children = select(Operation.id).where(Operation.parent_id.in_(generation))
        generation = list(session.scalars(children))
    return end


def _take(claim: Claim, until: datetime) -> Update:
    mine = update(Operation).where(
        Operation.id == claim.operation_id,
        Operation.due_at <= claim.now,
        Operation.lease_until <= claim.now,
        Operation.state.in_(ACTIVE),
    )
    attempt = Operation.attempt + 1
    return mine.values(lease_token=claim.token, lease_until=until, attempt=attempt)


def _held_by(claim: Claim) -> Update:
    return update(Operation).where(
        Operation.id == claim.operation_id, Operation.lease_token == claim.token
    )


def _lost(claim: Claim, now: datetime) -> Update:
    return update(Operation).where(
        Operation.id == claim.operation_id,
        Operation.lease_token.is_(None),
        Operation.lease_until > now,
    )


def _successor_of(top: Operation, now: datetime) -> Update:
    """What was started in place of a superseded operation, and has not begun yet."""
    return update(Operation).where(
        Operation.active_subject_id == top.subject_id,
        Operation.id != top.id,
        Operation.updated_at == Operation.created_at,
        Operation.attempt == 0,
        Operation.due_at > now,
    )


def _superseded_top(session: Session, operation_id: str) -> Operation:
    """The operation that was superseded, and this one with it."""
    operation = session.get_one(Operation, operation_id)
    if operation.parent_id:
        parent = session.get_one(Operation, operation.parent_id)
        if parent.state == State.SUPERSEDED:
            return _superseded_top(session, parent.id)
    return operation


def _changed(session: Session, statement: Update) -> bool:
    quiet = statement.execution_options(synchronize_session=False)
    return bool(session.execute(quiet).rowcount)  # type: ignore[attr-defined]
