"""`/instances`: list, create, show, change, delete."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import PAGED, Call, accepted, may, shown
from trove.api.policy import enforce
from trove.api.schemas.answers import (
    InstanceAnswer,
    InstanceConfigurationAnswer,
    InstancesAnswer,
    InstancesDetailAnswer,
)
from trove.api.schemas.instances import InstanceChange, InstanceCreate, InstanceIn, InstanceUpdate
from trove.api.views.instances import brief, detail
from trove.errors import Invalid, NotFound, NotSupported
from trove.services import engine_settings, flavors, instances

router = APIRouter(prefix="/instances", tags=["instances"])


@router.get("", response_model=InstancesAnswer, openapi_extra=PAGED)
async def index(
    call: Annotated[Call, may("instance:index")],
) -> Response:
    """The project's instances in brief, newest first."""
    # The page that dashboards ask for all the time: equal requests that wait share one read of it.
    return await call.read(partial(_list, call, brief))


# Before `/{instance_id}`, which would take "detail" for an id.
@router.get("/detail", response_model=InstancesDetailAnswer, openapi_extra=PAGED)
async def details(call: Annotated[Call, may("instance:detail")]) -> Response:
    """The project's instances in detail, newest first."""
    return await call.read(partial(_list, call, detail))


# 200 and no 202: gophercloud takes nothing else for a creation.
@router.post("", response_model=InstanceAnswer)
def create(call: Annotated[Call, may("instance:create")], body: InstanceCreate) -> Response:
    """Order an instance; it is being built when this is answered."""
    order = body.instance
    # Accounts that come along are no way around the rules of their own routes.
    if order.users:
        enforce("user:create", call.caller)
    if order.databases:
        enforce("database:create", call.caller)
    _check_what_there_is_not(order)
    if order.volume is not None and order.volume.type:
        flavors.require_volume_type(call.inst, order.volume.type)
    once = replace(order.order(), id=call.made_id)
    return shown({"instance": detail(call, instances.create(call.inst, call.caller, once))})


@router.get("/{instance_id}", response_model=InstanceAnswer)
def show(call: Annotated[Call, may("instance:show")], instance_id: str) -> Response:
    """One instance."""
    view = instances.show(call.inst, call.caller, instance_id)
    return shown({"instance": detail(call, view)})


@router.put("/{instance_id}", status_code=202, response_class=Response)
# python-troveclient upgrades by PATCH, and does all else by PUT.
@router.patch("/{instance_id}", status_code=202, response_class=Response)
def update(
    call: Annotated[Call, may("instance:update")], instance_id: str, body: InstanceUpdate
) -> Response:
    """Change the name, or who may reach the instance."""
    change = body.instance
    _check_change(call, instance_id, change)
    if change.name is not None:
        instances.rename(call.inst, call.caller, instance_id, change.name)
    if change.access is not None:
        access = change.access.model_dump()
        instances.update_access(call.inst, call.caller, instance_id, access)
    return accepted()


@router.delete("/{instance_id}", status_code=202, response_class=Response)
def delete(call: Annotated[Call, may("instance:delete")], instance_id: str) -> Response:
    """Delete the instance, whatever it is doing."""
    instances.delete(call.inst, call.caller, instance_id)
    return accepted()


@router.get("/{instance_id}/configuration", response_model=InstanceConfigurationAnswer)
def configuration(
    call: Annotated[Call, may("instance:configuration")], instance_id: str
) -> Response:
    """What the engine is set to by the size of the instance, without any configuration group."""
    view = instances.show(call.inst, call.caller, instance_id)
    return shown({"instance": {"configuration": engine_settings.settings_of(view)}})


def _list(call: Call, view: Any, limit: int, marker: str | None) -> Response:
    page = instances.list_page(call.inst, call.caller, limit=limit, marker=marker)
    items = [view(call, each) for each in page.items]
    return call.page("instances", items, page.next_marker, limit)


def _check_what_there_is_not(order: InstanceIn) -> None:
    """Raises for what this installation can not build from."""
    if order.restorePoint is not None:
        raise NotFound(f"restorePoint: backup {order.restorePoint.backupRef!r} does not exist.")
    if order.replica_of is not None or order.replica_count is not None:
        raise NotSupported("replica_of: replicas are not supported by this release.")
    wanted = order.configuration or order.configuration_id
    if wanted is not None:
        raise NotFound(f"configuration: group {wanted!r} does not exist.")
    if order.modules:
        raise NotFound(f"modules: module {order.modules[0].id!r} does not exist.")
    # Last, for a replica has its source's flavor and must hear of replicas first.
    if order.flavorRef is None:
        raise Invalid("a flavor is needed", field="instance.flavorRef")


def _check_change(call: Call, instance_id: str, change: InstanceChange) -> None:
    """Raises for what this installation can not change; to detach nothing is fine."""
    view = instances.show(call.inst, call.caller, instance_id)
    # null, or no key at all, detaches: nothing is attached, so there is nothing to do.
    if change.configuration is not None:
        raise NotFound(f"configuration: group {change.configuration!r} does not exist.")
    if change.model_fields_set & {"replica_of", "slave_of"} and view.replica_of is None:
        raise Invalid(f"instance {instance_id} is not a replica", field="replica_of")
    if change.datastore_version is not None:
        raise NotSupported(
            "datastore_version: upgrades are not supported by this release: create an instance of "
            "that version, and move the data with pg_dump or mariadb-dump."
        )
