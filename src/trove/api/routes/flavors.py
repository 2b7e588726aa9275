"""`/flavors` and `/volume-types`"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from trove.api.answers import Route, Shown
from trove.api.call import Call, may
from trove.api.resources import catalog
from trove.api.resources.catalog import (
    FlavorAnswer,
    FlavorsAnswer,
    VolumeTypeAnswer,
    VolumeTypesAnswer,
)
from trove.services import flavors

router = APIRouter(tags=["flavors"], route_class=Route)


@router.get("/flavors")
def index(call: Annotated[Call, may("flavor:index")]) -> Shown[FlavorsAnswer]:
    found = flavors.flavors(call.inst, call.caller)
    return Shown(FlavorsAnswer([catalog.flavor(call, each) for each in found]))


@router.get("/flavors/{flavor}")
def show(call: Annotated[Call, may("flavor:show")], flavor: str) -> Shown[FlavorAnswer]:
    return Shown(FlavorAnswer(catalog.flavor(call, flavors.flavor(call.inst, call.caller, flavor))))


# Newer servers have dropped these two; commands of older clients still request them.
@router.get("/volume-types")
def volume_types(call: Annotated[Call, may("volume_type:index")]) -> Shown[VolumeTypesAnswer]:
    found = flavors.volume_types(call.inst, call.caller)
    return Shown(VolumeTypesAnswer([catalog.volume_type(each) for each in found]))


@router.get("/volume-types/{name}")
def volume_type(
    call: Annotated[Call, may("volume_type:index")], name: str
) -> Shown[VolumeTypeAnswer]:
    found = flavors.volume_type(call.inst, call.caller, name)
    return Shown(VolumeTypeAnswer(catalog.volume_type(found)))
