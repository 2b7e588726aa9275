"""Every workflow, as a recipe. Read this file to know what the control plane can do."""

from __future__ import annotations

from trove.engine import Workflow
from trove.engine.workflow import periodic
from trove.workflows.context import Context
from trove.workflows.steps import agent, datastore, network, records, server, volume, watch

RECIPES: tuple[Workflow[Context], ...] = (
    Workflow(
        "instance.create",
        status="BUILD",
        steps=(
            agent.invite,
            network.allocate,
            volume.create,
            server.boot,
            server.await_up,
            datastore.prepare,
        ),
    ),
    Workflow(
        "instance.delete",
        status="SHUTDOWN",
        reversible=False,
        steps=(
            agent.dismiss,
            server.remove,
            volume.remove,
            network.release,
            records.erase,
        ),
    ),
    Workflow("instance.restart", status="REBOOT", steps=(datastore.restart,)),
    Workflow("instance.stop", status="SHUTDOWN", steps=(datastore.stop,)),
    Workflow("instance.reboot", status="REBOOT", steps=(server.stop, server.start)),
    Workflow(
        "instance.resize_flavor",
        status="RESIZE",
        steps=(server.widen, datastore.resize, server.settle),
    ),
    Workflow("instance.resize_volume", status="RESIZE", steps=(volume.grow,)),
    Workflow("instance.recover", status="", steps=(server.start,)),
    periodic("servers.watch", watch.servers),
    periodic("records.prune", records.prune),
)

WORKFLOWS: dict[str, Workflow[Context]] = {recipe.name: recipe for recipe in RECIPES}

SHOWN: dict[str, str] = {recipe.name: recipe.status for recipe in RECIPES}
"""The status word of each workflow, while it goes on."""

PERIODIC: tuple[str, ...] = ("servers.watch", "records.prune")
"""What every task manager sees to it that goes on."""
