"""The right to execute the next step of an operation: taken, renewed, given back, lost.

Law: a lease is one row's token and expiry, changed by guarded UPDATEs alone. A row with an expiry
in the future and no token was superseded or cancelled while a runner executed a step, which may
not be over yet; without a token and with an expiry in the past the row is free.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, and_, bindparam, case, func, select, update
from sqlalchemy.orm import Session

from trove.db import EPOCH, Clock, Database, new_id
from trove.engine.claims import Claim
from trove.engine.operation import ACTIVE, Operation, State

CANDIDATES = 8
"""How many due rows are tried where the database cannot skip locked ones."""

FREE = and_(Operation.due_at <= bindparam("now"), Operation.lease_until <= bindparam("now"))
DUE = select(Operation.id, Operation.wakeups).where(FREE).order_by(Operation.due_at)
FIRST_DUE = DUE.limit(1).with_for_update(skip_locked=True)
SOME_DUE = DUE.limit(CANDIDATES)
NEXT_DUE = select(
    func.min(
        case(
            (Operation.lease_until > Operation.due_at, Operation.lease_until),
            else_=Operation.due_at,
        )
    )
).where(Operation.due_at.is_not(None))
"""Built once: idle runners execute this again and again."""


@dataclass
class Lease:
    """The right to execute the next step of one operation, until it expires."""

    operation_id: str
    token: str
    wakeups: int
    now: datetime
    """The database's clock when it was read, after the monotonic time `read_at`."""
    read_at: float
    until: datetime
    """No other runner can have taken the row before; prolonged while the step is executed."""

    def time(self) -> datetime:
        """The database's clock now, computed without another query; rather late than early."""
        return self.now + timedelta(seconds=time.monotonic() - self.read_at)


@dataclass
class Leases:
    """The leases that one runner holds."""

    database: Database
    clock: Clock
    length: timedelta
    held: dict[str, Lease] = field(default_factory=dict)

    def take(self) -> Lease | None:
        """Lease the free operation that has been due for longest, if there is one."""
        read_at = time.monotonic()
        with self.database.begin() as session:
            now = self.clock.now(session)
            lease = self._first_taken(session, now, read_at)
        if lease:
            self.held[lease.token] = lease
        return lease

    def due_in(self) -> float | None:
        """Seconds until the next operation can be leased, at most 0 if one can be now."""
        with self.database.session() as session:
            due = session.scalars(NEXT_DUE).one()
            return None if due is None else (due - self.clock.now(session)).total_seconds()

    def drop(self, lease: Lease) -> None:
        """Forget a lease whose row is free already, or soon will be."""
        self.held.pop(lease.token, None)

    def extend(self, lease: Lease) -> None:
        """Let it last its whole length from now on, if it is still ours."""
        with self.database.begin() as session:
            until = self.clock.now(session) + self.length
            extended = _changed(session, _held_by(lease).values(lease_until=until))
        if extended:
            lease.until = until

    def renew(self) -> None:
        """Prolong every lease held here, and delay the successors of operations that were lost.

        One transaction for each: it locks no row while it waits for another.
        """
        for lease in tuple(self.held.values()):
            with self.database.begin() as session:
                until = self.clock.now(session) + self.length
                mine = _held_by(lease).values(lease_until=until)
                prolonged = _changed(session, mine) or self._delay_successors(session, lease, until)
            if prolonged:
                lease.until = until

    def give_back(self, lease: Lease, *, seconds: float = 0.0, **values: Any) -> bool:
        """Let any runner execute the step again after so long; whether the lease was still ours."""
        with self.database.begin() as session:
            due = self.clock.now(session) + timedelta(seconds=seconds)
            values |= {"lease_token": None, "lease_until": EPOCH, "due_at": due}
            return _changed(session, _held_by(lease).values(values))

    def end_lost(self, lease: Lease) -> None:
        """The step of a lost lease is over: what waits for its expiry need not wait any longer."""
        with self.database.begin() as session:
            now = self.clock.now(session)
            # Had it expired before, the step in flight could be that of a runner that took the row.
            if now >= lease.until:
                return
            if _changed(session, _lost(lease, now).values(lease_until=EPOCH)):
                turned_back = update(Operation).where(
                    Operation.id == lease.operation_id, Operation.state == State.UNDOING
                )
                _changed(session, turned_back.values(due_at=now))
                top = _superseded_top(session, lease.operation_id)
                for successor in _successors_of(session, top):
                    over = end_of_steps(session, resources_of(session, successor))
                    _changed(session, _not_begun(successor, now).values(due_at=max(now, over)))

    def _first_taken(self, session: Session, now: datetime, read_at: float) -> Lease | None:
        due = FIRST_DUE if self.database.skips_locked else SOME_DUE
        for row in session.execute(due, {"now": now}).all():
            lease = Lease(row.id, new_id(), row.wakeups, now, read_at, now + self.length)
            if _changed(session, _take(lease)):
                return lease
        return None

    def _delay_successors(self, session: Session, lease: Lease, until: datetime) -> bool:
        """Whether the step of the lost lease is still what its row waits for."""
        now = until - self.length
        is_ours = now < lease.until
        waits = is_ours and _changed(session, _lost(lease, now).values(lease_until=until))
        if waits:
            top = _superseded_top(session, lease.operation_id)
            for successor in _successors_of(session, top):
                later = _not_begun(successor, now).where(Operation.due_at < until)
                _changed(session, later.values(due_at=until))
        return waits


