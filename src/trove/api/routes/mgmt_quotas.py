"""`/mgmt/quotas`: for the owner to see, for administrators to set."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from trove.api.answers import Route, Shown
from trove.api.call import Call, may
from trove.api.resources.service import QuotasAnswer, QuotaShown, QuotasSetAnswer, QuotaUpdate
from trove.services import quotas

router = APIRouter(prefix="/mgmt/quotas", tags=["management"], route_class=Route)


@router.get("/{owner_id}")
def show(call: Annotated[Call, may("quota:show")], owner_id: str) -> Shown[QuotasAnswer]:
    """Every resource of a project."""
    found = quotas.show(call.inst, call.caller, owner_id)
    rows = [QuotaShown(q.resource, q.in_use, q.reserved, q.limit) for q in found]
    # A list here and an object below: python-troveclient reads them so.
    return Shown(QuotasAnswer(rows))


@router.put("/{owner_id}")
def update(
    call: Annotated[Call, may("mgmt:quota")], owner_id: str, body: QuotaUpdate
) -> Shown[QuotasSetAnswer]:
    """Set limits; -1 is none, and null leaves one as it is."""
    return Shown(QuotasSetAnswer(quotas.update(call.inst, call.caller, owner_id, body.quotas)))
