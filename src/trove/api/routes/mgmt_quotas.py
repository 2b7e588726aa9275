"""`/mgmt/quotas`: for the owner to see, for administrators to set."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from trove.api.call import Call, may, shown
from trove.api.schemas.answers import QuotasAnswer, QuotasSetAnswer
from trove.api.schemas.datastores import QuotaUpdate
from trove.services import quotas

router = APIRouter(prefix="/mgmt/quotas", tags=["management"])


@router.get("/{owner_id}", response_model=QuotasAnswer)
def show(call: Annotated[Call, may("quota:show")], owner_id: str) -> Response:
    """Every resource of a project."""
    found = quotas.show(call.inst, call.caller, owner_id)
    rows = [
        {"resource": q.resource, "in_use": q.in_use, "reserved": q.reserved, "limit": q.limit}
        for q in found
    ]
    # A list here, and a dictionary below: python-troveclient reads the two in these two ways.
    return shown({"quotas": rows})


@router.put("/{owner_id}", response_model=QuotasSetAnswer)
def update(call: Annotated[Call, may("mgmt:quota")], owner_id: str, body: QuotaUpdate) -> Response:
    """Set limits; -1 is none, and null leaves one as it is."""
    return shown({"quotas": quotas.update(call.inst, call.caller, owner_id, body.quotas)})
