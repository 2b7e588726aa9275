"""The engine inside the server, through its agent."""

from __future__ import annotations

import math
from typing import Any

from trove.engine import Wait, step
from trove.models.datastore import DatastoreVersion
from trove.protocol import TaskKind
from trove.workflows.context import Context
from trove.workflows.steps.server import wanted


@step(timeout=math.inf)
def prepare(ctx: Context) -> Wait | None:
    """Waits for the agent to enrol as well: it fetches this task with its first call."""
    row = ctx.instance
    version = ctx.session.get_one(DatastoreVersion, row.datastore_version_id)
    answer = ctx.request(
        TaskKind.PREPARE,
        timeout=ctx.env.settings.timing.usage_timeout,
        datastore=version.manager,
        version=version.number,
        memory=row.memory,
        vcpus=row.vcpus,
        **ctx.secrets,
    )
    return _waiting(answer)


@step(timeout=math.inf)
def restart(ctx: Context) -> Wait | None:
    return _waiting(ctx.request(TaskKind.RESTART, timeout=_patience(ctx)))


@step(timeout=math.inf)
def stop(ctx: Context) -> Wait | None:
    return _waiting(ctx.request(TaskKind.STOP, timeout=_patience(ctx)))


@step(timeout=math.inf)
def resize(ctx: Context) -> Wait | None:
    flavor = wanted(ctx)
    timeout = ctx.env.settings.timing.resize_time_out
    answer = ctx.request(TaskKind.RESIZE, timeout=timeout, memory=flavor.memory, vcpus=flavor.vcpus)
    return _waiting(answer)


@resize.undone_by
def resize_back(ctx: Context) -> Wait | None:
    """The engine has its old size again, unless it never took the new one."""
    timeout = ctx.env.settings.timing.resize_time_out
    row = ctx.instance
    answer = ctx.request(
        TaskKind.RESIZE, timeout=timeout, key="resize_back", memory=row.memory, vcpus=row.vcpus
    )
    return _waiting(answer)


def _patience(ctx: Context) -> float:
    return ctx.env.settings.timing.agent_call_high_timeout


def _waiting(answer: Wait | dict[str, Any]) -> Wait | None:
    return answer if isinstance(answer, Wait) else None
