"""The history of a project, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, false, func, select, union_all
from sqlalchemy.orm import Session

from trove.errors import Invalid
from trove.models.event import Event
from trove.services.installation import Caller, Installation
from trove.services.paging import Page, page_of, size_of

LARGEST_ID = 2**63 - 1
LONGEST_ID = len(str(LARGEST_ID))
"""Digits; int() is slow on many, and raises beyond 4300."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
SKEW = timedelta(minutes=10)
"""By how much the clocks of two services may differ."""


@dataclass(frozen=True)
class EventFilter:
    """Which events are wanted; None is any."""

    subject_id: str | None = None
    kind: str | None = None
    """A whole kind, or its beginning up to a dot: `instance` finds `instance.create.start`."""
    operation_id: str | None = None
    since: datetime | None = None
    all_projects: bool = False
    """Administrators only."""


def list_page(
    inst: Installation, caller: Caller, wanted: EventFilter, *, limit: int, marker: str | None
) -> Page[Event]:
    """Events of the caller's project; `marker` is the id of the last one of the page before."""
    is_open = wanted.all_projects and caller.is_admin
    owned = [] if is_open else [Event.project_id == caller.project_id]
    conditions = [*owned, *_conditions_of(wanted)]
    if marker is not None:
        conditions.append(Event.id < _id_of(marker))
    with inst.database.session() as session:
        if wanted.since is not None:
            conditions += _since(session, wanted.since)
        query = select(Event).where(*conditions)
        if wanted.kind is not None:
            kinds = _kinds_like(session, wanted.kind, owned)
            query = select(Event).where(Event.id.in_(_newest_of(kinds, conditions, limit)))
        elif owned and wanted == EventFilter() and marker is not None:
            # MariaDB would begin at the newest.
            query = query.with_hint(Event, "FORCE INDEX (events_of_project)", "mysql")
        found = session.scalars(query.order_by(Event.id.desc()).limit(size_of(limit))).all()
    return page_of(found, limit, lambda event: str(event.id))


def _conditions_of(wanted: EventFilter) -> list[ColumnElement[bool]]:
    conditions = []
    if wanted.subject_id is not None:
        conditions.append(Event.subject_id == wanted.subject_id)
    if wanted.operation_id is not None:
        conditions.append(Event.operation_id == wanted.operation_id)
    return conditions


def _since(session: Session, since: datetime) -> list[ColumnElement[bool]]:
    """With an id to end at: without it, a page that is not full would read all events."""
    # Ids and times have nearly the same order: clocks differ, and transactions take time.
    older = select(Event.id).where(Event.created_at < since - min(SKEW, since - EARLIEST))
    last = session.scalar(older.order_by(Event.created_at.desc()).limit(1))
    return [Event.created_at >= since, Event.id > (last or 0)]


def _kinds_like(
    session: Session, wanted: str, owned: Sequence[ColumnElement[bool]]
) -> Sequence[str]:
    """The kinds that there are, each found by one access to an index."""
    first = select(func.min(Event.kind).label("kind")).where(*owned)
    # MariaDB would read the whole index for each row of a recursion.
    is_mysql = session.get_bind().dialect.name == "mysql"
    found = _one_by_one(session, first) if is_mysql else _in_a_recursion(session, first)
    return [kind for kind in found if f"{kind}.".startswith(f"{wanted}.")]


def _one_by_one(session: Session, first: Select[str]) -> Iterator[str]:
    kind = session.scalar(first)
    while kind is not None:
        yield kind
        kind = session.scalar(first.where(Event.kind > kind))


def _in_a_recursion(session: Session, first: Select[str]) -> Iterable[str]:
    kinds = first.cte("kinds", recursive=True)
    following = first.where(Event.kind > kinds.c.kind).scalar_subquery()
    kinds = kinds.union_all(select(following).where(kinds.c.kind.is_not(None)))
    return session.scalars(select(kinds.c.kind).where(kinds.c.kind.is_not(None)))


def _newest_of(
    kinds: Sequence[str], conditions: Sequence[ColumnElement[bool]], limit: int
) -> Select[int]:
    """The ids of the newest events of each kind: whatever else there is costs nothing."""
    if not kinds:
        return select(Event.id).where(false())
    newest = (
        select(Event.id)
        .where(Event.kind == kind, *conditions)
        .order_by(Event.id.desc())
        .limit(size_of(limit))
        .subquery()
        for kind in kinds
    )
    return select(union_all(*(select(each.c.id) for each in newest)).subquery().c.id)


def _id_of(marker: str) -> int:
    is_number = marker.isascii() and marker.isdigit() and len(marker) <= LONGEST_ID
    if not is_number or int(marker) > LARGEST_ID:
        raise Invalid("the id of an event is a number", field="marker")
    return int(marker)
