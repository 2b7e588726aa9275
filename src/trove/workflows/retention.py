"""Removes records that have expired, a bounded number at a time.

Law: what is removed is found by an index, oldest first, and its rows are deleted by their keys, so
that the cost of one does not depend on how many there are. What other rows refer to stays.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, exists, false, or_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from trove.engine import ACTIVE, ENDED, Claim, Operation
from trove.engine.claims import ClaimedResource
from trove.models.agent import Agent
from trove.models.event import Event
from trove.models.idempotency import IdempotentRequest
from trove.models.identity import Token
from trove.models.instance import Instance
from trove.models.task import Task

IDEMPOTENCY_RETENTION = timedelta(days=1)
LONGEST_REQUEST = timedelta(hours=1)

Column = InstrumentedAttribute[Any]


class Place(NamedTuple):
    """A place among the operations in the order of their age."""

    created_at: datetime
    id: str


@dataclass
class Removal:
    """What one transaction removes."""

    session: Session
    now: datetime
    history: datetime
    """Events, tasks and operations from before are removed."""
    deleted: datetime
    """Instances that were deleted before are removed."""
    left: int
    """How many records may yet be looked at; those that belong to one come on top."""
    after: Place | None = None
    """Operations up to there have been looked through."""

    def run(self) -> bool:
        """Whether everything is removed."""
        kinds = (
            self._tokens,
            self._requests,
            self._tasks,
            self._events,
            self._operations,
            self._instances,
        )
        for remove in kinds:
            if self.left > 0:
                remove()
        return self.left > 0

    def _tokens(self) -> None:
        self._remove(Token.digest, Token.expires_at, Token.expires_at < self.now)

    def _requests(self) -> None:
        is_old = IdempotentRequest.created_at < self.now - IDEMPOTENCY_RETENTION
        key = (IdempotentRequest.project_id, IdempotentRequest.key)
        oldest = select(*key).where(is_old).order_by(IdempotentRequest.created_at)
        found = self.session.execute(oldest.limit(self.left)).all()
        if found:
            # The key may be in use again by now, by another request.
            self._execute(delete(IdempotentRequest).where(tuple_(*key).in_(found), is_old))
        self.left -= len(found)

    def _tasks(self) -> None:
        # Not `is_`: MariaDB uses no index for it.
        answered, old = Task.answered == true(), Task.created_at < self.history
        self._remove(Task.id, Task.created_at, answered, old)
        pending, abandoned = Task.answered == false(), _is_abandoned(self.now)
        self._remove(Task.id, Task.created_at, pending, abandoned)

    def _events(self) -> None:
        self._remove(Event.id, Event.created_at, Event.created_at < self.history)

    def _operations(self) -> None:
        """With their claims; the newest one of each instance is kept, for its status."""
        chosen = select(Operation.id, Operation.subject_id, Operation.created_at).where(
            Operation.created_at < self.history,
            Operation.updated_at < self.history,
            Operation.state.in_(ENDED),
        )
        if self.after is not None:
            chosen = chosen.where(_is_after(self.after))
        oldest = chosen.order_by(Operation.created_at, Operation.id).limit(self.left)
        found = self.session.execute(oldest).all()
        if found:
            self.after = Place(found[-1].created_at, found[-1].id)
            newest = self._newest_of({row.subject_id for row in found})
            ids = [row.id for row in found if row.id not in newest]
            self._delete(Claim.operation_id, ids, Claim.released.is_(True))
            self._delete(Operation.id, ids)
        self.left -= len(found)

    def _newest_of(self, instance_ids: Collection[str]) -> set[str | None]:
        # By keys: as part of the statement above, databases read all instances each time.
        newest = select(Instance.last_operation_id).where(Instance.id.in_(sorted(instance_ids)))
        return set(self.session.scalars(newest))

    def _instances(self) -> None:
        """With all that only they have."""
        other = aliased(Instance)
        is_named = exists().where(other.replica_of == Instance.id)
        is_claimed = exists().where(Claim.resource == Instance.id, Claim.released.is_(False))
        oldest = (
            select(Instance.id)
            .where(Instance.deleted_at < self.deleted, ~is_named, ~is_claimed)
            .order_by(Instance.deleted_at)
        )
        ids = self.session.scalars(oldest.limit(self.left)).all()
        for key in (Task.instance_id, Agent.instance_id, ClaimedResource.resource, Instance.id):
            self._delete(key, ids)
        self.left -= len(ids)

    def _remove(self, key: Column, oldest: Column, *conditions: ColumnElement[bool]) -> None:
        if self.left > 0:
            chosen = select(key).where(*conditions).order_by(oldest).limit(self.left)
            found = self.session.scalars(chosen).all()
            self._delete(key, found)
            self.left -= len(found)

    def _delete(self, key: Column, values: Sequence[Any], *conditions: ColumnElement[bool]) -> None:
        if values:
            self._execute(delete(key.class_).where(key.in_(values), *conditions))

    def _execute(self, statement: Any) -> None:
        self.session.execute(statement.execution_options(synchronize_session=False))


def _is_after(place: Place) -> ColumnElement[bool]:
    """The first comparison is what an index serves."""
    rest = or_(Operation.created_at > place.created_at, Operation.id > place.id)
    return and_(Operation.created_at >= place.created_at, rest)


def _is_abandoned(now: datetime) -> ColumnElement[bool]:
    """Tasks whose operation has ended, and those whose request was cut off by a crash."""
    goes_on = exists().where(Operation.id == Task.operation_id, Operation.state.in_(ACTIVE))
    cut_off = and_(Task.operation_id.is_(None), Task.created_at < now - LONGEST_REQUEST)
    return or_(cut_off, and_(Task.operation_id.is_not(None), ~goes_on))
