"""Every workflow, as a recipe. Read this file to know what the control plane can do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from trove.engine import Kind, Operation, State, Workflow
from trove.engine.workflow import periodic
from trove.models.instance import Instance
from trove.providers.base import Capability
from trove.workflows.choice import unless
from trove.workflows.steps import agent, datastore, network, records, server, volume, watch
from trove.workflows.subjects import INSTANCE

ONLINE_VOLUME_GROW = Capability.ONLINE_VOLUME_GROW
ACCOUNTS = frozenset({"accounts"})
"""Changes of databases, users and root, which need the engine to stay as it is."""


def _forget_server(session: Session, operation: Operation, state: State) -> None:
    """An instance that was not created has no server, even where the undo was given up.

    What is left of it is found by its name when it is deleted; until then nothing may use it, and
    the watch must not recover it.
    """
    if state in {State.FAILED, State.CANCELLED}:
        session.get_one(Instance, operation.subject_id).server_id = None


RECIPES: tuple[Workflow[Any], ...] = (
    Workflow(
        "instance.create",
        status="BUILD",
        subject=INSTANCE,
        blocks=ACCOUNTS,
        on_end=_forget_server,
        steps=(
            agent.invite,
            network.allocate,
            volume.create,
            volume.await_ready,
            server.boot,
            server.await_up,
            datastore.prepare,
        ),
    ),
    Workflow(
        "instance.delete",
        status="SHUTDOWN",
        subject=INSTANCE,
        blocks=ACCOUNTS,
        removes_subject=True,
        reversible=False,
        steps=(
            agent.dismiss,
            server.remove,
            server.await_absent,
            volume.remove,
            volume.await_absent,
            network.release,
            records.erase,
        ),
    ),
    Workflow(
        "instance.restart",
        status="REBOOT",
        subject=INSTANCE,
        blocks=ACCOUNTS,
        steps=(datastore.restart,),
    ),
    Workflow(
        "instance.stop",
        status="SHUTDOWN",
        subject=INSTANCE,
        blocks=ACCOUNTS,
        steps=(datastore.stop,),
    ),
    Workflow(
        "instance.reboot",
        status="REBOOT",
        subject=INSTANCE,
        blocks=ACCOUNTS,
        steps=(server.stop, server.await_down, server.start, server.await_up),
    ),
    Workflow(
        "instance.resize_flavor",
        status="RESIZE",
        subject=INSTANCE,
        blocks=ACCOUNTS,
        steps=(server.widen, server.await_resized, datastore.resize, server.settle),
    ),
    Workflow(
        "instance.resize_volume",
        status="RESIZE",
        subject=INSTANCE,
        steps=(
            unless(ONLINE_VOLUME_GROW, server.stop),
            unless(ONLINE_VOLUME_GROW, server.await_down),
            volume.grow,
            volume.await_grown,
            unless(ONLINE_VOLUME_GROW, server.start),
            unless(ONLINE_VOLUME_GROW, server.await_up),
            volume.settle,
        ),
    ),
    Workflow(
        "instance.recover",
        status="",
        subject=INSTANCE,
        blocks=ACCOUNTS,
        steps=(server.start, server.await_up),
    ),
    periodic("servers.watch", watch.servers),
    periodic("records.prune", records.prune),
)

WORKFLOWS: dict[str, Workflow[Any]] = {recipe.name: recipe for recipe in RECIPES}

PERIODIC: tuple[str, ...] = ("servers.watch", "records.prune")
"""What every task manager keeps active."""

REMOVING: frozenset[str] = frozenset(r.name for r in RECIPES if r.removes_subject)
"""The workflows during which a subject counts as removed."""


def statuses_of(kind: Kind[Any]) -> dict[str, str]:
    """The status that each workflow on this kind of subject shows while it runs."""
    return {recipe.name: recipe.status for recipe in RECIPES if recipe.subject is kind}


def are_blocked(activity: str, operations: Iterable[Operation]) -> bool:
    """Whether one of these refuses this activity; one of another release may do anything."""
    recipes = [WORKFLOWS.get(operation.workflow) for operation in operations]
    return any(recipe is None or activity in recipe.blocks for recipe in recipes)
