"""Modules: there are none yet, and none can be made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, may, shown
from trove.api.schemas.answers import Shown
from trove.api.schemas.fields import Empty
from trove.api.schemas.others import ModuleCreate, ModulesApply
from trove.errors import NotFound, NotSupported
from trove.services import instances

router = APIRouter(tags=["modules"])

Reader = Annotated[Call, may("module:show")]
Writer = Annotated[Call, may("module:update")]


@router.get("/modules", response_model=Shown)
def index(call: Annotated[Call, may("module:index")], datastore: str | None = None) -> Response:
    return shown({"modules": []})


@router.post("/modules", status_code=501, response_class=Response)
def create(call: Annotated[Call, may("module:create")], body: ModuleCreate) -> Response:
    raise NotSupported("Modules are not supported by this release.")


@router.get("/modules/{module_id}", response_model=Shown)
def show(call: Reader, module_id: str) -> Response:
    raise _unknown(module_id)


@router.put("/modules/{module_id}", response_model=Shown)
def update(call: Writer, module_id: str, body: ModuleCreate) -> Response:
    raise _unknown(module_id)


# 200, although most deletions are 202: the wire has it so.
@router.delete("/modules/{module_id}", response_model=Shown)
def delete(call: Annotated[Call, may("module:delete")], module_id: str) -> Response:
    raise _unknown(module_id)


@router.get("/modules/{module_id}/instances", response_model=Shown)
def instances_of(call: Reader, module_id: str) -> Response:
    raise _unknown(module_id)


@router.put("/modules/{module_id}/instances", status_code=202, response_class=Response)
def reapply(call: Writer, module_id: str, body: Empty) -> Response:
    raise _unknown(module_id)


@router.get("/instances/{instance_id}/modules", response_model=Shown)
def of_instance(call: Annotated[Call, may("instance:module_list")], instance_id: str) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    return shown({"modules": []})


@router.post("/instances/{instance_id}/modules", response_model=Shown)
def apply(
    call: Annotated[Call, may("instance:module_apply")], instance_id: str, body: ModulesApply
) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    # To apply none is content; of those that are named, none can be there.
    for module in body.modules:
        raise _unknown(str(module.get("id")))
    return shown({"modules": []})


@router.delete("/instances/{instance_id}/modules/{module_id}", response_model=Shown)
def remove(
    call: Annotated[Call, may("instance:module_remove")], instance_id: str, module_id: str
) -> Response:
    instances.show(call.inst, call.caller, instance_id)
    raise _unknown(module_id)


def _unknown(module_id: str) -> NotFound:
    return NotFound(f"Module {module_id!r} could not be found.")
