"""`/datastores`: what may be ordered."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.answers import Route, Shown
from trove.api.call import Call, accepted, may
from trove.api.resources import catalog
from trove.api.resources.catalog import (
    DatastoreAnswer,
    DatastoresAnswer,
    FlavorsAnswer,
    VersionAnswer,
    VersionsAnswer,
    VolumeTypesAnswer,
)
from trove.services import datastores, flavors

router = APIRouter(prefix="/datastores", tags=["datastores"], route_class=Route)

Seer = Annotated[Call, may("datastore:show")]


@router.get("")
def index(call: Annotated[Call, may("datastore:index")]) -> Shown[DatastoresAnswer]:
    views = datastores.list_all(call.inst, call.caller)
    return Shown(DatastoresAnswer([catalog.datastore(call, view) for view in views]))


@router.get("/versions/{version}")
def version_alone(call: Seer, version: str) -> Shown[VersionAnswer]:
    """A version by its id alone."""
    # Some clients hold nothing but a version's id, from an instance or a backup.
    row = datastores.version_of(call.inst, call.caller, None, version)
    return Shown(VersionAnswer(catalog.version(call, row)))


@router.get("/{datastore}")
def show(call: Seer, datastore: str) -> Shown[DatastoreAnswer]:
    """By id or name."""
    view = datastores.show(call.inst, call.caller, datastore)
    return Shown(DatastoreAnswer(catalog.datastore(call, view)))


@router.delete("/{datastore}", status_code=202, response_class=Response)
def delete(call: Annotated[Call, may("datastore:delete")], datastore: str) -> Response:
    """Remove a datastore that has no versions."""
    datastores.delete(call.inst, call.caller, datastore)
    return accepted()


@router.get("/{datastore}/versions")
def versions(call: Seer, datastore: str) -> Shown[VersionsAnswer]:
    view = datastores.show(call.inst, call.caller, datastore)
    return Shown(VersionsAnswer([catalog.version(call, row) for row in view.versions]))


@router.get("/{datastore}/versions/{version}")
def version(call: Seer, datastore: str, version: str) -> Shown[VersionAnswer]:
    """By id, name or number."""
    row = datastores.version_of(call.inst, call.caller, datastore, version)
    return Shown(VersionAnswer(catalog.version(call, row)))


@router.get("/{datastore}/versions/{version}/flavors")
def flavors_of(call: Seer, datastore: str, version: str) -> Shown[FlavorsAnswer]:
    """The flavors that are large enough."""
    row = datastores.version_of(call.inst, call.caller, datastore, version)
    fitting = flavors.flavors_for(call.inst, call.caller, row)
    return Shown(FlavorsAnswer([catalog.flavor(call, each) for each in fitting]))


@router.get("/{datastore}/versions/{version}/volume-types")
def volume_types_of(call: Seer, datastore: str, version: str) -> Shown[VolumeTypesAnswer]:
    datastores.version_of(call.inst, call.caller, datastore, version)
    kinds = flavors.volume_types(call.inst, call.caller)
    return Shown(VolumeTypesAnswer([catalog.volume_type(each) for each in kinds]))
