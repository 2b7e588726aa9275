"""`/operations`: what goes on, how far it is, and how to stop it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.call import PAGED, Call, accepted, may
from trove.api.resources.history import (
    OperationAction,
    OperationAnswer,
    OperationsAnswer,
    operation,
)
from trove.services import operations
from trove.services.operations import OperationFilter

router = APIRouter(prefix="/operations", tags=["operations"], route_class=Route)

State = Annotated[str | None, Query(description="A state, or `active` for what goes on.")]


@router.get("", openapi_extra=PAGED)
def index(  # noqa: PLR0913 - the filters of the wire
    call: Annotated[Call, may("operation:index")],
    *,
    instance_id: str | None = None,
    state: State = None,
    workflow: str | None = None,
) -> Shown[OperationsAnswer]:
    """The project's operations, newest first."""
    size, marker = call.requested_page()
    wanted = OperationFilter(subject_id=instance_id, state=state, workflow=workflow)
    page = operations.list_page(call.inst, call.caller, wanted, limit=size, marker=marker)
    items = [operation(each) for each in page.items]
    return call.page(OperationsAnswer, items, page.next_marker, size)


@router.get("/{operation_id}")
def show(call: Annotated[Call, may("operation:show")], operation_id: str) -> Shown[OperationAnswer]:
    """One operation with its steps."""
    view = operations.show(call.inst, call.caller, operation_id)
    return Shown(OperationAnswer(operation(view)))


@router.post("/{operation_id}/action", status_code=202, response_class=Response)
def act(
    call: Annotated[Call, may("operation:cancel")], operation_id: str, body: OperationAction
) -> Response:
    """`{"cancel": {}}` turns an operation back, as long as there is a way back."""
    operations.cancel_one(call.inst, call.caller, operation_id)
    return accepted()
