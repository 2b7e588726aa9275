"""The address of an instance."""

from trove.datastores import manifest_of
from trove.engine import step
from trove.models.datastore import DatastoreVersion
from trove.models.instance import Instance
from trove.workflows.context import Context


@step
def allocate(ctx: Context[Instance]) -> None:
    row = ctx.subject
    version = ctx.session.get_one(DatastoreVersion, row.datastore_version_id)
    port = manifest_of(version.manager).port
    row.address = ctx.provider_for(row).network.ensure_address(row.resource_name, port, row.nics)
    row.port = port


@allocate.undone_by
def free(ctx: Context[Instance]) -> None:
    row = ctx.subject
    ctx.provider_for(row).network.delete_address(row.resource_name)
    row.address = row.port = None


@step
def release(ctx: Context[Instance]) -> None:
    free(ctx)
