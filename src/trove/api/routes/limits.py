"""`/limits`: what the project may have, and how often it may ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from trove.api.call import Call, may, shown
from trove.api.rate import Rate, RateLimits
from trove.api.schemas.answers import LimitsAnswer
from trove.api.views.moments import moment
from trove.services import quotas

router = APIRouter(prefix="/limits", tags=["limits"])


@router.get("", response_model=LimitsAnswer)
def index(call: Annotated[Call, may("limits:index")], request: Request) -> Response:
    """The first row is absolute; clients take it off."""
    found = quotas.show(call.inst, call.caller, call.caller.project_id)
    absolute = {f"max_{quota.resource}": quota.limit for quota in found}
    limits: RateLimits = request.app.state.limits
    # PATCH shares PUT's row, which must not be shown twice.
    rates = {rate.name: rate for rate in limits.rates.values()}
    rows = [_row(limits, call.caller.project_id, rate) for rate in rates.values()]
    # python-troveclient prints the first row by itself, without looking at what it is.
    return shown({"limits": [{"verb": "ABSOLUTE", **absolute}, *rows]})


def _row(limits: RateLimits, project_id: str, rate: Rate) -> dict[str, Any]:
    left, wait = limits.left(project_id, rate)
    return {
        "verb": rate.verb,
        "uri": rate.uri,
        "regex": rate.regex,
        "value": rate.value,
        "remaining": left,
        "unit": "MINUTE",
        "nextAvailable": moment(datetime.now(UTC) + timedelta(seconds=wait)),
    }