def end_of_steps(session: Session, resources: Collection[str]) -> datetime:
    """When the steps in flight of all superseded operations on these resources have ended.

    Those of their descendants too, which may have claimed other resources.
    """
    superseded = (
        select(Operation.id)
        .join(Claim, Claim.operation_id == Operation.id)
        .where(Claim.resource.in_(resources), Operation.state == State.SUPERSEDED)
    )
    end: datetime = EPOCH
    generation = list(session.scalars(superseded))
    while generation:
        latest = select(func.max(Operation.lease_until)).where(Operation.id.in_(generation))
        end = max(end, session.scalars(latest).one() or EPOCH)
        children = select(Operation.id).where(Operation.parent_id.in_(generation))
        generation = list(session.scalars(children))
    return end


def resources_of(session: Session, operation_id: str) -> Sequence[str]:
    """What an operation has claimed, released or not."""
    return session.scalars(select(Claim.resource).where(Claim.operation_id == operation_id)).all()


def _take(lease: Lease) -> Update:
    mine = update(Operation).where(
        Operation.id == lease.operation_id,
        Operation.due_at <= lease.now,
        Operation.lease_until <= lease.now,
        Operation.state.in_(ACTIVE),
    )
    attempt = Operation.attempt + 1
    return mine.values(lease_token=lease.token, lease_until=lease.until, attempt=attempt)


def _held_by(lease: Lease) -> Update:
    return update(Operation).where(
        Operation.id == lease.operation_id, Operation.lease_token == lease.token
    )


def _lost(lease: Lease, now: datetime) -> Update:
    return update(Operation).where(
        Operation.id == lease.operation_id,
        Operation.lease_token.is_(None),
        Operation.lease_until > now,
    )


def _successors_of(session: Session, top: Operation) -> Sequence[str]:
    """The operations that have claimed what a superseded one had, and have not begun yet."""
    freed = select(Claim.resource).where(Claim.operation_id == top.id)
    holders = (
        select(Claim.operation_id)
        .where(Claim.resource.in_(freed), Claim.released.is_(False), Claim.operation_id != top.id)
        .distinct()
    )
    return session.scalars(holders.order_by(Claim.operation_id)).all()


def _not_begun(operation_id: str, now: datetime) -> Update:
    return update(Operation).where(
        Operation.id == operation_id,
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
