"""Operations and events."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct

from trove.api.answers import Links
from trove.api.resources.fields import Empty, Strict
from trove.api.resources.moments import moment
from trove.db import JsonObject
from trove.models.event import Event
from trove.services.operations import OperationView

STATES = "running, undoing, succeeded, failed, cancelled or superseded"
STEP_STATES = "done, running, pending, undoing, undone, failed, cancelled or superseded"


class OperationAction(Strict):
    cancel: Empty


class StepShown(Struct):
    name: str
    state: Annotated[str, Meta(description=STEP_STATES)]


class OperationShown(Struct, kw_only=True):
    id: str
    workflow: str
    subject_id: str
    parent_id: str | None
    state: Annotated[str, Meta(description=STATES)]
    step: Annotated[
        str,
        Meta(description="The current step; the step that failed or was cancelled, after that."),
    ]
    progress: Annotated[int, Meta(description="Per cent; undoing does not change it.")]
    note: str | None
    error: str | None
    attempt: int
    request_id: str | None
    created: str
    updated: str
    can_be_cancelled: bool
    steps: list[StepShown]


class OperationAnswer(Struct):
    operation: OperationShown


class OperationsAnswer(Struct):
    operations: list[OperationShown]
    links: Links = UNSET
    operations_links: Links = UNSET


class EventShown(Struct, kw_only=True):
    id: str
    kind: str
    project_id: str | None
    subject_id: str | None
    operation_id: str | None
    user_id: str | None
    request_id: str | None
    created: str
    payload: JsonObject


class EventsAnswer(Struct):
    events: list[EventShown]
    links: Links = UNSET
    events_links: Links = UNSET


def operation(view: OperationView) -> OperationShown:
    row = view.row
    return OperationShown(
        id=row.id,
        workflow=row.workflow,
        subject_id=row.subject_id,
        parent_id=row.parent_id,
        state=row.state,
        step=view.step,
        progress=row.progress,
        note=row.note,
        error=row.error,
        attempt=row.attempt,
        request_id=row.request_id,
        created=moment(row.created_at),
        updated=moment(row.updated_at),
        can_be_cancelled=view.can_be_cancelled,
        steps=[StepShown(step.name, step.state) for step in view.steps],
    )


def event(row: Event) -> EventShown:
    return EventShown(
        # A number in the database, a string on the wire: it is sent back as the marker of a page.
        id=str(row.id),
        kind=row.kind,
        project_id=row.project_id,
        subject_id=row.subject_id,
        operation_id=row.operation_id,
        user_id=row.user_id,
        request_id=row.request_id,
        created=moment(row.created_at),
        payload=row.payload,
    )
