"""`/mgmt/instances`: every project's instances, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.call import PAGED, Call, OfName, OfProject, accepted, may
from trove.api.errors import JSON_TYPE
from trove.api.resources.actions import MgmtAction
from trove.api.resources.diagnosis import (
    DiagnosticsAnswer,
    HardwareAnswer,
    RootHistoryAnswer,
    RootHistoryShown,
)
from trove.api.resources.instances import ManagedInstanceAnswer, ManagedInstancesAnswer, managed
from trove.api.resources.moments import moment
from trove.errors import NotFound, NotSupported
from trove.services import diagnosis, instances

router = APIRouter(prefix="/mgmt/instances", tags=["management"], route_class=Route)

Reader = Annotated[Call, may("mgmt:read")]
Writer = Annotated[Call, may("mgmt:write")]


@router.get("", openapi_extra=PAGED)
def index(  # noqa: PLR0913 - the filters of the wire
    call: Reader,
    *,
    of_project: OfProject = None,
    deleted: bool = False,
    name: OfName = None,
    # Sent by python-troveclient; without clusters it changes nothing.
    include_clustered: str | None = None,
) -> Shown[ManagedInstancesAnswer]:
    """Every project's, or one project's; with `deleted`, those that are deleted."""
    size, marker = call.requested_page()
    page = instances.list_page(
        call.inst,
        call.caller,
        limit=size,
        marker=marker,
        all_projects=True,
        project_id=of_project,
        deleted=deleted,
        name=name,
    )
    items = [managed(call, view) for view in page.items]
    return call.page(ManagedInstancesAnswer, items, page.next_marker, size)


@router.get("/{instance_id}")
def show(
    call: Reader, instance_id: str, deleted: bool | None = None
) -> Shown[ManagedInstanceAnswer]:
    """Deleted or not, unless `deleted` says which."""
    view = instances.show(call.inst, call.caller, instance_id, deleted=deleted is not False)
    if deleted and view.row.deleted_at is None:
        raise NotFound(f"Instance {instance_id!r} is not deleted.")
    return Shown(ManagedInstanceAnswer(managed(call, view)))


@router.get("/{instance_id}/root")
def root_history(call: Reader, instance_id: str) -> Shown[RootHistoryAnswer]:
    """When root was enabled, and by whom."""
    view = instances.show(call.inst, call.caller, instance_id)
    at = view.row.root_enabled_at
    # Words in place of null: the wire has always had them, and clients print them.
    history = RootHistoryShown(
        view.row.id, moment(at) if at else "Never", view.row.root_enabled_by or "Nobody"
    )
    return Shown(RootHistoryAnswer(history))


@router.get("/{instance_id}/hwinfo")
async def hwinfo(call: Reader, instance_id: str) -> Shown[HardwareAnswer]:
    """What the agent reports of its machine."""
    found = await call.wait_for_agent(instance_id, diagnosis.diagnose)
    return Shown(HardwareAnswer(found.hwinfo))


@router.get("/{instance_id}/diagnostics")
async def diagnostics(call: Reader, instance_id: str) -> Shown[DiagnosticsAnswer]:
    """What the agent reports of itself."""
    found = await call.wait_for_agent(instance_id, diagnosis.diagnose)
    return Shown(DiagnosticsAnswer(found.diagnostics))


@router.get("/{instance_id}/rpc_ping", status_code=204, response_class=Response)
async def ping(call: Reader, instance_id: str) -> Response:
    """204 when the agent answers."""
    await call.wait_for_agent(instance_id, diagnosis.diagnose)
    return Response(status_code=204, media_type=JSON_TYPE)


@router.post("/{instance_id}/action", status_code=202, response_class=Response)
def act(call: Writer, instance_id: str, body: MgmtAction) -> Response:
    """Stop, reboot, or reset the status."""
    name = next(iter(body.model_fields_set))
    act_on = ACTIONS.get(name)
    # 404 for an unknown instance comes before 501.
    instances.show(call.inst, call.caller, instance_id)
    if act_on is None:
        raise NotSupported(f"{name}: this installation does not support it.")
    return accepted(act_on(call.inst, call.caller, instance_id))


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "stop": instances.stop,
    "reboot": instances.reboot,
    # By the names of the fields: on the wire it has hyphens. migrate and rebuild have no row: 501.
    "reset_task_status": instances.reset_status,
}
