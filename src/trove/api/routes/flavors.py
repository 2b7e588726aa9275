"""`/flavors` and `/volume-types`"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, may, shown
from trove.api.schemas.answers import (
    FlavorAnswer,
    FlavorsAnswer,
    VolumeTypeAnswer,
    VolumeTypesAnswer,
)
from trove.api.views import catalog
from trove.services import flavors

router = APIRouter(tags=["flavors"])


@router.get("/flavors", response_model=FlavorsAnswer)
def index(call: Annotated[Call, may("flavor:index")]) -> Response:
    found = flavors.flavors(call.inst)
    return shown({"flavors": [catalog.flavor(call, each) for each in found]})


@router.get("/flavors/{flavor}", response_model=FlavorAnswer)
def show(call: Annotated[Call, may("flavor:show")], flavor: str) -> Response:
    return shown({"flavor": catalog.flavor(call, flavors.flavor(call.inst, flavor))})


# Newer servers of this wire have dropped these two; the commands of older clients still ask them.
@router.get("/volume-types", response_model=VolumeTypesAnswer)
def volume_types(call: Annotated[Call, may("volume_type:index")]) -> Response:
    found = flavors.volume_types(call.inst)
    return shown({"volume_types": [catalog.volume_type(each) for each in found]})


@router.get("/volume-types/{name}", response_model=VolumeTypeAnswer)
def volume_type(call: Annotated[Call, may("volume_type:index")], name: str) -> Response:
    found = flavors.volume_type(call.inst, name)
    return shown({"volume_type": catalog.volume_type(found)})
