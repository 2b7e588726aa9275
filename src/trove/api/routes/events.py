"""`/events`: the history of a project."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from trove.api.answers import Route, Shown
from trove.api.call import PAGED, Call, may
from trove.api.resources.fields import Since
from trove.api.resources.history import EventsAnswer, event
from trove.services import events
from trove.services.events import EventFilter

router = APIRouter(prefix="/events", tags=["events"], route_class=Route)

Kind = Annotated[str | None, Query(description="A kind, or its beginning up to a dot.")]


@router.get("", openapi_extra=PAGED)
# With all_projects a tenant still sees their own only: the service checks the caller.
def index(  # noqa: PLR0913 - the filters of the wire
    call: Annotated[Call, may("event:index")],
    *,
    instance_id: str | None = None,
    operation_id: str | None = None,
    kind: Kind = None,
    since: Since | None = None,
    all_projects: bool = False,
) -> Shown[EventsAnswer]:
    """The project's events, newest first; `since` is UTC unless it has a zone."""
    size, marker = call.requested_page()
    wanted = EventFilter(
        subject_id=instance_id,
        kind=kind,
        operation_id=operation_id,
        since=since,
        all_projects=all_projects,
    )
    page = events.list_page(call.inst, call.caller, wanted, limit=size, marker=marker)
    return call.page(EventsAnswer, [event(row) for row in page.items], page.next_marker, size)
