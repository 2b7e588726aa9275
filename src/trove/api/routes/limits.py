"""`/limits`: what the project may have, and how many requests it may send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request

from trove.api.answers import Route, Shown
from trove.api.call import Call, may
from trove.api.rate import Rate, RateLimits
from trove.api.resources.moments import moment
from trove.api.resources.service import LimitsAnswer, LimitShown
from trove.services import quotas

router = APIRouter(prefix="/limits", tags=["limits"], route_class=Route)


@router.get("")
def index(call: Annotated[Call, may("limits:index")], request: Request) -> Shown[LimitsAnswer]:
    """The first row has the absolute limits; clients remove it."""
    found = quotas.show(call.inst, call.caller, call.caller.project_id)
    absolute = LimitShown(verb="ABSOLUTE")
    for quota in found:
        setattr(absolute, f"max_{quota.resource}", quota.limit)
    limits: RateLimits = request.app.state.limits
    # PATCH shares PUT's row, which must not be shown twice.
    rates = {rate.name: rate for rate in limits.rates.values()}
    rows = [_row(limits, call.caller.project_id, rate) for rate in rates.values()]
    # python-troveclient prints the first row apart, without checking what it is.
    return Shown(LimitsAnswer([absolute, *rows]))


def _row(limits: RateLimits, project_id: str, rate: Rate) -> LimitShown:
    left, wait = limits.left(project_id, rate)
    return LimitShown(
        verb=rate.verb,
        uri=rate.uri,
        regex=rate.regex,
        value=rate.value,
        remaining=left,
        unit="MINUTE",
        nextAvailable=moment(datetime.now(UTC) + timedelta(seconds=wait)),
    )
