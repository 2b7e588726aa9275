"""Pages of a list that changes while it is read: each row that stays comes once, in one order."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from trove.db import Database
from trove.engine import Operation
from trove.models.event import record_event
from trove.services import events
from trove.services.events import EventFilter
from trove.services.paging import is_before, page_of, size_of
from trove.testing.world import Cloud, fresh_database

few = settings(max_examples=30, deadline=None, derandomize=True)
START = datetime.fromisoformat("2030-01-01T00:00:00+00:00")

ages = st.integers(0, 3)
"""Few, so that many rows are of the same age."""
rows = st.dictionaries(st.integers(0, 99).map("{:02}".format), ages, max_size=15)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(), max_size=20), st.integers(1, 20))
def test_a_page_has_a_marker_exactly_when_there_is_more(found: list[int], limit: int) -> None:
    page = page_of(found[: limit + 1], limit, str)
    assert list(page.items) == found[:limit]
    assert page.next_marker == (str(found[limit - 1]) if len(found) > limit else None)


def test_a_page_of_nothing_has_no_marker() -> None:
    assert page_of([1], 0, str).next_marker is None


def fill(database: Database, rows: dict[str, int]) -> None:
    """Operations with these ids, of these ages."""
    with database.begin() as session:
        for row_id, age in rows.items():
            created_at = START - timedelta(seconds=age)
            session.add(
                Operation(id=row_id, workflow="w", subject_id="s", step="", created_at=created_at)
            )


def read(session: Session, limit: int, after: tuple[datetime, str] | None) -> list[Operation]:
    query = select(Operation).order_by(Operation.created_at.desc(), Operation.id.desc())
    if after is not None:
        query = query.where(is_before(Operation, *after))
    return list(session.scalars(query.limit(size_of(limit))))


@few
@given(rows, st.integers(1, 6))
def test_pages_together_are_the_list(rows: dict[str, int], limit: int) -> None:
    seen: list[str] = []
    with fresh_database() as database:
        fill(database, rows)
        after: tuple[datetime, str] | None = None
        while True:
            with database.session() as session:
                page = page_of(read(session, limit, after), limit, lambda row: row.id)
            seen += [row.id for row in page.items]
            if page.next_marker is None:
                break
            assert len(page.items) == limit
            after = page.items[-1].created_at, page.items[-1].id
    by_age = sorted(rows, reverse=True)
    assert seen == sorted(by_age, key=rows.__getitem__)


@few
@given(rows, rows, st.sets(st.integers(0, 14)), st.integers(1, 4))
def test_a_row_that_stays_comes_once_whatever_else_comes_and_goes(
    rows: dict[str, int], later: dict[str, int], removed: set[int], limit: int
) -> None:
    added = {row_id: age for row_id, age in later.items() if row_id not in rows}
    gone = {row_id for n, row_id in enumerate(rows) if n in removed}
    with fresh_database() as database:
        fill(database, rows)
        with database.session() as session:
            first = page_of(read(session, limit, None), limit, lambda row: row.id)
        fill(database, added)
        with database.begin() as session:
            session.execute(delete(Operation).where(Operation.id.in_(gone)))
        rest: list[str] = []
        if first.next_marker is not None:
            last = first.items[-1]
            with database.session() as session:
                rest = [row.id for row in read(session, 99, (last.created_at, last.id))]
    seen = [row.id for row in first.items] + rest
    assert len(seen) == len(set(seen))
    assert set(rows) - gone <= set(seen)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 50])
def test_the_history_is_read_page_by_page(cloud: Cloud, limit: int) -> None:
    with cloud.database.begin() as session:
        for n in range(7):
            project = cloud.caller.project_id if n % 3 else "another"
            record_event(session, f"kind.{n}", project_id=project)
    seen: list[str] = []
    marker: str | None = None
    while True:
        page = events.list_page(
            cloud.installation, cloud.caller, EventFilter(), limit=limit, marker=marker
        )
        seen += [event.kind for event in page.items]
        marker = page.next_marker
        if marker is None:
            break
    assert seen == ["kind.5", "kind.4", "kind.2", "kind.1"]
