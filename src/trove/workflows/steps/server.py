"""The machine, or the sandbox, that agent and engine run in."""

from dataclasses import replace

from trove.engine import Wait, step
from trove.errors import Failed
from trove.models.instance import Instance
from trove.providers.base import Flavor, ServerState
from trove.workflows.args import FlavorResize
from trove.workflows.context import Context, flavor_of
from trove.workflows.ending import Unused


@step
def boot(ctx: Context[Instance]) -> None:
    ctx.subject.server_id = ctx.provider.compute.ensure_server(ctx.server_of(ctx.subject))


@boot.undone_by
def delete(ctx: Context[Instance]) -> None:
    ctx.provider.compute.delete_server(ctx.subject.resource_name)
    ctx.subject.server_id = None


@step
def await_up(ctx: Context[Instance]) -> Wait | None:
    view = ctx.provider.compute.server_view(ctx.subject.resource_name)
    ctx.subject.unenforced = list(view.unenforced)
    if view.state in {ServerState.UP, ServerState.DOWN}:
        return None
    if view.state is ServerState.BUILDING:
        return Wait(2, "the server is being built")
    raise Failed(f"the server is {view.state}: {view.detail}")


@step
def remove(ctx: Context[Instance]) -> None:
    delete(ctx)


@step
def stop(ctx: Context[Instance]) -> None:
    ctx.provider.compute.stop_server(ctx.subject.resource_name)


@stop.undone_by
def bring_back(ctx: Context[Instance]) -> None:
    ctx.provider.compute.start_server(ctx.server_of(ctx.subject))


@step
def start(ctx: Context[Instance]) -> None:
    bring_back(ctx)


@step
def widen(ctx: Context[Instance]) -> None:
    """To the larger of the two sizes, so that the engine can switch within either."""
    now, then = flavor_of(ctx.subject), wanted(ctx)
    most = replace(then, memory=max(now.memory, then.memory), vcpus=max(now.vcpus, then.vcpus))
    ctx.provider.compute.resize_server(ctx.subject.resource_name, most)


@widen.undone_by
def narrow(ctx: Context[Instance]) -> None:
    """Back to the size that the instance has."""
    ctx.provider.compute.resize_server(ctx.subject.resource_name, flavor_of(ctx.subject))


@step
def settle(ctx: Context[Instance]) -> Unused:
    """Limit the engine to its new size."""
    row, flavor = ctx.subject, wanted(ctx)
    ctx.provider.compute.resize_server(row.resource_name, flavor)
    unused = max(row.memory - flavor.memory, 0)
    row.flavor_id, row.memory, row.vcpus = flavor.id, flavor.memory, flavor.vcpus
    return Unused({"ram": unused})


def wanted(ctx: Context[Instance]) -> Flavor:
    """The flavor that a resize leads to."""
    args = ctx.args(FlavorResize)
    return Flavor(args.flavor_id, args.flavor_id, args.memory, args.vcpus)
