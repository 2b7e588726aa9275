"""`/instances/{id}/root`: the engine's superuser."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, may, shown
from trove.api.errors import JSON_TYPE
from trove.api.schemas.accounts import RootEnable
from trove.api.schemas.answers import RootEnabledAnswer, RootUserAnswer
from trove.services import root_user

router = APIRouter(prefix="/instances/{instance_id}/root", tags=["root"])


@router.get("", response_model=RootEnabledAnswer)
def show(call: Annotated[Call, may("root:index")], instance_id: str) -> Response:
    """Whether root was ever enabled."""
    enabled = root_user.is_enabled(call.inst, call.caller, instance_id)
    return shown({"rootEnabled": enabled})


# 200: gophercloud takes nothing else, and the password must be told in the answer.
@router.post("", response_model=RootUserAnswer)
async def enable(
    call: Annotated[Call, may("root:create")], instance_id: str, body: RootEnable | None = None
) -> Response:
    """Let root in, with the password that was given or a random one."""
    # python-troveclient sends no body at all when no password was given.
    password = body.password if body else None
    user = await call.ask_agent(instance_id, root_user.enable, password)
    return shown({"user": {"name": user.name, "password": user.password}})


@router.delete("", status_code=204, response_class=Response)
async def disable(call: Annotated[Call, may("root:delete")], instance_id: str) -> Response:
    """Lock root out."""
    await call.ask_agent(instance_id, root_user.disable)
    # 204, where other deletions are 202: clients check it.
    return Response(status_code=204, media_type=JSON_TYPE)
