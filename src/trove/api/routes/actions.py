"""`POST /instances/{id}/action`: exactly one thing is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.answers import Route
from trove.api.call import Call, accepted, may
from trove.api.policy import enforce
from trove.api.resources.actions import InstanceAction
from trove.errors import Invalid, NotSupported
from trove.services import instances

router = APIRouter(prefix="/instances", tags=["instances"], route_class=Route)


@router.post("/{instance_id}/action", status_code=202, response_class=Response)
def act(
    call: Annotated[Call, may("instance:action")], instance_id: str, body: InstanceAction
) -> Response:
    """Restart, resize, reset the status, promote or eject."""
    given = body.model_fields_set
    # The wire allows it beside reset_status, and then it is the one that counts.
    name = "force_delete" if "force_delete" in given else next(iter(given))
    return accepted(ACTIONS[name](call, instance_id, body))


def _restart(call: Call, instance_id: str, body: InstanceAction) -> str | None:
    enforce("instance:restart", call.caller)
    return instances.restart(call.inst, call.caller, instance_id)


def _resize(call: Call, instance_id: str, body: InstanceAction) -> str | None:
    assert body.resize is not None
    if body.resize.volume is not None:
        enforce("instance:resize_volume", call.caller)
        size = body.resize.volume.size
        return instances.resize_volume(call.inst, call.caller, instance_id, size)
    enforce("instance:resize_flavor", call.caller)
    return instances.resize_flavor(call.inst, call.caller, instance_id, str(body.resize.flavorRef))


def _reset_status(call: Call, instance_id: str, body: InstanceAction) -> str | None:
    enforce("instance:reset_status", call.caller)
    instances.reset_status(call.inst, call.caller, instance_id)
    return None


def _force_delete(call: Call, instance_id: str, body: InstanceAction) -> str | None:
    enforce("instance:force_delete", call.caller)
    return instances.force_delete(call.inst, call.caller, instance_id)


def _promote(call: Call, instance_id: str, body: InstanceAction) -> str | None:
    enforce("instance:promote_to_replica_source", call.caller)
    view = instances.show(call.inst, call.caller, instance_id)
    # Clients expect 400 for an instance that is not a replica, also where there are no replicas.
    if view.row.replica_of is None:
        raise Invalid(f"instance {instance_id} is not a replica", field="promote_to_replica_source")
    raise NotSupported("promote_to_replica_source: replicas are not supported here.")


def _eject(call: Call, instance_id: str, body: InstanceAction) -> str | None:
    enforce("instance:eject_replica_source", call.caller)
    view = instances.show(call.inst, call.caller, instance_id)
    if not view.replicas:
        raise Invalid(f"instance {instance_id} has no replicas", field="eject_replica_source")
    raise NotSupported("eject_replica_source: replicas are not supported here.")


ACTIONS: Mapping[str, Callable[[Call, str, InstanceAction], str | None]] = {
    "restart": _restart,
    "resize": _resize,
    "reset_status": _reset_status,
    "force_delete": _force_delete,
    "promote_to_replica_source": _promote,
    "eject_replica_source": _eject,
}
