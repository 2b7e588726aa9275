"""`/instances/{id}/root`: the engine's superuser."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.call import Call, may
from trove.api.errors import JSON_TYPE
from trove.api.resources.accounts import (
    RootEnable,
    RootEnabledAnswer,
    RootUserAnswer,
    RootUserShown,
)
from trove.services import root_user

router = APIRouter(prefix="/instances/{instance_id}/root", tags=["root"], route_class=Route)


@router.get("")
def show(call: Annotated[Call, may("root:index")], instance_id: str) -> Shown[RootEnabledAnswer]:
    """Whether root is enabled now."""
    enabled = root_user.is_enabled(call.inst, call.caller, instance_id)
    return Shown(RootEnabledAnswer(enabled))


# 200: gophercloud accepts nothing else, and the answer has the password.
@router.post("")
async def enable(
    call: Annotated[Call, may("root:create")], instance_id: str, body: RootEnable | None = None
) -> Shown[RootUserAnswer]:
    """Enable root with the given password or a random one."""
    # python-troveclient sends no body at all when no password was given.
    password = body.password if body else None
    user = await call.wait_for_agent(instance_id, root_user.enable, password)
    return Shown(RootUserAnswer(RootUserShown(user.name, user.password)))


@router.delete("", status_code=204, response_class=Response)
async def disable(call: Annotated[Call, may("root:delete")], instance_id: str) -> Response:
    """Disable root."""
    await call.wait_for_agent(instance_id, root_user.disable)
    # 204, where other deletions are 202: clients check that.
    return Response(status_code=204, media_type=JSON_TYPE)
