"""The machine, or the sandbox, that agent and engine run in."""

from dataclasses import replace

from trove.engine import Wait, step
from trove.errors import Failed
from trove.providers.base import Flavor, ServerState
from trove.workflows.context import Context
from trove.workflows.ending import free_at_the_end


@step
def boot(ctx: Context) -> None:
    ctx.instance.server_id = ctx.provider.compute.ensure_server(ctx.server)


@boot.undone_by
def delete(ctx: Context) -> None:
    ctx.provider.compute.delete_server(ctx.instance.resource_name)
    ctx.instance.server_id = None


@step
def await_up(ctx: Context) -> Wait | None:
    view = ctx.provider.compute.server_view(ctx.instance.resource_name)
    ctx.instance.unenforced = list(view.unenforced)
    if view.state in {ServerState.UP, ServerState.DOWN}:
        return None
    if view.state is ServerState.BUILDING:
        return Wait(2, "the server is being built")
    raise Failed(f"the server is {view.state}: {view.detail}")


@step
def remove(ctx: Context) -> None:
    delete(ctx)


@step
def stop(ctx: Context) -> None:
    ctx.provider.compute.stop_server(ctx.instance.resource_name)


@stop.undone_by
def bring_back(ctx: Context) -> None:
    ctx.provider.compute.start_server(ctx.server)


@step
def start(ctx: Context) -> None:
    bring_back(ctx)


@step
def widen(ctx: Context) -> None:
    """The larger of the two sizes, so that the engine may change over within either."""
    now, then = ctx.flavor, wanted(ctx)
    most = replace(then, memory=max(now.memory, then.memory), vcpus=max(now.vcpus, then.vcpus))
    ctx.provider.compute.resize_server(ctx.instance.resource_name, most)


@widen.undone_by
def narrow(ctx: Context) -> None:
    """Back to what the instance has, and pays for."""
    ctx.provider.compute.resize_server(ctx.instance.resource_name, ctx.flavor)


@step
def settle(ctx: Context) -> None:
    """Hold the engine to its new size."""
    row, flavor = ctx.instance, wanted(ctx)
    ctx.provider.compute.resize_server(row.resource_name, flavor)
    free_at_the_end(ctx.operation, {"ram": max(row.memory - flavor.memory, 0)})
    row.flavor_id, row.memory, row.vcpus = flavor.id, flavor.memory, flavor.vcpus


def wanted(ctx: Context) -> Flavor:
    """The flavor that a resize was asked for."""
    args = ctx.args
    return Flavor(args["flavor_id"], args["flavor_id"], args["memory"], args["vcpus"])
