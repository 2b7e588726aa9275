"""`/instances/{id}/databases`"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import PAGED, Call, accepted, may
from trove.api.schemas.accounts import DatabasesIn
from trove.api.schemas.answers import DatabasesAnswer
from trove.api.schemas.fields import PathName
from trove.api.schemas.instances import databases_of
from trove.api.views.accounts import database
from trove.services import accounts

router = APIRouter(prefix="/instances/{instance_id}/databases", tags=["databases"])


@router.get("", response_model=DatabasesAnswer, openapi_extra=PAGED)
def index(
    call: Annotated[Call, may("database:index")],
    instance_id: str,
) -> Response:
    """What the agent last told of; the engine is not asked."""
    # Operators have an option of its own for this list (databases_page_size).
    size, marker = call.asked_page(call.inst.settings.api.databases_page_size)
    page = accounts.list_databases(call.inst, call.caller, instance_id, limit=size, marker=marker)
    items = [database(each) for each in page.items]
    return call.page("databases", items, page.next_marker, size)


@router.post("", status_code=202, response_class=Response)
async def create(
    call: Annotated[Call, may("database:create")], instance_id: str, body: DatabasesIn
) -> Response:
    """Make databases."""
    # Waits for the agent's answer: what the engine refuses is told here, not in a log.
    wanted = databases_of(body.databases)
    await call.ask_agent(instance_id, accounts.create_databases, wanted)
    return accepted()


@router.delete("/{name}", status_code=202, response_class=Response)
async def delete(
    call: Annotated[Call, may("database:delete")], instance_id: str, name: PathName
) -> Response:
    """Drop a database with all that is in it."""
    await call.ask_agent(instance_id, accounts.delete_database, name)
    return accepted()
