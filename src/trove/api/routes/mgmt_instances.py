"""`/mgmt/instances`: every project's instances, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import PAGED, Call, OfProject, accepted, may, shown
from trove.api.errors import JSON_TYPE
from trove.api.schemas.answers import (
    InstanceAnswer,
    InstancesDetailAnswer,
    RootHistoryAnswer,
    Shown,
)
from trove.api.schemas.instances import MgmtAction
from trove.api.views.instances import managed
from trove.api.views.moments import moment
from trove.errors import NotFound, NotSupported
from trove.services import diagnosis, instances

router = APIRouter(prefix="/mgmt/instances", tags=["management"])

Reader = Annotated[Call, may("mgmt:read")]
Writer = Annotated[Call, may("mgmt:write")]


@router.get("", response_model=InstancesDetailAnswer, openapi_extra=PAGED)
def index(  # noqa: PLR0913 - the filters of the wire
    call: Reader,
    *,
    of_project: OfProject = None,
    deleted: bool = False,
    # Sent by python-troveclient; without clusters it changes nothing.
    include_clustered: str | None = None,
) -> Response:
    """Every project's, or one project's; with `deleted`, those that are no more."""
    size, marker = call.asked_page()
    page = instances.list_page(
        call.inst,
        call.caller,
        limit=size,
        marker=marker,
        all_projects=True,
        project_id=of_project,
        deleted=deleted,
    )
    items = [managed(call, view) for view in page.items]
    return call.page("instances", items, page.next_marker, size)


@router.get("/{instance_id}", response_model=InstanceAnswer)
def show(call: Reader, instance_id: str, deleted: bool | None = None) -> Response:
    """Deleted or not, unless `deleted` says which."""
    view = instances.show(call.inst, call.caller, instance_id, deleted=deleted is not False)
    if deleted and view.deleted_at is None:
        raise NotFound(f"Instance {instance_id!r} is not deleted.")
    return shown({"instance": managed(call, view)})


@router.get("/{instance_id}/root", response_model=RootHistoryAnswer)
def root_history(call: Reader, instance_id: str) -> Response:
    """When root was enabled, and by whom."""
    view = instances.show(call.inst, call.caller, instance_id)
    at = view.root_enabled_at
    history = {
        "id": view.id,
        # Words in place of null: that is how this wire has always said it, and clients print them.
        "enabled": moment(at) if at else "Never",
        "user": view.root_enabled_by or "Nobody",
    }
    return shown({"root_history": history})


@router.get("/{instance_id}/hwinfo", response_model=Shown)
async def hwinfo(call: Reader, instance_id: str) -> Response:
    """The agent's answer."""
    found = await call.ask_agent(instance_id, diagnosis.diagnose)
    return shown({"hwinfo": found.hwinfo})


@router.get("/{instance_id}/diagnostics", response_model=Shown)
async def diagnostics(call: Reader, instance_id: str) -> Response:
    """The agent's answer."""
    found = await call.ask_agent(instance_id, diagnosis.diagnose)
    return shown({"diagnostics": found.diagnostics})


@router.get("/{instance_id}/rpc_ping", status_code=204, response_class=Response)
async def ping(call: Reader, instance_id: str) -> Response:
    """204 when the agent answers."""
    await call.ask_agent(instance_id, diagnosis.diagnose)
    return Response(status_code=204, media_type=JSON_TYPE)


@router.post("/{instance_id}/action", status_code=202, response_class=Response)
def act(call: Writer, instance_id: str, body: MgmtAction) -> Response:
    """Stop, reboot, or reset the status."""
    name = next(iter(body.model_fields_set))
    act_on = ACTIONS.get(name)
    # 404 for an unknown instance comes before 501.
    instances.show(call.inst, call.caller, instance_id)
    if act_on is None:
        raise NotSupported(f"{name}: this installation can not do it.")
    act_on(call.inst, call.caller, instance_id)
    return accepted()


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "stop": instances.stop,
    "reboot": instances.reboot,
    # By the names of the fields: on the wire it has hyphens. migrate and rebuild have no row: 501.
    "reset_task_status": instances.reset_status,
}
