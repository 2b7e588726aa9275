"""Routes that only older clients call: empty where there is nothing, 404 for what is not there."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, may, shown
from trove.api.schemas.answers import Shown
from trove.api.schemas.fields import Empty
from trove.errors import NotFound, NotSupported
from trove.services import instances

router = APIRouter(tags=["older clients"])

GroupReader = Annotated[Call, may("security_group:index")]
GroupWriter = Annotated[Call, may("security_group:write")]
Manager = Annotated[Call, may("mgmt:read")]


@router.get("/security-groups", response_model=Shown)
def security_groups(call: GroupReader) -> Response:
    return shown({"security_groups": []})


@router.get("/security-groups/{group_id}", response_model=Shown)
def security_group(call: GroupReader, group_id: str) -> Response:
    raise NotFound(f"Security group {group_id!r} could not be found.")


@router.post("/security-group-rules", status_code=501, response_class=Response)
def create_rule(call: GroupWriter, body: Empty) -> Response:
    # 501 and not 404, for it tells what to do instead.
    raise NotSupported("There are no security groups here; use the instance's access.")


@router.delete("/security-group-rules/{rule_id}", status_code=202, response_class=Response)
def delete_rule(call: GroupWriter, rule_id: str) -> Response:
    raise NotFound(f"Security group rule {rule_id!r} could not be found.")


@router.get("/instances/{instance_id}/metadata", response_model=Shown)
def metadata(call: Annotated[Call, may("metadata:index")], instance_id: str) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    return shown({"metadata": {}})


@router.get("/instances/{instance_id}/metadata/{key}", response_model=Shown)
def metadata_item(
    call: Annotated[Call, may("metadata:index")], instance_id: str, key: str
) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    raise NotFound(f"Instance {instance_id} has no metadata {key!r}.")


@router.post("/instances/{instance_id}/metadata/{key}", status_code=501, response_class=Response)
@router.put("/instances/{instance_id}/metadata/{key}", status_code=501, response_class=Response)
# python-troveclient creates by POST, edits by PATCH and renames by PUT.
@router.patch("/instances/{instance_id}/metadata/{key}", status_code=501, response_class=Response)
def set_metadata(
    call: Annotated[Call, may("metadata:write")], instance_id: str, key: str, body: Empty
) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    raise NotSupported(
        "Metadata of instances is not supported by this release: keep it by the instance's id."
    )


@router.delete("/instances/{instance_id}/metadata/{key}", status_code=202, response_class=Response)
def delete_metadata(
    call: Annotated[Call, may("metadata:write")], instance_id: str, key: str
) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    raise NotFound(f"Instance {instance_id} has no metadata {key!r}.")


@router.get("/mgmt/hosts", response_model=Shown)
def hosts(call: Manager) -> Response:
    return shown({"hosts": []})


@router.get("/mgmt/hosts/{host}", response_model=Shown)
def host(call: Manager, host: str) -> Response:
    raise NotFound(f"Host {host!r} could not be found.")


@router.get("/mgmt/storage", response_model=Shown)
def storage(call: Manager) -> Response:
    return shown({"devices": []})


@router.get("/mgmt/accounts", response_model=Shown)
def accounts(call: Manager) -> Response:
    return shown({"accounts": []})


@router.get("/mgmt/accounts/{account}", response_model=Shown)
def account(call: Manager, account: str) -> Response:
    raise NotFound(f"Account {account!r} could not be found.")
