"""Creating many instances on the fake infrastructure: what the order costs, and what follows it.

Orders are given first. Then two task managers, each a process, carry them out, while this process
answers for all agents at once, as a conductor would write it down.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from sqlalchemy import func, select

from benchmarks.scale.fill import CALLER, databases, installation_on
from benchmarks.table import Result, show
from tests.support.cost import statements_of
from tests.support.filled import add_version
from trove.db import Database
from trove.engine import ACTIVE, Operation
from trove.models.quota import UNLIMITED
from trove.protocol import EngineState, Report, SyncRequest, TaskResult
from trove.services import agents, instances
from trove.services.installation import Installation
from trove.services.instance_order import InstanceOrder

COUNT = int(os.environ.get("TROVE_BENCH_CREATES", "300"))
MANAGERS = 2
ORDER_STATEMENTS, ORDER_MS, CREATE_MS = 20, 10.0, 20.0
"""Of an order its statements and CPU; CPU of all that the task managers do for one."""
RATE = 100.0
"""Creates a second, where each task manager and the database have a processor."""
LIMIT = 300.0
PAUSE = 0.01

MANAGER = """
import signal, sys, threading
from pathlib import Path
from benchmarks.scale.fill import installation_on
from trove.db import Database
from trove.providers.fake import create_provider
from trove.taskmanager.service import TaskManager
database = Database(sys.argv[1])
inst = installation_on(database, sys.argv[2])
database.notifications.start()
manager = TaskManager(inst, create_provider(inst.settings))
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())
manager.start()
over.wait()
manager.stop()
database.notifications.stop()
database.dispose()
"""


def main() -> int:
    return show(list(rows()))


def rows() -> Iterator[Result]:
    with databases("postgresql", 1) as (database,), TemporaryDirectory() as directory:
        add_version(database)
        inst = _without_quotas(installation_on(database, directory))
        order(inst, "warm-up")
        statements = len(statements_of(database, lambda: order(inst, "counted")))
        yield Result("statements of an order", str(statements), "-", statements, ORDER_STATEMENTS)
        with _managers(database, Path(directory)) as running:
            _answer_all(inst)  # until then they start
            yield from _burst(inst, running)


def _burst(inst: Installation, running: list[psutil.Process]) -> Iterator[Result]:
    """The task managers stand still until all orders are given."""
    for process in running:
        process.suspend()
    began = time.process_time()
    for number in range(COUNT):
        order(inst, f"db-{number}")
    spent = (time.process_time() - began) * 1000 / COUNT
    yield Result("an order", f"{spent:.1f} ms of CPU", "-", spent, ORDER_MS, unit="ms")
    before, since = _cpu_of(running), time.monotonic()
    for process in running:
        process.resume()
    _answer_all(inst)
    rate = COUNT / (time.monotonic() - since)
    spent = (_cpu_of(running) - before) * 1000 / COUNT
    what = f"a create, in {MANAGERS} task managers"
    yield Result(what, f"{spent:.1f} ms of CPU", "-", spent, CREATE_MS, unit="ms")
    yield Result("creates", f"{rate:.0f}/s", "-", rate, RATE, at_least=True, unit="/s")


def _without_quotas(inst: Installation) -> Installation:
    limits = ("max_instances_per_tenant", "max_ram_per_tenant", "max_volumes_per_tenant")
    none = replace(inst.settings.limits, **dict.fromkeys(limits, UNLIMITED))
    return replace(inst, settings=replace(inst.settings, limits=none))


def order(inst: Installation, name: str) -> None:
    instances.create(inst, CALLER, InstanceOrder(name=name, flavor_id="1", volume_size=1))


def _answer_all(inst: Installation) -> None:
    """Answer each task that is dispatched, until no create is left."""
    deadline = time.monotonic() + LIMIT
    while _left(inst.database):
        assert time.monotonic() < deadline, "this takes too long"
        with inst.database.session() as session:
            found = agents.open_tasks(session, inst.clock)
        for task in found:
            with inst.database.begin() as session:
                result = TaskResult(task.id, {"accounts": {}})
                message = SyncRequest(Report(EngineState.RUNNING), results=[result])
                agents.receive(session, task.instance_id, message, inst.clock)
        if not found:
            time.sleep(PAUSE)


def _left(database: Database) -> int:
    active = select(func.count()).where(
        Operation.workflow == "instance.create", Operation.state.in_(ACTIVE)
    )
    with database.session() as session:
        return session.scalars(active).one()


@contextmanager
def _managers(database: Database, directory: Path) -> Iterator[list[psutil.Process]]:
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", MANAGER, url, str(directory)]
    started = [subprocess.Popen(command) for _ in range(MANAGERS)]
    try:
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in started:
            process.wait(timeout=60)


def _cpu_of(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


if __name__ == "__main__":
    sys.exit(main())
