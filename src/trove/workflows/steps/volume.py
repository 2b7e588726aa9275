"""The disk that holds the data."""

from trove.engine import final_step, step
from trove.models.instance import Instance
from trove.workflows.args import VolumeResize
from trove.workflows.context import Context


@step
def create(ctx: Context[Instance]) -> None:
    row = ctx.subject
    row.volume_id = ctx.provider.volumes.ensure_volume(
        row.resource_name, row.volume_size, row.volume_type
    )


@create.undone_by
def delete(ctx: Context[Instance]) -> None:
    ctx.provider.volumes.delete_volume(ctx.subject.resource_name)
    ctx.subject.volume_id = None


@step
def remove(ctx: Context[Instance]) -> None:
    delete(ctx)


@final_step
def grow(ctx: Context[Instance]) -> None:
    """Final: a volume does not shrink, so a cancelled resize would exceed the quota."""
    size = ctx.args(VolumeResize).size
    ctx.provider.volumes.grow_volume(ctx.subject.resource_name, size)
    ctx.subject.volume_size = size
