"""Rounds: what is there against what should be there."""

from __future__ import annotations

import logging

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from trove.engine import Operation, State, Wait, start, step
from trove.errors import TroveError
from trove.models.event import record_event
from trove.models.instance import Instance
from trove.providers.base import ServerState
from trove.workflows.context import Context

log = logging.getLogger(__name__)

ROUND_EVERY = 5.0
RECOVER = "instance.recover"
LONGEST_PAUSE = 900.0
"""Seconds between two recoveries of a server that does not stay up."""
CALM = 3600.0
"""Seconds after which a server counts as one that has stayed up."""


@step
def servers(ctx: Context) -> Wait:
    """Start the recovery of every server that is down and that nobody works on.

    One that goes down again and again is brought back more and more seldom.
    """
    for row in _idle_instances(ctx.session):
        times, due = _patience_with(ctx, row)
        if due and _is_down(ctx, row):
            log.warning("the server of instance %s is down; bringing it back", row.id)
            _recover(ctx, row, times)
    return Wait(ROUND_EVERY)


def _idle_instances(session: Session) -> list[Instance]:
    busy = exists(select(Operation.id).where(Operation.active_subject_id == Instance.id))
    return list(
        session.scalars(
            select(Instance).where(
                Instance.deleted_at.is_(None), Instance.server_id.is_not(None), ~busy
            )
        )
    )


def _patience_with(ctx: Context, row: Instance) -> tuple[int, bool]:
    """How often in a row the next recovery is one, and whether it is time for it."""
    last = ctx.session.get(Operation, row.last_operation_id) if row.last_operation_id else None
    if last is None or last.workflow != RECOVER:
        return 1, True
    before = last.args.get("times", 1)
    since = (ctx.env.clock.now(ctx.session) - last.updated_at).total_seconds()
    if last.state == State.SUCCEEDED and since > CALM:
        return 1, True
    pause = min(ROUND_EVERY * 2.0 ** min(before, 20), LONGEST_PAUSE)
    return before + 1, since >= pause


def _is_down(ctx: Context, row: Instance) -> bool:
    try:
        view = ctx.provider.compute.server_view(row.resource_name)
    # Whatever a provider makes of one server's remains, the round goes on to the others.
    except (TroveError, OSError, LookupError, TypeError, ValueError) as error:
        log.warning("can not see the server of instance %s: %r", row.id, error)
        return False
    return view.state is ServerState.DOWN


def _recover(ctx: Context, row: Instance, times: int) -> None:
    """Nobody but this round starts recoveries, so a conflict can only be a user's own action.

    It is the instance's last operation, so its owner is told when the server can not be had back.
    """
    operation = start(
        ctx.session,
        ctx.env.workflows[RECOVER],
        row.id,
        args={"times": times},
        project_id=row.project_id,
        clock=ctx.env.clock,
    )
    row.last_operation_id = operation.id
    record_event(
        ctx.session,
        f"{RECOVER}.start",
        project_id=row.project_id,
        subject_id=row.id,
        operation_id=operation.id,
    )
