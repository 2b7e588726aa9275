"""The agent's right to enrol."""

from sqlalchemy import update

from trove.engine import step
from trove.models.agent import Agent
from trove.models.agent import invite as invite_agent
from trove.models.instance import Instance
from trove.workflows.context import Context


@step
def invite(ctx: Context[Instance]) -> None:
    """Committed before the server starts: its agent may call before the next commit."""
    timing = ctx.env.settings.timing
    invite_agent(
        ctx.session,
        ctx.env.vault,
        ctx.subject.id,
        clock=ctx.env.clock,
        seconds=timing.enrolment_seconds,
    )


@invite.undone_by
def forget(ctx: Context[Instance]) -> None:
    _change(ctx, enrolment_digest=None, credential_digest=None)


@step
def dismiss(ctx: Context[Instance]) -> None:
    """No agent enrols from here on; an enrolled one is known by its credential, and gets 410."""
    _change(ctx, enrolment_digest=None)


def _change(ctx: Context[Instance], **columns: None) -> None:
    """Of the agent that the instance may have."""
    own = update(Agent).where(Agent.instance_id == ctx.operation.subject_id)
    ctx.session.execute(own.values(**columns))
