"""Clusters: there are none yet, and none can be made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import PAGED, Call, may, shown
from trove.api.schemas.answers import Shown
from trove.api.schemas.fields import Empty
from trove.api.schemas.others import ClusterCreate
from trove.errors import NotFound, NotSupported

router = APIRouter(tags=["clusters"])

Reader = Annotated[Call, may("cluster:show")]
Writer = Annotated[Call, may("cluster:action")]
Manager = Annotated[Call, may("mgmt:read")]


@router.get("/clusters", response_model=Shown, openapi_extra=PAGED)
def index(call: Annotated[Call, may("cluster:index")]) -> Response:
    call.asked_page()
    return shown({"clusters": []})


@router.post("/clusters", status_code=501, response_class=Response)
def create(call: Annotated[Call, may("cluster:create")], body: ClusterCreate) -> Response:
    raise NotSupported("Clusters are not supported by this release: create single instances.")


@router.get("/clusters/{cluster_id}", response_model=Shown)
def show(call: Reader, cluster_id: str) -> Response:
    raise _unknown(cluster_id)


# The cluster itself takes its actions: only below /mgmt does this wire have an /action for them.
@router.post("/clusters/{cluster_id}", status_code=202, response_class=Response)
def act(call: Writer, cluster_id: str, body: Empty) -> Response:
    raise _unknown(cluster_id)


@router.delete("/clusters/{cluster_id}", status_code=202, response_class=Response)
def delete(call: Annotated[Call, may("cluster:delete")], cluster_id: str) -> Response:
    raise _unknown(cluster_id)


@router.get("/clusters/{cluster_id}/instances/{instance_id}", response_model=Shown)
def instance(call: Reader, cluster_id: str, instance_id: str) -> Response:
    raise _unknown(cluster_id)


# python-troveclient's root commands try an instance first and then a cluster: 404 ends them well.
@router.get("/clusters/{cluster_id}/root", response_model=Shown)
def root(call: Reader, cluster_id: str) -> Response:
    raise _unknown(cluster_id)


@router.post("/clusters/{cluster_id}/root", response_model=Shown)
def enable_root(call: Writer, cluster_id: str) -> Response:
    raise _unknown(cluster_id)


@router.get("/mgmt/clusters", response_model=Shown)
def managed(call: Manager, deleted: bool = False) -> Response:
    return shown({"clusters": []})


@router.get("/mgmt/clusters/{cluster_id}", response_model=Shown)
def managed_one(call: Manager, cluster_id: str) -> Response:
    raise _unknown(cluster_id)


@router.post("/mgmt/clusters/{cluster_id}/action", status_code=202, response_class=Response)
def manage(call: Annotated[Call, may("mgmt:write")], cluster_id: str, body: Empty) -> Response:
    raise _unknown(cluster_id)


def _unknown(cluster_id: str) -> NotFound:
    return NotFound(f"Cluster {cluster_id!r} could not be found.")
