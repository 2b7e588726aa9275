"""Configuration groups and parameters: there are none yet, and none can be made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import PAGED, Call, may, shown
from trove.api.schemas.answers import Shown
from trove.api.schemas.others import ConfigurationChange, ConfigurationCreate
from trove.errors import NotFound, NotSupported
from trove.services import datastores

router = APIRouter(tags=["configurations"])

Reader = Annotated[Call, may("configuration:show")]
Writer = Annotated[Call, may("configuration:update")]
Seer = Annotated[Call, may("configuration-parameter:index")]


@router.get("/configurations", response_model=Shown, openapi_extra=PAGED)
def index(call: Annotated[Call, may("configuration:index")]) -> Response:
    call.asked_page()
    return shown({"configurations": []})


@router.post("/configurations", status_code=501, response_class=Response)
def create(
    call: Annotated[Call, may("configuration:create")], body: ConfigurationCreate
) -> Response:
    raise NotSupported(
        "Configuration groups are not supported by this release: an engine's settings follow from "
        "the instance's flavor."
    )


@router.get("/configurations/{group_id}", response_model=Shown)
def show(call: Reader, group_id: str) -> Response:
    # 404 lets clients go on and look for a group of this name.
    raise _unknown(group_id)


@router.get("/configurations/{group_id}/instances", response_model=Shown, openapi_extra=PAGED)
def instances_of(call: Reader, group_id: str) -> Response:
    raise _unknown(group_id)


# 200, although PUT is 202: trove-tempest-plugin checks it.
@router.patch("/configurations/{group_id}", response_model=Shown)
def edit(call: Writer, group_id: str, body: ConfigurationChange) -> Response:
    raise _unknown(group_id)


@router.put("/configurations/{group_id}", status_code=202, response_class=Response)
def replace(call: Writer, group_id: str, body: ConfigurationChange) -> Response:
    raise _unknown(group_id)


@router.delete("/configurations/{group_id}", status_code=202, response_class=Response)
def delete(call: Annotated[Call, may("configuration:delete")], group_id: str) -> Response:
    raise _unknown(group_id)


@router.get("/datastores/versions/{version}/parameters", response_model=Shown)
def parameters_of_version(call: Seer, version: str) -> Response:
    datastores.version_of(call.inst, call.caller, None, version)
    # With a hyphen, unlike the keys of other lists; clients read it so.
    return shown({"configuration-parameters": []})


@router.get("/datastores/versions/{version}/parameters/{name}", response_model=Shown)
def parameter_of_version(call: Seer, version: str, name: str) -> Response:
    datastores.version_of(call.inst, call.caller, None, version)
    raise _unknown_parameter(name)


@router.get("/datastores/{datastore}/versions/{version}/parameters", response_model=Shown)
def parameters(call: Seer, datastore: str, version: str) -> Response:
    datastores.version_of(call.inst, call.caller, datastore, version)
    return shown({"configuration-parameters": []})


@router.get("/datastores/{datastore}/versions/{version}/parameters/{name}", response_model=Shown)
def parameter(call: Seer, datastore: str, version: str, name: str) -> Response:
    datastores.version_of(call.inst, call.caller, datastore, version)
    raise _unknown_parameter(name)


def _unknown(group_id: str) -> NotFound:
    return NotFound(f"Configuration group {group_id!r} could not be found.")


def _unknown_parameter(name: str) -> NotFound:
    return NotFound(f"Configuration parameter {name!r} could not be found.")
