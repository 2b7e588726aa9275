"""The disk that holds the data. As with servers, each action is followed by a step that waits."""

from trove.engine import Wait, final_step, step
from trove.errors import Failed
from trove.models.instance import Instance
from trove.providers.base import Volumes, VolumeState
from trove.workflows.args import VolumeResize
from trove.workflows.context import Context

CHECK_EVERY = 2.0
"""Seconds between two views of what the infrastructure is doing."""


@step
def create(ctx: Context[Instance]) -> None:
    row = ctx.subject
    row.volume_id = _volumes(ctx).ensure_volume(row.resource_name, row.volume_size, row.volume_type)


@create.undone_by
def delete(ctx: Context[Instance]) -> Wait | None:
    _delete(ctx)
    return _wait_until_absent(ctx)


@step
def await_ready(ctx: Context[Instance]) -> Wait | None:
    return _wait_until_ready(ctx, "the volume is being created")


@step
def remove(ctx: Context[Instance]) -> None:
    _delete(ctx)


@step
def await_absent(ctx: Context[Instance]) -> Wait | None:
    return _wait_until_absent(ctx)


@final_step
def grow(ctx: Context[Instance]) -> None:
    """Final: a volume does not shrink, so a cancelled resize would exceed the quota."""
    _volumes(ctx).grow_volume(ctx.subject.resource_name, ctx.args(VolumeResize).size)


@step
def await_grown(ctx: Context[Instance]) -> Wait | None:
    return _wait_until_ready(ctx, "the volume is being extended")


@step
def settle(ctx: Context[Instance]) -> None:
    """Last: a deletion before it gives back the old size and, separately, what was reserved."""
    ctx.subject.volume_size = ctx.args(VolumeResize).size


def _volumes(ctx: Context[Instance]) -> Volumes:
    return ctx.provider_for(ctx.subject).volumes


def _delete(ctx: Context[Instance]) -> None:
    _volumes(ctx).delete_volume(ctx.subject.resource_name)
    ctx.subject.volume_id = None


def _wait_until_ready(ctx: Context[Instance], note: str) -> Wait | None:
    view = _volumes(ctx).volume_view(ctx.subject.resource_name)
    if view.state is VolumeState.READY:
        return None
    if view.state is VolumeState.PENDING:
        return Wait(CHECK_EVERY, note)
    raise Failed(f"the volume is {view.state}: {view.detail}")


def _wait_until_absent(ctx: Context[Instance]) -> Wait | None:
    if _volumes(ctx).volume_view(ctx.subject.resource_name).state is VolumeState.ABSENT:
        return None
    return Wait(CHECK_EVERY, "the volume is being deleted")
