"""A pool of real threads on the database's own clock, stopped, nudged, and in trouble."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import make_url, select
from sqlalchemy.exc import OperationalError

from tests.support.metadata import Server
from tests.support.waiting import HANG, until
from trove import notifications
from trove.db import Database, DatabaseClock
from trove.engine import Operation, Pool, Runner, State, Wait, Workflow, start, step
from trove.engine.lease import Lease


def runner_of(
    database: Database, *actions: Callable[[Operation], Wait | None], lease: float = 20
) -> Runner:
    steps = tuple(step(action) for action in actions)
    workflow: Workflow[Operation] = Workflow("made.up", "", steps)
    return Runner(
        database,
        {workflow.name: workflow},
        lambda _, operation: operation,
        lease=timedelta(seconds=lease),
    )


def begin(database: Database, runner: Runner, count: int = 1) -> list[str]:
    with database.begin() as session:
        workflow = runner.workflows["made.up"]
        return [start(session, workflow, str(uuid.uuid4())).id for _ in range(count)]


def states(database: Database) -> set[str]:
    with database.begin() as session:
        return set(session.scalars(select(Operation.state)))


@contextmanager
def started(*pools: Pool) -> Iterator[None]:
    for one in pools:
        one.start()
    try:
        yield
    finally:
        for one in pools:
            one.stop()


def test_many_threads_do_each_step_once(database: Database) -> None:
    done: list[tuple[str, str]] = []

    def first(operation: Operation) -> None:
        done.append((operation.id, "first"))

    def second(operation: Operation) -> None:
        done.append((operation.id, "second"))

    runners = [runner_of(database, first, second) for _ in range(2)]
    begun = begin(database, runners[0], 30)
    with started(*(Pool(runner, threads=3) for runner in runners)):
        until(lambda: states(database) == {State.SUCCEEDED})
    assert sorted(done) == sorted((o, name) for o in begun for name in ("first", "second"))


def test_a_nudge_makes_an_idle_pool_look_at_once(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_when_due(sqlite_database, monkeypatch)
    looked = threading.Semaphore(0)
    runner = runner_of(sqlite_database, lambda _: None)
    look = runner.leases.take

    def looking() -> Lease | None:
        found = look()
        looked.release()
        return found

    monkeypatch.setattr(runner.leases, "take", looking)
    idle = Pool(runner, threads=1)
    with started(idle):
        assert looked.acquire(timeout=HANG)
        begin(sqlite_database, runner)
        assert states(sqlite_database) == {State.RUNNING}
        idle.nudge()
        until(lambda: states(sqlite_database) == {State.SUCCEEDED})


def look_only_when_due(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "RARE", 3600.0)
    database.notifications.start(alone=True)


def test_a_step_that_waits_is_repeated_on_time(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing notifies of it, and no look is due before."""
    look_only_when_due(sqlite_database, monkeypatch)
    attempts: list[float] = []

    def thrice(_: Operation) -> Wait | None:
        attempts.append(time.monotonic())
        return Wait(0.2) if len(attempts) < 3 else None

    runner = runner_of(sqlite_database, thrice)
    begin(sqlite_database, runner)
    with started(Pool(runner, threads=2)):
        until(lambda: states(sqlite_database) == {State.SUCCEEDED})
    pauses = [later - earlier for earlier, later in itertools.pairwise(attempts)]
    # Not sooner; a busy machine may take any time longer, up to the deadline of `until`.
    assert all(pause > 0.15 for pause in pauses), pauses


