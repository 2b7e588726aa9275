"""Expired records are removed a few at a time, at a cost that does not grow, and others stay."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tests.support.cost import cost_of
from tests.support.filled import add_claims, add_events, add_instances, add_operations
from trove.db import Base, Database, new_id, utcnow
from trove.engine import Claim, Operation, State
from trove.engine.claims import ClaimedResource
from trove.models import (
    Agent,
    Datastore,
    DatastoreVersion,
    Event,
    IdempotentRequest,
    Instance,
    Project,
    Task,
    Token,
    User,
)
from trove.services import instances
from trove.testing.world import Cloud
from trove.workflows.retention import Place, Removal
from trove.workflows.steps import records

DAY = timedelta(days=1)
NOW = utcnow()
HISTORY, DELETED = NOW - 30 * DAY, NOW - 90 * DAY
OLD, OLDER, YOUNG = HISTORY - DAY, DELETED - DAY, HISTORY + DAY


class Records:
    """Makes rows; each method returns the id."""

    def __init__(self, database: Database) -> None:
        self.database = database
        version = DatastoreVersion(
            id=new_id(),
            datastore=Datastore(id=new_id(), name="postgresql"),
            name="15",
            number="15.20",
            manager="postgresql",
        )
        self.add(version)
        self.version = version.id
        self.add(User(id="u", name="u", password_hash="x"))
        self.add(Project(id="p", name="p"))

    def add(self, row: Base) -> None:
        with self.database.begin() as session:
            session.add(row)

    def instance(self, deleted: datetime | None = None, **columns: Any) -> str:
        """With its agent, a task and a resource that was claimed once."""
        known = {"project_id": "p", "name": "db", "flavor_id": "2", "memory": 512, "vcpus": 1}
        row = Instance(
            id=new_id(),
            datastore_version_id=self.version,
            volume_size=1,
            deleted_at=deleted,
            **(known | columns),
        )
        self.add(row)
        self.add(Agent(instance_id=row.id, credential_digest=new_id()))
        self.add(ClaimedResource(resource=row.id))
        return row.id

    def operation(
        self, at: datetime, subject: str = "s", *, last: bool = False, **columns: Any
    ) -> str:
        """One that has ended, with its claim; `last` makes it its instance's newest."""
        known = {"workflow": "w", "step": "s", "state": State.SUCCEEDED, "updated_at": at}
        row = Operation(id=new_id(), subject_id=subject, created_at=at, **(known | columns))
        self.add(row)
        released = row.state == State.SUCCEEDED
        claim = Claim(operation_id=row.id, resource=subject, mode="exclusive", released=released)
        self.add(claim)
        if last:
            with self.database.begin() as session:
                session.get_one(Instance, subject).last_operation_id = row.id
        return row.id

    def task(self, instance_id: str, at: datetime, **columns: Any) -> str:
        known = {"kind": "grant", "sealed_args": "", "answered": True}
        row = Task(id=new_id(), instance_id=instance_id, created_at=at, **(known | columns))
        self.add(row)
        return row.id

    def token(self, expires_at: datetime) -> str:
        row = Token(digest=new_id(), user_id="u", body={}, expires_at=expires_at)
        self.add(row)
        return row.digest

    def request(self, at: datetime) -> str:
        row = IdempotentRequest(project_id="p", key=new_id(), digest="d", created_at=at)
        self.add(row)
        return row.key

    def event(self, at: datetime) -> int:
        row = Event(kind="user.create", created_at=at)
        self.add(row)
        return row.id

    def all(self, column: Any) -> set[Any]:
        with self.database.session() as session:
            return set(session.scalars(select(column)))

    def removal(self, session: Any, left: int = 1000, after: Place | None = None) -> Removal:
        return Removal(session, NOW, HISTORY, DELETED, left, after)

    def prune(self, left: int = 1000) -> int:
        """Until all is removed, so many at a time; how many transactions it took."""
        done, after, count = False, None, 0
        while not done:
            with self.database.begin() as session:
                removal = self.removal(session, left, after)
                done, after = removal.run(), removal.after
                count += 1
                assert count < 100
        return count


@pytest.fixture
def made(database: Database) -> Records:
    """On each of the three metadata databases."""
    return Records(database)


@pytest.fixture
def small(sqlite_database: Database) -> Records:
    return Records(sqlite_database)


