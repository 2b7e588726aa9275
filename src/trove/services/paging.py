"""One page of a list, and where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Integer, and_, bindparam, or_

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """`next_marker` is None on the last page."""

    items: Sequence[T]
    next_marker: str | None = None


def page_of(found: Sequence[T], limit: int, marker_of: Callable[[T], str]) -> Page[T]:
    """The page of what was found when `limit` + 1 were requested."""
    items = found[:limit]
    more = len(found) > limit and items
    return Page(items, marker_of(items[-1]) if more else None)


def is_before(table: Any, created_at: Any, row_id: Any) -> ColumnElement[bool]:
    """Whether a row follows this one in a list that is ordered by age and id, newest first."""
    # The first condition follows from the second, but is the one that an index can begin at.
    older = or_(table.created_at < created_at, table.id < row_id)
    return and_(table.created_at <= created_at, older)


def size_of(limit: int) -> BindParameter[int]:
    """One more than a page has, for `page_of`."""
    # A number in the statement's text: a plan that is kept must know that a page is small.
    return bindparam("size", limit + 1, type_=Integer, literal_execute=True)
