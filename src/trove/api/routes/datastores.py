"""`/datastores`: what may be ordered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, accepted, may, shown
from trove.api.schemas.answers import (
    DatastoreAnswer,
    DatastoresAnswer,
    FlavorsAnswer,
    VersionAnswer,
    VersionsAnswer,
    VolumeTypesAnswer,
)
from trove.api.views import catalog
from trove.services import datastores, flavors

router = APIRouter(prefix="/datastores", tags=["datastores"])

Seer = Annotated[Call, may("datastore:show")]


@router.get("", response_model=DatastoresAnswer)
def index(call: Annotated[Call, may("datastore:index")]) -> Response:
    views = datastores.list_all(call.inst, call.caller)
    return shown({"datastores": [catalog.datastore(call, view) for view in views]})


@router.get("/versions/{version}", response_model=VersionAnswer)
def version_alone(call: Seer, version: str) -> Response:
    """A version by its id alone."""
    # Some clients hold nothing but a version's id, from an instance or a backup.
    row = datastores.version_of(call.inst, call.caller, None, version)
    return shown({"version": catalog.version(call, row)})


@router.get("/{datastore}", response_model=DatastoreAnswer)
def show(call: Seer, datastore: str) -> Response:
    """By id or name."""
    view = datastores.show(call.inst, call.caller, datastore)
    return shown({"datastore": catalog.datastore(call, view)})


@router.delete("/{datastore}", status_code=202, response_class=Response)
def delete(call: Annotated[Call, may("datastore:delete")], datastore: str) -> Response:
    """Remove a datastore that has no versions."""
    datastores.delete(call.inst, call.caller, datastore)
    return accepted()


@router.get("/{datastore}/versions", response_model=VersionsAnswer)
def versions(call: Seer, datastore: str) -> Response:
    view = datastores.show(call.inst, call.caller, datastore)
    return shown({"versions": [catalog.version(call, row) for row in view.versions]})


@router.get("/{datastore}/versions/{version}", response_model=VersionAnswer)
def version(call: Seer, datastore: str, version: str) -> Response:
    """By id, name or number."""
    row = datastores.version_of(call.inst, call.caller, datastore, version)
    return shown({"version": catalog.version(call, row)})


@router.get("/{datastore}/versions/{version}/flavors", response_model=FlavorsAnswer)
def flavors_of(call: Seer, datastore: str, version: str) -> Response:
    """The flavors that are large enough."""
    row = datastores.version_of(call.inst, call.caller, datastore, version)
    fitting = flavors.flavors_for(call.inst, row)
    return shown({"flavors": [catalog.flavor(call, each) for each in fitting]})


@router.get("/{datastore}/versions/{version}/volume-types", response_model=VolumeTypesAnswer)
def volume_types_of(call: Seer, datastore: str, version: str) -> Response:
    datastores.version_of(call.inst, call.caller, datastore, version)
    kinds = flavors.volume_types(call.inst)
    return shown({"volume_types": [catalog.volume_type(each) for each in kinds]})
