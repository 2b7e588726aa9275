"""The engine inside the server, through its agent."""

from __future__ import annotations

from trove.engine import Wait, step
from trove.models.instance import Instance
from trove.protocol.tasks import Prepare, Resize, Restart, Stop
from trove.settings import Settings
from trove.workflows.context import Context
from trove.workflows.steps.server import wanted


def _until_usable(settings: Settings) -> float:
    return settings.timing.usage_timeout


def _until_answered(settings: Settings) -> float:
    return settings.timing.agent_call_high_timeout


def _until_resized(settings: Settings) -> float:
    return settings.timing.resize_time_out


@step(timeout=_until_usable)
def prepare(ctx: Context[Instance]) -> Wait | None:
    """Waits for the agent to enrol, too: it fetches this task with its first call."""
    row = ctx.subject
    task = Prepare(memory=row.memory, vcpus=row.vcpus)
    return _waiting(ctx.request(row, task, sealed=ctx.operation.sealed))


@step(timeout=_until_answered)
def restart(ctx: Context[Instance]) -> Wait | None:
    return _waiting(ctx.request(ctx.subject, Restart()))


@step(timeout=_until_answered)
def stop(ctx: Context[Instance]) -> Wait | None:
    return _waiting(ctx.request(ctx.subject, Stop()))


@step(timeout=_until_resized)
def resize(ctx: Context[Instance]) -> Wait | None:
    flavor = wanted(ctx)
    return _waiting(ctx.request(ctx.subject, Resize(flavor.memory, flavor.vcpus)))


@resize.undone_by
def resize_back(ctx: Context[Instance]) -> Wait | None:
    """The engine has its old size again, unless it never took the new one."""
    row = ctx.subject
    return _waiting(ctx.request(row, Resize(row.memory, row.vcpus), key="resize_back"))


def _waiting(answer: object) -> Wait | None:
    return answer if isinstance(answer, Wait) else None