def test_what_has_expired_goes_and_all_else_stays(made: Records) -> None:
    instance = made.instance()
    active = made.operation(OLD, instance, state=State.RUNNING)
    kept = {
        Token.digest: {made.token(NOW + DAY)},
        IdempotentRequest.key: {made.request(NOW - DAY / 2)},
        Event.id: {made.event(YOUNG)},
        Task.id: {
            made.task(instance, YOUNG),
            made.task(instance, OLD, answered=False, operation_id=active),
            made.task(instance, NOW, answered=False),
        },
        Operation.id: {active, made.operation(YOUNG), made.operation(OLD, updated_at=YOUNG)},
    }
    made.token(NOW - DAY)
    made.request(NOW - 2 * DAY)
    made.event(OLD)
    ended = made.operation(OLD)
    made.task(instance, OLD)
    made.task(instance, NOW - DAY, answered=False)
    made.task(instance, NOW, answered=False, operation_id=ended)
    made.task(instance, NOW, answered=False, operation_id=new_id())
    assert made.prune() == 1
    assert {column: made.all(column) for column in kept} == kept
    assert made.all(Claim.operation_id) == kept[Operation.id]
    assert made.all(Instance.id) == made.all(Agent.instance_id) == {instance}


def test_the_newest_operation_of_an_instance_stays(made: Records) -> None:
    instance, reset = made.instance(), made.instance()
    first, newest = made.operation(OLD - DAY, instance), made.operation(OLD, instance, last=True)
    made.operation(OLD, reset)
    made.prune()
    assert made.all(Operation.id) == {newest}
    assert first not in made.all(Claim.operation_id)


def test_a_deleted_instance_goes_with_all_that_it_had(made: Records) -> None:
    gone, living, lately = made.instance(OLDER), made.instance(), made.instance(OLD)
    made.operation(OLDER, gone, last=True)
    made.task(gone, NOW)
    made.prune()
    assert made.all(Instance.id) == {living, lately}
    assert made.all(Agent.instance_id) == {living, lately}
    assert made.all(ClaimedResource.resource) == {living, lately}
    assert made.all(Task.id) == set()
    # Its newest operation is not needed any more: it goes in the next round.
    assert len(made.all(Operation.id)) == 1
    made.prune()
    assert made.all(Operation.id) == made.all(Claim.operation_id) == set()


def test_a_deleted_instance_that_others_refer_to_stays(made: Records) -> None:
    primary, claimed = made.instance(OLDER), made.instance(OLDER)
    replica = made.instance(replica_of=primary)
    operation = made.operation(NOW, claimed, state=State.RUNNING)
    made.prune()
    assert made.all(Instance.id) == {primary, claimed, replica}
    with made.database.begin() as session:
        session.get_one(Instance, replica).deleted_at = OLDER
        session.execute(update(Claim).where(Claim.operation_id == operation).values(released=True))
    # The primary is free once the replica is gone.
    made.prune()
    made.prune()
    assert made.all(Instance.id) == made.all(Agent.instance_id) == set()


def expired_records(made: Records, count: int) -> None:
    """So many of each kind."""
    for number in range(count):
        age = timedelta(seconds=number)
        instance = made.instance(OLDER - age)
        made.operation(OLDER - age, instance, last=True)
        made.token(NOW - DAY - age)
        made.request(NOW - 2 * DAY - age)
        made.event(OLD - age)
        made.task(instance, OLD - age)
        made.task(instance, NOW - DAY - age, answered=False)
        made.operation(OLD - age)


TABLES = (Token, IdempotentRequest, Event, Task, Operation, Instance)


def count(made: Records, tables: Iterable[type[Base]] = TABLES) -> int:
    with made.database.session() as session:
        return sum(session.scalar(select(func.count()).select_from(t)) or 0 for t in tables)


@pytest.mark.parametrize("left", [1, 2, 3, 5, 7, 1000])
def test_a_transaction_removes_no_more_than_it_may(small: Records, left: int) -> None:
    expired_records(small, 3)
    for _ in range(2):
        done, after = False, None
        while not done:
            before = count(small)
            with small.database.begin() as session:
                removal = small.removal(session, left, after)
                done, after = removal.run(), removal.after
            removed = before - count(small)
            assert removed <= left
    assert count(small) == 0
    assert small.all(Claim.operation_id) == small.all(Agent.instance_id) == set()


