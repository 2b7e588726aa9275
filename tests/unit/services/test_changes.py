"""Changes that meet: an operation begins or ends between another's look and its word.

On each database, for each has its own locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from trove.db import Database
from trove.engine import Operation, State, holders_of, start
from trove.errors import NotFound, NotReady, OverQuota
from trove.services import changes, instances
from trove.testing import TaskFailure
from trove.testing.world import Cloud, metadata_in
from trove.workflows import WORKFLOWS
from trove.workflows.starting import start_on

USED = {"instances": 1, "ram": 512, "volumes": 1}
Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str, database: Database) -> Iterator[Cloud]:
    """A control plane on each of the three databases."""
    made = Cloud(tmp_path, metadata_in(tmp_path, database_url))
    yield made
    made.database.dispose()


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Let this happen once, right after an instance was read and before it is changed."""

    def arrange(happening: Callable[[], object]) -> None:
        left = [happening]

        def look(session: Any, subject_id: str) -> Sequence[Operation]:
            found = holders_of(session, subject_id)
            if left:
                left.pop()()
            return found

        def begin(*args: Any, **kwargs: Any) -> Operation:
            if left:
                left.pop()()
            return start_on(*args, **kwargs)

        monkeypatch.setattr(instances, "holders_of", look)
        monkeypatch.setattr(changes, "start_on", begin)

    return arrange


def delete(cloud: Cloud, instance_id: str) -> None:
    instances.delete(cloud.installation, cloud.caller, instance_id)


def restart(cloud: Cloud, instance_id: str) -> None:
    instances.restart(cloud.installation, cloud.caller, instance_id)


def begin_restart(cloud: Cloud, instance_id: str) -> None:
    with cloud.database.begin() as session:
        start(session, WORKFLOWS["instance.restart"], instance_id, clock=cloud.clock)


def has_nothing(cloud: Cloud) -> None:
    assert cloud.world.everything() == []
    assert cloud.used() == {}


@pytest.mark.parametrize("ends", [State.SUCCEEDED, State.FAILED])
def test_a_deletion_beside_the_end_of_an_operation_gives_back_once(
    anywhere: Cloud, meanwhile: Meanwhile, ends: State
) -> None:
    instance_id = anywhere.built()
    instances.resize_flavor(anywhere.installation, anywhere.caller, instance_id, "3")
    if ends == State.FAILED:
        anywhere.agents.failures = {"resize": TaskFailure("the engine says no")}
    meanwhile(anywhere.drain)
    delete(anywhere, instance_id)
    grown = 1024 if ends == State.SUCCEEDED else 512
    assert anywhere.used() == USED | {"ram": grown}
    anywhere.drain()
    has_nothing(anywhere)


def test_a_reset_beside_the_end_of_an_operation_gives_back_nothing(
    anywhere: Cloud, meanwhile: Meanwhile
) -> None:
    instance_id = anywhere.built()
    instances.resize_volume(anywhere.installation, anywhere.caller, instance_id, 3)
    meanwhile(anywhere.drain)
    instances.reset_status(anywhere.installation, anywhere.caller, instance_id)
    assert anywhere.used() == USED | {"volumes": 3}


def test_a_change_sees_what_the_last_one_made(anywhere: Cloud, meanwhile: Meanwhile) -> None:
    instance_id = anywhere.built()

    def grow() -> None:
        instances.resize_volume(anywhere.installation, anywhere.caller, instance_id, 3)
        anywhere.drain()

    meanwhile(grow)
    instances.resize_volume(anywhere.installation, anywhere.caller, instance_id, 4)
    assert anywhere.used() == USED | {"volumes": 4}
    anywhere.drain()
    assert anywhere.show(instance_id).row.volume_size == 4


def test_a_deletion_meets_a_beginning(anywhere: Cloud, meanwhile: Meanwhile) -> None:
    instance_id = anywhere.built()
    meanwhile(lambda: begin_restart(anywhere, instance_id))
    delete(anywhere, instance_id)
    assert anywhere.last_operation(instance_id).workflow == "instance.delete"
    anywhere.drain()
    has_nothing(anywhere)


def test_a_deletion_meets_another(anywhere: Cloud, meanwhile: Meanwhile) -> None:
    instance_id = anywhere.built()
    meanwhile(lambda: delete(anywhere, instance_id))
    delete(anywhere, instance_id)
    anywhere.drain()
    has_nothing(anywhere)


