"""The recipes of the fake world: things with a volume and a server, fleets of them, a round."""

from __future__ import annotations

import uuid

from tests.support.things import Context
from trove.engine import (
    Kind,
    Mode,
    StepResult,
    Wait,
    Workflow,
    await_children,
    final_step,
    start,
    step,
)
from trove.engine.workflow import periodic


@step
def make_volume(ctx: Context) -> None:
    ctx.point("make_volume")
    ctx.inventory.ensure("volume", ctx.subject)
    ctx.record("make_volume")


@make_volume.undone_by
def unmake_volume(ctx: Context) -> None:
    ctx.point("unmake_volume")
    ctx.inventory.remove("volume", ctx.subject)
    ctx.record("unmake_volume")


@step(attempts=3)
def make_server(ctx: Context) -> None:
    ctx.point("make_server")
    ctx.inventory.ensure("server", ctx.subject)
    ctx.record("make_server")


@make_server.undone_by
def unmake_server(ctx: Context) -> None:
    ctx.point("unmake_server")
    ctx.inventory.remove("server", ctx.subject)
    ctx.record("unmake_server")


@step(timeout=300)
def await_up(ctx: Context) -> Wait | None:
    ctx.point("await_up")
    if f"server/{ctx.subject}" not in ctx.world.ups:
        return Wait(30, "the server starts", 0.5)
    return None


@step
def announce(ctx: Context) -> None:
    ctx.point("announce")
    ctx.record("announce")


@step
def remove_server(ctx: Context) -> None:
    ctx.point("remove_server")
    ctx.inventory.remove("server", ctx.subject)


@step
def remove_volume(ctx: Context) -> None:
    ctx.point("remove_volume")
    ctx.inventory.remove("volume", ctx.subject)
    ctx.record("remove_volume")


@final_step
def switch(ctx: Context) -> None:
    ctx.point("switch")
    ctx.record("switch")


@step
def spread(ctx: Context) -> None:
    """The subjects of the parts are derived, so the step that deletes the fleet finds them."""
    ctx.point("spread")
    for n in range(ctx.operation.args.get("parts", 3)):
        create = ctx.world.workflows["thing.create"]
        start(ctx.session, create, part_of(ctx, n), parent=ctx.operation, clock=ctx.world.clock)


@spread.undone_by
def gather_in(ctx: Context) -> None:
    ctx.point("gather_in")
    for n in range(ctx.operation.args.get("parts", 3)):
        ctx.inventory.remove("server", part_of(ctx, n))
        ctx.inventory.remove("volume", part_of(ctx, n))


@step
def join(ctx: Context) -> Wait | None:
    ctx.point("join")
    return await_children(ctx.session, ctx.operation)


class Peer(StepResult, frozen=True):
    """What `await_peer` hands on to `switch_over`."""

    name: str


@step(timeout=lambda settings: 300 if settings is None else settings)
def await_peer(ctx: Context) -> Peer:
    ctx.point("await_peer")
    return Peer("standby")


@step
def switch_over(ctx: Context) -> None:
    ctx.point("switch_over")
    assert (ctx.operation.results or {})["recipes.await_peer"]["name"]
    ctx.record("switch_over")


@switch_over.undone_by
def switch_back(ctx: Context) -> None:
    ctx.point("switch_back")
    ctx.record("switch_back")


@step
def inspect(ctx: Context) -> None:
    ctx.point("inspect")


@step
def look_around(ctx: Context) -> Wait:
    ctx.point("look_around")
    ctx.record("look_around")
    return Wait(3600)


def part_of(ctx: Context, n: int) -> str:
    return str(uuid.uuid5(uuid.UUID(ctx.subject), str(n)))


PAIR: Kind[str] = Kind("pair", lambda session, subject_id: subject_id)
"""A subject of another kind than things: it claims both of its things."""

RECIPES: tuple[Workflow[Context], ...] = (
    Workflow("thing.create", "BUILD", (make_volume, make_server, await_up, announce)),
    Workflow("thing.delete", "SHUTDOWN", (remove_server, remove_volume), reversible=False),
    Workflow("thing.move", "MOVE", (make_server, switch, announce)),
    Workflow("fleet.create", "BUILD", (make_volume, spread, join, announce)),
    Workflow("fleet.delete", "SHUTDOWN", (step(gather_in), remove_volume), reversible=False),
    Workflow(
        "pair.connect",
        "CONNECT",
        (make_volume, await_peer, switch_over, announce),
        subject=PAIR,
        blocks=frozenset({"moves"}),
    ),
    Workflow("pair.delete", "SHUTDOWN", (remove_volume,), subject=PAIR, reversible=False),
    Workflow("thing.inspect", "", (inspect, announce), claim=Mode.SHARED),
    periodic("round", look_around),
)
WORKFLOWS = {recipe.name: recipe for recipe in RECIPES}
