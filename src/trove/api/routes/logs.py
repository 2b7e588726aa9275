"""Guest logs: not to be had from this installation yet."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, may
from trove.api.schemas.others import LogAction
from trove.errors import Invalid, NotSupported
from trove.services import instances

router = APIRouter(prefix="/instances/{instance_id}/log", tags=["logs"])


@router.get("", status_code=501, response_class=Response)
def index(call: Annotated[Call, may("instance:guest_log_list")], instance_id: str) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    raise _not_supported()


@router.post("", status_code=501, response_class=Response)
def act(
    call: Annotated[Call, may("instance:guest_log")], instance_id: str, body: LogAction
) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    # A request that no installation could carry out is the user's fault, and told before 501.
    if body.enable and body.disable:
        raise Invalid("a log is either enabled or disabled", field="enable")
    raise _not_supported()


def _not_supported() -> NotSupported:
    # 501 is this wire's number for logs that an installation does not have.
    return NotSupported("Guest logs are not available from this installation.")
