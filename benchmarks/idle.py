"""What the services cost while there is nothing to do: CPU seconds a minute.

The standalone service alone and beside instances whose agents do nothing but report; then a
conductor and a task manager in processes of their own on the same PostgreSQL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text

from benchmarks.standalone import Standalone, await_that, private_standalone
from benchmarks.table import Result, show
from tests.support.metadata import need_server, postgresql_server
from trove.db import url_from

DATASTORE = os.environ.get("TROVE_BENCH_DATASTORE", "postgresql")
INSTANCES = (0, 1, 5)
SECONDS = float(os.environ.get("TROVE_BENCH_IDLE_SECONDS", "40"))
SETTLE = 5.0
"""Seconds after an instance has become ACTIVE until its last work is over."""
BAR = 0.5
"""CPU seconds a minute of a service; each instance may add a fifth of it."""
FLEET, FLEET_BAR = 60, 5.0
"""Agents, and percent of a core for all of them."""
TRANSACTIONS = text(
    "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
)


def main() -> int:
    with private_standalone() as service:
        results = [row for made in _growing(service) for row in _rows(service, "SQLite", made)]
    for server in need_server(postgresql_server):
        url = server.new_database()
        with private_standalone({"TROVE_DATABASE_CONNECTION": url}) as service:
            for made in _growing(service):
                results += _rows(service, "PostgreSQL", made, url)
            with _apart(service) as pids:
                results += _rows(service, "PostgreSQL", made, url, pids)
    return show(results)


def _growing(service: Standalone) -> Iterator[int]:
    """How many instances there are, each time more."""
    made: list[str] = []
    for count in INSTANCES:
        while len(made) < count:
            made.append(service.create(f"idle-{len(made)}", DATASTORE))
        for instance in made:
            service.await_active(instance)
        await_that(lambda: len(service.agents()) == count)  # noqa: B023 - called at once
        yield count


@contextmanager
def _apart(service: Standalone) -> Iterator[dict[str, int]]:
    """Stop the standalone service, and serve its agents by processes of their own."""
    os.kill(service.pid, signal.SIGTERM)
    psutil.Process(service.pid).wait(timeout=60)
    bin_directory = Path(sys.executable).parent
    with (service.base / "log").open("ab") as log:
        running = {
            name: subprocess.Popen(
                [bin_directory / name], env=service.environ, stdout=log, stderr=log
            )
            for name in ("trove-conductor", "trove-taskmanager")
        }
        try:
            yield {name: process.pid for name, process in running.items()}
        finally:
            for process in running.values():
                process.terminate()
                process.wait(timeout=60)


def _rows(
    service: Standalone,
    metadata: str,
    instances: int,
    url: str | None = None,
    pids: Mapping[str, int] | None = None,
) -> list[Result]:
    """One for each process of the service, over the same time."""
    time.sleep(SETTLE)
    pids = pids or {"trove-standalone": service.pid}
    agents = [agent.pid for agent in service.agents()]
    before, committed = _cpu_of([*pids.values(), *agents]), _transactions_in(url)
    time.sleep(SECONDS)
    after = _cpu_of([*pids.values(), *agents])
    spent = {pid: (after[pid] - before[pid]) * 60 / SECONDS for pid in after}
    extra = f", an agent {sum(spent[pid] for pid in agents) / len(agents):.2f} s" if agents else ""
    extra += f", {(_transactions_in(url) - committed) / SECONDS:.1f} tx/s" if url else ""
    rows = [_fleet(metadata, [spent[pid] for pid in agents])] if agents else []
    return rows + [
        Result(
            f"idle {name}, {instances} instances, {metadata}",
            f"{spent[pid]:.2f} s/min{extra}",
            "-",
            spent[pid],
            BAR * (1 + instances / 5),
            unit="s/min",
        )
        for name, pid in pids.items()
    ]


def _fleet(metadata: str, spent: list[float]) -> Result:
    """What as many agents would take as a machine has instances."""
    percent = sum(spent) / len(spent) * FLEET * 100 / 60
    what = f"{FLEET} idle agents of {DATASTORE}, {metadata}"
    return Result(what, f"{percent:.1f} % of a core", "-", percent, FLEET_BAR, unit="%")


def _cpu_of(pids: list[int]) -> dict[int, float]:
    """Seconds that each of these has computed so far."""
    times = {pid: psutil.Process(pid).cpu_times() for pid in pids}
    return {pid: float(each.user + each.system) for pid, each in times.items()}


def _transactions_in(url: str | None) -> int:
    """How many the PostgreSQL database at `url` has seen so far."""
    if url is None:
        return 0
    engine = create_engine(url_from(url))
    with engine.connect() as connection:
        count = connection.execute(TRANSACTIONS).scalar_one()
    engine.dispose()
    return int(count)


if __name__ == "__main__":
    sys.exit(main())
