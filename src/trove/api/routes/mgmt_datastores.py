"""`/mgmt/datastore-versions`: what operators offer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.call import Call, accepted, may
from trove.api.resources.catalog import (
    ManagedVersionAnswer,
    ManagedVersionsAnswer,
    managed_version,
)
from trove.api.resources.versions import VersionCreate, VersionPatch
from trove.services import datastores

router = APIRouter(tags=["management"], route_class=Route)

Reader = Annotated[Call, may("mgmt:read")]
Writer = Annotated[Call, may("mgmt:write")]
VERSIONS = "/mgmt/datastore-versions"


@router.get(VERSIONS)
def index(call: Reader) -> Shown[ManagedVersionsAnswer]:
    rows = datastores.all_versions(call.inst, call.caller)
    return Shown(ManagedVersionsAnswer([managed_version(row) for row in rows]))


@router.post(VERSIONS, status_code=202, response_class=Response)
def create(call: Writer, body: VersionCreate) -> Response:
    """Register a version, and its datastore if it is the first."""
    # Clients expect an empty answer here, and request the list afterwards.
    datastores.create_version(call.inst, call.caller, body.version.order())
    return accepted()


@router.get(f"{VERSIONS}/{{version_id}}")
def show(call: Reader, version_id: str) -> Shown[ManagedVersionAnswer]:
    row = datastores.version_of(call.inst, call.caller, None, version_id)
    return Shown(ManagedVersionAnswer(managed_version(row)))


# python-troveclient sends the changes without a key around them.
@router.patch(f"{VERSIONS}/{{version_id}}", status_code=202, response_class=Response)
def change(call: Writer, version_id: str, body: VersionPatch) -> Response:
    """What is not named stays as it is."""
    datastores.change_version(call.inst, call.caller, version_id, body.change())
    return accepted()


@router.delete(f"{VERSIONS}/{{version_id}}", status_code=202, response_class=Response)
def delete(call: Writer, version_id: str) -> Response:
    """Unless an instance is of it."""
    datastores.delete_version(call.inst, call.caller, version_id)
    return accepted()
