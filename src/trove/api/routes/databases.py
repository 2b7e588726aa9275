"""`/instances/{id}/databases`"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.call import PAGED, Call, accepted, may
from trove.api.resources.accounts import (
    DatabasesAnswer,
    DatabasesIn,
    NameShown,
    databases_of,
)
from trove.api.resources.fields import PathName
from trove.services import accounts

router = APIRouter(
    prefix="/instances/{instance_id}/databases", tags=["databases"], route_class=Route
)


@router.get("", openapi_extra=PAGED)
def index(
    call: Annotated[Call, may("database:index")],
    instance_id: str,
) -> Shown[DatabasesAnswer]:
    """What the agent last reported; no request goes to the engine."""
    # Operators have an option of its own for this list (databases_page_size).
    size, marker = call.requested_page(call.inst.settings.api.databases_page_size)
    page = accounts.list_databases(call.inst, call.caller, instance_id, limit=size, marker=marker)
    items = [NameShown(each.name) for each in page.items]
    return call.page(DatabasesAnswer, items, page.next_marker, size)


@router.post("", status_code=202, response_class=Response)
async def create(
    call: Annotated[Call, may("database:create")], instance_id: str, body: DatabasesIn
) -> Response:
    """Create databases."""
    # Waits for the agent's answer: a refusal by the engine belongs here, not in a log.
    wanted = databases_of(body.databases)
    await call.wait_for_agent(instance_id, accounts.create_databases, wanted)
    return accepted()


@router.delete("/{name}", status_code=202, response_class=Response)
async def delete(
    call: Annotated[Call, may("database:delete")], instance_id: str, name: PathName
) -> Response:
    """Drop a database with all that is in it."""
    await call.wait_for_agent(instance_id, accounts.delete_database, name)
    return accepted()
