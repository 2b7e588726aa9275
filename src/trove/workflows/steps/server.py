"""The machine, or the sandbox, that agent and engine run in.

An infrastructure may finish any of these later, so each is followed by a step that waits for it;
an undo waits by itself. What has finished already delays nothing.
"""

from trove.engine import Wait, step
from trove.errors import Failed
from trove.models.instance import Instance
from trove.providers.base import Compute, Flavor, ResizeState, ServerState
from trove.workflows.args import FlavorResize
from trove.workflows.context import Context, flavor_of
from trove.workflows.ending import Unused

CHECK_EVERY = 2.0
"""Seconds between two views of what the infrastructure is doing."""


@step
def boot(ctx: Context[Instance]) -> None:
    ctx.subject.server_id = _compute(ctx).ensure_server(ctx.server_of(ctx.subject))


@boot.undone_by
def delete(ctx: Context[Instance]) -> Wait | None:
    _delete(ctx)
    return _wait_until_absent(ctx)


@step
def await_up(ctx: Context[Instance]) -> Wait | None:
    """One that went down again is started by the next step that needs it."""
    view = ctx.server_view_of(ctx.subject)
    ctx.subject.unenforced = list(view.unenforced)
    if view.state in {ServerState.UP, ServerState.DOWN}:
        return None
    if view.state is ServerState.BUILDING:
        return Wait(CHECK_EVERY, "the server is being built")
    raise Failed(f"the server is {view.state}: {view.detail}")


@step
def remove(ctx: Context[Instance]) -> None:
    _delete(ctx)


@step
def await_absent(ctx: Context[Instance]) -> Wait | None:
    return _wait_until_absent(ctx)


@step
def stop(ctx: Context[Instance]) -> None:
    _compute(ctx).stop_server(ctx.subject.resource_name)


@stop.undone_by
def bring_back(ctx: Context[Instance]) -> None:
    _compute(ctx).start_server(ctx.server_of(ctx.subject))


@step
def await_down(ctx: Context[Instance]) -> Wait | None:
    view = ctx.server_view_of(ctx.subject)
    if view.state is ServerState.DOWN:
        return None
    if view.state in {ServerState.UP, ServerState.BUILDING}:
        return Wait(CHECK_EVERY, "the server is being stopped")
    raise Failed(f"the server is {view.state}: {view.detail}")


@step
def start(ctx: Context[Instance]) -> None:
    bring_back(ctx)


@step
def widen(ctx: Context[Instance]) -> None:
    """Begin the resize; until it is settled, the engine can switch within either size."""
    _compute(ctx).begin_resize(ctx.subject.resource_name, wanted(ctx))


@widen.undone_by
def narrow(ctx: Context[Instance]) -> Wait | None:
    """Back to the size that the instance has."""
    if waiting := _wait_for_resize(ctx):
        return waiting
    _compute(ctx).revert_resize(ctx.subject.resource_name, flavor_of(ctx.subject))
    return _wait_for_resize(ctx)


@step
def await_resized(ctx: Context[Instance]) -> Wait | None:
    if _compute(ctx).resize_state(ctx.subject.resource_name) is ResizeState.FAILED:
        detail = ctx.server_view_of(ctx.subject).detail
        raise Failed(f"the infrastructure cannot resize the server: {detail}")
    return _wait_for_resize(ctx)


@step
def settle(ctx: Context[Instance]) -> Wait | Unused:
    """Limit the engine to its new size."""
    row, flavor = ctx.subject, wanted(ctx)
    _compute(ctx).confirm_resize(row.resource_name, flavor)
    if waiting := _wait_for_resize(ctx):
        return waiting
    unused = max(row.memory - flavor.memory, 0)
    row.flavor_id, row.memory, row.vcpus = flavor.id, flavor.memory, flavor.vcpus
    return Unused({"ram": unused})


def wanted(ctx: Context[Instance]) -> Flavor:
    """The flavor that a resize leads to, as the catalog had it."""
    args = ctx.args(FlavorResize)
    return Flavor(args.flavor_id, args.flavor_id, args.memory, args.vcpus)


def _compute(ctx: Context[Instance]) -> Compute:
    return ctx.provider_for(ctx.subject).compute


def _delete(ctx: Context[Instance]) -> None:
    _compute(ctx).delete_server(ctx.subject.resource_name)
    ctx.subject.server_id = None


def _wait_until_absent(ctx: Context[Instance]) -> Wait | None:
    if ctx.server_view_of(ctx.subject).state is ServerState.ABSENT:
        return None
    return Wait(CHECK_EVERY, "the server is being deleted")


def _wait_for_resize(ctx: Context[Instance]) -> Wait | None:
    if _compute(ctx).resize_state(ctx.subject.resource_name) is ResizeState.PENDING:
        return Wait(CHECK_EVERY, "the server is being resized")
    return None