@pytest.mark.parametrize("change", [delete, restart])
def test_what_was_deleted_meanwhile_is_not_found(
    anywhere: Cloud, meanwhile: Meanwhile, change: Callable[[Cloud, str], None]
) -> None:
    instance_id = anywhere.built()

    def remove() -> None:
        delete(anywhere, instance_id)
        anywhere.drain()

    meanwhile(remove)
    with pytest.raises(NotFound):
        change(anywhere, instance_id)
    assert anywhere.active() == []
    has_nothing(anywhere)


def test_two_changes_at_the_same_moment(anywhere: Cloud, meanwhile: Meanwhile) -> None:
    instance_id = anywhere.built()
    meanwhile(lambda: begin_restart(anywhere, instance_id))
    with pytest.raises(NotReady, match="is busy: instance.restart is running"):
        instances.resize_volume(anywhere.installation, anywhere.caller, instance_id, 3)
    assert anywhere.used() == USED


def test_deletion_is_never_refused(anywhere: Cloud) -> None:
    """Many delete and change the same instances at the same moment."""
    ids = [anywhere.built() for _ in range(3)]
    people = 8
    barrier = Barrier(people)

    def insist(number: int) -> None:
        for instance_id in ids:
            barrier.wait(30)
            try:
                if number % 2:
                    delete(anywhere, instance_id)
                else:
                    instances.resize_volume(
                        anywhere.installation, anywhere.caller, instance_id, 2 + number
                    )
            except (NotReady, NotFound):
                assert number % 2 == 0

    with ThreadPoolExecutor(people) as threads:
        list(threads.map(insist, range(people)))
    assert {anywhere.last_operation(it).workflow for it in ids} == {"instance.delete"}
    anywhere.drain()
    has_nothing(anywhere)


@pytest.mark.parametrize("change", [delete, restart])
@pytest.mark.parametrize("error", [OperationalError, IntegrityError])
def test_a_database_that_is_no_use(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Cloud, str], None],
    error: type[DBAPIError],
) -> None:
    """A lasting conflict is raised in the end; any other error, at once."""
    instance_id = cloud.built()
    tries = []

    def fail(*_: object, **__: object) -> None:
        tries.append(error)
        raise error("INSERT", None, Exception("no"))

    monkeypatch.setattr(changes, "start_on", fail)
    lost_race = error is IntegrityError
    with pytest.raises(NotReady if lost_race and change is restart else error):
        change(cloud, instance_id)
    assert len(tries) == (instances.ATTEMPTS if lost_race and change is delete else 1)


def writes_of(cloud: Cloud) -> list[list[str]]:
    """The tables that each transaction from here on writes to, in its order."""
    written: dict[int, list[str]] = {}
    ended: list[list[str]] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        words = statement.replace('"', "").replace("`", "").split()
        if words[0] in {"UPDATE", "DELETE", "INSERT"}:
            table = words[1 if words[0] == "UPDATE" else 2]
            written.setdefault(id(connection.connection.dbapi_connection), []).append(table)

    def close(connection: Any) -> None:
        ended.append(written.pop(id(connection.connection.dbapi_connection), []))

    event.listen(cloud.database.engine, "after_cursor_execute", note)
    event.listen(cloud.database.engine, "commit", close)
    event.listen(cloud.database.engine, "rollback", close)
    return ended


def test_operations_are_locked_before_quota(cloud: Cloud) -> None:
    """One order everywhere, so that no two transactions wait for each other."""
    transactions = writes_of(cloud)
    grown, shrunk, failed, given_up = (cloud.built(flavor_id="2") for _ in range(4))
    for instance_id, flavor in ((grown, "3"), (shrunk, "1"), (given_up, "3")):
        instances.resize_flavor(cloud.installation, cloud.caller, instance_id, flavor)
    delete(cloud, given_up)
    cloud.drain()
    cloud.agents.failures = {"resize": TaskFailure("no")}
    instances.resize_flavor(cloud.installation, cloud.caller, failed, "3")
    cloud.drain()
    with pytest.raises(OverQuota):
        cloud.order(volume_size=11)
    for instance_id in (grown, shrunk, failed):
        delete(cloud, instance_id)
    cloud.drain()
    has_nothing(cloud)
    with_quota = [tables for tables in transactions if "quota_usages" in tables]
    assert len(with_quota) >= 12
    for tables in with_quota:
        before = tables[: tables.index("quota_usages")]
        assert "operations" in before, tables
        assert before.index("operations") < before.index("claimed_resources"), tables
