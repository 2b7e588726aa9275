"""No two orders take the last memory, and what counts is what has a server or is to have one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import null
from sqlalchemy.orm import Session

from trove.db import Database, new_id, utcnow
from trove.engine import Operation, State
from trove.engine.claims import Claim
from trove.errors import OverQuota
from trove.models import Datastore, DatastoreVersion, Instance
from trove.models.memory import in_use, must_fit


@pytest.fixture(autouse=True)
def version(database: Database) -> None:
    with database.begin() as session:
        datastore = Datastore(id="ds-1", name="postgresql")
        session.add(
            DatastoreVersion(
                id="v-1", datastore=datastore, name="15", number="15.2", manager="postgresql"
            )
        )


def instance(session: Session, memory: int, **fields: Any) -> Instance:
    row = Instance(
        project_id=new_id(),
        name="db",
        datastore_version_id="v-1",
        flavor_id="1",
        memory=memory,
        vcpus=1,
        volume_size=1,
        **({"server_id": "s"} | fields),
    )
    session.add(row)
    session.flush()
    return row


def resize(session: Session, row: Instance, to: int, **fields: Any) -> None:
    operation = Operation(
        id=new_id(),
        workflow="instance.resize_flavor",
        subject_id=row.id,
        step="widen",
        args={"flavor_id": "2", "memory": to, "vcpus": 1},
        **fields,
    )
    session.add(operation)
    session.flush()


def order(database: Database, memory: int, limit: int | None) -> bool:
    try:
        with database.begin() as session:
            instance(session, memory)
            must_fit(session, memory, limit)
    except OverQuota:
        return False
    return True


def held(database: Database) -> int:
    with database.session() as session:
        return in_use(session)


def test_what_counts(database: Database) -> None:
    with database.begin() as session:
        instance(session, 1)
        instance(session, 2, deleted_at=utcnow())
        instance(session, 4, server_id=None)
        for released, memory in ((False, 8), (True, 16)):
            row = instance(session, memory, server_id=None)
            own = Claim(operation_id=new_id(), resource=row.id, mode="exclusive", released=released)
            session.add(own)
    assert held(database) == 1 + 8


@pytest.mark.parametrize(
    ("to", "fields", "expected"),
    [
        (300, {}, 300),
        (100, {}, 200),
        (300, {"state": State.UNDOING}, 300),
        (300, {"state": State.SUCCEEDED, "due_at": null()}, 200),
    ],
)
def test_a_resize_under_way_takes_the_larger_size(
    database: Database, to: int, fields: dict[str, Any], expected: int
) -> None:
    with database.begin() as session:
        resize(session, instance(session, 200), to, **fields)
    assert held(database) == expected


def test_an_excess_is_refused_with_numbers_and_leaves_nothing(database: Database) -> None:
    assert order(database, 600, 1000)
    with pytest.raises(OverQuota) as refused, database.begin() as session:
        instance(session, 401)
        must_fit(session, 401, 1000)
    assert "401 MB more are needed, and of 1000 MB for all instances 400 MB" in str(refused.value)
    assert held(database) == 600
    assert order(database, 400, 1000)


def test_a_fleet_beyond_the_limit_only_stops_growing(database: Database) -> None:
    assert order(database, 5000, None)
    expected = "for all instances 0 MB are left"
    with pytest.raises(OverQuota, match=expected), database.begin() as session:
        instance(session, 1)
        must_fit(session, 1, 1000)
    with database.begin() as session:
        must_fit(session, 0, 1000)
    assert held(database) == 5000


def test_of_concurrent_orders_only_as_many_pass_as_fit(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        passed = list(pool.map(lambda _: order(database, 100, 750), range(24)))
    assert passed.count(True) == 7
    assert held(database) == 700
