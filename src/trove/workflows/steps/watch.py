"""Periodic rounds that compare what is there with what should be."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

import msgspec
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from trove.engine import Claim, Operation, State, Wait, step
from trove.errors import ResourceBusy, TroveError
from trove.models.event import record_event
from trove.models.instance import Instance, instance_id_of, resource_name_of
from trove.providers.base import Scope, ServerState
from trove.workflows.args import Recovery
from trove.workflows.context import Context
from trove.workflows.starting import start_on

log = logging.getLogger(__name__)

ROUND_EVERY = 5.0
RECOVER = "instance.recover"
LONGEST_INTERVAL = 6 * 3600.0
"""Seconds between two recoveries of a server that does not stay up."""
STABLE = 3600.0
"""Seconds after which a server counts as one that has stayed up."""
AT_ONCE = 500
"""Instances of one statement: a database limits its parameters."""

CLAIMED = exists().where(Claim.resource == Instance.id, Claim.released.is_(False))
IDLE = select(Instance).where(
    Instance.deleted_at.is_(None), Instance.server_id.is_not(None), ~CLAIMED
)
PLACES = IDLE.with_only_columns(Instance.id, Instance.project_id, Instance.availability_zone)
"""Of what has a server and is claimed by no operation; built once, for each round executes it."""


@step
def servers(ctx: Context[None]) -> Wait:
    """Start the recovery of every server that is down and that no operation has claimed.

    One that keeps going down is recovered at growing intervals.
    """
    scopes = _scopes(ctx.session)
    ctx.end_transaction()
    down = _down_among(ctx, scopes) if scopes else set()
    for row in _still_idle(ctx.session, down):
        times, due = _next_recovery_of(ctx, row)
        if due:
            log.warning("the server of instance %s is down: starting its recovery", row.id)
            with suppress(ResourceBusy), ctx.session.begin_nested():
                _recover(ctx, row, times)
    return Wait(ROUND_EVERY)


def _scopes(session: Session) -> dict[str, Scope]:
    """Where each server was made, by its name."""
    # A round reads every instance, so that it costs what is made for each of them.
    scope_of_place = cache(Scope)
    return {
        resource_name_of(instance_id): scope_of_place(*place)
        for instance_id, *place in session.execute(PLACES)
    }


def _still_idle(session: Session, down: set[str]) -> Iterator[Instance]:
    """Read after the servers were viewed: an operation may have claimed an instance since."""
    ids = sorted(instance_id_of(name) for name in down)
    for first in range(0, len(ids), AT_ONCE):
        some = Instance.id.in_(ids[first : first + AT_ONCE])
        yield from session.scalars(IDLE.where(some)).all()


def _down_among(ctx: Context[None], scopes: dict[str, Scope]) -> set[str]:
    """Those whose server is down, in one request."""
    try:
        views = ctx.provider.compute.server_views(scopes)
    except TroveError as error:
        log.warning("cannot view the servers: %s", error)
        return set()
    for name, view in views.items():
        if view.state is ServerState.UNKNOWN:
            log.warning("cannot view the server %s: %s", name, view.detail)
    return {name for name, view in views.items() if view.state is ServerState.DOWN}


def _next_recovery_of(ctx: Context[None], row: Instance) -> tuple[int, bool]:
    """The number in a row of the next recovery, and whether it is time for it."""
    last = ctx.session.get(Operation, row.last_operation_id) if row.last_operation_id else None
    if last is None or last.workflow != RECOVER:
        return 1, True
    before = msgspec.convert(last.args, Recovery).times
    since = (ctx.env.clock.now(ctx.session) - last.updated_at).total_seconds()
    if last.state == State.SUCCEEDED and since > STABLE:
        return 1, True
    pause = min(ROUND_EVERY * 2.0 ** min(before, 20), LONGEST_INTERVAL)
    return before + 1, since >= pause


def _recover(ctx: Context[None], row: Instance, times: int) -> None:
    """A recovery is the instance's newest operation, so that its failure is shown as a fault.

    Raises ResourceBusy when a user has just started something.
    """
    recipe, args = ctx.env.workflows[RECOVER], Recovery(times)
    operation = start_on(ctx.session, recipe, row, args=args, clock=ctx.env.clock)
    record_event(
        ctx.session,
        f"{RECOVER}.start",
        project_id=row.project_id,
        subject_id=row.id,
        operation_id=operation.id,
    )
