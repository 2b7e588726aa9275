"""Operations and events as the wire shows them."""

from __future__ import annotations

from typing import Any

from trove.api.views.moments import moment
from trove.models.event import Event
from trove.services.operations import OperationView


def operation(view: OperationView) -> dict[str, Any]:
    row = view.row
    return {
        "id": row.id,
        "workflow": row.workflow,
        "subject_id": row.subject_id,
        "parent_id": row.parent_id,
        "state": row.state,
        "step": view.step,
        "progress": row.progress,
        "note": row.note,
        "error": row.error,
        "attempt": row.attempt,
        "request_id": row.request_id,
        "created": moment(row.created_at),
        "updated": moment(row.updated_at),
        "can_be_cancelled": view.can_be_cancelled,
        "steps": [{"name": step.name, "state": step.state} for step in view.steps],
    }


def event(row: Event) -> dict[str, Any]:
    return {
        # A number in the database, a string on the wire: it is handed back as the marker of a page.
        "id": str(row.id),
        "kind": row.kind,
        "project_id": row.project_id,
        "subject_id": row.subject_id,
        "operation_id": row.operation_id,
        "user_id": row.user_id,
        "request_id": row.request_id,
        "created": moment(row.created_at),
        "payload": row.payload,
    }
