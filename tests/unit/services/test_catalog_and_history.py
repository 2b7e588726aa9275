"""What the API's tests do not reach of its services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from trove.datastores import datastore_of
from trove.engine import Operation, State, supersede
from trove.errors import Conflict, Invalid, NotSupported
from trove.models import DatastoreVersion
from trove.protocol.tasks import DeleteDatabase
from trove.services import accounts, datastores, instances, operations, quotas, running_engine
from trove.testing import FakeAgent
from trove.testing.world.api import PEOPLE, World

RED, ADMIN = PEOPLE["red"], PEOPLE["admin"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_an_inactive_version_is_for_administrators(world: World) -> None:
    version_id = world.version_id("mariadb")
    with world.database.begin() as session:
        session.execute(update(DatastoreVersion).values(active=False))
    with pytest.raises(Invalid):
        datastores.version_of(world.installation, RED, None, version_id)
    assert datastores.version_of(world.installation, ADMIN, None, version_id).id == version_id


def test_a_limit_below_none_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="quotas.ram"):
        quotas.update(world.installation, ADMIN, "p", {"ram": -2})


def test_a_workflow_of_another_release_is_shown_but_not_cancelled(world: World) -> None:
    world.order()
    with world.database.begin() as session:
        session.execute(update(Operation).values(workflow="instance.from_the_future"))
        operation_id = session.query(Operation.id).scalar()
    view = operations.show(world.installation, RED, operation_id)
    assert (view.steps, view.can_be_cancelled) == ([], False)
    with pytest.raises(Conflict, match="not known"):
        operations.cancel_one(world.installation, RED, operation_id)


def test_what_cannot_be_cancelled_is_not_shown_as_if_it_could(world: World) -> None:
    """A volume does not shrink."""
    instance_id = world.built()
    instances.resize_volume(world.installation, RED, instance_id, 2)
    with world.database.begin() as session:
        growing = update(Operation).where(Operation.workflow == "instance.resize_volume")
        session.execute(growing.values(step="volume.grow"))
    chosen = operations.OperationFilter(subject_id=instance_id, state="active")
    page = operations.list_page(world.installation, RED, chosen, limit=1, marker=None)
    assert not page.items[0].can_be_cancelled
    with pytest.raises(Conflict, match="cannot be cancelled"):
        operations.cancel_one(world.installation, RED, page.items[0].row.id)


def test_the_steps_of_an_operation_that_stands_in_its_middle(world: World) -> None:
    world.order()
    with world.database.begin() as session:
        session.execute(update(Operation).values(step="server.boot"))
        operation_id = session.query(Operation.id).scalar()

    def states(*steps: str) -> list[str]:
        shown = operations.show(world.installation, RED, operation_id)
        found = {step.name: step.state for step in shown.steps}
        return [found[step] for step in steps]

    around_it = ("volume.await_ready", "server.boot", "server.await_up")
    assert states(*around_it) == ["done", "running", "pending"]
    operations.cancel_one(world.installation, RED, operation_id)
    assert states(*around_it) == ["done", "undoing", "pending"]
    with world.database.begin() as session:
        session.execute(update(Operation).values(step="network.allocate"))
    all_of_them = ("agent.invite", "network.allocate", "volume.create", *around_it[1:])
    assert states(*all_of_them) == ["done", "undoing", "undone", "cancelled", "pending"]
    with world.database.begin() as session:
        supersede(session, operation_id)
    assert states(*all_of_them) == ["done", "superseded", "undone", "cancelled", "pending"]


def test_the_steps_of_what_was_superseded_on_its_way(world: World) -> None:
    world.order()
    with world.database.begin() as session:
        session.execute(update(Operation).values(step="network.allocate"))
        operation_id = session.query(Operation.id).scalar()
        supersede(session, operation_id)
    assert states_of(world, operation_id)[:3] == ["done", "superseded", "pending"]


@pytest.mark.parametrize(
    ("noted", "step", "states"),
    [
        ("network.allocate", "network.allocate", ["undone", "failed", "pending"]),
        ("of.another_release", "of.another_release", ["undone", "undone", "undone"]),
        (None, "agent.invite", ["undone", "undone", "undone"]),
    ],
)
def test_an_operation_that_failed_names_the_step(
    world: World, noted: str | None, step: str, states: list[str]
) -> None:
    """As far as the step was noted, and is one of this release."""
    world.order()
    with world.database.begin() as session:
        operation_id = session.query(Operation.id).scalar()
        session.execute(update(Operation).values(state=State.FAILED, turned_back_at=noted))
    assert states_of(world, operation_id)[:3] == states
    assert operations.show(world.installation, RED, operation_id).step == step


def states_of(world: World, operation_id: str) -> list[str]:
    shown = operations.show(world.installation, RED, operation_id)
    return [step.state for step in shown.steps]


def test_what_an_engine_lacks_is_not_supported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = world.built()
    without_users = replace(datastore_of("postgresql"), users=None)
    monkeypatch.setattr(running_engine, "datastore_of", lambda manager: without_users)
    with pytest.raises(NotSupported, match="users"):
        accounts.list_users(world.installation, RED, instance_id, limit=1, marker=None)


def test_an_answer_without_accounts_leaves_the_last_report(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = world.built(databases=[{"name": "app"}])
    monkeypatch.setattr(FakeAgent, "perform", lambda self, task: _plain(task.id))
    accounts.delete_database(world.installation, RED, instance_id, "app")
    assert DeleteDatabase.kind not in {task.kind for task in world.agents.received}


def _plain(task_id: str) -> object:
    from trove.protocol import TaskResult

    return TaskResult(id=task_id, result={})
