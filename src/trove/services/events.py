"""The history of a project, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from trove.errors import Invalid
from trove.models.event import Event
from trove.services.installation import Caller, Installation
from trove.services.paging import Page, page_of

LARGEST_ID = 2**63 - 1
LONGEST_ID = len(str(LARGEST_ID))
"""Digits; int() is slow on many, and raises beyond 4300."""


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
    query = select(Event).order_by(Event.id.desc()).limit(limit + 1)
    if not (wanted.all_projects and caller.is_admin):
        query = query.where(Event.project_id == caller.project_id)
    if marker is not None:
        query = query.where(Event.id < _id_of(marker))
    if wanted.subject_id is not None:
        query = query.where(Event.subject_id == wanted.subject_id)
    if wanted.operation_id is not None:
        query = query.where(Event.operation_id == wanted.operation_id)
    if wanted.since is not None:
        query = query.where(Event.created_at >= wanted.since)
    if wanted.kind is not None:
        below = Event.kind.startswith(f"{wanted.kind}.", autoescape=True)
        query = query.where((Event.kind == wanted.kind) | below)
    with inst.database.session() as session:
        return page_of(session.scalars(query).all(), limit, lambda event: str(event.id))


def _id_of(marker: str) -> int:
    is_number = marker.isascii() and marker.isdigit() and len(marker) <= LONGEST_ID
    if not is_number or int(marker) > LARGEST_ID:
        raise Invalid("the id of an event is a number", field="marker")
    return int(marker)
