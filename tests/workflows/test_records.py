"""Which records are removed with time, and which are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from trove.engine import Operation
from trove.errors import NotFound
from trove.models import Agent, Event, IdempotentRequest, Instance, Project, Task, Token, User
from trove.models.task import dispatch
from trove.protocol import Account
from trove.services import instances
from trove.services.senders import identify
from trove.testing import TaskFailure
from trove.testing.world import Cloud

MONTH = 31 * 86400


Table = type[Event] | type[IdempotentRequest] | type[Operation] | type[Task] | type[Token]


def count(cloud: Cloud, table: Table) -> int:
    with cloud.database.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_old_records_are_removed(cloud: Cloud) -> None:
    instance_id = cloud.built()
    instances.restart(cloud.installation, cloud.caller, instance_id)
    cloud.drain()
    with cloud.database.begin() as session:
        session.add(Project(id="p", name="p"))
        session.add(User(id="u", name="u", password_hash="x"))
        session.flush()
        soon = cloud.clock.time + timedelta(hours=1)
        session.add(Token(digest="d", user_id="u", body={}, expires_at=soon))
        session.add(IdempotentRequest(project_id="p", key="k", digest="d"))
        session.flush()
        dated: tuple[type[Event | IdempotentRequest | Task], ...] = (Event, IdempotentRequest, Task)
        for kind in dated:
            session.execute(update(kind).values(created_at=cloud.clock.time))
    cloud.start_rounds()
    cloud.drain(1)
    present: tuple[Table, ...] = (Operation, Event, Task, Token)
    assert all(count(cloud, table) for table in present)
    cloud.clock.advance(MONTH)
    cloud.drain(1)
    removed: tuple[Table, ...] = (Event, Task, Token, IdempotentRequest)
    assert [count(cloud, table) for table in removed] == [0, 0, 0, 0]
    with cloud.database.session() as session:
        workflows = set(session.scalars(select(Operation.workflow)))
    assert workflows == {"instance.restart", "servers.watch", "records.prune"}
    assert cloud.show(instance_id).operation_id is not None


def test_erasing_twice_gives_back_once(cloud: Cloud) -> None:
    """The step may run again after its commit was lost from sight."""
    kept, gone = cloud.built(), cloud.built()
    instances.delete(cloud.installation, cloud.caller, gone)
    cloud.drain()
    with cloud.database.begin() as session:
        operation = cloud.last_operation(gone)
        row = session.get_one(Instance, gone)
        assert row.deleted_at is not None
        again = session.get_one(Operation, operation.id)
        again.state, again.step, again.due_at = "running", "records.erase", cloud.clock.time
    cloud.drain()
    assert cloud.used() == {"instances": 1, "ram": 512, "volumes": 1}
    assert cloud.words(kept) == ("ACTIVE", "HEALTHY")


def tasks(cloud: Cloud) -> set[str]:
    with cloud.database.session() as session:
        return set(session.scalars(select(Task.id)))


def test_tasks_without_an_operation_are_removed_soon(cloud: Cloud) -> None:
    """Their arguments may hold passwords."""
    instance_id = cloud.built()
    cloud.start_rounds()
    cloud.drain(1)
    cloud.answers = False
    instances.restart(cloud.installation, cloud.caller, instance_id)
    cloud.runner().run_until_idle()
    answered = {task_id for task_id in tasks(cloud) if is_answered(cloud, task_id)}
    [going] = tasks(cloud) - answered
    with cloud.database.begin() as session:
        orphaned = dispatch(session, instance_id, "grant").id
        fresh = dispatch(session, instance_id, "grant").id
        session.flush()
        session.get_one(Task, orphaned).created_at = cloud.clock.time - timedelta(hours=1)
        session.get_one(Task, fresh).created_at = cloud.clock.time + timedelta(hours=1)
    prune_now(cloud)
    assert tasks(cloud) == answered | {going, fresh}
    instances.reset_status(cloud.installation, cloud.caller, instance_id)
    prune_now(cloud)
    assert tasks(cloud) == answered | {fresh}


def is_answered(cloud: Cloud, task_id: str) -> bool:
    with cloud.database.session() as session:
        return session.get_one(Task, task_id).answered


def prune_now(cloud: Cloud) -> None:
    with cloud.database.begin() as session:
        prune = select(Operation).where(Operation.workflow == "records.prune")
        session.scalars(prune).one().due_at = cloud.clock.time
    cloud.runner().run_until_idle()


USER = Account("joe", password="very secret")


def sealed_of(cloud: Cloud, instance_id: str) -> list[str]:
    with cloud.database.session() as session:
        mine = select(Operation).where(Operation.subject_id == instance_id)
        return [row.workflow for row in session.scalars(mine) if row.sealed]


def test_an_operation_that_has_ended_keeps_no_secrets(cloud: Cloud) -> None:
    done = cloud.order(users=[USER])
    assert sealed_of(cloud, done) == ["instance.create"]
    cloud.drain()
    assert cloud.words(done) == ("ACTIVE", "HEALTHY")
    cloud.agents.failures["prepare"] = TaskFailure("no room")
    failed, given_up = cloud.order(users=[USER]), cloud.order(users=[USER])
    instances.delete(cloud.installation, cloud.caller, given_up)
    assert sealed_of(cloud, given_up) == []
    cloud.drain()
    assert cloud.words(failed)[0] == "ERROR"
    assert sealed_of(cloud, done) == sealed_of(cloud, failed) == []


def test_an_operation_of_another_release_is_superseded_by_a_deletion(cloud: Cloud) -> None:
    instance_id = cloud.order(users=[USER])
    with cloud.database.begin() as session:
        known = update(Operation).where(Operation.subject_id == instance_id)
        session.execute(known.values(workflow="instance.of_another_release"))
    instances.delete(cloud.installation, cloud.caller, instance_id)
    cloud.drain()
    assert (cloud.used(), sealed_of(cloud, instance_id)) == ({}, [])


def test_the_agent_of_a_deleted_instance_is_stopped(cloud: Cloud) -> None:
    """While the deletion goes on, and when all is gone."""
    instance_id = cloud.built()
    with cloud.database.session() as session:
        assert identify(session, cloud.agents.of(instance_id).credential) == instance_id
    instances.delete(cloud.installation, cloud.caller, instance_id)
    for _ in range(2):
        with cloud.database.session() as session, pytest.raises(NotFound, match="stop for good"):
            identify(session, cloud.agents.of(instance_id).credential)
        cloud.drain()
    with cloud.database.session() as session:
        row = session.get_one(Agent, instance_id)
        assert (row.enrolment_digest, row.accounts, row.details) == (None, {}, {})
    assert cloud.busy_with(instance_id) is None
