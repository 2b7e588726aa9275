"""The engine inside the server, through its agent."""

from __future__ import annotations

from typing import Any

from trove.engine import Wait, step
from trove.models.datastore import DatastoreVersion
from trove.models.instance import Instance
from trove.protocol import TaskKind
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
    version = ctx.session.get_one(DatastoreVersion, row.datastore_version_id)
    answer = ctx.request(
        row,
        TaskKind.PREPARE,
        sealed=ctx.operation.sealed,
        datastore=version.manager,
        version=version.number,
        memory=row.memory,
        vcpus=row.vcpus,
    )
    return _waiting(answer)


@step(timeout=_until_answered)
def restart(ctx: Context[Instance]) -> Wait | None:
    return _waiting(ctx.request(ctx.subject, TaskKind.RESTART))


@step(timeout=_until_answered)
def stop(ctx: Context[Instance]) -> Wait | None:
    return _waiting(ctx.request(ctx.subject, TaskKind.STOP))


@step(timeout=_until_resized)
def resize(ctx: Context[Instance]) -> Wait | None:
    flavor = wanted(ctx)
    answer = ctx.request(ctx.subject, TaskKind.RESIZE, memory=flavor.memory, vcpus=flavor.vcpus)
    return _waiting(answer)


@resize.undone_by
def resize_back(ctx: Context[Instance]) -> Wait | None:
    """The engine has its old size again, unless it never took the new one."""
    row = ctx.subject
    answer = ctx.request(
        row, TaskKind.RESIZE, key="resize_back", memory=row.memory, vcpus=row.vcpus
    )
    return _waiting(answer)


def _waiting(answer: Wait | dict[str, Any]) -> Wait | None:
    return answer if isinstance(answer, Wait) else None
