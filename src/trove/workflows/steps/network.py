"""The address of an instance."""

from trove.datastores import manifest_of
from trove.engine import step
from trove.models.datastore import DatastoreVersion
from trove.workflows.context import Context


@step
def allocate(ctx: Context) -> None:
    row = ctx.instance
    version = ctx.session.get_one(DatastoreVersion, row.datastore_version_id)
    port = manifest_of(version.manager).port
    row.address = ctx.provider.network.ensure_address(row.resource_name, port, row.nics)
    row.port = port


@allocate.undone_by
def free(ctx: Context) -> None:
    ctx.provider.network.delete_address(ctx.instance.resource_name)
    ctx.instance.address = ctx.instance.port = None


@step
def release(ctx: Context) -> None:
    free(ctx)
