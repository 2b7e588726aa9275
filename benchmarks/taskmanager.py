"""Steps per second of one task manager process on PostgreSQL, against bare round trips.

Run: python benchmarks/taskmanager.py [steps]
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select, text

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.metadata import Server, need_server, postgresql_server
from trove.db import Database
from trove.engine import ACTIVE, Operation, Pool, Runner, Workflow, start
from trove.engine.workflow import Step

STEPS_EACH = 5
THREADS = 4
BAR = 200.0
"""Steps a second that one process must reach."""


def recipe() -> Workflow[None]:
    """Steps that do nothing, so that what is measured is the engine alone."""
    return Workflow("nothing", "", tuple(_named(f"step_{n}") for n in range(STEPS_EACH)))


def measure_engine(database: Database, operations: int) -> float:
    workflow = recipe()
    with database.begin() as session:
        for _ in range(operations):
            start(session, workflow, str(uuid.uuid4()))
    done = threading.Semaphore(0)
    runner = Runner(database, {workflow.name: workflow}, lambda *_: None)
    runner.observe = lambda _: done.release()
    pool = Pool(runner, threads=THREADS)
    return _per_second(operations * STEPS_EACH, lambda: _run(pool, done, operations * STEPS_EACH))


def measure_updates(database: Database, count: int) -> float:
    """The same number of `UPDATE; COMMIT` on as many connections."""
    with database.begin() as session:
        session.execute(text("CREATE TABLE bare (id int PRIMARY KEY, n int)"))
        session.execute(text("INSERT INTO bare SELECT i, 0 FROM generate_series(1, 4) i"))

    def work(row: int) -> None:
        with database.engine.connect() as connection:
            for _ in range(count // THREADS):
                update = text("UPDATE bare SET n = n + 1 WHERE id = :id")
                connection.execute(update, {"id": row})
                connection.commit()

    def all_at_once() -> None:
        threads = [threading.Thread(target=work, args=(n + 1,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return _per_second(count, all_at_once)


def main(steps: int) -> int:
    for server in need_server(_durable_server):
        database = Database(server.new_database())
        database.create_all()
        bare = measure_updates(database, steps)
        engine = measure_engine(database, steps // STEPS_EACH)
        with database.begin() as session:
            left = select(func.count()).where(Operation.state.in_(ACTIVE))
            assert session.scalars(left).one() == 0
        database.dispose()
    _print(steps, engine, bare)
    return 0 if engine >= BAR else 1


def _durable_server() -> Server:
    """As in production: a commit is on the disk."""
    server = postgresql_server()
    relaxed = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    server.command = [
        part.replace("=off", "=on") if part in relaxed else part for part in server.command
    ]
    return server


def _named(name: str) -> Step[None]:
    def nothing(_: None) -> None: ...

    nothing.__name__ = name
    return Step(nothing)


def _run(pool: Pool, done: threading.Semaphore, steps: int) -> None:
    pool.start()
    for _ in range(steps):
        assert done.acquire(timeout=60), "the engine stands still"
    pool.stop()


def _per_second(count: int, work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def _print(steps: int, engine: float, bare: float) -> None:
    print(f"{steps} steps, one process, {THREADS} threads, PostgreSQL with fsync")
    print(f"{'what':<36}{'per second':>12}{'ratio':>8}")
    print(f"{'bare UPDATE; COMMIT':<36}{bare:>12.0f}{1:>8.2f}")
    print(f"{'steps of durable operations':<36}{engine:>12.0f}{engine / bare:>8.2f}")
    print(f"{'bar: at least':<36}{BAR:>12.0f}{'met' if engine >= BAR else 'MISSED':>8}")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
