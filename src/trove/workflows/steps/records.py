"""What the metadata database keeps, and for how long."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update

from trove.engine import ACTIVE, ENDED, Claim, Operation, Wait, step
from trove.models.agent import Agent
from trove.models.event import Event
from trove.models.idempotency import IdempotentRequest
from trove.models.identity import Token
from trove.models.instance import Instance
from trove.models.task import Task
from trove.workflows.context import Context
from trove.workflows.ending import Unused

PRUNE_EVERY = 3600.0
IDEMPOTENCY_RETENTION = timedelta(days=1)
LONGEST_REQUEST = timedelta(hours=1)


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


@step
def prune(ctx: Context[None]) -> Wait:
    """Delete expired rows: tokens, answered requests and tasks, old events and operations."""
    session, now = ctx.session, ctx.env.clock.now(ctx.session)
    kept = now - timedelta(seconds=ctx.env.settings.timing.operation_retention)
    session.execute(delete(Token).where(Token.expires_at < now))
    session.execute(
        delete(IdempotentRequest).where(IdempotentRequest.created_at < now - IDEMPOTENCY_RETENTION)
    )
    session.execute(delete(Task).where(Task.answered, Task.created_at < kept))
    session.execute(
        delete(Task)
        .where(Task.answered.is_(False), _is_abandoned(now))
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(Event).where(Event.created_at < kept))
    last = exists(select(Instance.id).where(Instance.last_operation_id == Operation.id))
    ended = Operation.state.in_(ENDED)
    session.execute(
        delete(Operation)
        .where(ended, Operation.updated_at < kept, ~last)
        .execution_options(synchronize_session=False)
    )
    of_operation = exists(select(Operation.id).where(Operation.id == Claim.operation_id))
    session.execute(
        delete(Claim)
        .where(Claim.released, ~of_operation)
        .execution_options(synchronize_session=False)
    )
    return Wait(PRUNE_EVERY)


def _is_abandoned(now: datetime) -> ColumnElement[bool]:
    """Tasks whose operation has ended, and those whose request was cut off by a crash."""
    goes_on = exists().where(Operation.id == Task.operation_id, Operation.state.in_(ACTIVE))
    cut_off = and_(Task.operation_id.is_(None), Task.created_at < now - LONGEST_REQUEST)
    return or_(cut_off, and_(Task.operation_id.is_not(None), ~goes_on))
