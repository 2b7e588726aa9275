"""The disk that holds the data."""

from trove.engine import final_step, step
from trove.workflows.context import Context


@step
def create(ctx: Context) -> None:
    row = ctx.instance
    row.volume_id = ctx.provider.volumes.ensure_volume(
        row.resource_name, row.volume_size, row.volume_type
    )


@create.undone_by
def delete(ctx: Context) -> None:
    ctx.provider.volumes.delete_volume(ctx.instance.resource_name)
    ctx.instance.volume_id = None


@step
def remove(ctx: Context) -> None:
    delete(ctx)


@final_step
def grow(ctx: Context) -> None:
    """Not to be cancelled, for a volume does not shrink: it would be had without being paid for."""
    size = ctx.args["size"]
    ctx.provider.volumes.grow_volume(ctx.instance.resource_name, size)
    ctx.instance.volume_size = size