def test_operations_that_were_looked_through_are_not_again(small: Records) -> None:
    """At the same time, even, as a whole piece of them."""
    instances = [small.instance() for _ in range(4)]
    newest = {small.operation(OLD, instance, last=True) for instance in instances}
    removed = [small.operation(HISTORY - number * timedelta(hours=1)) for number in (3, 2, 1)]
    seen: list[set[str]] = []
    after = None
    for _ in range(4):
        with small.database.begin() as session:
            removal = small.removal(session, left=2, after=after)
            assert removal.run() == (len(seen) == 3)
            after = removal.after
        seen.append(small.all(Operation.id) & set(removed))
    assert seen == [set(removed), set(removed), {removed[2]}, set()]
    # What is older is passed over until the next round.
    late = small.operation(OLDER)
    with small.database.begin() as session:
        assert small.removal(session, after=after).run()
    assert small.all(Operation.id) == {late, *newest}
    small.prune()
    assert small.all(Operation.id) == newest


FEW, MANY, PIECE = 1000, 4000, 10
SIZES = {"postgresql": (10_000, 60_000)}
"""It rightly reads smaller tables as a whole."""
SLACK = 1.3


def test_a_piece_costs_the_same_among_few_and_among_many(database: Database) -> None:
    """Rows that are read; those that are kept, and older, are not read with every piece."""
    sizes = SIZES.get(database.engine.dialect.name, (FEW, MANY))
    few, many = (cost_of_a_piece(database, rows) for rows in sizes)
    assert many <= SLACK * few, (few, many)


def cost_of_a_piece(database: Database, rows: int) -> int:
    with database.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
    add_instances(database, 500, age=60)
    add_operations(database, rows, age=45)
    add_claims(database)
    add_events(database, rows, age=45)

    def piece() -> None:
        with database.session() as session:
            Removal(session, NOW, HISTORY, DELETED, PIECE)._events()
            removal = Removal(
                session, NOW, HISTORY, DELETED, PIECE, after=Place(NOW - 46 * DAY, "")
            )
            removal._operations()
            assert removal.left == 0
            session.rollback()

    return cost_of(database, piece)


def test_the_step_removes_piece_by_piece_and_keeps_what_is_in_use(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "AT_ONCE", 2)
    kept = [cloud.built() for _ in range(3)]
    for instance_id in kept[:2]:
        instances.restart(cloud.installation, cloud.caller, instance_id)
        cloud.drain()
    instances.delete(cloud.installation, cloud.caller, kept.pop())
    cloud.drain()
    cloud.start_rounds("records.prune")
    cloud.clock.advance(100 * 86400)
    runner = cloud.runner()
    assert runner.run_once()
    pruning = prune_of(cloud)
    assert pruning.due_at is not None
    assert pruning.due_at <= cloud.clock.time
    pieces = 1
    while cloud.runner().run_once():
        pieces += 1
    assert pieces > 3
    with cloud.database.session() as session:
        assert set(session.scalars(select(Instance.id))) == set(kept)
        assert session.scalar(select(func.count()).select_from(Event)) == 0
    pruning = prune_of(cloud)
    assert pruning.due_at is not None
    assert pruning.due_at > cloud.clock.time + timedelta(minutes=59)
    assert pruning.results == {"records.prune": {}}
    cloud.agents.run()
    for instance_id in kept:
        assert cloud.words(instance_id) == ("ACTIVE", "HEALTHY")


def test_how_far_it_has_come_is_kept_in_its_row(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "AT_ONCE", 1)
    cloud.start_rounds("records.prune")
    ended = [cloud.clock.time + timedelta(seconds=number) for number in range(3)]
    with cloud.database.begin() as session:
        for at in ended:
            session.add(
                Operation(
                    workflow="w",
                    subject_id="s",
                    step="s",
                    state=State.SUCCEEDED,
                    due_at=None,
                    created_at=at,
                    updated_at=at,
                )
            )
    cloud.clock.advance(100 * 86400)
    seen = []
    while cloud.runner().run_once():
        seen.append((prune_of(cloud).results or {})["records.prune"].get("after"))
    assert [place and datetime.fromisoformat(place[0]) for place in seen] == [*ended, None]


def prune_of(cloud: Cloud) -> Operation:
    with cloud.database.session() as session:
        return session.scalars(select(Operation).where(Operation.workflow == "records.prune")).one()
