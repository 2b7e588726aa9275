"""One page of a list, and where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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
