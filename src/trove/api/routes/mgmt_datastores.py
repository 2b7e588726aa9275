"""`/mgmt/datastore-versions`: what operators offer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, accepted, may, shown
from trove.api.schemas.answers import VersionAnswer, VersionsAnswer
from trove.api.schemas.datastores import VersionCreate, VersionPatch
from trove.api.views.catalog import managed_version
from trove.services import datastores

router = APIRouter(tags=["management"])

Reader = Annotated[Call, may("mgmt:read")]
Writer = Annotated[Call, may("mgmt:write")]
VERSIONS = "/mgmt/datastore-versions"


@router.get(VERSIONS, response_model=VersionsAnswer)
def index(call: Reader) -> Response:
    rows = datastores.all_versions(call.inst, call.caller)
    return shown({"versions": [managed_version(row) for row in rows]})


@router.post(VERSIONS, status_code=202, response_class=Response)
def create(call: Writer, body: VersionCreate) -> Response:
    """Register a version, and its datastore if it is the first."""
    # Nothing of it is shown: clients take an empty answer here, and ask for the list afterwards.
    datastores.create_version(call.inst, call.caller, body.version.order())
    return accepted()


@router.get(f"{VERSIONS}/{{version_id}}", response_model=VersionAnswer)
def show(call: Reader, version_id: str) -> Response:
    row = datastores.version_of(call.inst, call.caller, None, version_id)
    return shown({"version": managed_version(row)})


# python-troveclient sends what is to be changed without a key around it.
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