def test_a_lease_that_expires_is_taken_over_on_time(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_when_due(sqlite_database, monkeypatch)
    dead = runner_of(sqlite_database, lambda _: None, lease=0.5)
    begin(sqlite_database, dead)
    assert dead.leases.take() is not None
    with started(Pool(runner_of(sqlite_database, lambda _: None), threads=1)):
        until(lambda: states(sqlite_database) == {State.SUCCEEDED})


def test_what_another_runner_is_about_to_claim_is_looked_at_again(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_when_due(sqlite_database, monkeypatch)
    runner = runner_of(sqlite_database, lambda _: None)
    take, skipped = runner.leases.take, iter(range(3))
    monkeypatch.setattr(
        runner.leases, "take", lambda: take() if next(skipped, None) is None else None
    )
    begin(sqlite_database, runner)
    with started(Pool(runner, threads=1)):
        until(lambda: states(sqlite_database) == {State.SUCCEEDED})


def test_stopping_lets_the_step_finish_and_gives_the_rest_to_others(
    sqlite_database: Database,
) -> None:
    at_work, finish = threading.Event(), threading.Event()

    def long(_: Operation) -> None:
        at_work.set()
        assert finish.wait(HANG)

    runner = runner_of(sqlite_database, long, lambda _: None)
    [operation] = begin(sqlite_database, runner)
    stopped = Pool(runner, threads=2)
    stopped.start()
    assert at_work.wait(HANG)
    stopping = threading.Thread(target=stopped.stop)
    stopping.start()
    finish.set()
    stopping.join(HANG)
    with sqlite_database.begin() as session:
        found = session.get_one(Operation, operation)
        assert (found.step, found.lease_token) == ("test_pool.<lambda>", None)
    assert runner.run_once()
    assert states(sqlite_database) == {State.SUCCEEDED}


def test_stopping_does_not_wait_forever(sqlite_database: Database) -> None:
    at_work, finish, ended = threading.Event(), threading.Event(), threading.Event()

    def endless(_: Operation) -> None:
        at_work.set()
        assert finish.wait(HANG)
        ended.set()

    runner = runner_of(sqlite_database, endless)
    begin(sqlite_database, runner)
    stuck = Pool(runner, threads=2)
    stuck.start()
    assert at_work.wait(HANG)
    stuck.stop(timeout=0.2)
    assert not ended.is_set()
    finish.set()
    until(lambda: states(sqlite_database) == {State.SUCCEEDED})


def test_stopping_waits_for_a_renewal(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection would be closed by nothing once the database is disposed of."""
    runner = runner_of(sqlite_database, lambda _: None, lease=0.1)
    pool = Pool(runner, threads=1)
    renewing, renewed = threading.Event(), threading.Event()

    def renew() -> None:
        renewing.set()
        assert pool._over.wait(HANG)
        with sqlite_database.begin() as session:
            session.scalars(select(Operation.id)).all()
        renewed.set()

    monkeypatch.setattr(runner, "renew", renew)
    pool.start()
    assert renewing.wait(HANG)
    pool.stop(timeout=HANG)
    assert renewed.is_set()


def test_a_pool_that_was_never_started_stops(sqlite_database: Database) -> None:
    Pool(runner_of(sqlite_database, lambda _: None), threads=1).stop()


def test_a_step_longer_than_its_lease_keeps_it(database: Database) -> None:
    runs: list[str] = []

    def long(operation: Operation) -> None:
        runs.append(operation.id)
        _, end = now_and_end_of_lease(database, operation.id)
        until(lambda: now_and_end_of_lease(database, operation.id)[0] > end)

    runners = [runner_of(database, long, lease=1) for _ in range(2)]
    begun = begin(database, runners[0])
    with started(*(Pool(runner, threads=1) for runner in runners)):
        until(lambda: states(database) == {State.SUCCEEDED})
    assert runs == begun


def now_and_end_of_lease(database: Database, operation_id: str) -> tuple[datetime, datetime]:
    with database.begin() as session:
        end = session.get_one(Operation, operation_id).lease_until
        assert end is not None
        return DatabaseClock().now(session), end


@pytest.mark.parametrize("error", [OperationalError("x", None, Exception("gone")), KeyError("x")])
def test_a_pool_survives_errors(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    runner = runner_of(sqlite_database, lambda _: None, lease=0.1)
    broken, renewals, look = threading.Event(), threading.Semaphore(0), runner.leases.take

    def failing_once() -> Lease | None:
        if broken.is_set():
            return look()
        broken.set()
        raise error

    def renew() -> None:
        renewals.release()
        raise error

    monkeypatch.setattr(runner.leases, "take", failing_once)
    monkeypatch.setattr(runner, "renew", renew)
    begin(sqlite_database, runner)
    with started(Pool(runner, threads=1)):
        until(lambda: states(sqlite_database) == {State.SUCCEEDED})
        for _ in range(2):
            assert renewals.acquire(timeout=HANG)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("engine", "options"),
    [
        pytest.param("postgresql", {"options": "-c synchronous_commit=on"}, id="postgresql"),
        pytest.param("mariadb", {}, id="mariadb"),
    ],
)
def test_the_database_may_be_restarted_meanwhile(
    engine: str, options: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """Killed in the middle, as in a crash: what it has promised to keep is there afterwards."""
    server: Server = request.getfixturevalue(engine)
    url = make_url(server.new_database()).update_query_dict(options)
    database = Database(url.render_as_string(hide_password=False))
    database.create_all()

    def brief(_: Operation) -> None:
        threading.Event().wait(0.01)

    runner = runner_of(database, brief, lambda _: None, lease=2)
    begun = begin(database, runner, 60)
    with started(Pool(runner, threads=4)):
        until(lambda: State.SUCCEEDED in states(database))
        done = succeeded(database)
        server.kill()
        server.start()
        assert done <= succeeded(database)
        until(lambda: states(database) == {State.SUCCEEDED})
    assert succeeded(database) == set(begun)
    database.dispose()


def succeeded(database: Database) -> set[str]:
    with database.begin() as session:
        return set(session.scalars(select(Operation.id).where(Operation.state == State.SUCCEEDED)))
