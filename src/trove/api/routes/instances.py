"""`/instances`: list, create, show, change, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter
from msgspec import Struct
from starlette.responses import Response

from trove.api.answers import Links, Route, Shown
from trove.api.call import PAGED, Call, OfName, accepted, may
from trove.api.policy import enforce
from trove.api.resources.instances import (
    ConfigurationOfInstance,
    InstanceAnswer,
    InstanceChange,
    InstanceConfigurationAnswer,
    InstanceCreate,
    InstanceIn,
    InstancesAnswer,
    InstancesDetailAnswer,
    InstanceUpdate,
    brief,
    detail,
)
from trove.errors import Invalid, NotFound, NotSupported, TroveError
from trove.services import engine_settings, instances
from trove.services.instance_view import InstanceView

T = TypeVar("T")
S = TypeVar("S", bound=Struct)

router = APIRouter(prefix="/instances", tags=["instances"], route_class=Route)


@router.get("", openapi_extra=PAGED)
async def index(
    call: Annotated[Call, may("instance:index")], name: OfName = None
) -> Shown[InstancesAnswer]:
    """The project's instances in brief, newest first."""
    # Dashboards request this page all the time: equal requests that wait share one read.
    return await call.read(partial(_list, call, InstancesAnswer, brief, name))


# Before `/{instance_id}`, which would take "detail" for an id.
@router.get("/detail", openapi_extra=PAGED)
async def details(
    call: Annotated[Call, may("instance:detail")], name: OfName = None
) -> Shown[InstancesDetailAnswer]:
    """The project's instances in detail, newest first."""
    return await call.read(partial(_list, call, InstancesDetailAnswer, detail, name))


# 200, not 202: gophercloud accepts nothing else for a creation.
@router.post("")
def create(
    call: Annotated[Call, may("instance:create")], body: InstanceCreate
) -> Shown[InstanceAnswer]:
    """Order an instance; it is being built when the answer comes."""
    order = body.instance
    # Accounts in an order are subject to the rules of their own routes.
    if order.users:
        enforce("user:create", call.caller)
    if order.databases:
        enforce("database:create", call.caller)
    _check_unserved(order)
    once = replace(order.order(), id=call.made_id)
    return Shown(InstanceAnswer(detail(call, instances.create(call.inst, call.caller, once))))


@router.get("/{instance_id}")
def show(call: Annotated[Call, may("instance:show")], instance_id: str) -> Shown[InstanceAnswer]:
    """One instance."""
    view = instances.show(call.inst, call.caller, instance_id)
    return Shown(InstanceAnswer(detail(call, view)))


@router.put("/{instance_id}", status_code=202, response_class=Response)
# python-troveclient upgrades by PATCH, and does all else by PUT.
@router.patch("/{instance_id}", status_code=202, response_class=Response)
def update(
    call: Annotated[Call, may("instance:update")], instance_id: str, body: InstanceUpdate
) -> Response:
    """Change the name, or who may reach the instance."""
    change = body.instance
    refusal = _refusal_of(change, instance_id)
    if refusal is not None:
        # An unknown instance is reported first.
        instances.show(call.inst, call.caller, instance_id)
        raise refusal
    instances.update(call.inst, call.caller, instance_id, change.columns())
    return accepted()


@router.delete("/{instance_id}", status_code=202, response_class=Response)
def delete(call: Annotated[Call, may("instance:delete")], instance_id: str) -> Response:
    """Delete the instance in any state."""
    return accepted(instances.delete(call.inst, call.caller, instance_id))


@router.get("/{instance_id}/configuration")
def configuration(
    call: Annotated[Call, may("instance:configuration")], instance_id: str
) -> Shown[InstanceConfigurationAnswer]:
    """The settings that follow from the size of the instance."""
    settings = engine_settings.settings_of(instances.show(call.inst, call.caller, instance_id))
    return Shown(InstanceConfigurationAnswer(ConfigurationOfInstance(settings)))


def _list(  # noqa: PLR0913 - bound in two steps
    call: Call,
    kind: Callable[[list[T], Links, Links], S],
    view: Callable[[Call, InstanceView], T],
    name: str | None,
    limit: int,
    marker: str | None,
) -> Shown[S]:
    page = instances.list_page(call.inst, call.caller, limit=limit, marker=marker, name=name)
    items = [view(call, each) for each in page.items]
    return call.page(kind, items, page.next_marker, limit)


def _check_unserved(order: InstanceIn) -> None:
    """Raises for what this release cannot build from."""
    if order.restorePoint is not None:
        raise NotFound(f"restorePoint: backup {order.restorePoint.backupRef!r} does not exist.")
    if order.replica_of is not None:
        raise NotSupported("replica_of: replicas are not supported by this release.")
    # 1 is what some clients send with every order.
    if order.replica_count not in {None, 1}:
        raise Invalid("more than 1 goes with replica_of only", field="instance.replica_count")
    wanted = order.configuration or order.configuration_id
    if wanted is not None:
        raise NotFound(f"configuration: group {wanted!r} does not exist.")
    if order.modules:
        raise NotFound(f"modules: module {order.modules[0].id!r} does not exist.")
    # Last: a replica has the flavor of its source, and its refusal comes first.
    if order.flavorRef is None:
        raise Invalid(
            "a flavor is required (openstacksdk leaves flavorRef out; it sends flavor)",
            field="instance.flavorRef",
        )


def _refusal_of(change: InstanceChange, instance_id: str) -> TroveError | None:
    """Why this release cannot make a change."""
    # null, or no key at all, detaches: nothing is attached, so there is nothing to do.
    if change.configuration is not None:
        return NotFound(f"configuration: group {change.configuration!r} does not exist.")
    if change.model_fields_set & {"replica_of", "slave_of"}:
        return Invalid(f"instance {instance_id} is not a replica", field="replica_of")
    if change.datastore_version is not None:
        return NotSupported(
            "datastore_version: upgrades are not supported by this release: create an instance of "
            "that version, and move the data with the engine's own client."
        )
    return None
