"""What the metadata database keeps, and for how long."""

from datetime import timedelta

import msgspec
from sqlalchemy import delete, update

from trove.engine import StepResult, Wait, step
from trove.models.agent import Agent
from trove.models.instance import Instance
from trove.models.task import Task
from trove.workflows.context import Context
from trove.workflows.ending import Unused
from trove.workflows.retention import Place, Removal

PRUNE_EVERY = 3600.0
AT_ONCE = 1000
"""Records that one transaction removes: others may wait for it."""


@step
def erase(ctx: Context[Instance]) -> Unused:
    """The instance is gone: free its quota, keep the row as history."""
    row = ctx.subject
    if row.deleted_at is not None:
        return Unused()
    ctx.session.execute(delete(Task).where(Task.instance_id == row.id))
    # The credential stays, so that an agent which was left behind gets 410 and stops.
    agent = update(Agent).where(Agent.instance_id == row.id)
    ctx.session.execute(agent.values(accounts={}, details={}))
    row.deleted_at = ctx.env.clock.now(ctx.session)
    return Unused({"instances": 1, "ram": row.memory, "volumes": row.volume_size})


class Pruned(StepResult, frozen=True):
    """How far this round has come."""

    after: Place | None = None
    """Operations up to there have been looked through."""


@step
def prune(ctx: Context[None]) -> Wait:
    """Delete expired records, some at a time: tokens, answered requests and tasks, old events and
    operations, and instances that were deleted long ago"""
    now, timing = ctx.env.clock.now(ctx.session), ctx.env.settings.timing
    kept = (ctx.operation.results or {}).get(prune.name, {})
    removal = Removal(
        ctx.session,
        now=now,
        history=now - timedelta(seconds=timing.operation_retention),
        deleted=now - timedelta(seconds=timing.deleted_instance_retention),
        left=AT_ONCE,
        after=msgspec.convert(kept, Pruned).after,
    )
    if removal.run():
        return Wait(PRUNE_EVERY, result=Pruned())
    return Wait(0.0, result=Pruned(removal.after))
